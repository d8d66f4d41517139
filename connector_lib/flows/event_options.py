"""Options of Spark's Kafka source: which of them a caller may give, what their values have to be, which one wins.

Spark compares the names of options without regard to case, and so does everything here.

Source: https://spark.apache.org/docs/latest/streaming/structured-streaming-kafka-integration.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from connector_lib.errors import ConfigurationError
from connector_lib.flows.event_logins import Login
from connector_lib.flows.runtime import where_to_write

__all__ = [
    "SETTINGS",
    "check_options",
    "check_protocol",
    "check_servers",
    "check_topics",
    "instead_of",
    "merged_options",
]

_SERVER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_HARMLESS = re.compile(r"[\w.:,/\[\]* -]{1,100}")
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_FIXED: Final = frozenset(
    name.lower() for name in ("kafka.bootstrap.servers", "subscribe", "subscribePattern", "assign", "includeHeaders")
)


def check_servers(servers: str, option: str) -> None:
    """Raises :class:`~connector_lib.errors.ConfigurationError` that names ``option``, where ``servers`` is no
    ``host:port``, or several with commas between them.

    >>> check_servers("a.example.org:9092,[::1]:9093", "kafka.servers")
    """
    for server in servers.split(","):
        found = _SERVER.fullmatch(server.strip())
        if found is None or not 0 < int(found[1]) < 65536:
            raise ConfigurationError(
                f"'{option}' must be host:port, or several with commas between them{instead_of(servers)}",
                hint=where_to_write(option),
            )


def check_topics(topics: str, option: str) -> None:
    """The same for the name of a topic, or several with commas between them.

    >>> check_topics("adt,oru", "kafka.topic")
    """
    for topic in topics.split(","):
        if not _TOPIC.fullmatch(topic.strip()):
            raise ConfigurationError(
                f"'{option}' must be the name of a topic, or several with commas between them{instead_of(topics)}",
                hint="a name has letters, digits, '.', '_' and '-', at most 249 of them",
            )


def check_options(options: Mapping[str, str]) -> None:
    """Raises :class:`~connector_lib.errors.ConfigurationError` for options that are not the caller's to choose, and
    for values of :data:`SETTINGS` that cannot be right.

    >>> check_options({"maxOffsetsPerTrigger": "1000", "kafka.client.id": "lab"})
    """
    for name, value in options.items():
        if name.lower() in _FIXED:
            raise ConfigurationError(f"the option '{name}' is not for options=: it is what this function is told")
        known = _SPELLINGS.get(name.lower())
        if known is not None and not _FORMS[known].fits(value):
            raise ConfigurationError(
                f"the setting '{known}' must be {_FORMS[known].words}{instead_of(value)}", hint=where_to_write(known)
            )


def check_protocol(protocol: str | None, login: Login | None) -> None:
    """Raises :class:`~connector_lib.errors.ConfigurationError`, where ``protocol`` asks for a login and there is none,
    or the other way round. None says nothing.

    >>> check_protocol("PLAINTEXT", None)
    """
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


def merged_options(*layers: Mapping[str, str]) -> dict[str, str]:
    """All of ``layers`` in one; a later one wins. A name is spelled as in :data:`SETTINGS`, else as it first came.

    >>> merged_options({"startingOffsets": "earliest", "minPartitions": "2"}, {"StartingOffsets": "latest"})
    {'startingOffsets': 'latest', 'minPartitions': '2'}
    """
    spellings = dict(_SPELLINGS)
    merged: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.items():
            merged[spellings.setdefault(name.lower(), name)] = value
    return merged


def instead_of(value: str) -> str:
    """What was given, for an error; nothing of what may hold a connection string or a password.

    >>> instead_of("first"), instead_of("Endpoint=sb://lab;SharedAccessKey=x")
    (", not 'first'", '')
    """
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
_SPELLINGS: Final[Mapping[str, str]] = {name.lower(): name for name in _FORMS}

SETTINGS: Final = tuple(_FORMS)
"""The options that a pipeline's configuration may set, each under its own name."""
