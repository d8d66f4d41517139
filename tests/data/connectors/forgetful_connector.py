"""A connector that is sound in the process that made it, and has lost half of its records in any other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from pyspark.sql.types import LongType, StringType, StructField, StructType

from connector_lib.connector.interface import LakeflowConnect, Offset, Record, TableMetadata, TableOptions, check_table

RECORDS: list[Record] = [{"id": f"visit {number}", "changed": number} for number in range(10)]


class ForgetfulSource(LakeflowConnect):
    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self.made_in = os.getpid()
        self.records = RECORDS

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        if self.made_in != os.getpid():
            self.records = RECORDS[::2]

    def list_tables(self) -> list[str]:
        return ["visits"]

    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        check_table(table_name, self.list_tables(), "forgetful")
        return StructType([StructField("id", StringType()), StructField("changed", LongType())])

    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        check_table(table_name, self.list_tables(), "forgetful")
        return {"primary_keys": ["id"], "cursor_field": "changed", "ingestion_type": "cdc"}

    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        check_table(table_name, self.list_tables(), "forgetful")
        end = {"until": len(RECORDS)}
        return (iter(()), end) if start_offset == end else (iter(self.records), end)
