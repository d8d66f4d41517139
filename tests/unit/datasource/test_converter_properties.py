"""Every way of reading a column gives the same, and the same as pyspark's own conversion where that has an answer."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.conversion import LocalDataToArrowConversion
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    ByteType,
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
)

from connector_lib.datasource.converters import compile_converter
from connector_lib.datasource.converters_values import json_text
from connector_lib.errors import ConversionError

UTC = timezone.utc
NOON = datetime(2024, 5, 1, 12)  # noqa: DTZ001

ONE_BY_ONE: dict[DataType, Any] = {
    BooleanType(): "yes",
    ByteType(): "1",
    ShortType(): "1",
    IntegerType(): "1",
    LongType(): "1",
    FloatType(): Decimal(1),
    DoubleType(): Decimal(1),
    DecimalType(12, 3): True,
    StringType(): 1,
    VarcharType(8): 1,
    DateType(): date(2024, 5, 1),
    TimestampType(): NOON,
    TimestampNTZType(): NOON,
}
"""Type → a value that Arrow does not read, so that all beside it are read one by one."""

instants = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat())
digits = st.text("0123456789", min_size=1, max_size=21)
like_numbers = st.from_regex(r"[+-]?[0-9]{0,20}(\.[0-9]{0,8})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
like_times = st.from_regex(
    r"(0000|0001|1969|2024|9999)-(0[0-9]|1[0-3])-([0-2][0-9]|3[0-2])"
    r"([T ]([01][0-9]|2[0-5])(:[0-6][0-9](:[0-6][0-9](\.[0-9]{0,11})?)?)?(Z|[+-][0-2][0-9](:?[0-6][0-9])?)?)?",
    fullmatch=True,
)
plain_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**60), 2**60).map(float),
    st.text(max_size=10),
    like_numbers,
    like_times,
    instants,
    digits,
    st.sampled_from(["", "nan", "inf", "-Infinity", "true", "0x1f", "1_0", "2024-05-01", "1.", ".5", "\ud800", "\0"]),
)
scalars = plain_scalars | st.floats() | st.decimals(allow_nan=False, allow_infinity=False)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["a", "b", "c", "1", "01"])
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=6,
    )


json_values = nested(scalars)
plain_json_values = nested(plain_scalars)
"""Without what JSON has no text for, and without decimals, which it gives back as floats."""

NESTED = [
    StructType([StructField("a", LongType()), StructField("b", StringType(), False)]),
    StructType([StructField("a", StructType([StructField("b", DoubleType())])), StructField("c", TimestampType())]),
    ArrayType(StringType()),
    ArrayType(LongType(), False),
    ArrayType(StructType([StructField("a", ArrayType(StringType())), StructField("b", DateType(), False)])),
    MapType(StringType(), LongType(), False),
    MapType(LongType(), ArrayType(BooleanType())),
    ArrayType(ArrayType(DecimalType(9, 2))),
]


def outcome(data_type: DataType, *values: Any) -> pa.Array | None:
    """The column; None where a value does not fit."""
    schema = StructType([StructField("x", data_type)])
    try:
        return compile_converter(schema).to_batch([{"x": value} for value in values]).column(0)
    except ConversionError:
        return None


def same(one: pa.Array | None, other: pa.Array | None) -> bool:
    if one is None or other is None:
        return one is other
    return str(one.to_pylist()) == str(other.to_pylist())


@pytest.mark.parametrize("data_type", list(ONE_BY_ONE), ids=lambda data_type: data_type.simpleString())
@settings(max_examples=40, deadline=None)
@given(values=st.lists(scalars, min_size=1, max_size=3))
def test_a_value_reads_the_same_whatever_is_beside_it(data_type: DataType, values: list[Any]) -> None:
    together = outcome(data_type, *values)
    one_by_one = outcome(data_type, *values, ONE_BY_ONE[data_type])
    each = [outcome(data_type, value) for value in values]
    assert (together is None) == any(one is None for one in each) == (one_by_one is None)
    if together is not None and one_by_one is not None:
        assert same(together, one_by_one[: len(values)])
        assert same(together, pa.concat_arrays([one for one in each if one is not None]))


@pytest.mark.parametrize("data_type", NESTED, ids=lambda data_type: data_type.simpleString())
@settings(max_examples=40, deadline=None)
@given(values=st.lists(json_values, min_size=1, max_size=4))
def test_nested_values_read_the_same_together_as_alone(data_type: DataType, values: list[Any]) -> None:
    together = outcome(data_type, *values)
    each = [outcome(data_type, value) for value in values]
    assert (together is None) == any(one is None for one in each)
    if together is not None:
        together.validate(full=True)
        assert same(together, pa.concat_arrays([one for one in each if one is not None]))


@pytest.mark.parametrize("data_type", [*ONE_BY_ONE, *NESTED], ids=lambda data_type: data_type.simpleString())
@settings(max_examples=15, deadline=None)
@given(values=st.lists(plain_json_values, min_size=1, max_size=4))
def test_with_a_column_for_it_every_json_value_is_kept(data_type: DataType, values: list[Any]) -> None:
    schema = StructType([StructField("x", data_type), StructField("rescued", StringType())])
    converter = compile_converter(schema, rescued_column="rescued")
    rows = converter.to_batch([{"x": value, "seen": 1} for value in values]).to_pylist()
    for value, row in zip(values, rows, strict=True):
        kept = json.loads(row["rescued"])
        assert kept["seen"] == 1
        if value is not None and outcome(data_type, value) is None:
            assert row["x"] is None
            assert kept["x"] == value
        else:
            assert (row["x"] is None) == (value is None)


@settings(max_examples=100, deadline=None)
@given(value=plain_json_values)
def test_the_json_text_of_a_value_gives_it_back(value: Any) -> None:
    text = json_text(value)
    text.encode()
    assert json.loads(text) == value


# --- beside pyspark's own conversion ---


def field_values(data_type: DataType) -> st.SearchStrategy[Any]:
    """Values that both conversions define."""
    if isinstance(data_type, ArrayType):
        element = field_values(data_type.elementType)
        return st.lists(st.none() | element if data_type.containsNull else element, max_size=4)
    if isinstance(data_type, MapType):
        item = field_values(data_type.valueType)
        item = st.none() | item if data_type.valueContainsNull else item
        return st.dictionaries(st.text(max_size=3), item, max_size=3)
    if isinstance(data_type, StructType):
        return records_of(data_type)
    return SIMPLE_VALUES[type(data_type)]


def records_of(schema: StructType) -> st.SearchStrategy[dict[str, Any]]:
    members = {
        field.name: st.none() | field_values(field.dataType) if field.nullable else field_values(field.dataType)
        for field in schema.fields
    }
    return st.fixed_dictionaries(members)


SIMPLE_VALUES: dict[type[DataType], st.SearchStrategy[Any]] = {
    BooleanType: st.booleans(),
    ByteType: st.integers(-128, 127),
    ShortType: st.integers(-(2**15), 2**15 - 1),
    IntegerType: st.integers(-(2**31), 2**31 - 1),
    LongType: st.integers(-(2**63), 2**63 - 1),
    FloatType: st.floats(width=32, allow_nan=False),
    DoubleType: st.floats(allow_nan=False),
    DecimalType: st.decimals(-(10**7), 10**7, allow_nan=False, places=6),
    StringType: st.text(st.characters(codec="utf-8"), max_size=8) | st.booleans() | st.integers(),
    BinaryType: st.binary(max_size=8),
    DateType: st.dates(),
    TimestampType: st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
    TimestampNTZType: st.datetimes(),
    DayTimeIntervalType: st.timedeltas(timedelta(-(10**6)), timedelta(10**6)),
}
SIMPLE_TYPES = [DecimalType(12, 3) if kind is DecimalType else kind() for kind in SIMPLE_VALUES]

nullable = st.booleans()


def structs(inner: st.SearchStrategy[DataType]) -> st.SearchStrategy[StructType]:
    members = st.lists(st.tuples(inner, nullable), min_size=1, max_size=4)
    return members.map(
        lambda fields: StructType([StructField(f"f{place}", *field) for place, field in enumerate(fields)])
    )


types = st.recursive(
    st.sampled_from(SIMPLE_TYPES),
    lambda inner: st.one_of(
        st.builds(ArrayType, inner, nullable),
        st.builds(MapType, st.just(StringType()), inner, nullable),
        structs(inner),
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), schema=structs(types))
def test_python_values_become_what_pyspark_makes_of_them(data: st.DataObject, schema: StructType) -> None:
    records = data.draw(st.lists(records_of(schema), min_size=1, max_size=5))
    ours = compile_converter(schema).to_batch(records)
    ours.validate(full=True)
    theirs = LocalDataToArrowConversion.convert(records, schema, False)
    assert ours.schema.equals(theirs.schema)
    assert ours.to_pylist() == theirs.to_pylist()
