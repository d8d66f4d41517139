"""The stream that Spark's Kafka source is asked for, read from the plan that Spark's own reader makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from connector_lib.errors import ConfigurationError
from connector_lib.flows.event_logins import EntraLogin, PasswordLogin, ServiceCredential
from connector_lib.flows.events import read_event_hubs, read_kafka, stream_options

pytestmark = pytest.mark.usefixtures("without_server")
LOGIN = PasswordLogin("lab", SecretStr("canary"))
CONNECTION_STRING = PasswordLogin("$ConnectionString", SecretStr("canary"))
TIME_LIMITS = ("kafka.default.api.timeout.ms", "kafka.request.timeout.ms", "fetchOffset.numRetries")


def source_of(frame: Any) -> Any:
    read = frame._plan.plan(None).project.input.read
    assert read.is_streaming
    return read.data_source


def kafka(servers: str = "one:9092,two:9092", topic: str = "hl7", **options: Any) -> dict[str, str]:
    source = source_of(read_kafka(servers, topic, **options))
    assert source.format == "kafka"
    return dict(source.options)


def event_hubs(namespace: str = "lab", name: str = "hl7", **options: Any) -> dict[str, str]:
    return dict(source_of(read_event_hubs(namespace, name, **{"login": CONNECTION_STRING, **options})).options)


def test_servers_and_topic_are_what_is_read() -> None:
    options = kafka()
    assert (options["kafka.bootstrap.servers"], options["subscribe"]) == ("one:9092,two:9092", "hl7")


def test_the_options_lose_nothing() -> None:
    options = kafka()
    assert options["startingOffsets"] == "earliest"
    assert options["failOnDataLoss"] == "true"
    assert options["includeHeaders"] == "true"
    assert options["kafka.isolation.level"] == "read_committed"


def test_what_is_not_asked_for_is_left_to_spark() -> None:
    assert not {"maxOffsetsPerTrigger", "minPartitions", "kafka.max.poll.records"} & kafka().keys()


def test_without_a_login_the_connection_is_plain() -> None:
    options = kafka()
    assert options["kafka.security.protocol"] == "PLAINTEXT"
    assert not [name for name in options if "sasl" in name]


def test_a_login_is_encrypted_unless_the_settings_say_otherwise() -> None:
    assert kafka(login=LOGIN)["kafka.security.protocol"] == "SASL_SSL"
    plain = kafka(login=LOGIN, options={"kafka.security.protocol": "SASL_PLAINTEXT"})
    assert plain["kafka.security.protocol"] == "SASL_PLAINTEXT"


def test_here_servers_that_do_not_answer_are_given_up_soon() -> None:
    assert all(name in kafka() for name in TIME_LIMITS)


@pytest.mark.usefixtures("databricks")
def test_on_databricks_the_time_limits_are_its_own() -> None:
    assert not any(name in kafka() for name in TIME_LIMITS)


MICROSOFT_RECOMMENDS = {
    "kafka.request.timeout.ms": "60000",
    "kafka.metadata.max.age.ms": "180000",
    "kafka.connections.max.idle.ms": "180000",
}


def test_event_hubs_has_the_time_limits_that_microsoft_recommends() -> None:
    options = event_hubs()
    assert options.items() >= MICROSOFT_RECOMMENDS.items()
    assert options["kafka.default.api.timeout.ms"] == "60000"


@pytest.mark.usefixtures("databricks")
def test_event_hubs_has_them_on_databricks_too() -> None:
    assert event_hubs().items() >= MICROSOFT_RECOMMENDS.items()


@pytest.mark.parametrize("name", ["kafka.request.timeout.ms", "kafka.Request.Timeout.ms"])
def test_time_limits_of_the_caller_win(name: str) -> None:
    limits = {key: value for key, value in event_hubs(options={name: "30000"}).items() if "request" in key.lower()}
    assert limits == {"kafka.request.timeout.ms": "30000"}


@pytest.mark.usefixtures("databricks")
def test_on_databricks_there_is_nothing_but_documented_options() -> None:
    assert kafka(login=LOGIN, options={"maxOffsetsPerTrigger": "5"}).keys() == {
        "failOnDataLoss",
        "includeHeaders",
        "kafka.bootstrap.servers",
        "kafka.isolation.level",
        "kafka.sasl.jaas.config",
        "kafka.sasl.mechanism",
        "kafka.security.protocol",
        "maxOffsetsPerTrigger",
        "startingOffsets",
        "subscribe",
    }


def test_a_namespace_is_a_server_of_azure() -> None:
    assert event_hubs()["kafka.bootstrap.servers"] == "lab.servicebus.windows.net:9093"
    assert event_hubs()["kafka.security.protocol"] == "SASL_SSL"
    assert event_hubs()["subscribe"] == "hl7"


def test_a_namespace_of_another_cloud_is_given_whole() -> None:
    options = event_hubs("lab.servicebus.chinacloudapi.cn")
    assert options["kafka.bootstrap.servers"] == "lab.servicebus.chinacloudapi.cn:9093"


def test_other_servers_stand_in_for_the_namespace() -> None:
    options = event_hubs(servers="127.0.0.1:9092", options={"kafka.security.protocol": "SASL_PLAINTEXT"})
    assert options["kafka.bootstrap.servers"] == "127.0.0.1:9092"
    assert options["kafka.security.protocol"] == "SASL_PLAINTEXT"


def test_a_token_is_asked_for_the_namespace() -> None:
    options = event_hubs(login=EntraLogin("t-1", "c-1", SecretStr("canary")))
    assert 'scope="https://lab.servicebus.windows.net/.default"' in options["kafka.sasl.jaas.config"]


@pytest.mark.usefixtures("databricks")
def test_a_service_credential_brings_its_protocol_along() -> None:
    options = event_hubs(login=ServiceCredential("hl7-reader"))
    assert options["databricks.serviceCredential"] == "hl7-reader"
    assert not [name for name in options if "sasl" in name or "security" in name]


def test_settings_are_options_under_their_own_names(settings: dict[str, str]) -> None:
    tuned = {
        "startingOffsets": '{"hl7": {"0": 12, "1": -2}}',
        "failOnDataLoss": "false",
        "maxOffsetsPerTrigger": "1000",
        "minPartitions": "8",
        "kafka.max.poll.records": "100",
    }
    settings |= tuned | {"kafka.servers": "one:9092", "groupIdPrefix": "  "}
    assert stream_options() == tuned
    assert {name: kafka(options=stream_options())[name] for name in tuned} == tuned


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("startingOffsets", "first"),
        ("startingOffsets", '{"hl7": 12}'),
        ("startingOffsets", '{"hl7": {"0": "12"}}'),
        ("failOnDataLoss", "yes"),
        ("maxOffsetsPerTrigger", "0"),
        ("minPartitions", "8.5"),
        ("kafka.max.poll.records", "-1"),
        ("kafka.security.protocol", "TLS"),
    ],
)
def test_a_value_that_cannot_be_right_is_refused_with_its_setting(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the setting '{name}' must be "):
        kafka(options={name: value})


def test_an_option_has_one_name_in_whatever_case() -> None:
    options = kafka(options={"StartingOffsets": "latest", "KAFKA.security.protocol": "SSL"})
    assert options["startingOffsets"] == "latest"
    assert options["kafka.security.protocol"] == "SSL"
    assert len({name.lower() for name in options}) == len(options)


@pytest.mark.parametrize(
    ("name", "known"), [("STARTINGOFFSETS", "startingOffsets"), ("minpartitions", "minPartitions")]
)
def test_a_value_is_checked_in_whatever_case_its_name_is(name: str, known: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the setting '{known}' must be "):
        kafka(options={name: "first"})


def test_a_protocol_is_checked_against_the_login_in_whatever_case_its_name_is() -> None:
    with pytest.raises(ConfigurationError, match="SASL_SSL, which is a login, and there is none"):
        kafka(options={"Kafka.Security.Protocol": "SASL_SSL"})


@pytest.mark.parametrize(
    "name", ["subscribe", "Subscribe", "SUBSCRIBEPATTERN", "assign", "kafka.bootstrap.servers", "includeheaders"]
)
def test_what_the_function_is_told_cannot_be_told_otherwise(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{name}' is not for options="):
        kafka(options={name: "x"})


@pytest.mark.parametrize("servers", ["", "host", "host:port", "host:0", "host:70000", "http://host:9092", "a:1,,b:2"])
def test_servers_are_hosts_with_ports(servers: str) -> None:
    with pytest.raises(ConfigurationError, match=r"'kafka\.servers' must be host:port"):
        kafka(servers)


@pytest.mark.parametrize("servers", ["127.0.0.1:9092", "[::1]:9092", "a-b.example.org:9092, c_d:9093"])
def test_servers_can_have_any_form_of_address(servers: str) -> None:
    assert kafka(servers)["kafka.bootstrap.servers"] == servers


@pytest.mark.parametrize("topic", ["", "a b", "a,,b", "a" * 250, "lab/hl7"])
def test_topics_are_names(topic: str) -> None:
    with pytest.raises(ConfigurationError, match=r"'kafka\.topic' must be the name of a topic"):
        kafka(topic=topic)


@pytest.mark.parametrize("namespace", ["", "sb://lab.servicebus.windows.net/", "lab.servicebus.windows.net:9093"])
def test_a_namespace_is_a_name(namespace: str) -> None:
    with pytest.raises(ConfigurationError, match=r"'eventhub\.namespace' must be the name of a namespace"):
        event_hubs(namespace)


@pytest.mark.parametrize(
    "read",
    [
        lambda secret: event_hubs(namespace=secret),
        lambda secret: event_hubs(name=secret),
        lambda secret: event_hubs(servers=secret),
        lambda secret: kafka(servers=secret),
        lambda secret: kafka(options={"failOnDataLoss": secret}),
    ],
)
def test_a_connection_string_in_the_wrong_place_is_not_shown(read: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read("Endpoint=sb://lab.servicebus.windows.net/;SharedAccessKeyName=read;SharedAccessKey=canary=")
    assert "canary" not in str(caught.value)


def test_a_protocol_with_a_login_needs_one() -> None:
    with pytest.raises(ConfigurationError, match="SASL_SSL, which is a login, and there is none"):
        kafka(options={"kafka.security.protocol": "SASL_SSL"})


def test_a_login_needs_a_protocol_that_has_one() -> None:
    with pytest.raises(ConfigurationError, match="SSL, by which nobody logs in"):
        kafka(login=LOGIN, options={"kafka.security.protocol": "SSL"})
