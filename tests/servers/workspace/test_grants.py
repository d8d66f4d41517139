"""``connector-lib grants``: printed, and carried out through a SQL warehouse."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from connector_lib.deploy.grants import effective_privileges, missing_privileges
from connector_lib.deploy.sql_statements import StatementRows, run_statement
from connector_lib.deploy.workspace import Workspace, open_workspace
from connector_lib.errors import WorkspaceError
from tests.servers.workspace.conftest import Command
from tests.servers.workspace.loopback.securables import ACCOUNT_USERS
from tests.servers.workspace.loopback.server import ADMIN, ANN, BOB, LoopbackWorkspace
from tests.servers.workspace.loopback.statements import WAREHOUSE

WHEEL = "shared.libraries.python_packages"


@pytest.fixture
def held(workspace: LoopbackWorkspace) -> LoopbackWorkspace:
    """A workspace with the Volume of the wheel, a schema for tables, and a connection."""
    workspace.catalog.add_volume(WHEEL)
    workspace.catalog.add_schema("main.fhir")
    workspace.connections.add("fhir", {"sourceName": "fhir"})
    return workspace


@pytest.fixture
def as_user(held: LoopbackWorkspace, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Workspace]:
    """``as_user(ANN)`` logs in as her."""

    def log_in(user: str) -> Workspace:
        monkeypatch.setenv("DATABRICKS_TOKEN", held.token_of(user))
        return open_workspace()

    return log_in


class TestPrinting:
    def test_it_is_sql_to_copy_and_asks_no_workspace(self, workspace: LoopbackWorkspace, command: Command) -> None:
        ended = command("grants", "--principal", "data engineers", "--volume", "a.b.c")
        assert ended.code == 0
        assert ended.out.splitlines() == [
            "GRANT USE CATALOG ON CATALOG `a` TO `data engineers`;",
            "GRANT USE SCHEMA ON SCHEMA `a`.`b` TO `data engineers`;",
            "GRANT READ VOLUME ON VOLUME `a`.`b`.`c` TO `data engineers`;",
        ]
        assert workspace.desk.requests == []

    def test_without_a_schema_it_is_said_that_no_table_can_be_read(self, command: Command) -> None:
        note = "note: no table can be read by this; --schema CATALOG.SCHEMA adds those of a schema"
        assert note in command("grants", "--principal", ANN, "--catalog", "main").err
        assert note not in command("grants", "--principal", ANN, "--schema", "main.fhir").err
        assert note not in command("grants", "--principal", ANN, "--role", "publisher").err

    def test_without_a_volume_it_is_the_one_that_releases_go_to(self, command: Command) -> None:
        ended = command("grants", "--principal", ANN, "--role", "publisher", "--json")
        assert [(it["name"], it["privileges"]) for it in json.loads(ended.out)] == [
            ("shared", ["USE CATALOG"]),
            ("shared.libraries", ["USE SCHEMA"]),
            (WHEEL, ["READ VOLUME", "WRITE VOLUME"]),
        ]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--principal", ANN, "--apply"], "--apply needs a SQL warehouse"),
            (["--principal", ANN, "--role", "pipeline"], "which schema"),
            (["--principal", ANN, "--volume", "a"], "--volume: 'a' is not CATALOG.SCHEMA.VOLUME"),
        ],
    )
    def test_what_cannot_be_meant_is_wrong_usage(self, arguments: list[str], words: str, command: Command) -> None:
        ended = command("grants", *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert words in ended.err


def test_printing_needs_no_sdk() -> None:
    program = (
        "import sys; from connector_lib.cli import main; code = main(['grants', '--principal', 'ann']);"
        " sys.exit(code or 'databricks.sdk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


class TestApplying:
    FOR_PIPELINE = ("grants", "--principal", ANN, "--role", "pipeline", "--schema", "main.fhir", "--connection", "fhir")
    APPLY = (*FOR_PIPELINE, "--apply", "--warehouse", WAREHOUSE)

    def test_the_principal_then_has_what_a_pipeline_needs(
        self, held: LoopbackWorkspace, command: Command, as_user: Callable[[str], Workspace]
    ) -> None:
        ended = command(*self.APPLY)
        assert (ended.code, ended.err) == (0, "6 grants are done\n")
        assert [line.split(" TO ")[0] for line in ended.out.splitlines()][-1] == (
            "done  GRANT USE CONNECTION ON CONNECTION `fhir`"
        )
        ann = as_user(ANN)
        wanted = ["USE_CATALOG", "USE_SCHEMA", "CREATE_TABLE", "CREATE_MATERIALIZED_VIEW"]
        assert missing_privileges(ann, "SCHEMA", "main.fhir", ANN, wanted) == []
        assert missing_privileges(ann, "VOLUME", WHEEL, ANN, ["READ_VOLUME", "WRITE_VOLUME"]) == ["WRITE_VOLUME"]
        assert missing_privileges(ann, "CONNECTION", "fhir", ANN, ["USE_CONNECTION"]) == []

    def test_running_it_again_changes_nothing(self, held: LoopbackWorkspace, command: Command) -> None:
        assert command(*self.APPLY).code == 0
        before = {name: dict(it.grants) for name, it in held.securables._all.items()}
        again = command(*self.APPLY, "--json")
        assert again.code == 0
        assert {it["state"] for it in json.loads(again.out)} == {"done"}
        assert {name: dict(it.grants) for name, it in held.securables._all.items()} == before

    def test_a_statement_that_failed_with_http_200_is_named_with_its_reason(
        self, held: LoopbackWorkspace, command: Command
    ) -> None:
        held.statements.refuse("GRANT .* ON VOLUME .*", "PERMISSION_DENIED: User does not own Volume.", "42501")
        ended = command(*self.APPLY)
        assert ended.code == 1
        assert [line.split(" ON ")[1].split(" TO ")[0] for line in ended.out.splitlines()] == [
            *("CATALOG `main`", "CATALOG `shared`", "SCHEMA `main`.`fhir`", "SCHEMA `shared`.`libraries`")
        ]
        assert "4 of 6 grants are done, 2 are left" in ended.err
        assert "ended FAILED: GRANT READ VOLUME ON VOLUME `shared`.`libraries`.`python_packages`" in ended.err
        assert "PERMISSION_DENIED: User does not own Volume." in ended.err

    def test_json_says_which_are_done_which_failed_and_which_are_left(
        self, held: LoopbackWorkspace, command: Command
    ) -> None:
        held.statements.refuse("GRANT .* ON SCHEMA `main`.*", "no")
        ended = command(*self.APPLY, "--json")
        assert ended.code == 1
        assert [it["state"] for it in json.loads(ended.out)] == ["done", "done", "failed", "left", "left", "left"]

    def test_who_owns_nothing_is_told_so(
        self, held: LoopbackWorkspace, command: Command, as_user: Callable[[str], Workspace]
    ) -> None:
        as_user(BOB)
        ended = command(*self.APPLY)
        assert ended.code == 1
        assert "GRANT USE CATALOG ON CATALOG `main`" in ended.err
        assert "User does not own Catalog 'main'" in ended.err

    def test_a_principal_that_is_not_there_is_named(self, held: LoopbackWorkspace, command: Command) -> None:
        ended = command("grants", "--principal", "nobody", "--apply", "--warehouse", WAREHOUSE)
        assert ended.code == 1
        assert "Could not find principal with name nobody" in ended.err

    def test_a_name_with_backticks_is_granted_to_as_it_is(self, held: LoopbackWorkspace, command: Command) -> None:
        name = "it`s` all, `everybody"
        held.permissions.principals.add(name)
        assert command("grants", "--principal", name, "--apply", "--warehouse", WAREHOUSE).code == 0
        assert held.securables.get("VOLUME", WHEEL).grants == {name: {"READ_VOLUME"}}

    def test_a_warehouse_that_is_not_there_is_named(self, held: LoopbackWorkspace, command: Command) -> None:
        ended = command(*self.FOR_PIPELINE, "--apply", "--warehouse", "gone")
        assert ended.code == 1
        assert f"there is no SQL warehouse 'gone' that {ADMIN} may use\n" in ended.err
        assert "'databricks warehouses list' lists them with their ids" in ended.err

    def test_a_workspace_that_is_busy_is_asked_again(self, held: LoopbackWorkspace, command: Command) -> None:
        held.desk.fail("POST /api/2.0/sql/statements", 429)
        assert command("grants", "--principal", ANN, "--apply", "--warehouse", WAREHOUSE).code == 0
        assert len(held.statements.executed) == 3


class TestStatements:
    def test_a_statement_is_followed_until_it_has_ended(self, workspace: LoopbackWorkspace) -> None:
        workspace.statements.waits = ["PENDING", "PENDING", "RUNNING"]
        workspace.statements.answer("SELECT 1 AS a", ["a"], [["1"]])
        pauses: list[float] = []
        rows = run_statement(open_workspace(), WAREHOUSE, "SELECT 1 AS a", sleep=pauses.append)
        assert rows == StatementRows(("a",), (("1",),))
        assert pauses == [0.5, 1.0, 2.0]

    def test_rows_that_come_in_parts_come_all(self, workspace: LoopbackWorkspace) -> None:
        rows = [[str(number), None] for number in range(5)]
        workspace.statements.answer("SELECT .*", ["n", "nothing"], rows)
        found = run_statement(open_workspace(), WAREHOUSE, "SELECT n, nothing FROM t")
        assert [list(row) for row in found.rows] == rows

    def test_parameters_go_beside_the_statement(self, workspace: LoopbackWorkspace) -> None:
        workspace.statements.answer("SELECT :name", ["name"], lambda given: [[given["name"]]])
        found = run_statement(open_workspace(), WAREHOUSE, "SELECT :name", parameters={"name": "it's; DROP"})
        assert found.rows == (("it's; DROP",),)

    @pytest.mark.parametrize("state", ["CANCELED", "CLOSED"])
    def test_a_statement_that_somebody_ended_is_an_error(self, state: str, workspace: LoopbackWorkspace) -> None:
        workspace.statements.waits = [state]
        with pytest.raises(WorkspaceError, match=f"the statement ended {state}: SELECT 1"):
            run_statement(open_workspace(), WAREHOUSE, "SELECT 1")

    def test_a_failure_has_the_sqlstate(self, workspace: LoopbackWorkspace) -> None:
        with pytest.raises(WorkspaceError, match="PARSE_SYNTAX_ERROR") as failure:
            run_statement(open_workspace(), WAREHOUSE, "SELEKT 1")
        assert failure.value.error_code == "42601"

    def test_a_statement_without_an_end_is_canceled(self, workspace: LoopbackWorkspace) -> None:
        workspace.statements.waits = ["PENDING"] * 100
        now = [0.0]

        def sleep(seconds: float) -> None:
            now[0] += seconds

        with pytest.raises(WorkspaceError, match="did not end within 60 s and was canceled"):
            run_statement(open_workspace(), WAREHOUSE, "SELECT 1", timeout=60, sleep=sleep, clock=lambda: now[0])
        assert workspace.statements.canceled == ["SELECT 1"]


class TestEffectivePrivileges:
    def test_what_is_granted_on_the_catalog_and_to_everybody_counts(
        self, held: LoopbackWorkspace, as_user: Callable[[str], Workspace]
    ) -> None:
        held.securables.get("CATALOG", "main").grants = {ANN: {"USE_SCHEMA"}, BOB: {"SELECT"}}
        held.securables.get("SCHEMA", "main.fhir").grants = {ACCOUNT_USERS: {"CREATE_TABLE"}}
        assert effective_privileges(as_user(ANN), "schema", "main.fhir", ANN) == {"USE_SCHEMA", "CREATE_TABLE"}

    def test_what_is_granted_to_a_group_of_the_login_counts(self, held: LoopbackWorkspace) -> None:
        schema = held.catalog.add_schema("main.seen", BOB)
        schema.grants = {"data engineers": {"CREATE_TABLE"}, "others": {"SELECT"}}
        held.groups[ADMIN] = ["data engineers"]
        assert effective_privileges(open_workspace(), "SCHEMA", "main.seen", ADMIN) == {"CREATE_TABLE"}

    def test_many_grants_come_in_pages(self, held: LoopbackWorkspace) -> None:
        schema = held.catalog.add_schema("main.seen", BOB)
        schema.grants = {f"group {number}": {"SELECT"} for number in range(7)} | {ACCOUNT_USERS: {"MODIFY"}}
        assert effective_privileges(open_workspace(), "SCHEMA", "main.seen", ADMIN) == {"MODIFY"}

    def test_the_owner_has_all_of_them(self, held: LoopbackWorkspace) -> None:
        workspace = open_workspace()
        assert missing_privileges(workspace, "SCHEMA", "main.fhir", ADMIN, ["CREATE_TABLE", "MANAGE"]) == []

    def test_all_privileges_do_not_hold_manage(
        self, held: LoopbackWorkspace, as_user: Callable[[str], Workspace]
    ) -> None:
        held.securables.get("CATALOG", "main").grants = {ANN: {"ALL_PRIVILEGES"}}
        missing = missing_privileges(as_user(ANN), "SCHEMA", "main.fhir", ANN, ["CREATE_TABLE", "MANAGE"])
        assert missing == ["MANAGE"]

    def test_on_the_metastore_it_is_who_may_create_connections(
        self, held: LoopbackWorkspace, as_user: Callable[[str], Workspace]
    ) -> None:
        held.securables.metastore.grants = {ANN: {"CREATE_CONNECTION"}}
        assert missing_privileges(as_user(ANN), "METASTORE", "", ANN, ["CREATE_CONNECTION"]) == []
        assert missing_privileges(as_user(BOB), "METASTORE", "", BOB, ["CREATE_CONNECTION"]) == ["CREATE_CONNECTION"]

    def test_what_is_not_there_is_404(self, held: LoopbackWorkspace) -> None:
        with pytest.raises(WorkspaceError, match=r"'main\.gone'") as failure:
            effective_privileges(open_workspace(), "SCHEMA", "main.gone", ADMIN)
        assert failure.value.status == 404


def test_the_groups_of_the_login_are_asked_for_once_however_many_privileges_are_looked_up(
    held: LoopbackWorkspace, as_user: Callable[[str], Workspace]
) -> None:
    held.groups[ANN] = ["clinicians"]
    ann = as_user(ANN)
    for kind, name in (("CATALOG", "main"), ("SCHEMA", "main.fhir"), ("VOLUME", WHEEL)):
        effective_privileges(ann, kind, name, ANN)
    assert ann.groups == ("clinicians",)
    assert len(held.desk.asked("GET /api/2.0/preview/scim/v2/Me")) == 1
