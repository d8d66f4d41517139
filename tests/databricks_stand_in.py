"""What of Databricks the tests need: its ``dp``, its secrets, and a session that makes plans.

``pyspark.pipelines`` of Databricks has names that the open-source one lacks, so their calls are recorded. The
signatures are those of https://docs.databricks.com/aws/en/ldp/developer/ldp-python-ref-expectations,
ldp-python-ref-table, ldp-python-ref-materialized-view, ldp-python-ref-view, ldp-python-ref-streaming-table,
ldp-python-ref-apply-changes and ldp-python-ref-apply-changes-from-snapshot. The session's ``read`` and ``readStream``
are Spark's own readers: they build the plan that would be sent to a server, and none is asked.
``dbutils.secrets.get`` has the signature of
https://docs.databricks.com/aws/en/dev-tools/databricks-utils#secrets-utility-dbutilssecrets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import Row
from pyspark.sql.connect.readwriter import DataFrameReader
from pyspark.sql.connect.streaming.readwriter import DataStreamReader
from pyspark.sql.datasource import DataSource

Function = Callable[..., Any]


@dataclass
class DatabricksPipelines:
    """``dp`` of Databricks. ``calls`` holds decorator, arguments, name of the decorated function; ``functions`` and
    ``spark_conf`` are those of datasets, by name."""

    calls: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    spark_conf: dict[str, dict[str, str]] = field(default_factory=dict)

    def _decorator(self, name: str, arguments: dict[str, Any]) -> Callable[[Function], Function]:
        def decorate(function: Function) -> Function:
            self.calls.append((name, arguments, function.__name__))
            return function

        return decorate

    def expect(self, description: str, constraint: str) -> Callable[[Function], Function]:
        return self._decorator("expect", {description: constraint})

    def expect_or_drop(self, description: str, constraint: str) -> Callable[[Function], Function]:
        return self._decorator("expect_or_drop", {description: constraint})

    def expect_or_fail(self, description: str, constraint: str) -> Callable[[Function], Function]:
        return self._decorator("expect_or_fail", {description: constraint})

    def expect_all(self, expectations: dict[str, str]) -> Callable[[Function], Function]:
        return self._decorator("expect_all", expectations)

    def expect_all_or_drop(self, expectations: dict[str, str]) -> Callable[[Function], Function]:
        return self._decorator("expect_all_or_drop", expectations)

    def expect_all_or_fail(self, expectations: dict[str, str]) -> Callable[[Function], Function]:
        return self._decorator("expect_all_or_fail", expectations)

    def table(self, query_function: Function | None = None, **arguments: Any) -> Any:
        return self._dataset("table", query_function, **arguments)

    def materialized_view(self, query_function: Function | None = None, **arguments: Any) -> Any:
        return self._dataset("materialized_view", query_function, **arguments)

    def temporary_view(
        self,
        query_function: Function | None = None,
        *,
        name: str | None = None,
        comment: str | None = None,
        spark_conf: dict[str, str] | None = None,
    ) -> Any:
        return self._dataset("temporary_view", query_function, name=name, comment=comment, spark_conf=spark_conf)

    def create_streaming_table(
        self,
        name: str,
        *,
        comment: str | None = None,
        spark_conf: dict[str, str] | None = None,
        table_properties: dict[str, str] | None = None,
        path: str | None = None,
        partition_cols: list[str] | None = None,
        cluster_by_auto: bool = False,
        cluster_by: list[str] | None = None,
        schema: Any = None,
        expect_all: dict[str, str] | None = None,
        expect_all_or_drop: dict[str, str] | None = None,
        expect_all_or_fail: dict[str, str] | None = None,
        row_filter: str | None = None,
    ) -> None:
        self._flow("create_streaming_table", name, locals())

    def create_auto_cdc_flow(
        self,
        target: str,
        source: str,
        keys: list[Any],
        sequence_by: Any,
        ignore_null_updates: bool = False,
        apply_as_deletes: Any = None,
        apply_as_truncates: Any = None,
        column_list: list[Any] | None = None,
        except_column_list: list[Any] | None = None,
        stored_as_scd_type: str | int = 1,
        track_history_column_list: list[Any] | None = None,
        track_history_except_column_list: list[Any] | None = None,
        name: str | None = None,
        once: bool = False,
    ) -> None:
        self._flow("create_auto_cdc_flow", target, locals())

    def create_auto_cdc_from_snapshot_flow(
        self,
        target: str,
        source: Any,
        keys: list[Any],
        stored_as_scd_type: str | int = 1,
        track_history_column_list: list[Any] | None = None,
        track_history_except_column_list: list[Any] | None = None,
        once: bool = False,
    ) -> None:
        self._flow("create_auto_cdc_from_snapshot_flow", target, locals())

    def _flow(self, kind: str, target: str, given: dict[str, Any]) -> None:
        """Records the arguments that have a value."""
        given.pop("self")
        # `is`, since a column compared with anything is a column.
        arguments = {name: value for name, value in given.items() if value is not None and value is not False}
        self.calls.append((kind, arguments, target))

    def calls_of(self, kind: str) -> list[dict[str, Any]]:
        """The arguments of every call of ``kind``."""
        return [arguments for called, arguments, _ in self.calls if called == kind]

    def _dataset(
        self,
        kind: str,
        query_function: Function | None,
        *,
        name: str | None = None,
        comment: str | None = None,
        spark_conf: dict[str, str] | None = None,
        table_properties: dict[str, str] | None = None,
        path: str | None = None,
        partition_cols: list[str] | None = None,
        cluster_by_auto: bool = False,
        cluster_by: list[str] | None = None,
        schema: Any = None,
        row_filter: str | None = None,
        private: bool = False,
    ) -> Any:
        # Tables and materialized views take the same arguments, and no others.
        def decorate(function: Function) -> Function:
            dataset = name or function.__name__
            assert dataset not in self.functions
            self.functions[dataset] = function
            self.spark_conf[dataset] = spark_conf or {}
            return self._decorator(kind, {})(function)

        return decorate if query_function is None else decorate(query_function)


@dataclass
class DatabricksSecrets:
    """``dbutils.secrets``: values by scope and key."""

    values: dict[tuple[str, str], str] = field(default_factory=dict)

    def get(self, scope: str, key: str) -> str:
        if (scope, key) not in self.values:
            raise RuntimeError(f"Secret does not exist with scope: {scope} and key: {key}")
        return self.values[scope, key]


@dataclass
class DatabricksUtilities:
    """``dbutils``, as far as it is used."""

    secrets: DatabricksSecrets = field(default_factory=DatabricksSecrets)


@dataclass
class Configuration:
    """``spark.conf`` of a pipeline: the settings that it was given."""

    values: dict[str, str] = field(default_factory=dict)

    def get(self, key: str, default: str | None = None) -> str | None:
        return self.values.get(key, default)


@dataclass
class DataSources:
    """``spark.dataSource``: what was registered, by name."""

    registered: dict[str, type[DataSource]] = field(default_factory=dict)

    def register(self, data_source: type[DataSource]) -> None:
        self.registered[data_source.name()] = data_source


class BatchReader(DataFrameReader):
    """``spark.read``: makes Spark Connect's plan. What is collected of it comes from the registered data source, which
    is given the options of the Unity Catalog connection as Databricks gives them."""

    def __init__(self, session: SessionWithoutServer) -> None:
        super().__init__(session)  # type: ignore[arg-type]
        self._session = session

    def load(self, *arguments: Any, **options: Any) -> Any:
        frame: Any = super().load(*arguments, **options)
        frame.collect = self._rows
        return frame

    def _rows(self) -> list[Row]:
        options = {str(name): str(value) for name, value in self._options.items()}
        connection = self._session.connections[options["databricks.connection"]]
        source = self._session.dataSource.registered[str(self._format)]({**connection, **options})
        schema: Any = source.schema()
        reader = source.reader(schema)
        rows: Any = [row for partition in reader.partitions() for row in reader.read(partition)]
        return [Row(**dict(zip(schema.fieldNames(), row, strict=True))) for row in rows]


@dataclass
class SessionWithoutServer:
    """A Spark Connect session as far as building plans needs one. ``connections`` are those of Unity Catalog, each with
    its options."""

    conf: Configuration = field(default_factory=Configuration)
    connections: dict[str, dict[str, str]] = field(default_factory=dict)
    dataSource: DataSources = field(default_factory=DataSources)  # noqa: N815 - the name is Spark's
    session_id = "without-server"

    @property
    def readStream(self) -> DataStreamReader:  # noqa: N802 - the name is Spark's
        return DataStreamReader(self)  # type: ignore[arg-type]

    @property
    def read(self) -> BatchReader:
        return BatchReader(self)
