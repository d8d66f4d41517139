"""What Spark says of topics, as it was seen to say it, in words that help."""

from __future__ import annotations

import pytest

from connector_lib.flows.event_failures import event_failure

SETTINGS = {"kafka.servers": "kafka.example.org:9092", "kafka.topic": "hl7", "kafka.user": "canary"}
LOST = (
    "[KAFKA_DATA_LOSS.{kind}] Some data may have been lost because they are not available in Kafka any more;\n"
    "either the data was aged out by Kafka or the topic may have been deleted before all the data in the\n"
    "topic was processed.\nIf you don't want your streaming query to fail on such cases, set the source option"
    " failOnDataLoss to false.\nReason: {reason} SQLSTATE: 22000"
)
SEEN = {
    "org.apache.kafka.common.errors.TimeoutException: Timed out waiting for a node assignment. Call: listNodes": (
        "kafka.example.org:9092 does not answer",
        "kafka.security.protocol",
    ),
    "org.apache.kafka.common.errors.SaslAuthenticationException: Authentication failed: Invalid username or password": (
        "kafka.example.org:9092 refused the login",
        "secret",
    ),
    "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This server does not host this"
    " topic-partition.": ("there is no topic hl7 at kafka.example.org:9092", "kafka.topic"),
    LOST.format(kind="PARTITION_OFFSET_CHANGED", reason="Partition hl7-0 offset was changed from 5 to 2."): (
        "records before offset 5 of partition hl7-0 were read, and it ends at 2 now: the topic was deleted and made",
        "up to offset 5",
    ),
    LOST.format(kind="PARTITIONS_DELETED", reason="Partitions Set(hl7-1, hl7-2) have been deleted."): (
        "partitions that were read before are gone: Set(hl7-1, hl7-2)",
        "--full-refresh",
    ),
    LOST.format(kind="START_OFFSET_RESET", reason="Starting offset for hl7-0 was 5 but consumer reset to 8."): (
        "records of partition hl7-0 from offset 5 on were deleted before they were read; the oldest that is left is 8",
        "failOnDataLoss=false",
    ),
    LOST.format(
        kind="COULD_NOT_READ_OFFSET_RANGE",
        reason="Could not read records in offset [5, 10) for topic partition hl7-0\nwith consumer group x-executor.",
    ): ("records of partition hl7-0 from offset 5 on were deleted before they were read: ", "failOnDataLoss=false"),
    LOST.format(kind="NEW_KIND", reason="what nobody has seen"): (
        "records of the topic hl7 were deleted before they were read",
        "retention",
    ),
    "org.apache.kafka.common.KafkaException: Failed to create new KafkaAdminClient\nCaused by:"
    " org.apache.kafka.common.config.ConfigException: No resolvable bootstrap urls given in bootstrap.servers": (
        "the host in kafka.example.org:9092 is not known here",
        "kafka.servers",
    ),
    "org.apache.kafka.common.errors.GroupAuthorizationException: Not authorized to access group: spark-1": (
        "the login may not read the topic hl7",
        "groupIdPrefix",
    ),
    "org.apache.kafka.common.errors.SslAuthenticationException: SSL handshake failed": (
        "no encrypted connection to kafka.example.org:9092",
        "kafka.ssl.truststore.location",
    ),
}


@pytest.mark.parametrize(("said", "meant"), SEEN.items())
def test_a_failure_is_said_with_server_topic_and_setting(said: str, meant: tuple[str, str]) -> None:
    error = event_failure(said, SETTINGS)
    assert error is not None
    assert error.message.startswith(meant[0])
    assert meant[1] in error.hint
    assert "canary" not in str(error)


def test_event_hubs_are_named_by_their_namespace() -> None:
    error = event_failure(
        "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: …",
        {"eventhub.namespace": "lab", "eventhub.servers": "", "eventhub.name": "hl7"},
    )
    assert error is not None
    assert error.message.startswith("there is no topic hl7 at lab")


@pytest.mark.parametrize(
    "said",
    [
        "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file",
        "java.util.concurrent.TimeoutException: Futures timed out",
        "org.apache.kafka.common.errors.SomethingNewException: what nobody has seen",
    ],
)
def test_what_is_not_known_is_left_to_spark(said: str) -> None:
    assert event_failure(said, SETTINGS) is None
