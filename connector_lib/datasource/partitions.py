"""What a worker is asked to read. Each partition says it all, so that a worker needs nothing else.

A partition carries a copy of the connector that gave its offsets, for a connector without
:class:`~connector_lib.connector.interface.BoundedReads` gives the same records by the same connector only. Secrets of
a connection go to the workers inside of it; Spark keeps it in memory, never in a plan, a log or a checkpoint.
"""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql.datasource import InputPartition

from connector_lib.connector.interface import (
    BoundedReads,
    LakeflowConnect,
    Offset,
    Partitions,
    Record,
    TableOptions,
)
from connector_lib.connector.reading import read_all, read_steps, same_offset
from connector_lib.datasource.batches import BatchForm, packed, unpacked
from connector_lib.errors import ContractError, OffsetError, SourceError

__all__ = [
    "Part",
    "ReadBetween",
    "ReadRows",
    "ReadWhole",
    "RecordsPartition",
    "for_workers",
    "not_empty",
    "parts_of",
    "read_here",
    "read_partition",
]


class RecordsPartition(InputPartition, ABC):
    """A partition that gives records."""

    table: str

    @abstractmethod
    def records(self) -> Iterator[Record]:
        """The records, read as they are asked for."""

    def __repr__(self) -> str:
        # A connector has secrets, a partition of one may have: neither belongs into a log.
        return f"{type(self).__name__}(table={self.table!r})"


@dataclass(frozen=True, repr=False)
class ReadWhole(RecordsPartition):
    """A whole table, or all that was deleted of it. Without rows it is an error where ``empty_refused``."""

    connector: LakeflowConnect
    table: str
    options: TableOptions
    deletes: bool = False
    empty_refused: bool = False

    def records(self) -> Iterator[Record]:
        """All of them, call by call until the offset stands still."""
        records = read_all(self.connector, self.table, self.options, deletes=self.deletes)
        return not_empty(records, self.table) if self.empty_refused else records


@dataclass(frozen=True, repr=False)
class ReadBetween(RecordsPartition):
    """What is behind ``start`` up to ``end``. ``exactly`` says that a record too many does harm."""

    connector: LakeflowConnect
    table: str
    options: TableOptions
    start: Offset
    end: Offset
    deletes: bool
    exactly: bool

    def records(self) -> Iterator[Record]:
        """All of them; more of them where the connector cannot stop at ``end``, and that does no harm.

        Raises OffsetError where it does.
        """
        if isinstance(self.connector, BoundedReads):
            yield from self.connector.read_table_between(
                self.table, self.start, self.end, self.options, deletes=self.deletes
            )
            return
        for step in read_steps(self.connector, self.table, self.options, self.start, deletes=self.deletes):
            yield from step.records
            if same_offset(step.end, self.end):
                return
        # A batch is read again after a crash. This connector does not come by the place where it ended then, and was
        # read to its own end instead: what is too much comes again with the next batch.
        if self.exactly:
            raise OffsetError(
                f"a batch of the table '{self.table}' was interrupted, and the source cannot give it again as it was",
                hint="its records would be in the table twice: run with a full refresh. A connector that has "
                "latest_offset and read_table_between can go on instead",
            )


@dataclass(frozen=True, repr=False)
class Part(RecordsPartition):
    """One part of a table that its connector divides."""

    connector: LakeflowConnect
    table: str
    options: TableOptions
    part: dict[str, Any]

    def records(self) -> Iterator[Record]:
        """The records of the part."""
        divided: Any = self.connector
        yield from divided.read_partition(self.table, self.part, self.options)


class ReadRows(InputPartition):
    """Rows that were read on the driver: Arrow batches, packed."""

    def __init__(self, table: str, data: bytes) -> None:
        self.table = table
        self.data = data

    def __repr__(self) -> str:
        return f"ReadRows(table={self.table!r}, bytes={len(self.data)})"


def parts_of(
    connector: LakeflowConnect,
    table: str,
    options: TableOptions,
    start: Offset | None = None,
    end: Offset | None = None,
) -> list[Part] | None:
    """The parts of a table, or of what lies between two offsets; None where its connector does not divide it.

    Raises what the connector raises: an API that refuses to say what parts there are is no empty table.
    """
    if not isinstance(connector, Partitions) or not connector.is_partitioned(table, options):
        return None
    # The offsets are left out where there are none: connectors that know no streams do not take them.
    between = () if end is None else (start, end)
    parts: Any = connector.get_partitions(table, options, *between)
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise ContractError(
            f"the connector {type(connector).__name__} gave no list of objects as the parts of the table '{table}'",
            hint="get_partitions gives a list of dicts, which may be empty",
        )
    return [Part(connector, table, options, part) for part in parts]


def not_empty(records: Iterable[Record], table: str) -> Iterator[Record]:
    """The ``records`` of a snapshot. Raises SourceError where there are none."""
    empty = True
    for record in records:
        empty = False
        yield record
    if empty:
        raise SourceError(
            f"the snapshot of the table '{table}' has no rows",
            hint="taken as it is, it would delete every row that was read before. If the table is empty indeed, set "
            "the option allowEmptySnapshot=true",
        )


def for_workers(partitions: Sequence[RecordsPartition]) -> Sequence[RecordsPartition]:
    """``partitions``, which can be sent to workers. Raises ContractError where their connector cannot."""
    for partition in partitions[:1]:
        try:
            pickle.dumps(partition)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ContractError(
                f"the connector of the table '{partition.table}' cannot be sent to a worker: it does not pickle "
                f"({type(error).__name__})",
                hint="a connector has to pickle: make sessions, locks and open files when they are needed, and leave "
                "them out in __getstate__. Or set the option readOnDriver=true",
                # Without the cause: its text may show what the connector holds.
            ) from None
    return partitions


def read_here(partitions: Iterable[RecordsPartition], form: BatchForm) -> list[InputPartition]:
    """The rows of ``partitions``, read now and in this process, as partitions that carry them. All are in memory."""
    return [
        ReadRows(form.table, data) for partition in partitions for data in packed(form.batches(partition.records()))
    ]


def read_partition(partition: InputPartition, form: BatchForm) -> Iterator[pa.RecordBatch]:
    """The rows of any of these partitions. Spark's own one, which stands for a table without partitions, has none."""
    if isinstance(partition, ReadRows):
        return unpacked(partition.data)
    if isinstance(partition, RecordsPartition):
        return form.batches(partition.records())
    return iter(())
