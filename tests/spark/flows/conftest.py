"""A way to run definitions as a pipeline on the shared session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.pipelines.block_session_mutations import block_session_mutations
from pyspark.pipelines.graph_element_registry import graph_element_registration_context
from pyspark.pipelines.spark_connect_graph_element_registry import SparkConnectGraphElementRegistry
from pyspark.pipelines.spark_connect_pipeline import create_dataflow_graph, start_run
from pyspark.sql import SparkSession

RunPipeline = Callable[..., None]


@pytest.fixture
def run_pipeline(spark: SparkSession, tmp_path: Path) -> Iterator[RunPipeline]:
    """Runs the definitions that a function makes, as one pipeline with one storage folder a test.

    ``run_pipeline(define, {"setting": "value"})``; the tables are dropped when the test ends.
    """
    spark.sql("CREATE DATABASE IF NOT EXISTS flows_test")
    set_here: set[str] = set()

    def run(define: Callable[[], object], configuration: dict[str, str] | None = None) -> None:
        configuration = configuration or {}
        for key, value in configuration.items():
            spark.conf.set(key, value)
        set_here.update(configuration)
        graph = create_dataflow_graph(spark, None, "flows_test", configuration)
        with (
            graph_element_registration_context(SparkConnectGraphElementRegistry(spark, graph)),
            block_session_mutations(),
        ):
            define()
        storage = (tmp_path / "storage").as_uri()
        for _ in start_run(spark, graph, None, False, None, False, storage):
            pass

    yield run
    for key in set_here:
        spark.conf.unset(key)
    spark.sql("DROP DATABASE flows_test CASCADE")
