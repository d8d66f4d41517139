"""Records of a topic as a stream: Apache Kafka, and Azure Event Hubs by its Kafka endpoint.

What holds on both sides:

- One row a record, with its bytes. Topic, partition and offset name it for good: each is read once.
- **Nothing is passed over.** The first run starts with the oldest record (``startingOffsets``), and records that are
  gone before they were read end the run with an error (``failOnDataLoss``).
- Records of transactions that were not committed are not read.
- A record without a value (a tombstone), or with an empty one, is a row that says so.

What differs: on Databricks the Kafka client has another package name, and for Kafka its own time limits stay.
Elsewhere they are shorter, so that a server that does not answer ends a run within about a minute. Event Hubs has the
limits that Microsoft recommends, on both sides.

Records of Kinesis come by Firehose as files: :func:`~connector_lib.flows.files.read_files`.

Sources: https://spark.apache.org/docs/latest/streaming/structured-streaming-kafka-integration.html,
https://learn.microsoft.com/azure/event-hubs/apache-kafka-configurations,
https://docs.databricks.com/aws/en/connect/streaming/kafka/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from connector_lib.errors import ConfigurationError
from connector_lib.flows.event_logins import Login, ServiceCredential, login_options
from connector_lib.flows.event_options import (
    SETTINGS,
    check_options,
    check_protocol,
    check_servers,
    check_topics,
    instead_of,
    merged_options,
)
from connector_lib.flows.runtime import active_session, on_databricks, setting

__all__ = ["EMPTY_VALUE", "TIME_LIMITS", "TOMBSTONE", "read_event_hubs", "read_kafka", "stream_options"]

TOMBSTONE = "the record has no value (a tombstone)"
"""Why a record has no content."""
EMPTY_VALUE = "the record's value is empty"
"""The same, of a value that is there and has no bytes."""

_EVENT_HUBS_DOMAIN = "servicebus.windows.net"
_EVENT_HUBS_PORT = 9093
_DEFAULTS: Final[Mapping[str, str]] = {
    "includeHeaders": "true",
    "startingOffsets": "earliest",
    "failOnDataLoss": "true",
}
TIME_LIMITS: Final[Mapping[str, str]] = {
    "kafka.default.api.timeout.ms": "12000",
    "kafka.request.timeout.ms": "8000",
    "kafka.socket.connection.setup.timeout.ms": "5000",
    "kafka.socket.connection.setup.timeout.max.ms": "10000",
    "fetchOffset.numRetries": "2",
    "kafkaConsumer.pollTimeoutMs": "60000",
}
"""Options that end the wait for servers which do not answer, outside Databricks. Spark asks for offsets ``numRetries``
times, each time for as long as the client tries: with the client's own limits that is four minutes."""
# Event Hubs does not support request.timeout.ms below 20 s, and closes connections that were idle for four minutes:
# https://learn.microsoft.com/azure/event-hubs/apache-kafka-configurations. A request may last as long as its call.
_EVENT_HUBS_LIMITS: Final[Mapping[str, str]] = {
    "kafka.request.timeout.ms": "60000",
    "kafka.default.api.timeout.ms": "60000",
    "kafka.metadata.max.age.ms": "180000",
    "kafka.connections.max.idle.ms": "180000",
}


def read_kafka(
    servers: str, topic: str, *, login: Login | None = None, options: Mapping[str, str] | None = None
) -> DataFrame:
    """Records of ``topic`` as a stream, one row a record.

    Columns, the same on both runtimes:

    - ``_place`` struct, what names the record for good: ``kafka_topic`` string, ``kafka_partition`` int,
      ``kafka_offset`` bigint
    - ``_about`` struct, what else is known of it: ``kafka_timestamp`` timestamp, ``kafka_key`` binary,
      ``kafka_headers`` array<struct<key string, value binary>>
    - ``content`` binary: its value
    - ``problem`` string: :data:`TOMBSTONE` where there is no value, :data:`EMPTY_VALUE` where it has no bytes, else
      NULL

    Parameters
    ----------
    servers : ``host:port`` of one server or several, with commas between them (setting ``kafka.servers``).
    topic : a topic, or several with commas between them (setting ``kafka.topic``).
    login : see :func:`~connector_lib.flows.event_logins.kafka_login`; None for servers that ask for none.
    options : more options of Spark's Kafka source, which take the place of those chosen here; see
        :func:`stream_options`. Without ``kafka.security.protocol`` a login goes by SASL_SSL.

    Raises :class:`~connector_lib.errors.ConfigurationError` that names the setting, where a value cannot be right.
    Whether the servers are there is seen when the flow runs.

    ::

        LOGIN = kafka_login()

        @dp.table
        def received():
            topic = required_setting("kafka.topic")
            return read_kafka(required_setting("kafka.servers"), topic, login=LOGIN, options=stream_options())
    """
    chosen = options or {}
    check_servers(servers, "kafka.servers")
    check_topics(topic, "kafka.topic")
    check_options(chosen)
    defaults = {"kafka.isolation.level": "read_committed"}
    if login is None:
        defaults["kafka.security.protocol"] = "PLAINTEXT"
    return _read(servers, topic, login, merged_options(defaults, chosen), host=servers)


def read_event_hubs(
    namespace: str,
    name: str,
    *,
    login: Login,
    servers: str | None = None,
    options: Mapping[str, str] | None = None,
) -> DataFrame:
    """Events of the event hub ``name`` as a stream, one row an event, with the columns of :func:`read_kafka`.

    The Kafka endpoint is there from the tier Standard on.

    Parameters
    ----------
    namespace : its name, or its whole host name outside the global cloud (setting ``eventhub.namespace``).
    name : the event hub, or several with commas between them (setting ``eventhub.name``).
    login : see :func:`~connector_lib.flows.event_logins.event_hubs_login`.
    servers : ``host:port`` instead of the namespace's port 9093, such as those of the Event Hubs emulator (setting
        ``eventhub.servers``).
    options : as in :func:`read_kafka`. The security protocol is SASL_SSL. Time limits are those that Microsoft
        recommends for Kafka clients.

    Raises :class:`~connector_lib.errors.ConfigurationError` as :func:`read_kafka` does.

    ::

        LOGIN = event_hubs_login()

        @dp.table
        def received():
            name = required_setting("eventhub.name")
            return read_event_hubs(required_setting("eventhub.namespace"), name, login=LOGIN)
    """
    chosen = options or {}
    host = namespace if "." in namespace else f"{namespace}.{_EVENT_HUBS_DOMAIN}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", namespace):
        raise ConfigurationError(
            f"'eventhub.namespace' must be the name of a namespace{instead_of(namespace)}",
            hint=f"without 'sb://' and without a port, such as 'mynamespace' or 'mynamespace.{_EVENT_HUBS_DOMAIN}'",
        )
    address = servers or f"{host}:{_EVENT_HUBS_PORT}"
    check_servers(address, "eventhub.servers")
    check_topics(name, "eventhub.name")
    check_options(chosen)
    return _read(address, name, login, merged_options(_EVENT_HUBS_LIMITS, chosen), host=host)


def stream_options() -> dict[str, str]:
    """Options of Spark's Kafka source that the pipeline's configuration sets, each under its own name.

    ``startingOffsets``, ``failOnDataLoss``, ``maxOffsetsPerTrigger``, ``minPartitions``, ``groupIdPrefix``,
    ``kafka.max.poll.records``, ``kafka.security.protocol``, ``kafka.ssl.truststore.location`` and
    ``kafka.ssl.truststore.type``. One that is absent or blank is left out.

    ::

        # configuration: {maxOffsetsPerTrigger: "100000", startingOffsets: ""}
        from connector_lib.flows.events import stream_options

        print(stream_options())  # {'maxOffsetsPerTrigger': '100000'}
    """
    values = {name: setting(name) for name in SETTINGS}
    return {name: value for name, value in values.items() if value is not None}


def _read(servers: str, topic: str, login: Login | None, options: Mapping[str, str], *, host: str) -> DataFrame:
    # A service credential brings its protocol along.
    protocol = {} if isinstance(login, ServiceCredential) else {"kafka.security.protocol": "SASL_SSL"}
    limits = {} if on_databricks() else TIME_LIMITS
    what = {"kafka.bootstrap.servers": servers, "subscribe": topic}
    everything = merged_options(_DEFAULTS, limits, protocol, options, what)
    check_protocol(everything.get("kafka.security.protocol"), login)
    return _rows(merged_options(everything, login_options(login, host)))


def _rows(options: Mapping[str, str]) -> DataFrame:
    value = F.col("value")
    return (
        active_session()
        .readStream.format("kafka")
        .options(**options)
        .load()
        .select(
            F.struct(
                F.col("topic").alias("kafka_topic"),
                F.col("partition").alias("kafka_partition"),
                F.col("offset").alias("kafka_offset"),
            ).alias("_place"),
            F.struct(
                F.col("timestamp").alias("kafka_timestamp"),
                F.col("key").alias("kafka_key"),
                F.col("headers").alias("kafka_headers"),
            ).alias("_about"),
            value.alias("content"),
            F.when(value.isNull(), F.lit(TOMBSTONE))
            .when(F.octet_length(value) == 0, F.lit(EMPTY_VALUE))
            .alias("problem"),
        )
    )
