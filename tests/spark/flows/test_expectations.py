"""Rules over rows on real Spark: NULL never meets a rule, and no row is lost between valid and invalid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark import pipelines as dp
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from connector_lib.flows.expectations import expect, keep_valid, only_invalid

pytestmark = pytest.mark.spark
RunPipeline = Callable[..., None]
ROWS = "VALUES (1, 10), (2, NULL), (3, -5), (NULL, 7) AS t(id, age)"


def query(spark: SparkSession) -> Callable[[], DataFrame]:
    def people() -> DataFrame:
        return spark.sql(f"SELECT * FROM {ROWS}")

    return people


def pairs(rows: DataFrame) -> set[tuple[int | None, int | None]]:
    return {(row.id, row.age) for row in rows.select("id", "age").collect()}


def test_warn_keeps_every_row(spark: SparkSession) -> None:
    kept = expect(warn={"aged": "age >= 0"})(query(spark))()
    assert pairs(kept) == {(1, 10), (2, None), (3, -5), (None, 7)}


def test_drop_leaves_out_rows_that_break_a_rule_or_give_null(spark: SparkSession) -> None:
    kept = expect(drop={"aged": "age >= 0", "known": "id > 0"})(query(spark))()
    assert pairs(kept) == {(1, 10)}


def test_fail_ends_the_query_with_the_names_of_dataset_and_rule_and_no_value(
    spark: SparkSession,
) -> None:
    rows = expect(fail={"it's aged": "age >= -4"}, dataset="patients")(query(spark))()
    with pytest.raises(PySparkException) as caught:
        rows.collect()
    assert "dataset 'patients': a row does not meet the expectation 'it's aged'" in str(caught.value)
    assert "-5" not in str(caught.value)


def test_fail_lets_good_rows_through(spark: SparkSession) -> None:
    rows = expect(fail={"sane": "coalesce(age, 0) > -100"})(query(spark))()
    assert rows.count() == 4


def test_a_row_that_must_fail_does_so_even_if_a_drop_rule_would_leave_it_out(
    spark: SparkSession,
) -> None:
    rows = expect(drop={"known": "id < 3"}, fail={"aged": "age IS NULL OR age >= 0"})(query(spark))()
    with pytest.raises(PySparkException, match="does not meet the expectation 'aged'"):
        rows.collect()


def test_counts_are_observed_under_the_datasets_name_before_rows_are_dropped(
    spark: SparkSession,
) -> None:
    rules = expect(warn={"known": "id > 0"}, drop={"aged": "age >= 0"}, fail={"sane": "coalesce(age, 0) < 200"})
    rows = rules(query(spark))()
    assert len(rows.collect()) == 2
    info = rows.executionInfo
    assert info is not None
    assert info.flows == [("quality:people", {"rows": 4, "warn:known": 1, "drop:aged": 2, "fail:sane": 0})]


def test_invalid_rows_name_the_rules_that_they_break_in_the_order_of_the_rules(
    spark: SparkSession,
) -> None:
    rules = {"known": "id > 0", "aged": "age >= 0", "grown up": "age >= 18"}
    rows = only_invalid(query(spark)(), rules, column="why").collect()
    assert {row.id: row.why for row in rows} == {
        1: ["grown up"],
        2: ["aged", "grown up"],
        3: ["aged", "grown up"],
        None: ["known", "grown up"],
    }


LEAVES = st.sampled_from(
    (
        "a > b",
        "a <> 0",
        "a IS NULL",
        "a = a",
        "a <=> b",
        "a + b > 1",
        "b IN (1, NULL)",
        "s = 'x'",
        "s LIKE '%x'",
        "s <> 'it\\'s'",
        "try_cast(s AS int) > 0",
        "not_null > 3",
        "cast(NULL AS boolean)",
        "true",
    )
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("NOT ({})".format, inner),
        st.builds("({}) AND {}".format, inner, inner),
        st.builds("{} OR {}".format, inner, inner),
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def every_combination(spark: SparkSession) -> DataFrame:
    values = "explode(array(NULL, 0, 1, 2))"
    return spark.sql(
        "SELECT a, b, s, cast(monotonically_increasing_id() AS int) AS not_null FROM"
        f" (SELECT {values} AS a) CROSS JOIN (SELECT {values} AS b)"
        " CROSS JOIN (SELECT explode(array(NULL, '', 'x', '7', 'it\\'s')) AS s)"
    ).localCheckpoint()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rules=st.dictionaries(st.sampled_from(("one", "two", "it's three")), CONDITIONS, min_size=1))
def test_each_row_is_valid_or_invalid_and_never_both(rules: dict[str, str], every_combination: DataFrame) -> None:
    rows = every_combination
    met = [F.expr(f"CASE WHEN {condition} THEN 1 ELSE 0 END") for condition in rules.values()]
    expected = {
        row[0]: [n for n, ok in zip(rules, row[1:], strict=True) if not ok]
        for row in rows.select("not_null", *met).collect()
    }
    valid = [row.not_null for row in keep_valid(rows, rules).collect()]
    invalid = {row.not_null: row._failed_rules for row in only_invalid(rows, rules).collect()}
    assert len(expected) == 80
    assert sorted(valid) == sorted(n for n, failed in expected.items() if not failed)
    assert invalid == {n: failed for n, failed in expected.items() if failed}


def test_rules_over_the_pipelines_own_tables_hold_over_several_runs(
    run_pipeline: RunPipeline, spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    rules = {"has text": "length(value) > 0"}

    def define() -> None:
        @dp.table
        def lines() -> DataFrame:
            return spark.readStream.schema("value string").text(str(tmp_path / "in"))

        @dp.table
        def valid() -> DataFrame:
            return keep_valid(spark.readStream.table("lines"), rules)

        @dp.table
        def invalid() -> DataFrame:
            return only_invalid(spark.readStream.table("lines"), rules)

        @dp.table
        @expect(drop=rules, warn={"short": "length(value) < 2"}, fail={"no bell": "value <> 'bell'"})
        def streamed() -> DataFrame:
            return spark.readStream.table("lines")

        @dp.materialized_view
        @expect(drop=rules)
        def computed() -> DataFrame:
            return spark.read.table("lines")

    def counts() -> list[int]:
        tables = ("lines", "valid", "invalid", "streamed", "computed")
        return [spark.read.table(f"flows_test.{table}").count() for table in tables]

    seen = []
    for number in range(3):
        (tmp_path / "in" / f"{number}.txt").write_text(f"text {number}\n\n")
        run_pipeline(define)
        seen.append(counts())
    assert seen == [[2, 1, 1, 1, 1], [4, 2, 2, 2, 2], [6, 3, 3, 3, 3]]

    (tmp_path / "in" / "3.txt").write_text("bell\n")
    with pytest.raises(PySparkException, match="dataset 'streamed': a row does not meet the expectation 'no bell'"):
        run_pipeline(define)
    assert spark.read.table("flows_test.streamed").count() == 3
