"""What of Databricks the tests need: its ``dp``, its secrets, and a session that makes plans.

``pyspark.pipelines`` of Databricks has names that the open-source one lacks, so their calls are recorded. The
signatures are those of https://docs.databricks.com/aws/en/ldp/developer/ldp-python-ref-expectations,
ldp-python-ref-table and ldp-python-ref-materialized-view. The session's ``readStream`` is Spark's own reader:
it builds the plan that would be sent to a server, and none is asked. ``dbutils.secrets.get`` has the signature of
https://docs.databricks.com/aws/en/dev-tools/databricks-utils#secrets-utility-dbutilssecrets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql.connect.streaming.readwriter import DataStreamReader

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
class SessionWithoutServer:
    """A Spark Connect session as far as building a plan of ``readStream`` needs one."""

    conf: Configuration = field(default_factory=Configuration)
    session_id = "without-server"

    @property
    def readStream(self) -> DataStreamReader:  # noqa: N802 - the name is Spark's
        return DataStreamReader(self)  # type: ignore[arg-type]
