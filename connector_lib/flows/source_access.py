"""How a pipeline reaches the tables of a connection, on Databricks and elsewhere.

On Databricks the Unity Catalog connection brings its options, secrets among them, into the data source. Elsewhere the
data source reads them from ``connections.yml``: a secret is an option of Spark on neither side.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from pyspark.sql import DataFrame

from connector_lib.connector.connections import (
    CONNECTIONS_VARIABLE,
    Connection,
    find_connections_file,
    load_connection,
)
from connector_lib.connector.interface import TableMetadata
from connector_lib.connector.options import Options, plain_option_name
from connector_lib.connector.registry import load_source
from connector_lib.connector.spec import TableSpec
from connector_lib.datasource.connect import METADATA_TABLE, READ_OPTIONS, ReadRequest
from connector_lib.datasource.metadata_table import checked_metadata
from connector_lib.datasource.source import LakeflowConnectDataSource
from connector_lib.errors import ConfigurationError, ContractError
from connector_lib.flows.local_run import current_local_run
from connector_lib.flows.pipeline_files import find_beside, required_beside
from connector_lib.flows.runtime import active_session, on_databricks, setting, where_to_write
from connector_lib.redaction import secrets_in_options

__all__ = ["CONNECTIONS_SETTING", "STATE_SETTING", "SourceAccess", "reach", "state_folder"]

CONNECTIONS_SETTING: Final = "connector.connections"
STATE_SETTING: Final = "connector.state_folder"
_FORMAT: Final = "lakeflow_connect"


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """A way to the tables of one connection; ``options`` say to Spark which."""

    options: Mapping[str, str]

    def stream(self, table: TableSpec, more: Mapping[str, str] | None = None) -> DataFrame:
        """What is new in ``table`` since the last run, as a stream. ``more`` are options of the data source."""
        return active_session().readStream.format(_FORMAT).options(**self._options_of(table, more)).load()

    def whole(self, table: TableSpec) -> DataFrame:
        """All of ``table``, as a batch."""
        return active_session().read.format(_FORMAT).options(**self._options_of(table, None)).load()

    def metadata(self, tables: Sequence[TableSpec]) -> list[TableMetadata]:
        """How the source says that each of ``tables`` is kept. For module level of a pipeline file.

        Raises what the source raises, :class:`~connector_lib.errors.UnknownTableError` among it; on Databricks within
        an error of Spark.
        """
        if on_databricks():
            return self._metadata_by_spark(tables)
        requests = [ReadRequest.of(self._options_of(table, None)) for table in tables]
        connector = requests[0].connect()
        return [checked_metadata(connector, asked.table, asked.table_options(asked.table)) for asked in requests]

    def _metadata_by_spark(self, tables: Sequence[TableSpec]) -> list[TableMetadata]:
        """Asks the data source, which has the options of the connection, for its table of metadata."""
        found: dict[int, TableMetadata] = {}
        for group in _without_doubles(tables):
            configured = {tables[number].source_table: _for_source(tables[number]) for number in group}
            asked = {
                "tableName": METADATA_TABLE,
                "tableNameList": json.dumps(list(configured)),
                "tableConfigs": json.dumps(configured),
            }
            reader = active_session().read.format(_FORMAT).options(**{**self.options, **asked})
            rows = {row["tableName"]: row.asDict() for row in reader.load().collect()}
            for number in group:
                found[number] = _metadata_of(rows, tables[number].source_table)
        return [found[number] for number in range(len(tables))]

    def _options_of(self, table: TableSpec, more: Mapping[str, str] | None) -> dict[str, str]:
        return {
            **self.options,
            "tableName": table.source_table,
            "tableConfigs": json.dumps({table.source_table: _for_source(table)}),
            **_for_read(table),
            **(more or {}),
        }


def reach(connection: str, connections: str | Path | None, caller: Path | None) -> SourceAccess:
    """The way to ``connection``; registers the data source with Spark. For module level of a pipeline file.

    Outside Databricks the connection is looked up in the file that the run was given, else in ``connections``, in the
    setting ``connector.connections``, in the environment variable ``CONNECTOR_LIB_CONNECTIONS``, or in
    ``connections.yml`` beside the pipeline of ``caller``.

    Raises :class:`~connector_lib.errors.ConfigurationError` where the file, the connection in it, or a variable that
    it names is not there, and :class:`~connector_lib.errors.OptionError` for a wrong option of it.
    """
    active_session().dataSource.register(LakeflowConnectDataSource)
    if on_databricks():
        return SourceAccess({"databricks.connection": connection})
    file = _connections_file(connections, caller)
    _note_secrets(load_connection(file, connection))
    return SourceAccess({"connectionName": connection, "connectionsFile": str(file.absolute())})


def state_folder(table: str) -> Path:
    """The folder in which what is known of the snapshots of ``table`` is kept between runs, outside Databricks.

    Raises :class:`~connector_lib.errors.ConfigurationError` where neither the run nor a setting says where.
    """
    run = current_local_run()
    given = str(run.state_folder) if run is not None else setting(STATE_SETTING)
    if given is None:
        raise ConfigurationError(
            f"the table '{table}' is made of snapshots, and there is no folder to remember the last one in",
            hint=f"run it by 'connector-lib run', or {where_to_write(STATE_SETTING)}, a folder that stays",
        )
    # Escaped, since the name of a table may hold what no name of a file can.
    return Path(given).expanduser().absolute() / f"{quote(table, safe='')}.snapshots"


def _connections_file(connections: str | Path | None, caller: Path | None) -> Path:
    run = current_local_run()
    if run is not None and run.connections is not None:
        return run.connections
    given = connections or setting(CONNECTIONS_SETTING)
    if given is not None:
        return required_beside(given, caller)
    beside = find_beside("connections.yml", caller)
    return find_connections_file(beside if beside is not None and not os.environ.get(CONNECTIONS_VARIABLE) else None)


def _note_secrets(connection: Connection) -> None:
    """Tells the run what to take out of its messages."""
    model: type[Options] | None = getattr(load_source(connection.source), "connection_options", None)
    declared = frozenset[str]()
    if model is not None:
        declared = model.read(connection.options, where=f"connection '{connection.name}'").secret_values()
    run = current_local_run()
    if run is not None:
        run.secrets.update(declared, secrets_in_options(connection.options))


def _without_doubles(tables: Sequence[TableSpec]) -> Iterator[list[int]]:
    """Groups of tables, by number, in which no source table comes twice: its options could differ."""
    left = list(range(len(tables)))
    while left:
        group = list({tables[number].source_table: number for number in reversed(left)}.values())
        yield group
        left = [number for number in left if number not in group]


def _metadata_of(rows: Mapping[str, dict[str, Any]], table: str) -> TableMetadata:
    if table not in rows:
        raise ContractError(
            f"the table '{METADATA_TABLE}' of the data source has no row for '{table}'",
            hint="the source has no table of that name, or another data source is registered as 'lakeflow_connect'",
        )
    row = rows[table]
    return {
        "primary_keys": list(row["primary_keys"] or ()),
        "cursor_field": row["cursor_field"] or "",
        "ingestion_type": row["ingestion_type"],
    }


def _for_source(table: TableSpec) -> dict[str, str]:
    of_the_read = set(map(plain_option_name, READ_OPTIONS))
    return {name: value for name, value in table.options.items() if plain_option_name(name) not in of_the_read}


def _for_read(table: TableSpec) -> dict[str, str]:
    """Options of the data source that stand among those of the table. On Databricks they go beside the connection,
    under the names that its ``externalOptionsAllowList`` has to have."""
    given = {plain_option_name(name): value for name, value in table.options.items()}
    return {name: given[plain_option_name(name)] for name in READ_OPTIONS if plain_option_name(name) in given}
