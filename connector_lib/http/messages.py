"""A request, and the answer to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote, urlencode

from requests.structures import CaseInsensitiveDict

from connector_lib.http.origin import shown_address
from connector_lib.http.retry import http_date

__all__ = ["Answer", "Params", "Request", "request_id", "with_query"]

Params: TypeAlias = Mapping[str, Any] | Iterable[tuple[str, Any]]
"""Parameters of a query: texts, numbers, truth values and dates; a sequence gives its name several times, None leaves
it out."""

_REQUEST_ID_HEADERS: Final = (
    *("x-request-id", "request-id", "x-amzn-requestid", "x-ms-request-id", "x-correlation-id"),
    *("x-amz-request-id", "x-trace-id", "cf-ray"),
)
_LONGEST_REQUEST_ID: Final = 100
_LINK: Final = re.compile(r'<([^<>]*)>((?:[^,"]|"[^"]*")*)')
_LINK_PARAMETER: Final = re.compile(r';\s*([^\s=;,"]+)\s*=\s*(?:"([^"]*)"|([^\s;,"]*))')
"""A link of RFC 8288 section 3 and its parameters. What requests has for it takes a semicolon in an address for its
end."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, its address whole. ``body`` may be a function, which is called for each try.

    ``idempotent`` says that to send it twice does no more than to send it once: all ``GET``, and each ``POST`` that
    only lists, searches or asks for a token.
    """

    method: Literal["GET", "POST"]
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | Callable[[], bytes] | None = field(default=None, repr=False)
    idempotent: bool = True

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """The same with ``headers`` added; those that it has already stay."""
        return replace(self, headers={**headers, **self.headers})

    @property
    def shown(self) -> str:
        """Method, origin and path."""
        return f"{self.method} {shown_address(self.url)}"

    def __repr__(self) -> str:
        return f"Request({self.shown})"


class Answer:
    """What an API answered: status, headers (compared without case) and the body, decompressed.

    Its text tells method, origin, path, status and size, and nothing of the content.
    """

    __slots__ = ("_decode", "_json", "body", "headers", "request", "status")

    def __init__(
        self,
        request: Request,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        decode: Callable[[Answer], Any],
    ) -> None:
        self.request = request
        self.status = status
        self.headers = headers if isinstance(headers, CaseInsensitiveDict) else CaseInsensitiveDict(headers)
        self.body = body
        self._decode = decode
        self._json: Any = _NOT_DECODED

    def json(self) -> Any:
        """The body, read as JSON: once, however often it is asked for.

        Raises :class:`~connector_lib.errors.ApiError` where it is empty or no JSON.
        """
        if self._json is _NOT_DECODED:
            self._json = self._decode(self)
        return self._json

    def keep_json(self, value: Any) -> None:
        """What :meth:`json` gives from now on, for whoever has decoded the body."""
        self._json = value

    @property
    def url(self) -> str:
        """The address that was asked, with its query. Not for messages and logs."""
        return self.request.url

    @property
    def request_id(self) -> str | None:
        """What the API calls this request, to be told to its operator; None where it gives no name."""
        return request_id(self.headers)

    @property
    def date(self) -> datetime | None:
        """The server's clock when it answered, in UTC, to the second; None where it does not tell."""
        return http_date(self.headers.get("date"))

    def next_link(self, rel: str = "next") -> str | None:
        """The link of that relation in the header ``Link`` (RFC 8288), as it stands there; None where there is none."""
        for link, parameters in _LINK.findall(self.headers.get("link", "")):
            for name, quoted, token in _LINK_PARAMETER.findall(parameters):
                if name.lower() == "rel" and rel.lower() in (quoted or token).lower().split():
                    return str(link)
        return None

    def __repr__(self) -> str:
        return f"Answer({self.request.shown}, {self.status}, {len(self.body)} bytes)"


_NOT_DECODED: Final = object()


def request_id(headers: Mapping[str, str]) -> str | None:
    """What an API calls a request, by the usual headers for it; ``headers`` are compared without case."""
    for name in _REQUEST_ID_HEADERS:
        value = headers.get(name, "").strip()
        if value:
            return "".join(letter for letter in value[:_LONGEST_REQUEST_ID] if letter.isprintable())
    return None


def with_query(url: str, params: Params | None) -> str:
    """``url`` with ``params`` behind those that it has.

    >>> with_query("https://h/x?a=1", {"since": ["ge2026-01-01", "lt2026-02-01"], "deleted": True, "left_out": None})
    'https://h/x?a=1&since=ge2026-01-01&since=lt2026-02-01&deleted=true'
    """
    if not params:
        return url
    pairs = params.items() if isinstance(params, Mapping) else params
    query = urlencode([(name, text) for name, value in pairs for text in _texts(value)], quote_via=quote, safe="")
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, str):
        return [value]
    if isinstance(value, date):
        return [value.isoformat()]
    if isinstance(value, Sequence):
        return [text for one in value for text in _texts(one)]
    return [str(value)]
