"""The options of a connection as they are given at the keyboard: secrets from files, the environment and prompts."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from connector_lib.cli.source_options import SourceChoice, source_class
from connector_lib.errors import UsageError

if TYPE_CHECKING:
    from connector_lib.connector.options import Options
    from connector_lib.datasource.connect import ReadRequest
    from connector_lib.deploy.connector_spec import SourceTerms

__all__ = ["ConnectionArgument", "FromConnections", "GivenOptions", "Prompts", "SourceOption", "Typed"]

ConnectionArgument = Annotated[str, typer.Argument(metavar="NAME", help="The connection's name in Unity Catalog.")]
SourceOption = Annotated[
    str | None,
    typer.Option("--source", metavar="SOURCE", help="The source, as 'connector-lib sources' lists it."),
]
FromConnections = Annotated[
    bool,
    typer.Option(
        "--from-connections", help="Take source and options of the connection NAME in connections.yml (--connections)."
    ),
]
Prompts = Annotated[
    list[str] | None,
    typer.Option("--prompt", metavar="KEY", help="Ask for this option on the terminal, hidden. May be repeated."),
]

_REFERENCE: Final = re.compile(r"\$\{[A-Za-z_]\w*\}", re.ASCII)
_KEY: Final = re.compile(r"[A-Za-z_][\w.-]*")
_VARIABLE: Final = "CONNECTOR_LIB_PROMPTED_{}"


@dataclass(frozen=True, slots=True)
class GivenOptions:
    """A source, what a connection to it may hold, and options, not checked yet. Secrets are among them."""

    terms: SourceTerms
    options: Mapping[str, str] = field(repr=False)
    choice: SourceChoice = field(repr=False)

    @contextmanager
    def wrong_usage(self) -> Iterator[None]:
        """Makes wrong usage of a wrong option where all options are from the keyboard."""
        with self.choice.wrong_usage():
            yield


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed about the connection ``name``."""

    name: str
    source: str | None
    from_connections: bool
    connections_file: Path | None
    texts: list[str] | None
    options_file: Path | None
    prompts: list[str] | None

    @property
    def has_options(self) -> bool:
        """Whether options are given in any way."""
        return bool(self.texts or self.options_file or self.prompts or self.uses_connections)

    @property
    def uses_connections(self) -> bool:
        """Whether ``connections.yml`` has the options."""
        return self.from_connections or self.connections_file is not None

    def given(self, source: str | None = None, environment: Mapping[str, str] = os.environ) -> GivenOptions:
        """What was given, with variables looked up and prompts answered. ``source`` is the one that is meant where none
        is typed. Raises UsageError and ConfigurationError."""
        if self.source is not None and self.uses_connections:
            raise UsageError(
                f"--source {self.source}: connections.yml says which source it is", hint="leave --source out"
            )
        from connector_lib.deploy.connector_spec import source_terms

        source = None if self.uses_connections else self.source or source
        if source is None and not self.uses_connections:
            raise UsageError(
                f"which source is the connection '{self.name}' for?",
                hint="--source NAME, as 'connector-lib sources' lists it, or --from-connections",
            )
        if source is not None:
            source_class(source)
        terms = source_terms(source or self._in_connections(environment))
        self._check_secrets(terms)
        texts, prompted = self._prompted()
        choice = SourceChoice.of(
            source,
            self.name if self.uses_connections else None,
            self.connections_file,
            [*(self.texts or ()), *texts],
            self.options_file,
        )
        request = choice.request(environment={**environment, **prompted})
        return GivenOptions(terms, _of_connection(request), choice)

    def _in_connections(self, environment: Mapping[str, str]) -> str:
        """The source of the connection in ``connections.yml``."""
        from connector_lib.connector.connections import find_connections_file, load_connection

        return load_connection(find_connections_file(self.connections_file, environment), self.name, environment).source

    def _check_secrets(self, terms: SourceTerms) -> None:
        """Refuses secrets among the arguments also of a source that does not say which of its options are secret."""
        for text in self.texts or ():
            name, _, value = text.partition("=")
            if terms.is_secret(name.strip()) and not _REFERENCE.fullmatch(value):
                raise UsageError(
                    f"the option '{name.strip()}' is a secret, and no argument: others could read it",
                    hint=f"--prompt {name.strip()}, --option {name.strip()}='${{VARIABLE}}' in single quotes, or"
                    " --options FILE",
                )

    def _prompted(self) -> tuple[list[str], dict[str, str]]:
        """Options that refer to variables, as the shell would hand them over, and the variables."""
        if not self.prompts:
            return [], {}
        if not sys.stdin.isatty():
            raise UsageError(
                "--prompt: there is no terminal to ask on", hint="--option KEY='${VARIABLE}', or --options FILE"
            )
        texts: list[str] = []
        variables: dict[str, str] = {}
        for number, key in enumerate(self.prompts):
            if not _KEY.fullmatch(key):
                raise UsageError("--prompt takes the name of an option", hint="--prompt token")
            variable = _VARIABLE.format(number)
            variables[variable] = typer.prompt(f"{key} of the connection '{self.name}'", hide_input=True, err=True)
            texts.append(f"{key}=${{{variable}}}")
        return texts, variables


def _of_connection(request: ReadRequest) -> dict[str, str]:
    """The options of the connection. Raises UsageError where one is of a table, or of a read."""
    from connector_lib.connector.options import plain_option_name

    of_read = request.own.model_fields_set - {"table_name", "source_name", "connection_name", "connections_file"}
    model: type[Options] | None = getattr(request.connector_type, "connection_options", None)
    known = None if model is None else {plain_option_name(it.name) for it in model.fields()}
    elsewhere = [name for name in request.direct_table_options if known and plain_option_name(name) not in known]
    for name in (*sorted(of_read), *elsewhere):
        raise UsageError(
            f"the option '{name}' is of a table, not of a connection", hint="it stands with its table in ingest.yml"
        )
    given = dict(request.connection_options)
    replaced = {plain_option_name(name) for name in request.direct_table_options}
    kept = {name: value for name, value in given.items() if plain_option_name(name) not in replaced}
    return {**kept, **request.direct_table_options}
