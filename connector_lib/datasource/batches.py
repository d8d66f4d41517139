"""Records as Arrow batches of a table's columns: converted piece by piece, and packed to be carried."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
from pyspark.sql.types import StructType

from connector_lib.connector.interface import Record
from connector_lib.datasource.converters import Converter, compile_converter
from connector_lib.errors import ConversionError

__all__ = ["BatchForm", "converted", "packed", "unpacked"]

_PACK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BatchForm:
    """What the Arrow batches of ``table`` look like: the columns of ``schema``, ``rows`` records each at most."""

    table: str
    schema: StructType
    rows: int
    rescued_column: str | None = None

    def batches(self, records: Iterable[Record]) -> Iterator[pa.RecordBatch]:
        """``records`` as they come; ``rows`` of them are in memory at a time.

        Raises ConversionError, which names the table, the column and the type.
        """
        converter = compile_converter(self.schema, rescued_column=self.rescued_column)
        left = iter(records)
        while piece := list(islice(left, self.rows)):
            yield converted(piece, converter, self.table)


def converted(records: Sequence[Record], converter: Converter, table: str) -> pa.RecordBatch:
    """``records`` of ``table`` as one batch. Raises ConversionError, which names the table as well."""
    try:
        return converter.to_batch(records)
    except ConversionError as error:
        raise ConversionError(f"table '{table}': {error.message}", hint=error.hint) from None


def packed(batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    """``batches`` in Arrow's stream format, in pieces of about 16 MB, so that none is too large for a task."""
    piece: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if piece and size + batch.nbytes > _PACK_BYTES:
            yield _pack(piece)
            piece, size = [], 0
        piece.append(batch)
        size += batch.nbytes
    if piece:
        yield _pack(piece)


def unpacked(data: bytes) -> Iterator[pa.RecordBatch]:
    """The batches of one piece of :func:`packed`."""
    with pa.ipc.open_stream(data) as stream:
        yield from stream


def _pack(batches: list[pa.RecordBatch]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batches[0].schema) as stream:
        for batch in batches:
            stream.write_batch(batch)
    data: bytes = sink.getvalue().to_pybytes()
    return data
