"""Whether the tables of a pipeline are there and hold rows, and whether a second update writes only what changed.

Asked through a SQL warehouse. Which tables there have to be is told by the files of the pipeline, and where these do
not say it, by the events of its last update that went well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from connector_lib.deploy.identifiers import quoted_identifier, quoted_name, split_name
from connector_lib.deploy.sql_statements import StatementRows
from connector_lib.deploy.update_events import UpdateProgress, read_events
from connector_lib.deploy.updates import UpdateEnd, list_updates
from connector_lib.deploy.watched_pipeline import WatchedPipeline
from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import UsageError
from connector_lib.project.pipeline import PipelineFolder
from connector_lib.project.transformation_rules import DefinedTables, defined_tables

__all__ = [
    "ExpectedTables",
    "Query",
    "SecondUpdate",
    "TableState",
    "Verdict",
    "compare_updates",
    "datasets_of_last_update",
    "expected_tables",
    "known_tables",
    "measure_tables",
]

Query: TypeAlias = Callable[[str, Mapping[str, str]], StatementRows]
"""Runs a statement, with the values of its ``:name`` parameters."""
Verdict: TypeAlias = Literal[
    "nothing written", "only changes", "computed again", "all written again", "written twice", "not told"
]
_WRONG: Final = frozenset({"all written again", "written twice"})
_TIMESTAMP: Final = "_ingest_timestamp"
_MATERIALIZED_VIEW: Final = "MATERIALIZED_VIEW"
_LISTING: Final = """\
SELECT t.table_name, t.table_type, max(CASE WHEN c.column_name = '{column}' THEN 1 ELSE 0 END) AS has_timestamp
FROM {catalog}.information_schema.tables t
LEFT JOIN {catalog}.information_schema.columns c
  ON c.table_schema = t.table_schema AND c.table_name = t.table_name
WHERE lower(t.table_schema) = :schema
GROUP BY t.table_name, t.table_type"""


@dataclass(frozen=True, slots=True)
class TableState:
    """A table as it was found. ``name`` in full; ``there`` is False where it is missing, or not visible to the user;
    ``kind`` is Databricks' name of it, such as ``STREAMING_TABLE``; ``newest`` is the newest ``_ingest_timestamp``,
    None without such a column or rows."""

    name: str
    there: bool
    kind: str | None = None
    rows: int | None = None
    newest: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it is there without a row."""
        return self.there and self.rows == 0

    def to_json(self) -> dict[str, Any]:
        """The table as JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SecondUpdate:
    """What a second update did to a table. ``written`` rows as the update counts them, None where it does not;
    ``stamped`` are rows that are newer than the newest one before it."""

    name: str
    rows_before: int | None
    rows_after: int | None
    written: int | None
    stamped: int | None
    verdict: Verdict

    @property
    def is_wrong(self) -> bool:
        """Whether it wrote more than what changed."""
        return self.verdict in _WRONG

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON types."""
        return asdict(self)


def datasets_of_last_update(workspace: Workspace, pipeline: WatchedPipeline) -> tuple[str, ...]:
    """The datasets of the newest update that went well, by the events of it; none where there is no such update."""
    done = next((it for it in list_updates(workspace, pipeline.id, limit=10) if it.state == "COMPLETED"), None)
    if done is None:
        return ()
    progress = UpdateProgress(pipeline.schema)
    for event in read_events(workspace, pipeline.id, done.id):
        progress.add(event)
    return tuple(dataset.name for dataset in progress.datasets)


@dataclass(frozen=True, slots=True)
class ExpectedTables:
    """The tables that a pipeline makes, by their full names in the order of their definition; ``whole`` is False where
    there may be more of them."""

    names: tuple[str, ...]
    whole: bool


def known_tables(
    workspace: Workspace, pipeline: WatchedPipeline, folder: PipelineFolder | None
) -> tuple[tuple[str, ...], bool]:
    """The tables of the pipeline as far as they are known, and whether they are all: the files of ``folder`` tell it,
    or else they are those of its last update too, since which a table may have been added.
    """
    defined = defined_tables(folder) if folder is not None else DefinedTables((), whole=False)
    names = defined.names if defined.whole else (*defined.names, *datasets_of_last_update(workspace, pipeline))
    return tuple(dict.fromkeys(names)), defined.whole


def expected_tables(workspace: Workspace, pipeline: WatchedPipeline, folder: PipelineFolder | None) -> ExpectedTables:
    """The tables that the pipeline makes: those of ``folder``, and where its files do not tell all of them (or there is
    no folder) those that the last update wrote, which are all then.

    Raises UsageError where nothing tells a table.
    """
    defined = defined_tables(folder) if folder is not None else DefinedTables((), whole=False)
    written = () if defined.whole else datasets_of_last_update(workspace, pipeline)
    names = (*defined.names, *written)
    full: dict[str, str] = {}
    for name in (_full_name(it, pipeline.schema) for it in names):
        # A file and the events of an update may write the same name in other letters.
        full.setdefault(name.lower(), name)
    if not full:
        raise UsageError(
            f"which tables the pipeline {pipeline.argument} makes is not known: it has had no update that went well",
            hint="'connector-lib start {pipeline}{option}' first".format(**pipeline.words(workspace)),
        )
    return ExpectedTables(tuple(full.values()), whole=defined.whole or bool(written))


def measure_tables(query: Query, names: Iterable[str]) -> list[TableState]:
    """Each table of the full names ``names``: whether it is there, its rows, and the newest of them.

    Raises what ``query`` raises, such as WorkspaceError for a table that may not be read.
    """
    wanted = [(name, split_name(name)) for name in names]
    found: dict[tuple[str, ...], tuple[str, bool]] = {}
    # Unity Catalog keeps names in small letters, and takes them in any.
    for catalog, schema in dict.fromkeys(_folded(parts[:2]) for _, parts in wanted):
        statement = _LISTING.format(catalog=quoted_identifier(catalog), column=_TIMESTAMP)
        for table, kind, has_timestamp in query(statement, {"schema": schema}).rows:
            found[catalog, schema, (table or "").lower()] = (kind or "", has_timestamp == "1")
    return [_measured(query, name, parts, found) for name, parts in wanted]


def compare_updates(
    query: Query,
    before: Sequence[TableState],
    after: Sequence[TableState],
    end: UpdateEnd,
    schema: str,
) -> list[SecondUpdate]:
    """What the update that ended as ``end`` did to the tables that were as in ``before`` and are as in ``after``."""
    written = {_full_name(dataset.name, schema).lower(): dataset.rows for dataset in end.datasets}
    return [_compared(query, was, now, written.get(now.name.lower())) for was, now in zip(before, after, strict=True)]


def _compared(query: Query, was: TableState, now: TableState, written: int | None) -> SecondUpdate:
    stamped = None
    if was.newest is not None and now.there:
        stamped = _count_since(query, now.name, was.newest)
    told = written if written is not None else stamped
    verdict = _verdict(was.rows or 0, now.rows or 0, told, now.kind)
    return SecondUpdate(now.name, was.rows, now.rows, written, stamped, verdict)


def _verdict(before: int, after: int, written: int | None, kind: str | None) -> Verdict:
    if written is None:
        return "not told"
    if written == 0:
        return "nothing written"
    if kind == _MATERIALIZED_VIEW:
        return "computed again"
    if before and written >= before and after == before * 2:
        return "written twice"
    if before and written >= after:
        return "all written again"
    return "only changes"


def _full_name(name: str, schema: str) -> str:
    parts = split_name(name)
    above = split_name(schema) if schema else ()
    full = (*above[: max(0, 3 - len(parts))], *parts)
    if len(full) != 3:
        raise UsageError(
            f"the table '{name}' has no catalog and schema in the settings of the pipeline",
            hint="verify works on pipelines of Unity Catalog: give 'catalog' and 'schema' in deploy.yml",
        )
    return ".".join(_plain_or_quoted(part) for part in full)


def _plain_or_quoted(part: str) -> str:
    return quoted_identifier(part) if "." in part or "`" in part else part


def _folded(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.lower() for part in parts)


def _measured(
    query: Query, name: str, parts: tuple[str, ...], found: Mapping[tuple[str, ...], tuple[str, bool]]
) -> TableState:
    known = found.get(_folded(parts))
    if known is None:
        return TableState(name, there=False)
    kind, has_timestamp = known
    newest = f"CAST(max({quoted_identifier(_TIMESTAMP)}) AS STRING)" if has_timestamp else "CAST(NULL AS STRING)"
    statement = f"SELECT count(*) AS row_count, {newest} AS newest FROM {quoted_name(parts)}"  # noqa: S608 - quoted
    ((rows, moment),) = query(statement, {}).rows
    return TableState(name, True, kind, int(rows or 0), moment)


def _count_since(query: Query, name: str, newest: str) -> int:
    column = quoted_identifier(_TIMESTAMP)
    table = quoted_name(split_name(name))
    statement = f"SELECT count(*) AS row_count FROM {table} WHERE {column} > CAST(:newest AS TIMESTAMP)"  # noqa: S608
    ((rows,),) = query(statement, {"newest": newest}).rows
    return int(rows or 0)
