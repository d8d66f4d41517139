"""Tables computed from a change log: what AUTO CDC asks for, on real Spark."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark import pipelines as dp
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from connector_lib.flows import change_log
from connector_lib.flows.cdc import auto_cdc
from connector_lib.flows.change_log import ChangeLog
from tests.auto_cdc_model import Change, Version, all_versions, latest, latest_names, versions

pytestmark = pytest.mark.spark
RunPipeline = Callable[..., None]
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def upsert(sequence: int, name: str | None, arrived: int = 0, note: str | None = None) -> Change:
    return Change(sequence, name, arrived=arrived, note=note)


def delete(sequence: int, arrived: int = 0) -> Change:
    return Change(sequence, deleted=True, arrived=arrived)


HISTORIES: dict[str, tuple[list[Change], str | None, list[Version]]] = {
    "one insert": ([upsert(1, "a")], "a", [Version("a", None, 1, None)]),
    "an update closes the version before": (
        [upsert(1, "a"), upsert(2, "b")],
        "b",
        [Version("a", None, 1, 2), Version("b", None, 2, None)],
    ),
    "a late event takes its place in the history": (
        [upsert(1, "a"), upsert(5, "c"), upsert(3, "b", arrived=1)],
        "c",
        [Version("a", None, 1, 3), Version("b", None, 3, 5), Version("c", None, 5, None)],
    ),
    "a delete closes": ([upsert(1, "a"), delete(2)], None, [Version("a", None, 1, 2)]),
    "a delete of nothing is nothing": ([delete(2)], None, []),
    "a delete before its insert": ([delete(5), upsert(3, "a", arrived=1)], None, [Version("a", None, 3, 5)]),
    "an insert again is a version of its own": (
        [upsert(1, "a"), delete(2), upsert(3, "a")],
        "a",
        [Version("a", None, 1, 2), Version("a", None, 3, None)],
    ),
    "a delete twice": ([upsert(1, "a"), delete(2), delete(4)], None, [Version("a", None, 1, 2)]),
    "an unchanged repeat is the same version": (
        [upsert(1, "a"), upsert(2, "a"), upsert(3, "a")],
        "a",
        [Version("a", None, 1, None)],
    ),
    "the untracked values are those of the last repeat": (
        [upsert(1, "a", note="x"), upsert(2, "a", note="y"), upsert(3, "b", note="z")],
        "b",
        [Version("a", "y", 1, 3), Version("b", "z", 3, None)],
    ),
    "a repeat of null is the same version too": (
        [upsert(1, None), upsert(2, None)],
        None,
        [Version(None, None, 1, None)],
    ),
    "a value and null differ": (
        [upsert(1, "a"), upsert(2, None)],
        None,
        [Version("a", None, 1, 2), Version(None, None, 2, None)],
    ),
    "a delete beats an upsert of the same sequence": (
        [upsert(1, "a"), delete(3), upsert(3, "b", arrived=1)],
        None,
        [Version("a", None, 1, 3)],
    ),
    "of two upserts of one sequence the one that arrived last counts": (
        [upsert(1, "a"), upsert(3, "c"), upsert(3, "b", arrived=1)],
        "b",
        [Version("a", None, 1, 3), Version("b", None, 3, None)],
    ),
    "the same change twice is one": (
        [upsert(1, "a"), upsert(1, "a", arrived=1), delete(2), delete(2, arrived=1)],
        None,
        [Version("a", None, 1, 2)],
    ),
    "a late repeat joins the versions around it": (
        [upsert(1, "a"), upsert(5, "a"), upsert(3, "a", arrived=1)],
        "a",
        [Version("a", None, 1, None)],
    ),
    "a late change parts two equal ones": (
        [upsert(1, "a"), upsert(5, "a"), upsert(3, "b", arrived=1)],
        "a",
        [Version("a", None, 1, 3), Version("b", None, 3, 5), Version("a", None, 5, None)],
    ),
}
LOG = ChangeLog("people", "changes", ("id",), ("at",), untracked=("note",))


def compute(spark: SparkSession, histories: dict[str, list[Change]]) -> tuple[dict[str, Any], dict[str, list[Version]]]:
    """What the two views make of a log that holds ``histories`` by key."""
    rows = [
        (key, change.name, change.note, change.sequence, change.deleted, START + timedelta(hours=change.arrived), 0)
        for key, changes in histories.items()
        for change in changes
    ]
    columns = "id string, name string, note string, at bigint, __deleted boolean, __arrived_at timestamp"
    spark.createDataFrame(rows, f"{columns}, __tie_break bigint").createOrReplaceTempView("people__changes")
    newest = {row.id: row for row in LOG.latest().collect()}
    history: dict[str, list[Version]] = {key: [] for key in histories}
    for row in LOG.versions().collect():
        history[row.id].append(Version(row.name, row.note, row["__START_AT"], row["__END_AT"]))
    return newest, {key: sorted(found, key=lambda version: version.start) for key, found in history.items()}


@pytest.fixture(scope="module")
def computed(spark: SparkSession) -> tuple[dict[str, Any], dict[str, list[Version]]]:
    return compute(spark, {key: changes for key, (changes, _, _) in HISTORIES.items()})


@pytest.mark.parametrize("history", HISTORIES)
def test_scd_type_1(computed: tuple[dict[str, Any], Any], history: str) -> None:
    changes, name, _ = HISTORIES[history]
    expected = latest(changes)
    row = computed[0].get(history)
    assert (row is None) == (expected is None)
    assert (None if row is None else row.name) == name == (None if expected is None else expected.name)


@pytest.mark.parametrize("history", HISTORIES)
def test_scd_type_2(computed: tuple[Any, dict[str, list[Version]]], history: str) -> None:
    changes, _, expected = HISTORIES[history]
    assert computed[1][history] == expected == versions(changes)


def test_the_tables_have_the_columns_of_the_changes_and_no_others(spark: SparkSession) -> None:
    compute(spark, {"a": [upsert(1, "a")]})
    assert LOG.latest().columns == ["id", "name", "note", "at"]
    assert LOG.versions().columns == ["id", "name", "note", "at", "__START_AT", "__END_AT"]


CHANGES = st.builds(
    Change,
    st.integers(0, 6),
    st.sampled_from([None, "a", "b"]),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from([None, "x", "y"]),
)
# Of one sequence and one batch there is one upsert: which of two would count is for the tie break to say.
HISTORY = st.lists(CHANGES, min_size=1, max_size=12, unique_by=lambda each: (each.sequence, each.deleted, each.arrived))


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories=st.lists(HISTORY, min_size=20, max_size=60))
def test_any_history_comes_out_as_in_the_model(histories: list[list[Change]], spark: SparkSession) -> None:
    by_key = {str(number): changes for number, changes in enumerate(histories)}
    newest, history = compute(spark, by_key)
    assert {key: row.name for key, row in newest.items()} == latest_names(by_key)
    assert history == all_versions(by_key)


def test_values_that_cannot_be_compared_are_tracked_to_the_last_digit(spark: SparkSession) -> None:
    values = [
        "(1, map('a', 1), parse_json('[1]'), timestamp'2026-01-01 00:00:00.000001', 1.5d, x'00')",
        "(2, map('a', 1), parse_json('[1]'), timestamp'2026-01-01 00:00:00.000001', 1.5d, x'00')",
        "(3, map('a', 2), parse_json('[1]'), timestamp'2026-01-01 00:00:00.000001', 1.5d, x'00')",
        "(4, map('a', 2), parse_json('[2]'), timestamp'2026-01-01 00:00:00.000001', 1.5d, x'00')",
        "(5, map('a', 2), parse_json('[2]'), timestamp'2026-01-01 00:00:00.000002', 1.5d, x'00')",
        "(6, map('a', 2), parse_json('[2]'), timestamp'2026-01-01 00:00:00.000002', 1.5000000000000002d, x'00')",
        "(7, map('a', 2), parse_json('[2]'), timestamp'2026-01-01 00:00:00.000002', 1.5000000000000002d, x'01')",
    ]
    spark.sql(
        f"SELECT 'k' AS id, *, false AS __deleted, now() AS __arrived_at, 0L AS __tie_break"
        f" FROM VALUES {', '.join(values)} AS t(at, tags, payload, moment, amount, raw)"
    ).createOrReplaceTempView("kinds__changes")
    rows = ChangeLog("kinds", "changes", ("id",), ("at",)).versions().collect()
    assert sorted(row["__START_AT"] for row in rows) == [1, 3, 4, 5, 6, 7]


def test_several_columns_order_changes_from_the_first_to_the_last(spark: SparkSession) -> None:
    spark.sql(
        "SELECT 'k' AS id, *, false AS __deleted, now() AS __arrived_at, 0L AS __tie_break"
        " FROM VALUES (1, 9, 'a'), (2, 1, 'c'), (1, 10, 'b') AS t(day, number, name)"
    ).createOrReplaceTempView("numbered__changes")
    log = ChangeLog("numbered", "changes", ("id",), ("day", "number"))
    assert [row.name for row in log.latest().collect()] == ["c"]
    starts = {row.name: tuple(row["__START_AT"]) for row in log.versions().collect()}
    assert starts == {"a": (1, 9), "b": (1, 10), "c": (2, 1)}


def test_listed_columns_are_all_that_a_table_has_and_tracks(spark: SparkSession) -> None:
    compute(spark, {"a": [upsert(1, "a", note="x"), upsert(2, "a", note="y"), upsert(3, "b", note="y")]})
    log = ChangeLog("people", "changes", ("id",), ("at",), only=("id", "name"))
    assert log.latest().columns == ["id", "name"]
    assert [(row.name, row["__START_AT"]) for row in log.versions().orderBy("__START_AT").collect()] == [
        ("a", 1),
        ("b", 3),
    ]


def test_one_tracked_column_leaves_all_others_untracked(spark: SparkSession) -> None:
    compute(spark, {"a": [upsert(1, "a", note="x"), upsert(2, "b", note="x"), upsert(3, "b", note="y")]})
    log = ChangeLog("people", "changes", ("id",), ("at",), tracked=("note",))
    found = [(row.name, row.note, row["__START_AT"]) for row in log.versions().orderBy("__START_AT").collect()]
    assert found == [("b", "x", 1), ("b", "y", 3)]


def test_a_table_of_keys_alone_has_one_version(spark: SparkSession) -> None:
    compute(spark, {"a": [upsert(1, "a"), upsert(2, "b"), delete(3)]})
    log = ChangeLog("people", "changes", ("id",), ("at",), without=("name", "note"))
    assert [tuple(row) for row in log.versions().collect()] == [("a", 2, 1, 3)]


class Feed:
    """A folder with changes as files of JSON lines, and a pipeline over them."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark = spark
        self.folder = folder
        self.files = 0

    def add(self, *changes: dict[str, Any]) -> None:
        (self.folder / f"{self.files}.json").write_text("\n".join(map(json.dumps, changes)))
        self.files += 1

    def define(self) -> None:
        @dp.temporary_view
        def changes() -> DataFrame:
            return self.spark.readStream.schema("id long, name string, at long, op string").json(str(self.folder))

        auto_cdc("people", "changes", ["id"], "at", apply_as_deletes="op = 'D'", except_column_list=["op"])
        auto_cdc("people_history", "changes", ["id"], "at", scd_type=2, apply_as_deletes="op = 'D'")


def change(key: int | None, at: int | None, name: str | None = None, op: str | None = None) -> dict[str, Any]:
    return {"id": key, "at": at, "name": name, "op": op}


@pytest.fixture
def feed(spark: SparkSession, tmp_path: Path) -> Feed:
    folder = tmp_path / "in"
    folder.mkdir()
    return Feed(spark, folder)


def test_several_runs_follow_the_source(run_pipeline: RunPipeline, feed: Feed, spark: SparkSession) -> None:
    def people() -> list[tuple[Any, ...]]:
        return sorted(tuple(row) for row in spark.read.table("flows_test.people").collect())

    feed.add(change(1, 10, "ann"), change(2, 10, "bob"), change(3, 20, op="D"))
    run_pipeline(feed.define)
    assert people() == [(1, "ann", 10), (2, "bob", 10)]

    feed.add(change(1, 30, "anna"), change(2, 20, op="D"), change(3, 10, "cid"), change(1, 20, "anne"))
    run_pipeline(feed.define)
    assert people() == [(1, "anna", 30)]

    feed.add(change(2, 15, "bert"), change(3, 30, "cyd"), change(1, 40, "anna", "U"))
    run_pipeline(feed.define)
    assert people() == [(1, "anna", 40), (3, "cyd", 30)]

    columns = ("id", "name", "op", "__START_AT", "__END_AT")
    history = spark.read.table("flows_test.people_history").select(*columns).orderBy("id", "__START_AT").collect()
    assert [tuple(row) for row in history] == [
        (1, "ann", None, 10, 20),
        (1, "anne", None, 20, 30),
        (1, "anna", None, 30, 40),
        (1, "anna", "U", 40, None),
        (2, "bob", None, 10, 15),
        (2, "bert", None, 15, 20),
        (3, "cid", None, 10, 20),
        (3, "cyd", None, 30, None),
    ]
    assert spark.read.table("flows_test.people__changes").count() == 10


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("(NULL, 10)", "table `lab`.`people`: a change has no value in its key column `id`"),
        ("(1, NULL)", "table `lab`.`people`: a change has no value in its sequence column `at`"),
    ],
    ids=["key", "sequence"],
)
def test_a_change_without_key_or_sequence_ends_the_flow(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, bad: str, words: str
) -> None:
    # The query of the change log, over a batch: a pipeline takes seconds to say the same.
    monkeypatch.setattr(change_log, "streaming_table", spark.read.table)
    spark.sql(f"SELECT * FROM VALUES (7, 10), {bad} AS t(id, at)").createOrReplaceTempView("changes")
    with pytest.raises(PySparkException) as caught:
        ChangeLog("lab.people", "changes", ("id",), ("at",)).changes().collect()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("deletes", "deleted"), [(None, [False, False]), ("op = 'D'", [True, False]), ("op", [True, False])]
)
def test_what_deletes_is_true_or_false_and_never_null(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, deletes: str | None, deleted: list[bool]
) -> None:
    monkeypatch.setattr(change_log, "streaming_table", spark.read.table)
    value = "true" if deletes == "op" else "'D'"
    spark.sql(f"SELECT * FROM VALUES (1, {value}), (2, NULL) AS t(id, op)").createOrReplaceTempView("changes")
    rows = ChangeLog("people", "changes", ("id",), ("id",), deletes=deletes).changes().orderBy("id").collect()
    assert [row["__deleted"] for row in rows] == deleted
    assert len({row["__tie_break"] for row in rows}) == 2


def test_with_the_setting_native_spark_itself_is_asked_to_merge(run_pipeline: RunPipeline, feed: Feed) -> None:
    feed.add(change(1, 10, "ann"))
    with pytest.raises(PySparkException, match="AUTOCDC_TARGET_DOES_NOT_SUPPORT_MERGE"):
        run_pipeline(feed.define, {"connector.cdc": "native", "spark.sql.pipelines.maxFlowRetryAttempts": "0"})
