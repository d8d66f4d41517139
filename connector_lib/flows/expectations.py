"""Rules that the rows of a dataset have to meet: warn, drop, fail, quarantine. The same rows on both
runtimes.

A rule is a name and a SQL condition. **NULL does not meet a rule**: every condition is used as
``coalesce((<condition>), false)``. A condition sees the columns of its row; it holds no subquery, no comment
and no Python function (the rule for expectations on Databricks).

:func:`expect` goes below the decorator of a table and covers warn, drop and fail. On Databricks it applies
``dp.expect_all``, ``dp.expect_all_or_drop`` and ``dp.expect_all_or_fail``; elsewhere, where
``pyspark.pipelines`` has none of them, it filters, raises, and counts. :func:`keep_valid` and
:func:`only_invalid` split rows over a table and its quarantine table.

Source: https://docs.databricks.com/aws/en/ldp/developer/ldp-python-ref-expectations.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from connector_lib.errors import ConfigurationError
from connector_lib.flows.runtime import on_databricks

__all__ = ["QUALITY_PREFIX", "expect", "keep_valid", "only_invalid"]

QUALITY_PREFIX = "quality:"
"""How the observations of :func:`expect` are named: the prefix, then the dataset."""

QueryFunction: TypeAlias = Callable[[], DataFrame]
Rules: TypeAlias = Mapping[str, str]

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`", re.DOTALL)
_REFUSED = {
    "a subquery": re.compile(r"\bselect\b", re.IGNORECASE),
    "a comment": re.compile(r"--|/\*"),
    "a semicolon": re.compile(";"),
}
_CHANGES_BETWEEN_QUERIES = re.compile(
    r"\b(?:(?:rand|randn|random|uuid|shuffle|now|curdate|monotonically_increasing_id|spark_partition_id)\s*\("
    r"|(?:current_timestamp|current_date|current_time|localtimestamp)\b)",
    re.IGNORECASE,
)


def expect(
    *,
    warn: Rules | None = None,
    drop: Rules | None = None,
    fail: Rules | None = None,
    dataset: str | None = None,
) -> Callable[[QueryFunction], QueryFunction]:
    """A decorator for the query function of a table or view, placed directly below ``@dp.table`` or its like.

    Parameters
    ----------
    warn : rules by name. A row that does not meet one is kept, and counted.
    drop : a row that does not meet one is left out, and counted.
    fail : a row that does not meet one ends the flow with an error that names the rule, and nothing of its
        batch is kept; also if a ``drop`` rule would leave the row out.
    dataset : what the counts are listed under in a local run's report; the function's name by default. Give
        it where the table has a ``name=`` of its own, and below ``@dp.append_flow``, where it is the target.

    On Databricks the counts are in the pipeline's event log. Elsewhere they are an observation named
    ``quality:<dataset>`` with the metrics ``rows`` (all rows, before any is dropped) and ``<action>:<rule>``
    (rows that do not meet it).

    Raises :class:`~connector_lib.errors.ConfigurationError` for no rules at all, an empty name or condition,
    a name used twice, a condition with a subquery, a comment or a semicolon, and when it stands above
    ``@dp.table``.

    ::

        @dp.table
        @expect(warn={"has a birth date": "birth_date IS NOT NULL"}, drop={"has an id": "patient_id <> ''"})
        def patients():
            return spark.readStream.table("adt").select("patient_id", "birth_date")
    """
    actions = {"warn": _checked(warn), "drop": _checked(drop), "fail": _checked(fail)}
    names = [name for rules in actions.values() for name in rules]
    if not names:
        raise ConfigurationError("expect() without a rule", hint="give warn=, drop= or fail= a dict of name: condition")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"a rule's name is unique in its dataset: '{twice[0]}' is used twice")
    # A row that must fail the flow passes every drop rule, so that it does not matter which of the two Spark
    # looks at first; the order is not documented on Databricks, and open to the optimizer elsewhere.
    actions["drop"] = _unless_it_fails(actions["drop"], actions["fail"])

    def decorate(function: QueryFunction) -> QueryFunction:
        if not callable(function):
            raise ConfigurationError("expect() stands above the table's decorator", hint="put it below @dp.table")
        if on_databricks():
            return _expected_by_databricks(function, actions)
        name = dataset or function.__name__

        @functools.wraps(function)
        def query() -> DataFrame:
            return _expected_by_filters(function(), actions, name)

        return query

    return decorate


def keep_valid(rows: DataFrame, rules: Rules) -> DataFrame:
    """The rows that meet every rule. With :func:`only_invalid` and the same rules, each row is in exactly
    one of both.

    Raises :class:`~connector_lib.errors.ConfigurationError` as :func:`expect` does, and for a condition that
    asks for the time or for chance (``current_timestamp()``, ``rand()``): the two tables are computed one
    after the other, and a row could end up in both or in neither. Compare with a column instead, such as the
    time when the row was read.

    ::

        RULES = {"has an id": "patient_id <> ''"}

        @dp.table
        def patients():
            return keep_valid(spark.readStream.table("adt"), RULES)

        @dp.table
        def patients_quarantine():
            return only_invalid(spark.readStream.table("adt"), RULES)
    """
    checked = _repeatable(rules)
    return rows.where(_every(checked))


def only_invalid(rows: DataFrame, rules: Rules, *, column: str = "_failed_rules") -> DataFrame:
    """The rows that do not meet every rule, with ``column`` added: the names of the rules that they do not
    meet, an array of strings in the order of ``rules``. The counterpart of :func:`keep_valid`, with the same
    errors."""
    checked = _repeatable(rules)
    failed = [F.when(~F.expr(condition), F.lit(name)) for name, condition in checked.items()]
    return rows.where(~_every(checked)).select("*", F.array_compact(F.array(*failed)).alias(column))


def _expected_by_databricks(function: QueryFunction, actions: Mapping[str, Rules]) -> QueryFunction:
    from pyspark import pipelines as dp

    # Open-source pyspark.pipelines, against which the types are checked, has no expectations.
    decorators = {"warn": "expect_all", "drop": "expect_all_or_drop", "fail": "expect_all_or_fail"}
    for action, rules in actions.items():
        if rules:
            function = getattr(dp, decorators[action])(dict(rules))(function)
    return function


def _expected_by_filters(rows: DataFrame, actions: Mapping[str, Rules], dataset: str) -> DataFrame:
    counts = [F.count(F.lit(1)).alias("rows")]
    for action, rules in actions.items():
        counts += [F.count_if(~F.expr(condition)).alias(f"{action}:{name}") for name, condition in rules.items()]
    rows = rows.observe(f"{QUALITY_PREFIX}{dataset}", *counts)
    for name, condition in actions["fail"].items():
        broken = F.raise_error(F.lit(f"dataset '{dataset}': a row does not meet the expectation '{name}'"))
        rows = rows.where(F.expr(condition) | broken.cast("boolean"))
    for condition in actions["drop"].values():
        rows = rows.where(condition)
    return rows


def _checked(rules: Rules | None) -> dict[str, str]:
    """The rules with conditions that are true or false and never NULL."""
    return {name: _null_fails(name, condition) for name, condition in (rules or {}).items()}


def _null_fails(name: str, condition: str) -> str:
    if not name.strip():
        raise ConfigurationError("a rule has an empty name", hint="name it by what a good row has")
    if not condition.strip():
        raise ConfigurationError(f"the rule '{name}' has an empty condition", hint="write a SQL condition")
    bare = _QUOTED.sub("''", condition)
    for what, pattern in _REFUSED.items():
        if pattern.search(bare):
            raise ConfigurationError(
                f"the condition of the rule '{name}' holds {what}",
                hint="a condition is one SQL expression over the columns of the row",
            )
    return f"coalesce(({condition.strip()}), false)"


def _repeatable(rules: Rules) -> dict[str, str]:
    if not rules:
        raise ConfigurationError("no rules to split the rows by", hint="give a dict of name: condition")
    for name, condition in rules.items():
        found = _CHANGES_BETWEEN_QUERIES.search(_QUOTED.sub("''", condition))
        if found:
            asked = found[0].strip("( ")
            raise ConfigurationError(
                f"the rule '{name}' asks for '{asked}', which differs from one query to the next, so that"
                " a row could be in both tables or in neither",
                hint="compare with a column of the row, such as the time when it was read",
            )
    return _checked(rules)


def _every(conditions: Rules) -> Column:
    return functools.reduce(Column.__and__, [F.expr(condition) for condition in conditions.values()])


def _unless_it_fails(drop: Rules, fail: Rules) -> dict[str, str]:
    if not fail:
        return dict(drop)
    fails = f"NOT ({' AND '.join(fail.values())})"
    return {name: f"({condition} OR {fails})" for name, condition in drop.items()}
