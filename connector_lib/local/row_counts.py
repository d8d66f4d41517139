"""How many rows the tables hold, in one query through Spark's catalog.

Counting files would be wrong: after an interrupted run a table's folder holds files that do not belong to it.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import SparkSession

__all__ = ["count_rows", "quoted"]


def quoted(full_name: str) -> str:
    """``a.b.c`` as SQL takes it whatever the parts hold.

    >>> quoted("spark_catalog.default.my table")
    '`spark_catalog`.`default`.`my table`'
    """
    return ".".join(f"`{part}`" for part in full_name.replace("`", "").split("."))


def count_rows(spark: SparkSession, tables: Sequence[str]) -> dict[str, int]:
    """The number of rows of each of ``tables`` (full names) that is there; the others are left out."""
    there = [name for name in tables if spark.catalog.tableExists(quoted(name))]
    if not there:
        return {}
    query = " UNION ALL ".join(
        f"SELECT {number} AS number, count(*) AS rows FROM {quoted(name)}" for number, name in enumerate(there)
    )
    return {there[row["number"]]: row["rows"] for row in spark.sql(query).collect()}
