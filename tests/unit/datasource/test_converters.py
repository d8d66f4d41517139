"""JSON values as Spark's types: what fits a column, and as what."""

from __future__ import annotations

import pickle
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql.pandas.types import to_arrow_schema
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
    NullType,
    ShortType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
    TimeType,
    VarcharType,
    VariantType,
    VariantVal,
)

from connector_lib.datasource.converters import compile_converter, schema_for_spark
from connector_lib.errors import ConversionError

from .conversions import array_of_one_column, one_column, values_of

UTC = timezone.utc
NAME = StructType([StructField("family", StringType()), StructField("given", ArrayType(StringType()))])


# --- simple types ---


@pytest.mark.parametrize("value", [True, "true", "T", "yes", "Y", "1", 1, 1.0, " True "])
def test_words_and_ones_are_true(value: Any) -> None:
    assert values_of(BooleanType(), value) == [True]


@pytest.mark.parametrize("value", [False, "false", "F", "no", "N", "0", 0])
def test_words_and_zeros_are_false(value: Any) -> None:
    assert values_of(BooleanType(), value) == [False]


@pytest.mark.parametrize(
    ("data_type", "least", "most"),
    [
        (ByteType(), -128, 127),
        (ShortType(), -32768, 32767),
        (IntegerType(), -(2**31), 2**31 - 1),
        (LongType(), -(2**63), 2**63 - 1),
    ],
)
def test_whole_numbers_reach_to_the_ends_of_their_type_and_no_further(
    data_type: DataType, least: int, most: int
) -> None:
    assert values_of(data_type, least, most, str(least), str(most), None) == [least, most, least, most, None]
    for beyond in (least - 1, most + 1, str(most + 1), Decimal(most + 1)):
        with pytest.raises(ConversionError, match=f"from {least} to {most}"):
            values_of(data_type, beyond)


@pytest.mark.parametrize("value", [12, 12.0, "12", " 12 ", "+12", "12.0", "1.2e1", Decimal("12.00")])
def test_a_whole_number_may_be_written_in_many_ways(value: Any) -> None:
    assert values_of(LongType(), value) == [12]


@pytest.mark.parametrize("value", [1.5, "1.5", Decimal("1.5"), "", "1_000", "0x10", "٣", float("nan"), [1], {"a": 1}])
def test_what_is_no_whole_number_is_refused(value: Any) -> None:
    with pytest.raises(ConversionError, match=r"column 'x' \(bigint\)"):
        values_of(LongType(), value)


def test_numbers_beyond_53_bits_keep_every_digit() -> None:
    numbers = [2**53 + 1, "9007199254740993", Decimal("9007199254740993"), None, 3]
    assert values_of(LongType(), *numbers) == [2**53 + 1, 2**53 + 1, 2**53 + 1, None, 3]


def test_a_whole_number_that_json_had_as_a_float_beyond_53_bits_is_refused() -> None:
    with pytest.raises(ConversionError, match="53 bits"):
        values_of(LongType(), 2.0**53 + 2)


@pytest.mark.parametrize("data_type", [FloatType(), DoubleType()])
def test_numbers_and_texts_of_numbers_are_floats(data_type: DataType) -> None:
    given = [1.5, 2, "2.5", "-1e2", Decimal("0.25"), "Infinity", None]
    assert values_of(data_type, *given) == [1.5, 2.0, 2.5, -100.0, 0.25, float("inf"), None]
    (nan,) = values_of(data_type, "NaN")
    assert nan != nan


@pytest.mark.parametrize(
    ("data_type", "value"), [(FloatType(), 1e39), (DoubleType(), "1e309"), (DoubleType(), 10**400)]
)
def test_a_number_too_large_for_a_float_is_refused_rather_than_infinite(data_type: DataType, value: Any) -> None:
    with pytest.raises(ConversionError, match="larger than the type holds"):
        values_of(data_type, value)


def test_decimals_have_the_digits_that_were_written() -> None:
    given = [0.1, "0.1", 1, Decimal("2.50"), "123456789012345678901234567890.12", None]
    expected = [Decimal(text) for text in ("0.10", "0.10", "1.00", "2.50", "123456789012345678901234567890.12")]
    assert values_of(DecimalType(38, 2), *given) == [*expected, None]


@pytest.mark.parametrize(("value", "expected"), [(2.675, "2.68"), ("0.125", "0.12"), (Decimal("0.135"), "0.14")])
def test_digits_below_the_scale_are_rounded_half_to_even(value: Any, expected: str) -> None:
    assert values_of(DecimalType(10, 2), value) == [Decimal(expected)]


@pytest.mark.parametrize("value", [1000, "999.995", 1e300, Decimal("NaN"), float("inf"), "1e999999999"])
def test_a_decimal_with_too_many_digits_is_refused(value: Any) -> None:
    with pytest.raises(ConversionError, match=r"decimal\(5,2\)"):
        values_of(DecimalType(5, 2), value)


def test_texts_stay_as_they_are() -> None:
    texts = ["", " a ", "a\0b", "\ufeffé", "😀", "\u2028", "x" * 10_000_000]
    assert values_of(StringType(), *texts) == texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (12, "12"),
        (1.5, "1.5"),
        (Decimal("1.10"), "1.10"),
        ({"code": "é", "parts": [1, None, {"a": False}]}, '{"code":"é","parts":[1,null,{"a":false}]}'),
        ([], "[]"),
        ({}, "{}"),
        ({"price": Decimal("1.10"), "list": [Decimal("1E+3")]}, '{"price":1.10,"list":[1E+3]}'),
        ({"half": "\ud800"}, '{"half":"\\ud800"}'),
        ({"half": "\ud800", "price": Decimal("1.10")}, '{"half":"\\ud800","price":1.10}'),
        (b"abc", "abc"),
        (date(2024, 5, 1), "2024-05-01"),
    ],
)
def test_what_is_no_text_becomes_its_json_text(value: Any, text: str) -> None:
    assert values_of(StringType(), value, "beside a text", None) == [text, "beside a text", None]


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb"])
def test_half_of_a_surrogate_pair_is_refused_as_text(value: str) -> None:
    with pytest.raises(ConversionError, match="surrogate"):
        values_of(StringType(), value)


@pytest.mark.parametrize("data_type", [CharType(3), VarcharType(3)])
def test_char_and_varchar_take_texts_up_to_their_length(data_type: DataType) -> None:
    assert values_of(data_type, "abc", "äöü", "", 12, None) == ["abc", "äöü", "", "12", None]
    for longer in ("abcd", 1234):
        with pytest.raises(ConversionError, match="more than 3 characters"):
            values_of(data_type, longer)


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("aGVsbG8=", b"hello"),
        ("", b""),
        ("c0ffee", b"\xc0\xff\xee"),
        ("hello!", b"hello!"),
        ("aGVsbG9=", b"aGVsbG9="),  # its last bits are lost in base64
        ("é", "é".encode()),
        ([0, 255], b"\x00\xff"),
        ([], b""),
        (b"\xff", b"\xff"),
    ],
)
def test_bytes_come_as_base64_hexadecimal_text_or_list(value: Any, content: bytes) -> None:
    assert values_of(BinaryType(), value) == [content]


@pytest.mark.parametrize("value", [12, [256], ["a"], {"a": 1}, "\ud800", True])
def test_what_holds_no_bytes_is_refused(value: Any) -> None:
    with pytest.raises(ConversionError, match=r"column 'x' \(binary\)"):
        values_of(BinaryType(), value)


# --- dates and times ---


@pytest.mark.parametrize(
    "value",
    [
        "2024-02-03",
        "20240203",
        "02/03/2024",
        "2/3/2024",
        "03-02-2024",
        "2024/02/03",
        "2024-02-03T00:00:00+05:00",
        date(2024, 2, 3),
        datetime(2024, 2, 3, tzinfo=UTC),
    ],
)
def test_dates_come_in_the_common_forms(value: Any) -> None:
    assert values_of(DateType(), value, None, "2024-02-03") == [date(2024, 2, 3), None, date(2024, 2, 3)]


@pytest.mark.parametrize(
    "value", ["2024-02-30", "2024-02", "0000-01-01", "2024-02-03T10:00:00Z", 19756, "", "13/13/2024"]
)
def test_what_is_no_day_is_refused(value: Any) -> None:
    with pytest.raises(ConversionError, match=r"column 'x' \(date\)"):
        values_of(DateType(), value)


@pytest.mark.parametrize(
    "value",
    [
        "2024-05-01T12:00:00Z",
        "2024-05-01T12:00:00",
        "2024-05-01 12:00:00",
        "2024-05-01T12:00Z",
        "2024-05-01T12:00:00.000000999Z",
        "2024-05-01T14:00:00+02:00",
        "2024-05-01T07:00:00-0500",
        "2024-05-01T14:00:00+02",
        "2024-05-01T12:00:00,000Z",
        "20240501T120000Z",
        " 2024-05-01t12:00:00z ",
        1714564800,
        1714564800.0,
        1714564800000,
        "1714564800",
        "1714564800000",
        Decimal("1714564800.000000"),
        datetime(2024, 5, 1, 12, tzinfo=UTC),
        datetime(2024, 5, 1, 12),  # noqa: DTZ001
        datetime(2024, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_an_instant_comes_as_iso_text_or_number(value: Any) -> None:
    (found,) = values_of(TimestampType(), value)
    assert found == datetime(2024, 5, 1, 12, tzinfo=UTC)


def test_texts_of_several_forms_in_one_column_are_each_read_by_their_own() -> None:
    given = ["2024-05-01T12:00:00Z", "2024-05-01", 1714564800, 1714564800000, None, "2024-05-01T12:00:00.1234567Z"]
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    midnight = datetime(2024, 5, 1, tzinfo=UTC)
    fraction = noon.replace(microsecond=123456)
    assert values_of(TimestampType(), *given) == [noon, midnight, noon, noon, None, fraction]


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("0001-01-01T00:00:00Z", -62135596800000000),
        ("9999-12-31T23:59:59.999999Z", 253402300799999999),
        (-1.5, -1500000),
        (1700000000.123456, 1700000000123456),
        (99_999_999_999, 99_999_999_999_000_000),
        (100_000_000_000, 100_000_000_000_000),
    ],
)
def test_instants_are_exact_to_the_microsecond(value: Any, micros: int) -> None:
    assert array_of_one_column(TimestampType(), value).cast(pa.int64()).to_pylist() == [micros]


@pytest.mark.parametrize(
    "value",
    [
        "2024-02-30T00:00:00Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:00:60Z",
        "2024-01-01T00:00:00+24:00",
        "0000-12-31T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "2024-01",
        "yesterday",
        "",
        True,
        10**14,
        -(10**11) + 1,
        float("nan"),
        float("inf"),
        {"at": 1},
    ],
)
def test_what_is_no_instant_is_refused(value: Any) -> None:
    with pytest.raises(ConversionError, match=r"column 'x' \(timestamp\)"):
        values_of(TimestampType(), value)


@pytest.mark.parametrize(
    "value", ["2024-05-01T12:00:00", "2024-05-01T12:00:00Z", "2024-05-01T12:00:00+00:00", 1714564800, 1714564800000]
)
def test_a_time_without_a_zone_is_the_one_on_the_clock(value: Any) -> None:
    assert values_of(TimestampNTZType(), value, None) == [datetime(2024, 5, 1, 12), None]  # noqa: DTZ001


def test_a_time_without_a_zone_does_not_drop_an_offset() -> None:
    with pytest.raises(ConversionError, match="TimestampType keeps the instant"):
        values_of(TimestampNTZType(), "2024-05-01T12:00:00+02:00")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("PT1H30M", timedelta(hours=1, minutes=30)),
        ("P1DT0.5S", timedelta(days=1, seconds=0.5)),
        ("-P2W", timedelta(weeks=-2)),
        ("1 02:03:04.5", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        (90, timedelta(seconds=90)),
        (0.5, timedelta(seconds=0.5)),
        (timedelta(microseconds=-1), timedelta(microseconds=-1)),
        (None, None),
    ],
)
def test_lengths_of_time_come_as_seconds_or_text(value: Any, expected: timedelta | None) -> None:
    assert values_of(DayTimeIntervalType(), value) == [expected]


@pytest.mark.parametrize("value", ["P1M", "PT", "P", "1h", "", True, float("inf"), 10**19, "P99999999999999999D"])
def test_what_is_no_length_of_time_is_refused(value: Any) -> None:
    with pytest.raises(ConversionError, match="interval day to second"):
        values_of(DayTimeIntervalType(), value)


def test_a_time_of_day_is_a_text() -> None:
    given = ["13:45", "23:59:59.123456", time(1, 2, 3), None]
    assert values_of(TimeType(), *given) == [time(13, 45), time(23, 59, 59, 123456), time(1, 2, 3), None]
    for wrong in ("24:00", "1:2", 5, time(1, tzinfo=UTC)):
        with pytest.raises(ConversionError, match="time"):
            values_of(TimeType(), wrong)


# --- nested types ---


def test_objects_lists_and_maps_keep_their_shape() -> None:
    record = {
        "name": [{"family": "Doe", "given": ["J", "K"]}, {"family": None, "given": []}, None],
        "period": {"start": "2024-05-01T12:00:00Z", "days": 3},
        "labels": {"a": 1, "b": None},
    }
    schema = StructType(
        [
            StructField("name", ArrayType(NAME)),
            StructField("period", StructType([StructField("start", TimestampType()), StructField("days", ByteType())])),
            StructField("labels", MapType(StringType(), IntegerType())),
        ]
    )
    empty: dict[str, Any] = {"name": None, "period": None, "labels": None}
    (first, second, third) = compile_converter(schema).to_batch([record, empty, {"labels": {}}]).to_pylist()
    assert first == {
        "name": record["name"],
        "period": {"start": datetime(2024, 5, 1, 12, tzinfo=UTC), "days": 3},
        "labels": [("a", 1), ("b", None)],
    }
    assert second == empty
    assert third == {"name": None, "period": None, "labels": []}


def test_members_that_have_no_column_are_left_out_and_missing_ones_are_null() -> None:
    assert values_of(NAME, {"family": "Doe", "use": "old"}) == [{"family": "Doe", "given": None}]


@pytest.mark.parametrize("value", [{}, [], [["family", "Doe"]], "Doe", 1])
@pytest.mark.parametrize("beside", [[], [{"family": "Doe"}], [None]])
def test_what_is_no_object_with_members_is_refused_as_an_object(value: Any, beside: list[Any]) -> None:
    simple = StructType([StructField("family", StringType()), StructField("born", DateType())])
    for data_type in (NAME, simple, StructType([StructField("inner", simple)])):
        wanted = "wanted is an object with members"
        with pytest.raises(ConversionError, match=wanted):
            values_of(data_type, *beside, value)


def test_an_object_whose_members_are_all_null_or_unknown_is_an_object() -> None:
    simple = StructType([StructField("family", StringType())])
    assert values_of(simple, {"family": None}, {"use": "old"}, None) == [{"family": None}, {"family": None}, None]


def test_a_single_value_is_a_list_of_one_where_nulls_are_allowed() -> None:
    assert values_of(ArrayType(StringType()), "abc", ["d"], "", None) == [["abc"], ["d"], [""], None]
    assert values_of(ArrayType(NAME), {"family": "Doe"}) == [[{"family": "Doe", "given": None}]]
    assert values_of(NAME, {"given": "Jane"}) == [{"family": None, "given": ["Jane"]}]
    with pytest.raises(ConversionError, match="wanted is a list"):
        values_of(ArrayType(StringType(), containsNull=False), "abc")


def test_a_tuple_is_a_list() -> None:
    assert values_of(ArrayType(StringType()), ("a", "b"), ["c"]) == [["a", "b"], ["c"]]
    assert values_of(NAME, {"given": ("a",)}) == [{"family": None, "given": ["a"]}]


def test_keys_of_a_map_have_their_type_and_are_there_once() -> None:
    assert values_of(MapType(IntegerType(), StringType()), {"1": "a", "2": {"b": 1}}) == [[(1, "a"), (2, '{"b":1}')]]
    with pytest.raises(ConversionError, match="the same key"):
        values_of(MapType(IntegerType(), StringType()), {"1": "a", "01": "b"})
    with pytest.raises(ConversionError, match="wanted is an object"):
        values_of(MapType(StringType(), StringType()), [["a", "b"]])


@pytest.mark.parametrize(
    "value", [1, "text", '{"not": "parsed"}', True, [1, None, {"a": 0.5}], {}, {"a": {"b": "é"}}, Decimal("1.10")]
)
def test_a_variant_is_the_value_as_it_is(value: Any) -> None:
    (found, nothing) = values_of(VariantType(), value, None)
    assert VariantVal(found["value"], found["metadata"]).toPython() == value
    assert nothing is None


def test_a_column_of_nothing_takes_null_alone() -> None:
    assert values_of(NullType(), None, None) == [None, None]
    with pytest.raises(ConversionError, match="no values but NULL"):
        values_of(NullType(), 1)


# --- batches ---


def test_the_schema_of_a_batch_is_the_one_that_spark_asks_for() -> None:
    schema = StructType(
        [
            StructField("id", LongType(), False, {"comment": "key"}),
            StructField("at", TimestampType()),
            StructField("local", TimestampNTZType()),
            StructField("price", DecimalType(10, 2)),
            StructField("name", ArrayType(StructType([StructField("family", StringType(), False)]), False)),
            StructField("labels", MapType(StringType(), ArrayType(DoubleType()), False)),
            StructField("extra", VariantType()),
            StructField("took", DayTimeIntervalType()),
            StructField("opens", TimeType()),
            StructField("data", BinaryType()),
        ]
    )
    record = {
        "id": 1,
        "at": "2024-05-01T12:00:00Z",
        "local": "2024-05-01T12:00:00",
        "price": 1,
        "name": [{"family": "Doe"}],
        "labels": {"a": [1]},
        "extra": {"b": 1},
        "took": 1,
        "opens": "10:00",
        "data": "c0ffee",
    }
    batch = compile_converter(schema).to_batch([record, {"id": 2}])
    expected = to_arrow_schema(schema, timezone="UTC")
    assert batch.schema.equals(expected, check_metadata=True)
    batch.validate(full=True)
    for column, field in zip(batch.columns, expected, strict=True):
        assert column.type.equals(field.type, check_metadata=True)


def test_no_records_are_a_batch_without_rows() -> None:
    schema = StructType([StructField("x", ArrayType(NAME)), StructField("y", MapType(StringType(), LongType()))])
    batch = compile_converter(schema).to_batch([])
    assert (batch.num_rows, batch.schema) == (0, to_arrow_schema(schema, timezone="UTC"))


def test_a_batch_may_have_any_number_of_records() -> None:
    records = [{"x": number} for number in range(2501)]
    batch = one_column(IntegerType()).to_batch(records)
    assert isinstance(batch, pa.RecordBatch)
    assert batch.column(0).to_pylist() == list(range(2501))


def test_a_converter_pickles() -> None:
    schema = StructType([StructField("x", ArrayType(NAME)), StructField("_rescued", StringType())])
    converter = compile_converter(schema, rescued_column="_rescued")
    again = pickle.loads(pickle.dumps(converter))
    records = [{"x": [{"family": "Doe", "use": "old"}]}]
    assert again.to_batch(records) == converter.to_batch(records)


def test_char_and_varchar_are_strings_for_spark_and_arrow() -> None:
    fields = [StructField("x", ArrayType(VarcharType(3))), StructField("y", CharType(1), False, {"comment": "flag"})]
    schema = StructType([*fields, StructField("z", MapType(VarcharType(2), StructType(fields)))])
    told = schema_for_spark(schema)
    assert told.simpleString() == ("struct<x:array<string>,y:string,z:map<string,struct<x:array<string>,y:string>>>")
    assert told["y"] == StructField("y", StringType(), False, {"comment": "flag"})
    assert compile_converter(schema).arrow_schema.equals(to_arrow_schema(told, timezone="UTC"), check_metadata=True)
