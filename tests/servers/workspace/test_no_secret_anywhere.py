"""No secret comes out anywhere: every command, plain, as JSON and verbose, where all goes well and where it does not.

Secrets with values that nothing else has are in every place that one may be in. All that the commands print, log,
write and send, but for the connection that is made of them, is searched for them.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

import pytest

import connector_lib.cli.deploy as deploy_command
import connector_lib.cli.updates as updates_command
from connector_lib.testing.exchange import ApiRequest, Reply
from connector_lib.testing.wire import Answer
from tests.servers.workspace.conftest import Command, Ended
from tests.servers.workspace.fast_clock import FastClock
from tests.servers.workspace.loopback.server import ADMIN, LoopbackWorkspace
from tests.servers.workspace.loopback.statements import WAREHOUSE
from tests.servers.workspace.loopback.updates import Script, error
from tests.servers.workspace.workspace_state import workspace_state
from tests.unit.deploy.wheels import small_wheel

WORKSPACE_TOKEN: Final = "dapi-canary-Zk8+31/x"
BEARER: Final = "bearer-canary-Q7%4 w"
NEW_BEARER: Final = "bearer-canary-Y2&9=v"
PASSWORD: Final = "pass-canary-L5?0:u"
KAFKA_PASSWORD: Final = "kafka-canary-W3#6;t"
CLIENT_SECRET: Final = "client-canary-H1!2,s"
SECRETS: Final = (WORKSPACE_TOKEN, BEARER, NEW_BEARER, PASSWORD, KAFKA_PASSWORD, CLIENT_SECRET)
ENVIRONMENT: Final = {
    "FHIR_TOKEN": BEARER,
    "NEW_TOKEN": NEW_BEARER,
    "FHIR_PASSWORD": PASSWORD,
    "KAFKA_PASSWORD": KAFKA_PASSWORD,
}
ASK_NOBODY: Final = ("check", "bundle", "merge")
TABLE: Final = """\
from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession


@dp.materialized_view
def numbers() -> DataFrame:
    return SparkSession.active().range(3)
"""
FILES: Final = {
    "spark-pipeline.yml": """\
name: clinic
storage: file:///tmp/clinic
libraries: [{glob: {include: transformations/**}}]
configuration: {kafka.scope: lab}
""",
    "deploy.yml": "catalog: shared\nschema: clinic\ncreate_schema: true\n",
    "connections.yml": """\
connections:
  written:
    source: fhir
    options:
      base_url: http://127.0.0.1:9/fhir
      auth_type: basic
      username: ann
      password: {password!r}
""",
    "transformations/numbers.py": TABLE,
}


def forms(secret: str) -> set[bytes]:
    """The secret as it is, and as texts of other kinds would hold it."""
    texts = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
    }
    return {it.encode() for it in texts} | {base64.b64encode(secret.encode())}


@dataclass(slots=True)
class Search:
    """What came out so far, by where it came out."""

    found: list[tuple[str, str]] = field(default_factory=list)

    def look(self, where: str, content: str | bytes) -> None:
        """Notes every secret in ``content``."""
        searched = content.encode(errors="replace") if isinstance(content, str) else content
        for secret in SECRETS:
            if any(form in searched for form in forms(secret)):
                self.found.append((secret, where))

    def look_at(self, where: str, ended: Ended, logs: pytest.LogCaptureFixture) -> None:
        """Looks at what a command printed and logged."""
        self.look(f"{where}: output", ended.out)
        self.look(f"{where}: error stream", ended.err)
        # As a handler would write them, with what was raised.
        formatter = logging.Formatter("%(name)s %(message)s %(args)s")
        self.look(f"{where}: log", "\n".join(formatter.format(record) for record in logs.records))
        logs.clear()


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace to log in to by a token that is a secret, and a pipeline folder beside a file of connections with a
    secret."""

    workspace: LoopbackWorkspace
    folder: Path
    wheel: Path
    options: Path
    scratch: Path

    def commands(self) -> list[tuple[object, ...]]:
        """Every command that asks a workspace or writes what may go to one, in an order in which all go well."""
        new = self.scratch / "bundle"
        grants = (
            "grants",
            "--principal",
            ADMIN,
            "--role",
            "pipeline",
            "--schema",
            "shared.clinic",
            "--connection",
            "fhir",
        )
        bearer = ("--option", "base_url=http://127.0.0.1:9/fhir", "--option", "auth_type=bearer")
        return [
            ("publish", "--create", "--wheel", self.wheel),
            ("releases",),
            ("install-line",),
            ("connection", "create", "fhir", "--source", "fhir", *bearer, "--option", "token=${FHIR_TOKEN}"),
            ("connection", "create", "other", "--source", "fhir", "--options", self.options),
            ("connection", "create", "written", "--connections", self.folder / "connections.yml"),
            ("connection", "list"),
            ("connection", "show", "fhir"),
            ("connection", "show", "written"),
            ("connection", "update", "fhir", "--option", "token=${NEW_TOKEN}", "--dry-run"),
            ("connection", "update", "fhir", "--option", "token=${NEW_TOKEN}", "--option", "page_size=50", "--yes"),
            ("connection", "check", "fhir"),
            ("connection", "check", "fhir", "--option", "token=${FHIR_TOKEN}"),
            ("check", self.folder),
            ("plan", self.folder),
            ("deploy", self.folder, "--watch"),
            (*grants,),
            (*grants, "--apply", "--warehouse", WAREHOUSE),
            ("configure", self.folder, "--continuous"),
            ("plan", self.folder),
            ("start", self.folder),
            ("status", self.folder),
            ("watch", self.folder),
            ("logs", self.folder),
            ("verify", self.folder, "--warehouse", WAREHOUSE),
            ("bundle", self.folder, "--out", new, "--wheel", "0.2.0"),
            ("merge", "fhir", "--out", self.scratch / "merged.py"),
            ("delete", self.folder, "--yes"),
            ("connection", "delete", "fhir", "--yes"),
        ]


@pytest.fixture
def place(workspace: LoopbackWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in {**ENVIRONMENT, "DATABRICKS_TOKEN": WORKSPACE_TOKEN}.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "clinic"
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(
            text.format(password=PASSWORD) if path == "connections.yml" else text, encoding="utf-8"
        )
    options = tmp_path / "options.json"
    options.write_text(
        json.dumps(
            {
                "base_url": "http://127.0.0.1:9/fhir",
                "auth_type": "basic",
                "username": "ann",
                "password": PASSWORD,
            }
        ),
        encoding="utf-8",
    )
    made = Place(workspace, folder, small_wheel(tmp_path / "wheels", "0.2.0").path, options, tmp_path)
    workspace.desk.users[WORKSPACE_TOKEN] = ADMIN
    # Nobody has to wait for updates.
    clock = FastClock()
    for module in (deploy_command, updates_command):
        monkeypatch.setattr(module, "sleep", clock.sleep)
        monkeypatch.setattr(module, "monotonic", clock.time)
    workspace.updates.usual = Script((("COMPLETED", ()),))
    return made


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All log records of this process, to the smallest."""
    caplog.set_level(logging.DEBUG)
    for name in ("databricks.sdk", "urllib3", "requests", "connector_lib"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def search_workspace(search: Search, workspace: LoopbackWorkspace) -> None:
    """Looks at all that is in the workspace but for the options of connections."""
    state = workspace_state(workspace)
    for path, content in {**state["volume files"], **state["workspace files"]}.items():
        search.look(f"the file {path}", content)
    search.look("pipelines", repr(state["pipelines"]))
    search.look("securables", repr([it for it in state["securables"] if it[0] != "CONNECTION"]))
    search.look("updates", repr([it.asked for it in workspace.updates.all.values()]))


def search_folder(search: Search, folder: Path) -> None:
    for file in (it for it in folder.rglob("*") if it.is_file()):
        search.look(f"the file {file.name}", file.read_bytes())


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["plain", "json"])
def test_where_all_goes_well(
    place: Place, command: Command, logs: pytest.LogCaptureFixture, form: tuple[str, ...]
) -> None:
    search = Search()
    for arguments in place.commands():
        given = () if arguments[:2] == ("connection", "delete") else form
        ended = command("--verbose", *arguments, *given)
        # 'verify' finds no table, and 'check' finds that the connection has another secret than the file.
        assert ended.code in ((0, 1) if arguments[0] in ("verify", "connection") else (0,)), (arguments, ended)
        search.look_at(" ".join(map(str, arguments[:2])), ended, logs)
        search_workspace(search, place.workspace)
        if "update" in arguments and "--yes" in arguments:
            # It was in use, and is where it belongs.
            assert place.workspace.connections.held("fhir")["token"] == NEW_BEARER
    search_folder(search, place.scratch / "bundle")
    search.look("the merged file", (place.scratch / "merged.py").read_bytes())
    assert search.found == []


def refusing(workspace: LoopbackWorkspace, status: int, error_code: str, methods: str) -> Callable[[], None]:
    """From now on requests of these methods are refused, by words that repeat the request; but for the login. Gives
    what ends it."""
    listener = workspace._listener
    answer = listener.answer

    def refuse(request: ApiRequest) -> Answer:
        if request.method not in methods.split() or request.path.endswith(("/Me", "databricks-config")):
            return answer(request)
        words = f"Could not carry out {request.method} {request.path}: {request.body.decode(errors='replace')}"
        return Answer(Reply.json({"error_code": error_code, "message": words}, status))

    def end() -> None:
        listener.answer = answer

    listener.answer = refuse
    return end


@pytest.mark.parametrize(
    ("status", "error_code"),
    [
        (400, "INVALID_PARAMETER_VALUE"),
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (500, "INTERNAL_ERROR"),
    ],
)
def test_where_the_workspace_refuses_what_is_written_and_repeats_it(
    place: Place, command: Command, logs: pytest.LogCaptureFixture, status: int, error_code: str
) -> None:
    search = Search()
    for arguments in (it for it in place.commands() if it[0] not in ASK_NOBODY):
        end = refusing(place.workspace, status, error_code, "POST PUT PATCH DELETE")
        ended = command("--verbose", *arguments)
        end()
        assert ended.code in (0, 1), (arguments, ended)
        search.look_at(f"{status} {' '.join(map(str, arguments[:2]))}", ended, logs)
        if arguments[0] in ("publish", "deploy") or arguments[:3] == ("connection", "create", "fhir"):
            # So that the next ones come as far as they can.
            command(*arguments)
            logs.clear()
    search_workspace(search, place.workspace)
    assert search.found == []


@pytest.mark.parametrize("status", [400, 403, 500])
def test_where_the_workspace_refuses_what_is_read(
    place: Place, command: Command, logs: pytest.LogCaptureFixture, status: int
) -> None:
    search = Search()
    end = refusing(place.workspace, status, "PERMISSION_DENIED", "GET HEAD")
    for arguments in (it for it in place.commands() if it[0] not in ASK_NOBODY):
        ended = command("--verbose", *arguments)
        assert ended.code in (0, 1), (arguments, ended)
        search.look_at(f"{status} {' '.join(map(str, arguments[:2]))}", ended, logs)
    end()
    assert search.found == []


def test_where_the_workspace_limits_requests(place: Place, command: Command, logs: pytest.LogCaptureFixture) -> None:
    search = Search()
    for arguments in (it for it in place.commands() if it[:3] == ("connection", "create", "fhir")):
        words = f"Too many requests like {BEARER}"
        route = "POST /api/2.1/unity-catalog/connections"
        place.workspace.desk.fail(route, 429, error_code="REQUEST_LIMIT_EXCEEDED", message=words)
        ended = command("--verbose", *arguments)
        assert ended.code == 0, ended
        assert len(place.workspace.desk.asked(route)) == 2
        search.look_at(" ".join(map(str, arguments[:2])), ended, logs)
    assert place.workspace.connections.held("fhir")["token"] == BEARER
    assert search.found == []


@pytest.mark.parametrize(
    "login",
    [
        "[service]\nhost = {url}\nclient_id = 1234\nclient_secret = {secret}\n",
        "[service]\nhost = {url}\ntoken = {secret}\n",
        "[service]\nhost = {url}\nusername = ann\npassword = {secret}\n",
        "[service]\nhost = {url}\ntoken = {secret}\nclient_id = 1234\nclient_secret = {secret}\n",
        "[service]\ntoken = {secret}\n",
        "[service]\nhost {secret}\n",
    ],
    ids=["client secret", "unknown token", "password", "two logins", "no host", "not a profile"],
)
def test_where_nobody_can_be_logged_in(
    place: Place, command: Command, logs: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    secret = CLIENT_SECRET
    profiles = place.scratch / "databrickscfg"
    profiles.write_text(login.format(url=place.workspace.url, secret=secret), encoding="utf-8")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(profiles))
    monkeypatch.delenv("DATABRICKS_HOST")
    monkeypatch.delenv("DATABRICKS_TOKEN")
    search = Search()
    for arguments in (("connection", "list"), ("releases",), ("deploy", place.folder)):
        for form in ((), ("--json",)):
            ended = command("--verbose", *arguments, "--profile", "service", *form)
            assert ended.code == 1, ended
            search.look_at(" ".join(map(str, arguments)), ended, logs)
    assert search.found == []


def test_where_an_update_fails_with_a_secret_in_its_words(
    place: Place, command: Command, logs: pytest.LogCaptureFixture
) -> None:
    words = f"401: 'Authorization: Bearer {BEARER}' and password='{PASSWORD}' are wrong; kafka {KAFKA_PASSWORD}"
    raised = {"class_name": "ValueError", "message": f"connector_lib.errors.AuthenticationError: {words}"}
    place.workspace.updates.usual = Script((("FAILED", (error(raised, message=words),)),))
    assert command("publish", "--create", "--wheel", place.wheel).code == 0
    search = Search()
    commands = [("deploy", place.folder, "--watch"), ("start", place.folder), ("watch", place.folder)]
    commands += [("status", place.folder), ("logs", place.folder)]
    for arguments in commands:
        for form in ((), ("--json",)):
            ended = command("--verbose", *arguments, *form)
            assert ended.code in ((1,) if arguments[0] in ("deploy", "start", "watch") else (0, 1)), ended
            search.look_at(" ".join([str(arguments[0]), *form]), ended, logs)
    assert search.found == []


def test_a_secret_in_a_file_or_a_setting_is_refused_and_not_shown(
    place: Place, command: Command, logs: pytest.LogCaptureFixture
) -> None:
    assert command("publish", "--create", "--wheel", place.wheel).code == 0
    logs.clear()
    search = Search()
    secret = KAFKA_PASSWORD
    given = command("--verbose", "deploy", place.folder, "--set", f"spark.clinic={secret}")
    file = place.folder / "transformations" / "numbers.py"
    file.write_text(f"{TABLE}\nPASSWORD = {secret!r}\n", encoding="utf-8")
    for arguments in (("deploy", place.folder), ("plan", place.folder, "--json")):
        ended = command("--verbose", *arguments)
        assert ended.code == 1, ended
        search.look_at(str(arguments[0]), ended, logs)
    assert given.code == 1
    search.look_at("--set", given, logs)
    search_workspace(search, place.workspace)
    assert search.found == []


def test_the_search_finds_a_secret_in_every_form() -> None:
    for secret in SECRETS:
        encoded = base64.b64encode(secret.encode()).decode()
        for form in (secret, quote(secret, safe=""), json.dumps({"x": secret}), encoded):
            search = Search()
            search.look("here", f"before{form}after")
            assert search.found == [(secret, "here")]
