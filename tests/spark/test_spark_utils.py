"""The Spark door: UDFs over the parser and column helpers, on real Spark."""

from __future__ import annotations

import datetime
import importlib.util
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from connector_lib import get_schema, parse, parse_message, split_batch
from connector_lib.errors import UsageError
from connector_lib.formats.hl7v2.record_types import NESTED
from connector_lib.formats.hl7v2.records import nested_records
from connector_lib.spark_utils import (
    get_fields_udf,
    get_parse_udf,
    get_split_udf,
    hl7_date,
    hl7_number,
    hl7_timestamp,
    nested,
)

pytestmark = pytest.mark.spark

ORU = "\r".join(
    [
        r"MSH|^~\&|LAB|GHH|EHR|GHH|20260102030405+0100||ORU^R01|77|P|2.5",
        "PID|1||12^^^GHH^MR~34^^^XYZ^PI||DOE^JANE||19800229|F",
        "ORC|RE|P1|F1",
        "OBR|1|P1|F1|CBC^Blood count^L",
        "OBX|1|NM|HGB^Hemoglobin^L||13.5|g/dL||N|||F",
        r"NTE|1||first \T\ second",
        'OBX|2|ST|TXT^Text^L||one~""~three||||||F',
        "ZLR|1|local^value",
    ]
)
ADT = "MSH|^~\\&|ADT\rPID|1||7||GRÜN^ÖZIL"


@pytest.fixture(params=["arrow_udf", "udf with Arrow", "plain udf"])
def udf_flavour(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to run a UDF; the older ways are those of pyspark before 4.1, and of a machine without pyarrow."""
    if request.param != "arrow_udf":
        monkeypatch.delattr(F, "arrow_udf", raising=False)
    if request.param == "plain udf":
        find_spec = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *more: None if name == "pyarrow" else find_spec(name, *more)
        )
    return str(request.param)


def test_the_parse_udf_gives_what_parse_message_gives(spark: SparkSession, udf_flavour: str) -> None:
    messages = spark.createDataFrame([(0, ORU), (1, ADT), (2, None)], "n int, message string")
    rows = messages.select(get_parse_udf()("message").alias("parsed")).orderBy("n").collect()
    assert [row.parsed for row in rows] == [parse_message(ORU), parse_message(ADT), None]


def test_a_text_that_is_no_message_gives_its_reason_and_costs_no_other_row(
    spark: SparkSession, udf_flavour: str
) -> None:
    messages = spark.createDataFrame([(0, "hello"), (1, ADT), (2, "")], "n int, message string")
    rows = messages.select(get_parse_udf()("message").alias("parsed")).orderBy("n").collect()
    assert list(rows[0].parsed) == ["parse_error"]
    assert rows[1].parsed["patient_id"] == "7"
    assert list(rows[2].parsed) == ["parse_error"]


def test_the_parse_udf_reads_bytes_by_the_charset_rule(spark: SparkSession, udf_flavour: str) -> None:
    latin = "MSH|^~\\&|ADT|||||||||2.5||||||8859/1\rPID|1||7||GRÜN".encode("latin-1")
    messages = spark.createDataFrame([(bytearray(latin),)], "message binary")
    assert messages.select(get_parse_udf()("message").alias("parsed")).collect()[0].parsed["patient_name"] == "GRÜN"


def test_the_split_udf_gives_what_split_batch_gives(spark: SparkSession, udf_flavour: str) -> None:
    batch = f"junk\rFHS|^~\\&\rBHS|^~\\&\r{ORU}\r{ADT}\rBTS|2\rFTS|1\r"
    contents = [batch.encode(), batch.encode("latin-1"), b"", None]
    files = spark.createDataFrame(
        [(n, content and bytearray(content)) for n, content in enumerate(contents)], "n int, c binary"
    )
    rows = files.select(get_split_udf()("c").alias("messages")).orderBy("n").collect()
    assert [row.messages for row in rows] == [None if content is None else split_batch(content) for content in contents]
    assert rows[0].messages == ["junk", ORU, ADT]


def test_the_split_udf_takes_text_too(spark: SparkSession, udf_flavour: str) -> None:
    files = spark.createDataFrame([(f"{ADT}\r{ADT}",)], "c string")
    assert files.select(get_split_udf()("c").alias("messages")).collect()[0].messages == [ADT, ADT]


def test_the_fields_udf_gives_what_walk_gives(spark: SparkSession, udf_flavour: str) -> None:
    messages = spark.createDataFrame([(0, ORU), (1, "no message"), (2, None)], "n int, message string")
    rows = messages.select(get_fields_udf()("message").alias("fields")).orderBy("n").collect()
    assert [tuple(value) for value in rows[0].fields] == [tuple(value) for value in parse(ORU).walk()]
    assert rows[1].fields == []
    assert rows[2].fields == []


@pytest.mark.parametrize("name", sorted(NESTED))
def test_every_nested_name_has_a_schema_that_a_query_can_use(spark: SparkSession, name: str) -> None:
    assert spark.range(1).select(nested(F.lit("[]"), name).alias("value")).collect()[0].value == []
    assert get_schema(name).simpleString().startswith("array<struct<")


def test_an_unknown_nested_name_is_an_error_that_lists_the_names() -> None:
    with pytest.raises(UsageError, match=r"(?s)'observation'.*observations"):
        get_schema("observation")


def _as_spark_gives_it(name: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records with every column of the schema, absent ones None: the same thing by contract."""
    record_type = NESTED[name]
    columns = (*record_type.names, *record_type.lists, *record_type.parts)
    return [
        {
            column: [{part: element.get(part) for part in record_type.parts[column]} for element in record[column]]
            if column in record_type.parts and column in record
            else record.get(column)
            for column in columns
        }
        for record in records
    ]


def _from_spark(value: Any) -> Any:
    if isinstance(value, Row):
        return {name: _from_spark(member) for name, member in value.asDict().items()}
    return [_from_spark(member) for member in value] if isinstance(value, list) else value


VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n|"), max_size=12)
NAMES = [
    *("PID", "NK1", "DG1", "AL1", "IAM", "IN1", "IN2", "ORC", "OBR", "OBX", "NTE", "RXA", "RXR", "AIS", "RGS", "TXA"),
    *("FT1", "PR1", "SPM", "ZZ1"),
]
SEGMENTS = st.tuples(st.sampled_from(NAMES), st.lists(VALUES, max_size=24)).map(
    lambda segment: "|".join((segment[0], *segment[1]))
)
MESSAGES = st.lists(SEGMENTS, max_size=12).map(lambda segments: "\r".join(["MSH|^~\\&|A", *segments]))


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(messages=st.lists(MESSAGES, min_size=60, max_size=60))
def test_any_nested_value_survives_the_way_through_json_and_from_json(spark: SparkSession, messages: list[str]) -> None:
    frame = spark.createDataFrame(list(enumerate(messages)), "n int, message string")
    parsed = frame.select("n", get_parse_udf()("message").alias("parsed"))
    columns = [nested(F.col("parsed")[name], name).alias(name) for name in NESTED]
    rows = parsed.select("n", *columns).orderBy("n").collect()
    for message, row in zip(messages, rows, strict=True):
        expected = nested_records(parse(message))
        for name in NESTED:
            given_back = row[name]
            if name not in expected:
                assert given_back is None
            else:
                assert _from_spark(given_back) == _as_spark_gives_it(name, expected[name])


def test_json_that_the_parser_writes_is_json(spark: SparkSession) -> None:
    record = parse_message(ORU)
    assert json.loads(record["observations"])[1]["values"] == ["one", '""', "three"]


def _column_of(spark: SparkSession, helper: Callable[[str], Any], values: list[str | None]) -> list[Any]:
    frame = spark.createDataFrame(list(enumerate(values)), "n int, v string")
    return [row.v for row in frame.select("n", helper("v").alias("v")).orderBy("n").collect()]


UTC = datetime.timezone.utc


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026", "2026-01-01 00:00:00"),
        ("202603", "2026-03-01 00:00:00"),
        ("20260304", "2026-03-04 00:00:00"),
        ("2026030405", "2026-03-04 05:00:00"),
        ("202603040506", "2026-03-04 05:06:00"),
        ("20260304050607", "2026-03-04 05:06:07"),
        ("20260304050607.8", "2026-03-04 05:06:07.8"),
        ("20260304050607.891234", "2026-03-04 05:06:07.891234"),
        ("20260304050607+0100", "2026-03-04 04:06:07"),
        ("202603040506-0530", "2026-03-04 10:36:00"),
        (" 20260304 ", "2026-03-04 00:00:00"),
        ("20260230", None),
        ("20261304", None),
        ("2026030425", None),
        ("202", None),
        ("2026-03-04", None),
        ("yesterday", None),
        ('""', None),
        ("", None),
        (None, None),
    ],
)
def test_an_hl7_time_stamp_becomes_a_timestamp_or_null(
    spark: SparkSession, text: str | None, expected: str | None
) -> None:
    frame = spark.createDataFrame([(text,)], "v string")
    zone = spark.conf.get("spark.sql.session.timeZone")
    assert zone == "UTC"
    assert frame.select(hl7_timestamp("v").cast("string").alias("v")).collect()[0].v == expected


def test_an_hl7_date_is_the_day_as_it_was_written(spark: SparkSession) -> None:
    values = ["1980", "19800229", "20260304235959-1200", "19810229", "x", None]
    day = datetime.date
    assert _column_of(spark, hl7_date, values) == [day(1980, 1, 1), day(1980, 2, 29), day(2026, 3, 4), None, None, None]


def test_an_hl7_number_becomes_a_double_or_null(spark: SparkSession) -> None:
    values = ["1", "-1.50", "+.5", "7.", " 8 ", "1e5", "1,5", "<5", '""', "", "NaN", "1 2", None, "9" * 400]
    expected = [1.0, -1.5, 0.5, 7.0, 8.0, None, None, None, None, None, None, None, None, None]
    assert _column_of(spark, hl7_number, values) == expected
