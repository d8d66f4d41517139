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
_BATCH = "spark.sql.execution.arrow.maxRecordsPerBatch"
_SMALL_BATCH = 128
_NAME = "parse UDF at local[1] beside parse_message alone"


def measure_udf(folder: Path, messages: int, rounds: int) -> Section:
    """Messages a second through ``get_parse_udf()``, all of Spark's work included, and without Spark."""
    columns = ("what", "messages a second", "ratio")
    note = (
        f"{rounds} rounds of {messages:,} different ORU^R01 of 1.5 kB, in turns; medians of elapsed time, and of the "
        "ratio of each round. Python and Spark work side by side: on fewer than two idle cores they cannot."
    )
    try:
        spark = _session(folder)
    except (ImportError, ConnectorLibError) as error:
        reason = str(error).splitlines()[0]
        target = Target(_NAME, f"at least {_WANTED} of its rate", reason, None)
        return Section("Parse UDF", f"Not measured: {reason}", columns, [], [target])
    try:
        alone, by_batch = _seconds(spark, messages, rounds)
    finally:
        spark.stop()
    rows = [("parse_message alone", f"{messages / statistics.median(alone):,.0f}", "1.00")]
    for batch, seconds in by_batch.items():
        name = f"parse UDF at local[1], {batch:,} messages a batch{'' if batch == _SMALL_BATCH else ' (default)'}"
        rows.append((name, f"{messages / statistics.median(seconds):,.0f}", f"{_ratio(alone, seconds):.2f}"))
    ratio = _ratio(alone, by_batch[_SMALL_BATCH])
    name = f"{_NAME}, {_SMALL_BATCH} messages a batch"
    target = Target(name, f"at least {_WANTED} of its rate", f"{ratio:.2f}", ratio >= _WANTED)
    return Section("Parse UDF", note, columns, rows, [target])


def _ratio(alone: list[float], through_udf: list[float]) -> float:
    """What a round's work took alone, by what it took through the UDF right behind it."""
    return statistics.median(one / other for one, other in zip(alone, through_udf, strict=True))


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


def _seconds(spark: SparkSession, count: int, rounds: int) -> tuple[list[float], dict[int, list[float]]]:
    """Seconds of each round: of the parser alone, and through the UDF by the length of Spark's batches."""
    from connector_lib.spark_utils import get_parse_udf

    texts = [oru_message(seed=seed) for seed in range(count)]
    messages = spark.createDataFrame([(text,) for text in texts], "message string").coalesce(1).cache()
    messages.count()
    default = int(spark.conf.get(_BATCH) or 0)

    def through_udf(batch: int) -> float:
        spark.conf.set(_BATCH, batch)
        started = time.perf_counter()
        messages.select(get_parse_udf()("message")).write.format("noop").mode("overwrite").save()
        return time.perf_counter() - started

    alone: list[float] = []
    by_batch: dict[int, list[float]] = {_SMALL_BATCH: [], default: []}
    for batch in by_batch:
        through_udf(batch)  # starts the Python worker
    for _ in range(rounds):
        started = time.perf_counter()
        for text in texts:
            parse_message(text)
        alone.append(time.perf_counter() - started)
        for batch, seconds in by_batch.items():
            seconds.append(through_udf(batch))
    return alone, by_batch
