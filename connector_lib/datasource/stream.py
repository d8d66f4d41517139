"""What is new in a table since the last run, as a stream whose offsets are the connector's own.

A run reads up to a bound that is frozen when it starts. A connector that can read between two offsets
(:class:`~connector_lib.connector.interface.BoundedReads`) does so in one batch; the five methods alone give a batch for
each call of ``read_table``, whose records are read where the workers are. Either way a batch is read page by page, and
is never in memory as a whole, but with ``readOnDriver``.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.datasource import DataSourceStreamReader, InputPartition
from pyspark.sql.types import StructType

from connector_lib.connector.interface import BoundedReads, LakeflowConnect, Offset, TableOptions
from connector_lib.connector.reading import offset_text, read_step, read_steps, same_offset
from connector_lib.datasource.batches import BatchForm
from connector_lib.datasource.connect import ReadRequest
from connector_lib.datasource.metadata_table import checked_metadata
from connector_lib.datasource.partitions import (
    ReadBetween,
    RecordsPartition,
    for_workers,
    parts_of,
    read_here,
    read_partition,
)
from connector_lib.errors import ContractError, SourceError

if TYPE_CHECKING:
    from pyspark.sql.streaming.datasource import SupportsTriggerAvailableNow
else:
    try:
        from pyspark.sql.streaming.datasource import SupportsTriggerAvailableNow
    except ImportError:  # Spark before 4.2: it asks for one batch a run, up to the bound

        class SupportsTriggerAvailableNow:
            """Nothing that Spark would ask for."""


__all__ = ["SupportsTriggerAvailableNow", "TableStreamReader"]


class TableStreamReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads upserts, or with ``isDeleteFlow`` what was deleted, between the offsets that Spark keeps."""

    def __init__(self, request: ReadRequest, schema: StructType) -> None:
        self._request = request
        self._form = BatchForm(request.table, schema, request.own.batch_rows, request.own.rescued_data_column)
        self._connected: _Connected | None = None
        self._until_bound = False
        self._bound: Offset | None = None
        self._place: Offset = {}
        self._starts: set[str] = set()

    def initialOffset(self) -> Offset:  # noqa: N802 - Spark's name
        """The start."""
        return {}

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802 - Spark's name
        """From here on all batches are of one run: one connector, one bound."""
        self._until_bound = True

    def latestOffset(self, start: Offset | None = None, limit: object = None) -> Offset:  # noqa: N802 - Spark's name
        """Where the next batch ends; ``start`` where there is none.

        Spark before 4.2 asks without ``start``, and for one batch a run: that one goes up to the bound.
        """
        connected = self._connect(anew=not self._until_bound)
        connector, table = connected.connector, self._form.table
        to_bound = start is None
        start = self._place if start is None else start
        end = self._next_end(connected, start, to_bound=to_bound)
        text = offset_text(connector, table, end)
        if same_offset(end, start):
            # As it came: Spark compares the texts of offsets.
            return start
        self._starts.add(offset_text(connector, table, start))
        if self._until_bound and text in self._starts:
            raise ContractError(
                f"the connector {type(connector).__name__} came back to an offset that it had left, so that the run "
                f"would never end (table '{table}')",
                hint="this is a fault of the connector: its offsets have to move towards a bound",
            )
        ahead: Offset = json.loads(text)
        return ahead

    def partitions(self, start: Offset, end: Offset) -> Sequence[InputPartition]:
        """What the workers read of one batch; with ``readOnDriver`` its rows."""
        # Spark before 4.2 tells a stream that starts again where it was by asking for nothing there.
        self._place = end
        if same_offset(start, end):
            return []
        partitions = self._records_partitions(start, end)
        return read_here(partitions, self._form) if self._request.own.read_on_driver else for_workers(partitions)

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The rows of one partition, a batch at a time."""
        return read_partition(partition, self._form)

    def _connect(self, *, anew: bool) -> _Connected:
        if self._connected is not None and not anew:
            return self._connected
        table = self._form.table
        connector, options = self._request.connect(), self._request.table_options(table)
        kind = checked_metadata(connector, table, options)["ingestion_type"]
        if kind == "snapshot":
            raise SourceError(
                f"the table '{table}' is a snapshot: a stream cannot tell what is new in it",
                hint="read it by spark.read, or as a stream of changes with the option snapshotChanges=true",
            )
        exactly = kind == "append" or self._request.own.append_only
        self._connected = _Connected(connector, options, exactly=exactly)
        return self._connected

    def _next_end(self, connected: _Connected, start: Offset, *, to_bound: bool) -> Any:
        connector, options = connected.connector, connected.options
        table, deletes = self._form.table, self._request.own.is_delete_flow
        if not _tells_bound(connector, table, options, deletes=deletes):
            if not to_bound:
                return read_step(connector, table, options, start, deletes=deletes).end
            end = start
            for step in read_steps(connector, table, options, start, deletes=deletes):
                # A connector may go on only from records that were taken. The workers read them again.
                deque(step.records, maxlen=0)
                end = step.end
            return end
        if self._until_bound and self._bound is not None:
            # A bound that moved with every question would make a run without an end.
            return start if same_offset(start, self._bound) else self._bound
        asked: Any = connector
        self._bound = asked.latest_offset(table, options, start or None)
        return self._bound

    def _records_partitions(self, start: Offset, end: Offset) -> Sequence[RecordsPartition]:
        connected = self._connect(anew=False)
        connector, options = connected.connector, connected.options
        table, deletes = self._form.table, self._request.own.is_delete_flow
        parts = None if deletes else parts_of(connector, table, options, start, end)
        if parts is not None:
            return parts
        return [ReadBetween(connector, table, options, start, end, deletes=deletes, exactly=connected.exactly)]


@dataclass(frozen=True, slots=True)
class _Connected:
    """The connector of a run, or of a batch. ``exactly``: its records are appended, so that none may come twice."""

    connector: LakeflowConnect
    options: TableOptions
    exactly: bool


def _tells_bound(connector: Any, table: str, options: TableOptions, *, deletes: bool) -> bool:
    """Whether ``latest_offset`` is a place that the connector can read up to."""
    if isinstance(connector, BoundedReads):
        return True
    # Connectors that are read in parts have it without read_table_between. Their deletes are read by calls.
    return not deletes and hasattr(connector, "latest_offset") and connector.is_partitioned(table, options)
