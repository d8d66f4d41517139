"""Records of a topic as a stream: Apache Kafka, and Azure Event Hubs by its Kafka endpoint.

What holds on both sides:

- One row a record, with its bytes. Topic, partition and offset name it for good: each is read once.
- **Nothing is passed over.** The first run starts with the oldest record (``startingOffsets``), and records that are
  gone before they were read end the run with an error (``failOnDataLoss``).
- Records of transactions that were not committed are not read.
- A record without a value (a tombstone), or with an empty one, is a row that says so.

What differs: on Databricks the Kafka client has another package name, and its own time limits stay. Elsewhere they are
shorter, so that a server that does not answer ends a run within about a minute.

Records of Kinesis come by Firehose as files: :func:`~connector_lib.flows.files.read_files`.

Sources: https://spark.apache.org/docs/latest/streaming/structured-streaming-kafka-integration.html,
https://learn.microsoft.com/azure/event-hubs/apache-kafka-configurations,
https://docs.databricks.com/aws/en/connect/streaming/kafka/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from connector_lib.errors import ConfigurationError
from connector_lib.flows.event_logins import Login, ServiceCredential, login_options
from connector_lib.flows.runtime import active_session, on_databricks, setting, where_to_write

__all__ = ["EMPTY_VALUE", "TOMBSTONE", "read_event_hubs", "read_kafka", "stream_options"]

TOMBSTONE = "the record has no value (a tombstone)"
"""Why a record has no content."""
EMPTY_VALUE = "the record's value is empty"
"""The same, of a value that is there and has no bytes."""

_EVENT_HUBS_DOMAIN = "servicebus.windows.net"
_EVENT_HUBS_PORT = 9093
_SERVER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_HARMLESS = re.compile(r"[\w.:,/\[\]* -]{1,100}")
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_FIXED = ("kafka.bootstrap.servers", "subscribe", "subscribePattern", "assign", "includeHeaders")
_DEFAULTS: Final[Mapping[str, str]] = {
    "includeHeaders": "true",
    "startingOffsets": "earliest",
    "failOnDataLoss": "true",
}
# Spark asks for offsets `numRetries` times, each time for as long as the client tries. With the client's own limits
# that is four minutes for a server that is not there.
_TIME_LIMITS: Final[Mapping[str, str]] = {
    "kafka.default.api.timeout.ms": "12000",
    "kafka.request.timeout.ms": "8000",
    "kafka.socket.connection.setup.timeout.ms": "5000",
    "kafka.socket.connection.setup.timeout.max.ms": "10000",
    "fetchOffset.numRetries": "2",
    "kafkaConsumer.pollTimeoutMs": "60000",
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
    chosen = dict(options or {})
    _check_servers(servers, "kafka.servers")
    _check_topics(topic, "kafka.topic")
    _check_options(chosen)
    if login is None:
        chosen.setdefault("kafka.security.protocol", "PLAINTEXT")
    return _read(servers, topic, login, {"kafka.isolation.level": "read_committed", **chosen}, host=servers)


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
    options : as in :func:`read_kafka`. The security protocol is SASL_SSL.

    Raises :class:`~connector_lib.errors.ConfigurationError` as :func:`read_kafka` does.

    ::

        LOGIN = event_hubs_login()

        @dp.table
        def received():
            name = required_setting("eventhub.name")
            return read_event_hubs(required_setting("eventhub.namespace"), name, login=LOGIN)
    """
    chosen = dict(options or {})
    host = namespace if "." in namespace else f"{namespace}.{_EVENT_HUBS_DOMAIN}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", namespace):
        raise ConfigurationError(
            f"'eventhub.namespace' must be the name of a namespace{_instead_of(namespace)}",
            hint=f"without 'sb://' and without a port, such as 'mynamespace' or 'mynamespace.{_EVENT_HUBS_DOMAIN}'",
        )
    address = servers or f"{host}:{_EVENT_HUBS_PORT}"
    _check_servers(address, "eventhub.servers")
    _check_topics(name, "eventhub.name")
    _check_options(chosen)
    return _read(address, name, login, chosen, host=host)


def stream_options() -> dict[str, str]:
    """Options of Spark's Kafka source that the pipeline's configuration sets, each under its own name.

    ``startingOffsets``, ``failOnDataLoss``, ``maxOffsetsPerTrigger``, ``minPartitions``, ``groupIdPrefix``,
    ``kafka.max.poll.records``, ``kafka.security.protocol``, ``kafka.ssl.truststore.location`` and
    ``kafka.ssl.truststore.type``. One that is absent or blank is left out.
    """
    values = {name: setting(name) for name in _FORMS}
    return {name: value for name, value in values.items() if value is not None}


def _read(servers: str, topic: str, login: Login | None, options: Mapping[str, str], *, host: str) -> DataFrame:
    # A service credential brings its protocol along.
    protocol = {} if isinstance(login, ServiceCredential) else {"kafka.security.protocol": "SASL_SSL"}
    everything = {
        **_DEFAULTS,
        **({} if on_databricks() else _TIME_LIMITS),
        **protocol,
        **options,
        "kafka.bootstrap.servers": servers,
        "subscribe": topic,
    }
    _check_protocol(everything.get("kafka.security.protocol"), login)
    return _rows({**everything, **login_options(login, host)})


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


def _check_servers(servers: str, option: str) -> None:
    for server in servers.split(","):
        found = _SERVER.fullmatch(server.strip())
        if found is None or not 0 < int(found[1]) < 65536:
            raise ConfigurationError(
                f"'{option}' must be host:port, or several with commas between them{_instead_of(servers)}",
                hint=where_to_write(option),
            )


def _check_topics(topics: str, option: str) -> None:
    for topic in topics.split(","):
        if not _TOPIC.fullmatch(topic.strip()):
            raise ConfigurationError(
                f"'{option}' must be the name of a topic, or several with commas between them{_instead_of(topics)}",
                hint="a name has letters, digits, '.', '_' and '-', at most 249 of them",
            )


def _check_options(options: Mapping[str, str]) -> None:
    for name, value in options.items():
        if name in _FIXED:
            raise ConfigurationError(f"the option '{name}' is not for options=: it is what this function is told")
        form = _FORMS.get(name)
        if form is not None and not form.fits(value):
            raise ConfigurationError(
                f"the setting '{name}' must be {form.words}{_instead_of(value)}", hint=where_to_write(name)
            )


def _check_protocol(protocol: str | None, login: Login | None) -> None:
    asks = protocol is not None and protocol.startswith("SASL_")
    if asks and login is None:
        raise ConfigurationError(
            f"the setting 'kafka.security.protocol' is {protocol}, which is a login, and there is none",
            hint=where_to_write("kafka.user"),
        )
    if protocol is not None and not asks and login is not None:
        raise ConfigurationError(
            f"the setting 'kafka.security.protocol' is {protocol}, by which nobody logs in, and a login is given",
            hint="SASL_SSL, or SASL_PLAINTEXT without encryption",
        )


def _instead_of(value: str) -> str:
    """What was given, for an error; nothing of what may hold a connection string or a password."""
    return f", not '{value}'" if _HARMLESS.fullmatch(value) else ""


def _is_count(value: str) -> bool:
    return value.isascii() and value.isdigit() and int(value) > 0


def _is_flag(value: str) -> bool:
    return value in ("true", "false")


def _is_protocol(value: str) -> bool:
    return value in _PROTOCOLS


def _is_offsets(value: str) -> bool:
    if value in ("earliest", "latest"):
        return True
    try:
        topics = json.loads(value)
    except ValueError:
        return False
    return isinstance(topics, dict) and all(
        isinstance(partitions, dict) and all(type(offset) is int for offset in partitions.values())
        for partitions in topics.values()
    )


@dataclass(frozen=True, slots=True)
class _Form:
    """What a value has to be, as a check and in words."""

    fits: Callable[[str], bool]
    words: str


_COUNT = _Form(_is_count, "a whole number above 0")
_TEXT = _Form(bool, "a text")
_FORMS: Final[Mapping[str, _Form]] = {
    "startingOffsets": _Form(_is_offsets, 'earliest, latest, or JSON such as {"topic": {"0": 12}}'),
    "failOnDataLoss": _Form(_is_flag, "true or false"),
    "maxOffsetsPerTrigger": _COUNT,
    "minPartitions": _COUNT,
    "groupIdPrefix": _TEXT,
    "kafka.max.poll.records": _COUNT,
    "kafka.security.protocol": _Form(_is_protocol, f"one of {', '.join(_PROTOCOLS)}"),
    "kafka.ssl.truststore.location": _TEXT,
    "kafka.ssl.truststore.type": _TEXT,
}
