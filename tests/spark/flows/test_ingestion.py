"""Tables of a connection over several days: a pipeline folder, run by the local engine on real Spark.

A random source (the seed is fixed) is written to, changed and deleted from for some days, with late rows, ties and a
day on which its API fails in the middle of a read. After each day a run reads it.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from connector_lib.connector.spec import TableSpec
from connector_lib.flows.local_run import LocalRun, local_run
from connector_lib.flows.source_access import SourceAccess
from connector_lib.local.engine.graph import PipelineGraph, tables_in_sql
from connector_lib.local.failures import readable
from connector_lib.local.rules import check_rules
from connector_lib.project.pipeline import load_pipeline_folder
from tests.auto_cdc_model import Change, latest, versions

pytestmark = pytest.mark.spark
CONNECTORS = Path(__file__).parents[2] / "data" / "connectors"
DATABASE = "ingestion_test"
RETRIES = "spark.sql.pipelines.maxFlowRetryAttempts"
DAYS = 2
DAY_OF_FAILURE = 1
SPEC = """\
connection_name: clinic
objects:
  - table: {source_table: people}
  - table:
      source_table: people
      destination_table: people_history
      table_configuration: {scd_type: scd_type_2}
  - table:
      source_table: people
      destination_table: staff
      table_configuration: {scd_type: append_only, only: staff}
  - table:
      source_table: rooms
      table_configuration: {scd_type: SCD_TYPE_2}
"""
CONNECTIONS = """\
connections:
  clinic:
    source: bounded_journal
    options: {file: "${JOURNAL}", password: "${JOURNAL_WORD:-canary}"}
"""


def columns(**types: Any) -> dict[str, Any]:
    fields = [{"name": name, "type": kind, "nullable": name != "id", "metadata": {}} for name, kind in types.items()]
    return {"type": "struct", "fields": fields}


PEOPLE = columns(id="long", name="string", kind="string", at="long")
PEOPLE_ARE: dict[str, Any] = {"ingestion_type": "cdc_with_deletes", "primary_keys": ["id"], "cursor_field": "at"}


class Clinic:
    """The source: what happened in it, and the file that its connector reads."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.random = random.Random(20260101)
        self.clock = 0
        self.changes: dict[int, list[Change]] = {}
        """What has been delivered of each person."""
        self.late: list[tuple[int, Change]] = []
        self.rooms: dict[str, str] = {f"room {number}": "free" for number in range(5)}
        self.room_days: list[dict[str, str]] = []
        self.journal: dict[str, Any] = {
            "people": {"metadata": PEOPLE_ARE, "columns": PEOPLE, "records": [], "deletes": []},
            "rooms": {
                "metadata": {"ingestion_type": "snapshot", "primary_keys": ["room.id"]},
                "columns": columns(room=columns(id="string"), state="string"),
            },
        }

    def live(self, day: int) -> None:
        """A day passes, and what happened is written down, but for what comes late."""
        arriving, self.late = self.late, []
        for _ in range(14):
            person, change = self.random.randrange(8), self._change(day)
            (self.late if self.random.random() < 0.25 else arriving).append((person, change))
        for person, change in arriving:
            self._deliver(person, change, day)
        if day:
            self._change_rooms()
        self.room_days.append(dict(self.rooms))
        self.journal["rooms"]["records"] = [
            {"room": {"id": room}, "state": state} for room, state in self.rooms.items()
        ]

    def write(self, *, fails_after: int | None = None) -> None:
        self.journal["people"]["fails_after"] = fails_after
        self.file.write_text(json.dumps(self.journal), encoding="utf-8")

    def _change(self, day: int) -> Change:
        # Steps of 0 are ties: of different people, of one person over two days, of a delete and an upsert.
        self.clock += self.random.randrange(3)
        return Change(self.clock, self.random.choice("abc"), deleted=self.random.random() < 0.25)

    def _deliver(self, person: int, change: Change, day: int) -> None:
        known = self.changes.setdefault(person, [])
        tied = [each for each in known if each.sequence == change.sequence and not each.deleted]
        if not change.deleted and any(each.arrived == day for each in tied):
            return  # which of two in one batch would count, is for nobody to say
        known.append(Change(change.sequence, None if change.deleted else change.name, change.deleted, day))
        if change.deleted:
            self.journal["people"]["deletes"].append({"id": person, "at": change.sequence})
            return
        kind = "staff" if person % 2 else "patient"
        record = {"id": person, "name": change.name, "kind": kind, "at": change.sequence}
        self.journal["people"]["records"].append(record)

    def _change_rooms(self) -> None:
        gone = self.random.choice(sorted(self.rooms))
        del self.rooms[gone]
        self.rooms[f"room {self.random.randrange(5)}"] = "new"
        changed = self.random.choice(sorted(self.rooms))
        self.rooms[changed] = self.random.choice(("free", "taken"))


@dataclass
class Day:
    """What the tables were after the run of a day, and what the source said until then."""

    people: dict[int, str]
    history: dict[int, list[tuple[str, int, int | None]]]
    staff: Counter[tuple[int, str, int]]
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass
class Diary:
    """All days, and how the run failed on the one where the API did."""

    days: list[Day]
    clinic: Clinic
    failure: str
    after_failure: dict[str, list[dict[str, Any]]]
    pipeline: Path


class Runner:
    """Runs the pipeline folder, and reads its tables."""

    def __init__(self, spark: SparkSession, root: Path) -> None:
        self.spark = spark
        self.root = root
        self.pipeline = root / "pipeline"
        (self.pipeline / "transformations").mkdir(parents=True)
        libraries = [{"glob": {"include": "transformations/**"}}]
        spec = {"name": "clinic", "storage": "file:///tmp/clinic", "libraries": libraries}
        (self.pipeline / "spark-pipeline.yml").write_text(yaml.safe_dump(spec))
        (self.pipeline / "ingest.yml").write_text(SPEC)
        (self.pipeline / "transformations" / "ingest.py").write_text(
            'from connector_lib.flows.ingestion import ingest\n\ningest("ingest.yml")\n'
        )

    def run(self) -> None:
        graph = PipelineGraph(self.spark, load_pipeline_folder(self.pipeline), "spark_catalog", DATABASE)
        with local_run(LocalRun(self.root / "state", self.root / "connections.yml")):
            definitions = graph.load_definitions()
        check_rules(
            definitions, lambda name: name if "." in name else f"spark_catalog.{DATABASE}.{name}", tables_in_sql
        )
        definitions.check_refused(str)
        for _ in graph.run(self.root / "checkpoints", full_refresh=False, concurrent_flows=2):
            pass

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        names = ("people", "people_history", "staff", "rooms")
        return {name: [row.asDict() for row in self.spark.read.table(f"{DATABASE}.{name}").collect()] for name in names}


@pytest.fixture(scope="module")
def connectors() -> Iterator[None]:
    """The connectors of the tests can be imported, as installed ones can; Spark's workers have a path of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(CONNECTORS))
        yield


@pytest.fixture(scope="module")
def diary(connectors: None, spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Diary]:
    root = tmp_path_factory.mktemp("ingestion")
    spark.sql(f"CREATE DATABASE {DATABASE}")
    spark.conf.set(RETRIES, "0")
    clinic = Clinic(root / "journal.json")
    (root / "connections.yml").write_text(CONNECTIONS.replace("${JOURNAL}", str(clinic.file)))
    runner = Runner(spark, root)
    days: list[Day] = []
    failure, after_failure = "", dict[str, list[dict[str, Any]]]()
    for number in range(DAYS):
        clinic.live(number)
        if number == DAY_OF_FAILURE:
            clinic.write(fails_after=1)
            with pytest.raises(PySparkException) as caught:
                runner.run()
            failure, after_failure = str(caught.value), runner.tables()
        clinic.write()
        runner.run()
        people = {person: latest(known) for person, known in clinic.changes.items()}
        days.append(
            Day(
                {person: str(change.name) for person, change in people.items() if change is not None},
                {
                    person: [(str(each.name), each.start, each.end) for each in versions(known)]
                    for person, known in clinic.changes.items()
                },
                Counter(
                    (each["id"], each["name"], each["at"])
                    for each in clinic.journal["people"]["records"]
                    if each["kind"] == "staff"
                ),
                runner.tables(),
            )
        )
    yield Diary(days, clinic, failure, after_failure, runner.pipeline)
    spark.conf.unset(RETRIES)
    spark.sql(f"DROP DATABASE {DATABASE} CASCADE")


@pytest.mark.parametrize("number", range(DAYS))
def test_scd_type_1_equals_the_source(diary: Diary, number: int) -> None:
    day = diary.days[number]
    assert Counter((row["id"], row["name"]) for row in day.tables["people"]) == Counter(day.people.items())


@pytest.mark.parametrize("number", range(DAYS))
def test_scd_type_2_equals_the_history_of_the_source(diary: Diary, number: int) -> None:
    day = diary.days[number]
    found: dict[int, list[tuple[str, int, int | None]]] = {person: [] for person in day.history}
    for row in sorted(day.tables["people_history"], key=lambda row: row["__START_AT"]):
        found[row["id"]].append((row["name"], row["__START_AT"], row["__END_AT"]))
    assert found == day.history


@pytest.mark.parametrize("number", range(DAYS))
def test_the_open_versions_from_snapshots_are_the_last_snapshot(diary: Diary, number: int) -> None:
    rooms = [row for row in diary.days[number].tables["rooms"] if row["__END_AT"] is None]
    assert Counter((row["room_id"], row["state"]) for row in rooms) == Counter(diary.clinic.room_days[number].items())


def test_versions_from_snapshots_are_what_the_source_was(diary: Diary) -> None:
    found: dict[str, list[tuple[str, bool]]] = {}
    for row in sorted(diary.days[-1].tables["rooms"], key=lambda row: row["__START_AT"]):
        found.setdefault(row["room_id"], []).append((row["state"], row["__END_AT"] is None))
    assert found == room_versions(diary.clinic.room_days)
    assert isinstance(diary.days[-1].tables["rooms"][0]["__START_AT"], datetime)


def room_versions(days: list[dict[str, str]]) -> dict[str, list[tuple[str, bool]]]:
    """By room its states, each as long as it stayed, and whether it is so still."""
    made: dict[str, list[tuple[str, bool]]] = {}
    for day in days:
        for room, known in made.items():
            if known[-1][1] and day.get(room) != known[-1][0]:
                known[-1] = (known[-1][0], False)
        for room, state in day.items():
            known = made.setdefault(room, [])
            if not known or not known[-1][1]:
                known.append((state, True))
    return made


@pytest.mark.parametrize("number", range(DAYS))
def test_append_only_keeps_every_change_once_with_the_options_of_its_own(diary: Diary, number: int) -> None:
    found = [(row["id"], row["name"], row["at"]) for row in diary.days[number].tables["staff"]]
    assert Counter(found) == diary.days[number].staff


def test_every_table_has_the_time_of_reading_and_no_column_that_only_orders(diary: Diary) -> None:
    tables = diary.days[-1].tables
    assert {name: set(rows[0]) for name, rows in tables.items()} == {
        "people": {"id", "name", "kind", "at", "_ingest_timestamp"},
        "people_history": {"id", "name", "kind", "at", "_ingest_timestamp", "__START_AT", "__END_AT"},
        "staff": {"id", "name", "kind", "at", "_ingest_timestamp"},
        "rooms": {"room", "room_id", "state", "_ingest_timestamp", "__START_AT", "__END_AT"},
    }


def test_a_row_of_a_snapshot_that_did_not_change_keeps_its_time(diary: Diary) -> None:
    stamps = [
        {(row["room_id"], row["state"]): row["_ingest_timestamp"] for row in day.tables["rooms"]} for day in diary.days
    ]
    kept = [room for room in stamps[0] if all(room in each for each in stamps)]
    assert kept
    assert all(len({each[room] for each in stamps}) == 1 for room in kept)


def test_a_day_on_which_the_api_fails_is_an_error_and_brings_no_rows(diary: Diary) -> None:
    assert readable(diary.failure) == "GET http://journal.example/records?page=2: 503\n  try again"
    before = diary.days[DAY_OF_FAILURE - 1].tables
    assert rows_of(diary.after_failure["staff"]) == rows_of(before["staff"])
    # Spark empties a view when a run begins: without its changes it stays so until the next run.
    for table in ("people", "people_history"):
        assert rows_of(diary.after_failure[table]) <= rows_of(before[table])


def rows_of(table: list[dict[str, Any]]) -> Counter[str]:
    return Counter(map(repr, table))


def test_no_secret_is_in_a_checkpoint(diary: Diary) -> None:
    folder = diary.pipeline.parent / "checkpoints"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"canary" in path.read_bytes()]


def test_the_metadata_that_databricks_is_asked_for_is_what_the_connector_says(
    diary: Diary, spark: SparkSession
) -> None:
    access = SourceAccess(
        {"connectionName": "clinic", "connectionsFile": str(diary.pipeline.parent / "connections.yml")}
    )
    tables = [TableSpec("rooms", "a"), TableSpec("people", "b"), TableSpec("rooms", "c")]
    rooms = {"primary_keys": ["room.id"], "cursor_field": "", "ingestion_type": "snapshot"}
    assert access._metadata_by_spark(tables) == [
        rooms,
        PEOPLE_ARE,
        rooms,
    ]
