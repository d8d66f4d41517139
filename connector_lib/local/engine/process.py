"""Spark's JVM with its Connect server in this process: started, connected to, ended.

Internal to Spark: the Connect server started in process
(``pyspark.sql.connect.session.SparkSession._start_connect_server``), its port (``SparkConnectService.localPort``) and
sessions (``sessionManager``), the gateway to the JVM (``pyspark.java_gateway``, ``SparkContext._gateway``).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from connector_lib.errors import PipelineRunError
from connector_lib.redaction import SECRET_NAMES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["EngineSettings", "SparkEngine", "classic_session", "items_in_jvm", "session_in_jvm"]

_LEFT_BEHIND = (
    *("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED", "SPARK_HOME", "SPARK_CONF_DIR", "PYSPARK_SUBMIT_ARGS"),
    "SPARK_TESTING",
)
"""Variables of another Spark, perhaps of the process that started this one, that would lead this one astray."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How to start Spark: ``cores`` and ``memory_mb`` to use, the folders, the lock that its JVM inherits, ``jars`` to
    load besides its own, and further ``java_options``.
    """

    cores: int
    memory_mb: int
    java_home: Path
    tables: Path
    metastore: Path
    scratch: Path
    log: Path
    lock_fd: int
    jars: tuple[Path, ...] = ()
    java_options: tuple[str, ...] = ()


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

    def close(self, patience: float = 10) -> bool:
        """Ends Spark and waits until its JVM is gone; one that is still there after ``patience`` seconds is killed. May
        be called twice. Gives whether it ended by itself.
        """
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
            self._jvm_process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            self._jvm_process.kill()
            self._jvm_process.wait()
        self._log.close()
        return self._jvm_process.returncode == 0


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
    collector = "-XX:+UseSerialGC" if settings.cores <= 2 else "-XX:+UseParallelGC"
    return {
        "spark.driver.memory": f"{settings.memory_mb}m",
        # A local run is mostly start-up: without the second compiler it took 17 s of processor time instead of 31.
        "spark.driver.extraJavaOptions": f"-XX:TieredStopAtLevel=1 {collector}"
        f" {' '.join(settings.java_options)} -Djava.io.tmpdir='{temporary}' -Dderby.system.home='{settings.metastore}'",
        "spark.local.dir": str(temporary),
        "spark.driver.host": loopback,
        "spark.driver.bindAddress": loopback,
        "spark.connect.grpc.binding.address": loopback,
        "spark.connect.grpc.binding.port": "0",
        "spark.connect.grpc.maxInboundMessageSize": str(256 * 1024 * 1024),
        **({"spark.jars": ",".join(jar.as_uri() for jar in settings.jars)} if settings.jars else {}),
        # In logs and in plans the values of such options are stars. Spark's own list lacks the login to Kafka.
        "spark.sql.redaction.options.regex": f"{SECRET_NAMES}|url",
        # This one also hides settings from spark.conf.get, by name or value: with Spark's own, which has words such as
        # 'token' and 'secret', there would be no eventhub.secretScope and no topic 'token-requests'.
        "spark.redaction.regex": "(?i)sasl[.]jaas|LoginModule|SharedAccess(Key|Signature)=",
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
        # The usual one starts a process for each file that it renames, to ask whether that is a link: 500 a run.
        # The rename itself is the same, and one process writes at a time.
        "spark.sql.streaming.checkpointFileManagerClass": (
            "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
        ),
        "spark.sql.sources.default": "parquet",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.pipelines.execution.streamstate.pollingInterval": "1",
        "spark.sql.pipelines.maxFlowRetryAttempts": "0",
        "spark.sql.connect.serverStacktrace.enabled": "true",
    }


def classic_session() -> Any:
    """The session beside the Connect server, by which its JVM is reached."""
    from pyspark.sql import SparkSession

    return SparkSession._instantiatedSession


def session_in_jvm(spark: SparkSession) -> Any:
    """What the JVM keeps of the Connect session ``spark``: its ``SessionHolder``."""
    from pyspark import SparkContext

    client: Any = spark
    jvm = SparkContext._jvm
    assert jvm is not None
    key_type = getattr(jvm, "org.apache.spark.sql.connect.service.SessionKey")
    key = key_type(client.client._user_id or "", client.session_id)
    return _connect_service().sessionManager().getIsolatedSessionIfPresent(key).get()


def items_in_jvm(collection: Any) -> Iterator[Any]:
    """The elements of a Scala collection."""
    iterator = collection.iterator()
    while iterator.hasNext():
        yield iterator.next()


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
