"""A connector for tests: the tables of a JSON file, in which every change of a source is written down.

``{"patients": {"metadata": {…}, "columns": {…}, "records": […], "deletes": […]}}``: ``columns`` is a Spark type as
JSON, ``records`` what was written to the table in the order of writing (of a snapshot, what is in it), ``deletes`` the
deleted. An offset counts what was read. The file is read when the connector is made, so that its end is the bound.
Where a table has ``"fails_after": n``, a read of it ends with an error behind the n-th record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyspark.sql.types import StructType

from connector_lib.connector.interface import LakeflowConnect, Offset, Record, TableMetadata, TableOptions, check_table
from connector_lib.connector.options import Options, SecretStr
from connector_lib.errors import ApiError


class JournalOptions(Options):
    file: str
    password: SecretStr | None = None
    refuses: bool = False


class JournalTableOptions(Options):
    only: str | None = None


class JournalSource(LakeflowConnect):
    connection_options = JournalOptions
    table_options = JournalTableOptions

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        given = JournalOptions.read(options, where="journal")
        self._refuses = given.refuses
        self._tables: dict[str, Any] = json.loads(Path(given.file).read_text(encoding="utf-8"))

    def list_tables(self) -> list[str]:
        return sorted(self._tables)

    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        return StructType.fromJson(self._table(table_name)["columns"])

    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        metadata: TableMetadata = self._table(table_name)["metadata"]
        return metadata

    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        if self._refuses:
            raise ApiError("GET http://journal.example/records: 401", hint="is the password right?", status=401)
        records, end = self._behind(table_name, "records", start_offset)
        return self._given(table_name, records, table_options), end

    def read_table_deletes(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        records, end = self._behind(table_name, "deletes", start_offset)
        return iter(records), end

    def _behind(self, table: str, what: str, start: Offset | None) -> tuple[list[Record], Offset]:
        written: list[Record] = self._table(table).get(what, [])
        read = (start or {}).get(what, 0)
        return written[read:], {what: len(written)} if written else {}

    def _given(self, table: str, records: list[Record], options: TableOptions) -> Iterator[Record]:
        fails_after = self._table(table).get("fails_after")
        only = JournalTableOptions.read(options, where="journal").only
        records = [record for record in records if only in (None, record.get("kind"))]
        yield from records[:fails_after]
        if fails_after is not None and fails_after < len(records):
            raise ApiError("GET http://journal.example/records?page=2: 503", hint="try again", status=503)

    def _table(self, name: str) -> dict[str, Any]:
        check_table(name, self.list_tables(), "journal")
        table: dict[str, Any] = self._tables[name]
        return table


class BoundedJournalSource(JournalSource):
    """The same, which can be read up to a given offset."""

    def latest_offset(self, table_name: str, table_options: TableOptions, start_offset: Offset | None = None) -> Offset:
        written = self._table(table_name)
        return {what: len(written.get(what, [])) for what in ("records", "deletes")}

    def read_table_between(
        self,
        table_name: str,
        start_offset: Offset | None,
        end_offset: Offset,
        table_options: TableOptions,
        *,
        deletes: bool = False,
    ) -> Iterator[Record]:
        what = "deletes" if deletes else "records"
        written = self._table(table_name).get(what, [])
        return self._given(
            table_name,
            written[(start_offset or {}).get(what, 0) : end_offset[what]],
            {} if deletes else table_options,
        )
