"""The rules themselves, and what Databricks is told. What they do to rows: tests/spark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from connector_lib.errors import ConfigurationError
from connector_lib.flows.expectations import expect, keep_valid, only_invalid

if TYPE_CHECKING:
    from tests.databricks_stand_in import DatabricksPipelines

AGED = {"has an age": "age >= 0"}


def patients() -> Any:
    raise AssertionError("a decorator does not run the query")


def test_databricks_gets_each_action_with_conditions_that_null_does_not_meet(
    databricks: DatabricksPipelines,
) -> None:
    decorated = expect(warn=AGED, drop={"named": "name <> ''"}, fail={"has an id": "id IS NOT NULL"})(patients)
    assert decorated is patients
    must_fail = "NOT (coalesce((id IS NOT NULL), false))"
    assert databricks.calls == [
        ("expect_all", {"has an age": "coalesce((age >= 0), false)"}, "patients"),
        ("expect_all_or_drop", {"named": f"(coalesce((name <> ''), false) OR {must_fail})"}, "patients"),
        ("expect_all_or_fail", {"has an id": "coalesce((id IS NOT NULL), false)"}, "patients"),
    ]


def test_databricks_is_not_told_of_actions_without_rules(databricks: DatabricksPipelines) -> None:
    expect(drop=AGED)(patients)
    assert databricks.calls == [("expect_all_or_drop", {"has an age": "coalesce((age >= 0), false)"}, "patients")]


def test_a_pipeline_file_with_expectations_registers_its_table_on_databricks(
    databricks: DatabricksPipelines,
) -> None:
    from pyspark import pipelines as dp

    @dp.table(name="people")
    @expect(warn=AGED)
    def query() -> Any:
        raise AssertionError("not run")

    assert [name for name, _, _ in databricks.calls] == ["expect_all", "table"]
    assert list(databricks.functions) == ["people"]


def test_elsewhere_the_decorated_function_keeps_its_name() -> None:
    # pyspark.pipelines names a table after its function.
    assert expect(warn=AGED)(patients).__name__ == "patients"


def test_expectations_without_a_rule_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="without a rule"):
        expect(warn={})


def test_a_name_is_unique_over_all_actions() -> None:
    with pytest.raises(ConfigurationError, match="'has an age' is used twice"):
        expect(warn=AGED, fail=AGED)


def test_standing_above_the_tables_decorator_is_refused() -> None:
    # dp.table of open-source Spark returns None.
    with pytest.raises(ConfigurationError, match="above the table's decorator"):
        expect(warn=AGED)(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "condition", "problem"),
    [
        ("", "a > 0", "empty name"),
        (" ", "a > 0", "empty name"),
        ("r", "", "'r' has an empty condition"),
        ("r", " \n", "'r' has an empty condition"),
        ("r", "a IN (SELECT id FROM t)", "'r' holds a subquery"),
        ("r", "exists(select 1)", "'r' holds a subquery"),
        ("r", "a > 0 -- positive", "'r' holds a comment"),
        ("r", "a /* b */ > 0", "'r' holds a comment"),
        ("r", "a > 0;", "'r' holds a semicolon"),
    ],
)
def test_a_rule_that_databricks_would_refuse_is_refused_here(name: str, condition: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        expect(warn={name: condition})


@pytest.mark.parametrize(
    "condition", ["text <> 'select'", 'text <> "--"', "`a;b` > 0", "text <> 'it\\'s; select'", "selected"]
)
def test_words_in_quotes_and_longer_words_are_not_taken_for_sql(condition: str) -> None:
    assert expect(warn={"r": condition})(patients).__name__ == "patients"


@pytest.mark.parametrize("split", [keep_valid, only_invalid])
@pytest.mark.parametrize(
    "condition",
    ["rand() < 0.5", "seen < current_timestamp()", "seen < current_date", "NOW() > seen", "uuid( ) > ''"],
)
def test_splitting_rows_by_the_time_or_by_chance_is_refused(split: Any, condition: str) -> None:
    with pytest.raises(ConfigurationError, match="a row could be in both tables or in neither"):
        split(None, {"r": condition})


@pytest.mark.parametrize("split", [keep_valid, only_invalid])
def test_splitting_rows_without_a_rule_is_refused(split: Any) -> None:
    with pytest.raises(ConfigurationError, match="no rules"):
        split(None, {})
