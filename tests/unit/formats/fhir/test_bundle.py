"""Pages of searches and histories."""

from __future__ import annotations

from typing import Any

import pytest

from connector_lib.errors import SourceError
from connector_lib.formats.fhir.bundle import HistoryEntry, history_entries, next_link, read_bundle, resources_of


def bundle(kind: str, *entries: Any, **links: str) -> dict[str, Any]:
    link = [{"relation": relation, "url": url} for relation, url in links.items()]
    return {"resourceType": "Bundle", "type": kind, "link": link, "entry": list(entries)}


def history_of(*entries: Any) -> list[HistoryEntry]:
    return list(history_entries(read_bundle(bundle("history", *entries), "history"), "Patient"))


def test_a_page_has_its_resources_and_links() -> None:
    resource = {"resourceType": "Patient", "id": "p1"}
    page = read_bundle(bundle("searchset", {"resource": resource}, self="/Patient", next="/?page=2"), "searchset")
    assert (resources_of(page, "Patient"), page.self_url, page.next_url) == ([resource], "/Patient", "/?page=2")


def test_a_bundle_without_entries_and_links_is_an_empty_last_page() -> None:
    page = read_bundle({"resourceType": "Bundle", "type": "searchset"}, "searchset")
    assert (resources_of(page, "Patient"), page.next_url) == ([], None)


@pytest.mark.parametrize("body", [None, [], {}, {"link": None}, {"link": [None, {"relation": "next", "url": 7}]}])
def test_what_has_no_next_link_has_none(body: object) -> None:
    assert next_link(body) is None


def test_versions_come_in_the_order_of_the_page_with_their_times() -> None:
    written = {"resourceType": "Patient", "id": "p1", "meta": {"lastUpdated": "2026-01-01T00:00:00Z"}}
    found = history_of(
        {"request": {"method": "DELETE", "url": "Patient/p1"}, "response": {"lastModified": "2026-01-03T00:00:00Z"}},
        {"request": {"method": "PUT", "url": "Patient/p1"}, "resource": written},
        {"request": {"method": "DELETE", "url": "Patient/p2"}, "response": {"status": "204"}},
    )
    assert found == [
        HistoryEntry("p1", "2026-01-03T00:00:00Z", True),
        HistoryEntry("p1", "2026-01-01T00:00:00Z", False),
        HistoryEntry("p2", None, True),
    ]


@pytest.mark.parametrize("url", ["Observation/p1", "Patient/p1/name", "Patients/p1", "Patient/with blank", ""])
def test_an_address_that_names_no_resource_of_the_type_names_nothing(url: str) -> None:
    with pytest.raises(SourceError, match="does not name what was deleted"):
        history_of({"request": {"method": "DELETE", "url": url}})


def test_an_outcome_in_a_history_that_is_a_failure_is_an_error() -> None:
    issue = {"severity": "error", "code": "security"}
    with pytest.raises(SourceError, match="left something out: error, security"):
        history_of({"resource": {"resourceType": "OperationOutcome", "issue": [issue]}})


def test_an_entry_that_is_no_object_is_an_error() -> None:
    with pytest.raises(SourceError, match="entry 0 of a history is no object"):
        history_of("Patient/p1")
