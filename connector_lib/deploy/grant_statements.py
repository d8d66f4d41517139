"""What users, publishers and pipelines need, as SQL: one GRANT for each of the things that they need something of.

Sources: Databricks documentation, "Unity Catalog privileges reference" (a volume or table is reached only with USE
CATALOG and USE SCHEMA on what it is in; WRITE VOLUME alone does not read) and SQL reference, "GRANT".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from connector_lib.deploy.identifiers import object_name, quoted_identifier, quoted_name
from connector_lib.errors import UsageError

__all__ = ["Grant", "GrantRequest", "Role", "grants_for"]

Role: TypeAlias = Literal["user", "publisher", "pipeline"]
_Kind: TypeAlias = Literal["METASTORE", "CATALOG", "SCHEMA", "TABLE", "VOLUME", "CONNECTION"]

_NEEDED: Final[Mapping[Role, Mapping[_Kind, tuple[str, ...]]]] = {
    "user": {"VOLUME": ("READ VOLUME",), "SCHEMA": ("SELECT",), "CONNECTION": ("USE CONNECTION",)},
    "publisher": {"VOLUME": ("READ VOLUME", "WRITE VOLUME"), "CONNECTION": ("USE CONNECTION", "MANAGE")},
    "pipeline": {
        "VOLUME": ("READ VOLUME",),
        "SCHEMA": ("CREATE TABLE", "CREATE MATERIALIZED VIEW"),
        "CONNECTION": ("USE CONNECTION",),
    },
}
"""What a role needs of the things themselves, beside the way to them."""
_TO_CREATE: Final[Mapping[Role, Mapping[_Kind, tuple[str, ...]]]] = {
    "user": {},
    "publisher": {"METASTORE": ("CREATE CONNECTION",), "CATALOG": ("CREATE SCHEMA",), "SCHEMA": ("CREATE VOLUME",)},
    "pipeline": {"CATALOG": ("CREATE SCHEMA",)},
}
"""What a role needs to make the schema, the volume or the connection itself."""
_ORDER: Final[tuple[_Kind, ...]] = ("METASTORE", "CATALOG", "SCHEMA", "TABLE", "VOLUME", "CONNECTION")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Grant:
    """Privileges on one thing for one principal. ``name`` has its parts, none for the metastore."""

    privileges: tuple[str, ...]
    kind: _Kind
    name: tuple[str, ...]
    principal: str

    @property
    def statement(self) -> str:
        """The GRANT, without a semicolon.

        >>> Grant(("USE SCHEMA", "SELECT"), "SCHEMA", ("main", "hl7"), "ann@example.com").statement
        'GRANT USE SCHEMA, SELECT ON SCHEMA `main`.`hl7` TO `ann@example.com`'
        """
        on = f"{self.kind} {quoted_name(self.name)}" if self.name else self.kind
        return f"GRANT {', '.join(self.privileges)} ON {on} TO {quoted_identifier(self.principal)}"


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """Who is to be granted what is needed, and on what.

    ``volume`` is that of the wheel; ``schema`` that of the tables, with its catalog before it or in ``catalog``;
    ``reads`` are schemas and tables that are read besides, ``files`` Volumes whose files are; ``may_create`` adds what
    making schema, Volume and connection needs.
    """

    principals: Sequence[str]
    role: Role
    volume: str
    catalog: str | None = None
    schema: str | None = None
    connections: Sequence[str] = ()
    reads: Sequence[str] = ()
    files: Sequence[str] = ()
    may_create: bool = False


def grants_for(request: GrantRequest) -> list[Grant]:
    """The grants, for each principal from the outermost thing inwards. Raises UsageError for what cannot be meant.

    >>> request = GrantRequest(["ann@example.com"], "user", "shared.libraries.python_packages")
    >>> for grant in grants_for(request):
    ...     print(grant.statement)
    GRANT USE CATALOG ON CATALOG `shared` TO `ann@example.com`
    GRANT USE SCHEMA ON SCHEMA `shared`.`libraries` TO `ann@example.com`
    GRANT READ VOLUME ON VOLUME `shared`.`libraries`.`python_packages` TO `ann@example.com`
    """
    needed: dict[tuple[_Kind, tuple[str, ...]], dict[str, None]] = {}
    for kind, name, privileges in _needed(request):
        # A dict keeps the order, and a privilege that is needed twice is granted once.
        needed.setdefault((kind, name), {}).update(dict.fromkeys(privileges))
    in_order = sorted(needed.items(), key=lambda entry: (_ORDER.index(entry[0][0]), entry[0][1]))
    return [
        Grant(tuple(privileges), kind, name, principal)
        for principal in _checked_principals(request.principals)
        for (kind, name), privileges in in_order
    ]


def _needed(request: GrantRequest) -> Iterator[tuple[_Kind, tuple[str, ...], tuple[str, ...]]]:
    _check_role(request)
    of_role = _NEEDED[request.role]
    to_create = _TO_CREATE[request.role] if request.may_create else {}
    if "METASTORE" in to_create:
        yield "METASTORE", (), to_create["METASTORE"]
    volume = object_name(request.volume, "--volume", "CATALOG.SCHEMA.VOLUME")
    yield from _way_to(volume)
    yield "VOLUME", volume, of_role["VOLUME"]
    if request.role == "publisher":
        yield "CATALOG", volume[:1], to_create.get("CATALOG", ())
        yield "SCHEMA", volume[:2], to_create.get("SCHEMA", ())
    yield from _of_destination(request, to_create)
    for read in request.reads:
        name = object_name(read, "--reads", "CATALOG.SCHEMA", "CATALOG.SCHEMA.TABLE")
        yield from _way_to(name)
        yield "SCHEMA" if len(name) == 2 else "TABLE", name, ("SELECT",)
    for files in request.files:
        name = object_name(files, "--files", "CATALOG.SCHEMA.VOLUME")
        yield from _way_to(name)
        yield "VOLUME", name, ("READ VOLUME",)
    for connection in request.connections:
        yield "CONNECTION", object_name(connection, "--connection", "CONNECTION"), of_role["CONNECTION"]


def _of_destination(
    request: GrantRequest, to_create: Mapping[_Kind, tuple[str, ...]]
) -> Iterator[tuple[_Kind, tuple[str, ...], tuple[str, ...]]]:
    """What the schema of the tables asks for."""
    catalog = object_name(request.catalog, "--catalog", "CATALOG") if request.catalog is not None else ()
    if catalog:
        yield "CATALOG", catalog, ("USE CATALOG", *to_create.get("CATALOG", ()))
    if request.schema is None:
        return
    name = object_name(request.schema, "--schema", "SCHEMA", "CATALOG.SCHEMA")
    if len(name) == 1 and not catalog:
        raise UsageError(f"--schema {request.schema}: of which catalog?", hint="add --catalog, or give CATALOG.SCHEMA")
    if len(name) == 2 and catalog and name[:1] != catalog:
        raise UsageError(f"--schema {request.schema} is not in --catalog {request.catalog}")
    name = name if len(name) == 2 else (*catalog, *name)
    yield from _way_to(name)
    yield "CATALOG", name[:1], to_create.get("CATALOG", ())
    yield "SCHEMA", name, _NEEDED[request.role]["SCHEMA"]


def _way_to(name: tuple[str, ...]) -> Iterator[tuple[_Kind, tuple[str, ...], tuple[str, ...]]]:
    yield "CATALOG", name[:1], ("USE CATALOG",)
    yield "SCHEMA", name[:2], ("USE SCHEMA",)


def _check_role(request: GrantRequest) -> None:
    if request.may_create and not _TO_CREATE[request.role]:
        raise UsageError("a user creates nothing", hint="leave --may-create out, or give --role publisher or pipeline")
    if request.role == "publisher" and (request.catalog or request.schema or request.reads or request.files):
        raise UsageError(
            "a publisher writes the wheel, and needs no tables and files",
            hint="leave --catalog, --schema, --reads and --files out, or give --role pipeline or user",
        )
    if request.role == "pipeline" and request.schema is None:
        raise UsageError("which schema does the pipeline write to?", hint="--schema CATALOG.SCHEMA")


def _checked_principals(principals: Iterable[str]) -> list[str]:
    checked = list(dict.fromkeys(principals))
    for principal in checked:
        if not principal.strip() or _CONTROL.search(principal):
            raise UsageError(
                "--principal: the name is empty, or holds a control character",
                hint="the e-mail address of a user, the name of a group, or the application id of a service principal",
            )
    return checked
