"""The topics of a pipeline, as its queries name them, and whether their servers are there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("pyspark")

from pyspark.sql.connect import proto

from connector_lib.errors import BrokerError, ConfigurationError
from connector_lib.local.definitions import Definitions, FlowDefinition, SourceLine
from connector_lib.local.kafka_sources import TopicSource, check_servers, topic_sources

LINE = SourceLine(Path("received.py"), 3)


def reading(**options: str) -> proto.Relation:
    relation = proto.Relation()
    source = relation.project.input.read.data_source
    source.format = "Kafka"
    for name, value in options.items():
        source.options[name.replace("__", ".")] = value
    return relation


def sources(relation: proto.Relation, **configuration: str) -> tuple[TopicSource, ...]:
    flow = FlowDefinition("received", "received", LINE, relation)
    settings = {name.replace("__", "."): value for name, value in configuration.items()}
    return topic_sources(Definitions(flows=[flow]), settings)


def source_at(servers: str) -> TopicSource:
    return sources(reading(kafka__bootstrap__servers=servers, subscribe="hl7"), kafka__servers=servers)[0]


def test_servers_topic_and_login_are_those_of_the_query_and_named_by_their_settings() -> None:
    relation = reading(kafka__bootstrap__servers="a:9092,b:9092", Subscribe="hl7", kafka__security__protocol="SASL_SSL")
    relation.project.input.read.data_source.options["kafka.sasl.jaas.config"] = 'M required password="hush hush";'
    found = sources(relation, kafka__servers="a:9092,b:9092", kafka__topic=" hl7 ", kafka__user="")
    assert [(s.flow, s.servers, s.topics, s.servers_from, s.topics_from, s.protocol) for s in found] == [
        ("received", "a:9092,b:9092", "hl7", "kafka.servers", "kafka.topic", "SASL_SSL")
    ]
    assert "hush hush" in found[0].secrets
    assert "hush" not in repr(found)


def test_a_namespace_is_the_setting_of_its_host() -> None:
    relation = reading(kafka__bootstrap__servers="clinic.servicebus.windows.net:9093", subscribe="hl7")
    assert sources(relation, eventhub__namespace="clinic")[0].servers_from == "eventhub.namespace"


def test_what_no_setting_says_is_named_by_its_option() -> None:
    found = sources(reading(kafka__bootstrap__servers="a:9092", subscribePattern="hl7-.*"))
    assert (found[0].servers_from, found[0].topics_from) == ("kafka.bootstrap.servers", "subscribepattern")


def test_other_sources_are_passed_over() -> None:
    relation = proto.Relation()
    relation.read.data_source.format = "rate"
    assert sources(relation) == ()


@pytest.fixture
def open_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_servers_of_which_none_takes_a_connection_are_named_with_their_setting(closed_port: int) -> None:
    servers = f"127.0.0.1:{closed_port},nowhere.invalid:9092"
    with pytest.raises(BrokerError) as caught:
        check_servers((source_at(servers),))
    assert caught.value.message == (
        f"no server of 'kafka.servers' takes a connection: 127.0.0.1:{closed_port} refuses it;"
        " nowhere.invalid:9092 is no name of a machine"
    )


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example.org"])
def test_a_host_whose_name_cannot_be_one_is_no_machine(host: str) -> None:
    with pytest.raises(BrokerError, match="is no name of a machine"):
        check_servers((source_at(f"{host}:9092"),))


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "SASL_SSL://127.0.0.1:{}", "127.0.0.1:1, 127.0.0.1:{},"])
def test_one_server_that_takes_a_connection_is_enough(open_port: int, form: str) -> None:
    check_servers((source_at(form.format(open_port)),))


def test_a_server_that_does_not_answer_is_given_five_seconds() -> None:
    asked = []

    def silent(address: tuple[str, int], timeout: float) -> socket.socket:
        asked.append((address, timeout))
        raise TimeoutError

    with pytest.raises(BrokerError) as caught:
        check_servers((source_at("[2001:db8::1]:9092"),), silent)
    assert asked == [(("2001:db8::1", 9092), 5.0)]
    assert "2001:db8::1:9092 does not answer within 5 s" in caught.value.message


@pytest.mark.parametrize("servers", ["127.0.0.1", "127.0.0.1:kafka", "a:9092;b:9092"])
def test_what_is_no_address_is_refused_by_the_name_of_its_setting(servers: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_servers((source_at(servers),))
    assert caught.value.message.startswith("'kafka.servers' must be host:port")
