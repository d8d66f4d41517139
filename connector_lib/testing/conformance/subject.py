"""What an author says of a connector, so that it can be checked."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Final, NoReturn

import pytest

from connector_lib.connector.interface import LakeflowConnect, Offset, Record, TableMetadata, TableOptions
from connector_lib.connector.reading import ReadStep, read_steps
from connector_lib.errors import ContractError
from connector_lib.testing.api_server import ApiServer

__all__ = ["NOT_PICKLED", "Subject", "pickled_copy", "value_at"]

_LONGEST: Final = 1000
"""Calls of read_table after which a read of a sample counts as endless."""


class Subject:
    """The connector, its sample data, and what the checks ask of them.

    :meth:`connector` and :meth:`expected` have to be written. With :meth:`change`, ``server`` and ``secrets`` the
    checks that need them run as well; without, they are skipped and say what they miss.
    """

    tables: ClassVar[Sequence[str]] = ()
    """The tables to check; all that the connector lists where nothing is said."""
    table_options: ClassVar[Mapping[str, TableOptions]] = {}
    """The options to read a table with, by its name. Small pages and batches show more."""
    empty_columns: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Columns for which the sample has no value in any record, by table."""
    secrets: ClassVar[Sequence[str]] = ()
    """Passwords, tokens and keys that the connector is given: they must show nowhere."""
    server: ApiServer | None = None
    """The server that the connector reads from, to fail on demand."""

    def connector(self) -> LakeflowConnect:
        """A new connector, as for a new run. Where it waits before it tries again, give it a clock that does not."""
        raise NotImplementedError(f"{type(self).__name__} does not say how its connector is made: write connector()")

    def expected(self, table: str) -> Sequence[Record]:
        """The records that the source has now, as the connector should give them."""
        raise NotImplementedError(f"{type(self).__name__} does not say what is in its source: write expected()")

    def expected_deletes(self, table: str) -> Sequence[Record]:
        """The records that were deleted in the source so far: keys and cursors at least."""
        raise NotImplementedError(
            f"{type(self).__name__} has a table with deletes, and does not say which: write expected_deletes()"
        )

    def change(self, table: str) -> None:
        """Changes the source: a new record, a changed one, and where the table has deletes, a deleted one."""
        pytest.skip("the source does not change: write change()")

    # What the checks share.

    def checked_tables(self, *types: str) -> list[str]:
        """The tables to check; those of some ingestion types where any are given. None of them: skips the check."""
        connector = self.connector()
        tables = list(self.tables or connector.list_tables())
        assert tables, "the connector lists no tables"
        chosen = [table for table in tables if not types or self.metadata(connector, table)["ingestion_type"] in types]
        if not chosen:
            pytest.skip(f"no table is of the type {' or '.join(types)}")
        return chosen

    def options(self, table: str) -> TableOptions:
        """The options that a table is read with."""
        return self.table_options.get(table, {})

    def metadata(self, connector: LakeflowConnect, table: str) -> TableMetadata:
        """What the connector says of a table."""
        return connector.read_table_metadata(table, self.options(table))

    def steps(
        self, connector: LakeflowConnect, table: str, start: Offset | None = None, *, deletes: bool = False
    ) -> Iterator[ReadStep]:
        """The calls of a read to the end; one that has no end fails."""
        for number, step in enumerate(
            read_steps(connector, table, self.options(table), start, deletes=deletes), start=1
        ):
            assert number < _LONGEST, f"the table '{table}' is not read to its end after {_LONGEST} calls"
            yield step

    def read(
        self, connector: LakeflowConnect, table: str, start: Offset | None = None, *, deletes: bool = False
    ) -> tuple[list[Record], Offset]:
        """All records behind ``start``, and the offset behind them. A broken rule ends this check as skipped, for
        another check is about it."""
        end: Offset = start or {}
        records: list[Record] = []
        try:
            for step in self.steps(connector, table, start, deletes=deletes):
                records.extend(step.records)
                end = step.end
        except ContractError as error:
            pytest.skip(f"the read breaks a rule, which another check shows: {error.message}")
        return records, end

    def reads_deletes(self, connector: LakeflowConnect) -> bool:
        """Whether the connector has a ``read_table_deletes`` of its own."""
        own = getattr(type(connector), "read_table_deletes", None)
        return own is not None and own is not LakeflowConnect.read_table_deletes

    def tables_with_deletes(self, connector: LakeflowConnect) -> list[str]:
        """The tables whose deletes can be read. None of them: skips the check."""
        tables = self.checked_tables("cdc_with_deletes")
        if not self.reads_deletes(connector):
            pytest.skip("read_table_deletes is not written, which another check shows")
        return tables

    def copy(self, connector: LakeflowConnect) -> Any:
        """A copy as a worker gets it. None to be had: skips the check."""
        try:
            return pickled_copy(connector)
        except NOT_PICKLED:
            pytest.skip(f"{type(connector).__name__} does not pickle, which another check shows")

    def key(self, metadata: TableMetadata, record: Record) -> tuple[Any, ...]:
        """The key of a record, something that can be compared."""
        return tuple(repr(value_at(record, name)) for name in metadata.get("primary_keys", []))

    @contextmanager
    def raising(self, *kinds: type[Exception], doing: str) -> Iterator[None]:
        """Fails where nothing is raised, or something else."""
        try:
            yield
        except kinds:
            return
        except Exception as error:  # noqa: BLE001 - it is what the check is about
            _fail(f"{doing} raises {type(error).__name__}, and should raise {kinds[0].__name__}")
        _fail(f"{doing} raises nothing, and should raise {kinds[0].__name__}")


NOT_PICKLED: Final = (pickle.PicklingError, TypeError, AttributeError)
"""What pickling raises for what cannot be pickled."""


def pickled_copy(connector: LakeflowConnect) -> LakeflowConnect:
    """What a worker gets. Raises one of :data:`NOT_PICKLED`."""
    copy: LakeflowConnect = pickle.loads(pickle.dumps(connector))  # noqa: S301 - what was made here
    return copy


def value_at(record: Mapping[str, Any], name: str) -> Any:
    """The value of a column, nested ones with dots."""
    if name in record:
        return record[name]
    found: Any = record
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _fail(message: str) -> NoReturn:
    raise AssertionError(message)
