"""The data source in Spark: what is in a source is in a table, over runs, crashes and both kinds of reading."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from tests.folder_system import Folder

from .conftest import Query

pytestmark = pytest.mark.spark


def row(number: int, name: str = "ann") -> dict[str, Any]:
    return {"id": number, "name": name, "seq": number}


def rows(first: int, last: int) -> list[dict[str, Any]]:
    return [row(number) for number in range(first, last + 1)]


def read(spark: SparkSession, **options: Any) -> list[dict[str, Any]]:
    texts = {name: str(value) for name, value in options.items()}
    frame = spark.read.format("lakeflow_connect").options(**texts).load()
    return [one.asDict() for one in frame.collect()]


def test_a_batch_is_the_whole_table(spark: SparkSession, folder: Folder) -> None:
    folder.put("visits", rows(1, 25))
    found = read(spark, sourceName="folder", sourceFolder=folder.path, tableName="visits", batchRows=4)
    assert found == rows(1, 25)


def test_a_connection_of_the_file_is_read_inside_the_source(spark: SparkSession, folder: Folder) -> None:
    folder.put("visits", rows(1, 2))
    connections = folder.path / "connections.yml"
    connections.write_text(f"connections: {{ward: {{source: folder, options: {{sourceFolder: {folder.path}}}}}}}")
    found = read(spark, connectionName="ward", connectionsFile=connections, tableName="visits")
    assert found == rows(1, 2)


def test_the_metadata_of_tables_are_a_table(spark: SparkSession, folder: Folder) -> None:
    found = read(
        spark,
        sourceName="folder",
        sourceFolder=folder.path,
        tableName="_community_table_metadata",
        tableNameList='["visits", "log"]',
    )
    assert [one["ingestion_type"] for one in found] == ["cdc_with_deletes", "append"]
    assert [one["primary_keys"] for one in found] == [["id"], None]


def test_a_refusal_to_say_what_parts_there_are_fails_the_read(spark: SparkSession, folder: Folder) -> None:
    folder.put("visits", rows(1, 25))
    configs = '{"visits": {"parts": "refused"}}'
    with pytest.raises(PySparkException, match="answered 403"):
        read(spark, sourceName="folder_divided", sourceFolder=folder.path, tableName="visits", tableConfigs=configs)


def test_a_value_that_does_not_fit_is_not_in_what_spark_says(spark: SparkSession, folder: Folder) -> None:
    folder.put("visits", [{"id": "not-a-number", "name": "ann", "seq": 1}])
    with pytest.raises(PySparkException, match=r"table 'visits'.*id") as raised:
        read(spark, sourceName="folder", sourceFolder=folder.path, tableName="visits")
    assert "not-a-number" not in str(raised.value)


@pytest.mark.parametrize("kind", ["folder", "folder_divided"])
def test_runs_of_a_stream_read_every_row_once(spark: SparkSession, folder: Folder, tmp_path: Path, kind: str) -> None:
    query = Query(spark, tmp_path, sourceName=kind, sourceFolder=folder.path, tableName="visits")
    folder.put("visits", rows(1, 25))
    query.run()
    assert query.rows("id") == [(number,) for number in range(1, 26)]
    folder.put("visits", rows(1, 28))
    query.run()
    assert query.rows("id") == [(number,) for number in range(1, 29)]


def test_deletes_of_a_table_in_parts_are_deletes(spark: SparkSession, folder: Folder, tmp_path: Path) -> None:
    folder.put("visits", rows(1, 25), [{"id": 7, "seq": 30}])
    options = {"sourceName": "folder_divided", "sourceFolder": folder.path, "tableName": "visits"}
    query = Query(spark, tmp_path, **options, isDeleteFlow="true")
    query.run()
    assert query.rows("id", "name", "seq") == [(7, None, 30)]


def test_a_batch_that_failed_is_read_again_as_it_was(spark: SparkSession, folder: Folder, tmp_path: Path) -> None:
    query = Query(spark, tmp_path, sourceName="folder_bounded", sourceFolder=folder.path, tableName="log")
    folder.put("log", rows(1, 5))
    failing = query.frame().where(F.expr("if(id < 5, true, raise_error('the sink is full'))"))
    stream = failing.writeStream.trigger(availableNow=True).option("checkpointLocation", str(tmp_path / "checkpoint"))
    with pytest.raises(PySparkException, match="the sink is full"):
        stream.start(str(tmp_path / "rows")).awaitTermination()
    folder.put("log", rows(1, 9))
    query.run()
    assert query.rows("id") == [(number,) for number in range(1, 10)]


def test_rows_without_progress_fail_the_stream_and_leave_it_whole(
    spark: SparkSession, folder: Folder, tmp_path: Path
) -> None:
    query = Query(spark, tmp_path, sourceName="folder_stuck", sourceFolder=folder.path, tableName="visits")
    with pytest.raises(PySparkException, match="records with an offset that did not move"):
        query.run()
    folder.put("visits", rows(1, 3))
    query.run(sourceName="folder")
    assert query.rows("id") == [(1,), (2,), (3,)]


def test_on_the_driver_no_worker_reaches_the_source(spark: SparkSession, folder: Folder, tmp_path: Path) -> None:
    folder.put("visits", rows(1, 25))
    options = {"sourceName": "folder_divided", "sourceFolder": folder.path, "tableName": "visits"}
    query = Query(spark, tmp_path, **options, readOnDriver="true")
    query.run()
    assert query.rows("id") == [(number,) for number in range(1, 26)]
    (driver,) = {line["process"] for line in folder.asked("read rows")}
    assert driver != os.getpid()


def test_a_snapshot_is_a_stream_of_its_changes(spark: SparkSession, folder: Folder, tmp_path: Path) -> None:
    query = Query(
        spark,
        tmp_path,
        sourceName="folder",
        sourceFolder=folder.path,
        tableName="rooms",
        snapshotChanges="true",
        stateFolder=tmp_path / "state",
    )
    folder.put("rooms", [row(1), row(2)])
    query.run()
    folder.put("rooms", [row(2, "bob"), row(3)])
    query.run()
    assert [one[1:] for one in query.rows("_snapshot_time", "id", "name", "_deleted")] == [
        (1, "ann", False),
        (2, "ann", False),
        (1, None, True),
        (2, "bob", False),
        (3, "ann", False),
    ]
    assert len({one[0] for one in query.rows("_snapshot_time")}) == 2
