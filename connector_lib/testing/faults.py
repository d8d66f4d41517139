"""What an API can do wrong over the wire, as a table.

:data:`FAULTS` has each fault by its name. :class:`~connector_lib.testing.api_server.ApiServer` plays them: a row of the
table says what differs from the answer that the API would have given.

>>> FAULTS["503"].status
503
>>> fault("429, Retry-After in second")
Traceback (most recent call last):
connector_lib.errors.UsageError: there is no fault '429, Retry-After in second'
  did you mean '429, Retry-After in seconds'? all of them: connector_lib.testing.faults.FAULTS
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from connector_lib.errors import UsageError, did_you_mean

__all__ = ["FAULTS", "BodyChange", "Delivery", "Fault", "NextLinkChange", "fault"]

BodyChange: TypeAlias = Literal[
    "cut", "invalid_utf8", "bom", "deep", "not_a_number", "key_twice", "gzip", "gzip_bomb", "gzip_bad", "gzip_cut"
]
"""What happens to the bytes of a body before they are sent."""
Delivery: TypeAlias = Literal[
    "whole",
    "refused",
    "silent",
    "reset_before",
    "reset_within",
    "slow",
    "length_too_long",
    "length_too_short",
    "no_length",
    "no_length_cut",
    "chunks_cut",
]
"""How an answer goes through the socket."""
NextLinkChange: TypeAlias = Literal[
    "other_host",
    "other_port",
    "other_scheme",
    "userinfo",
    "relative",
    "escaping",
    "escaping_encoded",
    "repeated",
    "cycle",
    "endless",
    "empty_page",
]
"""What happens to the link, or the token, that leads to the next page."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong with one answer. What is None stays as the API has it.

    ``headers`` may hold ``{origin}`` and ``{path}`` (with the query) of the request, ``{other}``, the origin of another
    host, and ``{in_one_second}``, an HTTP date. ``pause`` is in seconds: between the bytes of a slow body, and for how
    long connections are refused.
    """

    name: str
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    change: BodyChange | None = None
    delivery: Delivery = "whole"
    next_link: NextLinkChange | None = None
    pause: float = 0.1
    expands_to: int = 300 * 1024 * 1024
    """Bytes that a gzip bomb has when it is unpacked."""

    @property
    def needs_pages(self) -> bool:
        """Whether it can only be played where the server knows its API's next links."""
        return self.next_link is not None


_JSON: Final = ("Content-Type", "application/json")
_ERROR: Final = b'{"error": {"code": "%d", "message": "the service cannot answer now"}}'


def _status(status: int, name: str | None = None, *headers: tuple[str, str]) -> Fault:
    return Fault(name or str(status), status=status, headers=(_JSON, *headers), body=_ERROR % status)


_ROWS: Final = (
    _status(429, "429, Retry-After in seconds", ("Retry-After", "1")),
    _status(429, "429, Retry-After as a date", ("Retry-After", "{in_one_second}")),
    _status(429, "429, Retry-After malformed", ("Retry-After", "soon")),
    _status(429, "429, Retry-After huge", ("Retry-After", "86400")),
    _status(500),
    _status(502),
    _status(503),
    _status(504),
    _status(408),
    _status(401, None, ("WWW-Authenticate", "Bearer")),
    _status(403),
    _status(404),
    _status(410),
    Fault("refused", delivery="refused"),
    Fault("no answer", delivery="silent"),
    Fault("reset before the body", delivery="reset_before"),
    Fault("reset within the body", delivery="reset_within"),
    Fault("Content-Length too long", delivery="length_too_long"),
    Fault("Content-Length too short", delivery="length_too_short"),
    Fault("no Content-Length, whole body", delivery="no_length"),
    Fault("no Content-Length, body cut", delivery="no_length_cut"),
    Fault("chunked body cut", delivery="chunks_cut"),
    Fault("slow body", delivery="slow"),
    Fault("truncated JSON", change="cut"),
    Fault("invalid UTF-8", change="invalid_utf8"),
    Fault("byte order mark", change="bom"),
    Fault(
        "HTML page with 200",
        body=b"<!doctype html><title>Maintenance</title>",
        headers=(("Content-Type", "text/html"),),
    ),
    Fault("empty 200", body=b""),
    Fault("204", status=204, body=b""),
    Fault("null with 200", body=b"null"),
    Fault("error object with 200", body=_ERROR % 500),
    Fault("JSON nested 2,000 deep", change="deep"),
    Fault("NaN", change="not_a_number"),
    Fault("a key twice", change="key_twice"),
    Fault("gzip", change="gzip"),
    Fault("gzip bomb", change="gzip_bomb"),
    Fault("bad gzip", change="gzip_bad"),
    Fault("gzip cut", change="gzip_cut"),
    Fault("redirect to the same host", status=302, headers=(("Location", "{path}"),), body=b""),
    Fault("redirect to another host", status=302, headers=(("Location", "{other}{path}"),), body=b""),
    Fault("next link to another host", next_link="other_host"),
    Fault("next link to another port", next_link="other_port"),
    Fault("next link with another scheme", next_link="other_scheme"),
    Fault("next link with userinfo", next_link="userinfo"),
    Fault("next link relative", next_link="relative"),
    Fault("next link outside the base path", next_link="escaping"),
    Fault("next link outside the base path, encoded", next_link="escaping_encoded"),
    Fault("next link seen before", next_link="repeated"),
    Fault("next links in a circle", next_link="cycle"),
    Fault("endless pages", next_link="endless"),
    Fault("empty page with a next link", next_link="empty_page"),
)

FAULTS: Final[Mapping[str, Fault]] = MappingProxyType({row.name: row for row in _ROWS})
"""Every fault by its name."""


def fault(name: str) -> Fault:
    """The fault of that name. Raises :class:`~connector_lib.errors.UsageError`, with the nearest name."""
    if name not in FAULTS:
        near = did_you_mean(name, FAULTS)
        raise UsageError(f"there is no fault '{name}'", hint=f"{near}all of them: connector_lib.testing.faults.FAULTS")
    return FAULTS[name]
