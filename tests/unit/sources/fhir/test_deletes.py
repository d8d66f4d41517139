"""What was deleted: by the history of a type, and by snapshots."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector_lib.errors import ApiError, ContractError
from connector_lib.testing.api_server import ApiServer, Reply
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_service import FhirBehaviour
from connector_lib.testing.fhir_store import ManualClock
from tests.unit.sources.fhir.conftest import START, StartServer, applied, ids, patient, read, source_of
from tests.unit.sources.fhir.live_server import CAPABILITIES

UNDATED = FhirBehaviour(types=("Patient",), dated_deletes=False)


@pytest.mark.parametrize(
    ("deletes", "kind"), [("none", "cdc"), ("history", "cdc_with_deletes"), ("snapshot", "snapshot")]
)
def test_how_deletes_are_seen_decides_how_a_table_is_kept_up_to_date(
    server: FhirServer, deletes: str, kind: str
) -> None:
    metadata = source_of(server).read_table_metadata("Patient", {"deletes": deletes})
    assert (metadata["ingestion_type"], metadata["primary_keys"]) == (kind, ["id"])
    assert metadata.get("cursor_field") == (None if kind == "snapshot" else "lastUpdated")


def test_deletions_come_with_id_and_time(server: FhirServer, clock: ManualClock) -> None:
    for number in range(3):
        server.put(patient(number))
    clock.advance(5)
    server.delete("Patient", "p1")
    clock.advance(1)
    rows, _ = read(source_of(server, deletes="history"), deletes=True)
    assert rows == [{"id": "p1", "lastUpdated": "2026-03-01T00:00:05.000000Z"}]


def test_a_later_read_gives_later_deletions_only(server: FhirServer, clock: ManualClock) -> None:
    for number in range(9):
        server.put(patient(number))
    server.delete("Patient", "p1")
    clock.advance(1)
    _, offset = read(source_of(server, deletes="history"), deletes=True)
    for number in (4, 5, 6):
        server.delete("Patient", f"p{number}")
        clock.advance(1)
    rows, end = read(source_of(server, deletes="history", page_size="2"), start=offset, deletes=True)
    assert sorted(ids(rows)) == ["p4", "p5", "p6"]
    assert end == source_of(server).latest_offset("Patient", {"deletes": "history"})


def test_a_deletion_behind_the_bound_comes_with_the_next_run(server: FhirServer, clock: ManualClock) -> None:
    server.put(patient(1))
    clock.advance(1)
    source = source_of(server, deletes="history")
    records, offset = source.read_table_deletes("Patient", None, {})
    server.delete("Patient", "p1")
    assert list(records) == []
    clock.advance(1)
    assert ids(read(source_of(server, deletes="history"), start=offset, deletes=True)[0]) == ["p1"]


def test_a_first_read_of_deletions_begins_where_the_options_say(server: FhirServer, clock: ManualClock) -> None:
    for number in range(4):
        server.put(patient(number))
        server.delete("Patient", f"p{number}")
        clock.advance(10)
    options = {"deletes": "history", "deletes_from": "2026-03-01T00:00:20Z"}
    assert ids(read(source_of(server, **options), deletes=True)[0]) == ["p3", "p2"]


def test_a_resource_that_was_made_again_is_there(server: FhirServer, clock: ManualClock) -> None:
    server.put(patient(1))
    clock.advance(1)
    server.delete("Patient", "p1")
    clock.advance(1)
    server.put(patient(1))
    clock.advance(1)
    source = source_of(server, deletes="history")
    assert applied(read(source)[0], read(source, deletes=True)[0]) == {"p1"}


class TestDeletionsWithoutATime:
    def test_one_at_the_head_of_the_history_is_right_before_the_bound(
        self, start_server: StartServer, clock: ManualClock
    ) -> None:
        server = start_server(behaviour=UNDATED)
        server.put(patient(1))
        clock.advance(5)
        server.delete("Patient", "p1")
        clock.advance(5)
        rows, _ = read(source_of(server, deletes="history"), deletes=True)
        assert [(row["id"], row["lastUpdated"]) for row in rows] == [("p1", "2026-03-01T00:00:09.999999Z")]

    def test_a_resource_that_was_made_again_is_there(self, start_server: StartServer, clock: ManualClock) -> None:
        server = start_server(behaviour=UNDATED)
        server.put(patient(1))
        clock.advance(1)
        server.delete("Patient", "p1")
        server.put(patient(1))
        clock.advance(1)
        source = source_of(server, deletes="history")
        rows, _ = read(source, deletes=True)
        assert applied(read(source)[0], rows) == {"p1"}
        assert [row["lastUpdated"] for row in rows] == ["2026-03-01T00:00:00.999999Z"]

    def test_one_that_was_deleted_in_the_moment_of_its_last_change_is_gone(
        self, start_server: StartServer, clock: ManualClock
    ) -> None:
        server = start_server(behaviour=UNDATED)
        server.put(patient(1))
        clock.advance(1)
        changes, offset = read(source_of(server, deletes="history"))
        clock.advance(1)
        server.put(patient(1))
        server.delete("Patient", "p1")
        server.put(patient(2))
        clock.advance(1)
        later = source_of(server, deletes="history")
        changes += read(later, start=offset)[0]
        deletions = read(later, start=offset, deletes=True)[0]
        assert applied(changes, deletions) == {"p2"}


def history_server(*entries: dict[str, Any]) -> ApiServer:
    bundle = {"resourceType": "Bundle", "type": "history", "entry": list(entries)}
    routes = {"/metadata": lambda _: Reply.json(CAPABILITIES), "*": lambda _: Reply.json(bundle)}
    return ApiServer(routes, base_path="/fhir", now=lambda: START + timedelta(hours=1))


@pytest.mark.parametrize(
    "entry",
    [
        {"request": {"method": "DELETE", "url": "Patient/p1"}},
        {"request": {"method": "DELETE", "url": "Patient/p1/_history/2"}},
        {"request": {"method": "DELETE", "url": "http://ehr.example.org/fhir/Patient/p1"}},
        {"request": {"method": "DELETE", "url": "Patient?identifier=4711"}, "fullUrl": "http://x/fhir/Patient/p1"},
        {"request": {"method": "DELETE", "url": "Patient"}, "response": {"location": "Patient/p1/_history/2"}},
        {"request": {"method": "GET", "url": "Patient/p1/_history/2"}, "response": {"status": "410"}},
    ],
    ids=["type and id", "version", "whole address", "by fullUrl", "by location", "a version that is gone"],
)
def test_a_deletion_is_known_in_every_form(entry: dict[str, Any]) -> None:
    with history_server(entry) as api:
        source = source_of(api, deletes="history", resource_types="Patient")
        assert ids(read(source, deletes=True)[0]) == ["p1"]


def test_a_deletion_that_does_not_name_what_is_gone_is_an_error() -> None:
    with history_server({"request": {"method": "DELETE", "url": "Patient"}}) as api:
        source = source_of(api, deletes="history", resource_types="Patient")
        with pytest.raises(ApiError, match="does not name what was deleted"):
            read(source, deletes=True)


def test_a_server_without_a_history_says_what_to_do(start_server: StartServer) -> None:
    server = start_server(behaviour=FhirBehaviour(types=("Patient",), history=False))
    with pytest.raises(ApiError, match="set deletes=snapshot"):
        read(source_of(server, deletes="history"), deletes=True)


def test_a_history_that_was_forgotten_is_an_error(server: FhirServer, clock: ManualClock) -> None:
    for number in range(9):
        server.put(patient(number))
    clock.advance(1)
    server.server.before(server.expire_pages, times=None)
    with pytest.raises(ApiError, match="forgot the history"):
        read(source_of(server, deletes="history", page_size="4"), deletes=True)


def test_deletions_of_a_table_that_has_none_are_refused(server: FhirServer) -> None:
    with pytest.raises(ContractError, match="deletes=none"):
        read(source_of(server), deletes=True)


def test_a_snapshot_is_all_that_there_is_now(server: FhirServer, clock: ManualClock) -> None:
    for number in range(9):
        server.put(patient(number), stamped=number != 4)
        clock.advance(1)
    _, offset = read(source_of(server, deletes="snapshot", page_size="2"))
    server.delete("Patient", "p3")
    server.put(patient(7, gender="male"))
    clock.advance(5)
    source = source_of(server, deletes="snapshot", page_size="2")
    assert sorted(ids(read(source)[0])) == ["p0", "p1", "p2", "p4", "p5", "p6", "p7", "p8"]
    assert sorted(ids(read(source, start=offset)[0])) == ["p0", "p1", "p2", "p4", "p5", "p6", "p7", "p8"]


def test_a_resource_that_was_made_again_in_the_moment_of_its_deletion_is_there(
    server: FhirServer, clock: ManualClock
) -> None:
    for number in (1, 2):
        server.put(patient(number))
    for number in (1, 2):
        server.delete("Patient", f"p{number}")
    server.put(patient(1))
    clock.advance(1)
    source = source_of(server, deletes="history")
    assert applied(read(source)[0], read(source, deletes=True)[0]) == {"p1"}


def test_such_a_resource_is_there_as_well_where_the_history_has_a_change_of_another_time_in_between(
    server: FhirServer, clock: ManualClock
) -> None:
    server.put(patient(1))
    server.delete("Patient", "p1")
    server.put(patient(2), at=clock() - timedelta(seconds=1))
    server.put(patient(1))
    clock.advance(1)
    source = source_of(server, deletes="history")
    assert applied(read(source)[0], read(source, deletes=True)[0]) == {"p1", "p2"}
