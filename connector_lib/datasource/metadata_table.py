"""How tables are kept up to date: what a connector says of one, checked, and as the table
``_community_table_metadata``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pyspark.sql.datasource import DataSourceReader, InputPartition
from pyspark.sql.types import ArrayType, StringType, StructField, StructType

from connector_lib.connector.interface import INGESTION_TYPES, LakeflowConnect, TableMetadata, TableOptions
from connector_lib.datasource.connect import ReadRequest
from connector_lib.errors import ContractError, OptionError, did_you_mean

__all__ = ["METADATA_SCHEMA", "MetadataReader", "checked_metadata"]

METADATA_SCHEMA: Final = StructType(
    [
        StructField("tableName", StringType(), nullable=False),
        StructField("primary_keys", ArrayType(StringType()), nullable=True),
        StructField("cursor_field", StringType(), nullable=True),
        StructField("ingestion_type", StringType(), nullable=False),
    ]
)
"""One row a table of ``tableNameList``, in its order. What a table does not have is NULL."""
_METADATA_HINT: Final = "what a connector says of a table is TableMetadata in connector_lib.connector.interface"


def checked_metadata(connector: LakeflowConnect, table: str, options: TableOptions) -> TableMetadata:
    """What ``connector`` says of ``table``. Raises ContractError for what no table can be."""
    metadata: Any = connector.read_table_metadata(table, options)
    where = f"the connector {type(connector).__name__}, on how the table '{table}' is kept up to date,"
    if not isinstance(metadata, dict):
        raise ContractError(f"{where} gave {type(metadata).__name__} instead of a dict", hint=_METADATA_HINT)
    kind = metadata.get("ingestion_type")
    if kind not in INGESTION_TYPES:
        raise ContractError(
            f"{where} gave the ingestion type {kind!r}",
            hint=f"{did_you_mean(str(kind), INGESTION_TYPES)}ingestion types: {', '.join(INGESTION_TYPES)}",
        )
    keys = metadata.get("primary_keys")
    if keys is not None and not (isinstance(keys, list) and all(isinstance(key, str) for key in keys)):
        raise ContractError(f"{where} gave primary_keys that are no list of names", hint=_METADATA_HINT)
    if not isinstance(metadata.get("cursor_field"), str | None):
        raise ContractError(f"{where} gave a cursor_field that is no name", hint=_METADATA_HINT)
    checked: TableMetadata = metadata  # type: ignore[assignment]
    return checked


class MetadataReader(DataSourceReader):
    """Reads ``_community_table_metadata``."""

    def __init__(self, request: ReadRequest) -> None:
        if not request.own.table_name_list:
            raise OptionError(
                f"the table '{request.table}' needs the option tableNameList",
                hint='a JSON array of table names, as ["patients", "visits"]',
            )
        self._request = request

    def partitions(self) -> list[InputPartition]:
        """One partition that has the rows: they are few, and the driver knows the connection."""
        connector = self._request.connect()
        return [InputPartition([self._row(connector, table) for table in self._request.own.table_name_list])]

    def read(self, partition: InputPartition) -> Iterator[tuple[Any, ...]]:
        """The rows."""
        return iter(partition.value)

    def _row(self, connector: LakeflowConnect, table: str) -> tuple[Any, ...]:
        metadata = checked_metadata(connector, table, self._request.table_options(table))
        # An empty list and an empty name are what connectors give that have none.
        return (
            table,
            metadata.get("primary_keys") or None,
            metadata.get("cursor_field") or None,
            metadata["ingestion_type"],
        )
