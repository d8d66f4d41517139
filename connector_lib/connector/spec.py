"""A pipeline spec (``ingest.yml``): which tables a pipeline takes from a connection, and how it keeps them.

::

    connection_name: clinic
    objects:
      - table:
          source_table: Patient
          destination_table: patients
          table_configuration:
            scd_type: SCD_TYPE_2
            page_size: 200

``scd_type``, ``primary_keys``, ``sequence_by`` and ``cluster_by`` are for the table; all other keys of
``table_configuration`` are options of the source, as text. The same source table may be taken twice, under two names:
**a table goes by its destination**. Where only one table is made of a source table, the name of that will do.

``ingest.schema.json``, beside this file, is the JSON Schema of a spec, for editors:
``# yaml-language-server: $schema=…`` in the first line of an ``ingest.yml``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema

from connector_lib.connector.written_values import option_text, read_mapping
from connector_lib.errors import SpecError, did_you_mean

__all__ = ["SCD_TYPES", "PipelineSpec", "ScdType", "TableSpec", "quoted_name", "spec_json_schema"]

ScdType: TypeAlias = Literal["SCD_TYPE_1", "SCD_TYPE_2", "APPEND_ONLY"]
SCD_TYPES: Final[tuple[ScdType, ...]] = ("SCD_TYPE_1", "SCD_TYPE_2", "APPEND_ONLY")

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_NAME_LISTS: Final = ("primary_keys", "cluster_by")
_Name = Annotated[str, Field(min_length=1)]
_Names: TypeAlias = list[_Name] | str
_ScdTypeInAnyCase = Annotated[
    str, WithJsonSchema({"enum": [*SCD_TYPES, *(scd_type.lower() for scd_type in SCD_TYPES)]})
]


class _TableConfiguration(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, hide_input_in_errors=True)

    scd_type: _ScdTypeInAnyCase | None = Field(
        default=None, description="How changes are kept; SCD_TYPE_1 if not given"
    )
    primary_keys: _Names | None = Field(
        default=None, description="Columns that tell records apart; those of the source if not given"
    )
    sequence_by: str | None = Field(
        default=None, description="Column that orders changes; the source's cursor if not given"
    )
    cluster_by: _Names | None = Field(
        default=None, description="Columns that the table is clustered by: a list, or 'a,b'"
    )


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    source_table: _Name = Field(description="Name of the table in the source")
    destination_catalog: _Name | None = Field(
        default=None, description="Catalog of the table; the pipeline's if not given"
    )
    destination_schema: _Name | None = Field(
        default=None, description="Schema of the table; the pipeline's if not given"
    )
    destination_table: _Name | None = Field(
        default=None, description="Name of the table; that of the source if not given"
    )
    table_configuration: _TableConfiguration | None = Field(
        default=None, description="How it is kept, and options of the source"
    )


class _Object(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    table: _Table


class _Spec(BaseModel):
    """What a pipeline takes from a connection."""

    model_config = ConfigDict(
        extra="forbid", strict=True, hide_input_in_errors=True, title="Pipeline spec (ingest.yml)"
    )

    connection_name: _Name = Field(description="Unity Catalog connection, or one of connections.yml")
    objects: list[_Object] = Field(min_length=1, description="The tables, one or more")


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table of a spec.

    ``scd_type`` and ``sequence_by`` are None, ``primary_keys`` and ``cluster_by`` empty where the spec does not say.
    ``options`` are those of the source's table, text by name as it was written.
    """

    source_table: str
    destination_table: str
    destination_catalog: str | None = None
    destination_schema: str | None = None
    scd_type: ScdType | None = None
    primary_keys: tuple[str, ...] = ()
    sequence_by: str | None = None
    cluster_by: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """The name for SQL and pipelines: in backticks with its schema and catalog, plain where it has neither.

        >>> TableSpec("users", "user`s", destination_schema="crm").full_name
        '`crm`.`user``s`'
        """
        above = [part for part in (self.destination_catalog, self.destination_schema) if part is not None]
        if not above and _PLAIN_NAME.fullmatch(self.destination_table):
            return self.destination_table
        return ".".join(quoted_name(part) for part in (*above, self.destination_table))

    @property
    def dotted_name(self) -> str:
        """The destination as a person writes it: ``catalog.schema.table``, as far as given."""
        parts = (self.destination_catalog, self.destination_schema, self.destination_table)
        return ".".join(part for part in parts if part is not None)


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """The tables that a pipeline takes from the connection ``connection``.

    Methods that take a table's ``name`` take its destination: ``patients``, or ``catalog.schema.patients`` where two
    are called so; or the source table, where one table is made of it. They raise SpecError (a ValueError) for others.

    >>> table = {"source_table": "Patient", "table_configuration": {"scd_type": "scd_type_2", "page_size": 50}}
    >>> spec = PipelineSpec.load({"connection_name": "clinic", "objects": [{"table": table}]})
    >>> spec.get_scd_type("Patient"), spec.get_table_configuration("Patient")
    ('SCD_TYPE_2', {'page_size': '50'})
    """

    connection: str
    tables: tuple[TableSpec, ...]

    @classmethod
    def load(cls, source: Mapping[str, Any] | Path | str) -> PipelineSpec:
        """The checked spec of a file (YAML, or JSON by its suffix) or of a dictionary.

        Raises SpecError that names the file, the place in it and what is wrong.
        """
        if isinstance(source, (str, Path)):
            file = Path(source)
            return _checked(read_mapping(file, SpecError), f"{file}: ")
        if not isinstance(source, Mapping):
            raise SpecError("Spec must be a dictionary", hint="with the keys 'connection_name' and 'objects'")
        return _checked(source, "")

    def connection_name(self) -> str:
        """The name of the connection."""
        return self.connection

    def get_table_list(self) -> list[str]:
        """The names that the other methods take, in the order of the spec."""
        names = [table.destination_table.casefold() for table in self.tables]
        return [
            table.destination_table if names.count(name) == 1 else table.dotted_name
            for table, name in zip(self.tables, names, strict=True)
        ]

    def get_table(self, name: str) -> TableSpec:
        """The table ``name``."""
        wanted = name.casefold()
        for named in (_by_full_name, _by_destination, _by_source):
            found = [table for table in self.tables if wanted in named(table)]
            if len(found) == 1:
                return found[0]
            if found:
                choices = ", ".join(table.dotted_name for table in found)
                raise SpecError(
                    f"the table '{name}' is in the pipeline spec {len(found)} times", hint=f"say which: {choices}"
                )
        known = self.get_table_list()
        raise SpecError(
            f"the table '{name}' was not found in the pipeline spec",
            hint=f"{did_you_mean(name, known)}tables: {', '.join(known)}",
        )

    def get_source_table(self, name: str) -> str:
        """The table of the source that the table ``name`` is made of."""
        return self.get_table(name).source_table

    def get_table_configurations(self) -> dict[str, dict[str, str]]:
        """The options of the source by the names of :meth:`get_table_list`."""
        return {name: dict(table.options) for name, table in zip(self.get_table_list(), self.tables, strict=True)}

    def get_table_configuration(self, name: str) -> dict[str, str]:
        """The options of the source for the table ``name``, without the keys that are for the table."""
        return dict(self.get_table(name).options)

    def get_scd_type(self, name: str) -> ScdType | None:
        """How changes of the table ``name`` are kept; None where the spec does not say."""
        return self.get_table(name).scd_type

    def get_primary_keys(self, name: str) -> list[str] | None:
        """The columns that tell records apart; None where the spec does not say."""
        return list(self.get_table(name).primary_keys) or None

    def get_sequence_by(self, name: str) -> str | None:
        """The column that orders changes; None where the spec does not say."""
        return self.get_table(name).sequence_by

    def get_cluster_by(self, name: str) -> list[str] | None:
        """The columns that the table is clustered by; None where the spec does not say."""
        return list(self.get_table(name).cluster_by) or None

    def get_full_destination_table_name(self, name: str) -> str:
        """The name of the table for SQL and pipelines, see :attr:`TableSpec.full_name`."""
        return self.get_table(name).full_name


def quoted_name(part: str) -> str:
    """One part of a name in backticks, those in it doubled (Spark SQL reference, Identifiers).

    >>> quoted_name("a`b")
    '`a``b`'
    """
    return f"`{part.replace('`', '``')}`"


def spec_json_schema() -> dict[str, Any]:
    """The JSON Schema of a spec, as it is published in ``ingest.schema.json``."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_Spec.model_json_schema()}


def _checked(content: Mapping[str, Any], where: str) -> PipelineSpec:
    try:
        spec = _Spec.model_validate(dict(content))
    except ValidationError as error:
        raise _invalid(error, where) from None
    tables = tuple(
        _table_spec(entry.table, f"{where}Invalid pipeline spec: objects.{number}.table")
        for number, entry in enumerate(spec.objects)
    )
    _check_destinations(tables, where)
    return PipelineSpec(spec.connection_name, tables)


def _table_spec(table: _Table, where: str) -> TableSpec:
    if table.destination_catalog is not None and table.destination_schema is None:
        raise SpecError(f"{where}: a 'destination_catalog' needs a 'destination_schema'", hint="give both, or neither")
    configuration = table.table_configuration or _TableConfiguration()
    inside = f"{where}.table_configuration"
    return TableSpec(
        source_table=table.source_table,
        destination_table=table.destination_table or table.source_table,
        destination_catalog=table.destination_catalog,
        destination_schema=table.destination_schema,
        scd_type=_scd_type(configuration.scd_type, inside),
        primary_keys=_name_list(configuration.primary_keys, f"{inside}.primary_keys", at_commas=False),
        sequence_by=_given(configuration.sequence_by, f"{inside}.sequence_by"),
        cluster_by=_name_list(configuration.cluster_by, f"{inside}.cluster_by", at_commas=True),
        options=_options(configuration.model_extra or {}, inside),
    )


def _options(extra: Mapping[str, Any], where: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in extra.items():
        try:
            text = option_text(value)
        except (TypeError, ValueError):
            raise SpecError(
                f"{where}.{name}: a {type(value).__name__} is no value of an option",
                hint="give text, a number, true or false, or a list or mapping of them",
            ) from None
        if text is not None:
            options[name] = text
    return options


def _scd_type(written: str | None, where: str) -> ScdType | None:
    if written is None:
        return None
    if written.strip().upper() not in SCD_TYPES:
        raise SpecError(f"{where}: Invalid SCD type '{written}'", hint=f"it is one of {', '.join(SCD_TYPES)}")
    return cast("ScdType", written.strip().upper())


def _name_list(written: list[str] | str | None, where: str, *, at_commas: bool) -> tuple[str, ...]:
    """Names of columns: a list, a JSON array as text, one name, or several between commas."""
    if written is None:
        return ()
    names: Iterable[Any] = written
    if isinstance(written, str):
        names = written.split(",") if at_commas else [written]
        if written.strip().startswith("["):
            names = _json_array(written, where)
    stripped = [name.strip() if isinstance(name, str) else "" for name in names]
    if not stripped or not all(stripped):
        raise SpecError(f"{where}: names of columns are text, and at least one", hint='as ["id", "site"]')
    return tuple(stripped)


def _json_array(text: str, where: str) -> list[Any]:
    try:
        return cast("list[Any]", json.loads(text))
    except (ValueError, RecursionError):
        raise SpecError(f"{where}: begins as a JSON array and is none", hint='as ["id", "site"]') from None


def _given(written: str | None, where: str) -> str | None:
    if written is not None and not written.strip():
        raise SpecError(f"{where}: is empty", hint="name a column, or leave the key out")
    return written


def _by_full_name(table: TableSpec) -> set[str]:
    return {table.full_name.casefold(), table.dotted_name.casefold()} if table.destination_schema else set()


def _by_destination(table: TableSpec) -> set[str]:
    return {table.destination_table.casefold()}


def _by_source(table: TableSpec) -> set[str]:
    return {table.source_table.casefold()}


def _check_destinations(tables: tuple[TableSpec, ...], where: str) -> None:
    seen: set[str] = set()
    for table in tables:
        # Spark's names are compared without case.
        if table.full_name.casefold() in seen:
            raise SpecError(
                f"{where}Invalid pipeline spec: two tables have the destination '{table.dotted_name}'",
                hint="give one of them another 'destination_table'",
            )
        seen.add(table.full_name.casefold())


def _invalid(error: ValidationError, where: str) -> SpecError:
    problems = error.errors(include_url=False, include_input=False)
    # A misspelt key is also a missing one; the misspelling says more.
    problem = min(problems, key=lambda found: found["type"] != "extra_forbidden")
    *above, last = problem["loc"]
    place = ".".join(str(part) for part in problem["loc"])
    start = f"{where}Invalid pipeline spec:"
    if problem["type"] == "extra_forbidden":
        model = _Spec if not above else _Table if above[-1] == "table" else _Object
        known = list(model.model_fields)
        return SpecError(
            f"{start} unknown key '{place}'", hint=f"{did_you_mean(str(last), known)}keys here: {', '.join(known)}"
        )
    if problem["type"] == "missing":
        return SpecError(f"{start} the key '{place}' is missing")
    name_list = next((name for name in _NAME_LISTS if name in above), None)
    if name_list is not None:
        # Each form that it could have has a problem of its own.
        place = ".".join(str(part) for part in above[: above.index(name_list) + 1])
        return SpecError(f"{start} '{place}': must be a list of names, or text")
    return SpecError(f"{start} '{place}': {problem['msg'][0].lower()}{problem['msg'][1:]}")
