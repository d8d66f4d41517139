"""The tables of HL7 v2 messages as functions, on real Spark."""

from __future__ import annotations

import datetime
import gzip
import importlib.util
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from connector_lib.tables import hl7v2

pytestmark = pytest.mark.spark

HEADER = r"MSH|^~\&|LAB|GHH|EHR|GHH|20260102030405||{}|{}|P|2.5"
PATIENT = "PID|1||12^^^GHH^MR||DOE&von&DOE^JANE||19800229|F"
BATCH = "\r".join(
    [
        "not a message",
        r"BHS|^~\&|LAB",
        HEADER.format("ORU^R01", "1"),
        PATIENT,
        "ORC|RE|P1|F1",
        "OBR|1|P1|F1|CBC^Blood count^L",
        "OBX|1|NM|HGB^Hemoglobin^L||13.5|g/dL||N|||F|||20260102",
        "NTE|1||checked twice",
        "OBX|2|DT|DAY^Day^L||20260103||||||F",
        "OBX|3|NM|BAD^Bad^L||about 7||||||F",
        HEADER.format("ADT^A01", "2"),
        PATIENT,
        "PV1|1|I|2000^2012^01||||||||||||||||V7|||||||||||||||||||||||||20260101",
        HEADER.format("", "3"),
        "BTS|9",
    ]
)


CONTENTS = "_place struct<_source_file: string>, _about struct<_file_size: long>, content binary, problem string"


def files(spark: SparkSession, *contents: bytes | None) -> DataFrame:
    rows = [
        (
            (f"/in/{n}.hl7",),
            (len(content or b""),),
            content and bytearray(content),
            None if content is not None else "gone",
        )
        for n, content in enumerate(contents)
    ]
    return spark.createDataFrame(rows, CONTENTS)


def plain(value: Any) -> Any:
    if isinstance(value, Row):
        return {name: plain(part) for name, part in value.asDict().items()}
    if isinstance(value, bytearray):
        return bytes(value)
    return [plain(part) for part in value] if isinstance(value, list) else value


def at(*parts: int) -> datetime.datetime:
    """A time as Spark's Python side gives it: in the session's zone (UTC here), and without one."""
    return datetime.datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001


def rows_of(frame: DataFrame) -> list[dict[str, Any]]:
    rows = [plain(row) for row in frame.collect()]
    for row in rows:
        row.pop("_ingest_timestamp", None)
    return sorted(rows, key=_place_in)


def _place_in(row: dict[str, Any]) -> tuple[str, bool, int]:
    file = row["_source_file"] if "_source_file" in row else row["_place"]["_source_file"]
    return file, row["_message_index"] is None, row["_message_index"] or 0


@pytest.fixture
def received(spark: SparkSession) -> DataFrame:
    return hl7v2.received(files(spark, BATCH.encode()))


@pytest.mark.parametrize("flavour", ["udf with Arrow", "plain udf"])
def test_received_is_the_same_however_pyspark_runs_a_udf(
    spark: SparkSession, flavour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = (BATCH.encode(), b"\x00\x01binary", b"", None, BATCH.replace("Bad", "Bäd").encode("latin-1"))
    expected = rows_of(hl7v2.received(files(spark, *contents)))
    monkeypatch.delattr(F, "arrow_udf")
    if flavour == "plain udf":
        find_spec = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *more: None if name == "pyarrow" else find_spec(name, *more)
        )
    assert rows_of(hl7v2.received(files(spark, *contents))) == expected
    assert len(expected) == 5 + 1 + 0 + 1 + 5


def test_each_message_is_in_raw_and_everything_else_in_quarantine(received: DataFrame) -> None:
    assert [row["_message_index"] for row in rows_of(hl7v2.raw(received))] == [1, 2, 3]
    [junk] = rows_of(hl7v2.quarantine(received))
    assert (junk["_message_index"], junk["content"]) == (0, b"not a message")
    assert "MSH" in junk["reason"]


def test_what_has_no_content_is_in_quarantine_with_the_reason_of_its_source(spark: SparkSession) -> None:
    [row] = rows_of(hl7v2.quarantine(hl7v2.received(files(spark, None))))
    assert (row["_source_file"], row["_message_index"], row["content"], row["reason"]) == ("/in/0.hl7", 0, None, "gone")


def test_raw_and_quarantine_carry_what_else_is_known_of_the_source(spark: SparkSession, received: DataFrame) -> None:
    assert {row["_file_size"] for row in rows_of(hl7v2.raw(received))} == {len(BATCH)}
    assert {row["_file_size"] for row in rows_of(hl7v2.quarantine(received))} == {len(BATCH)}
    assert "_file_size" not in hl7v2.fields(received).columns


def test_compressed_and_run_together_messages_give_the_rows_of_plain_ones(spark: SparkSession) -> None:
    messages = [HEADER.format("ADT^A01", n) + "\r" + PATIENT for n in range(3)]
    plain_rows = rows_of(hl7v2.raw(hl7v2.received(files(spark, "\n".join(messages).encode()))))
    together = gzip.compress("".join(messages[:2]).encode()) + gzip.compress(messages[2].encode())
    rows = rows_of(hl7v2.raw(hl7v2.received(files(spark, together), run_together=True)))
    compared = ("message", "message_control_id", "_message_index")
    assert [[row[name] for name in compared] for row in rows] == [
        [row[name] for name in compared] for row in plain_rows
    ]


def test_there_is_a_table_for_each_function_but_received() -> None:
    assert [table.query for table in hl7v2.TABLES] == [getattr(hl7v2, table.name) for table in hl7v2.TABLES]
    functions = {name for name in hl7v2.__all__ if name.islower()}
    assert {table.name for table in hl7v2.TABLES} == functions - {"received"}


def test_a_message_whose_json_is_too_long_for_from_json_is_in_quarantine_whole(spark: SparkSession) -> None:
    long = f"{HEADER.format('ORU^R01', '1')}\rOBX|1|TX|A||{'x' * 10_000_001}".encode()
    received = hl7v2.received(files(spark, long + b"\r" + BATCH.encode()))
    rows = {row["_message_index"]: row for row in rows_of(hl7v2.quarantine(received))}
    assert rows[0]["content"] == long + b"\rnot a message"
    assert "observations" in rows[0]["reason"]
    assert [row["_message_index"] for row in rows_of(hl7v2.raw(received))] == [1, 2, 3]


def test_findings_name_position_and_rule_and_no_value(received: DataFrame) -> None:
    rows = rows_of(hl7v2.findings(received))
    by_place = {(row["_message_index"], row["position"]): row for row in rows}
    assert by_place[1, "OBX[3]-5"]["severity"] == "error"
    assert by_place[None, "BTS-1"]["severity"] == "error"
    assert by_place[3, "MSH-9"]["severity"] == "error"
    assert not [row for row in rows if "about 7" in repr(row) or "DOE" in repr(row)]


def test_a_message_without_a_type_is_in_other_messages(received: DataFrame) -> None:
    assert [row["_message_index"] for row in rows_of(hl7v2.other_messages(received))] == [3]


def test_observations_are_typed_and_know_their_order_and_notes(received: DataFrame) -> None:
    rows = rows_of(hl7v2.observations(received))
    assert [row["value"] for row in rows] == ["13.5", "20260103", "about 7"]
    assert [row["value_number"] for row in rows] == [13.5, None, None]
    assert rows[1]["value_time"] == at(2026, 1, 3)
    assert rows[0]["observed_time"] == at(2026, 1, 2)
    assert [row["notes"] for row in rows] == [["checked twice"], None, None]
    assert {(row["placer_order_number"], row["order_code"], row["patient_id"]) for row in rows} == {("P1", "CBC", "12")}


def test_a_structured_number_is_a_number_only_when_it_is_nothing_besides(spark: SparkSession) -> None:
    values = ["^7.5", "=^8", "^9^^", ">^100", "^1^:^128", "^1^-^2", "7", "^x", ""]
    segments = [f"OBX|{n}|SN|A||{value}" for n, value in enumerate(values, 1)]
    message = "\r".join([HEADER.format("ORU^R01", "1"), PATIENT, "OBR|1", *segments])
    rows = rows_of(hl7v2.observations(hl7v2.received(files(spark, message.encode()))))
    assert [row["value_number"] for row in rows] == [7.5, 8, 9, None, None, None, None, None, None]


def test_an_adt_message_is_one_typed_row(received: DataFrame) -> None:
    [row] = rows_of(hl7v2.adt(received))
    assert row["birth_date"] == datetime.date(1980, 2, 29)
    assert row["admit_time"] == at(2026, 1, 1)
    assert row["family_name"] == "DOE"
    assert row["patient_name"] == "DOE&von&DOE^JANE"
    assert (row["patient_class"], row["visit_number"]) == ("I", "V7")
    assert [identifier["id"] for identifier in row["patient_identifiers"]] == ["12"]


def test_fields_holds_what_no_column_has(received: DataFrame) -> None:
    rows = rows_of(hl7v2.fields(received))
    found = [row["value"] for row in rows if (row["segment"], row["field"], row["subcomponent"]) == ("PID", 5, 2)]
    assert found == ["von", "von"]


def test_an_order_message_without_orders_keeps_a_row(spark: SparkSession) -> None:
    received = hl7v2.received(files(spark, f"{HEADER.format('ORM^O01', '1')}\r{PATIENT}".encode()))
    [row] = rows_of(hl7v2.orders(received))
    assert (row["message_control_id"], row["order_control"], row["patient_id"]) == ("1", None, "12")


def test_a_row_is_about_the_patient_that_its_segment_stands_behind(spark: SparkSession) -> None:
    lines = [HEADER.format("ORU^R01", "1"), "PID|1||7||DOE^JANE", "OBR|1|||A", "OBX|1|NM|A||1"]
    lines += ["PID|2||8||ROE^RAY", "OBR|1|||B", "OBX|1|NM|B||2"]
    received = hl7v2.received(files(spark, "\r".join(lines).encode()))
    assert [(row["value"], row["patient_id"]) for row in rows_of(hl7v2.observations(received))] == [
        ("1", "7"),
        ("2", "8"),
    ]
    assert [(row["code"], row["patient_name"]) for row in rows_of(hl7v2.reports(received))] == [
        ("A", "DOE^JANE"),
        ("B", "ROE^RAY"),
    ]


def test_a_time_without_a_zone_has_the_zone_of_the_message(spark: SparkSession) -> None:
    text = BATCH.replace("20260102030405|", "20260102030405+0200|").replace("|||20260102\r", "|||20260102101010\r")
    received = hl7v2.received(files(spark, text.encode()))
    rows = rows_of(hl7v2.observations(received))
    assert rows[0]["message_time"] == at(2026, 1, 2, 1, 4, 5)
    assert rows[0]["observed_time"] == at(2026, 1, 2, 8, 10, 10)


def test_a_small_message_that_grows_too_long_is_in_quarantine_whole(spark: SparkSession) -> None:
    lines = [HEADER.format("ORU^R01", "1"), f"OBR|1|{'p' * 10_000}||CBC", *["OBX|1|NM|A||1"] * 2_500]
    content = "\r".join(lines).encode()
    [row] = rows_of(hl7v2.quarantine(hl7v2.received(files(spark, content))))
    assert row["content"] == content


def test_a_file_that_holds_no_message_is_a_finding(spark: SparkSession) -> None:
    received = hl7v2.received(files(spark, b" \r\n\r\n", b"BHS|^~\\&|LAB\rBTS|0\r"))
    rows = rows_of(hl7v2.findings(received))
    assert [(row["_source_file"], row["code"]) for row in rows] == [
        ("/in/0.hl7", "no-message"),
        ("/in/1.hl7", "no-message"),
    ]
