"""Spark's pipeline engine inside this process. The only module that uses internal interfaces of Spark.

Tried on pyspark 4.3.0 and 4.2.0. What it takes from inside: the Connect server started in process
(``pyspark.sql.connect.session.SparkSession._start_connect_server``), its port (``SparkConnectService.localPort``),
the gateway to the JVM (``pyspark.java_gateway``), the commands of ``pyspark.pipelines.spark_connect_pipeline`` and
the loader of ``pyspark.pipelines.cli``.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO

from connector_lib.errors import ConfigurationError, MissingRequirementError, PipelineRunError

if TYPE_CHECKING:
    from pyspark.pipelines.graph_element_registry import GraphElementRegistry
    from pyspark.sql import SparkSession

    from connector_lib.project.pipeline import PipelineFolder

__all__ = ["EngineSettings", "SparkEngine"]


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How to start Spark: ``cores`` and ``memory_mb`` to use, the folders, and the lock that its JVM inherits."""

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
        for name in ("SPARK_REMOTE", "SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS", "SPARK_TESTING"):
            os.environ.pop(name, None)
        self._log = settings.log.open("wb")
        self._jvm_process = _start_jvm(settings, self._log)
        self.spark = _connect()

    def create_graph(self, pipeline: PipelineFolder, catalog: str, database: str) -> str:
        """A new, empty graph for ``pipeline``; gives its id. Sets the pipeline's configuration on the session."""
        from pyspark.errors import PySparkException
        from pyspark.pipelines.spark_connect_pipeline import create_dataflow_graph

        for key, value in pipeline.configuration.items():
            try:
                self.spark.conf.set(key, value)
            except PySparkException as error:
                raise ConfigurationError(
                    f"{pipeline.spec_file}: '{key}' under 'configuration' cannot be set for a pipeline",
                    hint="it belongs to the whole of Spark and has to be there when Spark starts; remove it here",
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
            storage=checkpoints.as_uri(),
        )
        for result in results:
            # A pipeline that reads a Python data source answers with things that are no events.
            if isinstance(result, dict) and "pipeline_event_result" in result:
                yield result["pipeline_event_result"].event.message

    def close(self) -> None:
        """Ends Spark and waits until its JVM is gone. May be called twice."""
        from pyspark import SparkContext
        from pyspark.sql import SparkSession

        with contextlib.suppress(Exception):
            self.spark.stop()
        with contextlib.suppress(Exception):
            session = SparkSession._instantiatedSession
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
    try:
        gateway = launch_gateway(conf, {"stdout": log, "stderr": log, "pass_fds": (settings.lock_fd,)})
    except PySparkRuntimeError as error:
        raise PipelineRunError("Spark's JVM did not start", hint=f"its words are in {settings.log}") from error
    SparkContext._ensure_initialized(gateway=gateway, conf=conf)
    ConnectSession._start_connect_server(f"local[{settings.cores}]", options)
    process: subprocess.Popen[bytes] = gateway.proc
    return process


def _spark_options(settings: EngineSettings) -> dict[str, str]:
    loopback = "127.0.0.1"
    temporary = settings.scratch / "tmp"
    return {
        "spark.driver.memory": f"{settings.memory_mb}m",
        # Small work is start-up work: the first compiler is enough for most of it.
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={temporary} -Dderby.system.home={settings.metastore}"
        " -XX:+UseParallelGC -Xss4m",
        "spark.local.dir": str(temporary),
        "spark.driver.host": loopback,
        "spark.driver.bindAddress": loopback,
        "spark.connect.grpc.binding.address": loopback,
        "spark.connect.grpc.binding.port": "0",
        "spark.connect.grpc.maxInboundMessageSize": str(256 * 1024 * 1024),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": settings.tables.as_uri(),
        "spark.hadoop.javax.jdo.option.ConnectionURL": (
            f"jdbc:derby:;databaseName={settings.metastore / 'derby'};create=true"
        ),
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
        "spark.sql.shuffle.partitions": str(settings.cores),
        "spark.sql.sources.default": "parquet",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.pipelines.execution.streamstate.pollingInterval": "1",
        "spark.sql.pipelines.maxFlowRetryAttempts": "0",
        "spark.sql.connect.serverStacktrace.enabled": "true",
    }


def _connect() -> SparkSession:
    from pyspark import SparkContext
    from pyspark.sql.connect.session import SparkSession as ConnectSession

    jvm = SparkContext._jvm
    assert jvm is not None
    service = getattr(jvm, "org.apache.spark.sql.connect.service.SparkConnectService$")
    port = service.__getattr__("MODULE$").localPort()
    token = os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"]
    # SparkSession.active() and .getActiveSession() in pipeline files give the Connect session from here on.
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    session: Any = ConnectSession.builder.remote(f"sc://localhost:{port}/;token={token}").getOrCreate()
    result: SparkSession = session
    return result


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
