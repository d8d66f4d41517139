"""The door to Spark types: ``get_schema``. Needs pyspark 3.5 or newer."""

from __future__ import annotations

from functools import cache

from pyspark.sql.types import ArrayType, IntegerType, MapType, StringType, StructField, StructType

from connector_lib.errors import UsageError
from connector_lib.formats.hl7v2.record_types import NESTED

__all__ = ["FIELDS_TYPE", "FINDINGS_TYPE", "PARSED_TYPE", "get_schema"]

PARSED_TYPE = MapType(StringType(), StringType(), True)
"""What ``get_parse_udf()`` gives: the record of ``parse_message``."""

FIELDS_TYPE = ArrayType(
    StructType(
        [
            StructField("segment_index", IntegerType(), False),
            StructField("segment", StringType(), False),
            StructField("field", IntegerType(), False),
            StructField("repetition", IntegerType(), False),
            StructField("component", IntegerType(), False),
            StructField("subcomponent", IntegerType(), False),
            StructField("value", StringType(), False),
        ]
    ),
    False,
)
"""What ``get_fields_udf()`` gives: the values of ``Message.walk``, with their places."""

FINDINGS_TYPE = ArrayType(
    StructType(
        [
            StructField("code", StringType(), False),
            StructField("severity", StringType(), False),
            StructField("segment", StringType(), True),
            StructField("segment_index", IntegerType(), True),
            StructField("position", StringType(), True),
            StructField("text", StringType(), False),
        ]
    ),
    False,
)
"""What is wrong with a message: the findings of ``validate_message``."""


@cache
def get_schema(name: str) -> ArrayType:
    """The Spark type of a nested value of ``parse_message``, for ``from_json``.

    ``name`` is one of :data:`connector_lib.formats.hl7v2.record_types.NESTED`, for example ``observations``. Every leaf
    is a string; one that was not sent is NULL.

    Raises :class:`~connector_lib.errors.UsageError` for a name that is not there.

    >>> get_schema("z_segments").simpleString()
    'array<struct<segment:string,segment_index:string,text:string,fields:array<string>>>'
    """
    record_type = NESTED.get(name)
    if record_type is None:
        raise UsageError(f"there is no nested value named {name!r}", hint=f"the names are {', '.join(sorted(NESTED))}")
    fields = [_text(column) for column in record_type.names]
    fields += [StructField(column, ArrayType(StringType(), True), True) for column in record_type.lists]
    fields += [
        StructField(column, ArrayType(StructType([_text(part) for part in parts]), True), True)
        for column, parts in record_type.parts.items()
    ]
    return ArrayType(StructType(fields), True)


def _text(name: str) -> StructField:
    return StructField(name, StringType(), True)
