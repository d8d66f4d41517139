"""Bundles that a server answers with: the pages of a search and of a history.

Sources: FHIR R4, http://hl7.org/fhir/R4/bundle.html, http://hl7.org/fhir/R4/http.html#history and #paging.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from connector_lib.errors import SourceError
from connector_lib.formats.fhir.outcome import described, is_outcome, issues_of

__all__ = ["BundlePage", "HistoryEntry", "Resource", "history_entries", "next_link", "read_bundle", "resources_of"]

Resource: TypeAlias = dict[str, Any]
"""One FHIR resource as JSON."""

_ID: Final = r"[A-Za-z0-9\-.]{1,64}"
_LONGEST_SHOWN: Final = 60


@dataclass(frozen=True, slots=True)
class BundlePage:
    """One page: its entries as they came, and where the next one is.

    ``next_url`` and ``self_url`` are the links of that relation, None where there is none; ``self_url`` tells which
    parameters the server went by (http://hl7.org/fhir/R4/search.html#conformance).
    """

    entries: list[Any]
    next_url: str | None
    self_url: str | None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One version in a history. ``time`` is when it was written, None where the server does not say."""

    id: str
    time: str | None
    deleted: bool


def read_bundle(body: object, kind: str) -> BundlePage:
    """The Bundle of the type ``kind`` (``searchset``, ``history``, ``transaction``) that ``body`` is.

    Raises :class:`~connector_lib.errors.SourceError` for anything else, an OperationOutcome among it.

    >>> link = {"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}
    >>> read_bundle({"resourceType": "Bundle", "type": "searchset", "link": [link]}, "searchset").next_url
    'https://ehr.example.org/fhir?page=2'
    """
    if is_outcome(body):
        assert isinstance(body, Mapping)
        raise SourceError(
            f"an OperationOutcome came in place of a Bundle: {described(issues_of(body))}", hint=_ASK_THE_SERVER
        )
    if not isinstance(body, dict) or body.get("resourceType") != "Bundle":
        raise SourceError(f"{_what_it_is(body)} came in place of a Bundle", hint=_NO_FHIR)
    if body.get("type") != kind:
        raise SourceError(f"a Bundle of another type came in place of a '{kind}'", hint=_NO_FHIR)
    entries = body.get("entry", [])
    if not isinstance(entries, list):
        raise SourceError("a Bundle came whose 'entry' is no list", hint=_NO_FHIR)
    links = body.get("link", [])
    return BundlePage(entries, _link(links, "next"), _link(links, "self"))


def next_link(body: object) -> str | None:
    """The link to the page behind the Bundle ``body``; None where there is none, and for what is no Bundle."""
    return _link(body.get("link"), "next") if isinstance(body, Mapping) else None


def resources_of(page: BundlePage, resource_type: str) -> list[Resource]:
    """The resources that a search found, without those that it only included.

    Raises :class:`~connector_lib.errors.SourceError` where the server says that it left something out, and for an
    entry that cannot be taken: without a resource, of another type, or without an id.
    """
    found: list[Resource] = []
    for position, entry in enumerate(page.entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict):
            raise SourceError(f"entry {position} of a searchset has no resource", hint=_NO_FHIR)
        if resource.get("resourceType") == resource_type:
            _check_id(resource, position)
            found.append(resource)
        elif is_outcome(resource):
            _check_outcome(resource)
        elif _search_mode(entry) != "include":
            raise SourceError(
                f"entry {position} of a search for {resource_type} is {_what_it_is(resource)}", hint=_NO_FHIR
            )
    return found


def history_entries(page: BundlePage, resource_type: str) -> Iterator[HistoryEntry]:
    """The versions in a page of a type's history, in the order in which they came.

    A deletion is an entry whose request was a ``DELETE``, or, as servers wrote it that ask for the version, one without
    a resource whose answer would be 410. The time is that of ``response.lastModified``, else of the resource. Raises
    :class:`~connector_lib.errors.SourceError` for an entry that does not tell what it is of.
    """
    identifier = re.compile(rf"(?:^|/){resource_type}/({_ID})(?:/_history/{_ID})?/?(?:\?.*)?$")
    for position, entry in enumerate(page.entries):
        if not isinstance(entry, dict):
            raise SourceError(f"entry {position} of a history is no object", hint=_NO_FHIR)
        resource = entry.get("resource")
        if is_outcome(resource):
            assert isinstance(resource, dict)
            _check_outcome(resource)
            continue
        deleted = _is_deletion(entry)
        found = _id_of(entry, identifier)
        if found is None and deleted:
            raise SourceError(
                f"entry {position} of the history of {resource_type} is a deletion that does not name what was deleted",
                hint="read with deletes=snapshot, which needs no history",
            )
        if found is not None:
            yield HistoryEntry(found, _time_of(entry), deleted)


_ASK_THE_SERVER: Final = "run again; where it stays so, ask who runs the server what this means"
_NO_FHIR: Final = "base_url has to be the base of a FHIR R4 API, as https://ehr.example.org/fhir"


def _check_outcome(resource: Resource) -> None:
    issues = issues_of(resource)
    if any(issue.is_failure for issue in issues):
        raise SourceError(f"the server answered, and left something out: {described(issues)}", hint=_ASK_THE_SERVER)


def _check_id(resource: Resource, position: int) -> None:
    if not isinstance(resource.get("id"), str) or not resource["id"]:
        raise SourceError(f"entry {position} of a searchset has a resource without an id", hint=_NO_FHIR)


def _search_mode(entry: Mapping[str, Any]) -> object:
    search = entry.get("search")
    return search.get("mode") if isinstance(search, Mapping) else None


def _is_deletion(entry: Mapping[str, Any]) -> bool:
    request, response = entry.get("request"), entry.get("response")
    if isinstance(request, Mapping) and request.get("method") == "DELETE":
        return True
    status = response.get("status") if isinstance(response, Mapping) else None
    return "resource" not in entry and isinstance(status, str) and status.startswith("410")


def _id_of(entry: Mapping[str, Any], identifier: re.Pattern[str]) -> str | None:
    resource, request, response = entry.get("resource"), entry.get("request"), entry.get("response")
    if isinstance(resource, Mapping) and isinstance(resource.get("id"), str):
        return str(resource["id"])
    addresses = (
        request.get("url") if isinstance(request, Mapping) else None,
        entry.get("fullUrl"),
        response.get("location") if isinstance(response, Mapping) else None,
    )
    for address in addresses:
        match = identifier.search(address) if isinstance(address, str) else None
        if match:
            return match[1]
    return None


def _time_of(entry: Mapping[str, Any]) -> str | None:
    response, resource = entry.get("response"), entry.get("resource")
    time = response.get("lastModified") if isinstance(response, Mapping) else None
    if time is None and isinstance(resource, Mapping) and isinstance(resource.get("meta"), Mapping):
        time = resource["meta"].get("lastUpdated")
    return time if isinstance(time, str) else None


def _link(links: object, relation: str) -> str | None:
    if not isinstance(links, list):
        return None
    for link in links:
        if isinstance(link, Mapping) and link.get("relation") == relation and isinstance(link.get("url"), str):
            return str(link["url"])
    return None


def _what_it_is(body: object) -> str:
    kind = body.get("resourceType") if isinstance(body, Mapping) else None
    if isinstance(kind, str) and kind.isalpha():
        return f"a resource of the type '{kind[:_LONGEST_SHOWN]}'"
    return "JSON that is no FHIR resource"
