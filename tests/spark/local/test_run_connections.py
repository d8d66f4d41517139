"""``connector-lib run --connections FILE``: a pipeline over a connection, as its users type it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connector_lib.local.tables import find_table, read_rows
from connector_lib.local.warehouse import existing_warehouse

pytestmark = [pytest.mark.spark, pytest.mark.slow]

CONNECTORS = Path(__file__).parents[2] / "data" / "connectors"
COMMAND = [sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())"]
PIPELINE = """\
name: clinic
storage: file:///tmp/clinic
libraries: [{glob: {include: "transformations/**"}}]
"""
SPEC = """\
connection_name: clinic
objects:
  - table: {source_table: people, destination_catalog: main, destination_schema: lab}
  - table: {source_table: rooms}
"""
TEXT = {"name": "name", "type": "string", "nullable": True, "metadata": {}}
COLUMNS = {"type": "struct", "fields": [{"name": "id", "type": "long", "nullable": True, "metadata": {}}, TEXT]}


class Clinic:
    """A pipeline folder, a source, and the file of connections, which is not beside the pipeline."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "pipeline" / "transformations" / "ingest.py"
        self.file.parent.mkdir(parents=True)
        self.file.write_text('from connector_lib.flows import ingest\n\ningest("ingest.yml")\n')
        (root / "pipeline" / "spark-pipeline.yml").write_text(PIPELINE)
        (root / "pipeline" / "ingest.yml").write_text(SPEC)
        (root / "connections.yml").write_text(
            "connections:\n  clinic:\n    source: journal\n"
            f"    options:\n      file: {root / 'journal.json'}\n      password: ${{CLINIC_WORD}}\n"
        )

    def write(self, **people: Any) -> None:
        rows = [{"id": 1, "name": "ann"}, {"id": 2, "name": "bob"}]
        changes = {"ingestion_type": "cdc", "primary_keys": ["id"], "cursor_field": "id"}
        snapshots = {"ingestion_type": "snapshot", "primary_keys": ["id"]}
        journal = {
            "people": {"metadata": changes, "columns": COLUMNS, "records": rows, **people},
            "rooms": {"metadata": snapshots, "columns": COLUMNS, "records": rows},
        }
        (self.root / "journal.json").write_text(json.dumps(journal))

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        paths = os.pathsep.join(filter(None, (str(CONNECTORS), os.environ.get("PYTHONPATH"))))
        return subprocess.run(
            [
                *COMMAND,
                *("run", str(self.root / "pipeline"), "--connections", "connections.yml"),
                *("--warehouse", "warehouse", "--memory", "1024", "--json", *options),
            ],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": paths, "CLINIC_WORD": "canary"},
        )

    def rows(self, table: str) -> list[dict[str, Any]]:
        stored = find_table(existing_warehouse(self.root / "warehouse"), table)
        rows: list[dict[str, Any]] = read_rows(stored, 100).to_pylist()
        return sorted(({"id": row["id"], "name": row["name"]} for row in rows), key=lambda row: int(row["id"]))

    def states(self) -> set[str]:
        return {path.name for path in (self.root / "warehouse" / "source_state" / "clinic").glob("*/*")}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    return Clinic(tmp_path_factory.mktemp("clinic"))


@pytest.fixture(scope="module")
def first(clinic: Clinic) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """The first run, and the state of the sources after it."""
    clinic.write()
    return clinic.run(), clinic.states()


@pytest.fixture(scope="module")
def refreshed(clinic: Clinic, first: object) -> subprocess.CompletedProcess[str]:
    """A full refresh on a day when the API fails for one of the tables."""
    clinic.write(fails_after=1)
    return clinic.run("--full-refresh")


def test_the_tables_hold_what_the_source_has(
    first: tuple[subprocess.CompletedProcess[str], set[str]], clinic: Clinic
) -> None:
    assert first[0].returncode == 0, first[0].stderr
    rows = [{"id": 1, "name": "ann"}, {"id": 2, "name": "bob"}]
    assert clinic.rows("lab.people") == rows
    assert clinic.rows("rooms") == rows


def test_the_report_says_that_there_is_one_catalog(
    first: tuple[subprocess.CompletedProcess[str], set[str]],
) -> None:
    notes = json.loads(first[0].stdout)["notes"]
    assert [note for note in notes if "'destination_catalog' has no effect (main)" in note]


def test_the_state_of_sources_is_in_the_warehouse(
    first: tuple[subprocess.CompletedProcess[str], set[str]], clinic: Clinic
) -> None:
    assert first[1]
    folders = (clinic.root / "warehouse" / "source_state" / "clinic").iterdir()
    assert [folder.name for folder in folders] == ["rooms.snapshots"]


@pytest.mark.long
def test_a_full_refresh_forgets_the_state_of_sources(
    first: tuple[subprocess.CompletedProcess[str], set[str]],
    refreshed: subprocess.CompletedProcess[str],
    clinic: Clinic,
) -> None:
    assert clinic.states()
    assert not clinic.states() & first[1]
    assert [row["name"] for row in clinic.rows("rooms")] == ["ann", "bob"]


def test_an_api_that_fails_is_told_in_its_own_words_with_the_line_of_the_pipeline(
    refreshed: subprocess.CompletedProcess[str], clinic: Clinic
) -> None:
    assert refreshed.returncode == 1
    assert f"error: {clinic.file}:3: the flow 'lab.people__changes' failed: GET http://journal" in refreshed.stderr
    assert "page=2: 503\n  try again" in refreshed.stderr
    assert "Traceback" not in refreshed.stderr
    assert [note for note in json.loads(refreshed.stdout)["notes"] if "may be empty" in note and "lab.people" in note]
    assert "canary" not in refreshed.stderr + refreshed.stdout
