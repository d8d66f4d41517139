"""``connections.yml``: what a connection holds where there is no Unity Catalog.

::

    connections:
      clinic:
        source: fhir
        options:
          base_url: https://fhir.clinic.example/r4
          auth_type: bearer
          token: ${CLINIC_TOKEN}
          page_size: ${CLINIC_PAGE_SIZE:-100}

``${NAME}`` is the environment variable, ``${NAME:-text}`` the text where it is not set or empty, ``$${`` the two signs
themselves. Variables are looked up for the connection that is asked for, and when it is: a secret is in no file, no
command and no option of Spark.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector_lib.connector.written_values import option_text, read_mapping
from connector_lib.errors import ConfigurationError, did_you_mean

__all__ = [
    "CONNECTIONS_VARIABLE",
    "Connection",
    "filled_options",
    "find_connections_file",
    "load_connection",
]

CONNECTIONS_VARIABLE: Final = "CONNECTOR_LIB_CONNECTIONS"
"""The environment variable that may name the file."""
_FILE_NAME: Final = "connections.yml"
_REFERENCE: Final = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection by its name: the name of its source, and what the source is made with.

    The values of ``options`` are in no ``repr``: secrets are among them.
    """

    name: str
    source: str
    options: Mapping[str, str] = field(repr=False)


class _Connection(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    source: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    connections: dict[str, _Connection]


def find_connections_file(given: Path | None = None, environment: Mapping[str, str] = os.environ) -> Path:
    """The file of connections: ``given``, or that of ``CONNECTOR_LIB_CONNECTIONS``, or ``connections.yml`` here.

    Raises ConfigurationError where it is not there.
    """
    named = environment.get(CONNECTIONS_VARIABLE)
    file = given or (Path(named) if named else Path(_FILE_NAME))
    if file.expanduser().is_file():
        return file.expanduser()
    raise ConfigurationError(
        f"there is no file of connections '{file}'",
        hint=f"give it by --connections FILE, in the variable {CONNECTIONS_VARIABLE}, or as ./{_FILE_NAME}",
    )


def load_connection(file: Path, name: str, environment: Mapping[str, str] = os.environ) -> Connection:
    """The connection ``name`` of ``file``, with the variables in it looked up in ``environment``.

    An option without a value, or with null, is left out. Raises ConfigurationError that names file, connection,
    option and variable; it shows no value.
    """
    connections = _load(file).connections
    if name not in connections:
        raise ConfigurationError(
            f"{file}: there is no connection '{name}'",
            hint=f"{did_you_mean(name, connections)}connections: {', '.join(connections) or 'none'}",
        )
    found = connections[name]
    return Connection(name, found.source, filled_options(found.options, environment, f"{file}: connection '{name}'"))


def filled_options(values: Mapping[str, Any], environment: Mapping[str, str], where: str) -> dict[str, str]:
    """``values`` of a file as options: variables looked up in ``environment``, everything text, null left out.

    ``where`` begins every message. Raises ConfigurationError that names option and variable.

    >>> filled_options({"token": "${TOKEN}", "pages": ["${FIRST:-1}"]}, {"TOKEN": "x"}, "here")
    {'token': 'x', 'pages': '["1"]'}
    """
    filled = {
        name: option_text(_filled(value, environment, f"{where}, option '{name}'")) for name, value in values.items()
    }
    return {name: text for name, text in filled.items() if text is not None}


def _load(file: Path) -> _File:
    content = read_mapping(file)
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        raise _first_problem(file, error) from None


def _first_problem(file: Path, error: ValidationError) -> ConfigurationError:
    # A misspelt key is also a missing one; the misspelling says more.
    problems = error.errors(include_url=False, include_input=False)
    problem = min(problems, key=lambda found: found["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in problem["loc"])
    kind = problem["type"]
    if kind == "extra_forbidden":
        known = ["connections"] if len(problem["loc"]) == 1 else ["source", "options"]
        word = str(problem["loc"][-1])
        return ConfigurationError(
            f"{file}: unknown key '{place}'", hint=f"{did_you_mean(word, known)}keys here: {', '.join(known)}"
        )
    if kind == "missing":
        return ConfigurationError(f"{file}: the key '{place}' is missing", hint="connections: {NAME: {source: …}}")
    return ConfigurationError(f"{file}: '{place}': {problem['msg'][0].lower()}{problem['msg'][1:]}")


def _filled(value: Any, environment: Mapping[str, str], where: str) -> Any:
    """``value`` with the variables in its texts filled in."""
    if isinstance(value, dict):
        return {key: _filled(part, environment, where) for key, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, environment, where) for part in value]
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda match: _variable(match, environment, where), value)


def _variable(match: re.Match[str], environment: Mapping[str, str], where: str) -> str:
    if match[0] == "$${":
        return "${"
    name, default = match["name"], match["default"]
    if name is None:
        raise ConfigurationError(
            f"{where}: '${{' without a variable's name and '}}'", hint="write ${NAME}, or $${ for the signs themselves"
        )
    if default is not None:
        return environment.get(name) or default
    if name not in environment:
        raise ConfigurationError(
            f"{where}: the environment variable {name} is not set", hint=f"set it, or write ${{{name}:-default}}"
        )
    return environment[name]
