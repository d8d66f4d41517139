"""What Kafka's client and Spark's Kafka source say, in the words of who runs the pipeline."""

from __future__ import annotations

import pytest

from connector_lib.local.kafka_failures import kafka_failure
from connector_lib.local.kafka_sources import TopicSource

SOURCE = TopicSource(
    flow="received",
    target="received",
    servers="kafka.example.org:9093",
    topics="hl7",
    servers_from="kafka.servers",
    topics_from="kafka.topic",
    protocol="SASL_SSL",
    mechanism="PLAIN",
    secrets=frozenset({"hush hush"}),
)
ERRORS = "org.apache.kafka.common.errors."
LOST = (
    "Error: [STREAM_FAILED] Query [id = 4f] terminated with exception: Some data may have been lost because they are"
    " not available in Kafka any more;\neither the data was aged out by Kafka or the topic may have been deleted before"
    " all the data in the\ntopic was processed.\nIf you don't want your streaming query to fail on such cases, set the"
    " source option failOnDataLoss to false.\nReason: "
)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            f"{ERRORS}SaslAuthenticationException: Authentication failed: Invalid username or password",
            ["kafka.example.org:9093 ('kafka.servers') refuses the login by PLAIN", "$ConnectionString"],
        ),
        (
            f"{ERRORS}UnsupportedSaslMechanismException: not enabled, enabled mechanisms are [SCRAM-SHA-512, PLAIN]",
            ["takes no login by PLAIN; it takes SCRAM-SHA-512, PLAIN", "set 'kafka.sasl.mechanism'"],
        ),
        (
            f"{ERRORS}IllegalSaslStateException: Unexpected handshake request, enabled mechanisms are []",
            ["is a port where nobody logs in", "'kafka.security.protocol' is SASL_SSL"],
        ),
        (
            f"{ERRORS}UnknownTopicOrPartitionException: This server does not host this topic-partition.",
            ["there is no topic 'hl7' ('kafka.topic') at kafka.example.org:9093"],
        ),
        (
            f"{ERRORS}TimeoutException: Timed out waiting for a node assignment. Call: listNodes",
            ["does not answer as Kafka does by SASL_SSL ('kafka.security.protocol')"],
        ),
        (
            "Failed to create AdminClient\nLoginException: No LoginModule found for kafkashaded.x.PlainLoginModule",
            ["the login module kafkashaded.x.PlainLoginModule is not known here"],
        ),
        (
            "LoginException: An internal error occurred while retrieving token from callback handler",
            [
                "no token for kafka.example.org:9093 ('kafka.servers') from Microsoft Entra ID",
                *("eventhub.tenantId", "eventhub.clientId", "EVENTHUB_CLIENT_SECRET", "login.microsoftonline.com"),
            ],
        ),
        (
            "TimeoutException: Timed out waiting for a node assignment.\nCurrent Committed Offsets: {KafkaV2[…]: {}}",
            ["no longer answers as when this pipeline last read from it", "something else than SASL_SSL"],
        ),
        (
            "Failed to create new KafkaAdminClient\nJAAS config entry not terminated by semi-colon",
            ["has not the form that Kafka reads ('kafka.sasl.jaas.config')"],
        ),
        (
            f"{LOST}Partition hl7-0 offset was changed from 30 to 5.",
            ["partition hl7-0 was read up to offset 30, and ends at 5 now", "--full-refresh", "failOnDataLoss=false"],
        ),
        (
            f"{LOST}Starting offset for hl7-0 was 5 but consumer reset to 8.",
            ["in partition hl7-0 those from offset 5 to below 8", "keep records longer"],
        ),
        (
            f"{LOST}Could not read records in offset [5, 10) for topic partition hl7-0\nwith consumer group x.",
            ["in partition hl7-0 those from offset 5 on"],
        ),
        (
            f"{LOST}Partitions Set(hl7-1, hl7-2) have been deleted.",
            ["partitions of the topic 'hl7'", "no longer there"],
        ),
        (f"{LOST}what nobody has seen", ["were deleted before this pipeline read them", "failOnDataLoss=false"]),
        (
            "java.util.concurrent.TimeoutException: Cannot fetch record for offset 17 in 60000 milliseconds",
            ["fell silent while the topic 'hl7' was read: no record within 60000 ms"],
        ),
        (f"{ERRORS}TopicAuthorizationException: Not authorized to access topics: [hl7]", ["may not read the topic"]),
        (f"{ERRORS}GroupAuthorizationException: Not authorized to access group: x", ["'groupIdPrefix'"]),
        (f"{ERRORS}SslAuthenticationException: SSL handshake failed", ["'kafka.ssl.truststore.location'"]),
        (
            "No resolvable bootstrap urls given in bootstrap.servers",
            ["no server of 'kafka.servers' has a name that is known here"],
        ),
        (
            "java.lang.NoSuchMethodError: 'void org.apache.spark.sql.kafka010.KafkaSource.<init>()'",
            ["do not fit the Spark that is installed", "--jars"],
        ),
        (f"{ERRORS}UnsupportedVersionException: no LIST_OFFSETS", ["is older than Spark's Kafka client can talk to"]),
        (
            "KafkaException: Received exception when fetching the next record from hl7-0. If needed, please seek past",
            ["a record of the topic 'hl7' at kafka.example.org:9093 is damaged"],
        ),
        ("[DATA_SOURCE_NOT_FOUND] Failed to find the data source: kafka.", ["without the jars for it", "--jars DIR"]),
        ("java.lang.OutOfMemoryError: Java heap space", ["ran out of memory", "--memory", "maxOffsetsPerTrigger"]),
    ],
)
def test_a_failure_names_server_topic_and_option_and_says_what_to_do(said: str, words: list[str]) -> None:
    told = kafka_failure(said, [SOURCE])
    assert told is not None
    for word in words:
        assert word in told
    sentence, hint = told.split("\n  ")
    assert sentence
    assert hint
    assert "Exception" not in told


def test_the_servers_of_all_that_a_flow_reads_are_named() -> None:
    other = TopicSource("received", "received", "b:9092", "x", "kafka.servers", "kafka.topic", "SSL", "", frozenset())
    told = kafka_failure(f"{ERRORS}UnknownTopicOrPartitionException: …", [SOURCE, other, other])
    assert told is not None
    assert "'hl7, x' ('kafka.topic') at kafka.example.org:9093, b:9092" in told


@pytest.mark.parametrize("said", ["[CAST_INVALID_INPUT] The value", "java.util.concurrent.TimeoutException: Futures"])
def test_what_is_not_about_kafka_is_left_alone(said: str) -> None:
    assert kafka_failure(said, [SOURCE]) is None


def test_a_flow_that_reads_no_topic_has_no_failure_of_kafka() -> None:
    assert kafka_failure(f"{ERRORS}SaslAuthenticationException: no", []) is None
