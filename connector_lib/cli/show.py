"""``connector-lib show``: rows of a table that a local run made."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from connector_lib.cli.options import DEFAULT_WAREHOUSE
from connector_lib.cli.output import write_json_line
from connector_lib.cli.rows import print_rows
from connector_lib.errors import UsageError, did_you_mean

__all__ = ["register"]

_HELP = """\
Print rows of a table that a local run made; without TABLE, the names of the tables.

Reads the files that Spark has committed, without starting it.

\b
Example: connector-lib show observations \\
    --columns code_text,value,units --limit 5
"""


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("show", help=_HELP, short_help="Print rows of a table that a local run made.")
    def show(
        table: Annotated[
            str | None,
            typer.Argument(
                metavar="TABLE",
                help="The table, such as 'observations', or 'hl7v2_kafka.observations' of a pipeline with a "
                "'database:'.",
            ),
        ] = None,
        warehouse: Annotated[
            Path,
            typer.Option("--warehouse", metavar="DIR", help="The folder that the run kept its tables in."),
        ] = DEFAULT_WAREHOUSE,
        columns: Annotated[
            str | None, typer.Option("--columns", metavar="A,B,C", help="Only these columns, in this order.")
        ] = None,
        limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="How many rows.")] = 10,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    ) -> None:
        from connector_lib.local.requirements import require_module

        require_module("pyarrow", extra="local")
        from connector_lib.local.journal import Journal
        from connector_lib.local.lock import WarehouseLock
        from connector_lib.local.tables import count_rows, find_table, read_rows, stored_tables
        from connector_lib.local.warehouse import existing_warehouse

        if table is None and columns is not None:
            raise UsageError("--columns needs a table", hint=f"connector-lib show TABLE --columns {columns}")
        place = existing_warehouse(warehouse)
        lock = WarehouseLock(
            place.root / "lock",
            "show",
            now=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"),
            on_wait=lambda words: typer.echo(f"note: {words}", err=True),
            shared=True,
        )
        with lock:
            if table is None:
                for stored in stored_tables(place):
                    typer.echo(json.dumps({"table": stored.name}) if as_json else stored.name)
                return
            found = find_table(place, table)
            rows = read_rows(found, limit)
            total = count_rows(found)
            unfinished = [view for run in Journal(place.journal).interruptions() for view in run.materialized_views]
        if found.name in unfinished:
            typer.echo(
                f"note: the run that was to rebuild '{found.name}' did not finish; the next run rebuilds it",
                err=True,
            )
        if columns is not None and rows.column_names:
            rows = rows.select(_chosen(columns, rows.column_names, found.name))
        values = [{name: _plain(value) for name, value in row.items()} for row in rows.to_pylist()]
        if as_json:
            for row in values:
                write_json_line(row)
        else:
            print_rows(found.name, rows.column_names, values)
        if len(values) < total:
            typer.echo(f"{len(values):,} of {total:,} rows; '--limit N' prints more", err=True)


def _chosen(wanted: str, there: list[str], table: str) -> list[str]:
    """The columns that ``wanted``, a list with commas, names in any case; each once, in its order."""
    by_name = {name.lower(): name for name in there}
    chosen: dict[str, None] = {}
    for name in filter(None, (part.strip() for part in wanted.split(","))):
        if name.lower() not in by_name:
            raise UsageError(
                f"the table '{table}' has no column '{name}'",
                hint=f"{did_you_mean(name, there)}its columns: {', '.join(there)}",
            )
        chosen[by_name[name.lower()]] = None
    if not chosen:
        raise UsageError("--columns names no column", hint=f"its columns: {', '.join(there)}")
    return list(chosen)


def _plain(value: Any) -> Any:
    """``value`` of an Arrow column as JSON has it: times as ISO 8601, decimals as text, bytes as base64."""
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        # Arrow gives a map as a list of pairs.
        if value and all(isinstance(part, tuple) and len(part) == 2 for part in value):
            return {str(name): _plain(part) for name, part in value}
        return [_plain(part) for part in value]
    return value
