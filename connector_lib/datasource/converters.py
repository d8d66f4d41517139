"""Records as Arrow batches of a table's columns: JSON values become Spark's types once, here.

:func:`compile_converter` reads the schema once; :meth:`Converter.to_batch` then turns records into batches whose schema
is exactly the one that Spark wants of a Python data source. Nothing is lost on the way: a value that does not fit its
column is an error, which names column, type and the record's place, and never the value; or it is kept as it was in a
column for what was rescued.

==================  ====================================================================================================
type                values
==================  ====================================================================================================
boolean             true and false; ``true t yes y 1``, ``false f no n 0`` in any case
byte … long         whole numbers, also in texts, also as 12.0 and 1.2e1
float, double       numbers, also in texts; the nearest number that the type has
decimal             numbers, also in texts, by their written digits; rounded half to even
string              texts; other values as JSON text
char, varchar       the same, up to their length; nothing is padded
binary              texts in base64, else in hexadecimal digits, else in UTF-8; lists of bytes
date                ISO; ``month/day/year``, ``day-month-year``, ``year/month/day``
timestamp           ISO with Z, an offset or none (then UTC); seconds or milliseconds since 1970
timestamp_ntz       the same, without an offset
interval day…       seconds, ISO 8601 durations, ``days hours:minutes:seconds``
time                ``13:45:30.25``
struct              objects with at least one member; members that have no column are left out
array               lists; where nulls are allowed inside, another value is a list of one
map                 objects
variant             every JSON value as it is
void                null
==================  ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, Final

import pyarrow as pa
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    CharType,
    DataType,
    MapType,
    StringType,
    StructField,
    StructType,
    VarcharType,
)

from connector_lib.connector.interface import Record
from connector_lib.datasource.converters_columns import Column, column_for, members_of, refuse_unreadable
from connector_lib.datasource.converters_leaves import ARROW_MISFITS, array_of, too_much_in_one_batch
from connector_lib.datasource.converters_values import UnfitValueError, json_kind, json_text
from connector_lib.errors import ConversionError

__all__ = ["Converter", "compile_converter", "schema_for_spark"]

_RECORDS_AT_ONCE: Final = 1000
"""Columns are read one after the other, and the records of a few at a time stay in a processor's cache meanwhile."""


@dataclass(frozen=True, slots=True)
class Converter:
    """Turns records into Arrow batches of ``arrow_schema``. Made by :func:`compile_converter`; pickles."""

    schema: StructType
    rescued_column: str | None
    arrow_schema: pa.Schema
    columns: tuple[Column, ...]
    required: frozenset[str]
    quick_columns: tuple[Column, ...]
    quick_type: pa.StructType

    def __reduce__(self) -> tuple[object, ...]:
        return (_compiled_again, (self.schema, self.rescued_column))

    def to_batch(self, records: Sequence[Record]) -> pa.RecordBatch:
        """One batch with one row a record.

        Raises :class:`~connector_lib.errors.ConversionError` for a value that does not fit, and for one that is
        missing in a column that must have one. With a column for what is rescued, only for the latter.
        """
        starts = range(0, len(records), _RECORDS_AT_ONCE) or (0,)
        blocks = [self._block(records[start : start + _RECORDS_AT_ONCE], start) for start in starts]
        if len(blocks) == 1:
            return blocks[0]
        batches = pa.Table.from_batches(blocks).combine_chunks().to_batches()
        if len(batches) > 1:
            raise too_much_in_one_batch()
        return batches[0]

    def _block(self, records: Sequence[Record], start: int) -> pa.RecordBatch:
        """A batch of some of the records, of which ``start`` come before these."""
        _refuse_other_than_objects(records, start)
        arrays = self._quick_arrays(records)
        rescued: list[dict[str, Any]] | None = None if self.rescued_column is None else [{} for _ in records]
        for column in self.columns:
            if column.path not in arrays:
                arrays[column.path] = self._careful_array(column, members_of(records, column.path), start, rescued)
        for name in self.schema.names:
            if name in self.required and arrays[name].null_count:
                raise _missing(self.schema[name], arrays[name], start)
        if self.rescued_column is not None and rescued is not None:
            self._add_leftovers(records, rescued)
            arrays[self.rescued_column] = array_of(map(_text_of_rescued, rescued), pa.string())
        return pa.RecordBatch.from_arrays([arrays[name] for name in self.schema.names], schema=self.arrow_schema)

    def _quick_arrays(self, records: Sequence[Record]) -> dict[str, pa.Array]:
        """Arrays of all columns that Arrow reads from whole records. Where one column is not sure, it is left out."""
        try:
            whole = array_of(records, self.quick_type)
        except ARROW_MISFITS:
            return {}
        arrays = {}
        for position, column in enumerate(self.quick_columns):
            try:
                arrays[column.path] = column.finish(whole.field(position))
            except ARROW_MISFITS:
                continue
        return arrays

    def _careful_array(
        self, column: Column, values: list[Any], start: int, rescued: list[dict[str, Any]] | None
    ) -> pa.Array:
        try:
            return column.array(values)
        except ConversionError as error:
            if rescued is None or column.path in self.required:
                raise _located(error, column, values, start) from None
            misfits = list(column.misfits(values))
            if not misfits:
                raise
        for place in misfits:
            rescued[place][column.path] = values[place]
            values[place] = None
        return column.array(values)

    def _add_leftovers(self, records: Sequence[Record], rescued: list[dict[str, Any]]) -> None:
        """Adds what has no column, and is not there as a whole already."""
        known = {column.path for column in self.columns}
        others = set().union(*records) - known
        for name in sorted(others):
            for parts, value in zip(rescued, members_of(records, name), strict=True):
                if value is not None:
                    parts[name] = value
        for column in self.columns:
            values = members_of(records, column.path)
            if not column.has_leftovers(values):
                continue
            for parts, value in zip(rescued, values, strict=True):
                if column.path not in parts and (left := column.leftover(value)) is not None:
                    parts[column.path] = left


def compile_converter(schema: StructType, *, rescued_column: str | None = None) -> Converter:
    """Reads ``schema`` once, for many batches.

    ``rescued_column`` names a string column of ``schema``. What does not convert is NULL in its own column and in that
    one as JSON, ``{"column": value}``, and so is every member of a record, at any depth, that has no column; names are
    compared with case.

    The schema of the batches is what pyspark's ``to_arrow_schema(schema, timezone="UTC")`` gives, of
    :func:`schema_for_spark` where there are char and varchar columns.

    Raises :class:`~connector_lib.errors.ConversionError` for a type that cannot be filled from JSON, for a name that is
    there twice, and where the column for what is rescued is no string column that may be NULL.

    >>> from pyspark.sql.types import LongType, TimestampType
    >>> schema = StructType([StructField("id", LongType()), StructField("seen", TimestampType())])
    >>> converter = compile_converter(schema)
    >>> batch = converter.to_batch([{"id": 7, "seen": "2024-05-01T12:00:00Z"}, {"id": "8"}])
    >>> batch.column("id").to_pylist(), batch.num_rows
    ([7, 8], 2)
    >>> try:
    ...     converter.to_batch([{"id": "seven"}])
    ... except ConversionError as error:
    ...     print(error.message)
    column 'id' (bigint), record 1 of the batch: a text does not fit; wanted is a number
    """
    refuse_unreadable("", schema)
    if rescued_column is not None:
        _check_rescued_column(schema, rescued_column)
    arrow_schema = _arrow_schema(schema)
    columns = tuple(
        column_for(field.name, field.dataType, arrow_schema.field(position).type)
        for position, field in enumerate(schema.fields)
        if field.name != rescued_column
    )
    quick = tuple(column for column in columns if column.read_as is not None and not column.holds_lists)
    return Converter(
        schema,
        rescued_column,
        arrow_schema,
        columns,
        frozenset(field.name for field in schema.fields if not field.nullable),
        quick,
        pa.struct([pa.field(column.path, column.read_as) for column in quick]),
    )


def schema_for_spark(schema: StructType) -> StructType:
    """The schema that a data source has to tell Spark, with strings for char and varchar: Spark's workers check batches
    against an Arrow schema, and Arrow has neither.

    >>> schema_for_spark(StructType([StructField("code", VarcharType(3), False)])).simpleString()
    'struct<code:string>'
    """
    return StructType(
        [
            StructField(field.name, _with_strings(field.dataType), field.nullable, field.metadata)
            for field in schema.fields
        ]
    )


def _with_strings(data_type: DataType) -> DataType:
    if isinstance(data_type, (CharType, VarcharType)):
        return StringType()
    if isinstance(data_type, ArrayType):
        return ArrayType(_with_strings(data_type.elementType), data_type.containsNull)
    if isinstance(data_type, MapType):
        key, value = _with_strings(data_type.keyType), _with_strings(data_type.valueType)
        return MapType(key, value, data_type.valueContainsNull)
    return schema_for_spark(data_type) if isinstance(data_type, StructType) else data_type


def _compiled_again(schema: StructType, rescued_column: str | None) -> Converter:
    return compile_converter(schema, rescued_column=rescued_column)


def _arrow_schema(schema: StructType) -> pa.Schema:
    """As Spark's worker makes it to check the batches of a data source (``plan_data_source_read.py``).

    The function is pyspark's own and not public; tried with 4.0.1 and 4.3.0, which differ in how they are told of UTC.
    """
    in_utc: dict[str, Any] = {"timezone": "UTC"} if "timezone" in signature(to_arrow_schema).parameters else {}
    return to_arrow_schema(schema_for_spark(schema), **in_utc)


def _check_rescued_column(schema: StructType, name: str) -> None:
    field = schema[name] if name in schema.names else None
    if field is None or not isinstance(field.dataType, StringType) or not field.nullable:
        raise ConversionError(
            f"the column '{name}', for what does not fit, is no string column of the schema that may be NULL",
            hint="add it to the schema with StringType()",
        )


def _refuse_other_than_objects(records: Sequence[object], start: int) -> None:
    if set(map(type, records)) <= {dict} and all(records):
        return
    for place, record in enumerate(records, start + 1):
        if not (isinstance(record, dict) and record):
            raise ConversionError(
                f"record {place} of the batch is {json_kind(record)}; wanted is an object with members",
                hint="let the connector give each row as a dict",
            )


def _located(error: ConversionError, column: Column, values: list[Any], start: int) -> ConversionError:
    place = next(column.misfits(values), None)
    if place is None:
        return error
    where, colon, what = error.message.partition(": ")
    return ConversionError(f"{where}, record {start + place + 1} of the batch{colon}{what}", hint=error.hint)


def _missing(field: StructField, array: pa.Array, start: int) -> ConversionError:
    place = start + array.is_null().index(True).as_py() + 1
    return ConversionError(
        f"column '{field.name}' ({field.dataType.simpleString()}), record {place} of the batch: no value, and the "
        "column must have one",
        hint="make the column nullable in get_table_schema",
    )


def _text_of_rescued(parts: dict[str, Any]) -> str | None:
    try:
        return json_text(parts) if parts else None
    except UnfitValueError:
        raise ConversionError("a value that does not fit has no JSON text either, so it cannot be kept") from None
