"""From the options of a read to the connector.

The options of the data source itself are :class:`SourceOptions`; their names are compared without case. All others
are for the connector, and go to it like this:

=====================================  =========================================  ================================
the read has                           options of the connection                  options of the table
=====================================  =========================================  ================================
``connectionName``                     those of ``connections.yml``               ``tableConfigs[tableName]``, and
                                                                                  every other option of the read
no ``connectionName``; on Databricks   every other option of the read, but for    ``tableConfigs[tableName]``, and
it puts those of the connection there  those that the connector's                 those that the connector's
                                       ``table_options`` name                     ``table_options`` name
=====================================  =========================================  ================================

A connector may read what is not sure to be whole yet, and read it again in the next run: keys decide then. One whose
``table_options`` have the option ``hold_back`` gets it as true where ``appendOnly`` is, so that it leaves such rows for
a later run.

A connector that has no ``table_options`` does not say which options are whose. Without ``connectionName`` it gets every
other option of the read in both places, and what ``tableConfigs`` says of a table counts before it.

Which connector it is, says ``sourceName``, or ``source`` in ``connections.yml``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector_lib.connector.connections import find_connections_file, load_connection
from connector_lib.connector.interface import LakeflowConnect, TableOptions
from connector_lib.connector.options import Field, Options, plain_option_name
from connector_lib.connector.registry import load_source
from connector_lib.connector.written_values import option_text
from connector_lib.errors import OptionError

__all__ = ["METADATA_TABLE", "READ_OPTIONS", "OptionsWithoutCase", "ReadRequest", "SourceOptions"]

METADATA_TABLE = "_community_table_metadata"
READ_OPTIONS = ("readOnDriver", "rescuedDataColumn", "batchRows", "allowEmptySnapshot", "appendOnly")
"""What a read may say of how it is done. On Databricks an option passes beside a connection only where the connection's
``externalOptionsAllowList`` names it."""
_HOLD_BACK = "hold_back"
"""The option of a connector that no row is given twice; its own, for ``appendOnly`` is the data source's."""


class _PlatformOptions(Options):
    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        # The base refuses fields that are called as the data source's options. These are those options.
        pass


class SourceOptions(_PlatformOptions):
    """What the data source takes for itself."""

    table_name: str = Field(alias="tableName", description="The table to read")
    table_name_list: list[str] = Field(
        [], alias="tableNameList", description=f"The tables that {METADATA_TABLE} tells about"
    )
    table_configs: dict[str, dict[str, Any]] = Field(
        {}, alias="tableConfigs", description="Options of tables: a JSON object of JSON objects, by table"
    )
    is_delete_flow: bool = Field(False, alias="isDeleteFlow", description="Read what was deleted")
    source_name: str | None = Field(
        None, alias="sourceName", description="The source, as `connector-lib sources` has it"
    )
    connection_name: str | None = Field(None, alias="connectionName", description="The connection, in connections.yml")
    connections_file: Path | None = Field(None, alias="connectionsFile", description="Where connections.yml is")
    read_on_driver: bool = Field(
        False,
        alias="readOnDriver",
        description="Read where the driver runs, for workers that do not reach the source: a whole batch is in the "
        "driver's memory then",
    )
    rescued_data_column: str | None = Field(
        None, alias="rescuedDataColumn", description="Column that keeps, as JSON, what does not fit the columns"
    )
    batch_rows: int = Field(1000, alias="batchRows", ge=1, le=1_000_000, description="Rows that are converted at once")
    append_only: bool = Field(
        False,
        alias="appendOnly",
        description="The rows of a stream are added to a table as they come, so that none may come twice: a batch that "
        "cannot be read again as it was is an error. Tables of the type append always have it",
    )
    snapshot_changes: bool = Field(
        False, alias="snapshotChanges", description="Stream what changed since the last snapshot"
    )
    primary_keys: list[str] = Field([], alias="primaryKeys", description="The columns that tell the rows of a snapshot")
    state_folder: Path | None = Field(
        None, alias="stateFolder", description="Folder for what is known of the last snapshot"
    )
    allow_empty_snapshot: bool = Field(
        False, alias="allowEmptySnapshot", description="Take a snapshot without rows for what it says: all was deleted"
    )


class OptionsWithoutCase(dict[str, str]):
    """Options that are found in any case, and with or without ``_``, since Spark hands ``baseUrl`` over as ``baseurl``.

    >>> options = OptionsWithoutCase({"baseurl": "https://clinic.example"})
    >>> options["baseUrl"], options.get("Token"), "base_url" in options
    ('https://clinic.example', None, True)
    """

    def __missing__(self, name: str) -> str:
        for known, value in self.items():
            if plain_option_name(known) == plain_option_name(name):
                return value
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and plain_option_name(name) in map(plain_option_name, self)

    def get(self, name: str, default: Any = None) -> Any:
        """The option ``name`` in any case, or ``default``."""
        try:
            return self[name]
        except KeyError:
            return default


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """One read: the data source's ``own`` options, which connector, and with what.

    ``where`` names the connection in messages. The options of a connection may hold secrets: they are in no ``repr``.
    """

    own: SourceOptions
    where: str
    connector_type: type[LakeflowConnect]
    connection_options: OptionsWithoutCase = field(repr=False)
    direct_table_options: OptionsWithoutCase = field(repr=False)

    @classmethod
    def of(cls, options: Mapping[str, str]) -> ReadRequest:
        """What ``options`` of Spark ask for.

        Raises OptionError for a wrong option, ConfigurationError for a connection or a source that is not there.
        """
        own_names = {plain_option_name(option.name) for option in SourceOptions.fields()}
        own = SourceOptions.read(_chosen(options, own_names, among=True), where="the read of 'lakeflow_connect'")
        others = _chosen(options, {*own_names, plain_option_name("databricks.connection")}, among=False)
        if own.connection_name is not None:
            connection = load_connection(find_connections_file(own.connections_file), own.connection_name)
            return cls(
                own,
                f"connection '{connection.name}'",
                load_source(connection.source),
                OptionsWithoutCase(connection.options),
                OptionsWithoutCase(others),
            )
        if own.source_name is None:
            raise OptionError(
                "the read of 'lakeflow_connect' does not say what to read from",
                hint="give the option connectionName, for a connection of connections.yml; or sourceName, with the "
                "options of the source. On Databricks, sourceName is an option of the Unity Catalog connection, which "
                "the option databricks.connection names",
            )
        connector_type = load_source(own.source_name)
        where = f"source '{own.source_name}'"
        if getattr(connector_type, "table_options", None) is None:
            return cls(own, where, connector_type, OptionsWithoutCase(others), OptionsWithoutCase(others))
        of_tables = _names_of(connector_type.table_options)
        of_connection = _names_of(getattr(connector_type, "connection_options", None))
        return cls(
            own,
            where,
            connector_type,
            OptionsWithoutCase(_chosen(others, of_tables - of_connection, among=False)),
            OptionsWithoutCase(_chosen(others, of_tables, among=True)),
        )

    @property
    def table(self) -> str:
        """The table that is read."""
        return self.own.table_name

    def connect(self) -> LakeflowConnect:
        """A new connector, whose bound is frozen now. Raises OptionError where its options are wrong."""
        model: type[Options] | None = getattr(self.connector_type, "connection_options", None)
        if model is not None:
            model.read(self.connection_options, where=self.where)
        return self.connector_type(self.connection_options)

    def table_options(self, table: str) -> TableOptions:
        """The options of ``table``. Raises OptionError where they are wrong, or an option is given in both places with
        different values."""
        where = f"{self.where}, table '{table}'"
        configured = self.own.table_configs.get(table, {})
        texts = {name: option_text(value) for name, value in configured.items()}
        options = OptionsWithoutCase({name: text for name, text in texts.items() if text is not None})
        model: type[Options] | None = getattr(self.connector_type, "table_options", None)
        # Otherwise it may be an option of the connection as well.
        surely_of_table = model is not None or self.own.connection_name is not None
        for name, value in self.direct_table_options.items():
            if surely_of_table and options.get(name, value) != value:
                raise OptionError(f"{where}: the option '{name}' is given twice: in tableConfigs and beside it")
            if name not in options:
                options[name] = value
        if model is None:
            return options
        read = model.read(options, where=where)
        if not self.own.append_only or _HOLD_BACK not in model.model_fields:
            return options
        if _HOLD_BACK not in read.model_fields_set:
            options[_HOLD_BACK] = "true"
        elif not getattr(read, _HOLD_BACK):
            raise OptionError(
                f"{where}: {_HOLD_BACK}=false does not go with rows that are only appended: some would come twice",
                hint=f"leave '{_HOLD_BACK}' out: appendOnly sets it to true, and scd_type APPEND_ONLY sets that",
            )
        return options


def _chosen(options: Mapping[str, str], names: Iterable[str], *, among: bool) -> dict[str, str]:
    """Those of ``options`` whose plain names are, or are not, among ``names``."""
    names = set(names)
    return {name: value for name, value in options.items() if (plain_option_name(name) in names) is among}


def _names_of(model: type[Options] | None) -> set[str]:
    return set() if model is None else {plain_option_name(option.name) for option in model.fields()}
