"""``connector-lib connection``: create, list, show and delete connections of Unity Catalog, and keep their secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from connector_lib.deploy.connections import find_connection
from connector_lib.deploy.workspace import open_workspace
from connector_lib.errors import WorkspaceError
from tests.servers.workspace.conftest import Command, Ended
from tests.servers.workspace.fhir_connection import ALLOWED, API, BASE, CANARY, HELD
from tests.servers.workspace.loopback.server import ADMIN, ANN, BOB, LoopbackWorkspace
from tests.servers.workspace.terminals import on_terminal


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FHIR_TOKEN", CANARY)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def as_user(workspace: LoopbackWorkspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``as_user(ANN)`` logs in as her."""
    return lambda user: monkeypatch.setenv("DATABRICKS_TOKEN", workspace.token_of(user))


def create(command: Command, *arguments: str) -> Ended:
    return command(
        *("connection", "create", "fhir", "--source", "fhir", "--option", BASE),
        *("--option", "auth_type=bearer", "--option", "token=${FHIR_TOKEN}", *arguments),
    )


class TestCreate:
    def test_it_holds_the_options_its_source_and_what_may_pass_through_it(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        ended = create(command)
        assert (ended.code, ended.out) == (0, "")
        assert ended.err == "the connection 'fhir' for the source 'fhir' is created\n"
        assert workspace.connections.held("fhir") == HELD
        [asked] = workspace.desk.asked(f"POST {API}")
        assert asked.json()["connection_type"] == "GENERIC_LAKEFLOW_CONNECT"

    def test_the_type_may_be_the_one_of_newer_workspaces(self, workspace: LoopbackWorkspace, command: Command) -> None:
        ended = create(command, "--type", "COMMUNITY", "--json")
        assert json.loads(ended.out)["type"] == "COMMUNITY"

    def test_json_describes_it_without_the_secret(self, workspace: LoopbackWorkspace, command: Command) -> None:
        document = json.loads(create(command, "--json").out)
        assert document == {
            "connection": "fhir",
            "type": "GENERIC_LAKEFLOW_CONNECT",
            "source": "fhir",
            "owner": ADMIN,
            "comment": "",
            "allow_list": ALLOWED.split(","),
            "options": {"base_url": "https://ehr.example.org/fhir", "auth_type": "bearer"},
        }

    def test_options_come_from_a_file_with_variables(
        self, workspace: LoopbackWorkspace, command: Command, tmp_path: Path
    ) -> None:
        file = tmp_path / "options.yml"
        file.write_text(
            "Base_URL: https://ehr.example.org/fhir\nauth_type: bearer\ntoken: ${FHIR_TOKEN}\n"
            "resource_types: [Patient, Encounter]\n"
        )
        assert command("connection", "create", "fhir", "--source", "fhir", "--options", file).code == 0
        assert workspace.connections.held("fhir") == {**HELD, "resource_types": '["Patient", "Encounter"]'}

    def test_a_laptops_connections_yml_is_taken_as_it_is(
        self, workspace: LoopbackWorkspace, command: Command, tmp_path: Path
    ) -> None:
        (tmp_path / "connections.yml").write_text(
            "connections:\n  fhir:\n    source: fhir\n    options:\n"
            "      base_url: https://ehr.example.org/fhir\n      auth_type: bearer\n      token: ${FHIR_TOKEN}\n"
        )
        assert command("connection", "create", "fhir", "--from-connections").code == 0
        assert workspace.connections.held("fhir") == HELD

    def test_one_option_of_connections_yml_may_be_replaced(
        self, workspace: LoopbackWorkspace, command: Command, tmp_path: Path
    ) -> None:
        file = tmp_path / "laptop.yml"
        file.write_text("connections: {fhir: {source: fhir, options: {base_url: http://127.0.0.1/r4, page_size: 5}}}\n")
        ended = command(
            "connection", "create", "fhir", "--connections", file, "--option", BASE, "--option", "PageSize=7"
        )
        assert ended.code == 0
        held = workspace.connections.held("fhir")
        assert (held["base_url"], held["page_size"]) == ("https://ehr.example.org/fhir", "7")

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--source", "fhir"], "the option 'base_url' is missing"),
            (["--source", "fhir", "--option", BASE, "--option", "colour=red"], "there is no option 'colour'"),
            (["--source", "fhir", "--option", BASE, "--option", "page_size=many"], "'page_size': input should be"),
            (["--source", "fhir", "--option", BASE, "--option", "auth_type=bearer"], "needs the option 'token'"),
            (["--source", "fhir", "--option", BASE, "--option", "search=a=b"], "'search' is of a table"),
            (["--source", "fihr", "--option", BASE], "did you mean 'fhir'"),
            (["--option", BASE], "which source is the connection 'fhir' for?"),
            (["--source", "fhir", "--from-connections"], "connections.yml says which source it is"),
            (["--source", "fhir", "--option", BASE, "--prompt", "token"], "there is no terminal to ask on"),
        ],
    )
    def test_what_is_wrong_at_the_keyboard_is_wrong_usage_and_asks_no_workspace(
        self, arguments: list[str], words: str, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        ended = command("connection", "create", "fhir", *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert words in ended.err
        assert workspace.desk.requests == []

    @pytest.mark.parametrize("name", ["a.b", "a b", "", "a/b"])
    def test_a_name_that_no_connection_can_have_is_wrong_usage(self, name: str, command: Command) -> None:
        ended = command("connection", "create", name, "--source", "fhir", "--option", BASE)
        assert ended.code == 2
        assert "NAME: " in ended.err

    def test_a_secret_as_an_argument_is_refused_and_not_repeated(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        ended = command("connection", "create", "fhir", "--source", "fhir", "--option", f"token={CANARY}")
        assert ended.code == 2
        assert "--prompt token" in ended.err
        assert CANARY not in ended.out + ended.err
        assert workspace.desk.requests == []

    def test_a_variable_that_is_not_set_is_named(self, workspace: LoopbackWorkspace, command: Command) -> None:
        ended = command("connection", "create", "f", "--source", "fhir", "--option", "token=${NO_SUCH}")
        assert ended.code == 1
        assert "the environment variable NO_SUCH is not set" in ended.err

    def test_a_connection_that_is_mine_already_is_to_be_updated(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        assert create(command).code == 0
        ended = create(command)
        assert ended.code == 1
        assert (
            "there is a connection 'fhir' already, for the source 'fhir'; it belongs to admin@example.com" in ended.err
        )
        assert "connector-lib connection update fhir" in ended.err

    def test_a_connection_of_another_type_is_left_alone(self, workspace: LoopbackWorkspace, command: Command) -> None:
        workspace.connections.add("fhir", {"host": "db"}, "MYSQL", BOB)
        for action in (["create", "--source", "fhir", "--option", BASE], ["update"], ["delete", "--yes"], ["check"]):
            ended = command("connection", action[0], "fhir", *action[1:])
            assert ended.code == 1
            assert "'fhir' is of the type MYSQL, and belongs to bob@example.com" in ended.err
        assert workspace.connections.held("fhir") == {"host": "db"}

    def test_somebody_elses_connection_is_named_with_its_owner(
        self, workspace: LoopbackWorkspace, command: Command, as_user: Callable[[str], None]
    ) -> None:
        workspace.connections.add("fhir", {"sourceName": "fhir"}, owner=BOB).grants = {ANN: {"USE_CONNECTION"}}
        as_user(ANN)
        ended = create(command)
        assert ended.code == 1
        assert "it belongs to bob@example.com" in ended.err
        assert "take another name" in ended.err

    def test_a_connection_that_the_login_may_not_see_is_an_error(
        self, workspace: LoopbackWorkspace, command: Command, as_user: Callable[[str], None]
    ) -> None:
        workspace.connections.add("fhir", {"sourceName": "fhir"}, owner=BOB)
        as_user(ANN)
        ended = create(command)
        assert ended.code == 1
        assert "cannot read the connection 'fhir': User does not have USE CONNECTION" in ended.err

    def test_who_may_not_create_connections_is_told_so(
        self, workspace: LoopbackWorkspace, command: Command, as_user: Callable[[str], None]
    ) -> None:
        as_user(ANN)
        ended = create(command)
        assert ended.code == 1
        assert "User does not have CREATE CONNECTION on Metastore" in ended.err
        assert "connector-lib grants" in ended.err

    def test_a_type_that_the_workspace_does_not_know_names_the_other(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        workspace.connections.refused = "Connection type is not supported in this workspace."
        ended = create(command)
        assert ended.code == 1
        assert "--type COMMUNITY" in ended.err

    def test_an_answer_that_was_lost_is_no_second_connection(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        workspace.desk.fail(f"POST {API}", 503, after=True)
        assert create(command).code == 0
        assert len(workspace.desk.asked(f"POST {API}")) == 2
        assert workspace.connections.held("fhir") == HELD

    def test_a_name_that_is_taken_by_what_cannot_be_seen_is_an_error(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        workspace.connections.add("fhir", {"sourceName": "fhir"}, owner=BOB)
        workspace.desk.fail(f"GET {API}/fhir", 404, times=2, error_code="CONNECTION_DOES_NOT_EXIST")
        ended = create(command)
        assert ended.code == 1
        assert "Connection 'fhir' already exists" in ended.err
        assert "take another name" in ended.err


class TestSecrets:
    @pytest.mark.parametrize("action", ["create", "update"])
    def test_no_secret_is_shown_where_the_workspace_repeats_it(
        self, action: str, workspace: LoopbackWorkspace, command: Command, caplog: pytest.LogCaptureFixture
    ) -> None:
        if action == "update":
            workspace.connections.add("fhir", HELD)
        workspace.connections.refused = "the value '{token}' of token is not allowed, nor is {token}"
        with caplog.at_level(logging.DEBUG):
            ended = command(
                *("--verbose", "connection", action, "fhir", "--option", BASE, "--source", "fhir"),
                *("--option", "auth_type=bearer", "--option", "token=${FHIR_TOKEN}"),
            )
        assert ended.code == 1
        assert "the value '*****' of token is not allowed" in ended.err
        assert CANARY not in ended.out + ended.err + caplog.text

    def test_a_key_of_several_lines_is_not_shown_either(
        self, workspace: LoopbackWorkspace, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\nZmlmdHk=\n-----END PRIVATE KEY-----\n"
        monkeypatch.setenv("FHIR_KEY", key)
        workspace.connections.refused = "not allowed: {private_key}"
        ended = command(
            *("connection", "create", "fhir", "--source", "fhir", "--option", BASE, "--option", "auth_type=smart"),
            *("--option", "client_id=me", "--option", "private_key=${FHIR_KEY}"),
        )
        assert ended.code == 1
        assert "not allowed: *****" in ended.err
        assert "Y2FuYXJ5" not in ended.err

    @pytest.mark.parametrize(
        "arguments",
        [
            ["update", "fhir", "--option", "page_size=7", "--option", "token=${FHIR_TOKEN}"],
            ["update", "fhir", "--option", "token=${FHIR_TOKEN}", "--json"],
            ["show", "fhir"],
            ["show", "fhir", "--json"],
            ["list"],
            ["check", "fhir", "--json"],
        ],
        ids=" ".join,
    )
    def test_no_command_shows_one_even_where_the_workspace_does(
        self, arguments: list[str], workspace: LoopbackWorkspace, command: Command
    ) -> None:
        workspace.connections.add("fhir", HELD)
        workspace.connections.hides = frozenset()
        ended = command("connection", *arguments)
        assert ended.code == 0
        assert CANARY not in ended.out + ended.err

    def test_a_secret_is_asked_for_on_the_terminal_without_an_echo(self, workspace: LoopbackWorkspace) -> None:
        code, shown = on_terminal(
            *("connection", "create", "fhir", "--source", "fhir", "--option", BASE),
            *("--option", "auth_type=bearer", "--prompt", "token"),
            question="token of the connection 'fhir': ",
            answer=CANARY,
        )
        assert (code, shown.splitlines()[-1]) == (0, "the connection 'fhir' for the source 'fhir' is created")
        assert CANARY not in shown
        assert workspace.connections.held("fhir") == HELD


class TestShowAndList:
    def test_only_connections_for_sources_are_listed_from_all_pages(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        for number in range(5):
            workspace.connections.add(
                f"c{number}", HELD, ("COMMUNITY", "GENERIC_LAKEFLOW_CONNECT", "MYSQL")[number % 3]
            )
        ended = command("connection", "list", "--json")
        assert [(it["connection"], it["type"]) for it in json.loads(ended.out)] == [
            ("c0", "COMMUNITY"),
            ("c1", "GENERIC_LAKEFLOW_CONNECT"),
            ("c3", "COMMUNITY"),
            ("c4", "GENERIC_LAKEFLOW_CONNECT"),
        ]
        plain = command("connection", "list").out
        assert "c4" in plain
        assert "c2" not in plain

    def test_none_is_said_so(self, workspace: LoopbackWorkspace, command: Command) -> None:
        assert command("connection", "list").out == "connections: no rows\n"

    def test_show_has_the_type_that_the_sdk_does_not_know(self, workspace: LoopbackWorkspace, command: Command) -> None:
        workspace.connections.add("fhir", HELD, "COMMUNITY", BOB)
        ended = command("connection", "show", "fhir")
        assert ended.code == 0
        assert "type        COMMUNITY\n" in ended.out
        assert "owner       bob@example.com\n" in ended.out
        assert "  base_url   https://ehr.example.org/fhir\n" in ended.out

    def test_a_name_with_signs_of_addresses_is_found(self, workspace: LoopbackWorkspace) -> None:
        workspace.connections.add("a#b?c%d", HELD)
        found = find_connection(open_workspace(), "a#b?c%d")
        assert found is not None
        assert found.source == "fhir"

    def test_what_is_not_there_is_none(self, workspace: LoopbackWorkspace) -> None:
        assert find_connection(open_workspace(), "gone") is None

    def test_what_may_not_be_seen_is_403(self, workspace: LoopbackWorkspace, as_user: Callable[[str], None]) -> None:
        workspace.connections.add("fhir", HELD)
        as_user(ANN)
        with pytest.raises(WorkspaceError) as refused:
            find_connection(open_workspace(), "fhir")
        assert refused.value.status == 403


class TestWorkspace:
    COMMANDS = (["list"], ["show", "fhir"], ["check", "fhir"], ["delete", "fhir", "--yes"])

    @pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
    def test_a_login_that_has_expired_is_said_so(
        self, arguments: list[str], workspace: LoopbackWorkspace, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABRICKS_TOKEN", "token of yesterday")
        ended = command("connection", *arguments)
        assert (ended.code, ended.out) == (1, "")
        assert "databricks auth login" in ended.err

    @pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
    def test_a_busy_workspace_is_asked_again(
        self, arguments: list[str], workspace: LoopbackWorkspace, command: Command
    ) -> None:
        workspace.connections.add("fhir", HELD)
        workspace.desk.fail(f"* {API}{{any*}}", 429)
        assert command("connection", *arguments).code == 0

    def test_a_workspace_that_fails_is_named_with_what_was_asked_of_it(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        workspace.desk.fail(f"POST {API}", 500, error_code="INTERNAL_ERROR", message="Something went wrong.", times=9)
        ended = create(command)
        assert ended.code == 1
        assert f"{workspace.url}: cannot create the connection 'fhir': Something went wrong." in ended.err


class TestDelete:
    def test_it_asks_for_yes(self, workspace: LoopbackWorkspace, command: Command) -> None:
        workspace.connections.add("fhir", HELD)
        ended = command("connection", "delete", "fhir")
        assert ended.code == 2
        assert "not done without --yes: delete the connection 'fhir' of admin@example.com" in ended.err
        assert workspace.connections.held("fhir") == HELD

    def test_with_yes_it_is_gone(self, workspace: LoopbackWorkspace, command: Command) -> None:
        workspace.connections.add("fhir", HELD)
        assert command("connection", "delete", "fhir", "--yes").code == 0
        assert find_connection(open_workspace(), "fhir") is None

    @pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, False), ("n", 130, True)])
    def test_on_a_terminal_it_asks(self, answer: str, code: int, left: bool, workspace: LoopbackWorkspace) -> None:
        workspace.connections.add("fhir", HELD)
        question = f"delete the connection 'fhir' of admin@example.com in {workspace.url}? [y/N]: "
        ended, _ = on_terminal("connection", "delete", "fhir", question=question, answer=answer)
        assert ended == code
        assert (find_connection(open_workspace(), "fhir") is not None) is left

    def test_somebody_elses_stays(
        self, workspace: LoopbackWorkspace, command: Command, as_user: Callable[[str], None]
    ) -> None:
        workspace.connections.add("fhir", HELD).grants = {ANN: {"USE_CONNECTION"}}
        as_user(ANN)
        ended = command("connection", "delete", "fhir", "--yes")
        assert ended.code == 1
        assert "User does not own Connection 'fhir'" in ended.err

    def test_what_is_not_there_is_an_error(self, workspace: LoopbackWorkspace, command: Command) -> None:
        ended = command("connection", "delete", "gone", "--yes")
        assert ended.code == 1
        assert "there is no connection 'gone'" in ended.err
