"""Answers through a socket, whole or broken: the part of the test server that speaks HTTP/1.1."""

from __future__ import annotations

import contextlib
import http
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from connector_lib.testing.exchange import ApiRequest, Reply
from connector_lib.testing.faults import Delivery

__all__ = ["Answer", "Listener"]

_ABORT: Final = struct.pack("ii", 1, 0)
"""Linger for no time: closing then resets the connection."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply and how it goes through the socket. ``pause`` in seconds, None for ever."""

    reply: Reply
    delivery: Delivery = "whole"
    pause: float | None = 0.1


class Listener:
    """A listening socket of ``127.0.0.1``, and the threads of its connections.

    ``answer`` is called by several threads at once. The port stays the same when it refuses for a while.
    """

    def __init__(self, answer: Callable[[ApiRequest], Answer], port: int) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._refusing: threading.Thread | None = None
        self._reopen = threading.Event()
        self._servers: list[_Server] = []
        self._port = port
        if port:
            # Who asks for a port learns at once that somebody else has it.
            self._listen()

    @property
    def port(self) -> int:
        """Where it listens. Raises RuntimeError before it does."""
        if not self._servers:
            raise RuntimeError("the server has no address before it is started: use it in a with statement")
        return self._port

    def start(self) -> None:
        """Listens, and begins to answer."""
        if not self._servers:
            self._listen()
        self._answer_in_a_thread()

    def _listen(self) -> None:
        self._servers.append(_Server(("127.0.0.1", self._port), _Handler, self))
        self._port = self._servers[-1].server_port

    def _answer_in_a_thread(self) -> None:
        thread = threading.Thread(target=self._servers[-1].serve, name="api-server", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Closes every connection and waits for the threads."""
        self.stopping.set()
        self._reopen.set()
        if self._refusing is not None:
            self._refusing.join()
        if not self._servers:
            return
        self._servers[-1].end()
        with self._lock:
            for connection in self._open:
                _shut(connection)
        for thread in self._threads:
            thread.join()
        for server in self._servers:
            server.server_close()

    def refuse(self, seconds: float | None) -> None:
        """Refuses connections for that time, None until :meth:`accept`."""
        with self._lock:
            if self._refusing is not None and self._refusing.is_alive():
                return
            self._reopen.clear()
            shut = threading.Event()
            self._refusing = threading.Thread(target=self._refuse, args=(seconds, shut), name="api-server", daemon=True)
            self._refusing.start()
        # The one who asked is told by a reset, and must find the door shut when it comes again.
        shut.wait()

    def accept(self) -> None:
        """Ends a time of refusing, if there is one."""
        self._reopen.set()
        if self._refusing is not None:
            self._refusing.join()

    def _refuse(self, seconds: float | None, shut: threading.Event) -> None:
        server = self._servers[-1]
        server.end()
        server.socket.close()
        shut.set()
        self._reopen.wait(seconds)
        if self.stopping.is_set():
            return
        self._listen()
        self._answer_in_a_thread()

    def opened(self, connection: socket.socket) -> None:
        """Notes a connection, so that stop() can end it."""
        with self._lock:
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forgets a connection."""
        with self._lock:
            self._open.discard(connection)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The other side was quicker.
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    # More than the five of the standard library: connections beyond it wait for a second.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], listener: Listener) -> None:
        self.listener = listener
        self.aborted: set[int] = set()
        self._ending = threading.Event()
        self._ended = threading.Event()
        super().__init__(address, handler)

    def serve(self) -> None:
        """Takes connections until :meth:`end`. serve_forever() would look every so often whether it has to end."""
        while not self._ending.is_set():
            self.handle_request()
        self._ended.set()

    def end(self) -> None:
        """Takes no more connections, and returns when that is so."""
        if self._ended.is_set():
            return
        self._ending.set()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.server_port)):
            # A last connection, which wakes the one who waits for them.
            self._ended.wait()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.listener.opened(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.listener.closed(request)
        if id(request) in self.aborted:
            self.aborted.discard(id(request))
            # Without the orderly end that the standard library gives: the other side sees a reset.
            request.close()
            return
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away in the middle is what many of these tests are about; routes catch their own errors.
        return


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        return

    def _respond(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        target = urlsplit(self.path)
        request = ApiRequest(
            self.command,
            unquote(target.path),
            self.path,
            target.query,
            MappingProxyType({name.lower(): value for name, value in self.headers.items()}),
            self.rfile.read(length),
        )
        answer = self.server.listener.answer(request)
        if answer.delivery == "whole":
            self._send(answer.reply, {"Content-Length": str(len(answer.reply.body))}, answer.reply.body)
            return
        self.close_connection = True
        _DELIVERIES[answer.delivery](self, answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _respond  # noqa: N815

    def _send(self, reply: Reply, headers: Mapping[str, str], body: bytes) -> None:
        phrase = http.HTTPStatus(reply.status).phrase
        fields = {**headers, **reply.headers}
        if reply.status == 204:
            fields.pop("Content-Length", None)
        if self.close_connection:
            fields["Connection"] = "close"
        lines = (f"HTTP/1.1 {reply.status} {phrase}", *(f"{name}: {value}" for name, value in fields.items()), "", "")
        head = "\r\n".join(lines).encode("latin-1")
        # In one piece: head and body by themselves cost a delayed acknowledgement.
        self.wfile.write(head + (b"" if self.command == "HEAD" else body))

    def _abort(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self.server.aborted.add(id(self.connection))

    def _reset_before(self, _: Answer) -> None:
        self._abort()

    def _refused(self, answer: Answer) -> None:
        self.server.listener.refuse(answer.pause)
        self._abort()

    def _silent(self, _: Answer) -> None:
        self._wait_for_the_end()

    def _reset_within(self, answer: Answer) -> None:
        body = answer.reply.body
        self._send(answer.reply, {"Content-Length": str(len(body))}, body[: len(body) // 2])
        self._abort()

    def _length_too_long(self, answer: Answer) -> None:
        body = answer.reply.body
        self._send(answer.reply, {"Content-Length": str(len(body) + 100)}, body)

    def _length_too_short(self, answer: Answer) -> None:
        body = answer.reply.body
        # The connection stays open, and the rest of the body is where the next answer should begin.
        self.close_connection = False
        self._send(answer.reply, {"Content-Length": str(len(body) // 2)}, body)

    def _no_length(self, answer: Answer) -> None:
        self._send(answer.reply, {}, answer.reply.body)

    def _no_length_cut(self, answer: Answer) -> None:
        body = answer.reply.body
        self._send(answer.reply, {}, body[: len(body) // 2])

    def _chunks_cut(self, answer: Answer) -> None:
        half = answer.reply.body[: len(answer.reply.body) // 2]
        self._send(answer.reply, {"Transfer-Encoding": "chunked"}, b"%x\r\n%b\r\n" % (len(half), half))

    def _slow(self, answer: Answer) -> None:
        body = answer.reply.body
        self._send(answer.reply, {"Content-Length": str(len(body))}, b"")
        for at in range(len(body)):
            if self.server.listener.stopping.wait(answer.pause):
                return
            self.wfile.write(body[at : at + 1])

    def _wait_for_the_end(self) -> None:
        # Nothing is sent; the client gives up, or the server stops.
        while not self.server.listener.stopping.is_set():
            if self.rfile.read(1) == b"":
                return


_DELIVERIES: Final[Mapping[Delivery, Callable[[_Handler, Answer], None]]] = MappingProxyType(
    {
        "refused": _Handler._refused,
        "silent": _Handler._silent,
        "reset_before": _Handler._reset_before,
        "reset_within": _Handler._reset_within,
        "slow": _Handler._slow,
        "length_too_long": _Handler._length_too_long,
        "length_too_short": _Handler._length_too_short,
        "no_length": _Handler._no_length,
        "no_length_cut": _Handler._no_length_cut,
        "chunks_cut": _Handler._chunks_cut,
    }
)
