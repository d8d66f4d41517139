"""A source that is a file, and the connector that reads it: sound, in batches of three, with all that a connector may
add. What is broken derives from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pyspark.sql.types import LongType, StringType, StructField, StructType

from connector_lib.connector.interface import LakeflowConnect, Offset, Record, TableMetadata, TableOptions, check_table
from connector_lib.connector.options import Field, Options, SecretStr

SCHEMA = StructType(
    [StructField("id", StringType()), StructField("changed", LongType()), StructField("ward", StringType())]
)
KINDS = {"visits": "cdc_with_deletes", "labs": "cdc", "notes": "append", "wards": "snapshot"}


class Journal:
    """Tables in a file, which has what ``fill`` puts into them to begin with. Each call takes the next number as its
    time."""

    def __init__(self, path: Path, fill: Callable[[Journal], None]) -> None:
        self.path = path
        self._content: dict[str, Any] = {
            "clock": 0,
            "records": {name: [] for name in KINDS},
            "deletes": {name: [] for name in KINDS},
        }
        self._filling = True
        fill(self)
        self._filling = False
        self._save()

    def put(self, table: str, *records: Record) -> None:
        content, replaced = self._next(), {record["id"] for record in records}
        kept = [old for old in content["records"][table] if old["id"] not in replaced]
        content["records"][table] = [*kept, *({**record, "changed": content["clock"]} for record in records)]
        self._save()

    def delete(self, table: str, key: str) -> None:
        content = self._next()
        content["records"][table] = [record for record in content["records"][table] if record["id"] != key]
        content["deletes"][table].append({"id": key, "changed": content["clock"]})
        self._save()

    def records(self, table: str) -> list[Record]:
        return list(self._content["records"][table])

    def deletes(self, table: str) -> list[Record]:
        return list(self._content["deletes"][table])

    def _next(self) -> dict[str, Any]:
        self._content["clock"] += 1
        return self._content

    def _save(self) -> None:
        if not self._filling:
            self.path.write_text(json.dumps(self._content))


class JournalOptions(Options):
    path: Path = Field(description="The file")
    password: SecretStr | None = Field(None, description="What opens it")


class JournalTableOptions(Options):
    batch: int = Field(3, ge=1, description="Records of one call")


class JournalSource(LakeflowConnect):
    connection_options: ClassVar[type[Any] | None] = JournalOptions
    table_options: ClassVar[type[Any] | None] = JournalTableOptions

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self.path = JournalOptions.read(options, where="journal").path
        self.bound = self.clock()

    def list_tables(self) -> list[str]:
        return list(KINDS)

    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        self.check(table_name)
        return SCHEMA

    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        self.check(table_name)
        metadata: dict[str, Any] = {"primary_keys": ["id"], "ingestion_type": KINDS[table_name]}
        if table_name != "wards":
            metadata["cursor_field"] = "changed"
        return metadata  # type: ignore[return-value]

    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        self.check(table_name)
        start = start_offset or {}
        if table_name == "wards":
            whole = {"whole": self.bound}
            return (iter(()), start) if start == whole else (iter(self.rows("records", table_name, {})), whole)
        return self.batch(self.rows("records", table_name, start), start, table_options)

    def read_table_deletes(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        self.check(table_name)
        return self.batch(self.rows("deletes", table_name, start_offset or {}), start_offset or {}, table_options)

    def latest_offset(self, table_name: str, table_options: TableOptions, start_offset: Offset | None = None) -> Offset:
        self.check(table_name)
        if table_name == "wards":
            return {"whole": self.bound}
        rows = self.rows("records", table_name, start_offset or {})
        return self.place(rows[-1]) if rows else start_offset or {}

    def read_table_between(
        self,
        table_name: str,
        start_offset: Offset | None,
        end_offset: Offset,
        table_options: TableOptions,
        *,
        deletes: bool = False,
    ) -> Iterator[Record]:
        rows = self.rows("deletes" if deletes else "records", table_name, start_offset or {})
        if table_name == "wards":
            return iter(rows)
        return (row for row in rows if (row["changed"], row["id"]) <= (end_offset["at"], end_offset["id"]))

    # What is broken changes one of these.

    def check(self, table: str) -> None:
        check_table(table, self.list_tables(), "journal")

    def clock(self) -> int:
        return int(json.loads(self.path.read_text())["clock"])

    def rows(self, kind: str, table: str, start: Offset) -> list[Record]:
        """Behind the start, up to the bound, by time and key."""
        content: list[Record] = json.loads(self.path.read_text())[kind][table]
        behind = [row for row in content if self.is_behind(row, start) and row["changed"] <= self.bound]
        return sorted(behind, key=lambda row: (row["changed"], row["id"]))

    def is_behind(self, row: Record, start: Offset) -> bool:
        return "at" not in start or (row["changed"], row["id"]) > (start["at"], start["id"])

    def batch(self, rows: list[Record], start: Offset, options: TableOptions) -> tuple[Iterator[Record], Offset]:
        batch = rows[: JournalTableOptions.read(options, where="journal").batch]
        return (iter(batch), self.place(batch[-1])) if batch else (iter(()), start)

    def place(self, row: Record) -> Offset:
        return {"at": row["changed"], "id": row["id"]}
