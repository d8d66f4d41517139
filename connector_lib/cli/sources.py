"""``connector-lib sources``, ``tables``, ``schema`` and ``check-source``: what there is to read, and if it answers."""

from __future__ import annotations

import json
import shutil
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from connector_lib.cli.output import visible, write_json_line
from connector_lib.cli.rows import print_rows
from connector_lib.cli.source_options import (
    ConnectionName,
    ConnectionsFile,
    OptionsFile,
    OptionTexts,
    SourceChoice,
    source_class,
)

if TYPE_CHECKING:
    from connector_lib.connector.interface import LakeflowConnect
    from connector_lib.connector.options import OptionField, Options

__all__ = ["SourceName", "TableName", "first_answer", "register", "source_and_table"]

SourceName = Annotated[
    str | None,
    typer.Argument(metavar="SOURCE", help="The source, as 'connector-lib sources' lists it.", show_default=False),
]
TableName = Annotated[
    str | None,
    typer.Argument(metavar="TABLE", help="The table, as 'connector-lib tables' lists it.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]

_SOURCES_HELP = """\
List the sources that are installed; with SOURCE, the options that it takes.

\b
Example: connector-lib sources fhir
"""
_TABLES_HELP = """\
List the tables of a source.

\b
Example: connector-lib tables fhir \\
    --option base_url=https://ehr.example.org/fhir

\b
Example: connector-lib tables \\
    --connection clinic --connections connections.yml
"""
_SCHEMA_HELP = """\
Print the columns of a table, its keys and its cursor.

With a connection, TABLE alone is given.

\b
Example: connector-lib schema fhir Patient --depth 1 \\
    --option base_url=https://ehr.example.org/fhir

\b
Example: connector-lib schema Patient --connection clinic
"""
_CHECK_HELP = """\
Try the connection to a source: its options, its login, its first answer.

\b
Example: connector-lib check-source --connection clinic
"""


def register(app: typer.Typer) -> None:
    """Adds the commands to ``app``."""

    @app.command("sources", help=_SOURCES_HELP, short_help="List the sources that are installed.")
    def sources(source: SourceName = None, as_json: AsJson = False) -> None:
        if source is not None:
            _print_options(source, as_json)
            return
        from connector_lib.connector.registry import source_names

        rows = [
            {"source": entry.name, "origin": entry.origin, "package": entry.distribution, "class": entry.location}
            for entry in source_names()
        ]
        if not as_json:
            print_rows("sources", list(rows[0]), rows)
            return
        for row in rows:
            write_json_line(row)

    @app.command("tables", help=_TABLES_HELP, short_help="List the tables of a source.")
    def tables(
        source: SourceName = None,
        connection: ConnectionName = None,
        connections: ConnectionsFile = None,
        option: OptionTexts = None,
        options: OptionsFile = None,
        as_json: AsJson = False,
    ) -> None:
        choice = SourceChoice.of(source, connection, connections, option, options)
        with choice.wrong_usage():
            names = choice.request().connect().list_tables()
        for name in names:
            if as_json:
                write_json_line({"table": name})
            else:
                typer.echo(visible(name))

    @app.command("schema", help=_SCHEMA_HELP, short_help="Print the columns, keys and cursor of a table.")
    def schema(
        source: SourceName = None,
        table: TableName = None,
        connection: ConnectionName = None,
        connections: ConnectionsFile = None,
        option: OptionTexts = None,
        options: OptionsFile = None,
        depth: Annotated[
            int | None,
            typer.Option("--depth", min=1, metavar="N", help="How deep columns are shown; wholly without it."),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> None:
        from connector_lib.local.requirements import require_module

        require_module("pyspark", extra="local")
        source, table = source_and_table(source, table, connection)
        choice = SourceChoice.of(source, connection, connections, option, options)
        with choice.wrong_usage():
            request = choice.request(table)
            connector, table_options = request.connect(), request.table_options(table)
            columns = connector.get_table_schema(table, table_options)
        metadata = connector.read_table_metadata(table, table_options)
        if as_json:
            typer.echo(json.dumps({"table": table, **metadata, "schema": columns.jsonValue()}, indent=2))
            return
        typer.echo(f"table         {table}")
        typer.echo(f"ingestion     {metadata.get('ingestion_type', '')}")
        typer.echo(f"primary keys  {', '.join(metadata.get('primary_keys', [])) or '-'}")
        typer.echo(f"cursor        {metadata.get('cursor_field') or '-'}")
        tree = columns.treeString() if depth is None else columns.treeString(depth)
        typer.echo(visible(tree.rstrip("\n").removeprefix("root\n")))

    @app.command("check-source", help=_CHECK_HELP, short_help="Try the connection to a source.")
    def check_source(
        source: SourceName = None,
        connection: ConnectionName = None,
        connections: ConnectionsFile = None,
        option: OptionTexts = None,
        options: OptionsFile = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> None:
        choice = SourceChoice.of(source, connection, connections, option, options)
        with choice.wrong_usage():
            request = choice.request()
            answer = first_answer(request.connect())
        if as_json:
            write_json_line({"checked": request.where, "answer": answer})
        else:
            typer.echo(f"{request.where} works: {visible(answer)}")


def source_and_table(first: str | None, second: str | None, connection: str | None) -> tuple[str | None, str]:
    """The source and the table that the arguments name. With a connection, a single one is the table.

    Raises UsageError where no table is given.
    """
    from connector_lib.errors import UsageError

    if second is not None:
        return first, second
    if connection is not None and first is not None:
        return None, first
    raise UsageError("which table?", hint="'connector-lib tables' lists those of a source")


def first_answer(connector: LakeflowConnect) -> str:
    """What the source says to a first question, for the person at the keyboard. Raises what it raises."""
    from connector_lib.connector.interface import ChecksConnection

    if isinstance(connector, ChecksConnection):
        return connector.check_connection()
    return f"{len(connector.list_tables()):,} tables (the source has no check of its connection)"


def _print_options(source: str, as_json: bool) -> None:
    connector = source_class(source)
    # An option that a connection and a table can be given alike is one.
    found: dict[str, tuple[OptionField, list[str]]] = {}
    for place in ("connection", "table"):
        model: type[Options] | None = getattr(connector, f"{place}_options", None)
        for field in model.fields() if model is not None else ():
            found.setdefault(field.name, (field, []))[1].append(place)
    if not found:
        typer.echo(f"the source '{source}' does not say which options it takes", err=True)
        return
    if as_json:
        for field, places in found.values():
            write_json_line({**asdict(field), "of": places})
        return
    width = shutil.get_terminal_size().columns
    # What must be given comes first.
    for field, places in sorted(found.values(), key=lambda option: not option[0].required):
        kind = (" | ".join(field.choices) or field.type) + (", secret" if field.secret else "")
        default = "" if field.default is None else f", {json.dumps(field.default, ensure_ascii=False)} if not given"
        needed = ", must be given" if field.required else default
        typer.echo(f"{field.name}  (of the {' or '.join(places)}; {kind}{needed})")
        if field.description:
            typer.echo(textwrap.indent(textwrap.fill(field.description, width - 4, break_long_words=False), "    "))
