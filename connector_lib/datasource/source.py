"""The data source ``lakeflow_connect``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pyspark.sql.datasource import DataSource, DataSourceReader, DataSourceStreamReader, InputPartition
from pyspark.sql.types import ArrayType, DataType, MapType, StringType, StructField, StructType

from connector_lib.connector.interface import Offset
from connector_lib.datasource.batch import TableReader
from connector_lib.datasource.connect import METADATA_TABLE, ReadRequest
from connector_lib.datasource.converters import schema_for_spark
from connector_lib.datasource.metadata_table import METADATA_SCHEMA, MetadataReader
from connector_lib.datasource.snapshot_changes import CHANGE_COLUMNS, SnapshotChangesReader
from connector_lib.datasource.stream import TableStreamReader
from connector_lib.errors import ConnectorLibError, ContractError, OptionError

__all__ = ["LakeflowConnectDataSource"]


class LakeflowConnectDataSource(DataSource):
    """Tables of connectors, for ``spark.read`` and ``spark.readStream``.

    Its options are those of :class:`~connector_lib.datasource.connect.SourceOptions`; what becomes of all others says
    :mod:`connector_lib.datasource.connect`. A batch is the whole table; a stream goes on where the last run ended.

    =============================  ===================================================================================
    option                         the columns
    =============================  ===================================================================================
    none of these                  those of ``get_table_schema``; char and varchar are strings
    ``isDeleteFlow=true``          the same, and each may be NULL: a source tells little of what it deleted
    ``rescuedDataColumn=NAME``     the same, and each may be NULL, with ``NAME`` behind them
    ``snapshotChanges=true``       the same, and each may be NULL, with ``_deleted`` and ``_snapshot_time`` behind them
    =============================  ===================================================================================

    >>> LakeflowConnectDataSource.name()
    'lakeflow_connect'
    >>> spark.dataSource.register(LakeflowConnectDataSource)  # doctest: +SKIP
    >>> spark.readStream.format("lakeflow_connect").options(
    ...     connectionName="clinic", connectionsFile="connections.yml", tableName="visits"
    ... ).load()  # doctest: +SKIP
    """

    @classmethod
    def name(cls) -> str:
        """What stands in ``format``."""
        return "lakeflow_connect"

    def schema(self) -> StructType:
        """The columns of the table. Raises what the connector raises, and ContractError."""
        request = ReadRequest.of(self.options)
        own, table = request.own, request.table
        if table == METADATA_TABLE:
            return METADATA_SCHEMA
        columns: Any = request.connect().get_table_schema(table, request.table_options(table))
        if not isinstance(columns, StructType) or not columns.fields:
            raise ContractError(
                f"the connector {request.connector_type.__name__} gave no columns of the table '{table}'",
                hint="get_table_schema gives a StructType that has fields",
            )
        added = list(CHANGE_COLUMNS.fields) if own.snapshot_changes else []
        if own.rescued_data_column is not None:
            added.append(StructField(own.rescued_data_column, StringType(), nullable=True))
        there = {name.casefold() for name in columns.fieldNames()}
        for field in added:
            if field.name.casefold() in there:
                raise OptionError(f"the table '{table}' has a column '{field.name}' already", hint="take another name")
        schema = schema_for_spark(columns)
        if not added and not own.is_delete_flow:
            return schema
        return StructType([*_nullable(schema).fields, *added])

    def reader(self, schema: StructType) -> DataSourceReader:
        """Reads the whole table."""
        request = ReadRequest.of(self.options)
        if request.table == METADATA_TABLE:
            return MetadataReader(request)
        if request.own.snapshot_changes:
            raise OptionError("the option snapshotChanges is for spark.readStream", hint="leave it out of spark.read")
        return TableReader(request, schema)

    def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: N802 - Spark's name
        """Reads what is new."""
        try:
            return self._stream_reader(schema)
        except ConnectorLibError as error:
            # Spark 4.3 covers an error that is raised here with one of its own.
            return _Refusal(error)

    def _stream_reader(self, schema: StructType) -> DataSourceStreamReader:
        request = ReadRequest.of(self.options)
        if request.table == METADATA_TABLE:
            raise OptionError(f"the table '{METADATA_TABLE}' is no stream", hint="read it by spark.read")
        if request.own.snapshot_changes:
            return SnapshotChangesReader(request, schema)
        return TableStreamReader(request, schema)


class _Refusal(DataSourceStreamReader):
    """A stream that cannot be read, for a reason that it gives when it is asked."""

    def __init__(self, error: ConnectorLibError) -> None:
        self._error = error

    def initialOffset(self) -> Offset:  # noqa: N802 - Spark's name
        raise self._error

    def latestOffset(self, start: Offset | None = None, limit: object = None) -> Offset:  # noqa: N802 - Spark's name
        raise self._error

    def partitions(self, start: Offset, end: Offset) -> Sequence[InputPartition]:
        raise self._error

    def read(self, partition: InputPartition) -> Iterator[Any]:
        raise self._error


def _nullable(columns: StructType) -> StructType:
    """``columns`` of which everything may be NULL."""
    return StructType(
        [StructField(field.name, _with_nullable(field.dataType), True, field.metadata) for field in columns.fields]
    )


def _with_nullable(kind: DataType) -> DataType:
    if isinstance(kind, StructType):
        return _nullable(kind)
    if isinstance(kind, ArrayType):
        return ArrayType(_with_nullable(kind.elementType), True)
    if isinstance(kind, MapType):
        return MapType(kind.keyType, _with_nullable(kind.valueType), True)
    return kind
