"""Spark's pipeline engine inside this process. The only module that uses internal interfaces of Spark.

Tried on pyspark 4.3.0 and 4.2.0. What it takes from inside: the Connect server started in process
(``pyspark.sql.connect.session.SparkSession._start_connect_server``), its port
(``SparkConnectService.localPort``), the gateway to the JVM (``pyspark.java_gateway``), the commands of
``pyspark.pipelines.spark_connect_pipeline`` and the loader of ``pyspark.pipelines.cli``.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO

from connector_lib.errors import ConfigurationError, PipelineRunError

if TYPE_CHECKING:
    from pyspark.pipelines.graph_element_registry import GraphElementRegistry
    from pyspark.sql import SparkSession

    from connector_lib.project.pipeline import PipelineFolder

__all__ = ["EngineSettings", "SparkEngine", "SqlElement"]

_LISTENER_SECONDS = 30
_LEFT_BEHIND = (
    *("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED", "SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS"),
    "SPARK_TESTING",
)
"""Variables of another Spark, perhaps of the process that started this one, that would lead this one astray."""
_RELATION = re.compile(r"UnresolvedRelation \[([^\]]*)\]")
_TABLE_KINDS = {True: "streaming table", False: "materialized view"}


@dataclass(frozen=True, slots=True)
class SqlElement:
    """A dataset or flow that a SQL file defines. ``name`` and ``target`` are full names; ``kind`` is of
    datasets.
    """

    name: str
    target: str
    kind: str
    file: str
    line: int | None


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How to start Spark: ``cores`` and ``memory_mb`` to use, the folders, and the lock that its JVM
    inherits.
    """

    cores: int
    memory_mb: int
    java_home: Path
    tables: Path
    metastore: Path
    scratch: Path
    log: Path
    lock_fd: int


class SparkEngine:
    """A running Spark with its pipeline engine. ``spark`` is the session that pipeline files see.

    One process has at most one. :meth:`close` ends Spark and its JVM.
    """

    def __init__(self, settings: EngineSettings) -> None:
        # The environment is how Spark is told these; a process that runs pipelines belongs to the run.
        os.environ["JAVA_HOME"] = str(settings.java_home)
        os.environ["PYSPARK_PYTHON"] = sys.executable
        os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
        os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"] = secrets.token_urlsafe(32)
        # Whatever this machine is called, nothing is looked up and nothing but loopback is bound.
        os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
        for name in _LEFT_BEHIND:
            os.environ.pop(name, None)
        self._log = settings.log.open("wb")
        self._jvm_process = _start_jvm(settings, self._log)
        try:
            self.spark = _connect()
        except BaseException:
            _end(self._jvm_process)
            raise

    def create_graph(self, pipeline: PipelineFolder, catalog: str, database: str) -> str:
        """A new, empty graph for ``pipeline``; gives its id. Sets the pipeline's configuration on the
        session.
        """
        from pyspark.errors import PySparkException
        from pyspark.pipelines.spark_connect_pipeline import create_dataflow_graph

        for key, value in pipeline.configuration.items():
            try:
                self.spark.conf.set(key, value)
            except PySparkException as error:
                raise ConfigurationError(
                    f"{pipeline.spec_file}: '{key}' under 'configuration' cannot be set for a pipeline",
                    hint=("it belongs to the whole of Spark and has to be there when Spark starts; remove it here"),
                ) from error
        return create_dataflow_graph(
            self.spark,
            default_catalog=catalog,
            default_database=database,
            sql_conf=dict(pipeline.configuration),
        )

    def load_definitions(self, pipeline: PipelineFolder, registry: GraphElementRegistry, graph: str) -> None:
        """Runs the transformation files of ``pipeline``; what they define goes to ``registry``.

        Whatever the files print goes to the error stream. An exception of a file is passed on.
        """
        from pyspark.pipelines.cli import LibrariesGlob, PipelineSpec, register_definitions

        spec = PipelineSpec(
            name=pipeline.name,
            storage=pipeline.storage,
            catalog=pipeline.catalog,
            database=pipeline.database,
            configuration=pipeline.configuration,
            libraries=[LibrariesGlob(include) for include in pipeline.libraries],
        )
        with contextlib.redirect_stdout(_WithoutLoaderLines(sys.stderr)):
            register_definitions(pipeline.spec_file, registry, spec, self.spark, graph)

    def run_graph(self, graph: str, checkpoints: Path, *, full_refresh: bool) -> Iterator[str]:
        """Runs the graph and gives the messages of the engine as they come. Raises what Spark raises."""
        from pyspark.pipelines.spark_connect_pipeline import start_run

        results = start_run(
            self.spark,
            graph,
            full_refresh=None,
            full_refresh_all=full_refresh,
            refresh=None,
            dry=False,
            storage=f"file://{checkpoints}",
        )
        for result in results:
            # A pipeline that reads a Python data source answers with things that are no events.
            answer: Any = result
            if isinstance(answer, dict) and "pipeline_event_result" in answer:
                yield answer["pipeline_event_result"].event.message

    def tables_in_sql(self, query: str) -> list[str]:
        """The names of the tables that a SQL query reads, as written in it."""
        plan = self._classic_session()._jsparkSession.sessionState().sqlParser().parsePlan(query).toString()
        return [match.replace(", ", ".") for match in _RELATION.findall(plan)]

    def defined_in_sql(self, graph: str) -> tuple[list[SqlElement], list[SqlElement]]:
        """The datasets and the flows of the graph that come from SQL files."""
        found = self._session_holder().dataflowGraphRegistry().getDataflowGraphOrThrow(graph)
        datasets = [
            SqlElement(_identifier(element), "", kind(element), _file(element), _line(element))  # type: ignore[no-untyped-call]
            for elements, kind in (
                (found.tables(), lambda table: _TABLE_KINDS[table.isStreamingTable()]),
                (found.views(), lambda view: "temporary view"),
            )
            for element in _items(elements)
            if _is_sql(element)
        ]
        flows = [
            SqlElement(
                _identifier(element),
                element.destinationIdentifier().unquotedString(),
                "",
                _file(element),
                _line(element),
            )
            for element in _items(found.flows())
            if _is_sql(element)
        ]
        return datasets, flows

    def observe(self, on_query: Callable[[str], None], on_batch: Callable[[str], None]) -> None:
        """Hands out observed metrics from now on, as JSON objects by name.

        ``on_query`` gets those of a whole batch query, ``on_batch`` those of each micro-batch of a stream.
        """
        from pyspark import SparkContext
        from pyspark.java_gateway import ensure_callback_server_started

        context, gateway, jvm = SparkContext._active_spark_context, SparkContext._gateway, SparkContext._jvm
        assert context is not None
        assert jvm is not None
        ensure_callback_server_started(gateway)
        context._jsc.sc().addSparkListener(_QueryListener(on_query))
        wrapper_type = getattr(jvm, "org.apache.spark.sql.streaming.PythonStreamingQueryListenerWrapper")
        self._session_holder().session().streams().addListener(wrapper_type(_StreamListener(on_batch)))

    def drain_observations(self) -> None:
        """Waits until every observed metric so far has been handed out."""
        from pyspark import SparkContext

        context = SparkContext._active_spark_context
        assert context is not None
        context._jsc.sc().listenerBus().waitUntilEmpty(_LISTENER_SECONDS * 1000)

    def _classic_session(self) -> Any:
        from pyspark.sql import SparkSession

        return SparkSession._instantiatedSession

    def _session_holder(self) -> Any:
        from pyspark import SparkContext

        client: Any = self.spark
        jvm = SparkContext._jvm
        assert jvm is not None
        key_type = getattr(jvm, "org.apache.spark.sql.connect.service.SessionKey")
        key = key_type(client.client._user_id or "", client.session_id)
        return _connect_service().sessionManager().getIsolatedSessionIfPresent(key).get()

    def close(self) -> None:
        """Ends Spark and waits until its JVM is gone. May be called twice."""
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        with contextlib.suppress(Exception):
            self.spark.stop()
        with contextlib.suppress(Exception):
            session: Any = SparkSession._instantiatedSession
            if session is not None:
                session.stop()
        with contextlib.suppress(Exception):
            gateway = SparkContext._gateway
            if gateway is not None:
                gateway.shutdown()
        SparkContext._gateway = None
        SparkContext._jvm = None
        os.environ.pop("SPARK_CONNECT_MODE_ENABLED", None)
        if self._jvm_process.stdin is not None:
            # The JVM ends when its standard input does.
            self._jvm_process.stdin.close()
        try:
            self._jvm_process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._jvm_process.kill()
            self._jvm_process.wait()
        self._log.close()


def _start_jvm(settings: EngineSettings, log: IO[bytes]) -> subprocess.Popen[bytes]:
    from pyspark import SparkConf, SparkContext
    from pyspark.errors import PySparkRuntimeError
    from pyspark.java_gateway import launch_gateway
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    options = _spark_options(settings)
    conf = SparkConf(loadDefaults=False).setAll(list(options.items()))
    process: subprocess.Popen[bytes] | None = None
    try:
        with _interrupt_held_back():
            gateway = launch_gateway(conf, {"stdout": log, "stderr": log, "pass_fds": (settings.lock_fd,)})
            process = gateway.proc
        SparkContext._ensure_initialized(gateway=gateway, conf=conf)
        ConnectSession._start_connect_server(f"local[{settings.cores}]", options)
    except PySparkRuntimeError as error:
        _end(process)
        raise PipelineRunError("Spark's JVM did not start", hint=f"its words are in {settings.log}") from error
    except BaseException:
        _end(process)
        raise
    return process


@contextlib.contextmanager
def _interrupt_held_back() -> Iterator[None]:
    """Ctrl-C is raised when the block is done: in its middle it would leave a JVM behind that nobody knows."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: interrupts.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()


def _spark_options(settings: EngineSettings) -> dict[str, str]:
    loopback = "127.0.0.1"
    temporary = settings.scratch / "tmp"
    return {
        "spark.driver.memory": f"{settings.memory_mb}m",
        # A local run is mostly start-up: without the second compiler it took 17 s of processor time instead of 31.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC"
        f" -Djava.io.tmpdir='{temporary}' -Dderby.system.home='{settings.metastore}'",
        "spark.local.dir": str(temporary),
        "spark.driver.host": loopback,
        "spark.driver.bindAddress": loopback,
        "spark.connect.grpc.binding.address": loopback,
        "spark.connect.grpc.binding.port": "0",
        "spark.connect.grpc.maxInboundMessageSize": str(256 * 1024 * 1024),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.catalogImplementation": "hive",
        # Hadoop takes these as they are: what a URI writes as %20 would become part of the name.
        "spark.sql.warehouse.dir": f"file://{settings.tables}",
        "spark.hadoop.javax.jdo.option.ConnectionURL": (
            f"jdbc:derby:;databaseName={settings.metastore / 'derby'};create=true"
        ),
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
        "spark.sql.shuffle.partitions": str(settings.cores),
        # Above the threshold Spark lists files in a job with a task a file: seconds for what takes milliseconds here.
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000000",
        # Small batches bound what is in memory between Spark and Python, and let both work at the same time.
        "spark.sql.execution.arrow.maxRecordsPerBatch": "128",
        "spark.sql.sources.default": "parquet",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.pipelines.execution.streamstate.pollingInterval": "1",
        "spark.sql.pipelines.maxFlowRetryAttempts": "0",
        "spark.sql.connect.serverStacktrace.enabled": "true",
    }


def _connect_service() -> Any:
    from pyspark import SparkContext

    jvm = SparkContext._jvm
    assert jvm is not None
    companion = getattr(jvm, "org.apache.spark.sql.connect.service.SparkConnectService$")
    return companion.__getattr__("MODULE$")


def _connect() -> SparkSession:
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    port = _connect_service().localPort()
    token = os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"]
    # SparkSession.active() and .getActiveSession() in pipeline files give the Connect session from here on.
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    session: Any = ConnectSession.builder.remote(f"sc://localhost:{port}/;token={token}").getOrCreate()
    result: SparkSession = session
    return result


def _items(elements: Any) -> Iterator[Any]:
    iterator = elements.iterator()
    while iterator.hasNext():
        yield iterator.next()


def _identifier(element: Any) -> str:
    name: str = element.identifier().unquotedString()
    return name


def _is_sql(element: Any) -> bool:
    file = element.origin().filePath()
    return bool(file.isDefined() and file.get().endswith(".sql"))


def _file(element: Any) -> str:
    file: str = element.origin().filePath().get()
    return file


def _line(element: Any) -> int | None:
    line = element.origin().line()
    return line.get() if line.isDefined() else None


class _QueryListener:
    """Takes the metrics of finished batch queries; the JVM calls it for every event of Spark."""

    # Not a QueryExecutionListener: tried on 4.3.0, that one is never called for the flows of a pipeline.
    class Java:
        implements = ("org.apache.spark.scheduler.SparkListenerInterface",)

    def __init__(self, on_metrics: Callable[[str], None]) -> None:
        self._on_metrics = on_metrics

    def onOtherEvent(self, event: Any) -> None:  # noqa: N802 - Java's name
        if event.getClass().getSimpleName() != "SparkListenerSQLExecutionEnd":
            return
        # Micro-batches have no name; their metrics come with the progress of the stream.
        if event.executionName().isEmpty() or event.qe() is None:
            return
        entries = list(_items(event.qe().observedMetrics()))
        if entries:
            self._on_metrics(json.dumps({entry._1(): json.loads(entry._2().json()) for entry in entries}))

    def __getattr__(self, name: str) -> Callable[..., None]:
        # The interface has a method for every kind of event.
        if name.startswith("on"):
            return _pass_over
        raise AttributeError(name)


def _pass_over(*event: object) -> None:
    """An event that says nothing about metrics."""


class _StreamListener:
    """Takes the metrics of every micro-batch; the JVM calls it."""

    class Java:
        implements = ("org.apache.spark.sql.streaming.PythonStreamingQueryListener",)

    def __init__(self, on_metrics: Callable[[str], None]) -> None:
        self._on_metrics = on_metrics

    def onQueryProgress(self, event: Any) -> None:  # noqa: N802 - Java's name
        observed = json.loads(event.progress().json()).get("observedMetrics")
        if observed:
            self._on_metrics(json.dumps(observed))

    def onQueryStarted(self, event: Any) -> None:  # noqa: N802 - Java's name
        """Nothing has been counted yet."""

    def onQueryIdle(self, event: Any) -> None:  # noqa: N802 - Java's name
        """Nothing new."""

    def onQueryTerminated(self, event: Any) -> None:  # noqa: N802 - Java's name
        """The last progress has come before."""


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
