"""``connector-lib connection update`` and ``check``: a connection against what its source needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.logins import Login
from tests.servers.workspace.conftest import Command
from tests.servers.workspace.fhir_connection import ALLOWED, API, BASE, CANARY, HELD
from tests.servers.workspace.loopback.server import ANN, LoopbackWorkspace


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FHIR_TOKEN", CANARY)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def fhir() -> Iterator[FhirServer]:
    with FhirServer(login=Login("bearer", secret=CANARY)) as server:
        yield server


@pytest.fixture
def as_user(workspace: LoopbackWorkspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``as_user(ANN)`` logs in as her."""
    return lambda user: monkeypatch.setenv("DATABRICKS_TOKEN", workspace.token_of(user))


class TestUpdate:
    @pytest.fixture(autouse=True)
    def _held(self, workspace: LoopbackWorkspace) -> None:
        workspace.connections.add("fhir", {**HELD, "page_size": "100"})

    def test_it_shows_what_changes_and_no_secret(self, workspace: LoopbackWorkspace, command: Command) -> None:
        ended = command("connection", "update", "fhir", "--option", "page_size=7", "--option", "token=${FHIR_TOKEN}")
        assert (ended.code, ended.err) == (0, "the connection 'fhir' is updated\n")
        assert ended.out.splitlines() == [
            "connection 'fhir'",
            "  page_size                 changed   100 -> 7",
            "  base_url                  kept      https://ehr.example.org/fhir",
            "  auth_type                 kept      bearer",
            "  token                     set anew",
            "  sourceName                kept      fhir",
            f"  externalOptionsAllowList  kept      {ALLOWED}",
        ]
        assert workspace.connections.held("fhir") == {**HELD, "page_size": "7"}

    def test_a_secret_that_is_needed_and_not_given_again_is_an_error_and_nothing_is_lost(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        ended = command("connection", "update", "fhir", "--option", "page_size=7")
        assert (ended.code, ended.out) == (2, "")
        assert "auth_type=bearer needs the option 'token'" in ended.err
        assert "an update replaces all options" in ended.err
        assert workspace.desk.asked(f"PATCH {API}/fhir") == []

    def test_where_the_workspace_shows_nothing_all_has_to_be_given(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        workspace.connections.hides_all = True
        ended = command("connection", "update", "fhir", "--option", "token=${FHIR_TOKEN}")
        assert ended.code == 2
        assert "the option 'base_url' is missing" in ended.err
        ended = command(
            *("connection", "update", "fhir", "--option", BASE, "--option", "auth_type=bearer"),
            *("--option", "token=${FHIR_TOKEN}"),
        )
        assert ended.code == 0
        assert "  base_url                  set       https://ehr.example.org/fhir" in ended.out
        assert workspace.connections.held("fhir") == HELD

    def test_connections_yml_can_say_what_it_is_to_hold(
        self, workspace: LoopbackWorkspace, command: Command, tmp_path: Path
    ) -> None:
        (tmp_path / "connections.yml").write_text(
            "connections:\n  fhir:\n    source: fhir\n    options:\n"
            "      {base_url: https://new.example.org, auth_type: bearer, token: '${FHIR_TOKEN}'}\n"
        )
        assert command("connection", "update", "fhir", "--from-connections").code == 0
        held = {**HELD, "base_url": "https://new.example.org", "page_size": "100"}
        assert workspace.connections.held("fhir") == held

    def test_an_empty_value_takes_an_option_away(self, workspace: LoopbackWorkspace, command: Command) -> None:
        ended = command("connection", "update", "fhir", "--option", "page_size=", "--option", "token=${FHIR_TOKEN}")
        assert "  page_size                 removed   100" in ended.out
        assert workspace.connections.held("fhir") == HELD

    def test_a_dry_run_changes_nothing(self, workspace: LoopbackWorkspace, command: Command) -> None:
        ended = command(
            *("connection", "update", "fhir", "--dry-run", "--json"),
            *("--option", "page_size=7", "--option", "token=${FHIR_TOKEN}"),
        )
        document = json.loads(ended.out)
        assert document["updated"] is False
        assert {it["option"]: it["change"] for it in document["changes"]}["page_size"] == "changed"
        assert workspace.desk.asked(f"PATCH {API}/fhir") == []

    def test_an_allow_list_that_lacks_something_is_mended(self, workspace: LoopbackWorkspace, command: Command) -> None:
        workspace.connections.add("old", {**HELD, "externalOptionsAllowList": "search"})
        ended = command("connection", "update", "old", "--option", "token=${FHIR_TOKEN}")
        assert "  externalOptionsAllowList  changed   search -> page_size," in ended.out
        assert workspace.connections.held("old") == HELD

    def test_an_option_that_the_source_no_longer_knows_goes(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        workspace.connections.add("old", {**HELD, "colour": "red"})
        ended = command("connection", "update", "old", "--option", "token=${FHIR_TOKEN}")
        assert "  colour                    removed   red" in ended.out
        assert workspace.connections.held("old") == HELD

    def test_nothing_to_change_asks_for_no_change(self, workspace: LoopbackWorkspace, command: Command) -> None:
        workspace.connections.add("open", {**HELD, "auth_type": "none"} | {"token": ""})
        ended = command("connection", "update", "open", "--option", BASE)
        assert (ended.code, ended.err) == (0, "the connection 'open' has it all already\n")
        assert workspace.desk.asked(f"PATCH {API}/open") == []

    def test_a_connection_for_another_source_is_not_turned_round(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        workspace.connections.add("clinic", {"sourceName": "clinic"})
        ended = command("connection", "update", "clinic", "--source", "fhir", "--option", BASE)
        assert ended.code == 1
        assert "is for the source 'clinic', not 'fhir'" in ended.err

    def test_somebody_elses_connection_is_refused_by_the_workspace(
        self, workspace: LoopbackWorkspace, command: Command, as_user: Callable[[str], None]
    ) -> None:
        workspace.securables.get("CONNECTION", "fhir").grants = {ANN: {"USE_CONNECTION"}}
        as_user(ANN)
        ended = command("connection", "update", "fhir", "--option", "page_size=7", "--option", "token=${FHIR_TOKEN}")
        assert ended.code == 1
        assert "User does not own Connection 'fhir'" in ended.err

    def test_a_connection_that_is_not_there_names_those_that_are(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        ended = command("connection", "update", "fihr", "--source", "fhir", "--option", BASE)
        assert ended.code == 1
        assert "there is no connection 'fihr'" in ended.err
        assert "did you mean 'fhir'" in ended.err


class TestSourceOfSomebodyElse:
    """One whose token is not always needed: the workspace does not tell whether its connection holds one."""

    @pytest.fixture(autouse=True)
    def _example(self, workspace: LoopbackWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        package = tmp_path / "package"
        (package / "example_source").mkdir(parents=True)
        (package / "example_source" / "__init__.py").write_text(
            "from connector_lib.connector.options import Field, Options, SecretStr\n"
            "class ExampleOptions(Options):\n"
            "    base_url: str = Field(description='Where')\n"
            "    token: SecretStr | None = Field(None, description='Login')\n"
            "class Example:\n"
            "    connection_options = ExampleOptions\n"
            "    def __init__(self, options): self.options = options\n"
            "    def list_tables(self): raise OSError('no login with ' + self.options['token'])\n"
            "    def get_table_schema(self, table_name, table_options): raise NotImplementedError\n"
            "    def read_table_metadata(self, table_name, table_options): return {}\n"
            "    def read_table(self, table_name, start_offset, table_options): return iter(()), {}\n"
        )
        (package / "example_source" / "connector_spec.yaml").write_text("connection: {}\n")
        metadata = package / "example_source-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: example-source\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text("[connector_lib.sources]\nexample = example_source:Example\n")
        monkeypatch.syspath_prepend(package)
        monkeypatch.delitem(sys.modules, "example_source", raising=False)
        options = {"sourceName": "example", "base_url": "http://old", "token": CANARY}
        workspace.connections.add("example", options)

    def test_an_update_without_the_secret_asks_first(self, workspace: LoopbackWorkspace, command: Command) -> None:
        ended = command("connection", "update", "example", "--option", "base_url=http://new")
        assert ended.code == 2
        assert (
            "not done without --yes: update without 'token', which the connection forgets if it holds it" in ended.err
        )
        assert workspace.connections.held("example")["token"] == CANARY

    def test_with_yes_it_is_forgotten(self, workspace: LoopbackWorkspace, command: Command) -> None:
        assert command("connection", "update", "example", "--option", "base_url=http://new", "--yes").code == 0
        assert "token" not in workspace.connections.held("example")

    def test_what_it_raises_is_shown_without_the_secret(self, workspace: LoopbackWorkspace, command: Command) -> None:
        ended = command("--verbose", "connection", "check", "example", "--option", "token=${FHIR_TOKEN}")
        assert ended.code == 1
        assert "the source 'example' could not be asked: OSError: no login with *****" in ended.err
        assert CANARY not in ended.err


class TestCheck:
    def test_a_whole_connection_passes_and_the_source_is_asked(
        self, workspace: LoopbackWorkspace, command: Command, fhir: FhirServer
    ) -> None:
        workspace.connections.add("fhir", {**HELD, "base_url": fhir.url, "page_size": "7"})
        given = ("--option", "token=${FHIR_TOKEN}", "--option", "PageSize=7")
        ended = command("connection", "check", "fhir", *given)
        assert ended.code == 0
        assert "the source 'fhir' answers: " in ended.out
        assert "is as the source needs it" in ended.err
        assert fhir.requests

    def test_without_options_the_source_is_not_asked(self, workspace: LoopbackWorkspace, command: Command) -> None:
        workspace.connections.add("fhir", HELD)
        ended = command("connection", "check", "fhir", "--json")
        assert ended.code == 0
        assert json.loads(ended.out) == {"connection": "fhir", "source": "fhir", "problems": [], "answer": None}
        assert "the source was not asked" in ended.err

    def test_a_login_that_the_source_refuses_is_an_error(
        self, workspace: LoopbackWorkspace, command: Command, fhir: FhirServer
    ) -> None:
        fhir.server.fail("401", times=None)
        workspace.connections.add("fhir", {**HELD, "base_url": fhir.url})
        ended = command("connection", "check", "fhir", "--option", "token=${FHIR_TOKEN}")
        assert ended.code == 1
        assert "401" in ended.err
        assert CANARY not in ended.out + ended.err

    def test_every_difference_is_named(self, workspace: LoopbackWorkspace, command: Command) -> None:
        options = {"sourceName": "clinic", "externalOptionsAllowList": "tableName, search", "colour": "red"}
        workspace.connections.add("fhir", options)
        ended = command("connection", "check", "fhir", "--source", "fhir", "--json")
        assert ended.code == 1
        problems = json.loads(ended.out)["problems"]
        assert problems[0] == "its sourceName is 'clinic', not 'fhir'"
        assert problems[1].startswith("its externalOptionsAllowList lacks page_size, paging,")
        assert problems[1].endswith(", tableNameList, tableConfigs, isDeleteFlow: a read with one of them fails")
        assert problems[2:] == [
            "it holds 'colour', which the source does not know",
            "it lacks 'base_url', which the source needs",
        ]
        assert "connection update fhir" in ended.err

    def test_an_option_that_differs_from_the_one_given_is_named(
        self, workspace: LoopbackWorkspace, command: Command, fhir: FhirServer
    ) -> None:
        workspace.connections.add("fhir", HELD)
        ended = command(
            *("connection", "check", "fhir", "--option", f"base_url={fhir.url}", "--option", "token=${FHIR_TOKEN}")
        )
        assert ended.code == 1
        assert f"it holds base_url = https://ehr.example.org/fhir, not {fhir.url}" in ended.out
        # An update has to be given the secrets again.
        assert "'connector-lib connection update fhir --prompt token' mends the connection" in ended.err

    def test_a_workspace_that_shows_no_options_is_not_taken_for_one_that_has_none(
        self, workspace: LoopbackWorkspace, command: Command
    ) -> None:
        workspace.connections.add("fhir", HELD)
        workspace.connections.hides_all = True
        assert command("connection", "check", "fhir").code == 0
