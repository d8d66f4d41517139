"""A table read as a batch: all of it, or an error."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql.datasource import InputPartition

from connector_lib.errors import ApiError, ContractError, ConversionError, SourceError, UnknownTableError
from tests.folder_system import Folder

from .conftest import data_source, read_batch


def row(number: int, name: str = "ann") -> dict[str, Any]:
    return {"id": number, "name": name, "seq": number}


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return sorted(one["id"] for one in rows)


def test_a_table_of_many_pages_is_read_to_its_end(folder: Folder) -> None:
    folder.put("visits", [row(number) for number in range(1, 26)])
    rows = read_batch(sourceName="folder", sourceFolder=folder.path, tableName="visits")
    assert rows == [row(number) for number in range(1, 26)]
    assert len(folder.asked("call rows")) == 4


def test_pages_are_read_as_they_are_needed(folder: Folder) -> None:
    folder.put("visits", [row(number) for number in range(1, 26)])
    source = data_source(sourceName="folder", sourceFolder=folder.path, tableName="visits", batchRows=5)
    reader = source.reader(source.schema())
    batches: Any = reader.read(reader.partitions()[0])
    assert next(batches).num_rows == 5
    assert len(folder.asked("call rows")) == 1
    assert len(folder.asked("read rows")) == 5


def test_deletes_are_read_to_their_end(folder: Folder) -> None:
    folder.put("visits", [row(50)], [{"id": number, "seq": number} for number in range(1, 26)])
    rows = read_batch(sourceName="folder", sourceFolder=folder.path, tableName="visits", isDeleteFlow="true")
    assert rows == [{"id": number, "name": None, "seq": number} for number in range(1, 26)]


def test_the_parts_of_a_table_make_the_whole(folder: Folder) -> None:
    folder.put("visits", [row(number) for number in range(1, 26)])
    options = {"sourceName": "folder_divided", "sourceFolder": folder.path, "tableName": "visits"}
    source = data_source(**options)
    assert len(source.reader(source.schema()).partitions()) == 2
    assert ids(read_batch(**options)) == list(range(1, 26))


def test_deletes_are_never_read_in_parts(folder: Folder) -> None:
    folder.put("visits", [row(1), row(2)], [{"id": 3, "seq": 3}])
    rows = read_batch(sourceName="folder_divided", sourceFolder=folder.path, tableName="visits", isDeleteFlow="true")
    assert ids(rows) == [3]


def test_a_refusal_to_say_what_parts_there_are_is_an_error_and_no_empty_table(folder: Folder) -> None:
    folder.put("visits", [row(1)])
    with pytest.raises(ApiError, match="403"):
        read_batch(
            sourceName="folder_divided",
            sourceFolder=folder.path,
            tableName="visits",
            tableConfigs='{"visits": {"parts": "refused"}}',
        )


def test_a_table_without_parts_has_no_rows(folder: Folder) -> None:
    source = data_source(sourceName="folder", sourceFolder=folder.path, tableName="visits")
    reader = source.reader(source.schema())
    assert list(reader.read(InputPartition(None))) == []


@pytest.mark.parametrize("source", ["folder", "folder_divided"])
def test_a_snapshot_without_rows_is_an_error(folder: Folder, source: str) -> None:
    with pytest.raises(SourceError, match="snapshot of the table 'rooms' has no rows"):
        read_batch(sourceName=source, sourceFolder=folder.path, tableName="rooms")


@pytest.mark.parametrize("source", ["folder", "folder_divided"])
def test_a_snapshot_without_rows_is_taken_where_an_option_says_so(folder: Folder, source: str) -> None:
    options = {"sourceName": source, "sourceFolder": folder.path, "tableName": "rooms"}
    assert read_batch(**options, allow_empty_snapshot="true") == []


def test_a_table_that_is_no_snapshot_may_be_empty(folder: Folder) -> None:
    assert read_batch(sourceName="folder", sourceFolder=folder.path, tableName="visits") == []


def test_rows_without_progress_are_an_error(folder: Folder) -> None:
    with pytest.raises(ContractError, match="records with an offset that did not move"):
        read_batch(sourceName="folder_stuck", sourceFolder=folder.path, tableName="visits")


def test_no_offset_is_an_error(folder: Folder) -> None:
    with pytest.raises(ContractError, match="gave None as its offset"):
        read_batch(sourceName="folder_no_offset", sourceFolder=folder.path, tableName="visits")


def test_a_connector_that_cannot_be_sent_to_a_worker_is_told_so(folder: Folder) -> None:
    folder.put("visits", [row(1)])
    options = {"sourceName": "folder_locking", "sourceFolder": folder.path, "tableName": "visits"}
    with pytest.raises(ContractError, match=r"'visits' cannot be sent to a worker: .*\(TypeError\)\n.*__getstate__"):
        read_batch(**options)
    assert ids(read_batch(**options, readOnDriver="true")) == [1]


def test_what_a_connector_says_when_it_does_not_pickle_is_in_no_error(folder: Folder) -> None:
    folder.put("visits", [row(1)])
    with pytest.raises(ContractError) as caught:
        read_batch(sourceName="folder_telling", sourceFolder=folder.path, tableName="visits")
    assert "hush" not in "".join(traceback.format_exception(caught.value))


def test_an_unknown_table_is_named(folder: Folder) -> None:
    with pytest.raises(UnknownTableError, match="'vists'"):
        read_batch(sourceName="folder", sourceFolder=folder.path, tableName="vists")


@pytest.mark.parametrize("source", ["folder", "folder_divided"])
def test_on_the_driver_the_rows_themselves_are_handed_to_the_workers(folder: Folder, source: str) -> None:
    folder.put("visits", [row(number) for number in range(1, 26)])
    given = data_source(sourceName=source, sourceFolder=folder.path, tableName="visits", readOnDriver="true")
    reader = given.reader(given.schema())
    partitions = reader.partitions()
    (folder.path / "visits.json").unlink()
    found = [one for part in partitions for batch in reader.read(part) for one in batch.to_pylist()]  # type: ignore[union-attr]
    assert ids(found) == list(range(1, 26))


def test_rows_read_on_the_driver_are_packed_so_that_no_task_is_too_large(folder: Folder) -> None:
    folder.put("visits", [row(number, "x" * 1_000_000) for number in range(1, 26)])
    given = data_source(
        sourceName="folder", sourceFolder=folder.path, tableName="visits", readOnDriver="true", batchRows=2
    )
    partitions = given.reader(given.schema()).partitions()
    assert len(partitions) == 2


def test_a_value_that_does_not_fit_is_named_by_table_column_and_type_and_not_shown(folder: Folder) -> None:
    folder.put("visits", [{"id": "not-a-number", "name": "ann", "seq": 1}])
    with pytest.raises(ConversionError, match=r"table 'visits'.*id") as raised:
        read_batch(sourceName="folder", sourceFolder=folder.path, tableName="visits")
    assert "not-a-number" not in str(raised.value)


def test_a_value_that_does_not_fit_is_kept_in_the_rescued_data_column(folder: Folder) -> None:
    folder.put("visits", [{"id": "not-a-number", "name": "ann", "seq": 1}])
    (found,) = read_batch(
        sourceName="folder", sourceFolder=folder.path, tableName="visits", rescuedDataColumn="_rescued_data"
    )
    assert (found["id"], found["name"]) == (None, "ann")
    assert "not-a-number" in found["_rescued_data"]


def test_neither_a_partition_nor_a_request_shows_what_a_connection_holds(folder: Folder, tmp_path: Path) -> None:
    connections = tmp_path / "connections.yml"
    connections.write_text(
        f"connections: {{ward: {{source: folder_declaring, options: {{source_folder: {folder.path}, token: hush}}}}}}"
    )
    source = data_source(connectionName="ward", connectionsFile=connections, tableName="visits")
    reader: Any = source.reader(source.schema())
    shown = repr(reader.partitions()) + repr(reader._request)
    assert "visits" in shown
    assert "hush" not in shown
