"""Small connectors over a folder, which stands for a system that other programs write to.

A table is a file ``<table>.json`` in the folder of the option ``sourceFolder``: ``{"rows": […], "deleted": […]}``.
Each row has a whole number ``seq`` that grows with every change; rows of one number belong together. Whoever was asked
what, and in which process, is a line of ``asked.jsonl``.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, SupportsIndex

from pyspark.sql.types import LongType, StringType, StructField, StructType

from connector_lib.connector.interface import LakeflowConnect, Offset, Record, TableMetadata, TableOptions, check_table
from connector_lib.connector.options import Options, SecretStr
from connector_lib.errors import ApiError

KINDS: dict[str, TableMetadata] = {
    "visits": {"primary_keys": ["id"], "cursor_field": "seq", "ingestion_type": "cdc_with_deletes"},
    "log": {"cursor_field": "seq", "ingestion_type": "append"},
    "rooms": {"primary_keys": ["id"], "ingestion_type": "snapshot"},
}


class CallsSource(LakeflowConnect):
    """The five methods, and no more. What is in the folder when it is made is its bound."""

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        # In this writing: Spark lower-cases the names of options.
        self.folder = Path(options["sourceFolder"])
        self.bounds = {table: self._newest(table) for table in KINDS}

    def list_tables(self) -> list[str]:
        return list(KINDS)

    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        check_table(table_name, self.list_tables(), "folder")
        return StructType(
            [
                StructField("id", LongType(), nullable=False),
                StructField("name", StringType(), nullable=False),
                StructField("seq", LongType(), nullable=False),
            ]
        )

    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        check_table(table_name, self.list_tables(), "folder")
        return KINDS[table_name]

    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        check_table(table_name, self.list_tables(), "folder")
        return self._page(table_name, "rows", start_offset, table_options)

    def read_table_deletes(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        check_table(table_name, self.list_tables(), "folder")
        return self._page(table_name, "deleted", start_offset, table_options)

    def _page(
        self, table: str, part: str, start: Offset | None, options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        after = (start or {}).get("seq", 0)
        size = int(options["pageSize"]) if "pageSize" in options else 10
        rows = self._between(table, part, after, self.bounds[table])
        # Rows of one number stay together, so that the number is a place between two rows.
        last = rows[min(size, len(rows)) - 1]["seq"] if rows else after
        self._note(f"call {part}", table, after)
        return self._given(table, part, after, last), ({"seq": last} if rows else (start or {}))

    def _given(self, table: str, part: str, after: int, last: int) -> Iterator[Record]:
        for row in self._between(table, part, after, last):
            self._note(f"read {part}", table, row["seq"])
            yield row

    def _between(self, table: str, part: str, after: int, last: int) -> list[Record]:
        rows = [row for row in self._content(table)[part] if after < row["seq"] <= last]
        return sorted(rows, key=lambda row: (row["seq"], str(row["id"])))

    def _content(self, table: str) -> dict[str, list[Record]]:
        file = self.folder / f"{table}.json"
        content: dict[str, list[Record]] = {"rows": [], "deleted": []}
        return {**content, **json.loads(file.read_text())} if file.exists() else content

    def _newest(self, table: str) -> int:
        return max((row["seq"] for part in self._content(table).values() for row in part), default=0)

    def _note(self, what: str, table: str, number: int) -> None:
        line = {"asked": what, "table": table, "number": number, "process": os.getpid()}
        with (self.folder / "asked.jsonl").open("a") as lines:
            lines.write(json.dumps(line) + "\n")


class BoundedSource(CallsSource):
    """One that can read up to a place of an earlier run."""

    def latest_offset(self, table_name: str, table_options: TableOptions, start_offset: Offset | None = None) -> Offset:
        newest = self.bounds[table_name]
        return {"seq": newest} if newest > (start_offset or {}).get("seq", 0) else (start_offset or {})

    def read_table_between(
        self,
        table_name: str,
        start_offset: Offset | None,
        end_offset: Offset,
        table_options: TableOptions,
        *,
        deletes: bool = False,
    ) -> Iterator[Record]:
        part = "deleted" if deletes else "rows"
        return self._given(table_name, part, (start_offset or {}).get("seq", 0), end_offset["seq"])


class DividedSource(BoundedSource):
    """One that is read in parts, by odd and even ids. With ``parts=refused`` it may not say which."""

    def is_partitioned(self, table_name: str, table_options: TableOptions) -> bool:
        return True

    def get_partitions(
        self,
        table_name: str,
        table_options: TableOptions,
        start_offset: Offset | None = None,
        end_offset: Offset | None = None,
    ) -> list[dict[str, Any]]:
        if table_options.get("parts") == "refused":
            raise ApiError("GET https://folder.example/parts answered 403", status=403)
        last = end_offset["seq"] if end_offset else self.bounds[table_name]
        after = (start_offset or {}).get("seq", 0)
        return [{"remainder": remainder, "after": after, "last": last} for remainder in (0, 1)]

    def read_partition(
        self, table_name: str, partition: Mapping[str, Any], table_options: TableOptions
    ) -> Iterator[Record]:
        rows = self._given(table_name, "rows", partition["after"], partition["last"])
        return (row for row in rows if row["id"] % 2 == partition["remainder"])


class StuckSource(CallsSource):
    """Gives rows, and an offset that does not move."""

    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        return iter([{"id": 1, "name": "ann", "seq": 1}]), start_offset or {}


class NoOffsetSource(CallsSource):
    """Gives no offset when its API fails, "so that the pipeline does not crash"."""

    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        nothing: Any = None
        return iter(()), nothing


class CircleSource(CallsSource):
    """Comes back to where it was."""

    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        page = (start_offset or {}).get("page", 0)
        return iter([{"id": page, "name": "ann", "seq": page}]), {"page": page % 3 + 1}


class LockingSource(CallsSource):
    """Cannot be sent to a worker."""

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self.lock = threading.Lock()


class TellingSource(CallsSource):
    """Cannot be sent to a worker, and shows its secret when it is tried."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("cannot pickle the token hush")


class DeclaringSource(CallsSource):
    """Says which options it takes."""

    class ConnectionOptions(Options):
        source_folder: Path
        token: SecretStr | None = None

    class TableOptions(Options):
        page_size: int = 10

    connection_options = ConnectionOptions
    table_options = TableOptions
