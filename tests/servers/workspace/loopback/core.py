"""What all parts of the loopback workspace share: who asks, routes, errors, injected faults, and a log of requests."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

from connector_lib.testing.exchange import ApiRequest, Reply
from connector_lib.testing.faults import Delivery
from connector_lib.testing.wire import Answer

__all__ = ["ApiRefusal", "Call", "Desk", "Handler", "Part", "not_found"]


class ApiRefusal(Exception):  # noqa: N818 - what the workspace answers
    """An answer that refuses: an HTTP status, Databricks' error code, and the words."""

    def __init__(self, status: int, error_code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.reply = Reply.json({"error_code": error_code, "message": message}, status, headers)


def not_found(what: str) -> ApiRefusal:
    """404 with the error code of a thing that is not there."""
    return ApiRefusal(404, "RESOURCE_DOES_NOT_EXIST", f"{what} does not exist.")


@dataclass(frozen=True, slots=True)
class Call:
    """A request of a user. ``parts`` are the places of the route's pattern, decoded."""

    request: ApiRequest
    user: str
    parts: Mapping[str, str]

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object of the body; empty where none was sent."""
        return dict(self.request.json()) if self.request.body else {}

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters."""
        return self.request.parameters


Handler: TypeAlias = Callable[[Call], Reply]


class Part(Protocol):
    """A part of the workspace. ``routes`` are handlers by ``METHOD /path``; ``{name}`` stands for one segment,
    ``{name*}`` for all that is left."""

    @property
    def routes(self) -> Mapping[str, Handler]:
        """The handlers by method and path."""


_PLACE: Final = re.compile(r"\{(\w+)(\*?)\}")


def _compiled(path: str) -> re.Pattern[str]:
    pieces = _PLACE.split(path)
    pattern = re.escape(pieces[0])
    for name, rest, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        pattern += f"(?P<{name}>{'.*' if rest else '[^/]+'})" + re.escape(text)
    return re.compile(pattern)


@dataclass(slots=True)
class _Fault:
    method: str
    path: re.Pattern[str]
    left: int
    answer: Answer
    after: bool


@dataclass(slots=True)
class Desk:
    """Takes every request: asks who it is, finds the route, answers with what the route says or with a fault.

    ``users`` are by token. ``requests`` are all that came, in order. ``before_reply`` is called when a request was
    carried out and not yet answered, with its number from 1; tests end the asking process there.
    """

    users: dict[str, str]
    requests: list[ApiRequest] = field(default_factory=list)
    before_reply: Callable[[int, ApiRequest], object] | None = None
    errors: list[BaseException] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _routes: list[tuple[str, re.Pattern[str], Handler]] = field(default_factory=list)
    _faults: list[_Fault] = field(default_factory=list)

    def add(self, parts: Iterable[Part]) -> None:
        """Adds the routes of ``parts``; of several that fit a path the first answers."""
        for part in parts:
            for route, handler in part.routes.items():
                method, _, path = route.partition(" ")
                self._routes.append((method, _compiled(path), handler))

    def fail(
        self,
        route: str,
        status: int = 503,
        *,
        times: int = 1,
        error_code: str = "TEMPORARILY_UNAVAILABLE",
        message: str = "The service is not available.",
        retry_after: int | None = 0,
        delivery: Delivery = "whole",
        after: bool = False,
    ) -> None:
        """The next ``times`` requests of ``route`` (``"* /{any*}"``: any) get this failure instead of an answer.

        ``retry_after`` in seconds, None without the header. ``delivery`` breaks the answer on the wire. ``after``: the
        request is carried out all the same, only its answer is lost.
        """
        method, _, path = route.partition(" ")
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        reply = Reply.json({"error_code": error_code, "message": message}, status, headers)
        with self.lock:
            self._faults.append(_Fault(method, _compiled(path), times, Answer(reply, delivery), after))

    def asked(self, route: str) -> list[ApiRequest]:
        """The requests of ``route`` that came so far."""
        method, _, path = route.partition(" ")
        pattern = _compiled(path)
        return [it for it in self.requests if method in ("*", it.method) and pattern.fullmatch(it.path)]

    def answer(self, request: ApiRequest) -> Answer:
        """The answer to ``request``; called by the listener's threads, one request at a time is carried out."""
        with self.lock:
            self.requests.append(request)
            number = len(self.requests)
            fault = self._due(request)
            if fault is not None and not fault.after:
                answer = fault.answer
            else:
                answer = Answer(self._reply(request))
                answer = fault.answer if fault is not None else answer
        if self.before_reply is not None:
            self.before_reply(number, request)
        return answer

    def _due(self, request: ApiRequest) -> _Fault | None:
        for fault in self._faults:
            if fault.left > 0 and fault.method in ("*", request.method) and fault.path.fullmatch(request.path):
                fault.left -= 1
                return fault
        return None

    def _reply(self, request: ApiRequest) -> Reply:
        try:
            return self._carried_out(request)
        except ApiRefusal as failure:
            return failure.reply
        except Exception as error:  # noqa: BLE001 - raised again when the workspace is closed
            self.errors.append(error)
            return Reply.json({"error_code": "INTERNAL_ERROR", "message": repr(error)}, 400)

    def _carried_out(self, request: ApiRequest) -> Reply:
        if request.path == "/.well-known/databricks-config":
            # Asked before any login: what kind of host this is.
            return Reply.json({"oidc_endpoint": "", "workspace_id": "1"})
        user = self.users.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if user is None:
            raise ApiRefusal(401, "UNAUTHENTICATED", "Credential was not sent or was of an unsupported type.")
        # Decoded, without the query: a name may have '#' and '?' in it.
        path = request.path
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(path) if method == request.method else None
            if match is not None:
                return handler(Call(request, user, match.groupdict()))
        raise ApiRefusal(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {path}'.")
