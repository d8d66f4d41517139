"""The end table shows what is read above what reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyspark")

from pyspark.sql.connect.proto import Read, Relation, SetOperation

from connector_lib.local.definitions import Dataset, Definitions, FlowDefinition, SourceLine
from connector_lib.local.reading_order import in_reading_order

HERE = SourceLine(Path("t.py"), 1)


def union(tables: list[str]) -> Relation:
    relation = Relation()
    for table in tables:
        read = Relation(read=Read(named_table=Read.NamedTable(unparsed_identifier=table)))
        relation = Relation(set_op=SetOperation(left_input=relation, right_input=read))
    return relation


def order(**reads: list[str] | None) -> list[str]:
    """The datasets ``reads`` in reading order, where each is a query over the tables named; None: of SQL."""
    definitions = Definitions()
    for name, tables in reads.items():
        definitions.datasets.append(Dataset(name, "streaming table", HERE))
        definitions.flows.append(FlowDefinition(name, name, HERE, None if tables is None else union(tables)))
    ordered = in_reading_order(definitions, lambda name: f"c.d.{name}", lambda query: [])
    return [dataset.name for dataset in ordered]


def test_a_table_stands_below_all_that_it_reads() -> None:
    assert order(top=["middle", "base"], middle=["base"], base=[]) == ["base", "middle", "top"]


def test_what_reads_the_same_stays_in_the_order_of_definition() -> None:
    assert order(raw=["received"], adt=["received"], received=[]) == ["received", "raw", "adt"]


def test_names_are_the_same_in_any_case_and_foreign_tables_do_not_count() -> None:
    assert order(b=["A", "elsewhere"], a=["elsewhere"]) == ["a", "b"]


def test_a_circle_and_what_sql_defines_still_have_a_place() -> None:
    assert order(a=["b"], b=["a"], c=None) == ["c", "a", "b"]
