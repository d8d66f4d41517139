"""All resources of a search are read: none is lost and none comes twice, whatever a next link is."""

from __future__ import annotations

from typing import Any

import pytest

from connector_lib.errors import ApiError, PagingError, SourceError
from connector_lib.http import HttpClient
from connector_lib.sources.fhir.client import FhirClient
from connector_lib.sources.fhir.search import Search, resources
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_service import FhirBehaviour
from connector_lib.testing.fhir_store import ManualClock
from tests.unit.sources.fhir.conftest import StartServer, ids, patient, read, source_of
from tests.unit.sources.fhir.live_server import LiveServer


def dated(number: int, second: int, version: str = "1") -> dict[str, Any]:
    meta = {"versionId": version, "lastUpdated": f"2026-03-01T00:00:{second:02}.000Z"}
    return patient(number, meta=meta)


def found_by(server: LiveServer, size: int = 3, **search: Any) -> list[str]:
    with HttpClient(server.url) as http:
        return ids(list(resources(FhirClient(http), Search("Patient", size, **search))))


class TestAServerThatKeepsItsSearches:
    def test_all_pages_are_read(self, server: FhirServer, clock: ManualClock) -> None:
        for number in range(25):
            server.put(patient(number))
            clock.advance(1)
        rows, _ = read(source_of(server, page_size="10"))
        assert ids(rows) == [f"p{number}" for number in range(25)]

    def test_each_page_is_asked_for_by_the_place_where_the_one_before_ended(
        self, server: FhirServer, clock: ManualClock
    ) -> None:
        for number in range(5):
            server.put(patient(number))
            clock.advance(1)
        read(source_of(server, page_size="2"))
        asked = [request.repeated_parameters.get("_lastUpdated") for request in server.requests if request.query]
        bound = "lt2026-03-01T00:00:05.000Z"
        assert asked == [
            None,
            ["ge2026-03-01T00:00:01.000Z", bound],
            ["ge2026-03-01T00:00:02.000Z", bound],
            ["ge2026-03-01T00:00:03.000Z", bound],
            None,
        ]

    @pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 100])
    def test_resources_that_share_a_time_are_neither_lost_nor_doubled_over_the_border_of_a_page(
        self, server: FhirServer, clock: ManualClock, size: int
    ) -> None:
        for number in range(23):
            server.put(patient(number))
            clock.advance(1 if number % 6 == 5 else 0)
        clock.advance(1)
        rows, _ = read(source_of(server, page_size=f"{size}"))
        assert sorted(ids(rows)) == sorted(f"p{number}" for number in range(23))

    def test_a_search_that_the_server_forgot_is_gone_on_from_where_it_was(
        self, start_server: StartServer, clock: ManualClock
    ) -> None:
        server = start_server()
        for number in range(12):
            server.put(patient(number))
            clock.advance(1 if number % 6 == 5 else 0)
        source = source_of(server, page_size="4")
        records, _ = source.read_table("Patient", None, {})
        seen = []
        for record in records:
            seen.append(record["id"])
            server.expire_pages() if len(seen) == 4 else None
        assert sorted(seen) == sorted(f"p{number}" for number in range(12))

    def test_a_search_that_is_always_forgotten_ends_with_an_error(
        self, start_server: StartServer, clock: ManualClock
    ) -> None:
        server = start_server(behaviour=FhirBehaviour(max_page_size=4))
        for number in range(12):
            server.put(patient(number))
        clock.advance(1)
        server.server.before(server.expire_pages, times=None)
        with pytest.raises(ApiError) as caught:
            read(source_of(server, page_size="4"))
        assert caught.value.status == 410

    def test_resources_without_a_time_come_in_the_first_read_and_no_later_one_where_they_are_accepted(
        self, server: FhirServer, clock: ManualClock
    ) -> None:
        for number in range(7):
            server.put(patient(number), stamped=number % 2 == 0)
            clock.advance(1)
        rows, offset = read(source_of(server, page_size="2", undated="accept"))
        assert sorted(ids(rows)) == [f"p{number}" for number in range(7)]
        clock.advance(1)
        server.put(patient("new"))
        clock.advance(1)
        assert ids(read(source_of(server), start=offset)[0]) == ["pnew"]

    @pytest.mark.parametrize(("deletes", "bulk"), [("none", "false"), ("history", "false"), ("none", "true")])
    def test_a_resource_without_a_time_is_an_error_that_says_what_to_set(
        self, server: FhirServer, clock: ManualClock, deletes: str, bulk: str
    ) -> None:
        server.put(patient(1))
        server.put(patient(2), stamped=False)
        clock.advance(1)
        with pytest.raises(
            SourceError, match=r"a Patient has no meta.lastUpdated.*\n.*deletes=snapshot.*undated=accept"
        ):
            read(source_of(server, deletes=deletes, bulk=bulk))

    def test_links_alone_are_followed_where_the_options_say_so(self, server: FhirServer, clock: ManualClock) -> None:
        for number in range(5):
            server.put(patient(number))
            clock.advance(1)
        rows, _ = read(source_of(server, paging="links"), page_size="2")
        assert len(rows) == 5
        queries = [request.parameters for request in server.requests if request.query]
        assert ["_getpages" in query for query in queries] == [False, True, True]
        assert not any("_sort" in query for query in queries)

    def test_search_parameters_and_profiles_go_with_every_page(self, server: FhirServer, clock: ManualClock) -> None:
        for number in range(8):
            profile = {"profile": ["http://example.org/p"]} if number != 3 else {}
            server.put(patient(number, gender="male" if number < 6 else "female", meta=profile))
            clock.advance(1)
        rows, _ = read(source_of(server), page_size="2", search="gender=male", profile="http://example.org/p")
        assert ids(rows) == ["p0", "p1", "p2", "p4", "p5"]

    def test_links_that_name_another_server_are_refused_or_asked_of_this_one(
        self, start_server: StartServer, clock: ManualClock
    ) -> None:
        behaviour = FhirBehaviour(public_url="https://ehr.example.org/fhir", page_links="type", max_page_size=2)
        server = start_server(behaviour=behaviour)
        for number in range(5):
            server.put(patient(number))
        clock.advance(1)
        with pytest.raises(PagingError, match=r"a link to another server, https://ehr\.example\.org"):
            read(source_of(server))
        assert len(read(source_of(server, next_link_policy="rewrite"))[0]) == 5


class TestAServerWhoseLinksCount:
    """The next link names a number of resources to pass over. Where one is updated, all behind it move."""

    def test_resources_that_are_updated_while_pages_are_read_push_none_out(self) -> None:
        server = LiveServer([dated(number, number) for number in range(12)])

        def update_one_that_was_read(page: int) -> None:
            server.resources[page - 1] = dated(page - 1, 50 + page, "2") if page > 1 else server.resources[0]

        server.before_page = update_one_that_was_read
        with server.api:
            found = found_by(server, until=50_000_000_000 + 1_772_323_200_000_000_000)
        assert set(found) >= {f"p{number}" for number in range(5, 12)}
        assert len(found) == len(set(found))

    def test_resources_that_are_deleted_while_pages_are_read_push_none_out(self) -> None:
        server = LiveServer([dated(number, number) for number in range(12)])
        server.before_page = lambda page: server.resources.__delitem__(0) if page > 1 else None
        with server.api:
            assert found_by(server) == [f"p{number}" for number in range(12)]

    def test_resources_that_share_a_time_are_not_pushed_out_either(self) -> None:
        server = LiveServer([dated(number, 5) for number in range(20)] + [dated(number, 6) for number in range(20, 25)])
        server.before_page = lambda page: server.resources.__delitem__(0) if page > 1 else None
        with server.api:
            assert set(found_by(server)) >= {f"p{number}" for number in range(6, 25)}
        assert not any("_offset" in query for query in server.searches)

    def test_more_than_a_page_can_hold_with_one_time_are_read_by_links(self) -> None:
        server = LiveServer([dated(number, 5) for number in range(1100)], largest_page=300)
        with server.api:
            found = found_by(server, size=200)
        assert sorted(found) == sorted(f"p{number}" for number in range(1100))

    def test_resources_without_a_time_are_found_behind_the_others(self) -> None:
        server = LiveServer([dated(number, number) for number in range(6)] + [patient(9, meta={})])
        with server.api:
            assert found_by(server) == [*(f"p{number}" for number in range(6)), "p9"]

    def test_several_pages_of_resources_without_a_time_are_found_behind_the_others(self) -> None:
        server = LiveServer([dated(0, 0), dated(1, 1), *(patient(number, meta={}) for number in range(2, 10))])
        with server.api:
            assert found_by(server) == [f"p{number}" for number in range(10)]

    def test_what_is_outside_the_window_is_no_row_of_it(self) -> None:
        server = LiveServer([dated(number, number) for number in range(10)], filters=False)
        start = 1_772_323_200_000_000_000
        with server.api:
            found = found_by(server, size=100, since=start + 3_000_000_000, until=start + 6_000_000_000)
        assert found == ["p3", "p4", "p5"]

    def test_a_server_that_does_not_sort_is_read_by_its_links(self) -> None:
        server = LiveServer([dated(number, 59 - number) for number in range(10)], sorts=False, says_so=False)
        with server.api:
            assert found_by(server) == [f"p{number}" for number in range(10)]

    def test_a_server_that_says_it_sorts_and_does_not_is_read_by_its_links(self) -> None:
        server = LiveServer([dated(number, 59 - number) for number in range(10)], sorts=False)
        with server.api:
            assert found_by(server) == [f"p{number}" for number in range(10)]

    def test_an_order_that_breaks_behind_the_first_page_is_an_error(self) -> None:
        times = [1, 2, 3, 9, 8, 7, 6, 5]
        server = LiveServer([dated(number, time) for number, time in enumerate(times)], sorts=False)
        with server.api, pytest.raises(ApiError, match="do not come in the order of _lastUpdated"):
            found_by(server)

    def test_keyset_asks_for_the_order(self) -> None:
        server = LiveServer([dated(number, 59 - number) for number in range(10)], sorts=False, says_so=False)
        with server.api, pytest.raises(ApiError, match="do not come in the order of _lastUpdated"):
            found_by(server, paging="keyset")

    def test_keyset_goes_by_places_where_the_server_does_not_say_how_it_sorted(self) -> None:
        server = LiveServer([dated(number, number) for number in range(7)], says_so=False)
        with server.api:
            assert found_by(server, paging="keyset") == [f"p{number}" for number in range(7)]
        assert not any("_offset" in query for query in server.searches)

    def test_a_filter_that_the_server_passes_over_is_an_error(self) -> None:
        server = LiveServer([dated(1, 1)], says_so=["_count", "_sort"])
        with server.api, pytest.raises(ApiError, match=r"passed over search parameters .*: gendre"):
            found_by(server, filters=(("gendre", "male"),))

    def test_a_server_that_does_not_say_what_it_went_by_is_believed(self) -> None:
        server = LiveServer([dated(1, 1)], says_so=False)
        with server.api:
            assert found_by(server, filters=(("gender", "male"),)) == ["p1"]

    def test_a_server_that_does_not_go_by_last_updated_is_an_error(self) -> None:
        server = LiveServer([dated(number, number) for number in range(10)], filters=False)
        with server.api, pytest.raises(ApiError, match="does not go by _lastUpdated"):
            found_by(server)


class TestASnapshot:
    def test_a_resource_that_comes_on_a_later_page_as_it_is_now_does_not_lead_past_others(
        self, server: FhirServer, clock: ManualClock
    ) -> None:
        for number in range(12):
            # Those without a time come first, so that the second page is asked for by a link.
            server.put(patient(number), stamped=number >= 4)
            clock.advance(1)
        records, _ = source_of(server, deletes="snapshot", page_size="4").read_table("Patient", None, {})
        found = [next(records)["id"] for _ in range(4)]
        clock.advance(10)
        server.put(patient(7, gender="male"))
        found += [next(records)["id"] for _ in range(4)]
        server.delete("Patient", "p7")
        found += [record["id"] for record in records]
        assert found == [f"p{number}" for number in range(12)]

    def test_a_resource_that_is_inserted_while_it_is_read_comes_once(self) -> None:
        server = LiveServer([dated(number, number) for number in range(10)])
        server.before_page = lambda page: server.resources.append(dated(100, 30)) if page == 3 else None
        with server.api:
            found = found_by(server, started=1_772_323_200_000_000_000 + 20_000_000_000)
        assert found == [*(f"p{number}" for number in range(10)), "p100"]

    def test_a_resource_that_is_updated_while_it_is_read_ends_it(self) -> None:
        server = LiveServer([dated(number, number) for number in range(10)])

        def update(page: int) -> None:
            if page == 3:
                server.resources[0] = dated(0, 30, "2")

        server.before_page = update
        with server.api, pytest.raises(ApiError, match="updated while all of them were read"):
            found_by(server, started=1_772_323_200_000_000_000 + 20_000_000_000)
