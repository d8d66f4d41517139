"""How an answer leads to its next page, and the guards that every walk over pages has.

A paginator says two things: what is asked first, and what is asked behind an answer, where anything is. It keeps no
state of its own, so one object does for many walks.

An empty page that names a next one is not the end. A page that was asked before, the same page again, and more pages
than allowed are errors: a walk never ends early without one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from connector_lib.errors import OptionError, PagingError
from connector_lib.http.messages import Answer, Request

__all__ = [
    "MAX_PAGES",
    "LinkHeaderPaginator",
    "NextLinkPaginator",
    "OffsetPaginator",
    "Page",
    "PageNumberPaginator",
    "PageRequest",
    "Paginator",
    "TokenPaginator",
    "walk",
]

MAX_PAGES: Final = 100_000
"""Pages of one walk, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What is asked for a page: an address or a path below the base, and parameters of the query.

    Where ``json`` is there, the page is asked by ``POST`` with it as the body, and paging parameters go in there.
    ``link`` is an address as it stood on the page before, and then takes the place of ``address``. ``number`` counts
    pages from 1, ``records`` those of the pages before, and ``before`` is the mark of the page before.
    """

    address: str
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    link: str | None = field(default=None, repr=False)
    number: int = 1
    records: int = 0
    before: bytes = field(default=b"", repr=False)

    def with_parameters(self, **values: str | int) -> PageRequest:
        """The same with paging parameters set, in the body where there is one and in the query where not."""
        if self.json is not None:
            return replace(self, json={**self.json, **values})
        return replace(self, params={**self.params, **values})

    def behind(self, **changes: Any) -> PageRequest:
        """The request of the page behind this one."""
        return replace(self, number=self.number + 1, **changes)


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its number from 1 on, the decoded body, and the whole answer."""

    number: int
    data: Any = field(repr=False)
    answer: Answer


class Paginator(Protocol):
    """How an API pages."""

    def first(self, request: PageRequest) -> PageRequest:
        """What is asked first."""
        ...

    def next(self, request: PageRequest, answer: Answer) -> PageRequest | None:
        """What is asked behind ``answer``, which ``request`` gave; None at the end."""
        ...


@dataclass(frozen=True, slots=True)
class NextLinkPaginator:
    """The body has the address of the next page. ``find`` gives it from the decoded body, None or empty at the end.

    >>> NextLinkPaginator(lambda page: page["links"].get("next"))  # doctest: +ELLIPSIS
    NextLinkPaginator(find=<function ...>)
    """

    find: Callable[[Any], str | None]

    def first(self, request: PageRequest) -> PageRequest:
        """The request as it is."""
        return request

    def next(self, request: PageRequest, answer: Answer) -> PageRequest | None:
        """The link, with no other parameters: it has them all."""
        return _linked(request, answer, self.find(answer.json()))


@dataclass(frozen=True, slots=True)
class LinkHeaderPaginator:
    """The header ``Link`` has the address of the next page (RFC 8288), under the relation ``rel``."""

    rel: str = "next"

    def first(self, request: PageRequest) -> PageRequest:
        """The request as it is."""
        return request

    def next(self, request: PageRequest, answer: Answer) -> PageRequest | None:
        """The link, with no other parameters: it has them all."""
        return _linked(request, answer, answer.next_link(self.rel))


@dataclass(frozen=True, slots=True)
class TokenPaginator:
    """The body has a token for the next page, which is sent back as ``parameter`` beside the other parameters.

    ``find`` gives the token from the decoded body, None or empty at the end.

    >>> TokenPaginator(lambda page: page["next_token"], "token").parameter
    'token'
    """

    find: Callable[[Any], Any]
    parameter: str = "page_token"

    def first(self, request: PageRequest) -> PageRequest:
        """The request as it is."""
        return request

    def next(self, request: PageRequest, answer: Answer) -> PageRequest | None:
        """The same with the token."""
        token = self.find(answer.json())
        if token is None or token == "":
            return None
        if not isinstance(token, (str, int)) or isinstance(token, bool):
            raise _wrong(answer, request, "the token of the next page is neither text nor a number")
        return request.behind().with_parameters(**{self.parameter: token})


@dataclass(frozen=True, slots=True)
class OffsetPaginator:
    """Pages are asked by the number of records before them. The end is an empty page, or ``total`` records.

    A page that is shorter than asked is not the end: servers have limits of their own. So the next offset is what was
    read, and without a total there is one request more, for the empty page. ``records`` gives the list of records from
    the decoded body, ``total`` how many there are, None where the body does not tell.

    With ``overlap`` each page but the first begins with the last record of the page before, asked for besides
    ``limit``: where it is another one, records moved over the border of the page, and whoever reads them can tell. It
    needs a ``total``, since a page of that record alone may be one of a server that gives no more.

    >>> paginator = OffsetPaginator(lambda page: page["items"], limit=50, total=lambda page: page["total"])
    >>> paginator.first(PageRequest("people")).params
    {'limit': 50, 'offset': 0}
    """

    records: Callable[[Any], Sequence[Any]]
    limit: int = 100
    offset_parameter: str = "offset"
    limit_parameter: str | None = "limit"
    total: Callable[[Any], int | None] | None = None
    overlap: bool = False

    def __post_init__(self) -> None:
        _check_size(self.limit)
        if self.overlap and self.total is None:
            raise OptionError(
                "pages that overlap need a total", hint="say where the body tells how many records there are"
            )

    def first(self, request: PageRequest) -> PageRequest:
        """From the start."""
        return _sized(request, self.limit_parameter, self.limit).with_parameters(**{self.offset_parameter: 0})

    def next(self, request: PageRequest, answer: Answer) -> PageRequest | None:
        """The same from where this page ends."""
        data = answer.json()
        again = 1 if self.overlap and request.number > 1 else 0
        count = len(self.records(data)) - again
        read = request.records + max(count, 0)
        total = self.total(data) if self.total else None
        if self.overlap and total is None:
            raise _wrong(answer, request, "it does not tell how many records there are")
        if count <= 0 or (total is not None and read >= total):
            _check_total(answer, request, read, total)
            return None
        mark = _new_mark(answer, request, self.offset_parameter)
        following = request.behind(records=read, before=mark)
        if self.overlap:
            following = _sized(following, self.limit_parameter, self.limit + 1)
        return following.with_parameters(**{self.offset_parameter: read - 1 if self.overlap else read})


@dataclass(frozen=True, slots=True)
class PageNumberPaginator:
    """Pages are asked by number. The end is an empty page, or the page ``total_pages``.

    ``records`` gives the list of records from the decoded body, ``total_pages`` how many pages there are, None where
    the body does not tell.

    >>> PageNumberPaginator(lambda page: page["items"], size=50).first(PageRequest("people")).params
    {'per_page': 50, 'page': 1}
    """

    records: Callable[[Any], Sequence[Any]]
    parameter: str = "page"
    first_number: int = 1
    size: int | None = None
    size_parameter: str = "per_page"
    total_pages: Callable[[Any], int | None] | None = None

    def __post_init__(self) -> None:
        if self.size is not None:
            _check_size(self.size)

    def first(self, request: PageRequest) -> PageRequest:
        """The first page."""
        sized = request if self.size is None else _sized(request, self.size_parameter, self.size)
        return sized.with_parameters(**{self.parameter: self.first_number})

    def next(self, request: PageRequest, answer: Answer) -> PageRequest | None:
        """The same with the next number."""
        data = answer.json()
        count = len(self.records(data))
        pages = self.total_pages(data) if self.total_pages else None
        if pages is not None and request.number >= pages:
            return None
        if count == 0 and pages is None:
            return None
        mark = _new_mark(answer, request, self.parameter) if count else b""
        return request.behind(before=mark).with_parameters(**{self.parameter: self.first_number + request.number})


def walk(
    located: Callable[[PageRequest, Answer | None], Request],
    send: Callable[[Request], Answer],
    paginator: Paginator,
    request: PageRequest,
    *,
    max_pages: int = MAX_PAGES,
) -> Iterator[Page]:
    """The pages behind ``request``, each fetched when it is asked for.

    ``located`` gives the request with its whole address; it has the answer that led to the page, for links that are
    relative to it. Raises :class:`~connector_lib.errors.PagingError` for a page that was asked before, however it is
    written, and for more than ``max_pages``.
    """
    asked: set[bytes] = set()
    current: PageRequest | None = paginator.first(request)
    before: Answer | None = None
    while current is not None:
        if before is not None and current.number > max_pages:
            raise _wrong(
                before, current, f"there are more than {max_pages:,} pages", "raise max_pages if that is right"
            )
        asking = located(current, before)
        mark = _mark(asking.url.encode() + b" " + (asking.body if isinstance(asking.body, bytes) else b""))
        if before is not None and mark in asked:
            raise _wrong(before, current, "it leads back to a page that was read before")
        asked.add(mark)
        answer = send(asking)
        following = paginator.next(current, answer)
        yield Page(current.number, answer.json(), answer)
        current, before = following, answer


def _linked(request: PageRequest, answer: Answer, link: str | None) -> PageRequest | None:
    if link is None or link == "":
        return None
    if not isinstance(link, str):
        raise _wrong(answer, request, "the link to the next page is no text")
    return request.behind(link=link, params={})


def _sized(request: PageRequest, parameter: str | None, size: int) -> PageRequest:
    return request if parameter is None else request.with_parameters(**{parameter: size})


def _check_size(size: int) -> None:
    if size < 1:
        raise OptionError(f"a page of {size} records is none", hint="give a size of 1 or more")


def _check_total(answer: Answer, request: PageRequest, read: int, total: int | None) -> None:
    if total is not None and read < total:
        raise _wrong(answer, request, f"the pages end at {read:,} records, and the API counts {total:,}")


def _new_mark(answer: Answer, request: PageRequest, parameter: str) -> bytes:
    """The mark of a page, which has to be another one than that of the page before."""
    mark = _mark(answer.body)
    if mark == request.before:
        raise _wrong(
            answer, request, "it is the same as the page before", f"does the API know the parameter '{parameter}'?"
        )
    return mark


def _mark(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _wrong(answer: Answer, request: PageRequest, what: str, hint: str = "") -> PagingError:
    return PagingError(
        f"{answer.request.shown}, page {request.number:,}: {what}",
        hint=hint or "the paging of the API does not come to an end: tell who runs it, or use another way of paging",
        status=answer.status,
        request_id=answer.request_id,
    )
