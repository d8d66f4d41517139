"""A warehouse folder is whole, or it is refused with words on what happened."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from connector_lib.errors import WarehouseError
from connector_lib.local.checkpoints import Writer
from connector_lib.local.warehouse import Warehouse, check_warehouse, open_warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """One that a run of the pipeline 'example' has used, with a streaming table of two batches."""
    made = open_warehouse(tmp_path / "warehouse")
    (made.metastore / "derby").mkdir()
    made.mark_complete()
    checkpoints = made.add_pipeline("example")
    checkpoint = checkpoints / "_checkpoints" / "spark_catalog" / "default" / "lines" / "lines" / "0"
    for folder in (checkpoint / "offsets", checkpoint / "commits", made.tables / "lines" / "_spark_metadata"):
        folder.mkdir(parents=True)
        for batch in ("0", "1"):
            (folder / batch).touch()
    return made


def test_an_untouched_one_opens_again_with_the_same_id(warehouse: Warehouse) -> None:
    assert open_warehouse(warehouse.root).id == warehouse.id


@pytest.mark.parametrize("part", ["tables", "metastore", "metastore/derby", "checkpoints", "checkpoints/example"])
def test_a_missing_part_is_named(warehouse: Warehouse, part: str) -> None:
    shutil.rmtree(warehouse.root / part)
    with pytest.raises(WarehouseError, match="has lost its part"):
        open_warehouse(warehouse.root)


@pytest.mark.parametrize("part", ["tables", "metastore/derby", "checkpoints", "checkpoints/example"])
def test_a_part_of_another_warehouse_is_named(warehouse: Warehouse, tmp_path: Path, part: str) -> None:
    (warehouse.root / part / ".warehouse_id").write_text("another\n")
    with pytest.raises(WarehouseError, match=rf"'{part}' .* belongs to another warehouse"):
        open_warehouse(warehouse.root)


def test_a_moved_one_says_where_it_was(warehouse: Warehouse, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    warehouse.root.rename(moved)
    with pytest.raises(WarehouseError, match=f"was made at '{warehouse.root}' and moved"):
        open_warehouse(moved)


def test_a_lost_checkpoint_of_one_table_is_refused(warehouse: Warehouse) -> None:
    offsets = next(warehouse.checkpoints.glob("**/offsets"))
    (offsets / "1").unlink()
    with pytest.raises(WarehouseError, match=r"checkpoint of the table 'lines' .* is older than the table"):
        open_warehouse(warehouse.root)


def test_a_lost_checkpoint_folder_of_one_table_is_refused(warehouse: Warehouse) -> None:
    shutil.rmtree(next(warehouse.checkpoints.glob("**/lines")))
    with pytest.raises(WarehouseError, match=r"the table 'lines' .* has lost its checkpoint"):
        open_warehouse(warehouse.root)


def test_a_lost_table_is_refused(warehouse: Warehouse) -> None:
    shutil.rmtree(warehouse.tables / "lines")
    with pytest.raises(WarehouseError, match=r"the table 'lines' .* has lost rows"):
        open_warehouse(warehouse.root)


def test_a_batch_that_was_written_and_not_noted_is_fine(warehouse: Warehouse) -> None:
    commits = next(warehouse.checkpoints.glob("**/commits"))
    (commits / "1").unlink()
    open_warehouse(warehouse.root)


LINES = Writer("example", "default", "lines", "lines")


@pytest.mark.parametrize("writer", [LINES, replace(LINES, table="others"), replace(LINES, database="lab")])
def test_the_flow_that_wrote_a_table_goes_on_and_a_new_table_may_be_written(
    warehouse: Warehouse, writer: Writer
) -> None:
    warehouse.check_writer(writer)


@pytest.mark.parametrize("renamed", [replace(LINES, flow="more_lines"), Writer("example", "default", "Lines", "Lines")])
def test_a_flow_that_was_renamed_is_refused_since_its_rows_would_be_passed_over(
    warehouse: Warehouse, renamed: Writer
) -> None:
    with pytest.raises(WarehouseError, match=rf"the flow 'lines' as 'lines', and now by '{renamed.flow}'"):
        warehouse.check_writer(renamed)


def test_a_table_of_another_pipeline_is_refused_with_its_name(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="belongs to the pipeline 'example'") as caught:
        warehouse.check_writer(replace(LINES, pipeline="second"))
    assert "--warehouse DIR" in caught.value.hint


def test_capitals_of_a_database_are_no_other_table(warehouse: Warehouse) -> None:
    checkpoints = warehouse.checkpoints_of("example") / "_checkpoints" / "spark_catalog"
    (checkpoints / "default").rename(checkpoints / "Default")
    open_warehouse(warehouse.root)


def test_a_folder_with_other_things_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(WarehouseError, match=r"it holds 'thesis\.doc'"):
        open_warehouse(tmp_path)


@pytest.mark.parametrize("name", ["my data", "50%", "a#b"])
def test_a_path_that_spark_would_misread_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WarehouseError, match="Spark would write its checkpoints elsewhere"):
        open_warehouse(tmp_path / name)


@pytest.mark.parametrize("name", ["a b/c", "..", "50%", "ä"])
def test_the_checkpoints_of_any_pipeline_name_are_below_the_warehouse(warehouse: Warehouse, name: str) -> None:
    folder = warehouse.add_pipeline(name)
    assert folder.resolve().parent == warehouse.checkpoints
    assert folder.name.isascii()
    assert " " not in folder.name


def test_one_that_was_begun_and_never_ready_is_made_again(tmp_path: Path) -> None:
    begun = open_warehouse(tmp_path / "warehouse")
    (begun.metastore / "half").mkdir()
    again = open_warehouse(tmp_path / "warehouse")
    assert not (again.metastore / "half").exists()


def test_looking_at_one_makes_nothing(tmp_path: Path) -> None:
    assert "none yet" in check_warehouse(tmp_path / "warehouse")
    assert list(tmp_path.iterdir()) == []


def test_the_state_of_sources_is_kept_by_pipeline(warehouse: Warehouse) -> None:
    assert warehouse.source_state_of("a/b") == warehouse.root / "source_state" / "a=2Fb"
