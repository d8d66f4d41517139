"""A table that is given as snapshots only, as a stream of what changed between them.

For Spark without Databricks, where nothing else compares snapshots. Each run reads the whole table once, in the
driver's process, and writes it down as the next version in ``stateFolder`` (:mod:`.snapshot_state`), with what changed
since the last version. The version's name is in the offset; the workers read the changes from its file, so the folder
has to be one that they see. A batch that is read again after a crash is the same batch.

A row that is new or changed comes whole, with ``_deleted`` false; one that is gone with its key alone and ``_deleted``
true. ``_snapshot_time`` is when the reading began, and later than that of every version before.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyspark.sql.datasource import DataSourceStreamReader, InputPartition
from pyspark.sql.types import BooleanType, StructField, StructType, TimestampType

from connector_lib.connector.interface import Offset, Record
from connector_lib.connector.reading import read_all, same_offset
from connector_lib.datasource.batches import BatchForm
from connector_lib.datasource.connect import ReadRequest
from connector_lib.datasource.metadata_table import checked_metadata
from connector_lib.datasource.partitions import RecordsPartition, not_empty, read_here, read_partition
from connector_lib.datasource.snapshot_keys import KeyColumns
from connector_lib.datasource.snapshot_state import DELETED, SnapshotVersion, remove_all_but, write_version
from connector_lib.datasource.stream import SupportsTriggerAvailableNow
from connector_lib.errors import OptionError

__all__ = ["CHANGE_COLUMNS", "SnapshotChangesReader"]

_TIME: Final = "_snapshot_time"
CHANGE_COLUMNS: Final = StructType(
    [StructField(DELETED, BooleanType(), nullable=True), StructField(_TIME, TimestampType(), nullable=True)]
)
"""The columns that changes have behind those of the table."""


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True, repr=False)
class _Changes(RecordsPartition):
    """What a version of a snapshot changed."""

    table: str
    version: SnapshotVersion
    time: str

    def records(self) -> Iterator[Record]:
        for record in self.version.changes():
            record[_TIME] = self.time
            yield record


class SnapshotChangesReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """Reads what changed since the last snapshot.

    Needs the options ``stateFolder`` and, where the connector names none for the table, ``primaryKeys``. Its offsets
    are ``{"stream": …, "version": number, "state": name of the version's files, "time": …}``.
    """

    def __init__(self, request: ReadRequest, schema: StructType, *, now: Callable[[], datetime] = _utc_now) -> None:
        own = request.own
        if own.state_folder is None:
            raise OptionError(
                "the option snapshotChanges needs the option stateFolder",
                hint="a folder that is kept as long as the checkpoint of the stream",
            )
        if own.is_delete_flow:
            raise OptionError("the options snapshotChanges and isDeleteFlow exclude each other", hint="deletes are in")
        self._request = request
        self._folder: Path = own.state_folder.expanduser().absolute()
        self._form = BatchForm(request.table, schema, own.batch_rows, own.rescued_data_column)
        self._now = now
        self._place: Offset = {}
        self._one_snapshot = False
        self._taken: tuple[Offset, Offset] | None = None

    def initialOffset(self) -> Offset:  # noqa: N802 - Spark's name
        """No snapshot yet."""
        return {}

    def prepareForTriggerAvailableNow(self) -> None:  # noqa: N802 - Spark's name
        """A run takes one snapshot."""
        self._one_snapshot = True

    def latestOffset(self, start: Offset | None = None, limit: object = None) -> Offset:  # noqa: N802 - Spark's name
        """Takes a snapshot, and gives its version; ``start`` where nothing changed."""
        start = self._place if start is None else start
        if self._one_snapshot and self._taken is not None:
            asked_from, given = self._taken
            if same_offset(start, asked_from):
                return given
            self._remove_all_but(start)
            return start
        given = self._snapshot_behind(start)
        self._taken = start, given
        return given

    def partitions(self, start: Offset, end: Offset) -> Sequence[InputPartition]:
        """What one snapshot changed; with ``readOnDriver`` the rows themselves."""
        # Spark before 4.2 does not tell latestOffset where the stream is.
        self._place = end
        if same_offset(start, end):
            return []
        partitions = [_Changes(self._form.table, SnapshotVersion(self._folder, end["state"]), end["time"])]
        return read_here(partitions, self._form) if self._request.own.read_on_driver else partitions

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The changes, a batch at a time."""
        return read_partition(partition, self._form)

    def _snapshot_behind(self, start: Offset) -> Offset:
        before = SnapshotVersion(self._folder, start["state"]) if start else None
        self._remove_all_but(start)
        stream = start["stream"] if start else secrets.token_hex(4)
        number = start.get("version", 0) + 1
        time = self._time_after(start)
        version = SnapshotVersion(self._folder, f"{stream}-{number}-{secrets.token_hex(4)}")
        if self._write(version, before):
            return {"stream": stream, "version": number, "state": version.name, "time": time}
        version.remove()
        return start

    def _remove_all_but(self, start: Offset) -> None:
        """Removes what is not needed to go on from ``start``, which Spark does when all before is done."""
        if start:
            remove_all_but(SnapshotVersion(self._folder, start["state"]), start["stream"])

    def _write(self, version: SnapshotVersion, before: SnapshotVersion | None) -> int:
        request, table = self._request, self._form.table
        connector, options = request.connect(), request.table_options(table)
        metadata = checked_metadata(connector, table, options)
        if metadata["ingestion_type"] != "snapshot":
            raise OptionError(
                f"the option snapshotChanges: the table '{table}' is no snapshot, but '{metadata['ingestion_type']}'",
                hint="leave the option out: a stream of this table has what changed",
            )
        names = request.own.primary_keys or metadata.get("primary_keys")
        if not names:
            raise OptionError(
                f"the table '{table}' names no primary keys, and rows cannot be told apart without",
                hint="give the option primaryKeys",
            )
        ours = {*CHANGE_COLUMNS.fieldNames(), self._form.rescued_column}
        columns = StructType([field for field in self._form.schema.fields if field.name not in ours])
        records = read_all(connector, table, options)
        return write_version(
            version,
            records if request.own.allow_empty_snapshot else not_empty(records, table),
            before=before,
            table=table,
            keys=KeyColumns(table, columns, names),
            # What is in no column is kept where there is a column for it.
            columns=None if self._form.rescued_column else columns.fieldNames(),
        )

    def _time_after(self, start: Offset) -> str:
        now = self._now()
        if start:
            now = max(now, datetime.fromisoformat(start["time"]) + timedelta(microseconds=1))
        return now.isoformat(timespec="microseconds")
