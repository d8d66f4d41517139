"""The door to Spark: UDFs over the parser, and column helpers. Needs pyspark 3.5 or newer.

Each ``get_…_udf()`` gives a function from column to column. Where pyspark has ``arrow_udf`` (4.1 and newer) the
result is built as an Arrow array; before that Spark converts Python values (``useArrow`` with pyarrow, plain
without). The results are the same.

::

    from pyspark.sql import functions as F
    from connector_lib.spark_utils import get_parse_udf, get_split_udf, nested

    messages = files.select(F.explode(get_split_udf()("content")).alias("message"))
    parsed = messages.select(get_parse_udf()("message").alias("parsed"))
    parsed.select(F.explode(nested(F.col("parsed.observations"), "observations")))
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StringType

from connector_lib.formats.hl7v2 import split_batch
from connector_lib.formats.hl7v2.charset import decode
from connector_lib.formats.hl7v2.reading import fields_or_none, parsed_or_error
from connector_lib.schemas import FIELDS_TYPE, PARSED_TYPE, get_schema

__all__ = [
    "get_fields_udf",
    "get_parse_udf",
    "get_split_udf",
    "hl7_date",
    "hl7_number",
    "hl7_timestamp",
    "make_udf",
    "nested",
]

ColumnFunction = Callable[..., Column]

_NUMBER = r"^\s*[+-]?(\d{1,300}(\.\d*)?|\.\d+)\s*$"
_TIME = r"^\s*(\d{4}(?:\d\d){0,5})(?:(?<=\d{14})(\.\d{1,9}))?([+-]\d{4})?\s*$"
_EARLIEST = "none0101000000"
"""What the parts are that a shorter time stamp leaves out; there is no year to put in."""


def make_udf(by_value: Callable[..., Any], by_array: str, return_type: DataType) -> ColumnFunction:
    """A UDF that works on whole Arrow arrays where pyspark can, and value by value where it cannot.

    ``by_array`` names a function of :mod:`connector_lib.arrow_udfs` that gives the same as ``by_value`` on each value;
    it is loaded only where pyspark has ``arrow_udf``. It takes and gives iterators of arrays.
    """
    arrow_udf = getattr(F, "arrow_udf", None)
    if arrow_udf is not None:
        from connector_lib import arrow_udfs

        return arrow_udf(getattr(arrow_udfs, by_array), return_type)  # type: ignore[no-any-return]
    with_arrow = importlib.util.find_spec("pyarrow") is not None
    return F.udf(by_value, return_type, useArrow=with_arrow)


def get_split_udf() -> ColumnFunction:
    """A file's content (binary, or string) → array<string> of its messages, as ``split_batch`` gives them."""
    return make_udf(_split_value, "split_contents", ArrayType(StringType(), False))


def get_parse_udf() -> ColumnFunction:
    """A message (string, or binary) → map<string, string>, as ``parse_message`` gives it.

    What cannot be read does not end the query: its map has the key ``parse_error`` alone, with the reason.

    Spark converts a whole batch of rows before it takes a result: ``spark.sql.execution.arrow.maxRecordsPerBatch`` of
    about 100 instead of 10,000 lets it do so while messages are parsed.
    """
    return make_udf(_parse_value, "parse_messages", PARSED_TYPE)


def get_fields_udf() -> ColumnFunction:
    """A message (string, or binary) → an array of every value that was sent and where it stands, as ``Message.walk``
    gives them; an empty array where there is no readable message."""
    return make_udf(_fields_of_value, "fields_of_messages", FIELDS_TYPE)


def nested(column: Column | str, name: str) -> Column:
    """The nested value ``name`` of a parsed message as an array of structs.

    ``column`` is the JSON text, for example ``"parsed.observations"``; ``name`` is one of ``get_schema``'s.
    """
    return F.from_json(_column(column), get_schema(name))


def hl7_timestamp(column: Column | str, zone_of: Column | str | None = None) -> Column:
    """An HL7 time stamp (``YYYY[MM[DD[HH[MM[SS[.S…]]]]]][+/-ZZZZ]``, chapter 2A, DTM) as a timestamp.

    Parts that were not sent count as the earliest. A time stamp without a zone has that of the time stamp in
    ``zone_of`` (the standard names MSH-7 of the same message), else the session's time zone. Anything that is no such
    time gives NULL and never an error.
    """
    text = _column(column)
    zone = F.regexp_extract(text, _TIME, 3)
    if zone_of is not None:
        zone = F.coalesce(F.nullif(zone, F.lit("")), F.regexp_extract(_column(zone_of), _TIME, 3), F.lit(""))
    clock = F.regexp_replace(_all_parts(text), r"(.{4})(..)(..)(..)(..)(..)", "$1-$2-$3T$4:$5:$6")
    fraction = F.regexp_extract(text, _TIME, 2)
    return F.try_to_timestamp(F.concat(clock, fraction, F.regexp_replace(zone, "(...)(..)", "$1:$2")))


def hl7_date(column: Column | str) -> Column:
    """The day of an HL7 date or time stamp (``YYYY[MM[DD…]]``), as it was written, whatever its zone; NULL where there
    is none, never an error."""
    day = F.regexp_replace(_all_parts(_column(column)), r"(.{4})(..)(..).*", "$1-$2-$3T00:00:00")
    return F.try_to_timestamp(day).cast("date")


def hl7_number(column: Column | str) -> Column:
    """An HL7 number (chapter 2A, NM: sign, digits, decimal point) as a double; NULL where it is none, never an
    error."""
    text = _column(column)
    return F.when(text.rlike(_NUMBER), F.trim(text).cast("double"))


def _column(column: Column | str) -> Column:
    return F.col(column) if isinstance(column, str) else column


def _all_parts(text: Column) -> Column:
    """The fourteen digits of a time stamp; of anything else a text that is no time."""
    digits = F.regexp_extract(text, _TIME, 1)
    return F.concat(digits, F.substr(F.lit(_EARLIEST), F.length(digits) + 1, F.lit(14)))


def _text_of(value: str | bytes | bytearray) -> str:
    return value if isinstance(value, str) else decode(bytes(value)).text


def _split_value(value: str | bytes | bytearray | None) -> list[str] | None:
    if value is None:
        return None
    return split_batch(value if isinstance(value, str) else bytes(value))


def _parse_value(value: str | bytes | bytearray | None) -> dict[str, str] | None:
    return None if value is None else parsed_or_error(_text_of(value))


def _fields_of_value(value: str | bytes | bytearray | None) -> list[tuple[Any, ...]]:
    return [] if value is None else fields_or_none(_text_of(value))
