"""``connector-lib read``: a table of a source, read to its end without Spark."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from connector_lib.cli.output import json_line
from connector_lib.cli.rows import print_rows
from connector_lib.cli.source_options import ConnectionName, ConnectionsFile, OptionsFile, OptionTexts, SourceChoice
from connector_lib.cli.sources import SourceName, TableName, source_and_table

if TYPE_CHECKING:
    from connector_lib.connector.interface import Record

__all__ = ["register"]

_HELP = """\
Read a table of a source to its end, without Spark.

Prints the first records and how many there are; with --json every record, one JSON object a line, as the API sent it.
With a connection, TABLE alone is given.

\b
Example: connector-lib read fhir Patient --limit 5 \\
    --option base_url=https://ehr.example.org/fhir

\b
Example: connector-lib read Patient --connection clinic --json
"""
_SHOWN: Final = 20
"""Records on the screen without --limit: they are kept until the widths of the columns are known."""


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("read", help=_HELP, short_help="Read a table of a source, without Spark.")
    def read(
        source: SourceName = None,
        table: TableName = None,
        connection: ConnectionName = None,
        connections: ConnectionsFile = None,
        option: OptionTexts = None,
        options: OptionsFile = None,
        limit: Annotated[
            int | None,
            typer.Option("--limit", min=1, metavar="N", help="End after so many records; the end without it."),
        ] = None,
        deletes: Annotated[bool, typer.Option("--deletes", help="Read what was deleted.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Every record, one JSON object a line.")] = False,
    ) -> None:
        from connector_lib.connector.reading import read_all

        source, table = source_and_table(source, table, connection)
        choice = SourceChoice.of(source, connection, connections, option, options)
        with choice.wrong_usage():
            request = choice.request(table)
            records = read_all(request.connect(), table, request.table_options(table), deletes=deletes)
            # The table, and what the options mean for it, are looked at with the first record.
            first = list(itertools.islice(records, 1))
        wanted = itertools.islice(itertools.chain(first, records), limit)
        count = _write_lines(wanted) if as_json else _print_table(table, wanted, limit or _SHOWN)
        if count == limit:
            typer.echo(f"ended after {count:,} records, as --limit says", err=True)
        elif as_json or count <= _SHOWN:
            typer.echo(f"{count:,} records", err=True)
        else:
            typer.echo(f"{_SHOWN} of {count:,} records; '--json' prints all", err=True)


def _write_lines(records: Iterator[Record]) -> int:
    count = 0
    for record in records:
        sys.stdout.write(f"{json_line(record)}\n")
        count += 1
    return count


def _print_table(name: str, records: Iterator[Record], most: int) -> int:
    shown = [{key: _plain(value) for key, value in record.items()} for record in itertools.islice(records, most)]
    # In the order of their first appearance: an API leaves out what a record does not have.
    columns = list(dict.fromkeys(key for record in shown for key in record))
    count = len(shown) + sum(1 for _ in records)
    print_rows(name, columns, [{column: record.get(column) for column in columns} for record in shown])
    return count


def _plain(value: Any) -> Any:
    """``value`` as it is shown: truth values as in JSON, decimals in what holds others as text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return {key: _nested(part) for key, part in value.items()}
    return [_nested(part) for part in value] if isinstance(value, list) else value


def _nested(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nested(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_nested(part) for part in value]
    return str(value) if isinstance(value, Decimal) else value
