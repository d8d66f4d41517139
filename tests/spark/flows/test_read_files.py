"""Files on disk through a pipeline of real Spark: what arrives, and what does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark import pipelines as dp
from pyspark.sql import DataFrame, Row, SparkSession

from connector_lib.errors import ConfigurationError
from connector_lib.flows.files import read_files
from connector_lib.flows.runtime import int_setting, recording_sources, required_setting, setting

pytestmark = pytest.mark.spark
RunPipeline = Callable[..., None]
ODD_NAMES = (
    "a b.hl7",
    "umläut ß.hl7",
    "p%20q.hl7",
    "p%q.hl7",
    "h#x.hl7",
    "plus+.hl7",
    "q?x.hl7",
    "br[1].hl7",
    "cu{a,b}.hl7",
    "back\\s.hl7",
    "quote'\".hl7",
    "a&b=c;d.hl7",
    "emoji😀.hl7",
    "day=2026-01-01/in.hl7",
    "deep/er/in.hl7",
)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "in box%20"
    folder.mkdir()
    return folder


@pytest.fixture
def received(run_pipeline: RunPipeline, spark: SparkSession, inbox: Path) -> Callable[..., list[Row]]:
    """Runs a pipeline of one table that reads the inbox, and gives all rows of that table, by path."""

    def run(**options: Any) -> list[Row]:
        def define() -> None:
            @dp.table
            def received() -> DataFrame:
                return read_files(str(inbox), **options).select("_place.*", "_about.*", "content", "problem")

        run_pipeline(define)
        return spark.read.table("flows_test.received").orderBy("_source_file").collect()

    return run


def contents(rows: list[Row]) -> dict[str, bytes | None]:
    return {Path(row._source_file).name: row.content and bytes(row.content) for row in rows}


@pytest.mark.parametrize("format", ["binaryFile", "text"])
def test_a_row_names_its_file_by_a_path_that_can_be_opened(
    format: str, inbox: Path, received: Callable[..., list[Row]]
) -> None:
    for name in ODD_NAMES:
        (inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_text(name, encoding="utf-8")
    rows = received(format=format)
    assert sorted(row._source_file for row in rows) == sorted(str(inbox / name) for name in ODD_NAMES)
    for row in rows:
        opened = Path(row._source_file)
        assert bytes(row.content) == opened.read_bytes()
        assert row._file_size == opened.stat().st_size
        assert row.problem is None


def test_both_formats_give_the_same_columns(run_pipeline: RunPipeline, spark: SparkSession, inbox: Path) -> None:
    def define() -> None:
        @dp.table
        def as_bytes() -> DataFrame:
            return read_files(str(inbox))

        @dp.table
        def as_text() -> DataFrame:
            return read_files(str(inbox), format="text")

    run_pipeline(define)
    as_bytes = spark.read.table("flows_test.as_bytes").schema
    assert as_bytes == spark.read.table("flows_test.as_text").schema
    assert as_bytes.simpleString() == (
        "struct<_place:struct<_source_file:string>,_about:struct<_file_size:bigint>,content:binary,problem:string>"
    )


def test_bytes_arrive_as_they_are(inbox: Path, received: Callable[..., list[Row]]) -> None:
    every_byte = bytes(range(256)) * 3
    (inbox / "all.bin").write_bytes(every_byte)
    assert contents(received()) == {"all.bin": every_byte}


@pytest.mark.parametrize("format", ["binaryFile", "text"])
def test_a_file_above_the_limit_comes_by_name_without_content(
    format: str, inbox: Path, received: Callable[..., list[Row]]
) -> None:
    (inbox / "just.hl7").write_bytes(b"x" * 100)
    (inbox / "over.hl7").write_bytes(b"x" * 101)
    rows = received(format=format, max_file_bytes=100)
    assert contents(rows) == {"just.hl7": b"x" * 100, "over.hl7": None}
    assert [row._file_size for row in rows] == [100, 101]
    assert [row.problem for row in rows] == [
        None,
        "101 bytes: more than a file may have. Split it, or raise source.max_file_bytes and send it under a new name",
    ]


@pytest.mark.parametrize("format", ["binaryFile", "text"])
def test_no_byte_of_a_file_above_the_limit_is_read(
    format: str, inbox: Path, received: Callable[..., list[Row]]
) -> None:
    # More than an array of the JVM holds: reading it would end the flow. The file is sparse.
    with (inbox / "huge.hl7").open("wb") as file:
        file.truncate(3 * 1024**3)
    (inbox / "small.hl7").write_bytes(b"MSH")
    assert contents(received(format=format)) == {"huge.hl7": None, "small.hl7": b"MSH"}


def test_folders_by_year_month_day_and_hour_are_read_as_firehose_makes_them(
    inbox: Path, received: Callable[..., list[Row]]
) -> None:
    written = ("2026/11/21/14/hl7-1-2026-11-21-14-58-03-3c5e", "2026/11/21/15/hl7-1-2026-11-21-15-00-07-9aa1.gz")
    for name in written:
        (inbox / name).parent.mkdir(parents=True)
        (inbox / name).write_bytes(name.encode())
    assert [row._source_file for row in received()] == [str(inbox / name) for name in written]


def test_a_second_run_reads_only_new_files(inbox: Path, received: Callable[..., list[Row]]) -> None:
    (inbox / "1.hl7").write_bytes(b"one")
    received()
    (inbox / "2.hl7").write_bytes(b"two")
    assert contents(received()) == {"1.hl7": b"one", "2.hl7": b"two"}


def test_a_file_is_read_however_old_it_is(inbox: Path, received: Callable[..., list[Row]]) -> None:
    (inbox / "new.hl7").write_bytes(b"new")
    received()
    for year, seconds_since_1970 in ((2001, 1_000_000_000), (1970, 0), (1966, -100_000_000)):
        (inbox / f"{year}.hl7").write_bytes(b"late")
        os.utime(inbox / f"{year}.hl7", (seconds_since_1970, seconds_since_1970))
    assert list(contents(received())) == ["1966.hl7", "1970.hl7", "2001.hl7", "new.hl7"]


def test_a_file_that_changes_after_it_was_read_is_not_read_again(
    inbox: Path, received: Callable[..., list[Row]]
) -> None:
    (inbox / "1.hl7").write_bytes(b"one")
    received()
    (inbox / "1.hl7").write_bytes(b"one and more")
    os.utime(inbox / "1.hl7", (4_000_000_000, 4_000_000_000))
    assert contents(received()) == {"1.hl7": b"one"}


def test_hidden_files_and_folders_are_left_out_and_read_when_renamed(
    inbox: Path, received: Callable[..., list[Row]]
) -> None:
    (inbox / "_work").mkdir()
    for name in ("_adt.hl7", ".adt.hl7", "adt.hl7._COPYING_", "_work/adt.hl7"):
        (inbox / name).write_bytes(b"MSH")
    assert contents(received()) == {}
    (inbox / "_adt.hl7").rename(inbox / "adt.hl7")
    assert contents(received()) == {"adt.hl7": b"MSH"}


def test_an_empty_file_gives_no_row_but_its_folder_is_recorded(inbox: Path, received: Callable[..., list[Row]]) -> None:
    (inbox / "empty.hl7").touch()
    with recording_sources() as folders:
        assert received(pattern="*.hl7") == []
    assert [(folder.path, folder.pattern) for folder in folders] == [(str(inbox), "*.hl7")]


def test_a_pattern_chooses_among_names_at_every_depth(inbox: Path, received: Callable[..., list[Row]]) -> None:
    (inbox / "sub").mkdir()
    for name in ("a.hl7", "b.txt", "c.csv", "sub/d.hl7"):
        (inbox / name).write_bytes(b"MSH")
    assert list(contents(received(pattern="*.{hl7,txt}"))) == ["a.hl7", "b.txt", "d.hl7"]


def test_a_batch_takes_files_up_to_its_limit_and_all_arrive(
    inbox: Path, received: Callable[..., list[Row]], tmp_path: Path
) -> None:
    for number in range(5):
        (inbox / f"{number}.hl7").write_bytes(b"x" * 10)
    assert len(received(max_bytes_per_batch=20)) == 5
    assert len(list((tmp_path / "storage").glob("**/received/0/commits/[0-9]"))) == 3


def test_a_missing_folder_fails_while_the_pipeline_is_read(run_pipeline: RunPipeline, tmp_path: Path) -> None:
    def define() -> None:
        @dp.table
        def received() -> DataFrame:
            return read_files(required_setting("source.storage_path"))

    with pytest.raises(ConfigurationError, match=r"'source\.storage_path' does not exist: .*nowhere"):
        run_pipeline(define, {"source.storage_path": str(tmp_path / "nowhere")})


def test_settings_are_seen_at_module_level_and_in_query_functions(
    run_pipeline: RunPipeline, spark: SparkSession
) -> None:
    seen: dict[str, object] = {}

    def define() -> None:
        seen["module"] = required_setting("flows.word")

        @dp.materialized_view
        def numbers() -> DataFrame:
            seen["query"] = setting("flows.word")
            seen["number"] = int_setting("flows.number", 1)
            return spark.range(1)

    run_pipeline(define, {"flows.word": " a word ", "flows.number": "268435456"})
    assert seen == {"module": "a word", "query": "a word", "number": 268435456}


def test_a_setting_that_is_absent_or_blank_has_its_default(run_pipeline: RunPipeline, spark: SparkSession) -> None:
    def define() -> None:
        assert setting("flows.absent") is None
        assert setting("flows.blank", "*.hl7") == "*.hl7"
        assert int_setting("flows.absent", 7) == 7

        @dp.materialized_view
        def numbers() -> DataFrame:
            return spark.range(1)

    run_pipeline(define, {"flows.blank": "  "})


def test_a_required_setting_that_is_missing_is_named_with_where_to_write_it(
    spark: SparkSession,
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        required_setting("source.storage_path")
    assert "the setting 'source.storage_path' is missing" in str(caught.value)
    assert "configuration:" in caught.value.hint
    assert "--set source.storage_path=" in caught.value.hint


def test_a_setting_that_is_no_number_is_named(spark: SparkSession) -> None:
    spark.conf.set("flows.limit", "256 MB")
    try:
        with pytest.raises(ConfigurationError, match=r"'flows\.limit' must be a whole number, not '256 MB'"):
            int_setting("flows.limit", 1)
    finally:
        spark.conf.unset("flows.limit")
