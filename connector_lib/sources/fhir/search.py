"""All resources of a search, page by page, none lost and none twice.

FHIR leaves to the server what a next link is. With some it is a place in a list of results that the server keeps, with
others the number of resources to pass over: there, each resource that is updated or deleted while the pages are read
moves all behind it, and one is never seen. So a page that was read whole is gone on from by a new search, for what was
updated at or after its last resource (``_lastUpdated=ge…``), and resources at this border that were given are passed
over by their ids. That needs a server that sorts by ``_lastUpdated``; the link ``self`` of a page tells whether it did.
Where a page does not reach beyond one ``lastUpdated``, a larger one is asked for. Next links are followed where that
does not help, and with servers that do not sort.

Sources: FHIR R4, http://hl7.org/fhir/R4/search.html (``_sort``, ``_count``, ``_lastUpdated``, prefixes),
http://hl7.org/fhir/R4/http.html#paging.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from connector_lib.connector.timestamps import timestamp_nanoseconds, timestamp_text
from connector_lib.errors import ApiError, SourceError
from connector_lib.formats.fhir.bundle import BundlePage, Resource, resources_of
from connector_lib.http import Answer
from connector_lib.sources.fhir.client import FhirClient, Query, answer_errors
from connector_lib.sources.fhir.options import Paging

__all__ = ["Search", "last_updated", "resources"]

_GONE: Final = 410
_MOST_TIES: Final = 100_000
"""Ids that are kept of resources that share one ``lastUpdated``. Beyond, next links alone lead on."""
_LARGEST_PAGE: Final = 1000
"""Resources that are asked for at once where so many share one ``lastUpdated``."""
_SORTED: Final = ("_sort", "_lastUpdated")


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for.

    ``filters`` are parameters besides those of paging. ``since`` and ``until`` are nanoseconds from 1970 on: what was
    updated at or after ``since`` and before ``until``. Without ``since``, resources without ``meta.lastUpdated`` are
    found as well. Without ``until``, all resources are, and ``started``, the server's time before the search, tells
    what was changed while it was read.
    """

    resource_type: str
    page_size: int
    paging: Paging = "auto"
    filters: tuple[tuple[str, str], ...] = ()
    since: int | None = None
    until: int | None = None
    started: int | None = None


def resources(client: FhirClient, search: Search) -> Iterator[Resource]:
    """The resources that ``search`` finds, as they came.

    One page is in memory. Raises :class:`~connector_lib.errors.ApiError`, also where the server cannot be read without
    losing something: the message says why.
    """
    yield from _Reading(client, search).resources()


def last_updated(resource: Resource) -> str | None:
    """``meta.lastUpdated`` as it came; None where there is none."""
    meta = resource.get("meta")
    text = meta.get("lastUpdated") if isinstance(meta, dict) else None
    return text if isinstance(text, str) else None


class _Reading:
    """One search while it is read: how far it came, and what can be said of the order."""

    def __init__(self, client: FhirClient, search: Search) -> None:
        self._client = client
        self._search = search
        self._place: int | None = None
        """The newest ``lastUpdated`` that was given."""
        self._asked_from: int | None = None
        """The place that the present walk of links was begun at, None for that of the first search."""
        self._given_there: set[str] = set()
        """The ids of the resources that were given with it."""
        self._size = search.page_size
        self._in_order = True
        self._server_sorts = search.paging == "keyset"
        self._undated_seen = False
        self._ends_undated = False
        self._known_text: str | None = None
        self._known_time: int = 0

    def resources(self) -> Iterator[Resource]:
        query: Query | None = self._query(self._search.since)
        while query is not None:
            query = yield from self._walk(query)
        if self._asked_from is not None and self._search.since is None and not self._undated_seen:
            yield from self._undated_at_the_end()

    def _walk(self, query: Query) -> Generator[Resource, None, Query | None]:
        """Follows next links. Gives the query to go on with where that is better, and None at the end."""
        pages = self._client.pages(self._search.resource_type, query, "searchset")
        is_first, given = True, False
        while True:
            try:
                fetched = next(pages, None)
            except ApiError as error:
                # A server keeps a search for a while only. What was found at the place already is passed over.
                if error.status != _GONE or not given or not self._can_go_on_by_place():
                    raise
                return self._query_from_place()
            if fetched is None:
                return None
            page, answer = fetched
            if is_first:
                self._check_filters(page, answer)
            new = self._new(page, answer, is_first=is_first)
            yield from new
            if page.next_url and self._is_better_by_place(page, is_first=is_first):
                return self._query_from_place()
            is_first, given = False, given or bool(new)

    def _query(self, since: int | None) -> Query:
        until = self._search.until
        query: list[tuple[str, str | int]] = [*self._search.filters, ("_count", self._size)]
        if self._search.paging != "links":
            query.append(_SORTED)
        if since is not None:
            query.append(("_lastUpdated", f"ge{_instant(since)}"))
            if until is not None:
                query.append(("_lastUpdated", f"lt{_instant(until)}"))
        return query

    def _query_from_place(self) -> Query:
        self._asked_from = self._place
        return self._query(self._place)

    def _can_go_on_by_place(self) -> bool:
        sorts = self._server_sorts and self._search.paging != "links"
        known = self._place is not None and len(self._given_there) < _MOST_TIES
        return sorts and self._in_order and known and not self._ends_undated

    def _is_better_by_place(self, page: BundlePage, *, is_first: bool) -> bool:
        if page.self_url is not None and _SORTED in parse_qsl(urlsplit(page.self_url).query):
            self._server_sorts = True
        if not self._can_go_on_by_place():
            return False
        if self._place not in (self._asked_from, self._search.since):
            self._size = self._search.page_size
            return True
        # The same search would give the same page. Unless more is to be had, what shares this time goes on by links.
        larger = min(2 * self._size, _LARGEST_PAGE)
        if not is_first or larger <= self._size or len(page.entries) < self._size:
            return False
        self._size = larger
        return True

    def _check_filters(self, page: BundlePage, answer: Answer) -> None:
        """Servers pass over search parameters that they do not know. The link ``self`` has those that they went by."""
        used = {name for name, _ in parse_qsl(urlsplit(page.self_url or "").query, keep_blank_values=True)}
        passed_over = sorted({name for name, _ in self._search.filters} - used)
        if not used or not passed_over:
            return
        with answer_errors(answer):
            raise SourceError(
                f"the server passed over search parameters that it was asked with: {', '.join(passed_over)}",
                hint="its CapabilityStatement lists those that it knows; mend the options search and profile",
            )

    def _new(self, page: BundlePage, answer: Answer, *, is_first: bool) -> list[Resource]:
        """The resources of a page that were not given yet and belong to this search. ``is_first`` says that the page
        answers a search, and not a link, which some servers answer with resources as they are now, in an old order."""
        with answer_errors(answer):
            found = resources_of(page, self._search.resource_type)
            return [resource for resource in found if self._takes(resource, is_first)]

    def _takes(self, resource: Resource, is_first: bool) -> bool:
        search = self._search
        text = last_updated(resource)
        self._ends_undated = text is None
        if text is None:
            self._undated_seen = True
            return True
        time = self._time(text)
        if self._asked_from is not None and time < self._asked_from:
            raise SourceError(
                f"the server does not go by _lastUpdated: it gave a {search.resource_type} that is older than what was "
                "asked for",
                hint="set paging=links",
            )
        if (search.until is not None and time >= search.until) or (search.since is not None and time < search.since):
            # The next run asks for what is newer than its bound; what is older was given.
            return False
        if search.started is not None and time >= search.started:
            if self._asked_from is not None:
                self._check_new_in_snapshot(resource)
            if not is_first:
                return True
        if self._place is None or time > self._place:
            self._place = time
            self._given_there = {resource["id"]}
            return True
        if time < self._place:
            self._check_may_be_unsorted(is_first)
            self._in_order = False
            return True
        if resource["id"] in self._given_there:
            return False
        if len(self._given_there) < _MOST_TIES:
            self._given_there.add(resource["id"])
        return True

    def _time(self, text: str) -> int:
        if text == self._known_text:
            return self._known_time
        try:
            time = timestamp_nanoseconds(text)
        except ValueError:
            raise SourceError(
                f"a {self._search.resource_type} has a meta.lastUpdated that is no instant",
                hint="tell who runs the API",
            ) from None
        self._known_text, self._known_time = text, time
        return time

    def _check_may_be_unsorted(self, is_first: bool) -> None:
        """A server that does not sort is read by its links alone. Once its order was gone by, it is too late."""
        by_place = self._search.paging == "keyset" or self._asked_from is not None
        if by_place or (self._server_sorts and self._in_order and not is_first):
            raise SourceError(
                f"resources of the type {self._search.resource_type} do not come in the order of _lastUpdated, as they "
                "were asked for",
                hint="set paging=links",
            )

    def _check_new_in_snapshot(self, resource: Resource) -> None:
        """A resource that was updated while a snapshot was read moves to its end, and may have been given before."""
        if resource["meta"].get("versionId") == "1":
            return
        raise SourceError(
            f"resources of the type {self._search.resource_type} were updated while all of them were read",
            hint="run again when less goes on; or set deletes=history; or paging=links, where the server keeps the "
            "results of a search while its pages are read",
        )

    def _undated_at_the_end(self) -> Iterator[Resource]:
        """Resources without ``lastUpdated`` that the server sorts behind all others: in the other direction they are
        the first."""
        sort = ("_sort", "-_lastUpdated")
        query: Query = [*self._search.filters, ("_count", self._search.page_size), sort]
        for page, answer in self._client.pages(self._search.resource_type, query, "searchset"):
            with answer_errors(answer):
                found = resources_of(page, self._search.resource_type)
            undated = [resource for resource in found if last_updated(resource) is None]
            yield from undated
            if len(undated) < len(found):
                return


def _instant(nanoseconds: int) -> str:
    """As short as it can be without losing a digit, and never shorter than milliseconds."""
    digits = 3 if nanoseconds % 10**6 == 0 else 6 if nanoseconds % 10**3 == 0 else 9
    return timestamp_text(nanoseconds, digits=digits)
