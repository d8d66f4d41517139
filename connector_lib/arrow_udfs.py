"""The UDFs of :mod:`connector_lib.spark_utils` on whole Arrow arrays, for pyspark with ``arrow_udf`` (4.1 and newer).

Spark sends an array for each batch of rows and takes arrays of the same length in all. A batch has up to 10,000 rows:
each function hands back a few at a time, so that Spark works on those while the next are read, and only few are in
memory at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from connector_lib.arrow_arrays import bytes_of, list_array, map_array, struct_array, texts_of
from connector_lib.formats.hl7v2 import split_batch
from connector_lib.formats.hl7v2.reading import (
    PieceTuple,
    ReadMessage,
    fields_or_none,
    parsed_or_error,
    pieces_of,
    read_message,
)

__all__ = [
    "fields_of_messages",
    "parse_messages",
    "pieces_of_contents",
    "pieces_of_run_together_contents",
    "read_messages",
    "split_contents",
]

_FIELD = pa.struct(
    [
        pa.field("segment_index", pa.int32(), False),
        pa.field("segment", pa.string(), False),
        pa.field("field", pa.int32(), False),
        pa.field("repetition", pa.int32(), False),
        pa.field("component", pa.int32(), False),
        pa.field("subcomponent", pa.int32(), False),
        pa.field("value", pa.string(), False),
    ]
)
_FINDING = pa.struct(
    [
        pa.field("code", pa.string(), False),
        pa.field("severity", pa.string(), False),
        pa.field("segment", pa.string()),
        pa.field("segment_index", pa.int32()),
        pa.field("position", pa.string()),
        pa.field("text", pa.string(), False),
    ]
)
_NOTHING_READ = ReadMessage(None, [], [], None)

_AT_ONCE: Final = 64
"""Messages. What is read of so many common ones still fits into a processor's cache; an array of its own for fewer
costs more than that saves."""


_BYTES_AT_ONCE: Final = 1 << 20
"""Of contents: what is made of them is several times as large."""


def split_contents(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    """binary or string → list<string>, as ``split_batch``; one file at a time."""
    for batch in batches:
        for contents in _parts(batch, 1):
            yield _split(contents)


def parse_messages(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    """string or binary → map<string, string>, as ``parse_message``."""
    for batch in batches:
        for messages in _parts(batch, _AT_ONCE):
            yield map_array(None if text is None else parsed_or_error(text) for text in texts_of(messages))


def fields_of_messages(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    """string or binary → list<struct>, as ``Message.walk``."""
    for batch in batches:
        for messages in _parts(batch, _AT_ONCE):
            yield list_array(([] if text is None else fields_or_none(text) for text in texts_of(messages)), _FIELD)


def pieces_of_contents(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    """binary → list<struct>, as :func:`~connector_lib.formats.hl7v2.reading.pieces_of`."""
    for batch in batches:
        for contents in _parts_of_size(batch):
            yield _pieces(contents, run_together=False)


def pieces_of_run_together_contents(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
    """The same for content whose messages may follow each other without a line end."""
    for batch in batches:
        for contents in _parts_of_size(batch):
            yield _pieces(contents, run_together=True)


def read_messages(batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
    """string, string, string → struct, as :func:`~connector_lib.formats.hl7v2.reading.read_message`."""
    for messages, charsets, problems in batches:
        parts = (_parts(column, _AT_ONCE) for column in (messages, charsets, problems))
        for part in zip(*parts, strict=True):
            yield _read(*part)


def _parts(array: pa.Array, length: int) -> Iterator[pa.Array]:
    """An array in slices. An empty one is one empty slice: there is an answer to every batch."""
    yield array.slice(0, length)
    for start in range(length, len(array), length):
        yield array.slice(start, length)


def _parts_of_size(contents: pa.Array) -> Iterator[pa.Array]:
    """Binary values in slices of at most a mebibyte, or one value: events by the hundred, files one at a time."""
    start = size = 0
    for index, length in enumerate(pc.binary_length(contents).to_pylist()):
        size += length or 0
        if index > start and (size > _BYTES_AT_ONCE or index - start == _AT_ONCE):
            yield contents.slice(start, index - start)
            start, size = index, length or 0
    yield contents.slice(start)


def _split(contents: pa.Array) -> pa.Array:
    as_text = pa.types.is_string(contents.type)
    values = bytes_of(contents)
    return pa.array(
        [None if value is None else split_batch(b"\xef\xbb\xbf" + value if as_text else value) for value in values],
        pa.list_(pa.string()),
    )


def _pieces(contents: pa.Array, *, run_together: bool) -> pa.Array:
    rows = [[] if content is None else pieces_of(content, run_together=run_together) for content in bytes_of(contents)]
    offsets = [0]
    for row in rows:
        offsets.append(offsets[-1] + len(row))
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), _piece_array([piece for row in rows for piece in row])
    )


def _piece_array(pieces: list[PieceTuple]) -> pa.Array:
    columns = {
        "message_index": pa.array([piece.message_index for piece in pieces], pa.int32()),
        "offset": pa.array([piece.offset for piece in pieces], pa.int64()),
        "message": pa.array([piece.message for piece in pieces], pa.string()),
        "charset": pa.array([piece.charset for piece in pieces], pa.string()),
        "charset_problem": pa.array([piece.charset_problem for piece in pieces], pa.string()),
        "reason": pa.array([piece.reason for piece in pieces], pa.string()),
        "content": pa.array([piece.content for piece in pieces], pa.binary()),
        "findings": list_array([piece.findings for piece in pieces], _FINDING),
    }
    return struct_array(list(columns.values()), [pa.field(name, array.type) for name, array in columns.items()])


def _read(messages: pa.Array, charsets: pa.Array, problems: pa.Array) -> pa.Array:
    rows = zip(messages.to_pylist(), charsets.to_pylist(), problems.to_pylist(), strict=True)
    read = [
        _NOTHING_READ if text is None else read_message(text, charset or "utf-8", problem or "")
        for text, charset, problem in rows
    ]
    columns = {
        "parsed": map_array(message.parsed for message in read),
        "fields": list_array((message.fields for message in read), _FIELD),
        "findings": list_array((message.findings for message in read), _FINDING),
        "reason": pa.array([message.reason for message in read], pa.string()),
    }
    return struct_array(list(columns.values()), [pa.field(name, array.type) for name, array in columns.items()])
