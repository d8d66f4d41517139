"""Which source a command reads, and with what: what the commands about sources take alike."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from connector_lib.errors import OptionError, UnknownTableError, UsageError, did_you_mean

if TYPE_CHECKING:
    from connector_lib.connector.interface import LakeflowConnect
    from connector_lib.datasource.connect import ReadRequest

__all__ = ["ConnectionName", "ConnectionsFile", "OptionTexts", "OptionsFile", "SourceChoice", "source_class"]

ConnectionName = Annotated[
    str | None,
    typer.Option("--connection", metavar="NAME", help="Read the source of this connection of connections.yml."),
]
ConnectionsFile = Annotated[
    Path | None,
    typer.Option(
        "--connections", metavar="FILE", help="Where the connections are; ./connections.yml without it.", dir_okay=False
    ),
]
OptionTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="KEY=VALUE",
        help="An option of the source or the table. May be repeated. A secret is given as KEY='${VARIABLE}', in single "
        "quotes, and read from the environment.",
    ),
]
OptionsFile = Annotated[
    Path | None,
    typer.Option(
        "--options",
        metavar="FILE",
        help="Options in a YAML or JSON file; ${VARIABLE} in it is looked up.",
        dir_okay=False,
    ),
]

_REFERENCE: Final = re.compile(r"\$\{[A-Za-z_]\w*\}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """What was given at the keyboard: a source by its name with options, or a connection.

    ``texts`` are ``KEY=VALUE``; they come before those of ``options_file``.
    """

    source: str | None
    connection: str | None
    connections_file: Path | None
    texts: tuple[str, ...]
    options_file: Path | None

    @classmethod
    def of(
        cls,
        source: str | None,
        connection: str | None,
        connections_file: Path | None,
        texts: list[str] | None,
        options_file: Path | None,
    ) -> SourceChoice:
        """The choice that a command's arguments make. Raises UsageError where they name no source, or two."""
        if source is None and connection is None:
            raise UsageError(
                "which source?", hint="give its name, as 'connector-lib sources' lists it, or --connection NAME"
            )
        if source is not None and connection is not None:
            raise UsageError(
                f"both the source '{source}' and the connection '{connection}' are given",
                hint="a connection has its source in connections.yml; leave the name out",
            )
        if connection is None and connections_file is not None:
            raise UsageError("--connections needs --connection NAME", hint="the name of one of its connections")
        return cls(source, connection, connections_file, tuple(texts or ()), options_file)

    def request(self, table: str | None = None, environment: Mapping[str, str] = os.environ) -> ReadRequest:
        """The read of ``table``, as Spark would be told of it; None where a command is about no table.

        Beyond what Spark takes, an option may also replace one of the connection. Raises UsageError for what is wrong
        at the keyboard, ConfigurationError for what is wrong in a file.
        """
        from connector_lib.connector.connections import filled_options, find_connections_file
        from connector_lib.connector.written_values import read_mapping
        from connector_lib.datasource.connect import METADATA_TABLE, ReadRequest

        typed = dict(map(_pair, self.texts))
        if len(typed) < len(self.texts):
            raise UsageError("one --option is given twice", hint="give it once")
        # A read names a table: where the command does not, that of the data source itself.
        own = {"tableName": table or METADATA_TABLE}
        if self.source is not None:
            source_class(self.source)
            own["sourceName"] = self.source
        if self.connection is not None:
            own["connectionName"] = self.connection
            own["connectionsFile"] = str(find_connections_file(self.connections_file, environment).absolute())
        options = filled_options(typed, environment, "--option")
        if self.options_file is not None:
            in_file = filled_options(read_mapping(self.options_file), environment, str(self.options_file))
            options = _overridden(in_file, options)
        request = ReadRequest.of({**options, **own})
        _check_typed(typed, request.connector_type)
        return request if self.connection is None else _with_connection_overridden(request)

    @contextmanager
    def wrong_usage(self) -> Iterator[None]:
        """Makes wrong usage of an unknown table, and of a wrong option where all options are from the keyboard."""
        try:
            yield
        except UnknownTableError as error:
            raise UsageError(error.message, hint=error.hint) from None
        except OptionError as error:
            if self.connection is not None or self.options_file is not None:
                raise
            raise UsageError(error.message, hint=error.hint) from None


def source_class(name: str) -> type[LakeflowConnect]:
    """The class of the source ``name``. Raises UsageError where there is none of that name."""
    from connector_lib.connector.registry import load_source, source_names

    known = [entry.name for entry in source_names()]
    if name not in known:
        raise UsageError(f"there is no source '{name}'", hint=f"{did_you_mean(name, known)}sources: {', '.join(known)}")
    return load_source(name)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        # Without the text: it may be a secret whose name was forgotten.
        raise UsageError("an --option is not KEY=VALUE", hint="--option page_size=50")
    return name.strip(), value


def _overridden(options: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """``options`` with ``others`` in place of those of the same name, however it is written."""
    from connector_lib.connector.options import plain_option_name

    names = {plain_option_name(name) for name in others}
    return {**{name: value for name, value in options.items() if plain_option_name(name) not in names}, **others}


def _with_connection_overridden(request: ReadRequest) -> ReadRequest:
    """``request`` with those options that only its connection knows given to it."""
    from connector_lib.connector.options import plain_option_name
    from connector_lib.datasource.connect import OptionsWithoutCase

    kind = request.connector_type
    of_connection, of_table = (
        {plain_option_name(field.name) for field in model.fields()} if model is not None else set[str]()
        for model in (getattr(kind, "connection_options", None), getattr(kind, "table_options", None))
    )
    given = request.direct_table_options
    meant = {name for name in given if plain_option_name(name) in of_connection - of_table}
    return replace(
        request,
        connection_options=OptionsWithoutCase(
            _overridden(request.connection_options, {name: given[name] for name in meant})
        ),
        direct_table_options=OptionsWithoutCase({name: given[name] for name in given if name not in meant}),
    )


def _check_typed(typed: Mapping[str, str], connector_type: type[LakeflowConnect]) -> None:
    """Refuses options that the source does not know, and secrets: what is typed stands in the shell's history and in
    the list of processes."""
    from connector_lib.connector.options import plain_option_name
    from connector_lib.redaction import SECRET_NAMES

    models: list[Any] = [getattr(connector_type, name, None) for name in ("connection_options", "table_options")]
    fields = [field for model in models if model is not None for field in model.fields()]
    declared = {plain_option_name(field.name): field.secret for field in fields}
    for name, value in typed.items():
        if None not in models and plain_option_name(name) not in declared:
            known = list(dict.fromkeys(field.name for field in fields))
            raise UsageError(
                f"there is no option '{name}'", hint=f"{did_you_mean(name, known)}options: {', '.join(known)}"
            )
        by_name = re.search(SECRET_NAMES, name) is not None
        if declared.get(plain_option_name(name), by_name) and not _REFERENCE.fullmatch(value):
            raise UsageError(
                f"the option '{name}' is a secret, and no argument: others could read it",
                hint=f"put it into an environment variable and give --option {name}='${{VARIABLE}}', in single quotes; "
                "or use --options FILE or --connection NAME",
            )
