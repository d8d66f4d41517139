"""Python values of parsed messages as Arrow arrays, built column by column.

Arrow builds a map or a list of structs several times faster from flat columns and offsets than value by value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa

from connector_lib.formats.hl7v2.charset import decode

__all__ = ["bytes_of", "list_array", "map_array", "struct_array", "texts_of"]


def texts_of(array: pa.Array) -> list[str | None]:
    """The texts of a string or binary array. Bytes are decoded as
    :func:`~connector_lib.formats.hl7v2.charset.decode` says, which also reads a string column that is not UTF-8."""
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        try:
            texts: list[str | None] = array.to_pylist()
            return texts
        except UnicodeDecodeError:
            array = array.cast(pa.binary())
    return [None if content is None else decode(content).text for content in array.to_pylist()]


def bytes_of(array: pa.Array) -> list[bytes | None]:
    """The bytes of a string or binary array."""
    contents: list[bytes | None] = array.cast(pa.binary()).to_pylist()
    return contents


def map_array(records: Iterable[Mapping[str, str] | None]) -> pa.Array:
    """A map<string, string> array with one map a record, NULL for None.

    >>> map_array([{"a": "1"}, None, {}]).to_pylist()
    [[('a', '1')], None, []]
    """
    keys: list[str] = []
    values: list[str] = []
    offsets: list[int | None] = []
    for record in records:
        if record is None:
            offsets.append(None)
            continue
        offsets.append(len(keys))
        keys += record
        values += record.values()
    offsets.append(len(keys))
    return pa.MapArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(keys, pa.string()), pa.array(values, pa.string())
    )


def struct_array(columns: Sequence[pa.Array], fields: Sequence[pa.Field]) -> pa.Array:
    """A struct array of columns of one length."""
    return pa.StructArray.from_arrays(list(columns), fields=list(fields))


def list_array(rows: Iterable[Sequence[tuple[Any, ...]]], element: pa.StructType) -> pa.Array:
    """A list<struct> array: a list of tuples for each row, in the order of the struct's fields.

    >>> pair = pa.struct([pa.field("n", pa.int32()), pa.field("text", pa.string())])
    >>> list_array([[(1, "a"), (2, "b")], []], pair).to_pylist()
    [[{'n': 1, 'text': 'a'}, {'n': 2, 'text': 'b'}], []]
    """
    offsets = [0]
    kept: list[Sequence[tuple[Any, ...]]] = []
    for row in rows:
        kept.append(row)
        offsets.append(offsets[-1] + len(row))
    columns = list(zip(*chain.from_iterable(kept), strict=True)) or [()] * element.num_fields
    fields = [element.field(position) for position in range(element.num_fields)]
    values = struct_array([pa.array(column, field.type) for column, field in zip(columns, fields, strict=True)], fields)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
