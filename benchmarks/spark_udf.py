"""The parse UDF on one core of Spark beside the parser alone."""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import Section, Target
from connector_lib import parse_message
from connector_lib.errors import ConnectorLibError
from connector_lib.samples.hl7v2 import oru_message

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["measure_udf"]

_WANTED = 0.8
_NAME = "parse UDF at local[1] beside parse_message alone"


def measure_udf(folder: Path, messages: int, rounds: int) -> Section:
    """Messages a second through ``get_parse_udf()``, all of Spark's work included, and without Spark."""
    columns = ("what", "messages a second", "ratio")
    note = f"{rounds} rounds of {messages:,} different ORU^R01 of 1.5 kB, in turns; medians of elapsed time."
    try:
        spark = _session(folder)
    except (ImportError, ConnectorLibError) as error:
        reason = str(error).splitlines()[0]
        target = Target(_NAME, f"at least {_WANTED} of its rate", reason, None)
        return Section("Parse UDF", f"Not measured: {reason}", columns, [], [target])
    try:
        alone, through_udf = _rates(spark, messages, rounds)
    finally:
        spark.stop()
    ratio = through_udf / alone
    rows = [
        ("parse_message alone", f"{alone:,.0f}", "1.00"),
        ("parse UDF at local[1]", f"{through_udf:,.0f}", f"{ratio:.2f}"),
    ]
    target = Target(_NAME, f"at least {_WANTED} of its rate", f"{ratio:.2f}", ratio >= _WANTED)
    return Section("Parse UDF", note, columns, rows, [target])


def _session(folder: Path) -> SparkSession:
    from pyspark.sql import SparkSession

    from connector_lib.local.java import find_java, java_home_for_spark

    os.environ["JAVA_HOME"] = str(java_home_for_spark(find_java(), folder))
    os.environ["PYSPARK_PYTHON"] = sys.executable
    return (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )


def _rates(spark: SparkSession, count: int, rounds: int) -> tuple[float, float]:
    from connector_lib.spark_utils import get_parse_udf

    texts = [oru_message(seed=seed) for seed in range(count)]
    messages = spark.createDataFrame([(text,) for text in texts], "message string").coalesce(1).cache()
    messages.count()
    parsed = messages.select(get_parse_udf()("message").alias("parsed"))
    parsed.write.format("noop").mode("overwrite").save()  # starts the Python worker
    alone, through_udf = [], []
    for _ in range(rounds):
        started = time.perf_counter()
        for text in texts:
            parse_message(text)
        alone.append(count / (time.perf_counter() - started))
        started = time.perf_counter()
        parsed.write.format("noop").mode("overwrite").save()
        through_udf.append(count / (time.perf_counter() - started))
    return statistics.median(alone), statistics.median(through_udf)
