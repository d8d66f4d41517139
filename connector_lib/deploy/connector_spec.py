"""``connector_spec.yaml``: what a connection for a source is asked for, and which options pass through it.

The file is beside the module of the source's class. Its form is that of Databricks' Lakeflow community connectors::

    connection:
      parameters: [{name: base_url, type: string, required: true, description: …}]
      auth_methods: [{name: basic, parameters: […]}]
    external_options_allowlist: page_size,search
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic import BaseModel, ConfigDict, ValidationError, create_model, field_validator
from pydantic import Field as ModelField

from connector_lib.connector.options import Field, Options, SecretStr, plain_option_name
from connector_lib.connector.registry import load_source
from connector_lib.connector.written_values import read_mapping
from connector_lib.errors import ConfigurationError, OptionError
from connector_lib.redaction import SECRET_NAMES, secrets_in_options

if TYPE_CHECKING:
    from connector_lib.connector.interface import LakeflowConnect

__all__ = ["ALWAYS_ALLOWED", "SourceTerms", "source_terms"]

ALWAYS_ALLOWED: Final = ("tableName", "tableNameList", "tableConfigs", "isDeleteFlow")
"""What passes through every connection: the data source's own options."""
_FILE: Final = "connector_spec.yaml"
_TYPES: Final[Mapping[str, Any]] = {
    # All others are text.
    "integer": int,
    "int": int,
    "number": float,
    "float": float,
    "double": float,
    "boolean": bool,
    "bool": bool,
    "list": list[Any],
    "array": list[Any],
    "object": dict[str, Any],
}
_SECRET: Final = re.compile(rf"{SECRET_NAMES}|key|passphrase|authori[sz]ation|cookie|signature|(?:^|_)(?:pat|pin)$")
"""What a secret of a source that does not name its secrets may be called: rather too much than too little."""
_NO_SECRET: Final = re.compile(r"(?i)(?:ur[il]|id|type|method|name|path|_in|seconds)$")


class _Parameter(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    name: str = ModelField(min_length=1)
    type: str = "string"
    required: bool = False
    description: str = ""


class _AuthMethod(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    name: str = ModelField(min_length=1)
    parameters: list[_Parameter] = []


class _Connection(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    parameters: list[_Parameter] = []
    auth_methods: list[_AuthMethod] = []


class _Spec(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    connection: _Connection
    external_options_allowlist: tuple[str, ...] = ()

    @field_validator("external_options_allowlist", mode="before")
    @classmethod
    def _as_names(cls, given: Any) -> Any:
        names = given.split(",") if isinstance(given, str) else given or ()
        return tuple(name.strip() for name in names if isinstance(name, str) and name.strip())


@dataclass(frozen=True, slots=True)
class SourceTerms:
    """What a connection for a source may hold, and has to.

    ``options`` reads and checks its options: the class of the source itself where it names one, otherwise one made from
    the file. ``allow_list`` is what may stand beside the connection in a read.
    """

    source: str
    connector_type: type[LakeflowConnect]
    options: type[Options]
    required: tuple[str, ...]
    auth_methods: Mapping[str, tuple[str, ...]]
    allow_list: tuple[str, ...]

    def checked(self, options: Mapping[str, str], where: str) -> dict[str, str]:
        """``options`` under the names and in the order that the source has for them, without those that are empty.

        Raises OptionError, which begins with ``where``, for what is missing, unknown, given twice or not of its type.
        """
        self.options.read(options, where=where)
        names = {plain_option_name(field.name): field.name for field in self.options.fields()}
        for name in options:
            if plain_option_name(name) not in names:
                raise OptionError(f"{where}: '{name}' is an option of a read, not of a connection")
        given = {names[plain_option_name(name)]: value for name, value in options.items() if value.strip()}
        found = {name: given[name] for name in names.values() if name in given}
        for name in self.required:
            if name not in found:
                raise OptionError(f"{where}: the option '{name}' is missing")
        ways = self.auth_methods
        if ways and not any(found.keys() >= set(needed) for needed in ways.values()):
            listed = "; ".join(f"{way}: {', '.join(needed)}" for way, needed in ways.items())
            raise OptionError(f"{where}: there is nothing to log in with", hint=f"one of these: {listed}")
        return found

    def is_secret(self, name: str) -> bool:
        """Whether the option ``name`` is a secret: as the source says; what it does not know, by what it is called."""
        declared = {plain_option_name(field.name): field.secret for field in self.options.fields()}
        return declared.get(plain_option_name(name), _is_called_secret(name))

    def secret_values(self, options: Mapping[str, str]) -> frozenset[str]:
        """The secrets among ``options``, and parts of them, for what takes them out of texts."""
        secrets = {name: value for name, value in options.items() if self.is_secret(name) and value}
        return frozenset(secrets.values()) | secrets_in_options(secrets)

    def platform_options(self) -> dict[str, str]:
        """What a connection holds beside the options of the source."""
        return {"sourceName": self.source, "externalOptionsAllowList": ",".join(self.allow_list)}


def source_terms(source: str) -> SourceTerms:
    """What the ``connector_spec.yaml`` of ``source`` says.

    Raises ConfigurationError where there is no such source, or it has no such file, or that is wrong.

    >>> terms = source_terms("fhir")
    >>> terms.required, terms.allow_list[-4:]
    (('base_url',), ('tableName', 'tableNameList', 'tableConfigs', 'isDeleteFlow'))
    """
    connector_type = load_source(source)
    file = Path(inspect.getfile(connector_type)).parent / _FILE
    if not file.is_file():
        raise ConfigurationError(
            f"the source '{source}' has no {_FILE} beside {connector_type.__module__}",
            hint="it says what a connection is asked for, and which options of a table pass through it",
        )
    spec = _read(file)
    declared: type[Options] | None = getattr(connector_type, "connection_options", None)
    allowed: dict[str, str] = {}
    for name in (*spec.external_options_allowlist, *ALWAYS_ALLOWED):
        allowed.setdefault(plain_option_name(name), name)
    return SourceTerms(
        source=source,
        connector_type=connector_type,
        options=_made_options(source, spec) if declared is None else declared,
        required=tuple(it.name for it in spec.connection.parameters if it.required),
        # A class that checks its own options knows which login needs what; a file only lists them.
        auth_methods=_needed_by_method(spec) if declared is None else {},
        allow_list=tuple(allowed.values()),
    )


def _read(file: Path) -> _Spec:
    content = read_mapping(file)
    try:
        return _Spec.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, problem["loc"]))
        raise ConfigurationError(f"{file}: '{place}': {problem['msg'][0].lower()}{problem['msg'][1:]}") from None


def _needed_by_method(spec: _Spec) -> dict[str, tuple[str, ...]]:
    return {
        method.name: tuple(it.name for it in method.parameters if it.required)
        for method in spec.connection.auth_methods
    }


def _made_options(source: str, spec: _Spec) -> type[Options]:
    """The options of a source whose class does not say which it takes."""
    fields: dict[str, Any] = {}
    for number, (parameter, required) in enumerate(_parameters(spec)):
        kind: Any = _TYPES.get(parameter.type.lower(), str)
        if _is_called_secret(parameter.name):
            kind = SecretStr
        # Names of a file need not be names of Python.
        described = Field(default=... if required else None, alias=parameter.name, description=parameter.description)
        fields[f"option_{number}"] = (kind if required else kind | None, described)
    return cast("type[Options]", create_model(f"Options of {source}", __base__=Options, **fields))


def _parameters(spec: _Spec) -> Iterator[tuple[_Parameter, bool]]:
    """All parameters by their names, and whether they are always needed."""
    found: dict[str, tuple[_Parameter, bool]] = {}
    for parameter in spec.connection.parameters:
        found.setdefault(parameter.name, (parameter, parameter.required))
    for method in spec.connection.auth_methods:
        for parameter in method.parameters:
            found.setdefault(parameter.name, (parameter, False))
    yield from found.values()


def _is_called_secret(name: str) -> bool:
    return _SECRET.search(name) is not None and _NO_SECRET.search(name) is None
