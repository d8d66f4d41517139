"""The columns of a resource type's table, as Spark types.

Every table has ``id``, ``lastUpdated`` (the time of the version, which changes are ordered by), ``meta``,
``language``, and ``resource``, the whole resource as JSON text. The types of
:data:`connector_lib.formats.fhir.elements.RESOURCES` have a column for each of their elements besides.

What FHIR calls ``date`` and ``dateTime`` is text: it may be a year or a month only, which no Spark date can hold. An
``instant`` is a timestamp. A ``decimal`` is a double; all its digits are in ``resource``.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from connector_lib.formats.fhir.elements import PRIMITIVES, Element, elements_of

__all__ = ["table_schema"]

_PRIMITIVE_TYPES: Final[dict[str, DataType]] = {
    "boolean": BooleanType(),
    "decimal": DoubleType(),
    "instant": TimestampType(),
    "integer": LongType(),
    "positiveInt": LongType(),
    "unsignedInt": LongType(),
}
"""Primitives that are not text."""


@cache
def table_schema(resource_type: str) -> StructType:
    """The columns of the table ``resource_type``.

    >>> table_schema("Basic").simpleString()[:46]
    'struct<id:string,lastUpdated:timestamp,meta:st'
    >>> table_schema("Patient")["name"].dataType.elementType["family"].dataType
    StringType()
    """
    return StructType(
        [
            StructField("id", StringType(), False),
            StructField("lastUpdated", TimestampType(), False),
            _field(Element("meta", "Meta", False)),
            _field(Element("language", "code", False)),
            *map(_field, elements_of(resource_type)),
            StructField("resource", StringType(), True),
        ]
    )


def _field(element: Element) -> StructField:
    kind = _type(element.type)
    return StructField(element.name, ArrayType(kind, True) if element.is_list else kind, True)


@cache
def _type(name: str) -> DataType:
    if name in PRIMITIVES:
        return _PRIMITIVE_TYPES.get(name, StringType())
    return StructType([_field(element) for element in elements_of(name)])
