"""Pipelines as their users run them: by the command, on real Spark."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connector_lib.local.tables import find_table, read_rows
from connector_lib.local.warehouse import existing_warehouse
from connector_lib.samples.hl7v2 import DAMAGES, Manifest, write_files

PIPELINES = Path(__file__).parents[3] / "pipelines"
COMMAND = [sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())"]
ALL_ROWS = 10_000_000
EVERY_TABLE = (
    *("received", "raw", "quarantine", "findings", "fields", "adt", "orders", "reports", "observations"),
    *("appointments", "appointment_resources", "immunization_messages", "vaccinations", "documents", "charges"),
    "other_messages",
)


@dataclass(frozen=True, slots=True)
class LocalPipeline:
    """The pipeline folder ``name`` of this repository, with one setting, and a warehouse of its own.

    ``database`` is what spark-pipeline.yml says, empty for the default.
    """

    name: str
    setting: str
    warehouse: Path
    database: str = ""

    @property
    def command(self) -> list[str]:
        options = ["--set", self.setting, "--warehouse", str(self.warehouse), "--json"]
        return [*COMMAND, "run", str(PIPELINES / self.name), *options]

    def run(self) -> dict[str, Any]:
        """Runs it once and gives its report."""
        done = subprocess.run(self.command, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of ``table``. Those of ``received`` have their place, and what else is known of it, as columns, as
        all others have."""
        name = f"{self.database}.{table}" if self.database else table
        rows: list[dict[str, Any]] = read_rows(
            find_table(existing_warehouse(self.warehouse), name), ALL_ROWS
        ).to_pylist()
        if table != "received":
            return rows
        return [{**row.pop("_place"), **row.pop("_about"), **row} for row in rows]

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """All tables by name."""
        return {table: self.rows(table) for table in EVERY_TABLE}


class FirstRun:
    """A folder of sample files, all kinds of damage among them, and what one run of hl7v2_files made of it."""

    def __init__(self, base: Path) -> None:
        self.folder = base / "hl7 in"
        self.manifest: Manifest = write_files(self.folder, 60, seed=5, damage=tuple(DAMAGES))
        self.pipeline = LocalPipeline("hl7v2_files", f"source.storage_path={self.folder}", base / "warehouse")
        self.report = self.pipeline.run()
        self.tables = self.pipeline.tables()


@pytest.fixture(scope="session")
def local_pipeline() -> type[LocalPipeline]:
    return LocalPipeline


@pytest.fixture(scope="session")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> FirstRun:
    return FirstRun(tmp_path_factory.mktemp("hl7v2_files"))
