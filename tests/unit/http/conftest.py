"""A server whose answers are bytes, so that they can be wrong, and a time that passes when it is told to."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol, TypeAlias

import pytest

from connector_lib.http import HttpClient, RetryPolicy

START = datetime(2026, 1, 1, 12, 0, tzinfo=timezone.utc)
Reply: TypeAlias = bytes | Callable[[socket.socket], None]


class ManualTime:
    """Seconds pass when somebody sleeps, and not otherwise."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds - 1000.0)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


class Wire:
    """Answers each connection with the next reply, bytes or a function that has the socket, and closes it.

    The last reply is given again to whoever asks more often.
    """

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._replies: list[Reply] = []
        self.requests: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/api"

    def replies(self, *replies: Reply) -> None:
        self._replies = list(replies)

    def stop(self) -> None:
        self._stopped.set()
        # accept() waits for somebody to come.
        socket.create_connection(self._listening.getsockname()).close()
        self._thread.join(10)
        self._listening.close()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                if self._stopped.is_set():
                    return
                connection.settimeout(10)
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            piece = connection.recv(65536)
            if not piece:
                return
            asked += piece
        self.requests.append(asked.decode("latin-1"))
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        try:
            if callable(reply):
                reply(connection)
            else:
                connection.sendall(reply)
        except OSError:
            # The client may have gone in the middle: many replies here are made for that.
            return


def reply(body: Any = b"", status: Any = 200, **headers: str) -> bytes:
    """An answer on the wire. Values that are not bytes become JSON; ``Content_Length=""`` leaves a header out."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {"Content_Length": str(len(content)), "Content_Type": "application/json", "Connection": "close", **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items() if value)
    return f"HTTP/1.1 {status} Something\r\n{head}\r\n".encode("latin-1") + content


def reset(after: bytes = b"") -> Callable[[socket.socket], None]:
    """Sends ``after``, and lets the connection end with a reset."""

    def send(connection: socket.socket) -> None:
        connection.sendall(after)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return send


class MakeClient(Protocol):
    def __call__(self, url: str | None = None, /, **options: Any) -> HttpClient: ...


@pytest.fixture
def time_given() -> ManualTime:
    return ManualTime()


@pytest.fixture
def wire() -> Iterator[Wire]:
    server = Wire()
    yield server
    server.stop()


@pytest.fixture
def make_client(wire: Wire, time_given: ManualTime) -> Iterator[MakeClient]:
    """Makes clients of the wire that wait in no time and without jitter."""
    with ExitStack() as opened:

        def make(url: str | None = None, /, **options: Any) -> HttpClient:
            given = {
                "retry": RetryPolicy(timeout=5.0),
                "clock": time_given.clock,
                "now": time_given.now,
                "sleep": time_given.sleep,
                "random": lambda: 0.0,
            }
            return opened.enter_context(HttpClient(url or wire.url, **{**given, **options}))

        yield make
