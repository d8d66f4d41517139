"""One pipeline as a graph of Spark's engine: its files loaded, and all that they define run.

Internal to Spark: the commands of ``pyspark.pipelines.spark_connect_pipeline``, the loader of
``pyspark.pipelines.cli``, the requests of the Connect client (``_execute_and_fetch_as_iterator``), the JVM's registry
of graphs (``dataflowGraphRegistry``) and its SQL parser.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from connector_lib.errors import ConfigurationError
from connector_lib.local.definitions import Dataset, Definitions, FlowDefinition, SourceLine
from connector_lib.local.engine.process import classic_session, items_in_jvm, session_in_jvm

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from connector_lib.project.pipeline import PipelineFolder

__all__ = ["PipelineGraph", "tables_in_sql"]

_RELATION = re.compile(r"UnresolvedRelation \[([^\]]*)\]")
_TABLE_KINDS = {True: "streaming table", False: "materialized view"}


class PipelineGraph:
    """A new graph for ``pipeline``, in which nothing is defined yet. Names without a catalog or database are of
    ``catalog`` and ``database``.

    Sets the pipeline's configuration on the session ``spark``. Raises
    :class:`~connector_lib.errors.ConfigurationError` for a key that Spark does not take there.
    """

    def __init__(self, spark: SparkSession, pipeline: PipelineFolder, catalog: str, database: str) -> None:
        from pyspark.errors import PySparkException
        from pyspark.pipelines.spark_connect_pipeline import create_dataflow_graph

        for key, value in pipeline.configuration.items():
            try:
                spark.conf.set(key, value)
            except PySparkException as error:
                raise ConfigurationError(
                    f"{pipeline.spec_file}: '{key}' under 'configuration' cannot be set for a pipeline",
                    hint=("it belongs to the whole of Spark and has to be there when Spark starts; remove it here"),
                ) from error
        self._spark = spark
        self._pipeline = pipeline
        self._id = create_dataflow_graph(
            spark, default_catalog=catalog, default_database=database, sql_conf=dict(pipeline.configuration)
        )

    def load_definitions(self) -> Definitions:
        """Runs the transformation files; gives what they define, which is in the graph then.

        Whatever the files print goes to the error stream. An exception of a file is passed on.
        """
        from pyspark.pipelines.cli import LibrariesGlob, PipelineSpec, register_definitions

        from connector_lib.local.engine.registry import RecordingRegistry

        pipeline = self._pipeline
        spec = PipelineSpec(
            name=pipeline.name,
            storage=pipeline.storage,
            catalog=pipeline.catalog,
            database=pipeline.database,
            configuration=pipeline.configuration,
            libraries=[LibrariesGlob(include) for include in pipeline.libraries],
        )
        registry = RecordingRegistry(self._spark, self._id)
        with contextlib.redirect_stdout(_WithoutLoaderLines(sys.stderr)):
            register_definitions(pipeline.spec_file, registry, spec, self._spark, self._id)
        if any(file.suffix == ".sql" for file in pipeline.files):
            self._add_sql(registry.definitions)
        return registry.definitions

    def run(self, checkpoints: Path, *, full_refresh: bool, concurrent_flows: int | None = None) -> Iterator[str]:
        """Runs the graph and gives the messages of the engine as they come. Raises what Spark raises.

        ``concurrent_flows`` is how many flows run at the same time at most; None leaves it to Spark (16).
        """
        from pyspark.pipelines.spark_connect_pipeline import start_run

        if concurrent_flows is not None:
            self._spark.conf.set("spark.sql.pipelines.execution.maxConcurrentFlows", str(concurrent_flows))
        session: Any = _SessionForRun(self._spark)
        results = start_run(
            session,
            self._id,
            full_refresh=None,
            full_refresh_all=full_refresh,
            refresh=None,
            dry=False,
            storage=f"file://{checkpoints}",
        )
        for result in results:
            if "pipeline_event_result" in result:
                yield result["pipeline_event_result"].event.message

    def _add_sql(self, definitions: Definitions) -> None:
        """Adds what the SQL files define. SQL never resolves a table too early: no relation is kept."""
        graph = session_in_jvm(self._spark).dataflowGraphRegistry().getDataflowGraphOrThrow(self._id)
        for table in filter(_is_sql, items_in_jvm(graph.tables())):
            kind = _TABLE_KINDS[table.isStreamingTable()]
            definitions.datasets.append(Dataset(_identifier(table), kind, self._source(table)))
        for view in filter(_is_sql, items_in_jvm(graph.views())):
            definitions.datasets.append(Dataset(_identifier(view), "temporary view", self._source(view)))
        for flow in filter(_is_sql, items_in_jvm(graph.flows())):
            target = flow.destinationIdentifier().unquotedString()
            definitions.flows.append(FlowDefinition(_identifier(flow), target, self._source(flow), None))

    def _source(self, element: Any) -> SourceLine:
        line = element.origin().line()
        file = self._pipeline.root / element.origin().filePath().get()
        return SourceLine(file, line.get() if line.isDefined() else None)


class _SessionForRun:
    """A session, to start a run by, whose answers that are no events are passed over.

    Where a pipeline reads a Python data source, Spark sends what its workers counted (``__python_accumulator__``) with
    the events, and pyspark's ``execute_command_as_iterator`` ends with UNKNOWN_RESPONSE then. Tried on 4.3.0.
    """

    def __init__(self, spark: SparkSession) -> None:
        session: Any = spark
        self._client: Any = session.client

    @property
    def client(self) -> _SessionForRun:
        return self

    def execute_command_as_iterator(self, command: Any) -> Iterator[dict[str, Any]]:
        request = self._client._execute_plan_request_with_metadata()
        self._client._set_command_in_plan(request.plan, command)
        for answer in self._client._execute_and_fetch_as_iterator(request, {}):
            if isinstance(answer, dict):
                yield answer


def tables_in_sql(query: str) -> list[str]:
    """The names of the tables that a SQL query reads, as written in it."""
    plan = classic_session()._jsparkSession.sessionState().sqlParser().parsePlan(query).toString()
    return [match.replace(", ", ".") for match in _RELATION.findall(plan)]


def _identifier(element: Any) -> str:
    name: str = element.identifier().unquotedString()
    return name


def _is_sql(element: Any) -> bool:
    file = element.origin().filePath()
    return bool(file.isDefined() and file.get().endswith(".sql"))


# What pyspark.pipelines.cli prints while it loads files (pyspark.pipelines.logging_utils).
_LOADER_LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: (Loading definitions|Found \d+ files|Importing|Registering SQL file)"
)


class _WithoutLoaderLines(io.TextIOBase):
    """A text stream that hands on every line but those that Spark's loader prints about itself."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if not _LOADER_LINE.match(line):
                self._target.write(line + "\n")
        return len(text)

    def flush(self) -> None:
        self._target.flush()
