"""Bulk exports: ordered, waited for, and read file by file."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from connector_lib.errors import ApiError, OptionError
from connector_lib.sources.fhir.source import FhirSource
from connector_lib.testing.api_server import ApiRequest, ApiServer, Reply
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_service import FhirBehaviour
from connector_lib.testing.fhir_store import ManualClock
from connector_lib.testing.logins import Login
from tests.unit.sources.fhir.conftest import START, StartServer, ids, patient, read, source_of
from tests.unit.sources.fhir.live_server import CAPABILITIES

FULL_EXPORT = "2026-02-01T00:00:00Z"


class TestAnExport:
    def test_all_resources_of_the_type_are_read_file_by_file(
        self, start_server: StartServer, clock: ManualClock
    ) -> None:
        server = start_server(behaviour=FhirBehaviour(export_file_rows=3))
        for number in range(8):
            server.put(patient(number))
            server.put({"resourceType": "Observation", "id": f"o{number}"})
        clock.advance(1)
        rows, _ = read(source_of(server, bulk="true"))
        assert sorted(ids(rows)) == [f"p{number}" for number in range(8)]

    def test_a_later_export_gives_what_was_written_since(self, server: FhirServer, clock: ManualClock) -> None:
        server.put(patient(1))
        clock.advance(10)
        _, offset = read(source_of(server, bulk="true"))
        # At the very bound, where an export may or may not begin.
        server.put(patient(2))
        clock.advance(10)
        server.put(patient(3))
        clock.advance(1)
        assert ids(read(source_of(server, bulk="true"), start=offset)[0]) == ["p2", "p3"]

    def test_what_was_written_behind_the_bound_is_left_for_the_next_run(
        self, server: FhirServer, clock: ManualClock
    ) -> None:
        server.put(patient(1))
        clock.advance(1)
        source = source_of(server, bulk="true")
        records, offset = source.read_table("Patient", None, {})
        server.put(patient(2))
        clock.advance(1)
        assert ids(list(records)) == ["p1"]
        assert ids(read(source_of(server, bulk="true"), start=offset)[0]) == ["p2"]

    def test_a_snapshot_has_what_was_updated_a_moment_ago_and_while_it_was_made(
        self, server: FhirServer, clock: ManualClock
    ) -> None:
        for number in (1, 2, 3):
            server.put(patient(number))
        clock.advance(3600)
        server.put(patient(2, active=True))
        clock.advance(10)
        records, _ = source_of(server, bulk="true", deletes="snapshot", lag_seconds="60").read_table(
            "Patient", None, {}
        )
        server.put(patient(3, active=True))
        assert sorted(ids(list(records))) == ["p1", "p2", "p3"]

    def test_it_need_not_reach_further_than_the_next_run_begins(self, server: FhirServer, clock: ManualClock) -> None:
        server.put(patient(1))
        clock.advance(100)
        source = source_of(server, bulk="true", lag_seconds="60")
        records, _ = source.read_table("Patient", None, {})
        # As a server whose copy for exports is half a minute old.
        clock.advance(-30)
        assert ids(list(records)) == ["p1"]

    def test_it_is_waited_for_as_long_as_the_server_asks(self, start_server: StartServer, clock: ManualClock) -> None:
        server = start_server(behaviour=FhirBehaviour(export_polls=3, export_retry_after="7", types=("Patient",)))
        waits: list[float] = []
        source = FhirSource({"base_url": server.url, "lag_seconds": "0", "bulk": "true"}, sleep=waits.append)
        read(source)
        assert waits == [2.0, 7.0, 7.0, 7.0]

    def test_one_that_takes_too_long_is_an_error(self, start_server: StartServer) -> None:
        server = start_server(behaviour=FhirBehaviour(export_polls=1000, export_retry_after="60", types=("Patient",)))
        now = [0.0]
        options = {"base_url": server.url, "bulk": "true", "export_seconds": "600"}
        source = FhirSource(options, clock=lambda: now[0], sleep=lambda seconds: now.__setitem__(0, now[0] + seconds))
        with pytest.raises(ApiError, match="not done after 600 s"):
            read(source)

    def test_deletions_come_from_its_list(self, server: FhirServer, clock: ManualClock) -> None:
        for number in range(4):
            server.put(patient(number))
            server.put({"resourceType": "Observation", "id": f"o{number}"})
        clock.advance(1)
        server.delete("Patient", "p2")
        server.delete("Observation", "o3")
        clock.advance(1)
        source = source_of(server, deletes="export", deletes_from=FULL_EXPORT)
        rows, _ = read(source, deletes=True)
        assert rows == [{"id": "p2", "lastUpdated": "2026-03-01T00:00:01.999999Z"}]

    def test_its_numbers_keep_their_digits(self, server: FhirServer, clock: ManualClock) -> None:
        from connector_lib.datasource.converters_values import json_text

        written = {"resourceType": "Observation", "id": "o1", "valueQuantity": {"value": 0.5}}
        server.put(written)
        clock.advance(1)
        (row,), _ = read(source_of(server, bulk="true"), "Observation")
        assert '"value":0.5' in json_text(row["resource"])

    def test_what_the_server_left_out_is_an_error(self, start_server: StartServer, clock: ManualClock) -> None:
        server = start_server(behaviour=FhirBehaviour(export_errors=("could not read Patient Jane Doe",)))
        server.put(patient(1))
        clock.advance(1)
        with pytest.raises(ApiError, match="the export left something out: error, exception: could not read") as caught:
            read(source_of(server, bulk="true"))
        assert "Jane" not in str(caught.value)

    def test_a_server_without_exports_is_an_error(self, start_server: StartServer) -> None:
        server = start_server(behaviour=FhirBehaviour(export=False, types=("Patient",)))
        with pytest.raises(ApiError) as caught:
            read(source_of(server, bulk="true"))
        assert caught.value.status == 404

    def test_its_files_are_read_with_the_login(self, start_server: StartServer, clock: ManualClock) -> None:
        server = start_server(login=Login("bearer", secret="sesame sesame"))
        server.put(patient(1))
        clock.advance(1)
        rows, _ = read(source_of(server, bulk="true", auth_type="bearer", token="sesame sesame"))
        assert ids(rows) == ["p1"]

    def test_an_export_of_patients_or_of_a_group_is_ordered_there(self, server: FhirServer) -> None:
        with pytest.raises(ApiError):
            read(source_of(server, bulk="true", export_level="group/g1"))
        read(source_of(server, bulk="true", export_level="patient"))
        paths = [request.path for request in server.requests if request.path.endswith("$export")]
        assert paths == ["/Group/g1/$export", "/Patient/$export"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bulk": "true", "search": "gender=male"}, "a bulk export is of whole resource types"),
        ({"deletes": "export"}, "deletes=export needs the option 'deletes_from'"),
        ({"export_level": "everyone"}, "it is none of 'system', 'patient' and 'group/<id>'"),
    ],
)
def test_options_that_do_not_fit_an_export_are_refused(
    server: FhirServer, options: dict[str, str], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        source_of(server).read_table("Patient", None, options)


class Exporter:
    """A server whose export is done at once, with a manifest and files that a test gives."""

    def __init__(self, manifest: Callable[[str], dict[str, Any]], lines: bytes = b"") -> None:
        self.api = ApiServer(
            {
                "/metadata": lambda _: Reply.json(CAPABILITIES),
                "/$export": self._ordered,
                "/Group/g1/$export": self._ordered,
                "/status": self._status,
            },
            base_path="/fhir",
            now=lambda: START + timedelta(hours=1),
        )
        self.api.routes["*"] = lambda _: Reply(lines, headers={"Content-Type": "application/fhir+ndjson"})
        self._manifest = manifest

    def _ordered(self, request: ApiRequest) -> Reply:
        return Reply(status=202, headers={"Content-Location": f"{self.api.url}/status"})

    def _status(self, request: ApiRequest) -> Reply:
        return Reply.json(self._manifest(self.api.url))

    def read(self, **options: str) -> list[str]:
        with self.api:
            source = source_of(self.api, bulk="true", resource_types="Patient", **options)
            return ids(read(source)[0])


def manifest_of(url: str, **changes: Any) -> dict[str, Any]:
    file = {"type": "Patient", "url": f"{url}/file.ndjson"}
    return {"transactionTime": "2026-03-01T01:00:00Z", "requiresAccessToken": True, "output": [file], **changes}


def file_of(url: str, count: object, **changes: object) -> dict[str, object]:
    return {"type": "Patient", "url": f"{url}/file.ndjson", "count": count, **changes}


def lines_of(*numbers: int) -> bytes:
    dated = [patient(number, meta={"lastUpdated": "2026-03-01T00:00:00Z"}) for number in numbers]
    return b"\n\n".join(json.dumps(one).encode() for one in dated) + b"\n\n"


GROUP = {"bulk": "true", "export_level": "group/g1", "resource_types": "Patient"}


def test_of_a_group_also_what_is_older_than_the_last_run_is_taken_since_patients_join_it() -> None:
    old, new = (patient(number, meta={"lastUpdated": f"2026-0{number}-01T00:00:00Z"}) for number in (1, 3))
    lines = b"\n".join(json.dumps(one).encode() for one in (old, new))
    for level, found in (("group/g1", ["p1", "p3"]), ("system", ["p3"])):
        exporter = Exporter(manifest_of, lines)
        with exporter.api:
            source = source_of(exporter.api, **{**GROUP, "export_level": level})
            end = source.latest_offset("Patient", {})
            start = {**end, "until": "2026-02-01T00:00:00.000Z"}
            assert ids(list(source.read_table_between("Patient", start, end, {}))) == found


def test_rows_of_a_group_are_not_only_appended(server: FhirServer) -> None:
    with pytest.raises(OptionError, match="rows of an export of a group cannot be appended only"):
        source_of(server, **GROUP).read_table("Patient", None, {"hold_back": "true"})


class TestFilesThatAreNotWhole:
    @pytest.mark.parametrize(
        ("lines", "count", "message"),
        [
            (lines_of(1), 2, "has 1 lines of 2"),
            (b"", 2, "has 0 lines of 2"),
            (b"", None, "is empty, and nothing says that it should be"),
            (lines_of(1), "one", "has a count that is no number of lines"),
            (lines_of(1), -1, "has a count that is no number of lines"),
            (lines_of(1), True, "has a count that is no number of lines"),
        ],
    )
    def test_they_are_an_error(self, lines: bytes, count: object, message: str) -> None:
        with pytest.raises(ApiError, match=f"file 1 of the list 'output' of the export {message}"):
            Exporter(lambda url: manifest_of(url, output=[file_of(url, count)]), lines).read()

    @pytest.mark.parametrize("lists", ["deleted", "error"])
    def test_so_are_those_of_the_other_lists(self, lists: str) -> None:
        exporter = Exporter(lambda url: manifest_of(url, output=[], **{lists: [file_of(url, 2, type="Bundle")]}))
        options = {"deletes": "export", "deletes_from": FULL_EXPORT, "bulk": "true", "resource_types": "Patient"}
        message = f"file 1 of the list '{lists}' of the export has 0 lines of 2"
        with exporter.api, pytest.raises(ApiError, match=message):
            read(source_of(exporter.api, **options), deletes=True)

    def test_one_that_is_whole_is_read(self) -> None:
        assert Exporter(lambda url: manifest_of(url, output=[file_of(url, 2)]), lines_of(1, 2)).read() == ["p1", "p2"]

    def test_one_that_is_said_to_have_no_line_may_be_empty(self) -> None:
        assert Exporter(lambda url: manifest_of(url, output=[file_of(url, 0)])).read() == []

    @pytest.mark.parametrize("type_", [None, "", 7])
    def test_one_that_says_no_type_is_an_error(self, type_: object) -> None:
        with pytest.raises(
            ApiError, match="a file in the list 'output' of the export does not say of which type it is"
        ):
            Exporter(lambda url: manifest_of(url, output=[file_of(url, 1, type=type_)]), lines_of(1)).read()


def test_blank_lines_are_passed_over() -> None:
    assert Exporter(manifest_of, lines_of(1, 2)).read() == ["p1", "p2"]


def test_a_manifest_without_lists_of_deletions_and_errors_is_enough() -> None:
    assert Exporter(lambda url: manifest_of(url, deleted=None), lines_of(1)).read() == ["p1"]


def test_an_export_of_an_older_time_than_the_bound_is_an_error() -> None:
    exporter = Exporter(lambda url: manifest_of(url, transactionTime="2026-03-01T00:59:59Z"))
    with pytest.raises(ApiError, match="of an earlier time than what the run counts as read"):
        exporter.read()


@pytest.mark.parametrize("time", [None, "soon"])
def test_an_export_of_no_time_is_an_error(time: object) -> None:
    with pytest.raises(ApiError, match="does not say of which time it is"):
        Exporter(lambda url: manifest_of(url, transactionTime=time)).read()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"resourceType": "Observation", "id": "o1"}', "holds something else"),
        (b'{"resourceType": "Patient"}', "has no id"),
        (b'{"resourceType": "Patient", "id": "p1"', "cannot be read"),
        (b'["Patient"]', "is no resource"),
    ],
)
def test_a_line_that_is_no_such_resource_is_an_error(line: bytes, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        Exporter(manifest_of, line).read()


class TestFilesAtAnotherServer:
    def test_they_are_not_read(self) -> None:
        with (
            ApiServer({"*": lambda _: Reply(lines_of(1))}) as files,
            pytest.raises(ApiError, match="a link to another server"),
        ):
            Exporter(lambda url: manifest_of(files.url, requiresAccessToken=False)).read()

    def test_they_are_read_without_the_login_where_the_options_allow_it(self) -> None:
        with ApiServer({"*": lambda _: Reply(lines_of(1))}) as files:
            exporter = Exporter(lambda url: manifest_of(files.url, requiresAccessToken=False))
            found = exporter.read(export_file_origins=files.url, auth_type="bearer", token="sesame sesame")
            assert (found, ["authorization" in request.headers for request in files.requests]) == (["p1"], [False])

    def test_a_login_is_sent_to_none_of_them(self) -> None:
        with (
            ApiServer({"*": lambda _: Reply(lines_of(1))}) as files,
            pytest.raises(ApiError, match="need the login of the FHIR server"),
        ):
            Exporter(lambda url: manifest_of(files.url)).read(export_file_origins=files.url)
