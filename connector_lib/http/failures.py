"""Errors made from answers, and from requests that got none.

A message has method, origin and path, status, the API's name for the request, and the first part of what the API says
about the error. It never has a query, a header, or the body of an answer that was to be read: those hold patients'
values. Of what an API says about an error there are codes, names of fields and plain words, and dots for all else, for
the same reason.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import ssl
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3.exceptions

from connector_lib.errors import ApiError
from connector_lib.formats.plain_words import plain_text
from connector_lib.http.messages import Answer, Request
from connector_lib.http.origin import shown_address
from connector_lib.http.retry import RETRIED_STATUSES
from connector_lib.redaction import Secrets

__all__ = ["Explain", "Failure", "api_error", "refused", "unanswered", "unfit_answer", "without_values"]

Explain: TypeAlias = Callable[[Answer], "str | None"]
"""What a source knows to say about an answer that is an error, without a patient's value; None where it is nothing."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one try of a request failed. ``may_pass`` says that the next one may not."""

    reason: str
    may_pass: bool
    answer: Answer | None = None
    hint: str = ""

    @property
    def status(self) -> int | None:
        """The status of the answer, None where there was none."""
        return None if self.answer is None else self.answer.status


_HINTS: Final[Mapping[int, str]] = {
    400: "the API does not take this request: check the options of the table",
    401: "check the user, key or token: the API does not know it, or it has expired",
    403: "the login is known, and may not read this: ask who runs the API for the right to it",
    404: "check the base address and the name of the table",
    405: "the API does not take this kind of request at this address: check the base address",
    407: "the proxy asks for a login",
    410: "what was asked for is gone, such as a search that has expired: begin it again",
    413: "the API finds the request too large: ask for smaller pages",
    414: "the API finds the address too long: ask with fewer parameters",
    429: "the API has a limit: set a pace below it, or more attempts",
}
_REDIRECT_HINT: Final = "redirects are not followed, since they would carry the login along"
_SERVER_HINT: Final = "the failure is on the side of the API: try again later, or tell who runs it the request id"


def refused(answer: Answer, explain: Explain | None = None) -> Failure:
    """The failure that an answer with a status of 300 or more is, or one with a part of what was asked."""
    status = answer.status
    location = answer.headers.get("location")
    said = _explained(answer, explain) or _said(answer)
    reason = f"{status}{_phrase(status)}" + (f": {said}" if said else "")
    if 300 <= status < 400:
        where = f" to {shown_address(location)}" if location and "//" in location else ""
        return Failure(f"{status}, a redirect{where}", may_pass=False, answer=answer, hint=_REDIRECT_HINT)
    hint = _HINTS.get(status, _SERVER_HINT if status >= 500 else "")
    return Failure(reason, may_pass=status in RETRIED_STATUSES, answer=answer, hint=hint)


def _explained(answer: Answer, explain: Explain | None) -> str | None:
    try:
        return explain(answer) if explain else None
    except ApiError:
        # The body is not what the source takes it for, such as the page of a proxy: the status says what is wrong.
        return None


def unanswered(error: Exception) -> Failure:
    """The failure that an exception of requests or urllib3 is. Its own text is not used: it has the whole query."""
    chain = list(_causes(error))
    for kind, reason, may_pass, hint in _LOST:
        if any(isinstance(cause, kind) for cause in chain):
            return Failure(reason, may_pass=may_pass, hint=hint)
    return Failure(f"the connection failed ({type(error).__name__})", may_pass=True)


_LOST: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str, bool, str], ...]] = (
    (
        ssl.SSLCertVerificationError,
        "the certificate of the server is not trusted",
        False,
        "name the file of its authority in the environment variable REQUESTS_CA_BUNDLE",
    ),
    (
        socket.gaierror,
        "the host's name is not known here",
        True,
        "check the base address, and whether this machine may reach it",
    ),
    (ConnectionRefusedError, "connection refused", True, "check the base address, and whether the API is up"),
    (
        (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError),
        "the proxy could not be used",
        True,
        "check the environment variables HTTPS_PROXY and NO_PROXY",
    ),
    (
        (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError),
        "no connection in time",
        True,
        "check the base address, and whether this machine may reach it",
    ),
    (
        (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError, TimeoutError),
        "no answer in time",
        True,
        "ask for smaller pages, or set a longer time-out",
    ),
    (
        (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, urllib3.exceptions.LocationParseError),
        "the address cannot be asked",
        False,
        "check the base address",
    ),
    (
        (requests.exceptions.InvalidHeader, UnicodeError),
        "a header cannot be sent",
        False,
        "headers take Latin-1 letters without line breaks: check user, key and token",
    ),
    ((urllib3.exceptions.IncompleteRead, http.client.IncompleteRead), "the answer was cut short", True, ""),
    ((ConnectionResetError, BrokenPipeError), "the connection was reset", True, ""),
    (ssl.SSLError, "the connection could not be made safe by TLS", True, ""),
    (
        (urllib3.exceptions.ProtocolError, requests.exceptions.ChunkedEncodingError),
        "the connection ended before the answer did",
        True,
        "",
    ),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and everything that it was made from: by raising, or handed over as an argument."""
    seen: set[int] = set()
    left: list[BaseException] = [error]
    while left:
        cause = left.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inside = [*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__]
        left.extend(one for one in inside if isinstance(one, BaseException))


def api_error(
    request: Request,
    failure: Failure,
    secrets: Secrets,
    *,
    attempts: int = 1,
    why_no_more: str = "",
    kind: type[ApiError] = ApiError,
) -> ApiError:
    """The error for a request that failed for good, without any secret.

    ``why_no_more`` says why it was not tried again, where that is not plain.
    """
    request_id = failure.answer.request_id if failure.answer is not None else None
    parts = [f"{request.shown}: {failure.reason}"]
    if attempts > 1:
        parts.append(f"after {attempts} attempts")
    if request_id:
        parts.append(f"(request id {request_id})")
    hint = "; ".join(part for part in (why_no_more, failure.hint) if part)
    return kind(
        secrets.masked(" ".join(parts)),
        hint=secrets.masked(hint),
        status=failure.status,
        request_id=None if request_id is None else secrets.masked(request_id),
    )


def unfit_answer(answer: Answer, reason: str, hint: str = "") -> ApiError:
    """The error for an answer that came, and whose content is not what was asked for."""
    return ApiError(f"{answer.request.shown}: {reason}", hint=hint, status=answer.status, request_id=answer.request_id)


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


_LONGEST_SAID: Final = 200
_MOST_READ: Final = 20_000
_WORDS_FOR_ERRORS: Final = (
    *("error", "code", "error_code", "errorcode", "type", "field", "param", "parameter", "title"),
    *("message", "error_description", "description", "detail", "reason", "errors", "fault", "faultstring"),
)
"""The names of what an error body has to say; its other members may echo what was asked, or a record."""
_WORDS_FOR_CODES: Final = frozenset(("error", "code", "error_code", "errorcode", "type", "field", "param", "parameter"))
_CODE: Final = re.compile(r"(?![A-Z][a-z]+\Z)(?!.*\d{7})[A-Za-z0-9_.:-]{1,40}")
"""A code, or the name of a field. A single word with a capital may be a name, and a long number that of a patient."""
_ADDRESS: Final = re.compile(r"https?://\S+|(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.-]+")
_WORD: Final = re.compile(r"\w")
_TITLE: Final = re.compile(r"<title[^<>]*>([^<]*)</title>", re.IGNORECASE)


def _said(answer: Answer) -> str:
    """The first part of what an error body says, without values."""
    text = answer.body[:_MOST_READ].decode("utf-8", errors="replace").strip()
    asked = {name for name, _ in parse_qsl(urlsplit(answer.url).query)}
    if text.startswith(("{", "[")):
        try:
            return " - ".join(_error_texts(json.loads(text), asked, depth=0))[:_LONGEST_SAID]
        except (ValueError, RecursionError):
            return ""
    if text.startswith("<"):
        title = _TITLE.search(text)
        text = title[1] if title else ""
    return without_values(text, asked)


def without_values(text: str, asked: Collection[str] = ()) -> str:
    """The first 200 letters of ``text`` with dots for every word that may be a value; nothing where no word is left.

    ``asked`` are names of the parameters that were asked with: they are kept.

    >>> without_values("Patient 'Doe, Jane' (MRN 1234567) is not in this organisation", ["mrn"])
    "Patient '…) is not in this …"
    """
    told = plain_text(_ADDRESS.sub("…", text[: 20 * _LONGEST_SAID]), names=asked, longest=_LONGEST_SAID)
    return told if _WORD.search(told) else ""


def _error_texts(value: Any, asked: Collection[str], depth: int) -> Iterator[str]:
    if depth > 4:
        return
    if isinstance(value, list):
        for one in value[:3]:
            yield from _error_texts(one, asked, depth + 1)
    elif isinstance(value, dict):
        by_name = {str(name).lower(): member for name, member in value.items()}
        for name in _WORDS_FOR_ERRORS:
            member = by_name.get(name)
            if isinstance(member, (str, int)) and not isinstance(member, bool):
                text = str(member)
                said = text if name in _WORDS_FOR_CODES and _CODE.fullmatch(text) else without_values(text, asked)
                if said:
                    yield said
            elif member is not None:
                yield from _error_texts(member, asked, depth + 1)
