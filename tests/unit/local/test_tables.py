"""Tables are read by what Spark has committed, not by what lies in their folders."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connector_lib.errors import UsageError, WarehouseError
from connector_lib.local.tables import count_rows, find_table, read_rows
from connector_lib.local.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    place = Warehouse(tmp_path, "id")
    place.tables.mkdir()
    place.checkpoints.mkdir()
    return place


def write_file(table: Path, name: str, **columns: list[object]) -> Path:
    table.mkdir(parents=True, exist_ok=True)
    path = table / f"{name}.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def write_log(table: Path, batch: str, *files: Path) -> None:
    log = table / "_spark_metadata"
    log.mkdir(exist_ok=True)
    entries = [json.dumps({"path": file.as_uri(), "action": "add"}) for file in files]
    (log / batch).write_text("\n".join(["v1", *entries]))


def values(warehouse: Warehouse, name: str) -> list[object]:
    found: list[object] = read_rows(find_table(warehouse, name), 100)["a"].to_pylist()
    return found


def test_a_stream_has_the_files_of_its_log_and_no_orphans(warehouse: Warehouse) -> None:
    table = warehouse.tables / "lines and more"
    first, _orphan = write_file(table, "1", a=[1, 2]), write_file(table, "2", a=[3])
    write_log(table, "0", first)
    assert values(warehouse, "lines and more") == [1, 2]
    assert count_rows(find_table(warehouse, "lines and more")) == 2


def test_a_compacted_log_stands_for_all_before_it(warehouse: Warehouse) -> None:
    table = warehouse.tables / "lines"
    files = [write_file(table, str(number), a=[number]) for number in range(4)]
    write_log(table, "8", files[0])
    write_log(table, "9.compact", files[0], files[1], files[2])
    write_log(table, "10", files[3])
    assert sorted(map(str, values(warehouse, "lines"))) == ["0", "1", "2", "3"]


def test_a_stream_without_a_finished_batch_has_no_rows(warehouse: Warehouse) -> None:
    write_file(warehouse.tables / "lines", "1", a=[1])
    (warehouse.checkpoints / "p" / "_checkpoints" / "spark_catalog" / "default" / "lines").mkdir(parents=True)
    assert count_rows(find_table(warehouse, "lines")) == 0


def test_a_view_has_all_its_files_but_hidden_ones(warehouse: Warehouse) -> None:
    table = warehouse.tables / "totals"
    write_file(table, "1", a=[1])
    write_file(table / "_temporary", "2", a=[2])
    (table / "_SUCCESS").touch()
    assert values(warehouse, "totals") == [1]


def test_a_column_that_came_later_is_null_before(warehouse: Warehouse) -> None:
    table = warehouse.tables / "totals"
    write_file(table, "1", a=[1])
    write_file(table, "2", a=[2], b=["x"])
    assert read_rows(find_table(warehouse, "totals"), 100).to_pylist() == [
        {"a": 1, "b": None},
        {"a": 2, "b": "x"},
    ]


def test_a_lost_file_is_an_error(warehouse: Warehouse) -> None:
    table = warehouse.tables / "lines"
    write_log_of = write_file(table, "1", a=[1])
    write_log(table, "0", write_log_of)
    write_log_of.unlink()
    with pytest.raises(WarehouseError, match="has lost 1 of its 1 files"):
        values(warehouse, "lines")


def test_a_table_of_another_database_has_its_name_before_it(warehouse: Warehouse) -> None:
    write_file(warehouse.tables / "lab.db" / "totals", "1", a=[1])
    assert values(warehouse, "LAB.totals") == [1]


def test_an_unknown_table_names_the_nearest_and_all(warehouse: Warehouse) -> None:
    for name in ("adt", "orders"):
        write_file(warehouse.tables / name, "1", a=[1])
    with pytest.raises(UsageError) as error:
        find_table(warehouse, "order")
    assert error.value.hint == "did you mean 'orders'? tables there: adt, orders"
