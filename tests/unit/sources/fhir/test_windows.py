"""A later read gives what changed between two bounds of the server's clock, and an offset belongs to its options."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest

from connector_lib.errors import OffsetError, UnknownTableError
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_store import ManualClock
from tests.unit.sources.fhir.conftest import START, StartServer, ids, patient, read, source_of


def test_a_later_read_gives_what_was_written_since(server: FhirServer, clock: ManualClock) -> None:
    server.put(patient(1))
    server.put(patient(2))
    clock.advance(1)
    _, offset = read(source_of(server))
    server.put(patient(2, gender="female"))
    server.put(patient(3))
    clock.advance(1)
    rows, _ = read(source_of(server), start=offset)
    assert [(row["id"], row["meta"]["versionId"]) for row in rows] == [("p2", "2"), ("p3", "1")]


def test_a_record_is_the_resource_with_its_time_and_the_whole_of_it(server: FhirServer, clock: ManualClock) -> None:
    server.put(patient(1, name=[{"family": "Sample"}]))
    clock.advance(1)
    (row,), _ = read(source_of(server))
    resource = server.store.current("Patient")[0].resource
    assert row == {**(resource or {}), "lastUpdated": "2026-03-01T00:00:00.000+00:00", "resource": resource}


def test_what_is_written_behind_the_bound_comes_with_the_next_run(server: FhirServer, clock: ManualClock) -> None:
    server.put(patient(1))
    clock.advance(1)
    source = source_of(server)
    records, offset = source.read_table("Patient", None, {})
    server.put(patient(1, gender="male"))
    server.put(patient(2))
    assert ids(list(records)) == []
    clock.advance(1)
    assert ids(read(source_of(server), start=offset)[0]) == ["p1", "p2"]


def test_the_bound_is_the_time_of_the_server_less_the_lag(server: FhirServer, clock: ManualClock) -> None:
    clock.advance(90.5)
    assert source_of(server, lag_seconds="0").latest_offset("Patient", {})["until"] == "2026-03-01T00:01:30.000Z"
    assert source_of(server, lag_seconds="60").latest_offset("Patient", {})["until"] == "2026-03-01T00:00:30.000Z"


def test_what_is_committed_late_is_not_missed_within_the_lag(server: FhirServer, clock: ManualClock) -> None:
    clock.advance(100)
    rows, offset = read(source_of(server, lag_seconds="60"))
    # The server gave it its time half a minute ago, and shows it now.
    server.put(patient(1), at=START + timedelta(seconds=70))
    clock.advance(100)
    assert (rows, ids(read(source_of(server, lag_seconds="60"), start=offset)[0])) == ([], ["p1"])


def test_the_bound_stays_and_is_that_of_a_copy_too(server: FhirServer, clock: ManualClock) -> None:
    source = source_of(server)
    first = source.latest_offset("Patient", {})
    clock.advance(100)
    assert source.latest_offset("Patient", {}) == first
    assert pickle.loads(pickle.dumps(source)).latest_offset("Patient", {}) == first


def test_a_copy_of_a_source_that_asked_nothing_yet_has_the_same_bound(server: FhirServer, clock: ManualClock) -> None:
    source = source_of(server)
    copy = pickle.loads(pickle.dumps(source))
    first = source.latest_offset("Patient", {})
    clock.advance(100)
    assert copy.latest_offset("Patient", {}) == first


def test_a_read_behind_the_bound_gives_nothing_and_the_offset_stands_still(server: FhirServer) -> None:
    source = source_of(server)
    bound = source.latest_offset("Patient", {})
    records, end = source.read_table("Patient", bound, {})
    assert (list(records), end) == ([], bound)


def test_a_window_between_two_older_offsets_can_be_read_again(server: FhirServer, clock: ManualClock) -> None:
    offsets = [source_of(server).latest_offset("Patient", {})]
    for number in range(3):
        server.put(patient(number))
        clock.advance(1)
        offsets.append(source_of(server).latest_offset("Patient", {}))
    between = source_of(server).read_table_between("Patient", offsets[1], offsets[2], {})
    assert ids(list(between)) == ["p1"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("deletes", "history"), ("search", "gender=male"), ("profile", "http://example.org/p"), ("bulk", "true")],
)
def test_an_offset_of_other_options_asks_for_a_full_refresh(server: FhirServer, option: str, value: str) -> None:
    source = source_of(server)
    offset = source.latest_offset("Patient", {})
    with pytest.raises(OffsetError, match="a full refresh"):
        source.read_table("Patient", offset, {option: value})


@pytest.mark.parametrize(("option", "value"), [("page_size", "7"), ("paging", "links")])
def test_how_a_table_is_read_may_change(server: FhirServer, option: str, value: str) -> None:
    source = source_of(server)
    offset = source.latest_offset("Patient", {})
    assert source.latest_offset("Patient", {option: value}, offset) == offset


def test_an_offset_of_another_server_asks_for_a_full_refresh(server: FhirServer, start_server: StartServer) -> None:
    offset = source_of(server).latest_offset("Patient", {})
    with pytest.raises(OffsetError, match="other values of the options: base_url"):
        source_of(start_server()).read_table("Patient", offset, {})


@pytest.mark.parametrize("until", [None, 17, "yesterday"])
def test_an_offset_that_says_no_time_asks_for_a_full_refresh(server: FhirServer, until: object) -> None:
    source = source_of(server)
    offset = {**source.latest_offset("Patient", {}), "until": until}
    with pytest.raises(OffsetError, match="does not say up to when"):
        source.read_table("Patient", offset, {})


def test_an_offset_far_ahead_of_the_servers_clock_is_an_error(server: FhirServer, clock: ManualClock) -> None:
    source = source_of(server)
    clock.advance(3 * 86_400)
    ahead = source_of(server).latest_offset("Patient", {})
    clock.advance(-3 * 86_400)
    with pytest.raises(OffsetError, match="more than a day ahead of the server's clock"):
        source.read_table("Patient", ahead, {})


def test_an_offset_a_little_ahead_waits_for_the_servers_clock(server: FhirServer, clock: ManualClock) -> None:
    ahead = source_of(server, lag_seconds="0").latest_offset("Patient", {})
    records, end = source_of(server, lag_seconds="60").read_table("Patient", ahead, {})
    assert (list(records), end) == ([], ahead)


def test_an_unknown_table_is_refused_with_the_nearest_name(server: FhirServer) -> None:
    with pytest.raises(UnknownTableError, match="did you mean 'Patient'"):
        source_of(server).read_table("Patients", None, {})


def test_the_tables_are_what_the_server_can_search(server: FhirServer) -> None:
    assert source_of(server).list_tables() == ["Observation", "Patient"]


def test_a_list_of_resource_types_needs_no_server() -> None:
    from connector_lib.sources.fhir.source import FhirSource

    source = FhirSource({"base_url": "http://127.0.0.1:9", "resource_types": "Patient, Basic"})
    assert source.list_tables() == ["Basic", "Patient"]
