"""A later read gives what changed between two bounds of the server's clock, and an offset belongs to its options."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest

from connector_lib.errors import OffsetError, UnknownTableError
from connector_lib.sources.fhir.source import FhirSource
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_service import FhirBehaviour
from connector_lib.testing.fhir_store import ManualClock
from tests.unit.sources.fhir.conftest import START, StartServer, applied, ids, patient, read, source_of


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
    columns = {name: value for name, value in (resource or {}).items() if name != "resourceType"}
    assert row == {**columns, "lastUpdated": "2026-03-01T00:00:00.000+00:00", "resource": resource}


def test_what_has_no_column_is_in_the_whole_resource_alone(server: FhirServer, clock: ManualClock) -> None:
    narrative = {"status": "generated", "div": "<div>Sample</div>"}
    server.put(patient(1, text=narrative))
    clock.advance(1)
    (row,), _ = read(source_of(server))
    assert ("text" in row, "resourceType" in row, row["resource"]["text"]) == (False, False, narrative)


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


def test_a_run_reads_to_the_time_of_the_server_and_the_next_one_begins_the_lag_before(
    server: FhirServer, clock: ManualClock
) -> None:
    clock.advance(90.5)
    exact = source_of(server, lag_seconds="0").latest_offset("Patient", {})
    assert (exact["until"], "read_to" in exact) == ("2026-03-01T00:01:30.000Z", False)
    lagging = source_of(server, lag_seconds="60").latest_offset("Patient", {})
    assert (lagging["until"], lagging["read_to"]) == ("2026-03-01T00:00:30.000Z", "2026-03-01T00:01:30.000Z")


class TestTheLag:
    def test_what_is_committed_late_is_not_missed(self, server: FhirServer, clock: ManualClock) -> None:
        clock.advance(100)
        rows, offset = read(lagging(server))
        # The server gave it its time half a minute ago, and shows it now.
        server.put(patient(1), at=START + timedelta(seconds=70))
        clock.advance(100)
        assert (rows, ids(read(lagging(server), start=offset)[0])) == ([], ["p1"])

    def test_what_was_written_in_it_is_read_now_and_once_more(self, server: FhirServer, clock: ManualClock) -> None:
        clock.advance(100)
        server.put(patient(1))
        clock.advance(5)
        offset, runs = None, []
        for _ in range(3):
            rows, offset = read(lagging(server), start=offset)
            runs.append(ids(rows))
            clock.advance(100)
        assert runs == [["p1"], ["p1"], []]

    def test_a_resource_that_changes_more_often_than_it_is_long_comes_with_every_run(
        self, server: FhirServer, clock: ManualClock
    ) -> None:
        offset, versions = None, []
        for _ in range(5):
            for _ in range(4):
                server.put(patient(1))
                clock.advance(30)
            rows, offset = read(lagging(server), start=offset)
            versions.append([row["meta"]["versionId"] for row in rows])
        assert versions == [["4"], ["8"], ["12"], ["16"], ["20"]]

    def test_a_run_within_it_gives_what_is_new(self, server: FhirServer, clock: ManualClock) -> None:
        clock.advance(100)
        _, offset = read(lagging(server))
        server.put(patient(1))
        clock.advance(5)
        rows, later = read(lagging(server), start=offset)
        assert (ids(rows), later["until"]) == (["p1"], "2026-03-01T00:00:45.000Z")

    def test_without_a_second_passed_there_is_nothing_new(self, server: FhirServer, clock: ManualClock) -> None:
        server.put(patient(1))
        clock.advance(10)
        _, offset = read(lagging(server))
        records, end = lagging(server).read_table("Patient", offset, {})
        assert (list(records), end) == ([], offset)

    def test_a_longer_one_takes_nothing_back(self, server: FhirServer, clock: ManualClock) -> None:
        clock.advance(100)
        _, offset = read(source_of(server))
        clock.advance(10)
        end = lagging(server).latest_offset("Patient", {}, offset)
        assert (end["until"], end["read_to"]) == ("2026-03-01T00:01:40.000Z", "2026-03-01T00:01:50.000Z")

    def test_a_window_is_read_again_as_it_was(self, server: FhirServer, clock: ManualClock) -> None:
        clock.advance(100)
        server.put(patient(1))
        clock.advance(1)
        _, start = read(lagging(server))
        server.put(patient(2))
        clock.advance(100)
        rows, end = read(lagging(server), start=start)
        server.put(patient(3))
        clock.advance(100)
        again = lagging(server).read_table_between("Patient", start, end, {})
        assert ids(list(again)) == ids(rows) == ["p1", "p2"]

    def test_deletions_are_read_in_it_and_once_more(self, server: FhirServer, clock: ManualClock) -> None:
        server.put(patient(1))
        clock.advance(100)
        server.delete("Patient", "p1")
        clock.advance(5)
        offset, runs = None, []
        for _ in range(3):
            rows, offset = read(lagging(server, deletes="history"), start=offset, deletes=True)
            runs.append([(row["id"], row["lastUpdated"]) for row in rows])
            clock.advance(100)
        # First a microsecond before: what made it again at the same time may not show yet.
        assert runs == [[("p1", "2026-03-01T00:01:39.999999Z")], [("p1", "2026-03-01T00:01:40.000000Z")], []]

    @pytest.mark.parametrize("dated", [True, False], ids=["dated", "undated"])
    def test_what_was_made_again_and_committed_late_is_there(
        self, start_server: StartServer, clock: ManualClock, dated: bool
    ) -> None:
        server = start_server(behaviour=FhirBehaviour(types=("Patient",), dated_deletes=dated))
        server.put(patient(1))
        clock.advance(100)
        server.delete("Patient", "p1")
        moment = clock()
        clock.advance(5)
        source = lagging(server, deletes="history")
        (changes, place), (deletions, offset) = read(source), read(source, deletes=True)
        server.put(patient(1), at=moment)
        clock.advance(100)
        source = lagging(server, deletes="history")
        changes += read(source, start=place)[0]
        deletions += read(source, start=offset, deletes=True)[0]
        assert applied(changes, deletions) == {"p1"}

    def test_an_offset_that_was_read_to_before_its_own_begin_is_refused(self, server: FhirServer) -> None:
        source = source_of(server)
        offset = {**source.latest_offset("Patient", {}), "read_to": "2026-02-01T00:00:00Z"}
        with pytest.raises(OffsetError, match="does not say up to when"):
            source.read_table("Patient", offset, {})


class TestRowsThatAreHeldBack:
    def test_each_comes_once_when_the_lag_is_over(self, server: FhirServer, clock: ManualClock) -> None:
        clock.advance(100)
        server.put(patient(1))
        clock.advance(5)
        offset, runs = None, []
        for _ in range(3):
            rows, offset = read(lagging(server), start=offset, hold_back="true")
            runs.append(ids(rows))
            clock.advance(100)
        assert runs == [[], ["p1"], []]

    def test_the_offset_stands_still_within_the_lag(self, server: FhirServer, clock: ManualClock) -> None:
        _, offset = read(lagging(server), hold_back="true")
        assert "read_to" not in offset
        records, end = lagging(server).read_table("Patient", offset, {"hold_back": "true"})
        assert (list(records), end) == ([], offset)

    def test_they_do_not_go_on_from_a_run_that_held_none_back(self, server: FhirServer) -> None:
        _, offset = read(lagging(server))
        with pytest.raises(OffsetError, match=r"would come twice\n.*hold_back.*a full refresh"):
            lagging(server).read_table("Patient", offset, {"hold_back": "true"})


def lagging(server: FhirServer, **options: str) -> FhirSource:
    """A source whose runs begin a minute before the last one ended."""
    return source_of(server, lag_seconds="60", **options)


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
    source = FhirSource({"base_url": "http://127.0.0.1:9", "resource_types": "Patient, Basic"})
    assert source.list_tables() == ["Basic", "Patient"]
