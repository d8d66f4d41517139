"""The pipeline hl7v2_kinesis over files as Firehose writes them gives the tables that hl7v2_files gives for the same
messages. Both run by the command, on real Spark.

Source of folders, names and forms: https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html and
https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html.
"""

from __future__ import annotations

import gzip
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from connector_lib.formats.compression import decompressed
from connector_lib.samples.hl7v2 import messages

if TYPE_CHECKING:
    from tests.spark.pipelines.conftest import LocalPipeline

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.long]

DATABASE = "hl7v2_kinesis"
OF_THE_FILE = ("_source_file", "_file_size", "_file_modified", "_offset", "_ingest_timestamp")
"""Columns that name the file, its size and times, and a place in its bytes."""

SPEAKS_OF_MSH = (
    "MSH|^~\\&|LAB|HOSPITAL|||20260102030405||ORU^R01^ORU_R01|SPEAKS-OF-MSH|P|2.5.1\r"
    "PID|1||123^^^HOSPITAL^MR||DOE^JANE\r"
    "OBR|1|||1^Transport^L\r"
    "OBX|1|TX|1^Note^L||The segment MSH\\F\\\\S\\\\R\\\\E\\\\T\\\\F\\LAB had no MSH-9. See MSH, and BHS too.||||||F"
)
WITH_FINDINGS = "MSH|^~\\&|LAB|HOSPITAL|||not a time||ZZZ^Z01||P|2.5.1\rPID|1||7^^^HOSPITAL^MR||DOE^JOHN||18001332"
NO_MESSAGE = "a record that is no message"
DAMAGED = gzip.compress(b"MSH|^~\\&|LAB|HOSPITAL|||20260102||ACK|in damaged gzip|P|2.5\r" * 20)[:-30]

Delivery = Callable[[Sequence[bytes]], bytes]
"""How Firehose writes records into an object."""


def with_newlines(records: Sequence[bytes]) -> bytes:
    return b"".join(record + b"\n" for record in records)


def run_together(records: Sequence[bytes]) -> bytes:
    """The default: not a byte between two records. Some senders end the last segment of a message and some do not."""
    return b"".join(record + b"\r" * (index % 3 == 1) for index, record in enumerate(records))


def in_members(records: Sequence[bytes]) -> bytes:
    """A gzip file of several members, borders of records or not."""
    whole = run_together(records)
    borders = [0, 1000, len(whole) // 2, len(whole)]
    return b"".join(gzip.compress(whole[start:end]) for start, end in pairwise(borders))


DELIVERIES: Final[dict[str, Delivery]] = {
    "newlines": with_newlines,
    "run together": run_together,
    "newlines, gzip": lambda records: gzip.compress(with_newlines(records)),
    "run together, gzip": lambda records: gzip.compress(run_together(records)),
    "run together, gzip members": in_members,
}


def records_of(seed: int, count: int) -> list[bytes]:
    texts = [NO_MESSAGE, *messages(count, seed=seed), SPEAKS_OF_MSH, WITH_FINDINGS, *messages(3, seed=seed + 1)]
    return [text.rstrip("\r").encode() for text in texts]


def object_name(hour: int, number: int, *, compressed: bool) -> Path:
    """Folders of the hour in UTC, then stream, version, time and a random part."""
    unique = uuid.UUID(int=number, version=4)
    name = f"hl7-1-2026-11-21-{hour:02}-{number:02}-07-{unique}"
    return Path(f"2026/11/21/{hour:02}") / (f"{name}.gz" if compressed else name)


class BothPipelines:
    """The same records as objects of Firehose and as batch files, and the tables of each."""

    def __init__(self, base: Path, local_pipeline: type[LocalPipeline]) -> None:
        self.firehose, self.batches = base / "firehose", base / "batches"
        self.batches.mkdir()
        self.objects: dict[str, Path] = {}
        self.number_of_messages: dict[str, int] = {}
        for number, (shape, delivery) in enumerate(DELIVERIES.items()):
            self.deliver(shape, delivery, records_of(number * 10, 60 + number), hour=9 + number)
        for path in (self.firehose / object_name(9, 50, compressed=True), self.batches / "damaged"):
            path.write_bytes(DAMAGED)
        self.kinesis = local_pipeline(
            "hl7v2_kinesis", f"s3.kinesis.path={self.firehose}", base / "kinesis_warehouse", DATABASE
        )
        self.files = local_pipeline("hl7v2_files", f"source.storage_path={self.batches}", base / "files_warehouse")
        self.kinesis.run()
        self.files.run()
        self.kinesis_tables, self.files_tables = self.kinesis.tables(), self.files.tables()

    def deliver(self, shape: str, delivery: Delivery, records: Sequence[bytes], hour: int) -> None:
        content = delivery(records)
        number = len(self.objects)
        path = self.firehose / object_name(hour, number, compressed=content.startswith(b"\x1f\x8b"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        (self.batches / shape).write_bytes(b"".join(record + b"\r" for record in records))
        self.objects[shape] = path
        self.number_of_messages[shape] = len(records) - 1

    def shape_of(self, row: dict[str, Any]) -> str:
        """The name under which a row's file is known on both sides."""
        path = Path(row["_source_file"])
        return next((shape for shape, delivered in self.objects.items() if delivered == path), path.name)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, local_pipeline: type[LocalPipeline]) -> BothPipelines:
    return BothPipelines(tmp_path_factory.mktemp("hl7v2_kinesis"), local_pipeline)


def comparable(both: BothPipelines, rows: list[dict[str, Any]], shape: str) -> Counter[str]:
    """Rows of one file, without what names it: ``_message_index`` stays."""
    return Counter(
        repr(sorted((name, value) for name, value in row.items() if name not in OF_THE_FILE))
        for row in rows
        if both.shape_of(row) == shape
    )


@pytest.mark.parametrize("shape", DELIVERIES)
def test_all_tables_are_those_of_the_file_pipeline(both: BothPipelines, shape: str) -> None:
    for table, rows in both.kinesis_tables.items():
        found = comparable(both, rows, shape)
        assert found == comparable(both, both.files_tables[table], shape), table
        assert found, table


def test_every_record_is_one_message_but_for_the_one_that_is_none(both: BothPipelines) -> None:
    found = Counter(both.shape_of(row) for row in both.kinesis_tables["raw"])
    assert found == both.number_of_messages
    others = Counter((both.shape_of(row), row["content"]) for row in both.kinesis_tables["quarantine"])
    assert {(shape, NO_MESSAGE.encode()): 1 for shape in DELIVERIES}.items() <= others.items()


def test_a_message_stands_at_its_offset_in_the_decompressed_object(both: BothPipelines) -> None:
    contents = {str(path): decompressed(path.read_bytes()) for path in both.objects.values()}
    for row in both.kinesis_tables["raw"]:
        found = contents[row["_source_file"]][row["_offset"] :]
        assert found.startswith(row["message"].encode()), both.shape_of(row)


def test_a_value_that_speaks_of_msh_starts_no_message(both: BothPipelines) -> None:
    found = [row for row in both.kinesis_tables["observations"] if row["message_control_id"] == "SPEAKS-OF-MSH"]
    assert Counter(both.shape_of(row) for row in found) == dict.fromkeys(DELIVERIES, 1)
    assert {row["value"] for row in found} == {"The segment MSH|^~\\&|LAB had no MSH-9. See MSH, and BHS too."}


def test_damaged_gzip_is_one_row_of_quarantine_with_its_bytes(both: BothPipelines) -> None:
    (row,) = [row for row in both.kinesis_tables["quarantine"] if both.shape_of(row) not in DELIVERIES]
    assert row["content"] == DAMAGED
    assert "gzip" in row["reason"]
    assert row["_source_file"] == str(both.firehose / object_name(9, 50, compressed=True))
    assert row["_file_size"] == len(DAMAGED)
    other_tables = both.kinesis_tables.keys() - {"received", "quarantine"}
    assert not [
        table for table in other_tables for row in both.kinesis_tables[table] if both.shape_of(row) not in DELIVERIES
    ]


def test_a_second_run_reads_the_new_object_and_no_other(both: BothPipelines) -> None:
    before = {table: Counter(map(repr, rows)) for table, rows in both.kinesis_tables.items()}
    both.deliver("later", run_together, records_of(100, 150), hour=23)

    report = both.kinesis.run()

    written = {dataset["name"]: dataset["rows_written"] for dataset in report["datasets"]}
    assert written["raw"] == both.number_of_messages["later"]
    for table, rows in both.kinesis.tables().items():
        new = [row for row in rows if both.shape_of(row) == "later"]
        assert len(new) == written[table], table
        assert Counter(map(repr, rows)) - Counter(map(repr, new)) == before[table], table
