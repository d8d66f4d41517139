"""Observed metrics (``DataFrame.observe``) of queries and streams, handed out as they come.

Internal to Spark: the gateway to the JVM and its callback server (``pyspark.java_gateway``), the listener bus
(``SparkContext._jsc``), the wrapper of streaming listeners (``PythonStreamingQueryListenerWrapper``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from connector_lib.local.engine.process import items_in_jvm, session_in_jvm

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["drain_observations", "observe"]

_LISTENER_SECONDS = 30


def observe(spark: SparkSession, on_query: Callable[[str], None], on_batch: Callable[[str], None]) -> None:
    """Hands out observed metrics of ``spark`` from now on, as JSON objects by name.

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
    session_in_jvm(spark).session().streams().addListener(wrapper_type(_StreamListener(on_batch)))


def drain_observations() -> None:
    """Waits until every observed metric so far has been handed out."""
    from pyspark import SparkContext

    context = SparkContext._active_spark_context
    assert context is not None
    context._jsc.sc().listenerBus().waitUntilEmpty(_LISTENER_SECONDS * 1000)


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
        entries = list(items_in_jvm(event.qe().observedMetrics()))
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
