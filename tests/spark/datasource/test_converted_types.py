"""What the converter makes of JSON values arrives in Spark, of every type."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    CharType,
    DataType,
    DateType,
    DayTimeIntervalType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
    VarcharType,
    VariantType,
)

from connector_lib.datasource.converters import Converter, compile_converter, schema_for_spark

pytestmark = pytest.mark.spark

PERSON = StructType([StructField("family", StringType(), False), StructField("given", ArrayType(StringType(), False))])
COLUMNS: list[tuple[str, DataType, Any, Any]] = [
    ("active", BooleanType(), "yes", True),
    ("tiny", ByteType(), 7, 7),
    ("small", ShortType(), "8", 8),
    ("middle", IntegerType(), 9.0, 9),
    ("large", LongType(), 2**62 + 1, 2**62 + 1),
    ("single", FloatType(), 0.5, 0.5),
    ("double", DoubleType(), "0.1", 0.1),
    ("price", DecimalType(20, 4), "1.5", Decimal("1.5000")),
    ("text", StringType(), {"code": "é"}, '{"code":"é"}'),
    ("data", BinaryType(), "c0ffee", bytearray(b"\xc0\xff\xee")),
    ("day", DateType(), "02/29/2024", date(2024, 2, 29)),
    ("at", TimestampType(), "2024-05-01T14:00:00.123456789+02:00", datetime(2024, 5, 1, 12, 0, 0, 123456)),  # noqa: DTZ001
    ("local", TimestampNTZType(), "2024-05-01 12:00", datetime(2024, 5, 1, 12)),  # noqa: DTZ001
    ("took", DayTimeIntervalType(), "P1DT2H", timedelta(days=1, hours=2)),
    ("names", ArrayType(PERSON), [{"family": "Doe", "given": ["Jane"]}, None], [("Doe", ["Jane"]), None]),
    ("labels", MapType(StringType(), IntegerType()), {"a": 1, "b": None}, {"a": 1, "b": None}),
    ("person", PERSON, {"family": "Doe"}, ("Doe", None)),
    ("extra", VariantType(), {"a": [1, "x", None]}, {"a": [1, "x", None]}),
]
SCHEMA = StructType([StructField(name, data_type) for name, data_type, _, _ in COLUMNS])


def rows_of(spark: SparkSession, schema: StructType, *records: dict[str, Any]) -> list[Any]:
    """The records, converted in a worker of Spark's, as a batch source gives them."""
    converter = compile_converter(schema)

    class Reader(DataSourceReader):
        def __init__(self, converter: Converter) -> None:
            self.converter = converter

        def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
            yield self.converter.to_batch(records)

    class Converted(DataSource):
        @classmethod
        def name(cls) -> str:
            return "converted"

        def schema(self) -> StructType:
            return schema_for_spark(schema)

        def reader(self, schema: StructType) -> DataSourceReader:
            return Reader(converter)

    spark.dataSource.register(Converted)
    return spark.read.format("converted").load().collect()


def test_values_of_every_type_arrive(spark: SparkSession) -> None:
    full, empty = rows_of(spark, SCHEMA, {name: value for name, _, value, _ in COLUMNS}, {"tiny": None})
    found = {name: getattr(full[name], "toPython", lambda name=name: full[name])() for name in SCHEMA.names}
    assert found == {name: expected for name, _, _, expected in COLUMNS}
    assert set(empty) == {None}


def test_char_and_varchar_arrive_as_they_are(spark: SparkSession) -> None:
    schema = StructType([StructField("x", VarcharType(3)), StructField("y", CharType(2), False)])
    assert rows_of(spark, schema, {"x": "abc", "y": "d"}) == [("abc", "d")]
