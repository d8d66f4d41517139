"""What transformation files must not do: each rule with files that break it, and files that only look like it."""

from __future__ import annotations

import ast
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_lib.errors import UsageError
from connector_lib.project.pipeline import load_pipeline_folder
from connector_lib.project.syntax.breaches import RULES
from connector_lib.project.transformation_rules import (
    DefinedTables,
    check_pipeline,
    check_transformations,
    defined_datasets,
    defined_tables,
)

PIPELINES = Path(__file__).parents[3] / "pipelines"
SPEC = "name: example\nstorage: file:///tmp/example\nlibraries:\n  - glob: {include: transformations/**}\n"
HEAD = """\
from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

spark = SparkSession.active()
"""
LINES = HEAD + '\n@dp.table\ndef lines():\n    return spark.readStream.format("text").load("/data")\n'

Check = Callable[..., list[tuple[str, int, str]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "example" / "transformations").mkdir(parents=True)
    (tmp_path / "example" / "spark-pipeline.yml").write_text(SPEC)
    return tmp_path / "example"


def write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / ("" if "/" in name or name.endswith(".yml") else "transformations") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")


def found(folder: Path, files: Mapping[str, str] | None = None) -> list[tuple[str, int, str]]:
    """File, line and rule of every breach."""
    write(folder, files or {})
    return [(breach.file.name, breach.line, breach.rule) for breach in check_pipeline(folder)]


def in_query(body: str) -> str:
    """A file with the table ``lines`` and a view whose query function has the lines ``body``, from line 14."""
    return LINES + "\n\n@dp.materialized_view\ndef answer():\n" + "".join(f"    {line}\n" for line in body.splitlines())


FIRST = 14


@pytest.mark.parametrize("name", sorted(path.name for path in PIPELINES.iterdir()))
def test_the_pipelines_of_this_repository_break_no_rule(name: str) -> None:
    assert check_pipeline(PIPELINES / name) == []


def test_a_folder_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a pipeline folder"):
        check_pipeline(tmp_path)


def test_every_breach_is_named_in_order_of_file_and_line(folder: Path) -> None:
    files = {
        "a.py": "import dlt\nrows = spark.range(1).collect()\ndbutils.widgets.text('a', '')\n",
        "b.sql": "CREATE STREAMING TABLE a AS SELECT 1;\nINSERT INTO a SELECT 1",
    }
    assert found(folder, files) == [
        ("a.py", 1, "older-interface"),
        ("a.py", 2, "action"),
        ("a.py", 3, "dbutils"),
        ("b.sql", 2, "write"),
    ]


# Magic commands and notebooks


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("%run ./helpers\n" + LINES, [1]),
        ("%pip install a-b\n!ls -l it's\n" + LINES, [1, 2]),
        (LINES + "files = !ls\n", [10]),
        (LINES + "    %run ./helpers\n", [10]),
        ("%%sql\nSELECT 1 FROM\n# COMMAND ----------\n" + LINES, [1]),
        ("# Databricks notebook source\n# MAGIC %run ./helpers\n# MAGIC   %pip install x\n" + LINES, [2, 3]),
        (LINES + "get_ipython().run_line_magic('run', 'x')\n", [10]),
    ],
)
def test_commands_of_notebooks_are_found(folder: Path, text: str, lines: list[int]) -> None:
    assert found(folder, {"a.py": text}) == [("a.py", line, "magic-command") for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        LINES + "share = (5\n  % 3)\nnot_equal = 1 \\\n  != 2\n",
        LINES + 'TEXT = """\n%run ./helpers\n!ls\n# MAGIC %run ./helpers\n"""\n',
        LINES + "# 100 %run of it; MAGIC is a word\n# a MAGIC %run\n",
    ],
)
def test_what_only_looks_like_a_command_of_a_notebook_is_none(folder: Path, text: str) -> None:
    assert found(folder, {"a.py": text}) == []


def test_a_magic_command_is_named_without_its_arguments(folder: Path) -> None:
    write(folder, {"a.py": "%pip install --index-url https://u:canary@host x\n" + LINES})
    assert "canary" not in str(check_pipeline(folder))


def test_commands_of_notebooks_are_found_in_sql(folder: Path) -> None:
    text = "-- MAGIC %run ./a\nCREATE MATERIALIZED VIEW a AS SELECT 5 % 3,\n'\n' AS b;\n%sql\n"
    assert found(folder, {"a.sql": text}) == [("a.sql", 1, "magic-command"), ("a.sql", 5, "magic-command")]


def test_what_is_no_python_is_named_by_its_line_and_the_other_files_are_looked_through(folder: Path) -> None:
    assert found(folder, {"a.py": "x = 1\ndef a(:\n", "b.py": "import dlt\n"}) == [
        ("a.py", 2, "unreadable"),
        ("b.py", 1, "older-interface"),
    ]


def test_notebooks_and_other_files_are_no_transformations(folder: Path) -> None:
    files = {"a.py": LINES, "b.ipynb": "{}", "c.txt": "x"}
    assert found(folder, files) == [("b.ipynb", 1, "notebook"), ("c.txt", 1, "notebook")]


def test_a_notebook_cannot_be_a_package_or_a_module(folder: Path) -> None:
    header = "# Databricks notebook source\n"
    files = {
        "a.py": header + "from helpers.names import NAME\n" + LINES,
        "helpers/__init__.py": header,
        "helpers/names.py": header + "NAME = 'a'\n",
        "other/__init__.py": "# Databricks notebooks are no source\n",
    }
    assert found(folder, files) == [("__init__.py", 1, "notebook"), ("names.py", 1, "notebook")]


@pytest.mark.parametrize(
    "text",
    ["from tools import import_notebook\nimport_notebook('./a')\n", "\nimport tools as t; t.import_notebook('a')\n"],
)
def test_imports_of_notebooks_are_found(folder: Path, text: str) -> None:
    assert found(folder, {"a.py": LINES.replace("\n", "#\n", 0) + text})[0][2] == "notebook-import"


# Names of older or other systems


@pytest.mark.parametrize(
    "text", ["dbutils.secrets.get('a', 'b')", "from databricks.sdk.runtime import dbutils as d\nd.fs.ls('/')"]
)
def test_dbutils_is_found(folder: Path, text: str) -> None:
    assert [rule for _, _, rule in found(folder, {"a.py": LINES + text + "\n"})] == ["dbutils"]


@pytest.mark.parametrize(
    "text", ["def a(dbutils):\n    return dbutils.secrets", "dbutils = object()\ndbutils.fs", "'dbutils.fs'"]
)
def test_a_name_of_ones_own_is_no_dbutils(folder: Path, text: str) -> None:
    assert found(folder, {"a.py": LINES + text + "\n"}) == []


@pytest.mark.parametrize(
    "call",
    [
        "F.input_file_name()",
        'F.expr("input_file_name() AS f")',
        "F.expr(\"concat('a', INPUT_FILE_NAME ())\")",
    ],
)
def test_input_file_name_is_found(folder: Path, call: str) -> None:
    text = in_query(f'return spark.read.text("/data").select({call})')
    assert found(folder, {"a.py": text}) == [("a.py", FIRST, "input-file-name")]


@pytest.mark.parametrize(
    ("imports", "call"),
    [
        ("from pyspark.sql.functions import input_file_name", "input_file_name()"),
        ("from pyspark.sql.functions import input_file_name as name", "name()"),
        ("from pyspark.sql.functions import *", "input_file_name()"),
        ("import pyspark.sql.functions as f", "f.input_file_name()"),
    ],
)
def test_input_file_name_is_found_under_every_import(folder: Path, imports: str, call: str) -> None:
    text = f"{imports}\n{LINES}\n@dp.table\ndef b():\n    return spark.readStream.text('/b').select({call})\n"
    assert found(folder, {"a.py": text}) == [("a.py", 14, "input-file-name")]


@pytest.mark.parametrize(
    "body",
    [
        'return spark.read.text("/data").select("input_file_name", F.lit("input_file_name()"))  # input_file_name()',
        'rows = spark.read.text("/data")\nreturn rows.select(rows.input_file_name)',
        """return spark.sql("SELECT 'input_file_name()' AS a -- input_file_name()")""",
    ],
)
def test_a_column_or_text_of_that_name_is_no_input_file_name(folder: Path, body: str) -> None:
    assert found(folder, {"a.py": in_query(body)}) == []


def test_input_file_name_in_sql_is_found_by_its_line(folder: Path) -> None:
    files = {
        "a.sql": "CREATE STREAMING TABLE a AS\nSELECT *, input_file_name()\nFROM STREAM read_files('/a')",
        "b.py": HEAD
        + "@dp.materialized_view\ndef b():\n"
        + '    return spark.sql("""\n      SELECT\n      input_file_name()\n    """)\n',
    }
    assert found(folder, files) == [("a.sql", 2, "input-file-name"), ("b.py", 10, "input-file-name")]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("import dlt\n\n@dlt.table\ndef a():\n    return dlt.read('b')\n", [1, 5]),
        ("import dlt as d\n\n@d.table\ndef a():\n    return d.read_stream('b')\n", [1, 5]),
        ("from dlt import read as r, table\n\n@table\ndef a():\n    return 1\n", [1]),
        (LINES + "\n\n@dp.table\ndef b():\n    return dp.read_stream('lines')\n", [14]),
    ],
)
def test_the_older_interface_is_found(folder: Path, text: str, lines: list[int]) -> None:
    assert found(folder, {"a.py": text}) == [("a.py", line, "older-interface") for line in lines]


@pytest.mark.parametrize(
    "text", ["import dlt_tools\n", "'import dlt'\n", "class A:\n    dlt = 1\nA.dlt\n", "# import dlt\n"]
)
def test_what_only_has_its_letters_is_not_the_older_interface(folder: Path, text: str) -> None:
    assert found(folder, {"a.py": LINES + text}) == []


def test_live_is_of_the_older_interface_in_sql(folder: Path) -> None:
    text = "CREATE OR REFRESH LIVE TABLE a AS\nSELECT live, 'LIVE.x', t.live FROM LIVE.b -- LIVE.c\n"
    assert found(folder, {"a.sql": text}) == [("a.sql", 1, "older-interface"), ("a.sql", 2, "older-interface")]


# Writes


@pytest.mark.parametrize(
    "statement",
    [
        'spark.read.text("/a").write.saveAsTable("x")',
        'spark.read.text("/a").write.mode("append").format("delta").save("/b")',
        'rows = spark.read.text("/a"); rows.write.insertInto("x")',
        'spark.read.text("/a").writeTo("x").append()',
        'spark.readStream.text("/a").writeStream.toTable("x")',
        'writer = spark.read.text("/a").write',
        'spark.sql("INSERT INTO a SELECT 1")',
        'spark.sql(f"""\n  CREATE TABLE {1 + 1} (a INT)""")',
    ],
)
def test_writes_are_found_once(folder: Path, statement: str) -> None:
    assert [(line, rule) for _, line, rule in found(folder, {"a.py": LINES + statement + "\n"})] == [(10, "write")]


@pytest.mark.parametrize(
    "statement",
    [
        'import sys; sys.stdout.write("a")',
        'with open("a") as file:\n    file.write("saveAsTable")',
        'write = "a"; text = write.format("b")',
        "# df.write.saveAsTable('x')",
        'spark.sql("SELECT 1 AS insert")',
    ],
)
def test_what_writes_no_table_is_no_write(folder: Path, statement: str) -> None:
    assert found(folder, {"a.py": LINES + statement + "\n"}) == []


def test_what_the_engine_calls_with_the_rows_of_a_batch_may_write_and_compute(folder: Path) -> None:
    text = LINES + (
        '\n\n@dp.foreach_batch_sink(name="out")\ndef out(rows, number):\n'
        '    rows.write.saveAsTable("x")\n    rows.count()\n'
        '\n\n@dp.append_flow(target="out")\ndef flow():\n    return spark.readStream.table("lines")\n'
    )
    assert found(folder, {"a.py": text}) == []


@pytest.mark.parametrize(
    ("statement", "rules"),
    [
        ("CREATE TABLE b (a INT)", ["write"]),
        ("CREATE OR REPLACE TABLE b AS SELECT 1", ["write"]),
        ("MERGE INTO a USING b ON true", ["write"]),
        ("CREATE FLOW f AS INSERT INTO b BY NAME SELECT 1", []),
        ("CREATE TEMPORARY VIEW b AS SELECT 1", []),
        ("SET a = b", []),
        ("CREATE MATERIALIZED VIEW `insert` AS SELECT 'DROP TABLE x' /* ; DROP TABLE x */", []),
    ],
)
def test_sql_that_writes_is_told_from_sql_that_defines(folder: Path, statement: str, rules: list[str]) -> None:
    text = f"CREATE MATERIALIZED VIEW a AS SELECT 1;\n{statement};\n"
    assert [rule for _, _, rule in found(folder, {"a.sql": text})] == rules


# Actions


@pytest.mark.parametrize(
    "action",
    [
        *("collect()", "count()", "show()", "toPandas()", "take(1)", "first()", "head()", "isEmpty()", "tail(3)"),
        *(
            "foreach(print)",
            "toLocalIterator()",
            "select('a').where('a > 1').collect()",
            "groupBy('a').count().count()",
        ),
        *("na.fill(0).collect()", "unionByName(spark.range(1)).count()", "stat.corr('a', 'b')"),
    ],
)
def test_actions_in_a_query_are_found(folder: Path, action: str) -> None:
    text = in_query(f'rows = spark.read.table("elsewhere.b")\nrows.{action}\nreturn rows')
    assert found(folder, {"a.py": text}) == [("a.py", FIRST + 1, "action")]


def test_actions_at_module_level_are_found(folder: Path) -> None:
    text = LINES + "NAMES = [row.name for row in spark.table('n').collect()]\ndisplay(spark.range(1))\n"
    assert found(folder, {"a.py": text}) == [("a.py", 10, "action"), ("a.py", 11, "action")]


def test_an_action_is_named_by_its_own_line_in_a_chain(folder: Path) -> None:
    text = in_query('return (\n    spark.read.table("b")\n    .select("a")\n    .collect()\n)')
    assert found(folder, {"a.py": text}) == [("a.py", FIRST + 3, "action")]


@pytest.mark.parametrize(
    ("helper", "call"),
    [
        ("def largest(rows):\n    return rows.agg(F.max('a')).first()\n", "largest(spark.table('b'))"),
        ("largest = lambda rows: rows.first()\n", "largest(spark.table('b'))"),
        ("def inner(rows: DataFrame):\n    return rows.first()\n", "(lambda: inner(spark.table('b')))()"),
        ("def of(rows): return rows.count()\n", "list(map(of, [spark.table('b')]))"),
        ("def of(rows): return rows.collect()\n", "spark.table('b').transform(of)"),
    ],
)
def test_an_action_in_a_function_that_a_query_calls_is_found(folder: Path, helper: str, call: str) -> None:
    rules = found(folder, {"a.py": helper + in_query(f"{call}\nreturn spark.range(1)")})
    assert [rule for _, _, rule in rules] == ["action"]
    assert rules[0][1] <= 2


def test_an_action_in_a_module_of_the_folder_is_named_there(folder: Path) -> None:
    files = {
        "helpers/clean.py": "def clean(rows):\n    print(rows.count())\n    return rows\n",
        "helpers/__init__.py": "",
        "a.py": "from helpers.clean import clean\n" + in_query("return clean(spark.table('b'))"),
        "b.py": "import helpers.clean as c\nfrom helpers import clean\n"
        + HEAD
        + "@dp.table\ndef b():\n    return c.clean(clean.clean(spark.table('b')))\n",
    }
    assert found(folder, files) == [("clean.py", 2, "action")]


@pytest.mark.parametrize(
    "body",
    [
        'return spark.table("b").groupBy("a").count()',
        'return spark.table("b").rollup("a").pivot("b").count()',
        'return spark.table("b").select(F.count("*"), F.collect_list("a"), F.first("a"))',
        'return spark.table("b").agg(F.count("a").alias("count"))',
        'names = ["a", "b"]\nnames.count("a")\nnames.remove("b")\nreturn spark.table("b").select(names)',
        'import gc\ngc.collect()\nreturn spark.table("b")',
        'import itertools\nnext(itertools.count())\nreturn spark.table("b")',
        'text = "a,b"\ntext.count(",")\nreturn spark.table("b").limit(text.split(",").count("a"))',
        'columns = spark.table("b").columns\ncolumns.count("a")\nreturn spark.table("b")',
        '# spark.table("b").collect()\nreturn spark.table("b")',
        'from collections import Counter\nfirst = {"head": 1}\nfirst.get("head")\nreturn spark.table("b")',
        '@F.udf("int")\ndef f(rows):\n    return rows.collect()\nreturn spark.table("b").select(f("a"))',
        'def never(rows):\n    return rows.collect()\nreturn spark.table("b")',
    ],
)
def test_what_is_no_action_is_not_named(folder: Path, body: str) -> None:
    assert found(folder, {"a.py": in_query(body)}) == []


def test_what_a_file_does_when_it_is_called_by_hand_is_left_alone(folder: Path) -> None:
    assert found(folder, {"a.py": LINES + 'if __name__ == "__main__":\n    spark.table("lines").show()\n'}) == []


# No table


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEAD + "@dp.temporary_view\ndef a():\n    return spark.range(1)\n",
        HEAD + "def a():\n    return spark.range(1)\n# @dp.table\nTEXT = '@dp.table'\n",
        HEAD + "from dataclasses import dataclass as table\n@table\nclass A: pass\n",
        "import logging\nlogging.getLogger('a').info('b')\n",
    ],
)
def test_a_folder_without_a_table_is_named(folder: Path, text: str) -> None:
    assert found(folder, {"a.py": text, "b.sql": "-- CREATE STREAMING TABLE a\n"}) == [
        ("spark-pipeline.yml", 3, "no-table")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "import pyspark.pipelines as p\n@p.table\ndef a(): ...\n",
        "import pyspark\n@pyspark.pipelines.table()\ndef a(): ...\n",
        "from pyspark.pipelines import table as t\n@t(name='x')\ndef a(): ...\n",
        "from pyspark.pipelines import *\n@materialized_view\ndef a(): ...\n",
        "from pyspark import pipelines as dp\ndp.create_streaming_table('a')\n",
        "from pyspark import pipelines as dp\ndp.table(name='a')(lambda: 1)\n",
        "import pyspark.pipelines as p\ndef make(n):\n    @p.table(name=n)\n    def f(): ...\nfor n in x(): make(n)\n",
        "from connector_lib.flows import auto_cdc\nauto_cdc('a', 'b', ['id'], 'at')\n",
        "from connector_lib.flows.ingestion import ingest\ningest({'connection_name': 'a'})\n",
        "from company.tables import define_all\ndefine_all('a')\n",
    ],
)
def test_a_table_is_seen_however_it_is_defined(folder: Path, text: str) -> None:
    assert found(folder, {"a.py": text}) == []


@pytest.mark.parametrize(
    "text",
    [
        "CREATE STREAMING TABLE a",
        "create or refresh streaming table if not exists a.b.c (x INT) AS SELECT 1",
        "CREATE OR REPLACE MATERIALIZED VIEW `a b` AS SELECT 1",
    ],
)
def test_a_table_of_sql_is_seen(folder: Path, text: str) -> None:
    assert found(folder, {"a.sql": text}) == []


# Two flows into one table

FLOW = "@dp.append_flow(target={target!r})\ndef {name}():\n    return spark.readStream.text('/{name}')\n"


def flow(target: str, name: str) -> str:
    return FLOW.format(target=target, name=name)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("dp.create_streaming_table('a')\n" + flow("a", "one") + flow("a", "two"), [10]),
        ("dp.create_streaming_table('a')\n" + flow("a", "one") + flow("A", "two") + flow("`a`", "three"), [10, 13]),
        ("@dp.table\ndef a():\n    return spark.readStream.text('/')\n" + flow("a", "more"), [9]),
        ("for n in ['x', 'y']:\n    @dp.append_flow(target='a', name=f'f_{n}')\n    def f(): ...\n", [7]),
        ("for n in find():\n    @dp.append_flow(target='a', name=n)\n    def f(): ...\n", [7]),
        ("def define(n):\n    @dp.append_flow(target='a', name=n)\n    def f(): ...\ndefine('x')\ndefine('y')\n", [7]),
        (
            "from connector_lib.flows import auto_cdc\nauto_cdc('a', 'b', ['k'], 's')\nauto_cdc('a', 'c', 'k', 's')\n",
            [8],
        ),
    ],
)
def test_a_second_flow_into_a_table_is_named(folder: Path, text: str, lines: list[int]) -> None:
    assert found(folder, {"a.py": HEAD + text}) == [("a.py", line, "two-flows") for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        "dp.create_streaming_table('a')\ndp.create_streaming_table('b')\n" + flow("a", "one") + flow("b", "two"),
        "dp.create_streaming_table('a')\n" + flow("a", "one") + "# " + flow("a", "two").replace("\n", "\n# ") + "\n",
        "for n in ['x', 'y']:\n    @dp.table(name=f'a_{n}')\n    def f(): ...\n",
        "for n in find():\n    @dp.table(name=n)\n    def f(): ...\n",
        "if find():\n    @dp.table\n    def a(): ...\nelse:\n    @dp.table\n    def a(): ...\n",
        "try:\n    @dp.table\n    def a(): ...\nexcept ImportError:\n    @dp.table\n    def a(): ...\n",
        "def define(n):\n    @dp.table(name=n)\n    def f(): ...\nfor n in ('x', 'y'):\n    define(n)\n",
        "if False:\n    @dp.table\n    def a(): ...\n@dp.table\ndef a(): ...\n",
    ],
)
def test_flows_into_several_tables_are_no_breach(folder: Path, text: str) -> None:
    assert found(folder, {"a.py": HEAD + text}) == []


def test_flows_are_counted_across_files_and_languages(folder: Path) -> None:
    files = {
        "a.py": HEAD + "@dp.table(name='a')\ndef rows():\n    return spark.range(1)\n",
        "b.sql": "CREATE STREAMING TABLE b;\nCREATE FLOW g AS INSERT INTO a BY NAME SELECT 1;\n"
        "CREATE FLOW f AS INSERT INTO b SELECT 1",
    }
    assert found(folder, files) == [("b.sql", 2, "two-flows")]


def test_the_tables_of_a_pipeline_spec_are_known(folder: Path) -> None:
    files = {
        "ingest.yml": "connection_name: c\nobjects:\n  - table: {source_table: Patient, destination_table: patients}\n",
        "a.py": "from connector_lib.flows import ingest\ningest('ingest.yml')\n",
        "b.sql": "CREATE MATERIALIZED VIEW patients AS SELECT 1",
    }
    assert found(folder, files) == [("b.sql", 1, "two-flows")]


# Calls that Spark resolves too early


@pytest.mark.parametrize(
    "read",
    [
        'spark.read.table("lines")',
        'spark.table("`LINES`")',
        'spark.sql("SELECT * FROM lines l")',
        'streaming_table("lines")',
        'spark.readStream.table("spark_catalog.default.lines")',
    ],
)
@pytest.mark.parametrize(
    "call",
    ['withColumn("a", F.lit(1))', 'withColumnRenamed("a", "b")', 'drop("a")', "fillna(0)", "na.fill(0)", "na.drop()"],
)
def test_early_calls_over_an_own_table_are_found(folder: Path, read: str, call: str) -> None:
    text = "from connector_lib.flows.runtime import streaming_table\n" + in_query(f"return {read}.{call}")
    assert found(folder, {"a.py": text}) == [("a.py", FIRST + 1, "early-call")]


@pytest.mark.parametrize(
    "body",
    [
        'rows = spark.table("lines")\nother = rows.where("a")\nreturn other.drop("a")',
        'return spark.table("b").join(spark.table("lines"), "a").drop("a")',
        'rows = spark.table("lines") if F else spark.table("b")\nreturn rows.drop("a")',
        'rows = [spark.table(name) for name in ("b", "lines")]\nreturn rows[1].drop("a")',
        'for name in ("a",):\n    rows = spark.table("lines")\nreturn rows.drop("a")',
        'import functools as f\nreturn f.reduce(DataFrame.union, [spark.table("lines"), spark.table("b")]).drop("a")',
        'from elsewhere import clean\nreturn clean(spark.table("lines")).drop("a")',
        'return spark.table("lines").transform(lambda rows: rows.drop("a"))',
        'name = "li" + "nes"\nreturn spark.table(f"{name}").drop("a")',
        'with open("x"):\n    rows = spark.table("lines")\n    while 1:\n        rows = rows.drop("a")\n    return 1',
        'return spark.sql("SELECT * FROM (SELECT * FROM b, lines)").drop("a")',
        'match 1:\n    case 1:\n        r = spark.table("lines")\n    case _:\n        r = F\nreturn r.drop("a")',
    ],
)
def test_an_own_table_is_followed_through_the_query(folder: Path, body: str) -> None:
    assert [rule for _, _, rule in found(folder, {"a.py": in_query(body)})] == ["early-call"]


@pytest.mark.parametrize(
    "body",
    [
        'return spark.table("lines").select("a").where("b").groupBy("c").count()',
        'return spark.table("elsewhere.lines").drop("a")',
        'return spark.read.text("/data").withColumn("a", F.lit(1))',
        'return spark.table("b").withColumnRenamed("a", "b")',
        'names = ["lines"]\nnames.replace\nreturn spark.table("lines").select([n.replace("a", "b") for n in names])',
        'return spark.sql("WITH lines AS (SELECT 1) SELECT * FROM lines").drop("a")',
        """return spark.sql("SELECT 'FROM lines' AS a FROM b -- FROM lines").drop("a")""",
        'return spark.table("lines").select(F.regexp_replace("a", "b", "c"), F.col("a").withField("x", F.lit(1)))',
        'return spark.table("lines").where("a").union(spark.table("b").drop("a"))',
    ],
)
def test_other_calls_and_other_tables_are_no_breach(folder: Path, body: str) -> None:
    assert found(folder, {"a.py": in_query(body)}) == []


def test_a_table_of_another_file_is_an_own_one(folder: Path) -> None:
    files = {
        "a.sql": "CREATE STREAMING TABLE received AS SELECT * FROM STREAM read_files('/a')",
        "b.py": HEAD + "@dp.table\ndef b():\n    return spark.readStream.table('received').drop('a')\n",
    }
    assert found(folder, files) == [("b.py", 8, "early-call")]


def test_the_schema_of_the_pipeline_says_which_table_is_its_own(folder: Path) -> None:
    (folder / "spark-pipeline.yml").write_text(SPEC + "database: clinic\n")
    body = 'spark.table("default.lines").drop("a")\nreturn spark.table("clinic.lines").drop("a")'
    assert found(folder, {"a.py": in_query(body)}) == [("a.py", FIRST + 1, "early-call")]


def test_the_hint_of_an_early_call_says_what_to_write(folder: Path) -> None:
    write(folder, {"a.py": in_query('return spark.table("lines").fillna(0)')})
    (breach,) = check_pipeline(folder)
    assert "'fillna' over 'lines'" in breach.message
    assert breach.hint.startswith("write select(coalesce(")


# Pipelines as people write them


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            """\
            CONFIG = {"a": {"path": "/x"}, "b": {"path": "/y"}}
            def make(name, path):
                @dp.table(name=name)
                def rows(): return spark.readStream.text(path)
            for name, entry in CONFIG.items():
                make(name, entry["path"])
            """,
            id="tables of a mapping",
        ),
        pytest.param(
            """\
            NAMES = ["a", "b"]
            for name in NAMES:
                dp.create_streaming_table(name=f"{name}_bronze")
            for name in NAMES:
                def full(table=name):
                    @dp.append_flow(target=f"{table}_bronze", name=f"{table}_full")
                    def flow(): return read_all(table)
                full()
            def read_all(table):
                return spark.read.csv(f"s3://bucket/{table}")
            """,
            id="flows of a list",
        ),
        pytest.param(
            """\
            import pandas as pd
            @dp.table
            def a():
                rows = pd.read_csv("x").drop("c", axis=1).fillna(0).head(3)
                return spark.createDataFrame(rows)
            """,
            id="pandas",
        ),
        pytest.param(
            """\
            @dp.table
            def lines(): return spark.readStream.text("/a")
            def clean(pages):
                for page in pages:
                    yield page.drop("x").head(3)
            @dp.materialized_view
            def b(): return spark.read.table("lines").mapInPandas(clean, "a int")
            """,
            id="functions of pandas",
        ),
        pytest.param(
            """\
            @dp.temporary_view
            def hour():
                return spark.range(1).withColumn("hour", F.explode(F.sequence(F.lit(0), F.lit(23))))
            @dp.table(name="clock")
            def clock():
                hours = spark.read.table("hour")
                return hours
            """,
            id="a view over no table",
        ),
        pytest.param(
            """\
            @dp.table
            @dp.expect_all_or_drop({"a": "b"})
            @dp.expect("x", "count(y) > 0")
            def a(): return spark.readStream.table("b.c.a").withColumn("x", F.lit(1)).drop("y")
            """,
            id="rules for rows",
        ),
    ],
)
def test_pipelines_as_people_write_them_break_no_rule(folder: Path, text: str) -> None:
    assert found(folder, {"a.py": HEAD + dedent(text)}) == []


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        pytest.param(
            """\
            @dp.table
            def lines(): return spark.readStream.text("/a")
            @dp.materialized_view
            def b():
                rows = spark.read.table("lines")
                for column in ["a", "b"]:
                    rows = rows.withColumn(column, F.trim(column))
                return rows
            """,
            "early-call",
            12,
            id="columns in a loop",
        ),
        pytest.param(
            """\
            from functools import reduce
            @dp.table
            def lines(): return spark.readStream.text("/a")
            @dp.materialized_view
            def b():
                return reduce(
                    lambda rows, column: rows.withColumn(column, F.trim(column)),
                    ["a", "b"],
                    spark.read.table("lines"),
                )
            """,
            "early-call",
            12,
            id="columns by reduce",
        ),
        pytest.param(
            """\
            def setup(year):
                @dp.append_flow(target="raw", name=f"backfill_{year}")
                def backfill(): return spark.read.json(f"/{year}")
            dp.create_streaming_table(name="raw")
            @dp.append_flow(target="raw", name="new")
            def new(): return spark.readStream.json("/new")
            for year in spark.conf.get("years").split(","):
                setup(year)
            """,
            "two-flows",
            7,
            id="backfills",
        ),
        pytest.param(
            """\
            dp.create_streaming_table("t")
            dp.create_auto_cdc_flow(target="t", source="v", keys=["a"], sequence_by="b")
            dp.create_auto_cdc_flow(target="t", source="w", keys=["a"], sequence_by="b")
            """,
            "two-flows",
            8,
            id="changes of two sources",
        ),
    ],
)
def test_breaches_are_found_as_people_write_them(folder: Path, text: str, rule: str, line: int) -> None:
    assert found(folder, {"a.py": HEAD + dedent(text)}) == [("a.py", line, rule)]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE OR REFRESH STREAMING TABLE ${c}.a AS SELECT 1; CREATE OR REFRESH STREAMING TABLE ${c}.b AS SELECT 1",
        "CREATE MATERIALIZED VIEW IDENTIFIER(:a) AS SELECT 1; CREATE MATERIALIZED VIEW IDENTIFIER(:b) AS SELECT 1",
        "CREATE STREAMING TABLE a; CREATE FLOW f AS AUTO CDC INTO a FROM stream(b) KEYS (i) SEQUENCE BY s",
        "CREATE STREAMING TABLE a AS SELECT * FROM STREAM read_files('/x', pathGlobFilter => 'a;b.csv')",
        "CREATE MATERIALIZED VIEW a AS SELECT update, drop FROM t LATERAL VIEW explode(b) insert AS c",
        "USE CATALOG c; SET a = 1; CREATE PRIVATE STREAMING TABLE a AS SELECT 1",
    ],
)
def test_sql_as_people_write_it_breaks_no_rule(folder: Path, text: str) -> None:
    assert found(folder, {"a.sql": text}) == []


# The files beside the transformations


def test_a_pipeline_file_that_cannot_be_read_is_named_by_file_and_line(folder: Path) -> None:
    (folder / "spark-pipeline.yml").write_text("name: [\n")
    assert found(folder) == [("spark-pipeline.yml", 2, "unreadable")]


def test_a_pattern_that_matches_no_file_is_named(folder: Path) -> None:
    assert found(folder) == [("spark-pipeline.yml", 1, "unreadable")]


def test_a_pipeline_spec_that_cannot_be_read_is_named(folder: Path) -> None:
    files = {
        "a.py": "from connector_lib.flows import ingest\ningest('ingest.yml')\ningest('other.yml')\n",
        "ingest.yml": "connection_name: a\nobjects: [\n",
    }
    assert found(folder, files) == [("ingest.yml", 3, "unreadable"), ("a.py", 3, "unreadable")]


def test_a_pipeline_spec_that_nothing_names_is_looked_at_too(folder: Path) -> None:
    files = {"a.py": LINES, "ingest.yml": "connection: a\n"}
    write(folder, files)
    (breach,) = check_pipeline(folder)
    assert "unknown key 'connection'" in breach.message
    assert "did you mean 'connection_name'?" in breach.hint


def test_deploy_yml_is_looked_at_with_all_its_targets(folder: Path) -> None:
    files = {
        "a.py": LINES,
        "deploy.yml": "catalog: a\ntargets:\n  prod:\n    photon: false\n  dev:\n    development: true\n",
    }
    write(folder, files)
    (breach,) = check_pipeline(folder)
    assert (breach.file.name, breach.rule) == ("deploy.yml", "unreadable")
    assert "'photon: false' needs 'serverless: false'" in breach.message


def test_a_wrong_key_of_deploy_yml_is_named_once(folder: Path) -> None:
    assert found(folder, {"a.py": LINES, "deploy.yml": "catalogue: a\ntargets: {dev: {}, prod: {}}\n"}) == [
        ("deploy.yml", 1, "unreadable")
    ]


# What others ask


def test_a_folder_that_was_loaded_is_checked_without_the_files_beside_it(folder: Path) -> None:
    write(folder, {"a.py": in_query("return spark.table('lines').drop('a')"), "deploy.yml": "x: 1\n"})
    assert [breach.rule for breach in check_transformations(load_pipeline_folder(folder))] == ["early-call"]


def test_the_datasets_that_are_defined_are_known_by_name(folder: Path) -> None:
    write(folder, {"a.py": LINES + "for n in ('x', 'y'):\n    @dp.temporary_view(name=f'v_{n}')\n    def v(): ...\n"})
    datasets = defined_datasets(load_pipeline_folder(folder)).found
    assert [(entry.name, entry.keeps_rows) for entry in datasets] == [("lines", True), ("v_x", False), ("v_y", False)]


@pytest.mark.parametrize(
    ("text", "names", "whole"),
    [
        ("dp.table(name='a')(lambda: 1)\ndp.temporary_view(name='v')(lambda: 1)\n", ("a",), True),
        ("from connector_lib.flows import auto_cdc\nauto_cdc('a', 'b', ['k'], 's')\n", ("a",), True),
        ("from connector_lib.flows import ingest\ningest('ingest.yml')\n", ("patients", "`ehr`.`Visit`"), True),
        ("dp.table(name='a')(lambda: 1)\ndp.table(name=find())(lambda: 1)\n", ("a",), False),
        ("dp.table(name='a')(lambda: 1)\nfrom company import define\ndefine()\n", ("a",), False),
    ],
)
def test_the_tables_that_a_pipeline_keeps_are_known_and_whether_these_are_all(
    folder: Path, text: str, names: tuple[str, ...], whole: bool
) -> None:
    tables = [
        {"source_table": "Patient", "destination_table": "patients"},
        {"source_table": "Visit", "destination_schema": "ehr"},
    ]
    spec = json.dumps({"connection_name": "c", "objects": [{"table": table} for table in tables]})
    write(folder, {"a.py": HEAD + text, "ingest.yml": spec})
    assert defined_tables(load_pipeline_folder(folder)) == DefinedTables(names, whole)


def test_a_rule_is_described_for_every_breach(folder: Path) -> None:
    write(folder, {"a.py": in_query("return spark.table('lines').drop('a')")})
    assert {breach.rule for breach in check_pipeline(folder)} <= RULES.keys()


# Whatever is in a file


def test_a_file_that_asks_for_endless_steps_is_given_up_in_seconds(folder: Path) -> None:
    loops = "".join(f"{' ' * depth}for x{depth} in find():\n" for depth in range(18))
    started = time.monotonic()
    assert found(folder, {"a.py": LINES + loops + " " * 18 + "x0 = [x for x in f() for y in g()]\n"}) == []
    assert time.monotonic() - started < 20


_NAMES = st.sampled_from(["rows", "spark", "dp", "F", "lines", "x"])
_EXPRESSIONS = st.recursive(
    st.one_of(_NAMES, st.sampled_from(["1", "'lines'", "None", "[]", "{}", "(lambda a: a)"])),
    lambda inner: st.one_of(
        st.builds(
            "{}.{}".format, _NAMES, st.sampled_from(["table", "drop", "collect", "read", "write", "select", "a"])
        ),
        st.builds("{}({})".format, inner, inner),
        st.builds("[{} for x in {}]".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("{{{}: {}}}".format, inner, inner),
        st.builds("f'a{{{}}}'".format, _NAMES),
    ),
    max_leaves=8,
)
_STATEMENTS = st.one_of(
    st.builds("{} = {}".format, _NAMES, _EXPRESSIONS),
    st.builds("for {} in {}: {}".format, _NAMES, _EXPRESSIONS, _EXPRESSIONS),
    st.builds("def {}({}, *a, **k): return {}".format, _NAMES, st.sampled_from(["p", "q=1"]), _EXPRESSIONS),
    st.builds("@dp.table\ndef {}(): return {}".format, _NAMES, _EXPRESSIONS),
    st.builds("try: {}\nexcept E: {}\nfinally: pass".format, _EXPRESSIONS, _EXPRESSIONS),
    st.builds("from . import {}".format, _NAMES),
    st.builds("{}, *{} = {}".format, _NAMES, _NAMES, _EXPRESSIONS),
    _EXPRESSIONS,
)


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


@settings(deadline=None, max_examples=60)
@given(st.lists(_STATEMENTS, max_size=6).map("\n".join).filter(_is_python))
def test_any_python_is_followed_to_its_end(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "spark-pipeline.yml").write_text(SPEC)
    write(folder, {"a.py": HEAD + text})
    for breach in check_pipeline(folder):
        assert breach.rule in RULES
        assert breach.line >= 1


@settings(deadline=None, max_examples=60)
@given(
    st.text("aA `'\"-/*;.(){}\n,%", max_size=40),
    st.sampled_from(["", "SELECT * FROM ", "CREATE FLOW a AS INSERT INTO "]),
)
def test_any_sql_is_read_to_its_end(tmp_path_factory: pytest.TempPathFactory, text: str, begin: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "spark-pipeline.yml").write_text(SPEC)
    write(folder, {"a.sql": begin + text})
    assert all(breach.line <= text.count("\n") + 3 for breach in check_pipeline(folder))
