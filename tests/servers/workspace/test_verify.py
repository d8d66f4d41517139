"""Whether the tables of a pipeline are there and full, asked through a SQL warehouse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import connector_lib.cli.verify as verify_command
from tests.servers.workspace.conftest import Command, Ended
from tests.servers.workspace.fast_clock import FastClock
from tests.servers.workspace.loopback.pipelines import HeldPipeline
from tests.servers.workspace.loopback.server import ADMIN, LoopbackWorkspace
from tests.servers.workspace.loopback.statements import WAREHOUSE, Rows
from tests.servers.workspace.loopback.updates import completed, error, failed

SPEC = "name: clinic\nstorage: file:///tmp/x\nlibraries: [{glob: {include: transformations/**}}]\n"
FILE = """\
from pyspark import pipelines as dp

@dp.table
def visits():
    return spark.readStream.table("raw")

@dp.materialized_view(name="Daily")
def daily():
    return spark.read.table("visits")

@dp.temporary_view
def helper():
    return spark.read.table("visits")
"""
UNTOLD = """\
from elsewhere import NAMES
from pyspark import pipelines as dp

for name in NAMES:
    dp.create_streaming_table(name)
"""


@dataclass
class Table:
    """A table of the schema ``main.clinic``: its rows as it is counted each time, the last number for all further
    times; ``stamped`` are the rows since the newest one before."""

    counts: list[int]
    kind: str = "STREAMING_TABLE"
    newest: str | None = "2026-11-21 10:00:00.5"
    stamped: int = 0


@dataclass
class Schema:
    """What the warehouse answers about ``main.clinic``."""

    workspace: LoopbackWorkspace
    tables: dict[str, Table] = field(default_factory=dict)

    def __post_init__(self) -> None:
        listing = r"SELECT t\.table_name.* FROM `main`\.information_schema\.tables .*"
        self.workspace.statements.answer(listing.replace(" ", r"\s"), ["table_name", "table_type", "has"], self._list)

    def add(self, name: str, *counts: int, **about: Any) -> None:
        table = self.tables[name] = Table(list(counts), **about)
        column = r"CAST\(max\(`_ingest_timestamp`\) AS STRING\)" if table.newest else r"CAST\(NULL AS STRING\)"
        source = rf"FROM `main`\.`(?i:clinic)`\.`(?i:{name})`"

        def count(parameters: Mapping[str, str | None]) -> Rows:
            rows = table.counts[0] if len(table.counts) == 1 else table.counts.pop(0)
            return [[str(rows), table.newest if rows else None]]

        def count_since(parameters: Mapping[str, str | None]) -> Rows:
            assert parameters["newest"] == table.newest
            return [[str(table.stamped)]]

        answer = self.workspace.statements.answer
        answer(rf"SELECT count\(\*\) AS row_count, {column} AS newest {source}", ["row_count", "newest"], count)
        since = r"WHERE `_ingest_timestamp` > CAST\(:newest AS TIMESTAMP\)"
        answer(rf"SELECT count\(\*\) AS row_count {source} {since}", ["row_count"], count_since)

    def _list(self, parameters: Mapping[str, str | None]) -> Rows:
        # As Unity Catalog has it: names are kept in small letters.
        assert parameters == {"schema": "clinic"}
        return [[name, table.kind, "1" if table.newest else "0"] for name, table in self.tables.items()]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FastClock:
    fast = FastClock()
    monkeypatch.setattr(verify_command, "sleep", fast.sleep)
    monkeypatch.setattr(verify_command, "monotonic", fast.time)
    return fast


@pytest.fixture
def schema(workspace: LoopbackWorkspace) -> Schema:
    return Schema(workspace)


@pytest.fixture
def held(workspace: LoopbackWorkspace) -> HeldPipeline:
    return workspace.pipelines.put("clinic", ADMIN, catalog="main", schema="clinic", libraries=[])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clinic/transformations").mkdir(parents=True)
    (tmp_path / "clinic/transformations/tables.py").write_text(FILE)
    (tmp_path / "clinic/spark-pipeline.yml").write_text(SPEC)
    (tmp_path / "clinic/deploy.yml").write_text("catalog: main\nschema: clinic\n")
    return tmp_path / "clinic"


def verified(command: Command, *arguments: object) -> Ended:
    return command("verify", *arguments, "--warehouse", WAREHOUSE)


def test_every_table_of_the_files_is_counted_and_its_newest_row_told(
    schema: Schema, held: HeldPipeline, folder: Path, command: Command
) -> None:
    schema.add("visits", 1200)
    schema.add("daily", 30, kind="MATERIALIZED_VIEW", newest=None)
    ended = verified(command, folder)
    assert ended.code == 0
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert "main.clinic.visits streaming table 1,200 2026-11-21 10:00:00.5 there" in lines
    assert "main.clinic.Daily materialized view 30 there" in lines
    assert "helper" not in ended.out


def test_names_in_other_letters_than_unity_catalog_keeps_are_the_same_tables(
    workspace: LoopbackWorkspace, schema: Schema, folder: Path, command: Command
) -> None:
    workspace.pipelines.put("clinic", ADMIN, catalog="main", schema="Clinic", libraries=[])
    (folder / "deploy.yml").write_text("catalog: main\nschema: Clinic\n")
    schema.add("visits", 1200)
    schema.add("daily", 30, kind="MATERIALIZED_VIEW", newest=None)
    ended = verified(command, folder, "--json")
    assert ended.code == 0, ended.err
    found = {it["name"]: (it["there"], it["rows"]) for it in json.loads(ended.out)["tables"]}
    assert found == {"main.Clinic.visits": (True, 1200), "main.Clinic.Daily": (True, 30)}


def test_the_tables_of_a_pipeline_spec_are_looked_for(
    schema: Schema, held: HeldPipeline, folder: Path, command: Command
) -> None:
    ingest = 'from connector_lib.flows.ingestion import ingest\n\ningest("ingest.yml")\n'
    (folder / "transformations/tables.py").write_text(ingest)
    objects = (
        "[{table: {source_table: Patient, destination_table: patients, table_configuration: {scd_type: SCD_TYPE_2}}}]"
    )
    (folder / "ingest.yml").write_text(f"connection_name: fhir\nobjects: {objects}\n")
    schema.add("patients", 7)
    document = json.loads(verified(command, folder, "--json").out)
    assert document["tables"] == [
        {
            "name": "main.clinic.patients",
            "there": True,
            "kind": "STREAMING_TABLE",
            "rows": 7,
            "newest": "2026-11-21 10:00:00.5",
        }
    ]


def test_what_the_files_do_not_tell_is_taken_from_the_last_update_that_went_well(
    workspace: LoopbackWorkspace, schema: Schema, held: HeldPipeline, folder: Path, command: Command
) -> None:
    (folder / "transformations/tables.py").write_text(UNTOLD)
    workspace.updates.next(held.id, completed({"main.clinic.adt": 2, "main.clinic.raw": 2}), failed(error("x")))
    workspace.updates.run(held.id)
    workspace.updates.run(held.id)
    schema.add("adt", 2)
    schema.add("raw", 2)
    document = json.loads(verified(command, folder, "--json").out)
    assert [table["name"] for table in document["tables"]] == ["main.clinic.adt", "main.clinic.raw"]


def test_tables_that_neither_files_nor_an_update_tell_are_not_passed_over_in_silence(
    schema: Schema, held: HeldPipeline, folder: Path, command: Command
) -> None:
    (folder / "transformations/tables.py").write_text(f"{UNTOLD}dp.create_streaming_table('adt')\n")
    schema.add("adt", 2)
    ended = verified(command, folder)
    assert ended.code == 1
    assert "note: there may be more tables: the files do not tell all of them" in ended.err
    assert f"'connector-lib start {folder}' first" in ended.err
    assert json.loads(verified(command, folder, "--json").out)["all_tables_known"] is False


def test_a_pipeline_without_a_folder_is_verified_by_its_last_update(
    workspace: LoopbackWorkspace, schema: Schema, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, completed({"main.clinic.adt": 2}))
    workspace.updates.run(held.id)
    schema.add("adt", 2)
    assert verified(command, "clinic").code == 0


def test_without_folder_and_update_it_is_said_that_nothing_tells_the_tables(
    held: HeldPipeline, command: Command
) -> None:
    ended = verified(command, "clinic")
    assert ended.code == 2
    assert "'connector-lib start clinic' first" in ended.err


def test_a_table_that_is_missing_is_an_error(
    schema: Schema, held: HeldPipeline, folder: Path, command: Command
) -> None:
    schema.add("visits", 1200)
    ended = verified(command, folder)
    assert ended.code == 1
    assert f"error: missing, or not visible to {ADMIN}: main.clinic.Daily\n" in ended.err
    assert json.loads(verified(command, folder, "--json").out)["tables"][1]["there"] is False


def test_a_table_without_rows_is_noted(schema: Schema, held: HeldPipeline, folder: Path, command: Command) -> None:
    schema.add("visits", 0)
    schema.add("daily", 1, kind="MATERIALIZED_VIEW", newest=None)
    ended = verified(command, folder)
    assert ended.code == 0
    assert "note: without a row: main.clinic.visits; is there anything for them in the source?" in ended.err


def test_a_warehouse_that_is_not_there_is_an_error(held: HeldPipeline, folder: Path, command: Command) -> None:
    ended = command("verify", folder, "--warehouse", "nowhere")
    assert ended.code == 1
    assert f"there is no SQL warehouse 'nowhere' that {ADMIN} may use\n" in ended.err
    assert "'databricks warehouses list' lists them with their ids" in ended.err
    assert "SELECT" not in ended.err


def test_a_table_that_may_not_be_read_is_an_error_with_its_name(
    workspace: LoopbackWorkspace, schema: Schema, held: HeldPipeline, folder: Path, command: Command
) -> None:
    schema.add("visits", 1)
    schema.add("daily", 1)
    workspace.statements.refuse(r"SELECT count.*`visits`.*", "[INSUFFICIENT_PERMISSIONS] no SELECT", "42501")
    ended = verified(command, folder)
    assert ended.code == 1
    assert "`visits`" in ended.err


@pytest.mark.parametrize(
    ("written", "counts", "about", "verdict", "code"),
    [
        (0, (100, 100), {}, "nothing written", 0),
        (5, (100, 105), {"stamped": 5}, "only changes", 0),
        (5, (100, 102), {"stamped": 5}, "only changes", 0),
        (100, (100, 100), {"stamped": 100}, "all written again", 1),
        (100, (100, 200), {"stamped": 100}, "written twice", 1),
        (100, (100, 100), {"kind": "MATERIALIZED_VIEW", "newest": None}, "computed again", 0),
        (7, (0, 7), {}, "only changes", 0),
    ],
)
def test_a_second_update_is_held_against_what_it_wrote(
    workspace: LoopbackWorkspace,
    schema: Schema,
    held: HeldPipeline,
    command: Command,
    written: int,
    counts: tuple[int, int],
    about: dict[str, Any],
    verdict: str,
    code: int,
) -> None:
    script = completed({"main.clinic.visits": written})
    workspace.updates.next(held.id, script, script)
    workspace.updates.run(held.id)
    schema.add("visits", *counts, **about)
    ended = verified(command, "clinic", "--second-run", "--json")
    document = json.loads(ended.out)
    assert (document["changes"][0]["verdict"], ended.code) == (verdict, code)
    assert document["changes"][0]["written"] == written
    assert document["second_update"]["state"] == "COMPLETED"
    assert len(workspace.updates.of(held.id)) == 2
    assert ("error: main.clinic.visits" in ended.err) is (code == 1)


def test_a_second_update_that_fails_is_told_as_any_other(
    workspace: LoopbackWorkspace, schema: Schema, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, completed({"main.clinic.visits": 1}), failed(error("[NO_TABLES_IN_PIPELINE] x")))
    workspace.updates.run(held.id)
    schema.add("visits", 1)
    ended = verified(command, "clinic", "--second-run")
    assert ended.code == 1
    assert "failed: the files of the pipeline define no table" in ended.err


def test_the_second_update_is_a_table_too(
    workspace: LoopbackWorkspace, schema: Schema, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, completed({"main.clinic.visits": 5}), completed({"main.clinic.visits": 2}))
    workspace.updates.run(held.id)
    schema.add("visits", 5, 7, stamped=2)
    ended = verified(command, "clinic", "--second-run")
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    assert "main.clinic.visits 5 7 2 2 only changes" in lines
