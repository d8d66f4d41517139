"""What a connector is: five methods, and three things that it may add.

A connector reads one system. It is made from the options of a connection, has tables, and gives records: JSON objects
as the API sent them. It needs no Spark to do so; :meth:`LakeflowConnect.get_table_schema` alone gives a Spark type.

The rules, which :mod:`connector_lib.testing` checks:

- An **offset** is a JSON object. ``None`` and ``{}`` both mean "from the start"; no method ever gives ``None``.
- A returned offset equal to the start offset means "no more data", and then there are no records. Records mean that
  the offset moved.
- A **snapshot** read is the whole table or an error, however many calls it takes.
- An **incremental** read has an upper bound, frozen when the connector is made. Calls follow one another until the
  offset stands still, and then everything below the bound has been given.
- The same call on the same connector, or on a copy that was pickled, gives the same offset.
- Records that share the cursor's value at a border are neither lost nor doubled. Where keys decide (cdc), a record may
  be given again by the next read; a source of which that is true has to hold such records back for tables that are
  appended to (the option ``appendOnly`` of the data source reaches a table option ``hold_back``, where there is one).
- A failure raises. An iterator that ends has given everything.
- Every method refuses an unknown table with :class:`~connector_lib.errors.UnknownTableError`, a ``ValueError``.
- A connector pickles: Spark sends it to its workers.

The names are those of Databricks' Lakeflow community connectors. An API that can be asked for a window of time is
written most shortly as a :class:`BoundedConnector`. A class need not inherit from either: one that has the five methods
of :class:`LakeflowConnect` will do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, TypedDict, runtime_checkable

from connector_lib.errors import ContractError, UnknownTableError, did_you_mean

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

__all__ = [
    "INGESTION_TYPES",
    "BoundedConnector",
    "BoundedReads",
    "ChecksConnection",
    "IngestionType",
    "LakeflowConnect",
    "Namespaces",
    "Offset",
    "Partitions",
    "Record",
    "TableMetadata",
    "TableOptions",
    "check_table",
]

Record: TypeAlias = dict[str, Any]
"""One JSON object, as the API sent it."""
Offset: TypeAlias = dict[str, Any]
"""How far a read came: a JSON object that only its connector understands. ``{}`` is the start."""
TableOptions: TypeAlias = Mapping[str, str]
"""Options of one table, text by name. Spark hands them over in lower case: names are compared without case."""
IngestionType: TypeAlias = Literal["snapshot", "cdc", "cdc_with_deletes", "append"]

INGESTION_TYPES: tuple[IngestionType, ...] = ("snapshot", "cdc", "cdc_with_deletes", "append")


class TableMetadata(TypedDict, total=False):
    """How a table is kept up to date.

    ``primary_keys`` and ``cursor_field`` are column names, nested ones with dots (``meta.lastUpdated``). A snapshot
    has no ``cursor_field``, and a table to append to needs no ``primary_keys``.
    """

    primary_keys: list[str]
    cursor_field: str
    ingestion_type: IngestionType


class LakeflowConnect(ABC):
    """One system that tables are read from.

    ``options`` are those of the connection, text by name, compared without case. A class that reads them by a model of
    :mod:`connector_lib.connector.options` names it in ``connection_options``, and that of its tables in
    ``table_options``: then wrong options are refused before anything is read, and commands can list them.
    """

    connection_options: ClassVar[type[Any] | None] = None
    table_options: ClassVar[type[Any] | None] = None

    def __init__(self, options: Mapping[str, str]) -> None:
        self.options = dict(options)

    @abstractmethod
    def list_tables(self) -> list[str]:
        """The names of all tables."""

    @abstractmethod
    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        """The columns of a table, nested as the records are. Whole numbers are ``LongType``, objects ``StructType``."""

    @abstractmethod
    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        """How a table is kept up to date."""

    @abstractmethod
    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        """Records behind ``start_offset``, page by page as they are asked for, and the offset behind the last."""

    def read_table_deletes(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        """Records that were deleted, with at least the primary keys and the cursor. For ``cdc_with_deletes``."""
        raise ContractError(
            f"{type(self).__name__} says that the table '{table_name}' has deletes, and does not read them",
            hint="write read_table_deletes, or give the ingestion type 'cdc'",
        )


@runtime_checkable
class BoundedReads(Protocol):
    """A connector that can read up to a given offset, so that a batch read again after a crash is the same batch.

    Without it, such a batch may hold newer records as well. That does no harm where keys decide (cdc, snapshot); a
    table of the type ``append`` ends with an error then, rather than with records twice.
    """

    @abstractmethod
    def latest_offset(self, table_name: str, table_options: TableOptions, start_offset: Offset | None = None) -> Offset:
        """The bound of this connector: where a read that begins now will end. ``start_offset`` where nothing is new.

        The bound of deletes is the same."""
        ...

    @abstractmethod
    def read_table_between(
        self,
        table_name: str,
        start_offset: Offset | None,
        end_offset: Offset,
        table_options: TableOptions,
        *,
        deletes: bool = False,
    ) -> Iterator[Record]:
        """Records behind ``start_offset`` up to ``end_offset``, which may be from an earlier run; with ``deletes``
        those that were deleted."""
        ...


class BoundedConnector(LakeflowConnect, BoundedReads):
    """A connector whose reads are made of its two bounded methods, ``latest_offset`` and ``read_table_between``.

    ``latest_offset`` has to refuse an unknown table: both reads ask it first.

    >>> class Tower(BoundedConnector):
    ...     def list_tables(self): return ["strokes"]
    ...     def get_table_schema(self, table_name, table_options): ...
    ...     def read_table_metadata(self, table_name, table_options): return {"ingestion_type": "append"}
    ...     def latest_offset(self, table_name, table_options, start_offset=None): return {"hour": 3}
    ...     def read_table_between(self, table_name, start_offset, end_offset, table_options, *, deletes=False):
    ...         return ({"hour": hour} for hour in range(start_offset.get("hour", 0), end_offset["hour"]))
    >>> records, offset = Tower({}).read_table("strokes", {"hour": 1}, {})
    >>> list(records), offset
    ([{'hour': 1}, {'hour': 2}], {'hour': 3})
    """

    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        """The records from ``start_offset`` to the bound, which is the offset behind them."""
        return self._read_to_bound(table_name, start_offset, table_options, deletes=False)

    def read_table_deletes(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        """What was deleted from ``start_offset`` to the bound."""
        return self._read_to_bound(table_name, start_offset, table_options, deletes=True)

    def _read_to_bound(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions, *, deletes: bool
    ) -> tuple[Iterator[Record], Offset]:
        start = start_offset or {}
        end = self.latest_offset(table_name, table_options, start)
        if end == start:
            return iter(()), start
        return self.read_table_between(table_name, start, end, table_options, deletes=deletes), end


@runtime_checkable
class Partitions(Protocol):
    """A connector whose tables can be read in parts, by several workers at once. Never used for deletes."""

    def is_partitioned(self, table_name: str, table_options: TableOptions) -> bool:
        """Whether this table is read in parts."""
        ...

    def get_partitions(
        self,
        table_name: str,
        table_options: TableOptions,
        start_offset: Offset | None = None,
        end_offset: Offset | None = None,
    ) -> list[dict[str, Any]]:
        """The parts, JSON objects: of the whole table, or of what lies between two offsets."""
        ...

    def read_partition(
        self, table_name: str, partition: Mapping[str, Any], table_options: TableOptions
    ) -> Iterator[Record]:
        """The records of one part."""
        ...


@runtime_checkable
class Namespaces(Protocol):
    """A connector whose tables are grouped, as bases, schemas or sites."""

    def list_namespaces(self, prefix: str = "") -> list[str]:
        """The names of the groups that begin with ``prefix``."""
        ...

    def list_tables_in_namespace(self, namespace: str) -> list[str]:
        """The tables of one group."""
        ...


@runtime_checkable
class ChecksConnection(Protocol):
    """A connector that can try its connection without reading a table."""

    def check_connection(self) -> str:
        """One line on what answered, such as its product and version. Raises where nothing does."""
        ...


def check_table(table_name: str, tables: list[str], source: str) -> None:
    """Refuses a table that is not one of ``tables``.

    >>> check_table("pateints", ["patients"], "clinic")
    Traceback (most recent call last):
    connector_lib.errors.UnknownTableError: the source 'clinic' has no table 'pateints'
      did you mean 'patients'? tables: patients
    """
    if table_name in tables:
        return
    shown = ", ".join(tables[:20]) + (f" and {len(tables) - 20} more" if len(tables) > 20 else "")
    raise UnknownTableError(
        f"the source '{source}' has no table '{table_name}'",
        hint=f"{did_you_mean(table_name, tables)}tables: {shown}",
    )
