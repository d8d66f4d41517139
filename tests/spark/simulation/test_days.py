"""Some days of a FHIR server and of a pipeline that follows it, run by the local engine on real Spark.

The story of the two weeks of ``tests/unit/simulation``, shorter: random inserts, changes, deletes, ties and late rows
(the seed is fixed). One run meets an API that fails in the middle of its batch, after the offset was logged; another
one is killed between the writing of its batch and the commit. After each run the tables are what the server was.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from connector_lib.flows.local_run import LocalRun, local_run
from connector_lib.local.engine.graph import PipelineGraph
from connector_lib.local.failures import readable
from connector_lib.project.pipeline import load_pipeline_folder
from tests.auto_cdc_model import Change, versions
from tests.unit.simulation.clinics import FhirClinic
from tests.unit.simulation.story import PEOPLE, When, Write

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.long]

DATABASE = "simulation_test"
RETRIES = "spark.sql.pipelines.maxFlowRetryAttempts"
DAYS = 3
FAILS_ON, KILLED_ON = 1, 1
SPEC = """\
connection_name: clinic
objects:
  - table:
      source_table: Basic
      destination_table: people
      table_configuration: {deletes: history, hold_back: true}
  - table:
      source_table: Basic
      destination_table: people_history
      table_configuration: {deletes: history, hold_back: true, scd_type: SCD_TYPE_2}
  - table:
      source_table: Basic
      destination_table: people_by_snapshots
      table_configuration: {deletes: snapshot, scd_type: SCD_TYPE_2}
"""
TABLES = ("people", "people_history", "people_by_snapshots")
NAME = "get_json_object(resource, '$.code.text')"
LAG = 600.0

Versions: TypeAlias = dict[str, list[tuple[str, int, int | None]]]
"""By person the names, each from and until which time in microseconds."""


def writes(chance: random.Random) -> Iterator[Write]:
    """What happens on a day."""
    times: tuple[When, ...] = ("now", "with the last", "at the border", "late")
    for _ in range(10):
        people = chance.sample(range(PEOPLE), chance.randrange(1, 6))
        name = chance.choice(("ann", "bob", "eve", None))
        yield Write(tuple(people), name, chance.choice(times), chance.choice((0.0, 0.0, 0.004, 40.0)))


@dataclass
class Night:
    """What the tables were after a run, and what the server said until then."""

    settled: bool
    """Whether the run read all that had happened: none of it lies behind its bound."""
    source: dict[str, str | None]
    people: dict[str, str]
    history: Versions
    snapshots: dict[str, list[tuple[str, bool]]]
    tables: dict[str, Any]


class Pipeline:
    """The pipeline folder, its runs and its tables."""

    def __init__(self, spark: SparkSession, root: Path, clinic: FhirClinic) -> None:
        self.spark = spark
        self.root = root
        folder = root / "pipeline"
        (folder / "transformations").mkdir(parents=True)
        libraries = [{"glob": {"include": "transformations/**"}}]
        spec = {"name": "clinic", "storage": "file:///tmp/clinic", "libraries": libraries}
        (folder / "spark-pipeline.yml").write_text(yaml.safe_dump(spec))
        (folder / "ingest.yml").write_text(SPEC)
        (folder / "transformations" / "ingest.py").write_text(
            'from connector_lib.flows.ingestion import ingest\n\ningest("ingest.yml")\n'
        )
        connection = {"source": "fhir", "options": clinic.connection()[1]}
        (root / "connections.yml").write_text(yaml.safe_dump({"connections": {"clinic": connection}}))

    def run(self) -> None:
        graph = PipelineGraph(self.spark, load_pipeline_folder(self.root / "pipeline"), "spark_catalog", DATABASE)
        with local_run(LocalRun(self.root / "state", self.root / "connections.yml")):
            graph.load_definitions()
        for _ in graph.run(self.root / "checkpoints", full_refresh=False, concurrent_flows=2):
            pass

    def forget_commit(self, table: str) -> None:
        """The last batch of a table was written, and the run killed before it said so."""
        (commits,) = (self.root / "checkpoints").rglob(f"{table}__changes/**/commits")
        last = max(int(file.name) for file in commits.iterdir() if file.name.isdigit())
        for file in (commits / f"{last}", commits / f".{last}.crc"):
            file.unlink(missing_ok=True)

    def logs(self) -> dict[str, int]:
        """How many changes each change log has."""
        return {table: self.spark.read.table(f"{DATABASE}.{table}__changes").count() for table in TABLES}

    def tables(self) -> dict[str, Any]:
        """SCD type 1 by key, doubles and all; of SCD type 2 the versions of each key in order."""
        people = self.spark.sql(f"SELECT id, {NAME} AS name FROM {DATABASE}.people").collect()
        return {
            "people": sorted((_key(row.id), row.name) for row in people),
            "people_history": self._versions("people_history"),
            "people_by_snapshots": self._versions("people_by_snapshots"),
        }

    def _versions(self, table: str) -> Versions:
        rows = self.spark.sql(
            f"SELECT id, {NAME} AS name, unix_micros(__START_AT) AS start, unix_micros(__END_AT) AS end"
            f" FROM {DATABASE}.{table} ORDER BY start"
        )
        found: Versions = {}
        for row in rows.collect():
            found.setdefault(_key(row.id), []).append((row.name, row.start, row.end))
        return found


def _key(resource_id: str) -> str:
    return resource_id.replace("-", " ")


class Diary:
    """All nights, and how the run failed on the one where the API did."""

    def __init__(self, pipeline: Pipeline, clinic: FhirClinic) -> None:
        self.pipeline = pipeline
        self.clinic = clinic
        self.nights: list[Night] = []
        self.failure = ""
        self.logs_before_failure: dict[str, int] = {}
        self.logs_after_failure: dict[str, int] = {}
        self._chance = random.Random(20260214)
        self._taken: set[tuple[str, Change]] = set()
        self._read_until: int | None = None
        self._snapshots: list[dict[str, str]] = []

    def live(self, day: int) -> None:
        self._write()
        if day == FAILS_ON:
            # The offset of what was read is in the log by then: it is from /metadata.
            self.logs_before_failure = self.pipeline.logs()
            self.clinic.server.fail("503", path="/Basic", at=2, times=None)
            with pytest.raises(PySparkException) as caught:
                self.pipeline.run()
            self.failure, self.logs_after_failure = readable(str(caught.value)), self.pipeline.logs()
            # What happens before the batch is read again.
            self._read_until = self._bound()
            self._write()
            # Not before: flows of the run that failed may still be reading.
            self.clinic.server.reset()
        # Every other day all of it lies before the bound of the run.
        self.clinic.clock.advance(1.0 if day % 2 else LAG + 1)
        self.pipeline.run()
        self.nights.append(self._night())
        if day == KILLED_ON:
            for table in ("people", "people_history"):
                self.pipeline.forget_commit(table)

    def _write(self) -> None:
        for write in writes(self._chance):
            self.clinic.apply(write, self._read_until)

    def _bound(self) -> int:
        """Up to which time a run reads that begins now."""
        return self.clinic.now() // 1_000_000 * 1_000_000 - int(LAG * 1_000_000)

    def _night(self) -> Night:
        truth = self.clinic.truth
        self._read_until = self._bound()
        self._taken |= truth.shown(self._read_until)
        # Every version of a resource has another number and time: none repeats the one before.
        shown = {
            key: [
                replace(each, arrived=number, name=f"{each.name} {number}")
                for number, each in enumerate(known)
                if (key, each) in self._taken
            ]
            for key, known in truth.changes.items()
        }
        history = {
            key: [(str(each.name).partition(" ")[0], each.start, each.end) for each in versions(known)]
            for key, known in shown.items()
        }
        self._snapshots.append({key: f"{name} {len(truth.changes[key])}" for key, name in truth.rows().items()})
        return Night(
            settled=truth.newest() < self._read_until,
            source=truth.rows(),
            people={key: known[-1][0] for key, known in history.items() if known and known[-1][2] is None},
            history={key: known for key, known in history.items() if known},
            snapshots=_states(self._snapshots),
            tables=self.pipeline.tables(),
        )


def _states(snapshots: list[dict[str, str]]) -> dict[str, list[tuple[str, bool]]]:
    """By person the names, each as long as it was in one snapshot after the other, and whether it is so still."""
    made: dict[str, list[tuple[str, bool]]] = {}
    for snapshot in snapshots:
        for key, known in made.items():
            if known[-1][1] and snapshot.get(key) != known[-1][0]:
                known[-1] = (known[-1][0], False)
        for key, state in snapshot.items():
            known = made.setdefault(key, [])
            if not known or not known[-1][1]:
                known.append((state, True))
    return {key: [(state.partition(" ")[0], is_so) for state, is_so in known] for key, known in made.items()}


@pytest.fixture(scope="module")
def diary(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Diary]:
    spark.sql(f"CREATE DATABASE {DATABASE}")
    spark.conf.set(RETRIES, "0")
    clinic = FhirClinic(lag=LAG)
    with clinic:
        diary = Diary(Pipeline(spark, tmp_path_factory.mktemp("simulation"), clinic), clinic)
        for day in range(DAYS):
            diary.live(day)
    yield diary
    spark.conf.unset(RETRIES)
    spark.sql(f"DROP DATABASE {DATABASE} CASCADE")


@pytest.mark.parametrize("day", range(DAYS))
def test_scd_type_1_equals_the_source(diary: Diary, day: int) -> None:
    night = diary.nights[day]
    assert night.tables["people"] == sorted(night.people.items())
    if night.settled:
        assert night.people == night.source


@pytest.mark.parametrize("day", range(DAYS))
def test_scd_type_2_equals_the_history_of_the_source(diary: Diary, day: int) -> None:
    night = diary.nights[day]
    assert night.tables["people_history"] == night.history


@pytest.mark.parametrize("day", range(DAYS))
def test_scd_type_2_of_snapshots_equals_the_snapshots(diary: Diary, day: int) -> None:
    night = diary.nights[day]
    found = {
        key: [(name, end is None) for name, _, end in known]
        for key, known in night.tables["people_by_snapshots"].items()
    }
    assert found == night.snapshots
    assert {key: known[-1][0] for key, known in found.items() if known[-1][1]} == night.source


def test_there_were_nights_with_late_rows_and_nights_without(diary: Diary) -> None:
    assert {night.settled for night in diary.nights} == {True, False}


def test_a_run_that_fails_within_its_batch_leaves_nothing_of_it_in_a_change_log(diary: Diary) -> None:
    assert "/Basic" in diary.failure
    assert "503" in diary.failure
    assert diary.logs_after_failure == diary.logs_before_failure
