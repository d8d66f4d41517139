"""What of Databricks the tests need: its ``dp``, and a session that makes plans.

``pyspark.pipelines`` of Databricks has names that the open-source one lacks, so their calls are recorded. The
signatures are those of https://docs.databricks.com/aws/en/ldp/developer/ldp-python-ref-expectations,
ldp-python-ref-table and ldp-python-ref-materialized-view. The session's ``readStream`` is Spark's own reader:
it builds the plan that would be sent to a server, and none is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql.connect.streaming.readwriter import DataStreamReader

Function = Callable[..., Any]


@dataclass
class DatabricksPipelines:
    """``dp`` of Databricks. ``calls`` holds decorator, arguments, name of the decorated function."""

    calls: list[tuple[str, dict[str, Any], str]] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)

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

    def table(
        self,
        query_function: Function | None = None,
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
        return self._dataset("table", query_function, name)

    def materialized_view(
        self,
        query_function: Function | None = None,
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
        return self._dataset("materialized_view", query_function, name)

    def _dataset(self, kind: str, function: Function | None, name: str | None) -> Any:
        def decorate(function: Function) -> Function:
            self.functions[name or function.__name__] = function
            return self._decorator(kind, {})(function)

        return decorate if function is None else decorate(function)


class SessionWithoutServer:
    """A Spark Connect session as far as building a plan of ``readStream`` needs one."""

    session_id = "without-server"

    @property
    def readStream(self) -> DataStreamReader:  # noqa: N802 - the name is Spark's
        return DataStreamReader(self)  # type: ignore[arg-type]
