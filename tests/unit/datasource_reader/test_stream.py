"""A table read as a stream: every row once, up to the bound of the run, across runs and crashes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from connector_lib.errors import ApiError, ContractError, OffsetError, OptionError, SourceError
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_service import FhirBehaviour
from connector_lib.testing.fhir_store import ManualClock
from tests.folder_system import Folder

from .conftest import Stream, data_source

SOURCES = ["folder", "folder_bounded", "folder_divided"]


def row(number: int, name: str = "ann") -> dict[str, Any]:
    return {"id": number, "name": name, "seq": number}


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [row(number) for number in range(first, last + 1)]


def all_ids(batches: list[list[dict[str, Any]]]) -> list[int]:
    return sorted(one["id"] for batch in batches for one in batch)


@pytest.mark.parametrize("source", SOURCES)
def test_one_run_reads_to_the_bound(folder: Folder, source: str) -> None:
    folder.put("visits", rows(1, 25))
    stream = Stream(sourceName=source, sourceFolder=folder.path, tableName="visits")
    assert all_ids(stream.run()) == list(range(1, 26))


@pytest.mark.parametrize("source", SOURCES)
def test_the_next_run_reads_what_is_new(folder: Folder, source: str) -> None:
    folder.put("visits", rows(1, 25))
    stream = Stream(sourceName=source, sourceFolder=folder.path, tableName="visits")
    stream.run()
    assert stream.run() == []
    folder.put("visits", rows(1, 28))
    assert all_ids(stream.run()) == [26, 27, 28]


@pytest.mark.parametrize("source", SOURCES)
def test_what_comes_while_a_run_reads_is_left_for_the_next(folder: Folder, source: str) -> None:
    folder.put("visits", rows(1, 25))
    stream = Stream(sourceName=source, sourceFolder=folder.path, tableName="visits")
    read = []
    for batch in stream.batches():
        read.append(batch)
        folder.put("visits", rows(1, 25 + len(read)))
    assert all_ids(read) == list(range(1, 26))
    assert all_ids(stream.run()) == list(range(26, 26 + len(read)))


def test_rows_that_share_a_number_at_a_border_come_once(folder: Folder) -> None:
    tied = [{"id": number, "name": "ann", "seq": 1 + number // 7} for number in range(40)]
    folder.put("visits", tied)
    stream = Stream(
        sourceName="folder",
        sourceFolder=folder.path,
        tableName="visits",
        tableConfigs='{"visits": {"pageSize": 7}}',
    )
    batches = stream.run()
    assert len(batches) > 1
    assert all_ids(batches) == list(range(40))


def test_a_batch_is_asked_for_page_by_page(folder: Folder) -> None:
    folder.put("visits", rows(1, 25))
    stream = Stream(sourceName="folder", sourceFolder=folder.path, tableName="visits")
    next(stream.batches())
    assert len(folder.asked("read rows")) == 10


def test_deletes_are_a_stream_of_their_own(folder: Folder) -> None:
    folder.put("visits", rows(1, 25), [{"id": number, "seq": 100 + number} for number in range(3)])
    stream = Stream(sourceName="folder", sourceFolder=folder.path, tableName="visits", isDeleteFlow="true")
    assert stream.run() == [[{"id": number, "name": None, "seq": 100 + number} for number in range(3)]]


def test_deletes_of_a_table_in_parts_are_deletes(folder: Folder) -> None:
    folder.put("visits", rows(1, 25), [{"id": 7, "seq": 30}])
    stream = Stream(sourceName="folder_divided", sourceFolder=folder.path, tableName="visits", isDeleteFlow="true")
    assert all_ids(stream.run()) == [7]


def test_a_table_in_parts_is_read_in_parts(folder: Folder) -> None:
    folder.put("visits", rows(1, 25))
    source = data_source(sourceName="folder_divided", sourceFolder=folder.path, tableName="visits")
    assert len(source.streamReader(source.schema()).partitions({}, {"seq": 25})) == 2


def test_a_refusal_to_say_what_parts_there_are_is_an_error_and_no_empty_batch(folder: Folder) -> None:
    folder.put("visits", rows(1, 25))
    stream = Stream(
        sourceName="folder_divided",
        sourceFolder=folder.path,
        tableName="visits",
        tableConfigs='{"visits": {"parts": "refused"}}',
    )
    with pytest.raises(ApiError, match="403"):
        stream.run()


@pytest.mark.parametrize("source", ["folder_bounded", "folder_divided"])
def test_a_batch_read_again_after_a_crash_is_the_same(folder: Folder, source: str) -> None:
    folder.put("log", rows(1, 25))
    stream = Stream(sourceName=source, sourceFolder=folder.path, tableName="log")
    first = next(stream.batches())
    folder.put("log", rows(1, 30))
    again, then = stream.run()
    assert again == first
    assert all_ids([then]) == list(range(26, 31))


def test_a_batch_of_the_five_methods_read_again_lacks_nothing(folder: Folder) -> None:
    folder.put("visits", rows(1, 5))
    stream = Stream(sourceName="folder", sourceFolder=folder.path, tableName="visits")
    next(stream.batches())
    folder.put("visits", rows(1, 8))
    batches = stream.run()
    assert {one["id"] for batch in batches for one in batch} == set(range(1, 9))


def test_a_batch_that_was_larger_before_the_crash_lacks_nothing(folder: Folder) -> None:
    folder.put("log", rows(1, 25))
    stream = Stream(sourceName="folder", sourceFolder=folder.path, tableName="log")
    next(stream.batches(tableConfigs='{"log": {"pageSize": 20}}'))
    batches = stream.run(tableConfigs='{"log": {"pageSize": 4}}')
    assert all_ids(batches) == list(range(1, 26))


@pytest.mark.parametrize(("table", "options"), [("log", {}), ("visits", {"appendOnly": "true"})])
def test_rows_are_never_appended_twice(folder: Folder, table: str, options: dict[str, str]) -> None:
    folder.put(table, rows(1, 5))
    stream = Stream(sourceName="folder", sourceFolder=folder.path, tableName=table, **options)
    next(stream.batches())
    folder.put(table, rows(1, 8))
    with pytest.raises(OffsetError, match=rf"'{table}' was interrupted.*\n.*full refresh"):
        stream.run()


@pytest.mark.parametrize(("options", "came"), [({}, [["p1"], ["p1"], []]), ({"appendOnly": "true"}, [[], ["p1"], []])])
def test_rows_that_may_come_with_two_runs_are_held_back_where_they_are_appended(
    options: dict[str, str], came: list[list[str]]
) -> None:
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=timezone.utc))
    with FhirServer(behaviour=FhirBehaviour(types=("Patient",)), clock=clock) as server:
        stream = Stream(sourceName="fhir", base_url=server.url, lag_seconds=60, tableName="Patient", **options)
        clock.advance(100)
        server.put({"resourceType": "Patient", "id": "p1"})
        clock.advance(1)
        runs = []
        for _ in came:
            runs.append([one["id"] for batch in stream.run() for one in batch])
            clock.advance(100)
    assert runs == came


def test_rows_without_progress_are_an_error_and_do_not_stop_the_stream_for_good(folder: Folder) -> None:
    stream = Stream(sourceName="folder_stuck", sourceFolder=folder.path, tableName="visits")
    with pytest.raises(ContractError, match="records with an offset that did not move"):
        stream.run()
    folder.put("visits", rows(1, 3))
    assert all_ids(stream.run(sourceName="folder")) == [1, 2, 3]


def test_no_offset_is_an_error_and_does_not_reach_the_checkpoint(folder: Folder) -> None:
    stream = Stream(sourceName="folder_no_offset", sourceFolder=folder.path, tableName="visits")
    with pytest.raises(ContractError, match="gave None as its offset"):
        stream.run()
    assert stream.ends == []


def test_a_run_that_goes_in_circles_ends_with_an_error(folder: Folder) -> None:
    stream = Stream(sourceName="folder_circle", sourceFolder=folder.path, tableName="visits")
    with pytest.raises(ContractError, match="came back to an offset that it had left"):
        stream.run()


def test_a_stream_of_a_snapshot_is_refused(folder: Folder) -> None:
    stream = Stream(sourceName="folder", sourceFolder=folder.path, tableName="rooms")
    with pytest.raises(SourceError, match=r"'rooms' is a snapshot.*\n.*snapshotChanges"):
        stream.run()


def test_the_metadata_are_no_stream(folder: Folder) -> None:
    source = data_source(
        sourceName="folder", sourceFolder=folder.path, tableName="_community_table_metadata", tableNameList="visits"
    )
    with pytest.raises(OptionError, match="is no stream"):
        source.streamReader(source.schema()).initialOffset()


@pytest.mark.parametrize("source", SOURCES)
def test_on_the_driver_a_batch_is_read_before_the_workers_have_it(folder: Folder, source: str) -> None:
    folder.put("visits", rows(1, 25))
    given = data_source(sourceName=source, sourceFolder=folder.path, tableName="visits", readOnDriver="true")
    reader: Any = given.streamReader(given.schema())
    partitions = reader.partitions({}, reader.latestOffset({}, None))
    (folder.path / "visits.json").unlink()
    assert sum(batch.num_rows for part in partitions for batch in reader.read(part)) in (10, 25)


@pytest.mark.parametrize("source", SOURCES)
def test_a_stream_that_does_not_end_sees_what_comes(folder: Folder, source: str) -> None:
    folder.put("visits", rows(1, 5))
    given = data_source(sourceName=source, sourceFolder=folder.path, tableName="visits")
    reader: Any = given.streamReader(given.schema())
    assert reader.latestOffset({}, None) == {"seq": 5}
    folder.put("visits", rows(1, 8))
    assert reader.latestOffset({"seq": 5}, None) == {"seq": 8}


@pytest.mark.parametrize("source", SOURCES)
def test_spark_before_4_2_which_tells_no_start_gets_one_batch_up_to_the_bound(folder: Folder, source: str) -> None:
    folder.put("visits", rows(1, 25))
    given = data_source(sourceName=source, sourceFolder=folder.path, tableName="visits")
    reader: Any = given.streamReader(given.schema())
    end = reader.latestOffset()
    read = [batch for part in reader.partitions(reader.initialOffset(), end) for batch in reader.read(part)]
    assert sum(batch.num_rows for batch in read) == 25
    assert reader.latestOffset() == end


@pytest.mark.parametrize("source", SOURCES)
def test_spark_before_4_2_goes_on_where_the_last_run_ended(folder: Folder, source: str) -> None:
    folder.put("visits", rows(1, 28))
    given = data_source(sourceName=source, sourceFolder=folder.path, tableName="visits")
    reader: Any = given.streamReader(given.schema())
    # This is how those versions tell where the stream is.
    assert reader.partitions({"seq": 25}, {"seq": 25}) == []
    end = reader.latestOffset()
    read = [
        one for part in reader.partitions({"seq": 25}, end) for batch in reader.read(part) for one in batch.to_pylist()
    ]
    assert sorted(one["id"] for one in read) == [26, 27, 28]
