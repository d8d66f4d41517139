"""The one Spark session that all tests of this folder share: a Connect server in this process, as pipelines have it."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from pyspark import SparkContext
from pyspark.sql import SparkSession
from pyspark.sql.connect.session import SparkSession as ConnectSession

from connector_lib.local.java import find_java, java_home_for_spark

CONNECTORS = Path(__file__).parents[1] / "data" / "connectors"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    home = tmp_path_factory.mktemp("spark")
    os.environ["JAVA_HOME"] = str(java_home_for_spark(find_java(), home / "java"))
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"] = secrets.token_hex()
    options = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": "0",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000000",
        "spark.sql.warehouse.dir": str(home / "warehouse"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    with pytest.MonkeyPatch.context() as patch:
        # Workers take the path of the JVM that starts them: they find the connectors of the tests, as installed ones.
        paths = filter(None, (str(CONNECTORS), os.environ.get("PYTHONPATH")))
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        ConnectSession._start_connect_server("local[2]", options)
    context = SparkContext._active_spark_context
    assert context is not None
    assert context._jvm is not None
    context.setLogLevel("OFF")
    service = context._jvm.org.apache.spark.sql.connect.service
    port = getattr(getattr(service, "SparkConnectService$"), "MODULE$").localPort()
    token = os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"]
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    session = ConnectSession.builder.remote(f"sc://localhost:{port}/;token={token}").getOrCreate()
    yield cast(SparkSession, session)
    session.stop()
