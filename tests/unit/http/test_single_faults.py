"""Each fault of an API by itself: the client reads what is right, or raises an error that says what is wrong."""

from __future__ import annotations

import gzip
import json
import socket
import time
from itertools import repeat
from typing import Any

import pytest

from connector_lib.errors import ApiError, PagingError
from connector_lib.http import NextLinkPaginator, RetryPolicy
from tests.unit.http.conftest import MakeClient, ManualTime, Reply, Wire, reply, reset

RECORDS = {"records": [{"id": number, "name": "Doe, Jane"} for number in range(50)]}
TEXT = json.dumps(RECORDS).encode()
PACKED = gzip.compress(TEXT)
GOOD = reply(RECORDS)
NO_LENGTH = {"Content_Length": ""}
CHUNKED = {"Transfer_Encoding": "chunked", "Content_Length": ""}
ZIPPED = {"Content_Encoding": "gzip"}
CUT_CHUNK = b"%x\r\n%s" % (len(TEXT), TEXT[:100])


@pytest.mark.parametrize(
    ("fault", "waited"),
    [
        pytest.param(reply(status=429, Retry_After="7"), 7.0, id="429 with Retry-After in seconds"),
        pytest.param(reply(status=429, Retry_After="Thu, 01 Jan 2026 12:00:09 GMT"), 9.0, id="429 with a date"),
        pytest.param(
            reply(status=503, Retry_After="Thu, 01 Jan 2026 15:00:09 GMT", Date="Thu, 01 Jan 2026 15:00:00 GMT"),
            9.0,
            id="Retry-After is measured by the clock of the server",
        ),
        pytest.param(reply(status=429, Retry_After="Wed, 31 Dec 2025 12:00:09 GMT"), 1.0, id="429 with a date past"),
        pytest.param(reply(status=429, Retry_After="soon"), 1.0, id="429 with a malformed Retry-After"),
        pytest.param(reply(status=429, Retry_After="1e400"), 1.0, id="429 with a Retry-After that is no number"),
        pytest.param(reply(status=429, Retry_After="-5"), 1.0, id="429 with a negative Retry-After"),
        pytest.param(reply(status=429, Retry_After="0"), 1.0, id="429 with Retry-After 0 waits all the same"),
        *(pytest.param(reply(status=status), 1.0, id=str(status)) for status in (408, 425, 429, 500, 502, 503, 504)),
        pytest.param(reset(), 1.0, id="reset before the answer"),
        pytest.param(lambda connection: None, 1.0, id="closed before the answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", 1.0, id="cut within the headers"),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n", 1.0, id="no HTTP at all"),
        pytest.param(reset(GOOD[: len(GOOD) - 20]), 1.0, id="reset within the body"),
        pytest.param(GOOD[: len(GOOD) - 20], 1.0, id="closed before the length is reached"),
        pytest.param(reply(TEXT, Content_Length=str(len(TEXT) - 5)), 1.0, id="a length that is too small"),
        pytest.param(reply(TEXT[:-20], **NO_LENGTH), 1.0, id="cut without a length"),
        pytest.param(reply(CUT_CHUNK, **CHUNKED), 1.0, id="cut within a chunk"),
        pytest.param(reply(CUT_CHUNK[:-100] + TEXT + b"\r\n", **CHUNKED), 1.0, id="cut before the last chunk"),
        pytest.param(reply(b"zz\r\nabc", **CHUNKED), 1.0, id="a chunk without a size"),
        pytest.param(reply(TEXT[:-20]), 1.0, id="truncated JSON with its length"),
        pytest.param(reply(PACKED[:-30], **ZIPPED), 1.0, id="gzip that is cut"),
        pytest.param(reply(PACKED[:-30], **ZIPPED, **NO_LENGTH), 1.0, id="gzip that is cut, without a length"),
        pytest.param(reply(PACKED[:20] + b"xxxx" + PACKED[24:], **ZIPPED), 1.0, id="damaged gzip"),
        pytest.param(reply(TEXT, **ZIPPED), 1.0, id="said to be gzip and is not"),
        pytest.param(reply(TEXT.replace(b"Doe", b"D\xf6e")), 1.0, id="invalid UTF-8"),
        pytest.param(reply(b"<!DOCTYPE html><html>Sorry</html>"), 1.0, id="an HTML page with 200"),
        pytest.param(reply(b""), 1.0, id="an empty 200"),
    ],
)
def test_a_fault_that_passes_is_read_again(
    fault: Reply, waited: float, wire: Wire, make_client: MakeClient, time_given: ManualTime
) -> None:
    wire.replies(fault, GOOD)
    assert make_client().get_json("records") == RECORDS
    assert (len(wire.requests), time_given.slept) == (2, [waited])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (reply(status=503), r"503 Service Unavailable after 3 attempts"),
        (reply(status=429), r"429 Too Many Requests after 3 attempts"),
        (reset(), r"the connection (was reset|ended before the answer did) after 3 attempts"),
        (GOOD[:-20], r"the answer was cut short after 3 attempts"),
        (reset(GOOD[:-20]), r"the connection was reset after 3 attempts"),
        (reply(TEXT[:-20]), r"200, but the JSON text ends too early, behind [\d,]+ characters after 3 attempts"),
        (reply(TEXT[:-20], **NO_LENGTH), r"200, but the JSON text ends too early"),
        (reply(CUT_CHUNK, **CHUNKED), r"the answer was cut short after 3 attempts"),
        (reply(TEXT.replace(b"Doe", b"D\xf6e")), r"200, but the body is not UTF-8: byte 33 of"),
        (reply(b"<html>Login</html>"), r"200, but the body is an HTML page and not JSON"),
        (reply(b"<Bundle/>"), r"200, but the body is XML or HTML and not JSON"),
        (reply(b""), r"200, but the body is empty"),
        (reply(b" \r\n"), r"200, but the body is empty"),
        (reply(PACKED[:-30], **ZIPPED), r"200, but the gzip body is cut short"),
        (reply(TEXT, **ZIPPED), r"200, but the body is damaged gzip"),
        (reply(PACKED + b"x", **ZIPPED), r"200, but the (gzip body is cut short|body is damaged gzip)"),
    ],
)
def test_a_fault_that_stays_is_an_error_and_not_an_empty_answer(
    fault: Reply, message: str, wire: Wire, make_client: MakeClient, time_given: ManualTime
) -> None:
    wire.replies(fault)
    with pytest.raises(ApiError, match=message):
        make_client().get_json("records")
    assert (len(wire.requests), time_given.slept) == (3, [1.0, 2.0])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (reply(status=400), "400 Bad Request"),
        (reply(status=401), "401 Unauthorized"),
        (reply(status=403), "403 Forbidden"),
        (reply(status=404), "404 Not Found"),
        (reply(status=409), "409 Conflict"),
        (reply(status=410), "410 Gone"),
        (reply(status=422), "422 Unprocessable"),
        (reply(status=501), "501 Not Implemented"),
        (reply(status=599), "599$"),
        (reply(status=304), "304, a redirect"),
        (reply(status=204, Content_Length=""), "204, but the body is empty"),
        (reply(RECORDS, status=206), "206 Partial Content"),
        (reply(RECORDS, Content_Encoding="br"), "200, but the body has an encoding that was not asked for"),
        (reply(b'{"id": NaN}'), "200, but the JSON text has NaN, which is no JSON"),
        (reply(b'{"id": -Infinity}'), "200, but the JSON text has -Infinity, which is no JSON"),
        (reply(b'{"id": 1, "id": 2}'), "200, but an object in the JSON text has a name twice"),
        (reply(b"[" * 200_000 + b"]" * 200_000), "200, but the JSON text is nested too deep"),
    ],
)
def test_a_fault_that_another_try_would_not_mend_is_an_error_at_once(
    fault: Reply, message: str, wire: Wire, make_client: MakeClient
) -> None:
    wire.replies(fault)
    with pytest.raises(ApiError) as error:
        make_client().get_json("records")
    assert message.rstrip("$") in error.value.message
    assert len(wire.requests) == 1


@pytest.mark.parametrize("asked", ["301", "Thu, 01 Jan 2026 12:05:01 GMT", "9" * 400])
def test_a_wait_that_is_longer_than_allowed_is_an_error_at_once(
    asked: str, wire: Wire, make_client: MakeClient, time_given: ManualTime
) -> None:
    wire.replies(reply(status=429, Retry_After=asked), GOOD)
    with pytest.raises(ApiError, match=r"the API asks to wait .* more than longest_wait \(300 s\)") as error:
        make_client().get_json("records")
    assert (error.value.status, time_given.slept) == (429, [])


def test_nobody_listens(make_client: MakeClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/api"
    with pytest.raises(
        ApiError, match=r"^GET http://127\.0\.0\.1:\d+/api/records: connection refused after 3 attempts"
    ):
        make_client(url).get_json("records", {"name": "Doe"})


def test_the_host_has_no_name_here(make_client: MakeClient) -> None:
    client = make_client("http://nowhere.invalid/api", retry=RetryPolicy(max_attempts=1))
    with pytest.raises(ApiError, match="the host's name is not known here"):
        client.get_json("records")


def test_no_answer_in_time(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(lambda connection: time.sleep(0.3))
    with pytest.raises(ApiError, match="no answer in time"):
        make_client(retry=RetryPolicy(timeout=0.1, max_attempts=1)).get_json("records")


def drip(connection: socket.socket) -> None:
    connection.sendall(GOOD[:100])
    for letter in GOOD[100:160]:
        time.sleep(0.1)
        connection.sendall(bytes([letter]))


def test_a_body_that_drips_in_ends_with_the_time_for_a_whole_body(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(drip)
    client = make_client(retry=RetryPolicy(timeout=0.3, max_attempts=1), clock=time.monotonic)
    began = time.monotonic()
    with pytest.raises(ApiError, match="200, but the body took too long"):
        client.get_json("records")
    assert time.monotonic() - began < 3.0


def test_the_deadline_bounds_a_body_that_drips_in(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(drip)
    client = make_client(retry=RetryPolicy(timeout=5.0, deadline=0.3), clock=time.monotonic)
    began = time.monotonic()
    with pytest.raises(ApiError, match=r"took too long\n  the deadline of 0\.3 s for the whole read is reached"):
        client.get_json("records")
    assert time.monotonic() - began < 3.0


def test_the_deadline_bounds_all_requests_and_waits_of_a_client(
    wire: Wire, make_client: MakeClient, time_given: ManualTime
) -> None:
    wire.replies(reply(status=503))
    client = make_client(retry=RetryPolicy(max_attempts=100, deadline=20.0))
    with pytest.raises(ApiError, match=r"after 5 attempts\n  the deadline of 20 s for the whole read is reached"):
        client.get_json("records")
    assert time_given.slept == [1.0, 2.0, 4.0, 8.0]
    time_given.seconds += 100.0
    with pytest.raises(ApiError, match="not asked any more\n  the deadline of 20 s"):
        client.get_json("records")


def test_a_small_gzip_that_becomes_too_large_is_an_error_before_it_is_in_memory(
    wire: Wire, make_client: MakeClient
) -> None:
    wire.replies(reply(gzip.compress(b" " * 50_000_000), **ZIPPED))
    with pytest.raises(ApiError, match=r"200, but the body holds more than 1,000,000 bytes, decompressed"):
        make_client(max_body_bytes=1_000_000).get_json("records")
    assert len(wire.requests) == 1


def test_a_body_without_an_end_is_an_error(wire: Wire, make_client: MakeClient) -> None:
    def send(connection: socket.socket) -> None:
        connection.sendall(reply(b"[", **NO_LENGTH))
        for zeros in repeat(b"0," * 30_000, 200):
            connection.sendall(zeros)

    wire.replies(send)
    with pytest.raises(ApiError, match=r"holds more than 1,000,000 bytes"):
        make_client(max_body_bytes=1_000_000).get_json("records")


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("http://127.0.0.1:1/api/other?key=hush", "to http://127.0.0.1:1/api/other"),
        ("https://evil.example.net/records", "to https://evil.example.net/records"),
        ("/api/other", ""),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_errors_and_are_not_followed(
    status: int, location: str, shown: str, wire: Wire, make_client: MakeClient
) -> None:
    wire.replies(reply(status=status, Location=location), GOOD)
    with pytest.raises(ApiError, match=f"{status}, a redirect {shown}".strip()) as error:
        make_client().get_json("records")
    assert "hush" not in str(error.value)
    assert len(wire.requests) == 1


def test_the_body_of_a_redirect_is_not_waited_for(wire: Wire, make_client: MakeClient) -> None:
    def send(connection: socket.socket) -> None:
        connection.sendall(reply(b"{", status=302, Content_Length="1000", Location="/api/other"))
        connection.recv(1)

    wire.replies(send)
    began = time.monotonic()
    with pytest.raises(ApiError, match="302, a redirect"):
        make_client().get_json("records")
    assert time.monotonic() - began < 4.0


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b"\xef\xbb\xbf" + TEXT, RECORDS, id="a byte order mark"),
        pytest.param(b'{"id": 18446744073709551617}', {"id": 18446744073709551617}, id="integers over 2^63"),
        pytest.param(b'{"name": "\\ud83d"}', {"name": "\ud83d"}, id="a lone surrogate"),
        pytest.param(b'{"a.b": 1, "`": 2, "A B": 3, "a b": 4}', {"a.b": 1, "`": 2, "A B": 3, "a b": 4}, id="names"),
        pytest.param(json.dumps({"t": "x" * 10_000_000}).encode(), {"t": "x" * 10_000_000}, id="a record of 10 MB"),
        pytest.param(b"null", None, id="null"),
    ],
)
def test_what_is_only_strange_is_read(body: bytes, value: Any, wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply(body))
    assert make_client().get_json("records") == value


def test_json_nested_2000_deep_is_read_or_an_error_as_python_can(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply(b"[" * 2000 + b"]" * 2000))
    try:
        value = make_client().get_json("records")
    except ApiError as error:
        assert "nested too deep" in error.message  # noqa: PT017
        return
    depth = 0
    while value:
        (value,), depth = value, depth + 1
    assert depth == 1999


@pytest.mark.parametrize(
    "fault",
    [
        reply(TEXT, **NO_LENGTH),
        reply(PACKED, **ZIPPED),
        reply(gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:]), **ZIPPED),
    ],
    ids=["whole without a length", "gzip", "gzip of two members"],
)
def test_bodies_that_are_whole_are_read(fault: Reply, wire: Wire, make_client: MakeClient) -> None:
    wire.replies(fault)
    assert make_client().get_json("records") == RECORDS


def test_a_text_that_ends_with_the_connection_is_an_error(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply(b"id,name\n1,Doe", Content_Type="text/csv", **NO_LENGTH))
    with pytest.raises(ApiError, match="nobody can tell whether it is whole"):
        make_client().get("records.csv")


def test_a_number_that_ends_with_the_connection_is_an_error(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply(b"12", **NO_LENGTH))
    with pytest.raises(ApiError, match="nobody can tell whether it is whole"):
        make_client().get_json("records/count")
    wire.replies(reply(b"123"))
    assert make_client().get_json("records/count") == 123


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("http://evil.example.net/api/records", "a link to another server, http://evil.example.net"),
        ("//evil.example.net/api/records", "a link to another server, http://evil.example.net"),
        ("https://127.0.0.1:{port}/api/records", "a link to another server, https://127.0.0.1:{port}"),
        ("http://127.0.0.1/api/records", "a link to another server, http://127.0.0.1"),
        ("http://127.0.0.1:{port}.evil.example.net/api/records", "a link that is no address of an API"),
        ("http://127.0.0.1:{port}@evil.example.net/api", "a link with a user or a password in it"),
        ("http://lab:hush@127.0.0.1:{port}/api/records", "a link with a user or a password in it"),
        ("http://127.0.0.1:{port}/admin", "a link to /admin, which is not below its path"),
        ("http://127.0.0.1:{port}/apiary", "a link to /apiary, which is not below its path"),
        ("/api/../admin", "a link to /admin, which is not below its path"),
        ("/api/%2e%2e/admin", "which is not below its path"),
        ("/api/..%2fadmin", "which is not below its path"),
        ("/api/%252e%252e/admin", "which is not below its path"),
        ("../../admin", "a link to /admin, which is not below its path"),
        ("/api/records\r\nX-Evil: 1", "a link that is no address of an API"),
        ("\\\\evil.example.net\\api", "a link that is no address of an API"),
        ("file:///etc/passwd", "a link that is no address of an API"),
        ("javascript:alert(1)", "a link that is no address of an API"),
        ("http://[::1", "a link that is no address of an API"),
    ],
)
def test_a_next_link_that_leads_elsewhere_is_an_error_and_nothing_is_sent(
    link: str, message: str, wire: Wire, make_client: MakeClient
) -> None:
    port = wire.url.split(":")[2].split("/")[0]
    wire.replies(reply({"next": link.replace("{port}", port)}))
    walk = make_client().pages(NextLinkPaginator(lambda page: page["next"]), "records")
    next(walk)
    with pytest.raises(PagingError) as error:
        next(walk)
    assert message.replace("{port}", port) in error.value.message
    assert "hush" not in str(error.value)
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:{port}/api/records?page=2",
        "HTTP://127.0.0.1:{port}/api/records?page=2#top",
        "/api/records?page=2",
        "records?page=2",
        "?page=2",
        "//127.0.0.1:{port}/api/records?page=2",
    ],
)
def test_a_next_link_may_be_absolute_or_relative_to_its_page(link: str, wire: Wire, make_client: MakeClient) -> None:
    port = wire.url.split(":")[2].split("/")[0]
    wire.replies(reply({"next": link.replace("{port}", port)}), reply({"next": None}))
    pages = list(make_client().pages(NextLinkPaginator(lambda page: page["next"]), "records", {"page": 1}))
    assert len(pages) == 2
    assert wire.requests[1].startswith("GET /api/records?page=2 HTTP/1.1")
