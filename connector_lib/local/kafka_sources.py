"""The topics that a pipeline reads, as its queries name them, and whether their servers are there."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from connector_lib.errors import BrokerError, ConfigurationError
from connector_lib.local.definitions import Definitions, FlowDefinition, relations_in
from connector_lib.redaction import secrets_in_options

__all__ = ["TopicSource", "check_servers", "topic_sources"]

_CONNECT_SECONDS: Final = 5.0
_MOST_AT_ONCE: Final = 16
_SERVER: Final = re.compile(r"(?:\w+://)?(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:/\[\]]+)):(?P<port>\d+)")


@dataclass(frozen=True, slots=True)
class TopicSource:
    """What one flow reads from Kafka, as options of Spark's source: ``servers`` and ``topics`` with commas.

    ``flow`` and ``target`` are named as they are written. ``servers_from`` and ``topics_from`` are the settings of the
    pipeline that have these values, or the options.
    """

    flow: str
    target: str
    servers: str
    topics: str
    servers_from: str
    topics_from: str
    protocol: str
    mechanism: str
    secrets: frozenset[str] = field(repr=False)


def topic_sources(definitions: Definitions, configuration: Mapping[str, str]) -> tuple[TopicSource, ...]:
    """Every read of Kafka in ``definitions``, in their order. ``configuration`` is that of the pipeline."""
    return tuple(
        _source(flow, dict(relation.read.data_source.options), configuration)
        for flow in definitions.flows
        if flow.relation is not None
        for relation in relations_in(flow.relation)
        if _reads_kafka(relation)
    )


def _reads_kafka(relation: Any) -> bool:
    if relation.WhichOneof("rel_type") != "read" or relation.read.WhichOneof("read_type") != "data_source":
        return False
    return bool(relation.read.data_source.format.lower() == "kafka")


def _source(flow: FlowDefinition, given: dict[str, str], configuration: Mapping[str, str]) -> TopicSource:
    options = {name.lower(): value for name, value in given.items()}
    servers = options.get("kafka.bootstrap.servers", "")
    by = next((name for name in ("subscribe", "subscribepattern", "assign") if name in options), "subscribe")
    topics = options.get(by, "")
    return TopicSource(
        flow=flow.name,
        target=flow.target,
        servers=servers,
        topics=topics,
        servers_from=_setting_of(servers, configuration) or "kafka.bootstrap.servers",
        topics_from=_setting_of(topics, configuration) or by,
        protocol=options.get("kafka.security.protocol", "PLAINTEXT"),
        mechanism=options.get("kafka.sasl.mechanism", "GSSAPI"),
        secrets=secrets_in_options(options),
    )


def _setting_of(value: str, configuration: Mapping[str, str]) -> str | None:
    """The setting that ``value`` comes from: it has the same value, or the host name begins with it."""
    filled = {name: text.strip() for name, text in configuration.items() if text.strip()}
    same = [name for name, text in filled.items() if text == value]
    begins = [name for name, text in filled.items() if value.startswith((f"{text}.", f"{text}:"))]
    return next(iter([*same, *begins]), None)


def check_servers(
    sources: tuple[TopicSource, ...],
    connect: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection,
) -> None:
    """Tries to connect to the servers of ``sources``, within five seconds.

    Raises :class:`~connector_lib.errors.BrokerError` where none of a source's servers takes the connection: Kafka's
    client would try for minutes. Raises :class:`~connector_lib.errors.ConfigurationError` where one is not
    ``host:port``.
    """
    for servers, source in {source.servers: source for source in sources if source.servers}.items():
        addresses = [_address(text.strip(), source) for text in servers.split(",") if text.strip()]
        with ThreadPoolExecutor(_MOST_AT_ONCE) as pool:
            problems = list(pool.map(lambda address: _problem(address, connect), addresses))
        if all(problems):
            said = "; ".join(f"{host}:{port} {why}" for (host, port), why in zip(addresses, problems, strict=True))
            raise BrokerError(
                f"no server of '{source.servers_from}' takes a connection: {said}",
                hint=f"check '{source.servers_from}', that Kafka runs there, and that nothing between refuses the port",
            )


def _address(server: str, source: TopicSource) -> tuple[str, int]:
    found = _SERVER.fullmatch(server)
    if found is None:
        raise ConfigurationError(
            f"'{source.servers_from}' must be host:port, or several with commas between them", hint="127.0.0.1:9092"
        )
    return found["six"] or found["host"], int(found["port"])


def _problem(address: tuple[str, int], connect: Callable[[tuple[str, int], float], socket.socket]) -> str:
    """What keeps a connection to ``address`` from being made; empty where it was."""
    try:
        connect(address, _CONNECT_SECONDS).close()
    except (socket.gaierror, UnicodeError):
        # The latter for a name that cannot be one: with two dots in a row, or a part of more than 63 characters.
        return "is no name of a machine"
    except TimeoutError:
        return f"does not answer within {_CONNECT_SECONDS:.0f} s"
    except (OSError, OverflowError) as error:
        return "refuses it" if isinstance(error, ConnectionRefusedError) else f"is not reached: {error}"
    return ""
