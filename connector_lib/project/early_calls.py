"""The calls that Spark resolves while a query is still being described, and what to write instead.

Over a pipeline's own table such a call loses the dependency: the table is read as one of the catalog, outside the
pipeline's order, and from the second run on the result is one run behind. Or Spark refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["EARLY_CALLS", "EarlyCall", "instead_of"]


@dataclass(frozen=True, slots=True)
class EarlyCall:
    """A kind of Connect relation that Spark resolves too early: the methods that make it, and what to write
    instead."""

    calls: tuple[str, ...]
    instead: str


_STAR: Final = 'select("*", <expression>.alias("<name>"))'

# The relations of spark/connect/relations.proto that lose the dependency, or fail, over a pipeline's own
# table: each was tried on 4.3.0 with three runs of one new row each.
EARLY_CALLS: Final[Mapping[str, EarlyCall]] = {
    "with_columns": EarlyCall(("withColumn", "withColumns", "withMetadata"), _STAR),
    "with_columns_renamed": EarlyCall(
        ("withColumnRenamed", "withColumnsRenamed"), 'select(col("<old>").alias("<new>"), …)'
    ),
    "drop": EarlyCall(("drop",), 'select(<the columns to keep>), or SQL: "SELECT * EXCEPT (<column>) FROM …"'),
    "fill_na": EarlyCall(("fillna", "fill"), 'select(coalesce(col("<name>"), lit(<value>)).alias("<name>"), …)'),
    "drop_na": EarlyCall(("dropna", "drop"), 'where("<name> IS NOT NULL")'),
    "replace": EarlyCall(("replace",), 'select(when(…).otherwise(…).alias("<name>"), …)'),
    "with_watermark": EarlyCall(("withWatermark",), "a watermark on the source, in the query that reads it"),
    "to_schema": EarlyCall(("to",), 'select(col("<name>").cast("<type>"), …)'),
    "crosstab": EarlyCall(("crosstab",), "groupBy(…).pivot(…).count()"),
    "freq_items": EarlyCall(("freqItems",), "groupBy(…).count()"),
    "describe": EarlyCall(("describe",), "agg(count(…), min(…), max(…))"),
    "summary": EarlyCall(("summary",), "agg(count(…), min(…), max(…))"),
    "sample_by": EarlyCall(("sampleBy",), "where(rand() < <fraction>)"),
}
"""By the name of the relation."""

_NULL_CALLS: Final = {"fill": "fill_na", "drop": "drop_na", "replace": "replace"}
"""The methods of ``DataFrame.na``."""


def instead_of(call: str, *, of_na: bool = False) -> str | None:
    """What to write instead of the method ``call`` of a DataFrame, or of its ``na``; None where it is no such call.

    >>> instead_of("dropna"), instead_of("select")
    ('where("<name> IS NOT NULL")', None)
    """
    if of_na:
        return EARLY_CALLS[_NULL_CALLS[call]].instead if call in _NULL_CALLS else None
    if call == "fill":
        return None
    return next((early.instead for early in EARLY_CALLS.values() if call in early.calls), None)
