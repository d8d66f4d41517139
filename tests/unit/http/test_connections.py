"""Connections: kept, given up when something is left in them, and safe."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from connector_lib.errors import ApiError
from connector_lib.http import RetryPolicy
from tests.unit.http.conftest import MakeClient

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"


class KeepingServer(ThreadingHTTPServer):
    """Keeps its connections, and counts them. What it sends is what ``answers`` says, in turn."""

    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[bytes] = []
        self.connections = 0
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def get_request(self) -> tuple[socket.socket, Any]:
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust the certificate breaks off; that is no news."""

    def stop(self) -> None:
        self.shutdown()
        self._thread.join(10)
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: KeepingServer

    def do_GET(self) -> None:
        answers = self.server.answers
        self.wfile.write(answers.pop(0) if len(answers) > 1 else answers[0])
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[..., KeepingServer]]:
    servers: list[KeepingServer] = []

    def start(*answers: bytes, tls: ssl.SSLContext | None = None) -> KeepingServer:
        server = KeepingServer(tls)
        server.answers = list(answers)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


def answer(text: bytes) -> bytes:
    return ANSWER % (len(text), text)


def test_one_connection_serves_many_requests(serve: Callable[..., KeepingServer], make_client: MakeClient) -> None:
    server = serve(answer(b"[1]"))
    client = make_client(server.url)
    assert [client.get_json("x") for _ in range(5)] == [[1]] * 5
    assert server.connections == 1


def test_a_status_that_is_tried_again_leaves_the_connection_good(
    serve: Callable[..., KeepingServer], make_client: MakeClient
) -> None:
    server = serve(b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", answer(b"[1]"))
    assert make_client(server.url).get_json("x") == [1]
    assert server.connections == 1


@pytest.mark.parametrize(
    "left_over",
    [b"HTTP/1.1 302 Found\r\nContent-Length: 9\r\n\r\n", b"HTTP/1.1 206 Partial\r\nContent-Length: 9\r\n\r\n[1"],
)
def test_a_connection_with_a_part_of_a_body_in_it_is_given_up(
    left_over: bytes, serve: Callable[..., KeepingServer], make_client: MakeClient
) -> None:
    server = serve(left_over, answer(b"[1]"))
    client = make_client(server.url, retry=RetryPolicy(timeout=0.5))
    with pytest.raises(ApiError):
        client.get_json("x")
    assert client.get_json("x") == [1]
    assert server.connections == 2


def test_what_comes_behind_a_body_is_not_taken_for_the_next_answer(
    serve: Callable[..., KeepingServer], make_client: MakeClient
) -> None:
    server = serve(answer(b"[1]") + answer(b'["smuggled"]'), answer(b"[2]"))
    client = make_client(server.url)
    assert client.get_json("x") == [1]
    time.sleep(0.05)
    assert client.get_json("x") == [2]


def test_a_connection_that_the_server_has_closed_meanwhile_is_opened_again(
    serve: Callable[..., KeepingServer], make_client: MakeClient
) -> None:
    closing = answer(b"[1]").replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    server = serve(closing)
    client = make_client(server.url)
    assert [client.get_json("x") for _ in range(2)] == [[1], [1]]
    assert server.connections == 2


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that is its own authority, and its key, in one file."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    today = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, False, False, False), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_server_whose_certificate_is_not_trusted_is_not_asked(
    tls: ssl.SSLContext,
    serve: Callable[..., KeepingServer],
    make_client: MakeClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    server = serve(answer(b"[1]"), tls=tls)
    with pytest.raises(ApiError, match="the certificate of the server is not trusted") as error:
        make_client(server.url).get_json("x")
    assert "REQUESTS_CA_BUNDLE" in error.value.hint
    assert server.connections == 1


def test_an_authority_of_ones_own_is_named_by_the_environment(
    tls: ssl.SSLContext,
    certificate: Path,
    serve: Callable[..., KeepingServer],
    make_client: MakeClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    server = serve(answer(b"[1]"), tls=tls)
    assert make_client(server.url).get_json("x") == [1]


def test_a_server_without_tls_is_told_from_one_that_is_not_trusted(
    serve: Callable[..., KeepingServer], make_client: MakeClient
) -> None:
    server = serve(answer(b"[1]"))
    client = make_client(server.url.replace("http:", "https:"), retry=RetryPolicy(max_attempts=1, timeout=2.0))
    with pytest.raises(ApiError, match="the connection could not be made safe by TLS"):
        client.get_json("x")
