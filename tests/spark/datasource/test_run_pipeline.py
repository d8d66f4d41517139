"""``connector-lib run`` on a pipeline that reads the data source."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.folder_system import CONNECTORS

pytestmark = [pytest.mark.spark, pytest.mark.slow]

PIPELINE = CONNECTORS.parent / "pipelines" / "connected"
COMMAND = [sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())"]


def run(source: Path, warehouse: Path) -> dict[str, int]:
    """Rows that a run wrote, by table."""
    paths = os.pathsep.join(filter(None, [str(CONNECTORS), os.environ.get("PYTHONPATH")]))
    finished = subprocess.run(
        [
            *(*COMMAND, "run", str(PIPELINE), "--set", f"test.source_folder={source}"),
            *("--warehouse", str(warehouse), "--memory", "1024", "--cores", "2", "--json"),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert "UNKNOWN_RESPONSE" not in finished.stderr
    report: dict[str, Any] = json.loads(finished.stdout)
    return {dataset["name"]: dataset["rows"] for dataset in report["datasets"]}


def test_what_workers_count_does_not_end_a_run_that_is_done(tmp_path: Path) -> None:
    rows = [{"id": number, "name": "ann", "seq": number} for number in range(1, 26)]
    for table in ("visits", "rooms"):
        (tmp_path / f"{table}.json").write_text(json.dumps({"rows": rows}))
    assert run(tmp_path, tmp_path / "warehouse") == {"visits": 25, "rooms": 25}
