"""``connector-lib verify``: the tables of a pipeline after a run, through a SQL warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_lib.cli.pipeline_argument import DevCopy, PipelineArgument, TargetOption, find_watched
from connector_lib.cli.workspace_options import AsJson, Profile, print_document, say

if TYPE_CHECKING:
    from connector_lib.deploy.sql_statements import StatementRows
    from connector_lib.deploy.verification import SecondUpdate, TableState
    from connector_lib.deploy.watched_pipeline import WatchedPipeline
    from connector_lib.deploy.workspace import Workspace

__all__ = ["register"]

_HELP = """\
Look whether every table that a pipeline defines is there, how many rows it has, and how new they are.

Which tables there have to be is told by the pipeline's files, or else by its last update that went well; where neither
tells all of them, it ends with 1. With --second-run another update is started and watched; tables into which it wrote
more than what changed are an error.

\b
Example: connector-lib verify pipelines/fhir_api \\
    --warehouse 1234567890abcdef --second-run
"""


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("verify", help=_HELP)
    def verify(
        pipeline: PipelineArgument,
        warehouse: Annotated[
            str,
            typer.Option(
                "--warehouse", metavar="ID", envvar="DATABRICKS_WAREHOUSE_ID", help="The SQL warehouse to ask through."
            ),
        ],
        second_run: Annotated[
            bool, typer.Option("--second-run", help="Start another update, and look what it writes.")
        ] = False,
        target: TargetOption = None,
        dev: DevCopy = False,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.cli.update_output import end_document, follow, print_end
        from connector_lib.deploy.sql_statements import run_statement
        from connector_lib.deploy.updates import update_with_retries
        from connector_lib.deploy.verification import compare_updates, expected_tables, measure_tables
        from connector_lib.deploy.workspace import open_workspace
        from connector_lib.project.pipeline import load_pipeline_folder

        workspace = open_workspace(profile)
        _, found = find_watched(workspace, pipeline, target, dev)
        folder = load_pipeline_folder(found.folder) if found.folder is not None else None
        expected = expected_tables(workspace, found, folder)
        names = expected.names

        def query(statement: str, parameters: Mapping[str, str]) -> StatementRows:
            return run_statement(workspace, warehouse, statement, parameters=parameters, sleep=sleep, clock=monotonic)

        tables = measure_tables(query, names)
        document: dict[str, Any] = {
            "pipeline_id": found.id,
            "tables": [table.to_json() for table in tables],
            "all_tables_known": expected.whole,
        }
        changes: list[SecondUpdate] = []
        if second_run:
            end = follow(
                workspace,
                found,
                lambda observer: update_with_retries(workspace, found, observer=observer, sleep=sleep, clock=monotonic),
            )
            if not end.completed:
                return print_end(workspace, found, end, as_json=as_json)
            changes = compare_updates(query, tables, measure_tables(query, names), end, found.schema)
            document["second_update"] = end_document(workspace, found, end)
            document["changes"] = [change.to_json() for change in changes]
        if as_json:
            print_document(document)
        else:
            _print_tables(found, tables)
            if changes:
                _print_changes(changes)
        code = _told(workspace, found, tables, changes)
        return code if expected.whole else _told_in_part(workspace, found, second_run)


def _print_tables(pipeline: WatchedPipeline, tables: list[TableState]) -> None:
    from connector_lib.cli.rows import print_rows

    rows = [
        {
            "table": table.name,
            "kind": (table.kind or "").replace("_", " ").lower(),
            "rows": "" if table.rows is None else f"{table.rows:,}",
            "newest row": table.newest,
            "state": "missing" if not table.there else "empty" if table.is_empty else "there",
        }
        for table in tables
    ]
    print_rows(f"tables of {pipeline.argument}", ["table", "kind", "rows", "newest row", "state"], rows)


def _print_changes(changes: list[SecondUpdate]) -> None:
    from connector_lib.cli.rows import print_rows

    rows = [
        {
            "table": change.name,
            "rows before": change.rows_before,
            "rows after": change.rows_after,
            "written": change.written,
            "newer rows": change.stamped,
            "verdict": change.verdict,
        }
        for change in changes
    ]
    print_rows("second update", list(rows[0]), rows)


def _told_in_part(workspace: Workspace, pipeline: WatchedPipeline, second_run: bool) -> int:
    """Says that tables may have been left out; gives the exit code."""
    say("note: there may be more tables: the files do not tell all of them, nor did an update that went well")
    words = pipeline.words(workspace)
    first = "" if second_run else "'connector-lib start {pipeline}{option}' first; then ".format(**words)
    say(f"  {first}verify once more")
    return 1


def _told(
    workspace: Workspace, pipeline: WatchedPipeline, tables: list[TableState], changes: list[SecondUpdate]
) -> int:
    """Says what is wrong, and what is worth a word; gives the exit code."""
    words = pipeline.words(workspace)
    missing = [table.name for table in tables if not table.there]
    empty = [table.name for table in tables if table.is_empty]
    wrong = [change for change in changes if change.is_wrong]
    if empty:
        say(f"note: without a row: {', '.join(empty)}; is there anything for them in the source?")
    if missing:
        say(f"error: missing, or not visible to {workspace.user}: {', '.join(missing)}")
        say("  'connector-lib logs {pipeline}{option}' shows what the last update did".format(**words))
    for change in wrong:
        say(f"error: {change.name}: {change.verdict}: {change.written or change.stamped:,} rows by the second update")
    if wrong:
        say(
            "  a second update should write only what changed: look for a source without a key, a sequence or an offset"
            " that stays; where the source did change that much, verify once more"
        )
    return 1 if missing or wrong else 0
