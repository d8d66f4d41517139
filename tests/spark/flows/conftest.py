"""A Spark Connect server in this process, and a way to run definitions as a pipeline on it."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from pyspark import SparkContext
from pyspark.pipelines.block_session_mutations import block_session_mutations
from pyspark.pipelines.graph_element_registry import graph_element_registration_context
from pyspark.pipelines.spark_connect_graph_element_registry import SparkConnectGraphElementRegistry
from pyspark.pipelines.spark_connect_pipeline import create_dataflow_graph, start_run
from pyspark.sql import SparkSession
from pyspark.sql.connect.session import SparkSession as ConnectSession

RunPipeline = Callable[..., None]


@pytest.fixture(scope="session")
def pipeline_spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    home = tmp_path_factory.mktemp("spark")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"] = secrets.token_hex()
    options = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": "0",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000000",
        "spark.sql.warehouse.dir": str(home / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    ConnectSession._start_connect_server("local[2]", options)
    context = SparkContext._active_spark_context
    assert context is not None
    assert context._jvm is not None
    context.setLogLevel("OFF")
    service = context._jvm.org.apache.spark.sql.connect.service
    port = getattr(getattr(service, "SparkConnectService$"), "MODULE$").localPort()
    token = os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"]
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    spark = ConnectSession.builder.remote(f"sc://localhost:{port}/;token={token}").getOrCreate()
    yield cast(SparkSession, spark)
    spark.stop()


@pytest.fixture
def run_pipeline(pipeline_spark: SparkSession, tmp_path: Path) -> Iterator[RunPipeline]:
    """Runs the definitions that a function makes, as one pipeline with one storage folder a test.

    ``run_pipeline(define, {"setting": "value"})``; the tables are dropped when the test ends.
    """
    pipeline_spark.sql("CREATE DATABASE IF NOT EXISTS flows_test")
    set_here: set[str] = set()

    def run(define: Callable[[], object], configuration: dict[str, str] | None = None) -> None:
        configuration = configuration or {}
        for key, value in configuration.items():
            pipeline_spark.conf.set(key, value)
        set_here.update(configuration)
        graph = create_dataflow_graph(pipeline_spark, None, "flows_test", configuration)
        with (
            graph_element_registration_context(SparkConnectGraphElementRegistry(pipeline_spark, graph)),
            block_session_mutations(),
        ):
            define()
        storage = (tmp_path / "storage").as_uri()
        for _ in start_run(pipeline_spark, graph, None, False, None, False, storage):
            pass

    yield run
    for key in set_here:
        pipeline_spark.conf.unset(key)
    pipeline_spark.sql("DROP DATABASE flows_test CASCADE")
