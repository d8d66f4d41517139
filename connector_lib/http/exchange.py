"""Sends a request until there is an answer, or until it is plain that there will be none.

One loop is around send, read and decode. urllib3's own retries stop where the body begins, wait for hours where a
server asks for it, and have no deadline; here a try counts only when the body is there whole and can be read.
"""

from __future__ import annotations

import logging
import random as random_numbers
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Final, Literal, TypeAlias

import requests
import urllib3.exceptions

from connector_lib.errors import ApiError
from connector_lib.http.auth import Auth
from connector_lib.http.body import ACCEPTED_ENCODINGS, BodyError, JsonReader, is_json, received, tells_its_end
from connector_lib.http.failures import Explain, Failure, api_error, refused, unanswered
from connector_lib.http.messages import Answer, Request
from connector_lib.http.pacing import Pace, TokenBucket
from connector_lib.http.retry import RetryPolicy, retry_after
from connector_lib.http.session import ApiSession
from connector_lib.redaction import Secrets, masked_logs, secrets_in_headers

__all__ = ["Exchange", "Expected", "Surroundings", "Taking"]

Expected: TypeAlias = Literal["json", "as declared", "file"]
"""What makes an answer a good one: JSON; JSON where it says so, and else a body that is whole; a body that is whole."""

_LOG = logging.getLogger(__name__)
_URLLIB3_LOG: Final = "urllib3.connectionpool"
"""It logs the whole query of each request at the level DEBUG."""
_LARGEST_ERROR: Final = 64 * 1024
"""Bytes read of the body of an error; there is no need for more."""
_SHORTEST_TIMEOUT: Final = 0.001
_HTML_HINT: Final = "check the base address: this may be a website, or the page of a login or a proxy"


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


def _random() -> float:
    return random_numbers.random()  # noqa: S311


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a client takes from the machine it runs on, so that tests can give it: seconds that only grow, the time in
    UTC, sleep, and a random number from 0 to 1."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = _random


@dataclass(frozen=True, slots=True)
class Taking:
    """How a body is taken: ``take`` gets its pieces and gives what the answer has as its body; at most ``limit`` bytes,
    in ``seconds`` at the longest."""

    limit: int
    seconds: float
    take: Callable[[Iterator[bytes]], bytes] = b"".join


class Exchange:
    """Sends requests to one API by one login. It pickles, without its connections."""

    def __init__(
        self,
        url: str,
        *,
        auth: Auth,
        retry: RetryPolicy,
        pace: Pace | None,
        headers: Mapping[str, str],
        max_body_bytes: int,
        reader: JsonReader,
        explain: Explain | None,
        secrets: Secrets,
        surroundings: Surroundings,
    ) -> None:
        self._url = url
        self._auth = auth
        self._retry = retry
        self._pace = pace
        self._headers = {**_ALWAYS_SENT, **headers}
        self._taking = Taking(max_body_bytes, retry.timeout)
        self._reader = reader
        self._explain = explain
        self._given_secrets = secrets | Secrets(secrets_in_headers(headers))
        self._surroundings = surroundings
        self._open()

    def _open(self) -> None:
        self._lock = threading.Lock()
        self._session: ApiSession | None = None
        self._bucket = TokenBucket(self._pace, self._surroundings.clock) if self._pace else None
        self._deadline_at: float | None = None

    @property
    def secrets(self) -> Secrets:
        """What no message may show: what was given, and what the login has now."""
        return self._given_secrets | self._auth.secrets()

    def send(self, request: Request, expected: Expected, taking: Taking | None = None) -> Answer:
        """The answer, with the login. Raises :class:`~connector_lib.errors.ApiError`."""
        refreshed = False
        attempt = 1
        while True:
            self._wait_for_turn(request)
            login = self._auth.headers(self.send_without_login)
            sent = request.with_headers({**self._headers, **login})
            outcome = self._attempt(sent, expected, taking or self._taking)
            if isinstance(outcome, Answer):
                return outcome
            if outcome.status == 401 and not refreshed and self._auth.refresh(self.send_without_login):
                refreshed = True
                continue
            self._wait_to_try_again(request, outcome, attempt)
            attempt += 1

    def send_without_login(self, request: Request) -> Answer:
        """The JSON answer to a request that goes to any address, without the login and the headers of this API."""
        attempt = 1
        while True:
            outcome = self._attempt(request.with_headers(_ALWAYS_SENT), "json", self._taking)
            if isinstance(outcome, Answer):
                return outcome
            self._wait_to_try_again(request, outcome, attempt)
            attempt += 1

    def failed(self, answer: Answer, reason: str, hint: str = "") -> ApiError:
        """The error for an answer in which something is wrong."""
        return api_error(answer.request, Failure(f"{answer.status}, but {reason}", False, answer, hint), self.secrets)

    def close(self) -> None:
        """Closes the connections. The next request opens new ones."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in _NOT_PICKLED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __repr__(self) -> str:
        return f"Exchange({self._url!r}, auth={self._auth!r})"

    def _attempt(self, request: Request, expected: Expected, taking: Taking) -> Answer | Failure:
        try:
            with self._masked_debug_log(), self._sent(request) as response:
                return self._received(request, response, expected, taking)
        except (requests.RequestException, urllib3.exceptions.HTTPError, UnicodeError, OSError) as error:
            return unanswered(error)

    def _masked_debug_log(self) -> AbstractContextManager[None]:
        if logging.getLogger(_URLLIB3_LOG).isEnabledFor(logging.DEBUG):
            return masked_logs(lambda: self.secrets, _URLLIB3_LOG)
        return nullcontext()

    def _sent(self, request: Request) -> requests.Response:
        with self._lock:
            if self._session is None:
                self._session = ApiSession()
            session = self._session
        body = request.body() if callable(request.body) else request.body
        prepared = session.prepare_request(
            requests.Request(request.method, request.url, headers=dict(request.headers), data=body)
        )
        left = self._seconds_left()
        timeout = self._retry.timeout if left is None else max(_SHORTEST_TIMEOUT, min(self._retry.timeout, left))
        proxies = session.proxies_for(request.url)
        return session.send(prepared, stream=True, allow_redirects=False, timeout=timeout, proxies=proxies)

    def _received(
        self, request: Request, response: requests.Response, expected: Expected, taking: Taking
    ) -> Answer | Failure:
        clock, status, headers = self._surroundings.clock, response.status_code, response.headers
        until = clock() + taking.seconds
        if self._deadline_at is not None:
            until = min(until, self._deadline_at)
        pieces = received(response.raw, headers, limit=taking.limit, clock=clock, until=until)
        if not 200 <= status < 300 or status == 206:
            # What a redirect has as its body is of no use to anyone.
            start = b"" if 300 <= status < 400 else _start_of(pieces)
            return refused(Answer(request, status, headers, start, self._decoded), self._explain)
        answer = Answer(request, status, headers, b"", self._decoded)
        try:
            answer.body = taking.take(pieces)
            self._check(answer, expected)
        except BodyError as error:
            return Failure(f"{status}, but {error.message}", error.may_pass, answer, _hint(answer))
        return answer

    def _check(self, answer: Answer, expected: Expected) -> None:
        proof = expected != "file" and not answer.body
        if expected == "json" or (expected == "as declared" and answer.body and is_json(answer.headers)):
            value = self._read_json(answer)
            answer.keep_json(value)
            # The closing bracket tells the end. A number has none: 12 may be what is left of 123.
            proof = isinstance(value, (dict, list))
        if not proof and not tells_its_end(answer.headers):
            raise BodyError("the body ends with the connection: nobody can tell whether it is whole", may_pass=False)

    def _read_json(self, answer: Answer) -> Any:
        if not answer.body.strip():
            raise BodyError("the body is empty", may_pass=answer.status not in (202, 204, 205))
        return self._reader.read(answer.body, answer.headers)

    def _decoded(self, answer: Answer) -> Any:
        try:
            return self._read_json(answer)
        except BodyError as error:
            message = error.message
        raise self.failed(answer, message, _hint(answer))

    def _wait_for_turn(self, request: Request) -> None:
        clock, deadline = self._surroundings.clock, self._retry.deadline
        if deadline is not None and self._deadline_at is None:
            self._deadline_at = clock() + deadline
        wait = self._bucket.reserve() if self._bucket else 0.0
        left = self._seconds_left()
        if left is not None and wait >= left:
            raise api_error(request, Failure("not asked any more", False, hint=self._deadline_text()), self.secrets)
        if wait > 0:
            self._surroundings.sleep(wait)

    def _wait_to_try_again(self, request: Request, failure: Failure, attempt: int) -> None:
        """Waits before the next try, or raises the error where there is none."""
        wait, why_not = self._next_wait(request, failure, attempt)
        if why_not is not None:
            raise api_error(request, failure, self.secrets, attempts=attempt, why_no_more=why_not)
        reason = self.secrets.masked(f"{request.shown}: {failure.reason}")
        _LOG.warning("%s; attempt %d of %d, the next in %.1f s", reason, attempt, self._retry.max_attempts, wait)
        self._surroundings.sleep(wait)

    def _next_wait(self, request: Request, failure: Failure, attempt: int) -> tuple[float, str | None]:
        """Seconds until the next try, and why there is none (empty where that is plain)."""
        if not failure.may_pass or attempt >= self._retry.max_attempts:
            return 0.0, ""
        if not request.idempotent:
            return 0.0, "not tried again: a second time might do it twice"
        asked = None
        if failure.answer is not None:
            asked = retry_after(
                failure.answer.headers.get("retry-after"), failure.answer.date or self._surroundings.now()
            )
        wait = self._retry.backoff(attempt, self._surroundings.random())
        if asked is not None:
            if asked > self._retry.longest_wait:
                return 0.0, (
                    f"the API asks to wait {asked:,.0f} s, which is more than longest_wait "
                    f"({self._retry.longest_wait:,.0f} s): try again then"
                )
            wait = max(wait, asked)
        left = self._seconds_left()
        if left is not None and wait >= left:
            return 0.0, self._deadline_text()
        return wait, None

    def _seconds_left(self) -> float | None:
        return None if self._deadline_at is None else self._deadline_at - self._surroundings.clock()

    def _deadline_text(self) -> str:
        return f"the deadline of {self._retry.deadline:,g} s for the whole read is reached"


_ALWAYS_SENT: Final[Mapping[str, str]] = {
    "Accept": "application/json",
    "Accept-Encoding": ACCEPTED_ENCODINGS,
    "User-Agent": "connector-lib",
}
_NOT_PICKLED: Final = frozenset({"_lock", "_session", "_bucket", "_deadline_at"})


def _start_of(pieces: Iterator[bytes]) -> bytes:
    """The first part of the body of an error. One that is cut says as much as it says."""
    start = b""
    try:
        for piece in pieces:
            start += piece
            if len(start) >= _LARGEST_ERROR:
                break
    except (BodyError, urllib3.exceptions.HTTPError, OSError):
        return start
    return start


def _hint(answer: Answer) -> str:
    return _HTML_HINT if answer.body[:200].lstrip().startswith(b"<") else ""
