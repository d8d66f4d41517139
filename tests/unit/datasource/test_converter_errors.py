"""What a conversion that fails says: column, type, the record's place; never the value."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
    CalendarIntervalType,
    DataType,
    DateType,
    DayTimeIntervalType,
    DecimalType,
    DoubleType,
    FloatType,
    LongType,
    MapType,
    NullType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
    TimeType,
    VarcharType,
    YearMonthIntervalType,
)

from connector_lib.datasource.converters import compile_converter
from connector_lib.errors import ConversionError, SourceError

from .conversions import one_column, values_of

SECRET = "Jane Q. Patient 123-45-6789"
PERSON = StructType(
    [
        StructField("born", DateType()),
        StructField("name", ArrayType(StructType([StructField("family", VarcharType(5), False)]))),
        StructField("labels", MapType(StringType(), LongType())),
    ]
)


def message_of(data_type: DataType, *values: Any, nullable: bool = True) -> str:
    with pytest.raises(ConversionError) as caught:
        one_column(data_type, nullable=nullable).to_batch([{"x": value} for value in values])
    return caught.value.message


def test_the_error_is_a_source_error_and_a_value_error() -> None:
    with pytest.raises(ConversionError) as caught:
        values_of(LongType(), "abc")
    assert isinstance(caught.value, SourceError)
    assert isinstance(caught.value, ValueError)


def test_the_message_has_column_type_place_and_what_is_wanted() -> None:
    message = message_of(LongType(), 1, 2, "three")
    assert message == "column 'x' (bigint), record 3 of the batch: a text does not fit; wanted is a number"


def test_the_place_is_right_far_behind_in_a_large_batch() -> None:
    assert "record 2345 of the batch" in message_of(LongType(), *range(2344), "x", *range(200))


@pytest.mark.parametrize(
    ("record", "path"),
    [
        ({"born": "x"}, "'x.born' (date)"),
        ({"name": [{"family": "Doe"}, {"family": "Nightingale"}]}, "'x.name[].family' (varchar(5))"),
        ({"name": [{"family": None}]}, "'x.name[].family' (varchar(5))"),
        ({"name": [{"given": "A"}]}, "'x.name[].family' (varchar(5))"),
        ({"name": ["Doe"]}, "'x.name[]' (struct<family:varchar(5)>)"),
        ({"labels": {"a": 1, "b": "c"}}, "'x.labels{}' (bigint)"),
        ({"labels": 1}, "'x.labels' (map<string,bigint>)"),
    ],
)
def test_a_nested_value_is_named_by_its_path(record: dict[str, Any], path: str) -> None:
    assert message_of(PERSON, {"born": "2024-01-01"}, record).startswith(f"column {path}, record 2 of the batch: ")


def test_the_name_of_a_long_type_is_cut() -> None:
    wide = StructType([StructField(f"column_{number}", StringType()) for number in range(50)])
    assert len(message_of(wide, 1)) < 200


@pytest.mark.parametrize(
    "data_type",
    [
        BooleanType(),
        ByteType(),
        LongType(),
        FloatType(),
        DoubleType(),
        DecimalType(10, 2),
        VarcharType(3),
        DateType(),
        TimestampType(),
        TimestampNTZType(),
        DayTimeIntervalType(),
        TimeType(),
        NullType(),
        PERSON,
        ArrayType(LongType()),
        ArrayType(PERSON),
        MapType(StringType(), LongType()),
    ],
    ids=lambda data_type: data_type.simpleString()[:20],
)
@pytest.mark.parametrize("value", [SECRET, [SECRET], {"a": SECRET}, {SECRET: SECRET}, [{"name": SECRET}]])
def test_the_value_is_nowhere_in_an_error(data_type: DataType, value: Any) -> None:
    try:
        values_of(data_type, value)
    except ConversionError as error:
        shown = "".join(traceback.format_exception(error)) + repr(error)
        assert SECRET not in shown
        assert "123-45" not in shown
    else:  # an object with other members, or a list of one
        assert isinstance(data_type, (StructType, ArrayType))


def test_the_value_of_a_date_that_does_not_exist_is_not_shown_either() -> None:
    born = "-".join(["1987", "13", "31"])
    with pytest.raises(ConversionError) as caught:
        values_of(DateType(), born)
    assert born not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("record", [{}, {"x": None}])
def test_a_missing_value_of_a_column_that_must_have_one_is_an_error(record: dict[str, Any]) -> None:
    schema = StructType([StructField("y", LongType()), StructField("x", LongType(), False)])
    with pytest.raises(ConversionError, match=r"column 'x' \(bigint\), record 2 of the batch: no value"):
        compile_converter(schema).to_batch([{"x": 1}, {"y": 1, **record}])


def test_null_in_a_list_or_map_that_must_not_hold_one_is_an_error() -> None:
    for element in (LongType(), PERSON):
        with pytest.raises(ConversionError, match="null in a list"):
            values_of(ArrayType(element, containsNull=False), [None])
    with pytest.raises(ConversionError, match="null in a map"):
        values_of(MapType(StringType(), LongType(), valueContainsNull=False), {"a": None})


def test_a_null_object_does_not_need_its_required_members() -> None:
    required = StructType([StructField("id", LongType(), False), StructField("at", TimestampType(), False)])
    nested = StructType([StructField("inner", required)])
    assert values_of(nested, None, {"inner": None}) == [None, {"inner": None}]
    for data_type, value in ((required, {"id": 1}), (nested, {"inner": {"id": 1}})):
        with pytest.raises(ConversionError, match="must have one"):
            values_of(data_type, None, value)


@pytest.mark.parametrize("record", [[], "x", None, 1, {}])
def test_a_record_that_is_no_object_with_members_is_refused(record: Any) -> None:
    with pytest.raises(ConversionError, match="record 2 of the batch is"):
        one_column(LongType()).to_batch([{"x": 1}, record])


@pytest.mark.parametrize("data_type", [YearMonthIntervalType(), CalendarIntervalType()])
def test_types_that_arrow_or_json_do_not_have_are_refused_by_name(data_type: DataType) -> None:
    schema = StructType([StructField("a", ArrayType(StructType([StructField("b", data_type)])))])
    with pytest.raises(ConversionError, match=r"column 'a\[\]\.b': the type interval"):
        compile_converter(schema)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (StructType([]), "the schema has no columns"),
        (StructType([StructField("a", StructType([]))]), "column 'a' has no columns"),
        (StructType([StructField("a", LongType()), StructField("a", LongType())]), "two columns of the name 'a'"),
    ],
)
def test_schemas_that_cannot_be_filled_are_refused(schema: StructType, words: str) -> None:
    with pytest.raises(ConversionError, match=words):
        compile_converter(schema)


def test_bytes_in_a_text_column_that_are_no_text_are_refused() -> None:
    with pytest.raises(ConversionError, match="binary column"):
        values_of(StringType(), b"\xff")
    assert values_of(BinaryType(), b"\xff") == [b"\xff"]


def test_a_value_without_json_text_is_refused() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    for value in ({"a": float("nan")}, nested, {"a": object()}):
        with pytest.raises(ConversionError, match=r"column 'x' \(string\)"):
            values_of(StringType(), value)
