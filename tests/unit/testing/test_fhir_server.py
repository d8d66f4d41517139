"""The FHIR server for tests answers as the FHIR R4 and Bulk Data chapters say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests

from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_service import FhirBehaviour
from connector_lib.testing.fhir_store import FhirStore, ManualClock

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def patient(number: int, **more: object) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": f"p{number}", **more}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def store(clock: ManualClock) -> FhirStore:
    store = FhirStore(clock=clock)
    for number in range(1, 8):
        store.put(patient(number))
        clock.advance(60)
    return store


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def server(store: FhirStore) -> Iterator[FhirServer]:
    with FhirServer(store) as server:
        yield server


def get(session: requests.Session, url: str, **headers: str) -> requests.Response:
    return session.get(url, headers=headers, timeout=10)


def next_link(bundle: dict[str, Any]) -> str | None:
    return next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)


def ids(bundle: dict[str, Any]) -> list[str]:
    return [entry["resource"]["id"] for entry in bundle.get("entry", [])]


def all_ids(session: requests.Session, url: str) -> list[list[str]]:
    pages = []
    following: str | None = url
    while following:
        bundle = get(session, following).json()
        pages.append(ids(bundle))
        following = next_link(bundle)
    return pages


class TestCapabilities:
    def test_they_list_types_interactions_search_parameters_and_export(
        self, server: FhirServer, session: requests.Session
    ) -> None:
        statement = get(session, f"{server.url}/metadata").json()
        (rest,) = statement["rest"]
        (described,) = rest["resource"]
        assert statement["fhirVersion"] == "4.0.1"
        assert described["type"] == "Patient"
        assert {"search-type", "history-type"} <= {entry["code"] for entry in described["interaction"]}
        assert {"name": "_lastUpdated", "type": "date"} in described["searchParam"]
        assert [operation["name"] for operation in rest["operation"]] == ["export"]

    def test_they_leave_out_what_the_server_does_not_do(self, store: FhirStore, session: requests.Session) -> None:
        behaviour = FhirBehaviour(types=("Device",), history=False, export=False)
        with FhirServer(store, behaviour=behaviour) as server:
            (rest,) = get(session, f"{server.url}/metadata").json()["rest"]
            refused = [get(session, f"{server.url}/{path}").status_code for path in ("Patient/_history", "$export")]
        assert [entry["type"] for entry in rest["resource"]] == ["Device", "Patient"]
        assert {"code": "history-type"} not in rest["resource"][0]["interaction"]
        assert "operation" not in rest
        assert refused == [400, 404]


class TestSearch:
    def test_pages_follow_one_another_to_the_end(self, server: FhirServer, session: requests.Session) -> None:
        pages = all_ids(session, f"{server.url}/Patient?_count=3&_sort=_lastUpdated")
        assert pages == [["p1", "p2", "p3"], ["p4", "p5", "p6"], ["p7"]]

    def test_the_total_is_that_of_all_pages(self, server: FhirServer, session: requests.Session) -> None:
        assert get(session, f"{server.url}/Patient?_count=3").json()["total"] == 7
        assert get(session, f"{server.url}/Patient?_summary=count").json()["total"] == 7

    def test_a_window_of_last_updated_is_closed_below_and_open_above(
        self, server: FhirServer, session: requests.Session
    ) -> None:
        window = "_lastUpdated=ge2026-01-01T00:01:00.000Z&_lastUpdated=lt2026-01-01T00:03:00.000Z"
        assert all_ids(session, f"{server.url}/Patient?{window}") == [["p2", "p3"]]

    def test_an_empty_result_has_no_entry(self, server: FhirServer, session: requests.Session) -> None:
        bundle = get(session, f"{server.url}/Patient?_lastUpdated=gt2030").json()
        assert "entry" not in bundle
        assert bundle["total"] == 0

    def test_an_unknown_type_is_not_found_and_a_known_one_without_resources_is_empty(
        self, session: requests.Session
    ) -> None:
        with FhirServer(behaviour=FhirBehaviour(types=("Device",))) as server:
            assert get(session, f"{server.url}/Device").json()["total"] == 0
            assert get(session, f"{server.url}/Patient").status_code == 404

    @pytest.mark.parametrize(
        "query",
        ["colour=red", "_lastUpdated=yesterday", "_count=0", "_sort=gender", "gender:text=x", "birthdate=2026-13"],
    )
    def test_what_it_does_not_know_is_refused_by_an_operation_outcome(
        self, query: str, server: FhirServer, session: requests.Session
    ) -> None:
        answer = get(session, f"{server.url}/Patient?{query}")
        assert answer.status_code == 400
        assert answer.json()["resourceType"] == "OperationOutcome"
        assert answer.json()["issue"][0]["severity"] == "error"

    def test_count_is_limited_by_the_server(self, store: FhirStore, session: requests.Session) -> None:
        with FhirServer(store, behaviour=FhirBehaviour(page_size=2, max_page_size=4)) as server:
            assert [len(page) for page in all_ids(session, f"{server.url}/Patient?_count=100")] == [4, 3]
            assert [len(page) for page in all_ids(session, f"{server.url}/Patient")] == [2, 2, 2, 1]

    def test_next_links_are_at_the_base_or_below_the_type(self, store: FhirStore, session: requests.Session) -> None:
        with FhirServer(store) as server:
            link = next_link(get(session, f"{server.url}/Patient?_count=3").json())
            assert link is not None
            assert link.startswith(f"{server.url}?")
        with FhirServer(store, behaviour=FhirBehaviour(page_links="type")) as server:
            pages = all_ids(session, f"{server.url}/Patient?_count=5")
            link = next_link(get(session, f"{server.url}/Patient?_count=5").json())
            assert link is not None
            assert link.startswith(f"{server.url}/Patient?")
            assert [len(page) for page in pages] == [5, 2]

    def test_links_can_name_another_host_than_the_one_that_was_asked(
        self, store: FhirStore, session: requests.Session
    ) -> None:
        behaviour = FhirBehaviour(public_url="https://ehr.example/api")
        with FhirServer(store, behaviour=behaviour) as server:
            bundle = get(session, f"{server.url}/Patient?_count=3").json()
        link = next_link(bundle)
        assert link is not None
        assert link.startswith("https://ehr.example/api?_getpages=")
        assert bundle["entry"][0]["fullUrl"] == "https://ehr.example/api/Patient/p1"


class TestChangesWhilePaging:
    def test_a_later_page_has_the_changed_resource_and_leaves_a_deleted_one_out(
        self, server: FhirServer, session: requests.Session
    ) -> None:
        first = get(session, f"{server.url}/Patient?_count=4").json()
        server.put(patient(5, gender="female"))
        server.put(patient(8))
        server.delete("Patient", "p6")
        link = next_link(first)
        assert link is not None
        second = get(session, link).json()
        assert ids(second) == ["p5", "p7"]
        assert second["entry"][0]["resource"]["gender"] == "female"
        assert next_link(second) is None

    def test_a_page_may_be_empty_and_have_a_next_one(self, server: FhirServer, session: requests.Session) -> None:
        first = get(session, f"{server.url}/Patient?_count=2").json()
        for number in (3, 4):
            server.delete("Patient", f"p{number}")
        link = next_link(first)
        assert link is not None
        second = get(session, link).json()
        assert "entry" not in second
        assert next_link(second) is not None

    def test_a_next_link_ends_after_its_time(
        self, store: FhirStore, clock: ManualClock, session: requests.Session
    ) -> None:
        with FhirServer(store, behaviour=FhirBehaviour(page_lifetime=600)) as server:
            link = next_link(get(session, f"{server.url}/Patient?_count=3").json())
            assert link is not None
            clock.advance(600)
            assert get(session, link).status_code == 200
            clock.advance(1)
            answer = get(session, link)
        assert answer.status_code == 410
        assert answer.json()["issue"][0]["code"] == "expired"

    def test_next_links_end_when_they_are_told_to(self, server: FhirServer, session: requests.Session) -> None:
        link = next_link(get(session, f"{server.url}/Patient?_count=3").json())
        assert link is not None
        server.expire_pages()
        assert get(session, link).status_code == 410


class TestHistory:
    def test_it_has_every_version_the_newest_first(
        self, server: FhirServer, session: requests.Session, clock: ManualClock
    ) -> None:
        server.put(patient(1, gender="male"))
        clock.advance(1)
        server.delete("Patient", "p2")
        bundle = get(session, f"{server.url}/Patient/_history?_count=3").json()
        assert bundle["total"] == 9
        assert [entry["request"] for entry in bundle["entry"]] == [
            {"method": "DELETE", "url": "Patient/p2"},
            {"method": "PUT", "url": "Patient/p1"},
            {"method": "POST", "url": "Patient"},
        ]
        assert ["resource" in entry for entry in bundle["entry"]] == [False, True, True]
        assert bundle["entry"][0]["response"]["lastModified"] == "2026-01-01T00:07:01.000+00:00"
        assert next_link(bundle) is not None

    def test_since_includes_its_own_instant(self, server: FhirServer, session: requests.Session) -> None:
        bundle = get(session, f"{server.url}/Patient/_history?_since=2026-01-01T00:05:00Z").json()
        assert ids(bundle) == ["p7", "p6"]

    def test_a_deletion_may_come_without_its_time(self, store: FhirStore, session: requests.Session) -> None:
        store.delete("Patient", "p2")
        with FhirServer(store, behaviour=FhirBehaviour(dated_deletes=False)) as server:
            entries = get(session, f"{server.url}/Patient/_history?_count=2").json()["entry"]
        assert ["lastModified" in entry["response"] for entry in entries] == [False, True]

    def test_later_pages_keep_the_versions_that_were_found(self, server: FhirServer, session: requests.Session) -> None:
        first = get(session, f"{server.url}/Patient/_history?_count=4").json()
        server.delete("Patient", "p1")
        link = next_link(first)
        assert link is not None
        assert ids(get(session, link).json()) == ["p3", "p2", "p1"]


class TestSingleResources:
    def test_one_is_read_by_its_id_and_by_its_version(self, server: FhirServer, session: requests.Session) -> None:
        server.put(patient(1, gender="male"))
        now = get(session, f"{server.url}/Patient/p1")
        before = get(session, f"{server.url}/Patient/p1/_history/1").json()
        assert (now.json()["gender"], now.headers["ETag"]) == ("male", 'W/"2"')
        assert "gender" not in before
        assert get(session, f"{server.url}/Patient/p1/_history/3").status_code == 404

    def test_a_deleted_one_is_gone_and_an_unknown_one_not_found(
        self, server: FhirServer, session: requests.Session
    ) -> None:
        server.delete("Patient", "p1")
        assert get(session, f"{server.url}/Patient/p1").status_code == 410
        assert get(session, f"{server.url}/Patient/p99").status_code == 404

    def test_they_are_written_and_deleted_over_http(self, server: FhirServer, session: requests.Session) -> None:
        url = f"{server.url}/Patient"
        made = session.post(url, json={"resourceType": "Patient", "gender": "other"}, timeout=10)
        replaced = session.put(f"{url}/p1", json=patient(1, active=True), timeout=10)
        wrong = session.put(f"{url}/p1", json=patient(2), timeout=10)
        gone = session.delete(f"{url}/p2", timeout=10)
        assert (made.status_code, replaced.status_code, wrong.status_code, gone.status_code) == (201, 200, 400, 204)
        assert get(session, made.headers["Location"]).json()["gender"] == "other"
        assert "p2" not in ids(get(session, f"{url}?_count=50").json())

    def test_one_without_last_updated_matches_no_window_and_comes_without_one(
        self, server: FhirServer, session: requests.Session
    ) -> None:
        server.put(patient(9), stamped=False)
        everything = get(session, f"{server.url}/Patient?_count=50").json()
        window = get(session, f"{server.url}/Patient?_lastUpdated=ge2000&_count=50").json()
        assert "p9" in ids(everything)
        assert "p9" not in ids(window)
        assert everything["entry"][-1]["resource"]["meta"] == {"versionId": "1"}

    def test_one_can_be_written_in_the_past(self, server: FhirServer) -> None:
        version = server.put(patient(9), at=START - timedelta(days=1))
        assert version.resource is not None
        assert version.resource["meta"]["lastUpdated"] == "2025-12-31T00:00:00.000+00:00"


class TestExport:
    ASYNC = "respond-async"

    def finished(self, session: requests.Session, url: str) -> dict[str, Any]:
        answer = get(session, url, Prefer=self.ASYNC)
        assert answer.status_code == 202
        status = answer.headers["Content-Location"]
        waiting = get(session, status)
        assert (waiting.status_code, waiting.headers["Retry-After"]) == (202, "1")
        done = get(session, status)
        assert done.status_code == 200
        manifest: dict[str, Any] = done.json()
        return manifest

    def lines(self, session: requests.Session, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for file in files:
            text = get(session, file["url"]).text
            assert text.count("\n") == file["count"]
            found.extend(json.loads(line) for line in text.splitlines())
        return found

    def test_it_gives_files_after_a_wait(self, store: FhirStore, session: requests.Session) -> None:
        store.put({"resourceType": "Organization", "id": "o1"})
        with FhirServer(store, behaviour=FhirBehaviour(export_file_rows=4)) as server:
            manifest = self.finished(session, f"{server.url}/$export")
            resources = self.lines(session, manifest["output"])
        assert [file["type"] for file in manifest["output"]] == ["Organization", "Patient", "Patient"]
        assert [resource["id"] for resource in resources] == ["o1", *(f"p{number}" for number in range(1, 8))]
        assert manifest["transactionTime"] == "2026-01-01T00:07:00.000+00:00"
        assert (manifest["requiresAccessToken"], manifest["deleted"], manifest["error"]) == (False, [], [])

    def test_that_of_patients_leaves_out_what_belongs_to_none(
        self, server: FhirServer, session: requests.Session
    ) -> None:
        server.put({"resourceType": "Organization", "id": "o1"})
        manifest = self.finished(session, f"{server.url}/Patient/$export")
        assert [file["type"] for file in manifest["output"]] == ["Patient"]

    def test_since_gives_what_changed_behind_it_and_what_was_deleted(
        self, server: FhirServer, session: requests.Session
    ) -> None:
        server.delete("Patient", "p7")
        url = f"{server.url}/$export?_type=Patient&_since=2026-01-01T00:04:00Z"
        manifest = self.finished(session, url)
        assert manifest["request"] == url
        assert [resource["id"] for resource in self.lines(session, manifest["output"])] == ["p6"]
        (deleted,) = self.lines(session, manifest["deleted"])
        assert deleted["entry"] == [{"request": {"method": "DELETE", "url": "Patient/p7"}}]

    def test_what_is_written_after_the_order_is_not_in_it(self, server: FhirServer, session: requests.Session) -> None:
        status = get(session, f"{server.url}/$export", Prefer=self.ASYNC).headers["Content-Location"]
        server.put(patient(8))
        get(session, status)
        resources = self.lines(session, get(session, status).json()["output"])
        assert len(resources) == 7

    def test_errors_are_listed_in_a_file_of_their_own(self, store: FhirStore, session: requests.Session) -> None:
        with FhirServer(store, behaviour=FhirBehaviour(export_errors=("one was left out",))) as server:
            manifest = self.finished(session, f"{server.url}/$export")
            (error,) = self.lines(session, manifest["error"])
        assert error["issue"][0]["diagnostics"] == "one was left out"

    def test_an_order_without_the_header_or_with_an_unknown_parameter_is_refused(
        self, server: FhirServer, session: requests.Session
    ) -> None:
        assert get(session, f"{server.url}/$export").status_code == 400
        assert get(session, f"{server.url}/$export?_colour=red", Prefer=self.ASYNC).status_code == 400

    def test_a_cancelled_one_is_forgotten(self, server: FhirServer, session: requests.Session) -> None:
        status = get(session, f"{server.url}/$export", Prefer=self.ASYNC).headers["Content-Location"]
        assert session.delete(status, timeout=10).status_code == 202
        assert get(session, status).status_code == 404


class TestServer:
    def test_the_date_of_an_answer_is_that_of_its_clock(
        self, server: FhirServer, session: requests.Session, clock: ManualClock
    ) -> None:
        clock.time = datetime(2026, 2, 3, 4, 5, 6, 999_000, tzinfo=timezone.utc)
        assert get(session, f"{server.url}/Patient").headers["Date"] == "Tue, 03 Feb 2026 04:05:06 GMT"

    def test_it_remembers_what_was_asked(self, server: FhirServer, session: requests.Session) -> None:
        get(session, f"{server.url}/Patient?_count=3", **{"X-Trace": "a"})
        (request,) = server.requests
        assert (request.method, request.path, request.query) == ("GET", "/Patient", "_count=3")
        assert request.headers["x-trace"] == "a"

    def test_faults_are_played_and_hooks_run(self, server: FhirServer, session: requests.Session) -> None:
        server.server.fail("503", path="/Patient")
        server.server.before(lambda: server.delete("Patient", "p7"), path="/Patient", at=2)
        assert get(session, f"{server.url}/Patient").status_code == 503
        assert get(session, f"{server.url}/Patient").json()["total"] == 6

    @pytest.mark.parametrize(
        ("fault", "start"),
        [("next link to another host", "http://localhost:"), ("next link relative", "/fhir?_getpages=")],
    )
    def test_a_fault_can_change_the_next_link_of_a_page(
        self, fault: str, start: str, server: FhirServer, session: requests.Session
    ) -> None:
        server.server.fail(fault)
        link = next_link(get(session, f"{server.url}/Patient?_count=3").json())
        assert link is not None
        assert link.startswith(start)

    def test_a_fault_can_take_the_entries_of_a_page_away(self, server: FhirServer, session: requests.Session) -> None:
        server.server.fail("empty page with a next link")
        bundle = get(session, f"{server.url}/Patient").json()
        assert "entry" not in bundle
        assert next_link(bundle) is not None

    def test_it_answers_below_its_base_only(self, server: FhirServer, session: requests.Session) -> None:
        assert get(session, f"{server.url.removesuffix('/fhir')}/other").status_code == 404
        assert get(session, f"{server.url}x/Patient").status_code == 404

    def test_it_ends_while_a_client_still_holds_a_connection(self, store: FhirStore, session: requests.Session) -> None:
        with FhirServer(store) as server:
            get(session, f"{server.url}/Patient")
        with pytest.raises(requests.ConnectionError):
            get(session, f"{server.url}/Patient")

    def test_text_that_is_no_unicode_goes_out_as_an_escape(self, server: FhirServer, session: requests.Session) -> None:
        server.put(patient(9, name=[{"text": "half \ud83d"}]))
        text = get(session, f"{server.url}/Patient?_id=p9").text
        assert "half \\ud83d" in text
