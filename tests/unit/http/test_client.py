"""What a client sends and gives, when nothing goes wrong."""

from __future__ import annotations

import gzip
import json
import pickle
import tempfile
from datetime import date, datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug import Request, Response

from connector_lib.errors import ApiError, OptionError
from connector_lib.http import HttpClient, OAuth2ClientCredentials, Pace, RetryPolicy
from connector_lib.http.messages import with_query
from tests.unit.http.conftest import MakeClient, ManualTime, Wire, reply

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer

LINES = [b'{"id": 1}', b'{"id": 2}', b'{"id": 3}']
NDJSON = {"Content_Type": "application/fhir+ndjson"}


def test_an_answer_has_status_headers_date_and_request_id(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(
        reply(
            {"a": 1},
            status=202,
            Content_Location="/api/status/7",
            Date="Thu, 01 Jan 2026 12:00:00 GMT",
            X_Request_ID="r1",
        )
    )
    answer = make_client().get("export")
    assert (answer.status, answer.json(), answer.request_id) == (202, {"a": 1}, "r1")
    assert answer.headers["content-LOCATION"] == "/api/status/7"
    assert answer.date == datetime(2026, 1, 1, 12, 0, tzinfo=timezone.utc)
    assert answer.url == f"{wire.url}/export"


def test_an_answer_shows_neither_query_nor_content(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply({"name": "Doe"}))
    answer = make_client().get("people", {"name": "Doe"})
    assert repr(answer) == f"Answer(GET {wire.url}/people, 200, 15 bytes)"
    assert repr(answer.request) == f"Request(GET {wire.url}/people)"


@pytest.mark.parametrize("status", [200, 202, 204])
def test_an_answer_may_be_empty_until_it_is_asked_for_json(status: int, wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply(b"", status=status))
    answer = make_client().get("export")
    assert (answer.status, answer.body) == (status, b"")
    with pytest.raises(ApiError, match=f"GET .*/export: {status}, but the body is empty") as error:
        answer.json()
    assert error.value.__context__ is None


@pytest.mark.parametrize(
    ("header", "link"),
    [
        ('<https://h/x?p=2>; rel="next"', "https://h/x?p=2"),
        ('<a>; rel="prev", <b,c;d>; rel="last next"', "b,c;d"),
        ("<a>; rel=next; title=x", "a"),
        ('<a>; rel="nextish"', None),
        ("", None),
        ("nonsense", None),
    ],
)
def test_links_of_a_header_are_found_by_their_relation(
    header: str, link: str | None, wire: Wire, make_client: MakeClient
) -> None:
    wire.replies(reply([], Link=header))
    assert make_client().get("x").next_link() == link


def test_what_a_client_sends(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply([]))
    client = make_client(headers={"Accept": "application/fhir+json", "Prefer": "a"})
    client.get("x", {"a": "ü&=", "b": [1, True]}, headers={"Prefer": "b"})
    head, *lines = wire.requests[0].split("\r\n")
    assert head == "GET /api/x?a=%C3%BC%26%3D&b=1&b=true HTTP/1.1"
    assert {"Accept: application/fhir+json", "Prefer: b", "Accept-Encoding: gzip", "User-Agent: connector-lib"} <= set(
        lines
    )
    assert not any(line.startswith("Cookie") for line in lines)


def test_parameters_of_a_query() -> None:
    assert with_query("https://h/x", None) == "https://h/x"
    assert with_query("https://h/x?a=1", [("b", 2), ("b", 3.5)]) == "https://h/x?a=1&b=2&b=3.5"
    at = datetime(2026, 1, 1, 12, 0, tzinfo=timezone.utc)
    assert (
        with_query("h", {"d": date(2026, 1, 1), "t": at, "n": None})
        == "h?d=2026-01-01&t=2026-01-01T12%3A00%3A00%2B00%3A00"
    )


class TestPost:
    def test_json_and_forms(self, httpserver: HTTPServer, make_client: MakeClient) -> None:
        seen: list[tuple[str | None, bytes]] = []

        def answer(request: Request) -> Response:
            seen.append((request.content_type, request.get_data()))
            return Response("{}", mimetype="application/json")

        httpserver.expect_request("/x", method="POST").respond_with_handler(answer)
        client = make_client(httpserver.url_for("/"))
        client.post("x", {"a": [1]})
        client.post("x", data={"a": "ü b"})
        client.post("x", data=b"raw", headers={"Content-Type": "text/csv"})
        assert seen == [
            ("application/json", b'{"a": [1]}'),
            ("application/x-www-form-urlencoded", b"a=%C3%BC+b"),
            ("text/csv", b"raw"),
        ]

    @pytest.mark.parametrize("fault", [reply(status=503), b"", reply(b'{"a', Content_Length="9")])
    def test_is_sent_once_where_twice_might_do_harm(self, fault: bytes, wire: Wire, make_client: MakeClient) -> None:
        wire.replies(fault, reply({}))
        with pytest.raises(ApiError, match="not tried again: a second time might do it twice"):
            make_client().post("x", {})
        assert len(wire.requests) == 1

    @pytest.mark.parametrize("fault", [reply(status=503), b"", reply(b'{"a')])
    def test_is_tried_again_where_it_is_idempotent(self, fault: bytes, wire: Wire, make_client: MakeClient) -> None:
        wire.replies(fault, reply({"b": 1}))
        assert make_client().post("x", {}, idempotent=True).json() == {"b": 1}


class TestLines:
    def test_of_a_file_come_without_their_ends(self, wire: Wire, make_client: MakeClient) -> None:
        for ends in (b"\n", b"\r\n", b"\n\n"):
            wire.replies(reply(ends.join(LINES) + ends, **NDJSON))
            assert list(make_client().get_lines("file.ndjson")) == LINES
        wire.replies(reply(b"\n".join(LINES), **NDJSON))
        assert list(make_client().get_lines("file.ndjson")) == LINES

    def test_of_an_empty_file_are_none(self, wire: Wire, make_client: MakeClient) -> None:
        wire.replies(reply(b"", **NDJSON))
        assert list(make_client().get_lines("file.ndjson")) == []

    def test_of_a_packed_file(self, wire: Wire, make_client: MakeClient) -> None:
        wire.replies(reply(gzip.compress(b"\n".join(LINES)), Content_Encoding="gzip", Content_Length=""))
        assert list(make_client().get_lines("file.ndjson")) == LINES

    def test_of_a_file_that_is_cut_are_fetched_again_before_one_is_given(
        self, wire: Wire, make_client: MakeClient, time_given: ManualTime
    ) -> None:
        whole = reply(b"\n".join(LINES), **NDJSON)
        wire.replies(whole[:-9], whole)
        assert list(make_client().get_lines("file.ndjson")) == LINES
        assert time_given.slept == [1.0]

    def test_of_a_longer_file_that_was_cut_are_not_mixed_with_those_of_the_next_try(
        self, wire: Wire, make_client: MakeClient
    ) -> None:
        wire.replies(reply(b"\n".join(LINES * 5), **NDJSON)[:-1], reply(b"\n".join(LINES), **NDJSON))
        assert list(make_client().get_lines("file.ndjson")) == LINES

    @pytest.mark.parametrize("cut", [-1, -9, -10, -11])
    def test_of_a_file_that_stays_cut_are_none(self, cut: int, wire: Wire, make_client: MakeClient) -> None:
        wire.replies(reply(b"\n".join(LINES), **NDJSON)[:cut])
        with pytest.raises(ApiError, match="the answer was cut short after 3 attempts"):
            next(make_client().get_lines("file.ndjson"))

    def test_of_a_file_that_ends_with_the_connection_are_an_error(self, wire: Wire, make_client: MakeClient) -> None:
        wire.replies(reply(b"\n".join(LINES), **NDJSON, Content_Length=""))
        with pytest.raises(ApiError, match="nobody can tell whether it is whole"):
            next(make_client().get_lines("file.ndjson"))

    def test_of_a_file_larger_than_allowed_are_an_error(self, wire: Wire, make_client: MakeClient) -> None:
        wire.replies(reply(b"\n".join(LINES), **NDJSON))
        with pytest.raises(ApiError, match="the body holds more than 20 bytes"):
            next(make_client().get_lines("file.ndjson", max_file_bytes=20))

    def test_of_a_file_for_which_there_is_no_room_are_an_error_at_once(
        self, wire: Wire, make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
        wire.replies(reply(b"x" * 9_000_000, **NDJSON))
        with pytest.raises(ApiError, match="cannot be kept in the folder for temporary files: No such file or dir"):
            next(make_client().get_lines("file.ndjson"))
        assert len(wire.requests) == 1

    def test_longer_than_allowed_are_an_error(self, wire: Wire, make_client: MakeClient) -> None:
        wire.replies(reply(b"short\n" + b"x" * 100, **NDJSON))
        lines = make_client(max_body_bytes=50).get_lines("file.ndjson")
        assert next(lines) == b"short"
        with pytest.raises(ApiError, match="line 2 of the file holds more than 50 bytes"):
            next(lines)


def test_a_client_pickles_and_goes_on(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/x").respond_with_json([1])
    with HttpClient(
        httpserver.url_for("/api"), pace=Pace(1000), retry=RetryPolicy(max_attempts=5), secrets=["hush"], decimals=True
    ) as client:
        assert client.get_json("x") == [1]
        with pickle.loads(pickle.dumps(client)) as copy:
            assert copy.get_json("x") == [1]
            assert copy.base_url == client.base_url
            assert copy.secrets == client.secrets


def test_a_closed_client_opens_again(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply([1]))
    client = make_client()
    client.close()
    assert client.get_json("x") == [1]
    client.close()
    client.close()
    assert client.get_json("x") == [1]


def test_a_body_has_to_be_allowed_a_byte() -> None:
    with pytest.raises(OptionError, match="max_body_bytes is 0"):
        HttpClient("https://h", max_body_bytes=0)


def test_numbers_are_decimals_where_that_is_asked_for(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply(b'{"paid": 0.10}'))
    assert str(make_client(decimals=True).get_json("x")["paid"]) == "0.10"
    assert json.dumps(make_client().get_json("x")) == '{"paid": 0.1}'


def test_loopback_goes_through_no_proxy(wire: Wire, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    wire.replies(reply([1]))
    assert make_client().get_json("x") == [1]


def test_other_hosts_go_through_the_proxy_of_the_environment(
    wire: Wire, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = wire.url.removesuffix("/api")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    wire.replies(reply([1]))
    assert make_client("http://ehr.invalid/api").get_json("x") == [1]
    assert wire.requests[0].startswith("GET http://ehr.invalid/api/x HTTP/1.1")


def test_the_way_to_the_token_endpoint_is_its_own(
    wire: Wire, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, wire.url.removesuffix("/api"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    wire.replies(reply({"access_token": "t0ken"}), reply([1]))
    auth = OAuth2ClientCredentials("http://login.invalid/token", "lab", "hush hush")
    assert make_client(auth=auth).get_json("x") == [1]
    assert [request.split()[1] for request in wire.requests] == ["http://login.invalid/token", "/api/x"]
