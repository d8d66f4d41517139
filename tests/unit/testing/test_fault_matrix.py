"""docs/faults.md says what becomes of each fault, and no fault ends with silently less than there is.

``CONNECTOR_LIB_WRITE_DOCS=1`` writes the page anew.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from connector_lib.testing.faults import FAULTS
from tests.unit.testing.fault_matrix import SITUATIONS, Row, situation_rows, wire_rows

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[3] / "docs" / "faults.md"

BEFORE = """\
# What becomes of faults

An API fails in many ways. Here is what becomes of each: for a table that is read as a snapshot, for one that is
followed by a cursor (cdc), and for one that is followed with its deletes. The source is the example connector of
[connector_lib/testing](../connector_lib/testing/records_source.py), built on `connector_lib.http` as others are. Each
row is played by a test on a server on loopback, and a test compares this page with what came of it.

- **whole**: the target is what the source has.
- **error**: the read ends with an error. The batch is not taken over, and the next run reads it again.
- **error, then whole**: the run in which it happens ends with an error, and the next one has everything.

There is no third: a target that is shorter than its source, without an error, is a fault of the connector.

## Over the wire

Once: one request in the middle of a read has the fault. Stays: that request and all after it. The connector here tries
each request twice, and logs in with OAuth2 client credentials.

"""
BETWEEN = """
## In the data, and while pages are read

Two runs each; what is said to change changes before the third page of the first run.

"""
AFTER = """
- A table of the type cdc does not hear of deletes: what was deleted stays in it.
- A field that the schema does not have is left out, as the contract has it; with the option `rescuedDataColumn` it is
  kept there, and so is a value that does not fit its column. See [ingestion](ingestion.md).
- Timestamps have microseconds, as Spark's have; nanoseconds are cut off, and still count for the order of a read.
- Where a client counts (`offset`, `page`), a changed total shows that records moved. A delete and an insert between
  the same two pages leave the total as it was: so the last record of the page before is asked for again, and has to be
  where it was. Page by links or tokens where the API can: such a read does not fail when the table changes.
- The suite in [connector_lib/testing/conformance](../connector_lib/testing/conformance) plays the first table on every
  connector whose author gives it a server.
"""


@pytest.fixture(scope="module")
def wire() -> dict[str, Row]:
    return {row.name: row for row in wire_rows()}


@pytest.fixture(scope="module")
def situations() -> dict[str, Row]:
    return {row.name: row for row in situation_rows()}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_over_the_wire_ends_with_everything_or_an_error(wire: dict[str, Row], name: str) -> None:
    assert set(wire[name].once) | set(wire[name].stays) <= {"whole", "error"}


@pytest.mark.parametrize("name", [situation.name for situation in SITUATIONS])
def test_odd_data_and_moving_tables_end_with_everything_or_an_error(situations: dict[str, Row], name: str) -> None:
    allowed = {"whole", "error", "error, then whole"} | ({"whole, but for the field"} if name == "new field" else set())
    assert set(situations[name].once) <= allowed


def test_the_page_on_faults_says_what_becomes_of_them(wire: dict[str, Row], situations: dict[str, Row]) -> None:
    page = "".join((BEFORE, _wire_table(list(wire.values())), BETWEEN, _table(list(situations.values())), AFTER))
    if os.environ.get("CONNECTOR_LIB_WRITE_DOCS"):
        PAGE.write_text(page, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page


def _wire_table(rows: Sequence[Row]) -> str:
    lines = [
        "| fault | once: snapshot | cdc | deletes | stays: snapshot | cdc | deletes | the error says |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join((row.name, *row.once, *row.stays, _cell(row.says)))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Row]) -> str:
    lines = ["| situation | snapshot | cdc | deletes | the error says |", "|---|---|---|---|---|"]
    lines += [f"| {' | '.join((row.name, *row.once, _cell(row.says)))} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
