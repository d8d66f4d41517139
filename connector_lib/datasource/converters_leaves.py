"""How the values of each simple Spark type are read: by Arrow where it reads JSON values without loss, one by one where
it does not.

Arrow's own reading of Python values is quick, and lenient: it makes the whole number 1 of 1.5. So a type says which
Arrow type its values are read as (``read_as``: numbers as doubles, times as text) and how the array is brought to the
type from there (``finish``), where loss is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import types as spark
from pyspark.sql.types import DataType

from connector_lib.datasource import converters_times as times
from connector_lib.datasource.converters_values import (
    UnfitValueError,
    boolean_of,
    bytes_of,
    decimal_of,
    float_of,
    json_text,
    text_of,
    whole_number_of,
)
from connector_lib.errors import ConversionError

__all__ = ["ARROW_MISFITS", "Leaf", "array_of", "has_leaf", "leaf_for", "too_much_in_one_batch"]

ARROW_MISFITS = (pa.ArrowException, TypeError, ValueError, OverflowError)
"""What Arrow raises for a value that is not of the type it was asked for."""

_EXACT_IN_DOUBLE = 2**53

_Finish: TypeAlias = Callable[[pa.Array], pa.Array]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One simple type.

    ``read_as`` is None where Arrow reads no form of its values, and then there is no ``finish``. ``attempts`` are ways
    from the whole list of a column's values to its array, tried in order before the values are looked at one by one.
    ``value_of`` gives one value in the form that ``build`` makes an array of.
    """

    value_of: Callable[[Any], Any]
    build: Callable[[list[Any]], pa.Array]
    read_as: pa.DataType | None = None
    finish: _Finish | None = None
    attempts: tuple[Callable[[list[Any]], pa.Array], ...] = ()

    def array(self, values: list[Any]) -> pa.Array:
        """The array of ``values``. Raises UnfitValueError where one does not fit."""
        for attempt in self.attempts:
            try:
                return attempt(values)
            except ARROW_MISFITS:
                continue
        value_of = self.value_of
        return self._built([None if value is None else value_of(value) for value in values])

    def array_of_one(self, value: Any) -> pa.Array:
        """The array of one value, without an attempt first."""
        return self._built([None if value is None else self.value_of(value)])

    def _built(self, read: list[Any]) -> pa.Array:
        try:
            return self.build(read)
        except UnicodeEncodeError:
            raise UnfitValueError("half of a surrogate pair is no text in UTF-8") from None


def array_of(values: Iterable[Any], arrow_type: pa.DataType) -> pa.Array:
    """An Arrow array of Python values. Raises ConversionError where they are more than one array holds."""
    made = pa.array(values, arrow_type)
    if isinstance(made, pa.ChunkedArray):
        raise too_much_in_one_batch()
    return made


def too_much_in_one_batch() -> ConversionError:
    """The error for more than the 2 GiB that an Arrow array of texts holds."""
    return ConversionError(
        "the records of one batch hold more than 2 GiB in one column", hint="make batches of fewer records"
    )


def has_leaf(data_type: DataType) -> bool:
    """Whether it is a simple type that can be filled from JSON."""
    return isinstance(data_type, tuple(_LEAVES))


def leaf_for(data_type: DataType, arrow_type: pa.DataType) -> Leaf:
    """How values of a simple type are read."""
    make = next(make for kind, make in _LEAVES.items() if isinstance(data_type, kind))
    return make(data_type, arrow_type)


def _read(read_as: pa.DataType, finish: _Finish | None) -> Callable[[list[Any]], pa.Array]:
    def attempt(values: list[Any]) -> pa.Array:
        array = array_of(values, read_as)
        return finish(array) if finish is not None else array

    return attempt


def _by_arrow(
    read_as: pa.DataType,
    finish: _Finish | None,
    value_of: Callable[[Any], Any],
    build: Callable[[list[Any]], pa.Array],
    *more: Callable[[list[Any]], pa.Array],
) -> Leaf:
    return Leaf(value_of, build, read_as, finish, (_read(read_as, finish), *more))


def _builder(arrow_type: pa.DataType) -> Callable[[list[Any]], pa.Array]:
    return lambda values: array_of(values, arrow_type)


def _boolean(_: DataType, arrow_type: pa.DataType) -> Leaf:
    return _by_arrow(arrow_type, None, boolean_of, _builder(arrow_type))


def _whole_number(bits: int) -> Callable[[DataType, pa.DataType], Leaf]:
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def make(_: DataType, arrow_type: pa.DataType) -> Leaf:
        def finish(doubles: pa.Array) -> pa.Array:
            if most > _EXACT_IN_DOUBLE:
                found = pc.min_max(doubles).as_py()
                if found["min"] is not None and max(-found["min"], found["max"]) > _EXACT_IN_DOUBLE:
                    raise UnfitValueError("beyond what a double holds")
            return doubles.cast(arrow_type)

        def integers(values: list[Any]) -> pa.Array:
            if not {int, type(None)}.issuperset(map(type, values)):
                raise UnfitValueError("not whole numbers alone")
            return array_of(values, arrow_type)

        return _by_arrow(
            pa.float64(),
            finish,
            lambda value: whole_number_of(value, least, most),
            _builder(arrow_type),
            integers,
        )

    return make


def _double(_: DataType, arrow_type: pa.DataType) -> Leaf:
    return _by_arrow(arrow_type, None, float_of, _builder(arrow_type), _numbers_in_texts(arrow_type))


def _float(_: DataType, arrow_type: pa.DataType) -> Leaf:
    def finish(doubles: pa.Array) -> pa.Array:
        floats = doubles.cast(arrow_type)
        if pc.any(pc.and_(pc.is_inf(floats), pc.is_finite(doubles))).as_py():
            raise UnfitValueError("the number is larger than the type holds")
        return floats

    def build(values: list[Any]) -> pa.Array:
        return finish(array_of(values, pa.float64()))

    return _by_arrow(pa.float64(), finish, float_of, build)


def _numbers_in_texts(arrow_type: pa.DataType) -> Callable[[list[Any]], pa.Array]:
    def attempt(values: list[Any]) -> pa.Array:
        numbers = array_of(values, pa.string()).cast(arrow_type)
        if pc.any(pc.is_inf(numbers)).as_py():
            raise UnfitValueError("infinite, or larger than the type holds")
        return numbers

    return attempt


def _decimal(data_type: DataType, arrow_type: pa.DataType) -> Leaf:
    assert isinstance(data_type, spark.DecimalType)
    precision, scale = data_type.precision, data_type.scale

    def texts_and_numbers(values: list[Any]) -> pa.Array:
        # Float to text is exact: the shortest digits that give the same float, and those are what JSON had.
        texts = [repr(value) if type(value) is float else value for value in values]
        return array_of(texts, pa.string()).cast(arrow_type)

    return Leaf(
        lambda value: decimal_of(value, precision, scale),
        _builder(arrow_type),
        attempts=(_read(arrow_type, None), texts_and_numbers),
    )


def _text(_: DataType, arrow_type: pa.DataType) -> Leaf:
    return _by_arrow(arrow_type, None, text_of, _builder(arrow_type))


def _text_of_length(data_type: DataType, arrow_type: pa.DataType) -> Leaf:
    assert isinstance(data_type, (spark.CharType, spark.VarcharType))
    length = data_type.length

    def finish(texts: pa.Array) -> pa.Array:
        if (pc.max(pc.utf8_length(texts)).as_py() or 0) > length:
            raise UnfitValueError(f"the text has more than {length} characters")
        return texts

    return _by_arrow(arrow_type, finish, text_of, lambda values: finish(array_of(values, arrow_type)))


def _bytes(_: DataType, arrow_type: pa.DataType) -> Leaf:
    return Leaf(bytes_of, _builder(arrow_type))


def _date(_: DataType, arrow_type: pa.DataType) -> Leaf:
    def build(values: list[Any]) -> pa.Array:
        return array_of(values, pa.int32()).view(arrow_type)

    return _by_arrow(pa.string(), times.date_array, times.days_of, build)


def _instant(_: DataType, arrow_type: pa.DataType) -> Leaf:
    def build(values: list[Any]) -> pa.Array:
        return array_of(values, pa.int64()).view(arrow_type)

    by_number = _whole_numbers(times.instant_array_of_numbers)
    return _by_arrow(pa.string(), times.instant_array, times.instant_micros_of, build, by_number)


def _local_time(_: DataType, arrow_type: pa.DataType) -> Leaf:
    def build(values: list[Any]) -> pa.Array:
        return array_of(values, pa.int64()).view(arrow_type)

    by_number = _whole_numbers(times.local_array_of_numbers)
    return _by_arrow(pa.string(), times.local_array, times.local_micros_of, build, by_number)


def _whole_numbers(finish: _Finish) -> Callable[[list[Any]], pa.Array]:
    def attempt(values: list[Any]) -> pa.Array:
        if not {int, type(None)}.issuperset(map(type, values)):
            raise UnfitValueError("not whole numbers alone")
        return finish(array_of(values, pa.int64()))

    return attempt


def _duration(_: DataType, arrow_type: pa.DataType) -> Leaf:
    return Leaf(times.duration_micros_of, lambda values: array_of(values, pa.int64()).view(arrow_type))


def _time_of_day(_: DataType, arrow_type: pa.DataType) -> Leaf:
    return Leaf(times.nanos_of_day_of, lambda values: array_of(values, pa.int64()).view(arrow_type))


def _variant(_: DataType, arrow_type: pa.DataType) -> Leaf:
    def value_of(value: Any) -> dict[str, bytes]:
        if isinstance(value, spark.VariantVal):
            return {"value": value.value, "metadata": value.metadata}
        try:
            # A text in JSON is the variant of that text; what looks like JSON inside it stays a text.
            variant = spark.VariantVal.parseJson(json_text(value))
        except UnfitValueError:
            raise
        except Exception:  # noqa: BLE001 - pyspark's builder has several errors, and their texts may hold the value
            raise UnfitValueError(
                "a variant has no form of it: it is too large, nested too deep, or has half a surrogate pair"
            ) from None
        return {"value": variant.value, "metadata": variant.metadata}

    return Leaf(value_of, _builder(arrow_type))


def _nothing(_: DataType, arrow_type: pa.DataType) -> Leaf:
    def value_of(_: Any) -> None:
        raise UnfitValueError("the column has no values but NULL")

    return _by_arrow(arrow_type, None, value_of, _builder(arrow_type))


_Make: TypeAlias = Callable[[DataType, pa.DataType], Leaf]

_LEAVES: dict[type[DataType], _Make] = {
    spark.BooleanType: _boolean,
    spark.ByteType: _whole_number(8),
    spark.ShortType: _whole_number(16),
    spark.IntegerType: _whole_number(32),
    spark.LongType: _whole_number(64),
    spark.FloatType: _float,
    spark.DoubleType: _double,
    spark.DecimalType: _decimal,
    spark.StringType: _text,
    spark.CharType: _text_of_length,
    spark.VarcharType: _text_of_length,
    spark.BinaryType: _bytes,
    spark.DateType: _date,
    spark.TimestampType: _instant,
    spark.TimestampNTZType: _local_time,
    spark.DayTimeIntervalType: _duration,
    spark.NullType: _nothing,
}
# pyspark 4.0 has variants, 4.1 the time of day.
_LEAVES |= {
    kind: make
    for name, make in (("VariantType", _variant), ("TimeType", _time_of_day))
    if (kind := getattr(spark, name, None)) is not None
}
