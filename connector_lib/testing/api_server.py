"""An API on loopback whose routes are Python functions, and which fails on demand.

A route is a function of a request that gives a reply. Faults (:mod:`connector_lib.testing.faults`) are put before it:
the n-th request of a path gets one, once or from then on. Hooks run before a request is answered, so that a table
changes while its pages are read. What came is in ``requests``; what came to where a link must never have led is in
``astray``.

>>> import urllib.request
>>> with ApiServer({"/patients": lambda request: Reply.json({"items": []})}, base_path="/api/v1") as server:
...     urllib.request.urlopen(f"{server.url}/patients?limit=2").read(), server.requests[0].parameters
(b'{"items": []}', {'limit': '2'})
"""

from __future__ import annotations

import contextlib
import http.client
import posixpath
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from fnmatch import fnmatchcase
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote, urlsplit

from connector_lib.testing.bodies import changed_body
from connector_lib.testing.exchange import ApiRequest, Reply
from connector_lib.testing.faults import Fault, fault
from connector_lib.testing.pages import ELSEWHERE, PageFormat, Surroundings, changed_next_link
from connector_lib.testing.wire import Answer, Listener

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ApiRequest", "ApiServer", "Reply", "Route", "ServedApi", "forwarding"]

Route: TypeAlias = Callable[[ApiRequest], Reply]
"""What answers the requests of a path."""


@dataclass(slots=True)
class _Script:
    """A fault, or a hook, and the requests that it is for."""

    path: str
    at: int
    times: int | None
    fault: Fault | None = None
    run: Callable[[], object] | None = None
    seen: int = 0

    def due(self, path: str) -> bool:
        if not fnmatchcase(path, self.path):
            return False
        self.seen += 1
        return self.seen >= self.at and (self.times is None or self.seen < self.at + self.times)

    @property
    def round(self) -> int:
        return self.seen - self.at + 1


class ApiServer:
    """An API on ``127.0.0.1``, a context manager; it answers in threads of its own.

    ``routes`` are functions by path below ``base_path``; a path may have the signs of :mod:`fnmatch` (``/patients/*``)
    and the first that fits answers. ``pages`` says where the API's next links are: faults that concern them need it.
    ``now`` gives the time of the header ``Date`` (default: the clock of this machine). ``port`` 0 takes a free one;
    another one is taken at once, with OSError where it is not free.

    A route that raises is answered with 500, and the error is raised again when the context ends.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        *,
        base_path: str = "",
        pages: PageFormat | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        port: int = 0,
    ) -> None:
        self.routes = dict(routes)
        self.base_path = base_path.rstrip("/")
        self.pages = pages
        self._now = now
        self._lock = threading.RLock()
        self._scripts: list[_Script] = []
        self._requests: list[ApiRequest] = []
        self._astray: list[ApiRequest] = []
        self._given: dict[str, list[str]] = {}
        self._failures: list[Exception] = []
        self._listener = Listener(self._answer, port)
        self._elsewhere = Listener(self._answer_astray, 0)

    def __enter__(self) -> ApiServer:
        self._listener.start()
        self._elsewhere.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.stop()
        self._elsewhere.stop()
        if error is None and self._failures:
            raise self._failures[0]

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:port``."""
        return f"http://127.0.0.1:{self._listener.port}"

    @property
    def url(self) -> str:
        """Origin and base path, without a slash at the end."""
        return self.origin + self.base_path

    @property
    def requests(self) -> list[ApiRequest]:
        """The requests that came, in order."""
        with self._lock:
            return list(self._requests)

    @property
    def astray(self) -> list[ApiRequest]:
        """The requests that came to another host, or to a path outside the base path. There must be none."""
        with self._lock:
            return list(self._astray)

    def fail(self, how: str | Fault, *, path: str = "*", at: int = 1, times: int | None = 1) -> None:
        """Lets the ``at``-th request of ``path`` from now on have a fault, and ``times`` in all; None is always.

        ``how`` is a name of :data:`~connector_lib.testing.faults.FAULTS`, or a fault. Where several are due, the one
        given first is played. Raises :class:`~connector_lib.errors.UsageError` for an unknown name.
        """
        played = fault(how) if isinstance(how, str) else how
        if played.needs_pages and self.pages is None:
            raise ValueError(f"the fault '{played.name}' changes a next link: give the server its pages=")
        with self._lock:
            self._scripts.append(_Script(path, at, times, fault=played))

    def before(self, run: Callable[[], object], *, path: str = "*", at: int = 1, times: int | None = 1) -> None:
        """Calls ``run`` before the ``at``-th request of ``path`` from now on is answered."""
        with self._lock:
            self._scripts.append(_Script(path, at, times, run=run))

    def reset(self) -> None:
        """Forgets faults, hooks and the requests that came, and takes connections again."""
        self._listener.accept()
        with self._lock:
            self._scripts.clear()
            self._requests.clear()
            self._astray.clear()
            self._given.clear()

    @contextlib.contextmanager
    def failing(self, how: str | Fault, *, path: str = "*", at: int = 1, times: int | None = 1) -> Iterator[None]:
        """:meth:`fail` for as long as the context lasts; the log of requests is empty when it begins."""
        self.reset()
        self.fail(how, path=path, at=at, times=times)
        try:
            yield
        finally:
            with self._lock:
                self._scripts.clear()
            self._listener.accept()

    def _answer(self, request: ApiRequest) -> Answer:
        path = posixpath.normpath(unquote(urlsplit(request.target).path))
        if path.startswith(ELSEWHERE):
            return self._answer_astray(request)
        below = path.removeprefix(self.base_path) if path.startswith(f"{self.base_path}/") else None
        request = replace(request, path=below if below is not None else ("/" if path == self.base_path else path))
        with self._lock:
            self._requests.append(request)
            due = [script for script in self._scripts if script.due(request.path)]
        for script in due:
            if script.run is not None:
                script.run()
        failing = next((script for script in due if script.fault is not None), None)
        outside = below is None and path != self.base_path
        return self._played(request, failing, Reply(b"no such path", 404) if outside else None)

    def _played(self, request: ApiRequest, script: _Script | None, reply: Reply | None) -> Answer:
        if script is None or script.fault is None:
            return self._whole(reply or self._routed(request), request)
        played = script.fault
        if played.delivery in {"refused", "silent", "reset_before"}:
            return Answer(Reply(), played.delivery, played.pause if script.times is not None else None)
        # Where the fault brings a body the route is not asked: what it would have done must not happen.
        reply = Reply(played.body) if played.body is not None else reply or self._routed(request)
        if played.next_link is not None and self.pages is not None and reply.status < 300:
            with self._lock:
                around = Surroundings(
                    self.origin,
                    f"http://127.0.0.1:{self._elsewhere.port}",
                    self.base_path,
                    tuple(self._given.get(request.path, ())),
                    script.round,
                )
            reply = changed_next_link(reply, played.next_link, self.pages, request, around)
        body, headers = changed_body(reply.body, played)
        reply = replace(reply, body=body, status=played.status or reply.status)
        reply = reply.with_headers({**headers, **self._filled(played, request)})
        answer = self._whole(reply, request)
        return replace(answer, delivery=played.delivery, pause=played.pause)

    def _routed(self, request: ApiRequest) -> Reply:
        for pattern, route in self.routes.items():
            if fnmatchcase(request.path, pattern):
                try:
                    return route(request)
                except Exception as error:  # noqa: BLE001 - raised again when the context ends
                    self._failures.append(error)
                    return Reply.json({"error": {"code": "500", "message": "the route raised an error"}}, 500)
        return Reply.json({"error": {"code": "404", "message": "no such path"}}, 404)

    def _whole(self, reply: Reply, request: ApiRequest) -> Answer:
        with self._lock:
            noted = any(script.fault is not None and script.fault.needs_pages for script in self._scripts)
        if noted and self.pages is not None and reply.status == 200:
            link = self.pages.find(reply)
            if link is not None:
                with self._lock:
                    self._given.setdefault(request.path, []).append(link)
        return Answer(reply.with_headers({"Date": format_datetime(self._now(), usegmt=True), **reply.headers}))

    def _answer_astray(self, request: ApiRequest) -> Answer:
        with self._lock:
            self._astray.append(request)
        # It answers as the API would, so that one who follows notices nothing.
        path = posixpath.normpath(unquote(urlsplit(request.target).path)).removeprefix(ELSEWHERE)
        return Answer(self._routed(replace(request, path=path.removeprefix(self.base_path))))

    def _filled(self, played: Fault, request: ApiRequest) -> dict[str, str]:
        places = {
            "origin": self.origin,
            "other": f"http://localhost:{self._elsewhere.port}",
            "path": request.target,
            "in_one_second": format_datetime(self._now() + timedelta(seconds=1), usegmt=True),
        }
        return {name: value.format(**places) for name, value in played.headers}


class ServedApi:
    """An API that is answered by its ``server``, and runs while the ``with`` block does."""

    server: ApiServer

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server.__exit__(kind, error, trace)

    @property
    def url(self) -> str:
        """Where the API is, as ``http://127.0.0.1:8080/fhir``: what a connector takes as ``base_url``."""
        return self.server.url


def forwarding(upstream: str) -> Route:
    """A route that asks another server: puts faults before an API that is there already.

    ``upstream`` is the origin, ``http://127.0.0.1:8080``; the base path of this server is part of what it asks for.
    Its origin in answers is replaced by the one that was asked, so that next links stay here.

    >>> server = ApiServer({"*": forwarding("http://127.0.0.1:8080")}, base_path="/fhir")
    """
    origin = upstream.rstrip("/")
    where = urlsplit(origin)
    if where.scheme != "http" or not where.hostname or where.path:
        raise ValueError("forwarding() takes an origin such as http://127.0.0.1:8080")
    host, port = where.hostname, where.port or 80

    def forward(request: ApiRequest) -> Reply:
        connection = http.client.HTTPConnection(host, port, timeout=60)
        passed = {name: value for name, value in request.headers.items() if name not in _OF_ONE_HOP}
        try:
            connection.request(request.method, request.target, request.body or None, passed)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        here = f"http://{request.headers.get('host', '')}"
        headers = {
            name: value.replace(origin, here) for name, value in answer.getheaders() if name.lower() not in _OF_ONE_HOP
        }
        return Reply(body.replace(origin.encode(), here.encode()), answer.status, headers)

    return forward


_OF_ONE_HOP = frozenset(
    {"accept-encoding", "connection", "content-length", "date", "host", "server", "transfer-encoding"}
)
