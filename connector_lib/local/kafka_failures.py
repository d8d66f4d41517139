"""What Kafka's client and Spark's Kafka source say when something fails, in the words of who runs the pipeline.

Sources: the exceptions of ``org.apache.kafka.common.errors``
(https://kafka.apache.org/39/javadoc/org/apache/kafka/common/errors/package-summary.html), and the conditions in
``error/kafka-error-conditions.json`` of Spark's connector. Those marked "seen" were met on a Kafka 4.3 broker.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from connector_lib.local.kafka_sources import TopicSource

__all__ = ["kafka_failure"]


@dataclass(frozen=True, slots=True)
class _Cause:
    """``sign`` in what was said, what it means, and what to do. Both texts may name fields of the source, and groups
    of ``sign``."""

    sign: re.Pattern[str]
    means: str
    hint: str


def _cause(sign: str, means: str, hint: str) -> _Cause:
    return _Cause(re.compile(sign), means, hint)


_NEW_TOPIC: Final = (
    "read it into tables of their own (another --warehouse), or with '--full-refresh', which empties the tables first."
    " A run with failOnDataLoss=false ('--set failOnDataLoss=false' where the pipeline has the setting) keeps the"
)
_RETENTION: Final = (
    "one run with failOnDataLoss=false ('--set failOnDataLoss=false' where the pipeline has the setting) goes on with"
    " what is left; keep records longer in the topic, or run more often"
)
_PROTOCOLS: Final = "PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"

# The first whose sign is found is the cause, so the more telling ones stand first.
_CAUSES: Final = (
    _cause(  # seen
        r"UnsupportedSaslMechanismException: [^\n]*enabled mechanisms are \[(?P<offered>[^\]\n]*)\]",
        "{servers} ('{servers_from}') takes no login by {mechanism}; it takes {offered}",
        "set 'kafka.sasl.mechanism'",
    ),
    _cause(  # seen
        r"IllegalSaslStateException",
        "{servers} ('{servers_from}') is a port where nobody logs in, and 'kafka.security.protocol' is {protocol}",
        "give the port where one logs in; or leave the user away and set 'kafka.security.protocol' to PLAINTEXT or SSL",
    ),
    _cause(  # seen
        r"SaslAuthenticationException",
        "{servers} ('{servers_from}') refuses the login by {mechanism}: wrong user or password",
        "check both; for Event Hubs the user is $ConnectionString and the password the whole connection string, of a"
        " policy with the right Listen",
    ),
    _cause(
        r"retrieving token from callback handler",
        "no token for {servers} ('{servers_from}') from Microsoft Entra ID",
        "check 'eventhub.tenantId', 'eventhub.clientId' and EVENTHUB_CLIENT_SECRET, and that nothing on the network"
        " keeps login.microsoftonline.com from being reached",
    ),
    _cause(  # seen
        r"(?:No LoginModule found for|Unable to find LoginModule class:?) (?P<module>[\w.$]+)",
        "the login module {module} is not known here",
        "outside Databricks its name begins with 'org.apache.kafka.', without 'kafkashaded.'",
    ),
    _cause(
        r"LoginException|JAAS config",
        "the login to {servers} ('{servers_from}') has not the form that Kafka reads ('kafka.sasl.jaas.config')",
        'it is: <login module> required username="…" password="…";',
    ),
    _cause(  # seen
        r"UnknownTopicOrPartitionException",
        "there is no topic '{topics}' ('{topics_from}') at {servers}",
        "check the name and the servers; a topic that the user may not see looks like one that is not there",
    ),
    _cause(
        r"GroupAuthorizationException",
        "the user may not use Spark's consumer groups at {servers} (they are called spark-kafka-source-…)",
        "allow READ on groups with a prefix of your own, and set 'groupIdPrefix' to it",
    ),
    _cause(
        r"(?:Topic|Cluster)AuthorizationException",
        "the user may not read the topic '{topics}' ('{topics_from}') at {servers}",
        "it needs READ and DESCRIBE on the topic (Event Hubs: Listen)",
    ),
    _cause(
        r"Failed to load SSL keystore|Invalid PEM|No matching .{1,40} entries in PEM",
        "the file of certificates for the login to {servers} cannot be read",
        "check 'kafka.ssl.truststore.location' and 'kafka.ssl.truststore.type' (PEM, JKS, PKCS12)",
    ),
    _cause(
        r"SslAuthenticationException|SSLHandshakeException|PKIX path",
        "{servers} ('{servers_from}') makes no encrypted connection: its certificate is not trusted here, or it wants"
        " one of ours",
        "a certificate authority of your own is named by 'kafka.ssl.truststore.location' (and '….type', such as PEM)",
    ),
    _cause(  # seen
        r"Partition (?P<partition>\S+) offset was changed from (?P<before>\d+) to (?P<now>\d+)",
        "the topic '{topics}' at {servers} ends before the place where this pipeline goes on: partition {partition} was"
        " read up to offset {before}, and ends at {now} now. It was deleted and made again, or these are other servers:"
        " what came into the old topic after the last run is lost, and what is in the new one has not been read",
        f"{_NEW_TOPIC} tables, and passes over records of the new topic below the old offsets",
    ),
    _cause(
        r"Partitions .{1,2000}? have been deleted|Cannot find initial offsets|have been lost during running query",
        "partitions of the topic '{topics}' at {servers} that this pipeline has read are no longer there: it was"
        " deleted, or made again with fewer",
        f"{_NEW_TOPIC} tables, and goes on with the partitions that are left",
    ),
    _cause(
        r"Starting offset for (?P<partition>\S+) was (?P<before>\d+) but consumer reset to (?P<now>\d+)",
        "records of the topic '{topics}' at {servers} were deleted before this pipeline read them: in partition"
        " {partition} those from offset {before} to below {now}",
        _RETENTION,
    ),
    _cause(
        r"Could not read records in offset \[(?P<before>\d+), \d+\) for topic partition (?P<partition>\S+)",
        "records of the topic '{topics}' at {servers} were deleted before this pipeline read them: in partition"
        " {partition} those from offset {before} on",
        _RETENTION,
    ),
    _cause(
        r"Some data may have been lost|OffsetOutOfRangeException|available offset which is less than end offset"
        r"|(?i:pre-fetched offset)|Topic-partitions for start offset",
        "records or partitions of the topic '{topics}' at {servers} were deleted before this pipeline read them",
        _RETENTION,
    ),
    _cause(
        r"Cannot fetch record for offset (?P<offset>\d+) in (?P<limit>\d+) milliseconds",
        "{servers} ('{servers_from}') fell silent while the topic '{topics}' was read: no record within {limit} ms",
        "run again: what was read before is kept and not read twice",
    ),
    _cause(  # seen
        r"(?s)Timed out waiting for a node assignment.*?Committed Offsets: \{Kafka",
        "{servers} ('{servers_from}') takes connections and no longer answers as when this pipeline last read from it",
        "run again when it does: what was read is kept and not read twice. Or does the port speak something else than"
        " {protocol} ('kafka.security.protocol') now?",
    ),
    _cause(  # seen
        r"Timed out waiting for a node assignment|org\.apache\.kafka\.common\.errors\.TimeoutException",
        "{servers} ('{servers_from}') takes connections, and does not answer as Kafka does by {protocol}"
        " ('kafka.security.protocol')",
        f"find out what the port speaks: {_PROTOCOLS}. A server that hangs looks the same, and one whose advertised"
        " listeners are not reached from here",
    ),
    _cause(
        r"No resolvable bootstrap urls",
        "no server of '{servers_from}' has a name that is known here: {servers}",
        "check the names",
    ),
    _cause(
        r"UnsupportedVersionException",
        "{servers} ('{servers_from}') is older than Spark's Kafka client can talk to",
        "Kafka 2.1 or newer is needed",
    ),
    _cause(
        r"OutOfMemoryError",
        "Spark ran out of memory while it read the topic '{topics}': its records, or too many at a time, are too large",
        "give it more (--memory), or set 'maxOffsetsPerTrigger' lower",
    ),
    _cause(
        r"CorruptRecordException|Received exception when fetching the next record from (?P<partition>\S+?)\.",
        "a record of the topic '{topics}' at {servers} is damaged where the servers keep it",
        "whoever runs the servers can repair or delete it",
    ),
    _cause(
        r"(?:NoSuchMethodError|NoSuchFieldError|AbstractMethodError|IncompatibleClassChangeError|NoClassDefFoundError"
        r"|ClassNotFoundException)[^\n]*kafka",
        "the jars by which Spark reads Kafka do not fit the Spark that is installed",
        "leave --jars away, or give the jars of its version",
    ),
    _cause(
        r"(?:DATA_SOURCE_NOT_FOUND|Failed to find (?:the )?data source)[^\n]*kafka",
        "the pipeline reads Kafka, and Spark was started without the jars for it",
        "give them: --jars DIR",
    ),
)


def kafka_failure(said: str, sources: Sequence[TopicSource]) -> str | None:
    """What ``said`` means for a flow that reads ``sources``, and what to do; None where it is not about Kafka.

    Names servers, topic and option, and no value of a record.
    """
    if not sources:
        return None
    fields = {
        name: ", ".join(dict.fromkeys(getattr(source, name) for source in sources))
        for name in ("servers", "topics", "servers_from", "topics_from", "protocol", "mechanism")
    }
    for cause in _CAUSES:
        found = cause.sign.search(said)
        if found:
            values = {**fields, **found.groupdict()}
            return f"{cause.means.format(**values)}\n  {cause.hint.format(**values)}"
    return None
