"""Who may do what with a catalog, a schema, a volume, a connection or the metastore, as the workspace has it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args
from urllib.parse import quote

from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import WorkspaceError

if TYPE_CHECKING:
    from databricks.sdk.service.catalog import (
        CatalogInfo,
        ConnectionInfo,
        EffectivePrivilegeAssignment,
        SchemaInfo,
        TableInfo,
        VolumeInfo,
    )

__all__ = ["ALL_PRIVILEGES", "SecurableKind", "effective_privileges", "missing_privileges"]

SecurableKind: TypeAlias = Literal["METASTORE", "CATALOG", "SCHEMA", "VOLUME", "TABLE", "CONNECTION"]

ALL_PRIVILEGES: Final = "ALL_PRIVILEGES"
_EVERYBODY: Final = "account users"
_NOT_IN_ALL: Final = frozenset({"MANAGE", "EXTERNAL_USE_SCHEMA", "EXTERNAL_USE_LOCATION"})
"""What ALL PRIVILEGES does not contain (Databricks SQL reference, "GRANT")."""


def effective_privileges(workspace: Workspace, kind: str, name: str, principal: str) -> frozenset[str]:
    """What ``principal`` may do with a securable: by itself, by the group of all and, for the user who is logged in, by
    their groups; granted on it or on what it is in. Privileges are written with underlines, as ``USE_SCHEMA``.

    ``kind`` is one of :data:`SecurableKind`; ``name`` its full name, such as ``main.hl7``, and empty for the metastore.
    Its owner has ``ALL_PRIVILEGES`` and ``MANAGE``; that stands for all but what :func:`missing_privileges` knows.

    Raises WorkspaceError, of status 404 where the securable is not there.

    >>> sorted(effective_privileges(workspace, "SCHEMA", "main.hl7", workspace.user))  # doctest: +SKIP
    ['CREATE_TABLE', 'USE_SCHEMA']
    """
    kind = kind.upper()
    if kind not in get_args(SecurableKind):
        raise ValueError(f"'{kind}' is no kind of securable")
    full_name, owner = _name_and_owner(workspace, kind, name)
    groups = workspace.groups if principal == workspace.user else ()
    principals = {principal, _EVERYBODY, *groups}
    found = {ALL_PRIVILEGES, "MANAGE"} if owner in principals else set[str]()
    for assignment in _assignments(workspace, kind, full_name, principal):
        if assignment.principal in principals:
            found |= {it.privilege.value for it in assignment.privileges or () if it.privilege is not None}
    return frozenset(found)


def missing_privileges(
    workspace: Workspace, kind: str, name: str, principal: str, wanted: Collection[str]
) -> list[str]:
    """Those of the privileges ``wanted`` that ``principal`` does not have, in their order; see
    :func:`effective_privileges`."""
    there = effective_privileges(workspace, kind, name, principal)
    return [
        privilege
        for privilege in wanted
        if privilege not in there and (ALL_PRIVILEGES not in there or privilege in _NOT_IN_ALL)
    ]


def _name_and_owner(workspace: Workspace, kind: str, name: str) -> tuple[str, str | None]:
    """The name that the grants are asked by, and the owner; None where the login may not see it, nor own it then."""
    client = workspace.client
    if kind == "METASTORE":
        with workspace.asking("see which metastore the workspace has"):
            metastore = client.metastores.summary()
        return metastore.metastore_id or "", metastore.owner
    read: Mapping[str, Callable[[str], CatalogInfo | SchemaInfo | VolumeInfo | TableInfo | ConnectionInfo]] = {
        "CATALOG": client.catalogs.get,
        "SCHEMA": client.schemas.get,
        "VOLUME": client.volumes.read,
        "TABLE": client.tables.get,
        "CONNECTION": client.connections.get,
    }
    try:
        with workspace.asking(f"see who owns the {kind.lower()} '{name}'"):
            return name, read[kind](quote(name, safe="")).owner
    except WorkspaceError as error:
        if error.status != 403:
            raise
        return name, None


def _assignments(workspace: Workspace, kind: str, name: str, principal: str) -> Iterator[EffectivePrivilegeAssignment]:
    """Those of the principal alone, which everybody may see of themselves, and those of all, which hold its groups and
    which some workspaces show to owners only."""
    yield from _pages(workspace, kind, name, principal)
    try:
        yield from _pages(workspace, kind, name, None)
    except WorkspaceError as error:
        if error.status != 403:
            raise


def _pages(workspace: Workspace, kind: str, name: str, principal: str | None) -> Iterator[EffectivePrivilegeAssignment]:
    token: str | None = None
    while True:
        with workspace.asking(f"see the grants on the {kind.lower()} '{name}'"):
            page = workspace.client.grants.get_effective(
                kind.lower(), quote(name, safe=""), max_results=0, page_token=token, principal=principal
            )
        yield from page.privilege_assignments or ()
        token = page.next_page_token
        if not token:
            return
