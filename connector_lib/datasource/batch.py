"""A whole table: every record, however many calls that takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql.datasource import DataSourceReader, InputPartition
from pyspark.sql.types import StructType

from connector_lib.datasource.batches import BatchForm
from connector_lib.datasource.connect import ReadRequest
from connector_lib.datasource.metadata_table import checked_metadata
from connector_lib.datasource.partitions import (
    ReadWhole,
    RecordsPartition,
    for_workers,
    not_empty,
    parts_of,
    read_here,
    read_partition,
)

__all__ = ["TableReader"]


class TableReader(DataSourceReader):
    """Reads a table, or with ``isDeleteFlow`` all that was deleted of it, in the parts that its connector divides it
    into. What was deleted is never read in parts."""

    def __init__(self, request: ReadRequest, schema: StructType) -> None:
        self._request = request
        self._form = BatchForm(request.table, schema, request.own.batch_rows, request.own.rescued_data_column)

    def partitions(self) -> Sequence[InputPartition]:
        """What the workers read; with ``readOnDriver`` the rows themselves."""
        partitions = self._records_partitions()
        return read_here(partitions, self._form) if self._request.own.read_on_driver else for_workers(partitions)

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The rows of one partition, a batch at a time."""
        return read_partition(partition, self._form)

    def _records_partitions(self) -> Sequence[RecordsPartition]:
        request = self._request
        connector, table, options = request.connect(), request.table, request.table_options(request.table)
        if request.own.is_delete_flow:
            return [ReadWhole(connector, table, options, deletes=True)]
        snapshot = checked_metadata(connector, table, options)["ingestion_type"] == "snapshot"
        empty_refused = snapshot and not request.own.allow_empty_snapshot
        parts = parts_of(connector, table, options)
        if parts is None:
            return [ReadWhole(connector, table, options, empty_refused=empty_refused)]
        if empty_refused:
            # Read up to the first row, that is: one page of the first part that has any.
            next(not_empty((record for part in parts for record in part.records()), table))
        return parts
