"""The server on loopback: routes, what it notes, and that each fault goes over the wire as its name says."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
import requests

from connector_lib.errors import UsageError
from connector_lib.testing.api_server import ApiRequest, ApiServer, Reply, forwarding
from connector_lib.testing.faults import FAULTS, Fault
from connector_lib.testing.pages import ENDLESS, header_pages, json_pages

BODY: dict[str, Any] = {"items": [{"id": 1}, {"id": 2}], "next": None}
NOON = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)


def two_pages(request: ApiRequest) -> Reply:
    last = request.parameters.get("page") == "2"
    return Reply.json({"items": [{"id": 2 if last else 1}], "next": None if last else "/api/patients?page=2"})


@pytest.fixture
def server() -> Iterator[ApiServer]:
    routes: dict[str, Callable[[ApiRequest], Reply]] = {
        "/patients": two_pages,
        "/echo/*": lambda request: Reply.json({"path": request.path, "method": request.method}),
    }
    with ApiServer(routes, base_path="/api", pages=json_pages("items", "next"), now=lambda: NOON) as server:
        yield server


def get(server: ApiServer, path: str = "/patients", **options: Any) -> requests.Response:
    # Without the connection of the request before: what a fault leaves on it is another test's.
    return requests.get(server.url + path, headers={"Connection": "close"}, timeout=5, **options)


def received(server: ApiServer) -> bytes:
    """All bytes of an answer, as they come through the socket."""
    with socket.create_connection(("127.0.0.1", int(server.origin.rpartition(":")[2])), timeout=5) as connection:
        connection.sendall(b"GET /api/patients HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_request_is_answered_by_the_first_route_that_fits_its_path(server: ApiServer) -> None:
    assert get(server, "/echo/a/b").json() == {"path": "/echo/a/b", "method": "GET"}
    assert requests.post(f"{server.url}/echo/x", timeout=5).json()["method"] == "POST"


def test_a_path_without_a_route_and_one_outside_the_base_path_are_not_found(server: ApiServer) -> None:
    assert get(server, "/doctors").status_code == 404
    assert requests.get(f"{server.origin}/patients", timeout=5).status_code == 404


def test_requests_are_noted_with_their_parameters_and_headers(server: ApiServer) -> None:
    get(server, "/patients?page=2&sort=a%20b")
    (request,) = server.requests
    assert (request.path, request.parameters) == ("/patients", {"page": "2", "sort": "a b"})
    assert request.headers["connection"] == "close"


def test_a_request_shows_no_header_in_its_text(server: ApiServer) -> None:
    requests.get(f"{server.url}/patients", headers={"Authorization": "Bearer hush"}, timeout=5)
    assert "hush" not in repr(server.requests)


def test_the_date_of_an_answer_is_that_of_the_clock_that_was_given(server: ApiServer) -> None:
    assert get(server).headers["Date"] == "Thu, 01 Jan 2026 12:00:00 GMT"


def test_an_error_in_a_route_is_a_500_and_is_raised_when_the_server_ends() -> None:
    def broken(request: ApiRequest) -> Reply:
        raise ValueError("a mistake in the test")

    with pytest.raises(ValueError, match="a mistake in the test"), ApiServer({"/": broken}) as server:
        assert requests.get(server.url, timeout=5).status_code == 500


def test_a_fault_comes_at_the_request_that_it_is_for_and_as_often_as_it_is_said(server: ApiServer) -> None:
    server.fail("503", path="/patients", at=2, times=2)
    get(server, "/echo/1")
    assert [get(server).status_code for _ in range(5)] == [200, 503, 503, 200, 200]


def test_a_fault_without_a_number_of_times_stays_until_it_is_taken_away(server: ApiServer) -> None:
    with server.failing("503", times=None):
        assert [get(server).status_code for _ in range(3)] == [503] * 3
    assert get(server).status_code == 200


def test_the_route_is_not_asked_where_the_fault_brings_its_own_body() -> None:
    asked: list[ApiRequest] = []

    def answer(request: ApiRequest) -> Reply:
        asked.append(request)
        return Reply.json({})

    with ApiServer({"*": answer}) as server:
        server.fail("500")
        requests.post(server.url, timeout=5)
    assert asked == []


def test_an_unknown_fault_is_refused_with_the_nearest_name(server: ApiServer) -> None:
    with pytest.raises(UsageError, match="did you mean 'gzip bomb'"):
        server.fail("gzip bom")


def test_a_fault_of_next_links_needs_a_server_that_knows_them() -> None:
    with ApiServer({}) as server, pytest.raises(ValueError, match="pages="):
        server.fail("endless pages")


def test_a_hook_runs_before_the_request_that_it_is_for(server: ApiServer) -> None:
    ran: list[int] = []
    server.before(lambda: ran.append(len(server.requests)), path="/patients", at=2)
    for _ in range(3):
        get(server)
    assert ran == [2]


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.status])
def test_a_fault_with_a_status_has_that_status(server: ApiServer, name: str) -> None:
    server.fail(name)
    assert get(server, allow_redirects=False).status_code == FAULTS[name].status


def test_a_retry_after_is_a_second_a_date_a_word_or_a_day(server: ApiServer) -> None:
    names = [name for name in FAULTS if name.startswith("429")]
    said = []
    for name in names:
        server.fail(name)
        said.append(get(server).headers["Retry-After"])
    assert said == ["1", "Thu, 01 Jan 2026 12:00:01 GMT", "soon", "86400"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("reset before the body", ConnectionResetError),
        ("reset within the body", ConnectionResetError),
        ("Content-Length too long", http.client.IncompleteRead),
        ("chunked body cut", http.client.IncompleteRead),
    ],
)
def test_a_broken_delivery_breaks_the_connection(server: ApiServer, name: str, error: type[Exception]) -> None:
    server.fail(name)
    connection = http.client.HTTPConnection(server.origin.removeprefix("http://"), timeout=5)
    with pytest.raises(error):  # noqa: PT012
        connection.request("GET", "/api/patients")
        connection.getresponse().read()
    connection.close()


def test_a_body_without_its_length_ends_with_the_connection_whole_or_cut(server: ApiServer) -> None:
    whole = get(server).content
    server.fail("no Content-Length, whole body")
    server.fail("no Content-Length, body cut", at=2)
    first, second = received(server), received(server)
    assert b"Content-Length" not in first + second
    assert (first.partition(b"\r\n\r\n")[2], second.partition(b"\r\n\r\n")[2]) == (whole, whole[: len(whole) // 2])


def test_a_length_that_is_too_short_leaves_the_rest_of_the_body_on_the_connection(server: ApiServer) -> None:
    whole = get(server).content
    server.fail("Content-Length too short")
    assert get(server).content == whole[: len(whole) // 2]


def test_refused_connections_are_refused_for_a_while_and_then_taken_again(server: ApiServer) -> None:
    server.fail(Fault("refused", delivery="refused", pause=0.3))
    with pytest.raises(requests.ConnectionError):
        get(server)
    with pytest.raises(requests.ConnectionError, match="refused"):
        get(server)
    time.sleep(0.5)
    assert get(server).status_code == 200


def test_connections_that_are_refused_for_good_are_taken_again_when_the_fault_ends(server: ApiServer) -> None:
    with server.failing("refused", times=None), pytest.raises(requests.ConnectionError):
        get(server)
    assert get(server).status_code == 200


def test_a_slow_body_comes_byte_by_byte(server: ApiServer) -> None:
    server.fail(Fault("slow", delivery="slow", pause=0.002))
    started = time.monotonic()
    assert get(server).json()["items"] == [{"id": 1}]
    assert time.monotonic() - started > 0.002 * 40


@pytest.mark.parametrize("name", ["no answer", "slow body"])
def test_the_server_ends_while_a_client_waits(name: str) -> None:
    failed: list[Exception] = []

    def wait(url: str) -> None:
        try:
            requests.get(url, timeout=30)
        except requests.RequestException as error:
            failed.append(error)

    with ApiServer({"/": lambda request: Reply.json(BODY)}) as server:
        server.fail(name)
        client = threading.Thread(target=wait, args=(server.url + "/",))
        client.start()
        while not server.requests:
            time.sleep(0.01)
    client.join(timeout=5)
    assert not client.is_alive()
    assert failed


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("truncated JSON", json.JSONDecodeError),
        ("invalid UTF-8", UnicodeDecodeError),
        ("HTML page with 200", json.JSONDecodeError),
        ("empty 200", json.JSONDecodeError),
    ],
)
def test_a_body_that_is_no_json_is_none(server: ApiServer, name: str, error: type[Exception]) -> None:
    server.fail(name)
    with pytest.raises(error):
        json.loads(get(server).content.decode())


def test_bodies_that_are_json_still_have_what_a_reader_trips_over(server: ApiServer) -> None:
    bodies = {}
    for name in ("byte order mark", "NaN", "a key twice", "JSON nested 2,000 deep"):
        server.fail(name)
        bodies[name] = get(server).content
    assert bodies["byte order mark"].startswith(b"\xef\xbb\xbf{")
    assert json.loads(bodies["NaN"])["factor"] != json.loads(bodies["NaN"])["factor"]
    # One who takes the last of two values has lost the page.
    assert json.loads(bodies["a key twice"])["items"] == []
    assert bodies["JSON nested 2,000 deep"].count(b"[") > 2000


def test_gzip_is_sound_cut_or_none_at_all(server: ApiServer) -> None:
    whole = get(server).content
    bodies = []
    for name in ("gzip", "gzip cut", "bad gzip"):
        server.fail(name)
        bodies.append(received(server).partition(b"\r\n\r\n")[2])
    assert gzip.decompress(bodies[0]) == whole
    with pytest.raises(EOFError):
        gzip.decompress(bodies[1])
    assert bodies[2] == whole


def test_a_gzip_bomb_is_small_on_the_wire_and_large_when_it_is_unpacked(server: ApiServer) -> None:
    server.fail(Fault("bomb", change="gzip_bomb", expands_to=20 * 2**20))
    packed = received(server).partition(b"\r\n\r\n")[2]
    assert len(packed) < 100_000
    assert len(gzip.decompress(packed)) > 20 * 2**20


def test_a_redirect_to_another_host_and_hostile_links_are_noted_when_somebody_follows_them(server: ApiServer) -> None:
    server.fail("redirect to another host")
    assert get(server).json()["items"] == [{"id": 1}]
    assert [request.path for request in server.astray] == ["/api/patients"]


@pytest.mark.parametrize(
    "name",
    [
        "next link to another host",
        "next link to another port",
        "next link outside the base path",
        "next link outside the base path, encoded",
    ],
)
def test_one_who_follows_a_hostile_link_gets_the_page_and_is_noted(server: ApiServer, name: str) -> None:
    server.fail(name)
    page = requests.get(get(server).json()["next"], timeout=5).json()
    assert page["items"] == [{"id": 2}]
    assert len(server.astray) == 1


def test_a_link_has_a_user_another_scheme_or_no_host(server: ApiServer) -> None:
    links = []
    for name in ("next link with userinfo", "next link with another scheme", "next link relative"):
        server.fail(name)
        links.append(get(server).json()["next"].replace(server.origin.removeprefix("http://"), "HOST"))
    assert links == [
        "http://someone:something@HOST/api/patients?page=2",
        "ftp://HOST/api/patients?page=2",
        "/api/patients?page=2",
    ]


def follow(server: ApiServer, limit: int) -> list[str]:
    """The addresses of the pages, each link followed."""
    links = ["/api/patients"]
    while len(links) < limit:
        link = requests.get(server.origin + links[-1].removeprefix(server.origin), timeout=5).json()["next"]
        if link is None:
            break
        links.append(link)
    return links


def test_a_link_that_was_seen_before_and_a_circle_never_end(server: ApiServer) -> None:
    with server.failing("next link seen before", at=2, times=None):
        assert follow(server, 6)[1:] == ["/api/patients?page=2"] * 5
    with server.failing("next links in a circle", at=2, times=None):
        assert len(follow(server, 12)) == 12


def test_endless_pages_have_new_links_and_go_on_as_they_should_after_a_while(server: ApiServer) -> None:
    with server.failing("endless pages", times=None):
        links = follow(server, ENDLESS + 50)
    assert len(set(links)) == len(links) == ENDLESS + 2


def test_an_empty_page_leads_to_the_page_that_it_stands_for(server: ApiServer) -> None:
    server.fail("empty page with a next link")
    empty = get(server).json()
    assert empty["items"] == []
    assert requests.get(empty["next"], timeout=5).json()["items"] == [{"id": 1}]


def test_links_in_the_header_are_changed_as_those_in_the_body() -> None:
    def page(request: ApiRequest) -> Reply:
        return Reply.json([1], headers={"Link": '</list?page=2>; rel="next"'})

    with ApiServer({"/list": page}, pages=header_pages()) as server:
        server.fail("next link to another host")
        answer = requests.get(f"{server.url}/list", timeout=5)
    assert answer.links["next"]["url"].startswith("http://localhost:")


def test_a_server_before_another_one_passes_on_and_keeps_links_at_itself(server: ApiServer) -> None:
    def link(request: ApiRequest) -> Reply:
        return Reply.json({"next": f"{server.origin}/api/patients?page=2"})

    server.routes["/linked"] = link
    with ApiServer({"*": forwarding(server.origin)}, base_path="/api") as before:
        assert get(before, "/linked").json() == {"next": f"{before.url}/patients?page=2"}
        before.fail("503")
        assert get(before).status_code == 503
        assert get(before, "/doctors").status_code == 404
    assert [request.path for request in server.requests] == ["/linked", "/doctors"]


def test_a_port_that_is_not_free_is_an_error_at_once(server: ApiServer) -> None:
    with pytest.raises(OSError, match="in use"):
        ApiServer({}, port=int(server.origin.rpartition(":")[2]))


def test_a_server_has_no_address_before_it_is_started() -> None:
    with pytest.raises(RuntimeError, match="with statement"):
        ApiServer({}).url  # noqa: B018


def test_an_upstream_that_is_no_origin_is_refused() -> None:
    with pytest.raises(ValueError, match="takes an origin"):
        forwarding("http://127.0.0.1:80/api")
