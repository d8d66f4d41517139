"""A snapshot as a stream of what changed since the last one."""

from __future__ import annotations

import importlib
import json
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql.types import ArrayType, LongType, StringType, StructField, StructType, TimestampType

from connector_lib.datasource.connect import ReadRequest
from connector_lib.datasource.converters import compile_converter
from connector_lib.datasource.snapshot_changes import SnapshotChangesReader
from connector_lib.datasource.snapshot_keys import KeyColumns
from connector_lib.datasource.snapshot_state import SnapshotVersion, remove_all_but, write_version
from connector_lib.errors import ContractError, OffsetError, OptionError, SourceError
from tests.folder_system import Folder

from .conftest import Stream, data_source


def row(number: int, name: str = "ann") -> dict[str, Any]:
    return {"id": number, "name": name, "seq": 1}


@pytest.fixture
def stream(folder: Folder, tmp_path: Path) -> Stream:
    return Stream(
        sourceName="folder",
        sourceFolder=folder.path,
        tableName="rooms",
        snapshotChanges="true",
        stateFolder=tmp_path / "state",
    )


def changes(batches: list[list[dict[str, Any]]]) -> list[tuple[Any, ...]]:
    return sorted((one["id"], one["name"], one["_deleted"]) for batch in batches for one in batch)


def files(folder: Path) -> list[str]:
    return sorted(file.name.partition(".")[2] for file in folder.iterdir())


def test_in_the_first_snapshot_everything_is_new(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(1), row(2)])
    assert changes(stream.run()) == [(1, "ann", False), (2, "ann", False)]


def test_later_snapshots_give_what_is_new_changed_or_gone(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(1), row(2), row(3)])
    stream.run()
    folder.put("rooms", [row(1), row(2, "bob"), row(4)])
    assert changes(stream.run()) == [(2, "bob", False), (3, None, True), (4, "ann", False)]


def test_a_run_takes_one_snapshot(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(1)])
    read = []
    for batch in stream.batches():
        read.append(batch)
        folder.put("rooms", [row(1), row(2)])
    assert changes(read) == [(1, "ann", False)]
    assert changes(stream.run()) == [(2, "ann", False)]


def test_a_run_that_asks_twice_gets_the_same_answer(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(1)])
    source = data_source(**stream.options)
    reader: Any = source.streamReader(source.schema())
    reader.prepareForTriggerAvailableNow()
    end = reader.latestOffset({}, None)
    folder.put("rooms", [row(2)])
    assert reader.latestOffset({}, None) == end
    (partition,) = reader.partitions({}, end)
    assert changes([batch.to_pylist() for batch in reader.read(partition)]) == [(1, "ann", False)]


def test_a_snapshot_that_changed_nothing_is_no_batch(folder: Folder, stream: Stream, tmp_path: Path) -> None:
    folder.put("rooms", [row(1), row(2)])
    stream.run()
    folder.put("rooms", [row(2), row(1)])
    assert stream.run() == []
    assert len(stream.ends) == 1
    assert files(tmp_path / "state") == ["sqlite"]


def test_a_row_that_was_gone_and_is_back_is_new(folder: Folder, stream: Stream) -> None:
    for there, expected in (
        ([row(1), row(2)], [(1, "ann", False), (2, "ann", False)]),
        ([row(1)], [(2, None, True)]),
        ([row(1), row(2)], [(2, "ann", False)]),
    ):
        folder.put("rooms", there)
        assert changes(stream.run()) == expected


def test_only_the_columns_of_the_table_count(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [{**row(1), "fetched": 1}])
    stream.run()
    folder.put("rooms", [{**row(1), "fetched": 2}])
    assert stream.run() == []


def test_with_a_rescued_data_column_all_that_a_record_has_counts(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [{**row(1), "fetched": 1}])
    stream.run(rescuedDataColumn="_rescued")
    folder.put("rooms", [{**row(1), "fetched": 2}])
    ((again,),) = stream.run(rescuedDataColumn="_rescued")
    assert json.loads(again["_rescued"])["fetched"] == 2


def test_a_batch_read_again_after_a_crash_is_the_same_whatever_the_source_has_become(
    folder: Folder, stream: Stream
) -> None:
    folder.put("rooms", [row(1), row(2)])
    stream.run()
    folder.put("rooms", [row(2, "bob")])
    first = next(stream.batches())
    folder.put("rooms", [row(3)])
    again, then = stream.run()
    assert again == first
    assert changes([then]) == [(2, None, True), (3, "ann", False)]


def test_a_crash_before_the_offset_was_written_loses_nothing(folder: Folder, stream: Stream, tmp_path: Path) -> None:
    folder.put("rooms", [row(1)])
    stream.run()
    folder.put("rooms", [row(2)])
    source = data_source(**stream.options)
    reader: Any = source.streamReader(source.schema())
    reader.latestOffset(json.loads(stream.ends[-1]), None)
    assert changes(stream.run()) == [(1, None, True), (2, "ann", False)]
    assert files(tmp_path / "state") == ["sqlite"]


def test_only_what_the_next_run_needs_is_kept(folder: Folder, stream: Stream, tmp_path: Path) -> None:
    for number in range(4):
        folder.put("rooms", [row(number)])
        stream.run()
    assert files(tmp_path / "state") == ["sqlite"]


def test_two_streams_may_share_a_folder(folder: Folder, stream: Stream) -> None:
    other = Stream(**stream.options)
    folder.put("rooms", [row(1)])
    stream.run()
    other.run()
    folder.put("rooms", [row(2)])
    expected = [(1, None, True), (2, "ann", False)]
    assert changes(stream.run()) == changes(other.run()) == expected


def test_without_its_state_a_stream_asks_for_a_full_refresh(folder: Folder, stream: Stream, tmp_path: Path) -> None:
    folder.put("rooms", [row(1)])
    stream.run()
    for file in (tmp_path / "state").iterdir():
        file.unlink()
    with pytest.raises(OffsetError, match=r"not in .*state any more\n.*full refresh"):
        stream.run()


def test_a_full_refresh_gives_everything_anew(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(1)])
    stream.run()
    assert changes(Stream(**stream.options).run()) == [(1, "ann", False)]


def test_a_snapshot_without_rows_is_an_error_and_deletes_nothing(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(1)])
    stream.run()
    folder.put("rooms", [])
    with pytest.raises(SourceError, match=r"has no rows\n.*allowEmptySnapshot"):
        stream.run()
    assert changes(stream.run(allowEmptySnapshot="true")) == [(1, None, True)]


def test_rows_that_are_equal_are_one(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(1), row(1)])
    assert changes(stream.run()) == [(1, "ann", False)]


def test_two_rows_of_one_key_that_differ_are_an_error_which_shows_no_value(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(4711), row(4711, "bob")])
    with pytest.raises(SourceError, match=r"two rows of one key.*key columns: id") as raised:
        stream.run()
    assert "4711" not in str(raised.value)


@pytest.mark.parametrize(("key", "words"), [(None, "no value in its key column 'id'"), ("x1", "table 'rooms'.*'id'")])
def test_a_key_that_tells_no_row_is_an_error(folder: Folder, stream: Stream, key: object, words: str) -> None:
    folder.put("rooms", [{**row(1), "id": key}])
    with pytest.raises(SourceError, match=words) as raised:
        stream.run()
    assert "x1" not in str(raised.value)


def test_an_error_leaves_nothing_behind(folder: Folder, stream: Stream, tmp_path: Path) -> None:
    folder.put("rooms", [row(1), {**row(2), "id": None}])
    with pytest.raises(SourceError):
        stream.run()
    assert files(tmp_path / "state") == []


def test_other_keys_ask_for_a_full_refresh(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(1)])
    stream.run()
    with pytest.raises(OffsetError, match=r"had other key columns: id bigint\n.*full refresh"):
        stream.run(primaryKeys="id,name")


def test_a_key_that_is_no_column_is_named(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(1)])
    with pytest.raises(OptionError, match=r"no column 'idd'.*\n.*'id'"):
        stream.run(primaryKeys="idd")


def test_keys_of_the_connector_are_taken_where_none_are_given(
    folder: Folder, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_sources = importlib.import_module("folder_sources")
    folder.put("rooms", [row(1)])
    monkeypatch.setitem(folder_sources.KINDS, "rooms", {"ingestion_type": "snapshot"})
    with pytest.raises(OptionError, match="'rooms' names no primary keys"):
        stream.run()
    assert changes(stream.run(primaryKeys='["id"]')) == [(1, "ann", False)]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"tableName": "visits"}, "'visits' is no snapshot, but 'cdc_with_deletes'"),
        ({"isDeleteFlow": "true"}, "exclude each other"),
        ({"stateFolder": ""}, "needs the option stateFolder"),
    ],
)
def test_what_makes_no_sense_together_is_refused(stream: Stream, changed: dict[str, str], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        stream.run(**changed)


def test_changes_are_no_batch(stream: Stream) -> None:
    source = data_source(**stream.options)
    with pytest.raises(OptionError, match=r"snapshotChanges is for spark.readStream"):
        source.reader(source.schema())


def test_the_time_of_a_snapshot_is_later_than_that_of_the_one_before(folder: Folder, stream: Stream) -> None:
    source = data_source(**stream.options)
    moments = iter([datetime(2026, 3, 1, hour, tzinfo=timezone.utc) for hour in (12, 11, 10)])
    place: dict[str, Any] = {}
    times = []
    for number in range(3):
        folder.put("rooms", [row(number)])
        reader = SnapshotChangesReader(ReadRequest.of(source.options), source.schema(), now=lambda: next(moments))
        place = reader.latestOffset(place, None)
        times.append(place["time"])
    assert times == [f"2026-03-01T12:00:00.{number:06}+00:00" for number in range(3)]


def test_spark_before_4_2_goes_on_where_the_last_run_ended(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(1)])
    stream.run()
    folder.put("rooms", [row(2)])
    source = data_source(**stream.options)
    reader: Any = source.streamReader(source.schema())
    start = json.loads(stream.ends[-1])
    assert reader.partitions(start, start) == []
    end = reader.latestOffset()
    (partition,) = reader.partitions(start, end)
    assert changes([batch.to_pylist() for batch in reader.read(partition)]) == [(1, None, True), (2, "ann", False)]


def test_the_changes_can_be_read_on_the_driver(folder: Folder, stream: Stream) -> None:
    folder.put("rooms", [row(1)])
    assert changes(stream.run(readOnDriver="true")) == [(1, "ann", False)]


COLUMNS = StructType(
    [
        StructField("id", LongType()),
        StructField("at", TimestampType()),
        StructField("code", StructType([StructField("system", StringType()), StructField("value", LongType())])),
        StructField("tags", ArrayType(StringType())),
        StructField("a.b", StringType()),
    ]
)
KEYED = KeyColumns("rooms", COLUMNS, ["id"])


def written(folder: Path, name: str, records: list[dict[str, Any]], before: str | None, **options: Any) -> list[Any]:
    version = SnapshotVersion(folder, name)
    options = {"keys": KEYED, "columns": None, "table": "rooms", **options}
    number = write_version(
        version, records, before=None if before is None else SnapshotVersion(folder, before), **options
    )
    found = list(version.changes())
    assert len(found) == number
    return found


def test_nested_keys_come_back_nested(tmp_path: Path) -> None:
    keys = KeyColumns("rooms", COLUMNS, ["code.system", "code.value"])
    coded = {"code": {"system": "loinc", "value": 7}, "text": "x"}
    written(tmp_path, "a-1", [coded], None, keys=keys)
    other = {"code": {"system": "loinc", "value": 8}}
    _, gone = written(tmp_path, "a-2", [other], "a-1", keys=keys)
    assert gone == {"code": {"system": "loinc", "value": 7}, "_deleted": True}


def test_a_key_with_a_dot_in_its_name_is_a_column(tmp_path: Path) -> None:
    keys = KeyColumns("rooms", COLUMNS, ["a.b"])
    written(tmp_path, "a-1", [{"a.b": "x"}], None, keys=keys)
    assert written(tmp_path, "a-2", [], "a-1", keys=keys) == [{"a.b": "x", "_deleted": True}]


def test_a_key_written_in_two_ways_is_one_key(tmp_path: Path) -> None:
    written(tmp_path, "a-1", [{"id": 7, "name": "x"}], None)
    assert written(tmp_path, "a-2", [{"id": "7", "name": "y"}], "a-1") == [{"id": "7", "name": "y", "_deleted": False}]
    (change,) = written(tmp_path, "a-3", [{"id": Decimal("7.0"), "name": "y"}], "a-2")
    assert (change["name"], change["_deleted"]) == ("y", False)


def test_a_time_is_the_same_key_in_every_zone(tmp_path: Path) -> None:
    keys = KeyColumns("rooms", COLUMNS, ["at"])
    written(tmp_path, "a-1", [{"at": "2026-03-01T12:00:00Z"}], None, keys=keys)
    (change,) = written(tmp_path, "a-2", [{"at": "2026-03-01T13:00:00+01:00"}], "a-1", keys=keys)
    assert change["_deleted"] is False


def test_a_key_whose_type_became_another_asks_for_a_full_refresh(tmp_path: Path) -> None:
    written(tmp_path, "a-1", [{"id": 7}], None)
    texts = KeyColumns("rooms", StructType([StructField("id", StringType())]), ["id"])
    with pytest.raises(OffsetError, match=r"key columns: id bigint\n.*full refresh"):
        written(tmp_path, "a-2", [{"id": 7}], "a-1", keys=texts)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("code", r"'code' .* no single values\n.*code\.id"),
        ("tags", "'tags' .* no single values"),
        ("code.valu", "no column 'code.valu'"),
        ("id.x", "no column 'id.x'"),
    ],
)
def test_a_column_that_can_be_no_key_is_named(name: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        KeyColumns("rooms", COLUMNS, [name])


def test_null_and_not_there_are_the_same(tmp_path: Path) -> None:
    written(tmp_path, "a-1", [{"id": 1, "name": None}], None)
    assert written(tmp_path, "a-2", [{"id": 1}], "a-1") == []


def test_values_that_are_no_json_are_kept_as_texts_that_columns_take(tmp_path: Path) -> None:
    record = {"id": 1, "at": datetime(2026, 3, 1, tzinfo=timezone.utc), "scan": b"\x00\xff"}
    (change,) = written(tmp_path, "a-1", [record], None)
    assert change == {"id": 1, "at": "2026-03-01T00:00:00+00:00", "scan": "AP8=", "_deleted": False}
    with pytest.raises(ContractError, match="of the type set"):
        written(tmp_path, "a-2", [{"id": 1, "tags": {1}}], None)


def test_a_row_is_in_the_table_as_if_it_were_read_without_changes(tmp_path: Path) -> None:
    columns = StructType([StructField("id", LongType()), StructField("resource", StringType())])
    resource = {"z": 1, "dose": {"value": Decimal("1.50"), "low": [Decimal("-0.0"), 7]}, "a": "decimal-1.50"}
    records = [{"id": 1, "resource": resource}, {"id": 2, "resource": {"share": 1e-07, "many": 1e22}}]
    found = written(tmp_path, "a-1", records, None, columns=columns.fieldNames())
    converter = compile_converter(columns)
    assert converter.to_batch(found).to_pylist() == converter.to_batch(records).to_pylist()


def test_the_order_of_members_is_no_change_and_the_digits_of_a_number_are(tmp_path: Path) -> None:
    written(tmp_path, "a-1", [{"id": 1, "dose": {"low": Decimal("1.50"), "high": 2}}], None)
    assert written(tmp_path, "a-2", [{"dose": {"high": 2, "low": Decimal("1.50")}, "id": 1}], "a-1") == []
    (change,) = written(tmp_path, "a-3", [{"id": 1, "dose": {"low": Decimal("1.5"), "high": 2}}], "a-2")
    assert str(change["dose"]["low"]) == "1.5"


def test_a_decimal_key_of_a_row_that_is_gone_comes_back_with_its_digits(tmp_path: Path) -> None:
    keys = KeyColumns("rooms", COLUMNS, ["a.b"])
    written(tmp_path, "a-1", [{"a.b": Decimal("1.50")}], None, keys=keys)
    (change,) = written(tmp_path, "a-2", [], "a-1", keys=keys)
    assert repr(change) == "{'a.b': Decimal('1.50'), '_deleted': True}"


def test_decimals_that_are_no_numbers_are_those_of_floats(tmp_path: Path) -> None:
    (change,) = written(tmp_path, "a-1", [{"id": 1, "share": Decimal("-Infinity")}], None)
    assert change["share"] == float("-inf")


def test_texts_come_back_as_they_were(tmp_path: Path) -> None:
    texts = ["\ud800", "\x00", "\u2028", "😀", 'a"b\\', "x" * 1_000_000]
    records = [{"id": number, "name": text} for number, text in enumerate(texts)]
    assert [change["name"] for change in written(tmp_path, "a-1", records, None)] == texts


def test_a_version_that_is_not_whole_is_none(tmp_path: Path) -> None:
    def broken() -> Any:
        yield {"id": 1}
        raise OSError("the line went dead")

    version = SnapshotVersion(tmp_path, "a-1")
    with pytest.raises(OSError, match="dead"):
        write_version(version, broken(), before=None, table="rooms", keys=KEYED, columns=None)
    assert not version.exists()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OffsetError):
        list(version.changes())


def test_versions_of_other_streams_are_left_alone(tmp_path: Path) -> None:
    for name in ("a-1", "a-2", "b-1"):
        written(tmp_path, name, [{"id": 1}], None)
    remove_all_but(SnapshotVersion(tmp_path, "a-2"), "a")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a-2.sqlite", "b-1.changes.jsonl.gz", "b-1.sqlite"]
    assert written(tmp_path, "a-3", [{"id": 2}], "a-2") == [
        {"id": 2, "_deleted": False},
        {"id": 1, "_deleted": True},
    ]
    with pytest.raises(OffsetError, match="full refresh"):
        list(SnapshotVersion(tmp_path, "a-2").changes())


snapshots = st.lists(
    st.dictionaries(
        st.integers(0, 6), st.fixed_dictionaries({}, optional={"name": st.text(max_size=3), "deep": st.booleans()})
    ),
    min_size=1,
    max_size=5,
)


@given(taken=snapshots)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_changes_applied_to_the_last_snapshot_are_the_next(
    taken: list[dict[int, dict[str, Any]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("state")
    there: dict[int, dict[str, Any]] = {}
    before: str | None = None
    for number, snapshot in enumerate(taken):
        name = f"a-{number}"
        records = [{"id": key, **values} for key, values in snapshot.items()]
        for change in written(folder, name, records, before):
            key, deleted = change.pop("id"), change.pop("_deleted")
            if deleted:
                del there[key]
            else:
                assert there.get(key) != change
                there[key] = change
        assert there == snapshot
        before = name
