"""The pipeline fhir_api follows a FHIR server from day to day. Run by the command, on real Spark."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connector_lib.cli.sample_fhir import sample_clock, sample_store
from connector_lib.local.tables import find_table, read_rows
from connector_lib.local.warehouse import existing_warehouse
from tests.spark.pipelines.fhir_runs import copy_with_tables, free_port

pytestmark = [pytest.mark.spark, pytest.mark.slow]

COMMAND = [sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())"]
TABLES = {"encounters": "Encounter", "observations": "Observation"}
"""Tables of the pipeline that are kept as they are now; patients are kept with their history. The others of its spec
are kept as these are: left out, for each takes its seconds."""
PATIENTS = 15
LAST_DAY = 12


def run_on_day(day: int, port: str, pipeline: Path, warehouse: Path) -> dict[str, int]:
    """Rows by dataset that a run wrote, with the server as it is on that day."""
    sample = ["--patients", str(PATIENTS), "--seed", "1", "--days", str(day)]
    serve = [*COMMAND, "sample", "fhir", "--serve", "--port", port, *sample, "--"]
    run = [*COMMAND, "run", str(pipeline), "--warehouse", str(warehouse), "--json"]
    done = subprocess.run([*serve, *run], capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return {
        dataset["name"].rpartition(".")[2]: dataset["rows_written"] for dataset in json.loads(done.stdout)["datasets"]
    }


def rows(table: str, warehouse: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_rows(
        find_table(existing_warehouse(warehouse), f"fhir_api.{table}"), 1_000_000
    ).to_pylist()
    return found


def served(kind: str, day: int) -> dict[str, dict[str, Any]]:
    """The resources of a type that are there on that day."""
    store = sample_store(PATIENTS, 1, day, sample_clock(day))
    return {version.id: version.resource for version in store.current(kind) if version.resource is not None}


def resources(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    ids = [row["id"] for row in found]
    assert len(set(ids)) == len(ids)
    return {row["id"]: json.loads(row["resource"]) for row in found}


def last_updated(resource: dict[str, Any]) -> datetime:
    # As rows of a table have it: in UTC, and not saying so.
    return datetime.fromisoformat(resource["meta"]["lastUpdated"]).replace(tzinfo=None)


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """The pipeline folder with some of its tables."""
    return copy_with_tables(tmp_path / "fhir_api", "patients", *TABLES)


def test_tables_follow_the_server_through_changes_and_deletes(pipeline: Path, tmp_path: Path) -> None:
    port, warehouse = free_port(), tmp_path / "warehouse"
    first = run_on_day(1, port, pipeline, warehouse)
    for table, kind in TABLES.items():
        assert resources(rows(table, warehouse)) == served(kind, 1)
    before = served("Patient", 1)
    assert resources(rows("patients", warehouse)) == before

    later = run_on_day(LAST_DAY, port, pipeline, warehouse)
    for table, kind in TABLES.items():
        assert resources(rows(table, warehouse)) == served(kind, LAST_DAY)
    assert 0 < later["observations__changes"] < first["observations__changes"] * LAST_DAY

    # Patients: a version as of each run, the one before ended by the next one or by the deletion.
    now = served("Patient", LAST_DAY)
    found = rows("patients", warehouse)
    moved = {name for name, resource in now.items() if resource != before[name]}
    assert moved
    assert before.keys() - now.keys()
    assert {row["id"]: json.loads(row["resource"]) for row in found if row["__END_AT"] is None} == now
    ended = {row["id"]: json.loads(row["resource"]) for row in found if row["__END_AT"] is not None}
    assert ended == {name: before[name] for name in before if name in moved or name not in now}
    starts = {(row["id"], row["__START_AT"]) for row in found}
    assert starts == {(name, last_updated(resource)) for name, resource in [*before.items(), *now.items()]}
