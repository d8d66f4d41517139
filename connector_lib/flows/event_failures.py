"""What Spark says when a topic cannot be read, in the words of the settings that can mend it.

The texts on the left were seen with Spark 4.3.0 and kafka-clients 3.9.2; those of lost records are the error class
``KAFKA_DATA_LOSS`` of Spark's Kafka source (``kafka-error-conditions.json``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connector_lib.errors import BrokerError

__all__ = ["event_failure"]


@dataclass(frozen=True, slots=True)
class _Cause:
    """``said`` finds it in Spark's message; ``message`` and ``hint`` take its groups, ``{servers}`` and ``{topic}``."""

    said: re.Pattern[str]
    message: str
    hint: str


_CAUSES: Final = (
    _Cause(
        re.compile(r"Partition (?P<partition>\S+) offset was changed from (?P<read>\d+) to (?P<end>\d+)"),
        "records before offset {read} of partition {partition} were read, and it ends at {end} now: the topic was"
        " deleted and made again, or startingOffsets lies behind its end",
        "read the new topic into tables of their own (another database or schema), or read everything again"
        " (--full-refresh empties the tables first). failOnDataLoss=false would pass over records of the new topic up"
        " to offset {read}",
    ),
    _Cause(
        re.compile(r"Partitions (?P<partition>.+?) have been deleted"),
        "partitions that were read before are gone: {partition}. The topic was deleted, or made again with fewer",
        "read the new topic into tables of their own (another database or schema), or read everything again"
        " (--full-refresh empties the tables first)",
    ),
    _Cause(
        re.compile(r"Starting offset for (?P<partition>\S+) was (?P<read>\d+) but consumer reset to (?P<start>\d+)"),
        "records of partition {partition} from offset {read} on were deleted before they were read; the oldest that"
        " is left is {start}: the topic's retention time is shorter than the time between two runs",
        "failOnDataLoss=false, for one run, goes on with what is left; raise the topic's retention or run more often",
    ),
    _Cause(
        re.compile(r"Could not read records in offset \[(?P<read>\d+), \d+\) for topic partition (?P<partition>\S+)"),
        "records of partition {partition} from offset {read} on were deleted before they were read: the topic's"
        " retention time is shorter than the time between two runs, or the topic was deleted",
        "failOnDataLoss=false, for one run, goes on with what is left; raise the topic's retention or run more often",
    ),
    _Cause(
        re.compile(r"Some data may have been lost because they are not available in Kafka any more"),
        "records of the topic {topic} were deleted before they were read: its retention time is shorter than the time"
        " between two runs, or the topic was deleted",
        "failOnDataLoss=false, for one run, goes on with what is left; raise the topic's retention or run more often",
    ),
    _Cause(
        re.compile(r"UnknownTopicOrPartitionException|does not host this topic-partition"),
        "there is no topic {topic} at {servers}, or the login may not see it",
        "correct 'kafka.topic' (or 'eventhub.name')",
    ),
    _Cause(
        re.compile(r"SaslAuthenticationException|UnsupportedSaslMechanismException|IllegalSaslStateException"),
        "{servers} refused the login",
        "check user, secret and 'kafka.sasl.mechanism'; for Event Hubs a connection string with the right to listen,"
        " of this namespace or event hub",
    ),
    _Cause(
        re.compile(r"SslAuthenticationException|SSL handshake failed|SSLHandshakeException"),
        "no encrypted connection to {servers}: its certificate is not trusted, or the port is not one for TLS",
        "'kafka.ssl.truststore.location' takes the certificate of your own authority, with"
        " 'kafka.ssl.truststore.type' PEM",
    ),
    _Cause(
        re.compile(r"(?:Topic|Group|Cluster)AuthorizationException"),
        "the login may not read the topic {topic} at {servers}",
        "it needs the right to read the topic, and consumer groups whose name starts with spark-kafka-source"
        " (or with 'groupIdPrefix')",
    ),
    _Cause(
        re.compile(r"No resolvable bootstrap urls|Couldn't resolve server"),
        "the host in {servers} is not known here",
        "correct 'kafka.servers' (or 'eventhub.namespace')",
    ),
    _Cause(
        re.compile(r"Timed out waiting for a node assignment|TimeoutException|Cannot fetch record for offset"),
        "{servers} does not answer as a Kafka server does: nothing listens there, a firewall is between, or it wants"
        " another security protocol",
        "check 'kafka.servers' (or 'eventhub.namespace') and 'kafka.security.protocol': SASL_SSL or SSL where the port"
        " is encrypted, SASL_PLAINTEXT or PLAINTEXT where it is not",
    ),
)
_IS_KAFKA = re.compile(r"org\.apache\.kafka|KAFKA_|in Kafka any more|KafkaException|Cannot fetch record for offset")


def event_failure(said: str, settings: Mapping[str, str]) -> BrokerError | None:
    """What is meant by ``said``, a message of a failed flow; None where it is not about a topic, or not known.

    ``settings`` are those of the pipeline: servers and topic are named from them. Nothing else of them is shown.

    >>> error = event_failure(
    ...     "org.apache.kafka.common.errors.SaslAuthenticationException: Authentication failed",
    ...     {"kafka.servers": "127.0.0.1:9092"},
    ... )
    >>> error.message
    '127.0.0.1:9092 refused the login'
    """
    if not _IS_KAFKA.search(said):
        return None
    names = {
        "servers": _first(settings, "eventhub.servers", "kafka.servers", "eventhub.namespace") or "the servers",
        "topic": _first(settings, "kafka.topic", "eventhub.name"),
    }
    for cause in _CAUSES:
        found = cause.said.search(said)
        if found is not None:
            values = {**names, **found.groupdict()}
            return BrokerError(cause.message.format_map(values).replace("  ", " "), hint=cause.hint.format_map(values))
    return None


def _first(settings: Mapping[str, str], *names: str) -> str:
    return next((value for name in names if (value := settings.get(name, "").strip())), "")
