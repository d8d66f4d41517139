"""Walks over pages: each record once, and always an end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug import Request, Response

from connector_lib.errors import OptionError, PagingError
from connector_lib.http import (
    Answer,
    LinkHeaderPaginator,
    NextLinkPaginator,
    OffsetPaginator,
    PageNumberPaginator,
    Paginator,
    TokenPaginator,
)
from connector_lib.http.messages import Request as SentRequest
from connector_lib.http.paging import PageRequest, walk
from tests.unit.http.conftest import MakeClient, Wire, reply

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer

ROWS = list(range(25))


def rows_of(page: Any) -> list[int]:
    return list(page["rows"])


def read(client_pages: Any) -> list[int]:
    return [row for page in client_pages for row in rows_of(page.data)]


class ListApi:
    """25 rows, in pages as large as asked but never more than ten, by every way of paging."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/")
        self.asked: list[dict[str, Any]] = []
        self.headers_next = True
        server.expect_request("/rows").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        given = {**request.args.to_dict(), **(request.get_json() if request.method == "POST" else {})}
        self.asked.append(given)
        size = min(10, int(given.get("limit", given.get("per_page", 10))))
        start = int(given.get("offset", given.get("token", (int(given.get("page", 1)) - 1) * size)))
        rows, behind = ROWS[start : start + size], start + size
        body: dict[str, Any] = {"rows": rows, "total": len(ROWS), "pages": -(-len(ROWS) // size)}
        answer = Response("", mimetype="application/json")
        if behind < len(ROWS):
            body |= {"next": f"/rows?offset={behind}&limit={size}", "token": behind}
            answer.headers["Link"] = f'</rows>; rel="first", <rows?offset={behind}>; rel="last next"; title="a, b"'
        answer.set_data(json.dumps(body))
        return answer


@pytest.fixture
def api(httpserver: HTTPServer) -> ListApi:
    return ListApi(httpserver)


@pytest.mark.parametrize(
    ("paginator", "requests"),
    [
        (NextLinkPaginator(lambda page: page.get("next")), 3),
        (LinkHeaderPaginator(), 3),
        (TokenPaginator(lambda page: page.get("token"), "token"), 3),
        (OffsetPaginator(rows_of, limit=10), 4),
        (OffsetPaginator(rows_of, limit=10, total=lambda page: int(page["total"])), 3),
        (OffsetPaginator(rows_of, limit=1000, total=lambda page: int(page["total"])), 3),
        (OffsetPaginator(rows_of, limit=1000, limit_parameter=None), 4),
        (PageNumberPaginator(rows_of), 4),
        (PageNumberPaginator(rows_of, size=5, total_pages=lambda page: int(page["pages"])), 5),
    ],
)
def test_each_way_of_paging_reads_each_row_once(
    paginator: Paginator, requests: int, api: ListApi, make_client: MakeClient
) -> None:
    client = make_client(api.url)
    for _ in range(2):
        assert read(client.pages(paginator, "rows", {"filter": "a b"})) == ROWS
    assert len(api.asked) == 2 * requests


def test_parameters_go_along_but_for_links_which_have_their_own(api: ListApi, make_client: MakeClient) -> None:
    client = make_client(api.url)
    list(client.pages(TokenPaginator(lambda page: page.get("token"), "token"), "rows", {"filter": "a b"}))
    assert api.asked == [{"filter": "a b", **more} for more in ({}, {"token": "10"}, {"token": "20"})]
    api.asked.clear()
    list(client.pages(NextLinkPaginator(lambda page: page.get("next")), "rows", {"filter": "a b"}))
    assert api.asked[1] == {"offset": "10", "limit": "10"}


@pytest.mark.parametrize(
    "paginator",
    [TokenPaginator(lambda page: page.get("token"), "token"), OffsetPaginator(rows_of, limit=10)],
)
def test_a_list_asked_by_post_pages_in_its_body(paginator: Paginator, api: ListApi, make_client: MakeClient) -> None:
    assert read(make_client(api.url).pages(paginator, "rows", json={"filter": {"a": 1}})) == ROWS
    assert [asked["filter"] for asked in api.asked] == [{"a": 1}] * len(api.asked)


def test_a_page_is_asked_for_when_it_is_taken(api: ListApi, make_client: MakeClient) -> None:
    walk_ = make_client(api.url).pages(PageNumberPaginator(rows_of), "rows")
    assert api.asked == []
    assert (next(walk_).number, len(api.asked)) == (1, 1)


def test_a_page_is_tried_again_where_it_is_cut(wire: Wire, make_client: MakeClient) -> None:
    second = reply({"rows": [2]})
    wire.replies(reply({"rows": [1], "next": "rows?page=2"}), second[:-3], second)
    assert read(make_client().pages(NextLinkPaginator(lambda page: page.get("next")), "rows")) == [1, 2]


def test_an_empty_page_that_names_a_next_one_is_not_the_end(wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply({"rows": [], "next": "?p=2"}), reply({"rows": [], "next": "?p=3"}), reply({"rows": [1]}))
    assert read(make_client().pages(NextLinkPaginator(lambda page: page.get("next")), "rows")) == [1]


@pytest.mark.parametrize("nexts", [["?p=1"], ["?p=2", "?p=2"], ["?p=2", "?p=1"], ["?p=2", "?p=3", "/api/rows?p=2"]])
def test_a_page_that_was_read_before_is_an_error(nexts: list[str], wire: Wire, make_client: MakeClient) -> None:
    wire.replies(*(reply({"rows": [1], "next": link}) for link in nexts))
    pages = make_client().pages(NextLinkPaginator(lambda page: page["next"]), "rows", {"p": "1"})
    with pytest.raises(PagingError, match=rf"api/rows, page {len(nexts) + 1}: it leads back to a page that was read"):
        list(pages)


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"], [1, 1]])
def test_a_token_that_was_seen_before_is_an_error(tokens: list[Any], wire: Wire, make_client: MakeClient) -> None:
    wire.replies(*(reply({"token": token}) for token in tokens))
    with pytest.raises(PagingError, match="leads back to a page that was read before"):
        list(make_client().pages(TokenPaginator(lambda page: page["token"]), "rows"))
    assert len(wire.requests) == len(tokens)


def test_pages_without_an_end_are_an_error(make_client: MakeClient, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/rows").respond_with_handler(
        lambda request: Response(json.dumps({"token": int(request.args.get("t", 0)) + 1}), mimetype="application/json")
    )
    pages = make_client(httpserver.url_for("/")).pages(
        TokenPaginator(lambda page: page["token"], "t"), "rows", max_pages=7
    )
    seen: list[int] = []
    with pytest.raises(PagingError, match=r"page 8: there are more than 7 pages\n  raise max_pages if that is right"):
        seen.extend(page.number for page in pages)
    assert seen == list(range(1, 8))


@pytest.mark.parametrize(
    ("paginator", "parameter"),
    [(OffsetPaginator(rows_of), "offset"), (PageNumberPaginator(rows_of), "page")],
)
def test_an_api_that_does_not_know_the_paging_parameter_is_an_error(
    paginator: Paginator, parameter: str, wire: Wire, make_client: MakeClient
) -> None:
    wire.replies(reply({"rows": [1, 2]}))
    with pytest.raises(
        PagingError, match=f"the same as the page before\n  does the API know the parameter '{parameter}'"
    ):
        list(make_client().pages(paginator, "rows"))


@pytest.mark.parametrize(
    "replies",
    [[{"rows": [1, 2], "total": 5}, {"rows": [], "total": 5}], [{"rows": [], "total": 5}]],
)
def test_pages_that_end_before_the_total_are_an_error(replies: list[Any], wire: Wire, make_client: MakeClient) -> None:
    wire.replies(*map(reply, replies))
    paginator = OffsetPaginator(rows_of, total=lambda page: int(page["total"]))
    with pytest.raises(PagingError, match=r"the pages end at \d records, and the API counts 5"):
        list(make_client().pages(paginator, "rows"))


def test_a_number_of_pages_that_ends_with_an_empty_one_is_read_to_the_number(
    wire: Wire, make_client: MakeClient
) -> None:
    wire.replies(*(reply({"rows": rows, "pages": 3}) for rows in ([1], [], [3])))
    paginator = PageNumberPaginator(rows_of, total_pages=lambda page: int(page["pages"]))
    assert read(make_client().pages(paginator, "rows")) == [1, 3]


@pytest.mark.parametrize("token", [True, 1.5, ["a"], {"a": 1}])
def test_a_token_is_text_or_a_number(token: Any, wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply({"token": token}))
    with pytest.raises(PagingError, match="neither text nor a number"):
        list(make_client().pages(TokenPaginator(lambda page: page["token"]), "rows"))


@pytest.mark.parametrize("link", [True, 1, {"href": "?p=2"}])
def test_a_link_is_text(link: Any, wire: Wire, make_client: MakeClient) -> None:
    wire.replies(reply({"next": link}))
    with pytest.raises(PagingError, match="the link to the next page is no text"):
        list(make_client().pages(NextLinkPaginator(lambda page: page["next"]), "rows"))


@pytest.mark.parametrize(
    "make", [lambda: OffsetPaginator(rows_of, limit=0), lambda: PageNumberPaginator(rows_of, size=-1)]
)
def test_a_page_has_a_size(make: Callable[[], object]) -> None:
    with pytest.raises(OptionError, match="records is none"):
        make()


def counted_of(page: Any) -> int | None:
    total: int | None = page.get("total")
    return total


def test_pages_that_overlap_begin_with_the_last_row_of_the_page_before(api: ListApi, make_client: MakeClient) -> None:
    paginator = OffsetPaginator(rows_of, limit=4, total=counted_of, overlap=True)
    first, *others = [rows_of(page.data) for page in make_client(api.url).pages(paginator, "rows")]
    assert [rows[0] for rows in others] == [rows[-1] for rows in (first, *others[:-1])]
    assert first + [row for rows in others for row in rows[1:]] == ROWS
    assert [(asked["offset"], asked["limit"]) for asked in api.asked[:3]] == [("0", "4"), ("3", "5"), ("7", "5")]


def test_pages_that_overlap_do_not_end_with_a_server_that_gives_one_row_at_once(
    wire: Wire, make_client: MakeClient
) -> None:
    paginator = OffsetPaginator(rows_of, total=counted_of, overlap=True)
    wire.replies(reply({"rows": [1], "total": 2}), reply({"rows": [1], "total": 2, "more": True}))
    with pytest.raises(PagingError, match="the pages end at 1 records, and the API counts 2"):
        read(make_client().pages(paginator, "rows"))


def test_pages_that_overlap_need_a_total(wire: Wire, make_client: MakeClient) -> None:
    with pytest.raises(OptionError, match="need a total"):
        OffsetPaginator(rows_of, overlap=True)
    wire.replies(reply({"rows": [1]}))
    with pytest.raises(PagingError, match="does not tell how many records there are"):
        read(make_client().pages(OffsetPaginator(rows_of, total=counted_of, overlap=True), "rows"))


@given(
    st.integers(0, 60),
    st.integers(1, 20),
    st.lists(st.integers(1, 20), min_size=1, max_size=20),
    st.booleans(),
)
def test_offsets_read_each_row_once_however_many_the_server_gives(
    count: int, limit: int, given_at_once: list[int], counted: bool
) -> None:
    def located(page: PageRequest, before: Answer | None) -> SentRequest:
        return SentRequest("GET", f"https://h/rows?offset={page.params['offset']}&page={page.number}")

    def send(request: SentRequest) -> Answer:
        asked = parse_qs(request.url.partition("?")[2])
        offset, number = int(asked["offset"][0]), int(asked["page"][0])
        most = min(limit, given_at_once[number % len(given_at_once)])
        rows = list(range(count))[offset : offset + most]
        body = json.dumps({"rows": rows, "total": count}).encode()
        return Answer(request, 200, {}, body, lambda answer: json.loads(answer.body))

    paginator = OffsetPaginator(rows_of, limit=limit, total=(lambda page: int(page["total"])) if counted else None)
    assert read(walk(located, send, paginator, PageRequest("rows"))) == list(range(count))
