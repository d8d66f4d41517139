"""``connector-lib show``: rows of a table that a local run made."""

from __future__ import annotations

import base64
import json
import sys
from datetime import date, datetime, time, timezone
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["register"]

_HELP = """\
Print rows of a table that a local run made; without TABLE, the names of the tables.

Reads the files that Spark has committed, without starting it.

Example: connector-lib show observations --limit 5
"""


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("show", help=_HELP)
    def show(
        table: Annotated[str | None, typer.Argument(help="The table, such as 'observations'.")] = None,
        warehouse: Annotated[
            Path,
            typer.Option("--warehouse", metavar="DIR", help="The folder that the run kept its tables in."),
        ] = Path("local_warehouse"),
        limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="How many rows.")] = 10,
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    ) -> None:
        from connector_lib.local.requirements import require_module

        require_module("pyarrow", extra="local")
        from connector_lib.local.journal import Journal
        from connector_lib.local.lock import WarehouseLock
        from connector_lib.local.tables import find_table, read_rows, stored_tables
        from connector_lib.local.warehouse import existing_warehouse

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
            unfinished = [view for run in Journal(place.journal).interruptions() for view in run.materialized_views]
        if found.name in unfinished:
            typer.echo(
                f"note: the run that was to rebuild '{found.name}' did not finish; the next run rebuilds it",
                err=True,
            )
        values = [{name: _plain(value) for name, value in row.items()} for row in rows.to_pylist()]
        if as_json:
            for row in values:
                sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
            return
        _print_rows(found.name, rows.column_names, values)


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


def _print_rows(name: str, columns: list[str], rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, highlight=False)
    if not rows:
        console.print(f"{name}: no rows", markup=False)
        return
    fitting = max(1, console.width // _NARROWEST)
    if len(columns) > fitting:
        _print_upright(console, columns, rows)
        return
    table = Table(box=box.SIMPLE_HEAD, title=f"{name}: {len(rows)} rows")
    for column in columns:
        table.add_column(Text(column), no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(_cell(row[column])) for column in columns))
    console.print(table)


_NARROWEST = 12
"""Columns narrower than this many signs cannot be read."""


def _print_upright(console: Any, columns: list[str], rows: list[dict[str, Any]]) -> None:
    """One line a value, for tables with more columns than the terminal has room for."""
    width = max(len(column) for column in columns)
    for number, row in enumerate(rows, start=1):
        console.print(f"row {number}", markup=False)
        for column in columns:
            if row[column] is not None:
                text = f"  {column:<{width}}  {_cell(row[column])}"
                console.print(text, markup=False, no_wrap=True, overflow="ellipsis")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else str(value)
    # A message's carriage returns would tear the terminal's lines apart.
    return text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")
