"""One client for every API: it logs in, tries again, paces itself, stays at its address, and gives whole answers.

>>> from connector_lib.http import HttpClient, NextLinkPaginator
>>> client = HttpClient("https://api.example.org/v1")
>>> walk = client.pages(NextLinkPaginator(lambda page: page["next"]), "people", {"since": "2026-01-01"})
"""

from __future__ import annotations

import json as json_text
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import IO, Any, Final
from urllib.parse import urlencode

from connector_lib.errors import OptionError
from connector_lib.http.auth import Auth, NoAuth
from connector_lib.http.body import BodyError, JsonReader
from connector_lib.http.exchange import Exchange, Surroundings, Taking
from connector_lib.http.failures import Explain
from connector_lib.http.messages import Answer, Params, Request, with_query
from connector_lib.http.origin import BaseAddress, NextLinkPolicy
from connector_lib.http.pacing import Pace
from connector_lib.http.paging import MAX_PAGES, Page, PageRequest, Paginator, walk
from connector_lib.http.retry import RetryPolicy
from connector_lib.redaction import Secrets

__all__ = ["HttpClient"]

_MEBIBYTE: Final = 1024 * 1024
_IN_MEMORY: Final = 8 * _MEBIBYTE
"""Bytes of a file that are kept in memory before it goes to the disk."""
_REAL: Final = Surroundings()


class HttpClient:
    """Reads one API.

    ``base_url``          the part that all addresses of the API have in common; nothing else is ever asked
    ``auth``              the login, see :mod:`connector_lib.http.auth`
    ``retry``             how often and how long it tries
    ``pace``              requests a second, where the API has a limit
    ``headers``           sent with each request
    ``max_body_bytes``    bytes of one body, decompressed
    ``next_link_policy``  ``refuse`` links to another server, or ``rewrite`` them to this one
    ``decimals``          numbers with a fraction as :class:`~decimal.Decimal`, so that no digit is lost
    ``explain``           what the source knows to say about an answer that is an error
    ``secrets``           further values that no message may show
    ``clock`` (seconds that only grow), ``now`` (UTC), ``sleep`` and ``random`` (0 to 1) are given by tests

    It pickles, without its connections and tokens: a function given to it has to have a name in a module. Requests
    raise :class:`~connector_lib.errors.ApiError`, options that are wrong :class:`~connector_lib.errors.OptionError`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        auth: Auth | None = None,
        retry: RetryPolicy | None = None,
        pace: Pace | None = None,
        headers: Mapping[str, str] | None = None,
        max_body_bytes: int = 256 * _MEBIBYTE,
        next_link_policy: NextLinkPolicy = "refuse",
        decimals: bool = False,
        explain: Explain | None = None,
        secrets: Iterable[str] = (),
        clock: Callable[[], float] = _REAL.clock,
        now: Callable[[], datetime] = _REAL.now,
        sleep: Callable[[float], None] = _REAL.sleep,
        random: Callable[[], float] = _REAL.random,
    ) -> None:
        if max_body_bytes < 1:
            raise OptionError(f"max_body_bytes is {max_body_bytes}", hint="give 1 or more")
        self._base = BaseAddress(base_url, next_link_policy=next_link_policy)
        self._max_body_bytes = max_body_bytes
        self._exchange = Exchange(
            self._base.url,
            auth=NoAuth() if auth is None else auth,
            retry=RetryPolicy() if retry is None else retry,
            pace=pace,
            headers=headers or {},
            max_body_bytes=max_body_bytes,
            reader=JsonReader(decimals=decimals),
            explain=explain,
            secrets=Secrets(secrets),
            surroundings=Surroundings(clock, now, sleep, random),
        )

    @property
    def base_url(self) -> str:
        """The base address, without a slash at its end."""
        return self._base.url

    @property
    def secrets(self) -> Secrets:
        """What no message may show: what was given, and what the login has now."""
        return self._exchange.secrets

    def get(
        self, path_or_url: str, params: Params | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer to a ``GET`` of a path below the base address, or of a link that the API gave.

        An answer that says that it is JSON is decoded at once, so that one that is damaged is asked for again.
        """
        return self._exchange.send(self._get_request(path_or_url, params, headers), "as declared")

    def get_json(
        self, path_or_url: str, params: Params | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The JSON value that a ``GET`` gives."""
        return self._exchange.send(self._get_request(path_or_url, params, headers), "json").json()

    def post(
        self,
        path_or_url: str,
        json: Any = None,
        *,
        data: Mapping[str, str] | bytes | None = None,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
    ) -> Answer:
        """The answer to a ``POST`` of ``json``, or of ``data``: a form, or bytes as they are.

        It is tried again only where ``idempotent`` says that this does no harm: for searches, lists and tokens.
        """
        url = with_query(self._base.address(path_or_url), params)
        request = _post_request(url, json, data, headers or {}, idempotent=idempotent)
        return self._exchange.send(request, "as declared")

    def pages(
        self,
        paginator: Paginator,
        path_or_url: str,
        params: Mapping[str, Any] | None = None,
        *,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        max_pages: int = MAX_PAGES,
    ) -> Iterator[Page]:
        """The pages of a list, each asked for when it is taken. With ``json`` they are asked by ``POST``.

        Raises :class:`~connector_lib.errors.PagingError` where the pages do not lead to an end.
        """

        def located(page: PageRequest, before: Answer | None) -> Request:
            if page.link is None or before is None:
                url = self._base.address(page.address)
            else:
                url = self._base.followed(page.link, before.url)
            url = with_query(url, page.params)
            if page.json is None:
                return Request("GET", url, headers or {})
            return _post_request(url, page.json, None, headers or {}, idempotent=True)

        def send(request: Request) -> Answer:
            return self._exchange.send(request, "json")

        return walk(located, send, paginator, PageRequest(path_or_url, params or {}, json), max_pages=max_pages)

    def get_lines(
        self,
        path_or_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_file_bytes: int = 16 * 1024 * _MEBIBYTE,
        seconds: float = 3600.0,
    ) -> Iterator[bytes]:
        """The lines of a file of any size, without their ends: NDJSON, for the most part. Blank lines are passed over.

        The file is fetched whole before the first line is given, into a temporary file that has no name. So a file that
        is cut is asked for again, and none gives a part of its lines. ``seconds`` are for the whole file; a line is at
        most ``max_body_bytes`` long.
        """
        request = self._get_request(path_or_url, None, {"Accept": "application/x-ndjson, */*;q=0.8", **(headers or {})})
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:

            def keep(pieces: Iterator[bytes]) -> bytes:
                _write_all(file, pieces)
                return b""

            answer = self._exchange.send(request, "file", Taking(max_file_bytes, seconds, keep))
            file.seek(0)
            yield from self._lines(file, answer)

    def close(self) -> None:
        """Closes the connections. The next request opens new ones."""
        self._exchange.close()

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"HttpClient({self._base.url!r})"

    def _get_request(self, path_or_url: str, params: Params | None, headers: Mapping[str, str] | None) -> Request:
        return Request("GET", with_query(self._base.address(path_or_url), params), headers or {})

    def _lines(self, file: IO[bytes], answer: Answer) -> Iterator[bytes]:
        number = 0
        while line := file.readline(self._max_body_bytes + 1):
            number += 1
            if len(line) > self._max_body_bytes:
                reason = f"line {number:,} of the file holds more than {self._max_body_bytes:,} bytes"
                raise self._exchange.failed(answer, reason, "raise max_body_bytes")
            if content := line.strip():
                yield content


def _write_all(file: IO[bytes], pieces: Iterator[bytes]) -> None:
    """Writes a body from the start of the file on: an earlier try may have left a part of one."""
    file.seek(0)
    file.truncate()
    for piece in pieces:
        try:
            file.write(piece)
        except OSError as error:
            reason = f"it cannot be kept in the folder for temporary files: {error.strerror}"
            raise BodyError(reason, may_pass=False) from None


def _post_request(
    url: str, json: Any, data: Mapping[str, str] | bytes | None, headers: Mapping[str, str], *, idempotent: bool
) -> Request:
    if isinstance(data, Mapping):
        kind, body = "application/x-www-form-urlencoded", urlencode(data).encode("ascii")
    elif data is not None:
        kind, body = "application/octet-stream", data
    else:
        kind, body = "application/json", json_text.dumps(json, allow_nan=False).encode("utf-8")
    return Request("POST", url, {"Content-Type": kind, **headers}, body, idempotent=idempotent)
