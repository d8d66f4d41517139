"""The two rules that keep a pipeline from losing rows without an error on open-source Spark.

1. One flow writes a table. Two streams into one Parquet table both write batch 0 into one log, and the second
   batch 0
   counts as already there: its rows are gone.
2. A query over the pipeline's own datasets is made of ``select``, ``where``, ``groupBy``, ``union`` or SQL.
   Spark
   resolves ``withColumn`` and its kin while the query is still being described; the table is then read as one
   of the catalog, outside the pipeline's order, and the result is one run behind from the second run on.

The second rule is checked on the queries as Spark receives them, so a call inside a library function is found
too.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from connector_lib.errors import PipelineRuleError
from connector_lib.local.definitions import Definitions, FlowDefinition, SourceLine, relations_in
from connector_lib.project.early_calls import EARLY_CALLS, EarlyCall

__all__ = ["check_rules", "tables_read"]


def check_rules(
    definitions: Definitions,
    full_name: Callable[[str], str],
    tables_in_sql: Callable[[str], list[str]],
) -> None:
    """Raises :class:`~connector_lib.errors.PipelineRuleError` where ``definitions`` breaks one of the two
    rules.

    ``full_name`` gives ``catalog.database.name`` for a name as written; ``tables_in_sql`` the names of the
    tables that a SQL query reads.
    """
    _check_one_flow_a_table(definitions, full_name)
    own = {full_name(dataset.name).lower(): dataset.name for dataset in definitions.datasets}
    for flow in definitions.flows:
        if flow.relation is not None:
            _check_query(flow, own, full_name, tables_in_sql)


def _check_one_flow_a_table(definitions: Definitions, full_name: Callable[[str], str]) -> None:
    first: dict[str, FlowDefinition] = {}
    for flow in definitions.flows:
        earlier = first.setdefault(full_name(flow.target).lower(), flow)
        if earlier is not flow:
            raise PipelineRuleError(
                f"{flow.source}: a second flow writes the table '{flow.target}'; the first is at"
                f" {earlier.source}."
                " Two flows into one table lose rows on open-source Spark",
                hint="unite the sources inside one flow: first.unionByName(second)",
            )


def _check_query(
    flow: FlowDefinition,
    own: dict[str, str],
    full_name: Callable[[str], str],
    tables_in_sql: Callable[[str], list[str]],
) -> None:
    for kind, relation in _earlyrelations_in(flow.relation):
        for name in tables_read(relation, tables_in_sql):
            dataset = own.get(full_name(name).lower())
            if dataset is not None:
                raise _early_call_error(flow, EARLY_CALLS[kind], dataset)


def _earlyrelations_in(message: Any) -> Iterator[tuple[str, Any]]:
    for relation in relations_in(message):
        kind = relation.WhichOneof("rel_type")
        if kind in EARLY_CALLS:
            yield kind, relation


def tables_read(message: Any, tables_in_sql: Callable[[str], list[str]]) -> Iterator[str]:
    """The names, as written, of the tables that the Connect relation ``message`` reads."""
    for relation in relations_in(message):
        kind = relation.WhichOneof("rel_type")
        if kind == "read" and relation.read.WhichOneof("read_type") == "named_table":
            yield relation.read.named_table.unparsed_identifier
        elif kind == "relation_changes":
            yield relation.relation_changes.unparsed_identifier
        elif kind == "sql":
            yield from tables_in_sql(relation.sql.query)


def _early_call_error(flow: FlowDefinition, early: EarlyCall, dataset: str) -> PipelineRuleError:
    line, call = _find_call(flow.source, early.calls)
    if line is None:
        where = f"{flow.source}: the flow '{flow.name}' calls a function that uses {early.calls[0]}"
    else:
        where = f"{SourceLine(flow.source.file, line)}: the flow '{flow.name}' uses {call}"
    return PipelineRuleError(
        f"{where} over '{dataset}', a dataset of this pipeline."
        " From the second run on the result would be one run behind, without an error",
        hint=f"write {early.instead}",
    )


def _find_call(source: SourceLine, calls: tuple[str, ...]) -> tuple[int | None, str]:
    """The line, from 1, of the first of ``calls`` inside the function whose decorator or body is at
    ``source``.
    """
    try:
        tree = ast.parse(source.file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None, ""
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and source.line is not None and _spans(node, source.line)
    ]
    # The innermost function around the line is the query; one at the outside may only register it.
    for function in sorted(functions, key=lambda node: -node.lineno):
        found = [
            (node.func.end_lineno or node.lineno, node.func.attr)
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in calls
        ]
        if found:
            return min(found)
    return None, ""


def _spans(function: ast.FunctionDef, line: int) -> bool:
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return first <= line <= (function.end_lineno or function.lineno)
