"""Changes of a table kept as they came, and the table computed from them: AUTO CDC where no catalog can merge.

A streaming table, the change log, holds every change for good; a view over it gives the table. What comes late, twice,
or deletes before it inserts, comes out right, since the view always sees all of it. The results are those of AUTO CDC
(https://docs.databricks.com/aws/en/ldp/cdc; in Spark 4.3 ``pyspark.pipelines.create_auto_cdc_flow``):

- A change without a key or a sequence ends the flow with an error.
- Of changes with one key and one sequence a deletion counts before all others, else the one that arrived last.
- SCD type 1: one row a key, the change with the highest sequence, unless that is a deletion.
- SCD type 2: one row a version. Changes that follow one another with the same values in all tracked columns are one
  version, with the untracked values of the last. A deletion closes it, and what comes after it is a new one.

One thing differs: AUTO CDC on Databricks forgets deletions after a time, and the change log never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from connector_lib.connector.spec import quoted_name
from connector_lib.flows.runtime import active_session, streaming_table

__all__ = ["ADDED_COLUMNS", "ChangeLog", "bare", "table_in_sql"]

DELETED: Final = "__deleted"
ARRIVED_AT: Final = "__arrived_at"
TIE_BREAK: Final = "__tie_break"
ADDED_COLUMNS: Final = (DELETED, ARRIVED_AT, TIE_BREAK)
"""What a change log has besides the columns of its source: whether a change deletes (boolean), when it arrived
(timestamp, one a batch), and a hash of its values (bigint) that orders what arrived together."""

# What JSON would round to milliseconds has to differ where the values do.
_EXACT_JSON: Final = (
    "map('timestampFormat', \"yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX\","
    " 'timestampNTZFormat', \"yyyy-MM-dd'T'HH:mm:ss.SSSSSS\", 'ignoreNullFields', 'false')"
)


@dataclass(frozen=True, slots=True)
class ChangeLog:
    """A table made from changes. All columns are at the top level, by their bare names.

    ``target`` and ``source`` are the names of the table and of the dataset that gives the changes, ``sequence`` one
    column or several that are compared in order, ``deletes`` a SQL condition. Of ``only`` and ``without``, which
    columns the table has, at most one is there, and so of ``tracked`` and ``untracked``, of SCD type 2.
    """

    target: str
    source: str
    keys: tuple[str, ...]
    sequence: tuple[str, ...]
    deletes: str | None = None
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    tracked: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    name: str = field(init=False)
    """The name of the change log: that of the table and ``__changes``."""

    def __post_init__(self) -> None:
        ends_quoted = self.target.endswith("`")
        name = f"{self.target[:-1]}__changes`" if ends_quoted else f"{self.target}__changes"
        object.__setattr__(self, "name", name)

    def changes(self) -> DataFrame:
        """The rows of the change log, as a stream: every change of the source with :data:`ADDED_COLUMNS`."""
        rows = streaming_table(self.source)
        for column in self.keys:
            rows = rows.where(self._is_there(column, "key"))
        for column in self.sequence:
            rows = rows.where(self._is_there(column, "sequence"))
        return rows.select(
            "*",
            F.expr(f"coalesce(({self.deletes or 'false'}), false)").alias(DELETED),
            F.current_timestamp().alias(ARRIVED_AT),
            F.expr(f"xxhash64(to_json(struct(*), {_EXACT_JSON}))").alias(TIE_BREAK),
        )

    def latest(self) -> DataFrame:
        """The rows of the table as SCD type 1."""
        newest_first = ", ".join(f"{column} DESC" for column in self._order)
        return active_session().sql(
            f"""SELECT {self._columns("__rank")} FROM (
                SELECT *, row_number() OVER (PARTITION BY {self._keys} ORDER BY {newest_first}) AS __rank
                FROM {table_in_sql(self.name)}
            ) WHERE __rank = 1 AND NOT {DELETED}"""  # noqa: S608 - names are quoted
        )

    def versions(self) -> DataFrame:
        """The rows of the table as SCD type 2: with ``__START_AT``, and ``__END_AT``, which is NULL in what holds now.
        Both have the type of the sequence, a struct where it has several columns."""
        sequence = self._sequence
        # All windows are of one partitioning, and each order begins the first one: Spark sorts the log once.
        by_sequence = f"PARTITION BY {self._keys} ORDER BY {_listed(self.sequence)}"
        one_a_sequence = f"""SELECT * FROM (
            SELECT *, {sequence} AS __sequence, {self._tracked} AS __tracked,
                lead({sequence}) OVER (PARTITION BY {self._keys} ORDER BY {", ".join(self._order)}) AS __following
            FROM {table_in_sql(self.name)}
        ) WHERE __following IS NULL OR __following <> __sequence"""  # noqa: S608
        marked = f"""SELECT *, {DELETED} OR __before IS NULL OR __before.{DELETED}
                OR __before.__tracked <> __tracked AS __opens
            FROM (SELECT *, lag(struct({DELETED}, __tracked)) OVER ({by_sequence}) AS __before
                FROM ({one_a_sequence}))"""  # noqa: S608
        last_of_version = f"""SELECT * FROM (
            SELECT *, lead(__opens, 1, true) OVER ({by_sequence}) AS __is_last,
                last_value(CASE WHEN __opens THEN __sequence END) IGNORE NULLS OVER (
                    {by_sequence} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __START_AT
            FROM ({marked})
        ) WHERE __is_last"""  # noqa: S608
        helpers = ("__sequence", "__tracked", "__following", "__before", "__opens", "__is_last")
        columns = self._columns(*helpers, "__START_AT", "__END_AT")
        return active_session().sql(
            f"""SELECT {columns}, __START_AT, __END_AT FROM (
                SELECT *, lead(__START_AT) OVER ({by_sequence}) AS __END_AT FROM ({last_of_version})
            ) WHERE NOT {DELETED}"""  # noqa: S608
        )

    @property
    def _keys(self) -> str:
        return _listed(self.keys)

    @property
    def _sequence(self) -> str:
        return _listed(self.sequence) if len(self.sequence) == 1 else f"struct({_listed(self.sequence)})"

    @property
    def _order(self) -> tuple[str, ...]:
        """Changes of one key from the first to the one that counts."""
        return (*map(quoted_name, self.sequence), *ADDED_COLUMNS)

    @property
    def _tracked(self) -> str:
        never = (*self.keys, *self.sequence, *self.untracked)
        if self.tracked:
            columns = _listed(self.tracked)
        elif self.only:
            columns = _listed(_outside(self.only, never))
        else:
            columns = f"* EXCEPT ({_listed((*ADDED_COLUMNS, *_each_once((*never, *self.without))))})"
        # Text, since maps and variants cannot be compared. The constant is for tables without a tracked column.
        return f"to_json(struct({', '.join(filter(None, ('true AS __version', columns)))}), {_EXACT_JSON})"

    def _columns(self, *helpers: str) -> str:
        if self.only:
            return _listed(self.only)
        return f"* EXCEPT ({_listed((*ADDED_COLUMNS, *helpers, *self.without))})"

    def _is_there(self, column: str, what: str) -> Column:
        # Names in backticks, which messages of a run keep: what stands in other quotes may be a patient's.
        name, table = quoted_name(column), table_in_sql(self.target)
        error = F.raise_error(F.lit(f"table {table}: a change has no value in its {what} column {name}"))
        return F.expr(f"{name} IS NOT NULL") | error.cast("boolean")


def bare(column: str) -> str:
    """The name of a column without the backticks around it.

    >>> bare("`a.b`"), bare("id")
    ('a.b', 'id')
    """
    is_quoted = len(column) > 1 and column.startswith("`") and column.endswith("`")
    return column[1:-1].replace("``", "`") if is_quoted else column


def table_in_sql(name: str) -> str:
    """The name of a table, with or without its catalog and schema, each part in backticks.

    >>> table_in_sql("lab.`my table`")
    '`lab`.`my table`'
    """
    parts, inside = [""], False
    for character in name:
        inside ^= character == "`"
        if character == "." and not inside:
            parts.append("")
        else:
            parts[-1] += character
    return ".".join(quoted_name(bare(part)) for part in parts)


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(quoted_name, columns))


def _outside(columns: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    excluded = {column.lower() for column in others}
    return tuple(column for column in columns if column.lower() not in excluded)


def _each_once(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple({column.lower(): column for column in columns}.values())
