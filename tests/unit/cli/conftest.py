"""A warehouse as a run leaves it, written without Spark."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connector_lib.local.warehouse import open_warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """Two tables: ``observations`` with three rows, and ``no_rows`` whose stream has not written a file yet."""
    place = open_warehouse(tmp_path / "warehouse")
    (place.metastore / "derby").mkdir()
    place.mark_complete()
    table = place.tables / "observations"
    log = table / "_spark_metadata"
    log.mkdir(parents=True)
    rows = {
        "code_text": ["Cholesterol [Mass/volume] in Serum or Plasma", "Größe", "steers \x1b[2J the terminal"],
        "value": ["125", "1,80", None],
        "units": ["mg/dL", "m", None],
        "notes": [["fasting\rsince noon"], [], None],
    }
    pq.write_table(pa.table(rows), table / "part-0.parquet")
    entry = json.dumps({"path": (table / "part-0.parquet").as_uri(), "action": "add"})
    (log / "0").write_text(f"v1\n{entry}")
    (place.tables / "no_rows" / "_spark_metadata").mkdir(parents=True)
    return place.root
