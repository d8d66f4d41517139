"""What a deployment lacks, all of it at once and before anything is written, with the command or SQL that mends it.

What a pipeline needs follows Databricks documentation, "Unity Catalog privileges reference" and "Configure a pipeline";
the privileges of the tables' schema, of the wheel's Volume and of the connection are those of the user, group or
service principal that the pipeline runs as.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final, Literal

from connector_lib.deploy.grant_statements import Grant
from connector_lib.deploy.grants import SecurableKind, missing_privileges
from connector_lib.deploy.pipelines import DeployedPipeline, held_permissions
from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import WorkspaceError
from connector_lib.project.deployment import DEPLOY_FILE

__all__ = ["Missing", "Needs", "find_missing", "manages"]

_AT_ONCE: Final = 6
_MAY_WRITE: Final = ("CAN_EDIT", "CAN_MANAGE")
_MAY_CHANGE: Final = ("CAN_MANAGE", "IS_OWNER")
_ADMINS: Final = "admins"
"""The group that may do everything; a login that belongs to it is told so."""


@dataclass(frozen=True, slots=True)
class Missing:
    """``what`` is missing and for whom; ``mend`` is the SQL or the command for it, or says what to do. One that does
    not ``block`` could only not be looked up."""

    what: str
    mend: str
    blocks: bool = True


@dataclass(frozen=True, slots=True)
class Needs:
    """What a deployment is about to use.

    ``schema`` as ``(catalog, schema)``; ``volume`` its three names, None where the wheel lies elsewhere; ``folder`` as
    ``/Workspace/…``; ``pipeline`` is the one that is there already; ``runs_as`` whose privileges the run needs;
    ``materialized_views`` whether the pipeline has some, or may have.
    """

    schema: tuple[str, str]
    create_schema: bool
    volume: tuple[str, str, str] | None
    writes_volume: bool
    connections: Sequence[str]
    folder: str
    pipeline: DeployedPipeline | None
    runs_as: str
    materialized_views: bool = True


@dataclass(frozen=True, slots=True)
class _Check:
    """Privileges on a securable. Where it is not there, ``absent`` says what mends that, and ``then`` is checked."""

    kind: SecurableKind
    name: tuple[str, ...]
    privileges: tuple[str, ...]
    principal: str
    absent: str | None = None
    then: tuple[_Check, ...] = ()


def find_missing(workspace: Workspace, needs: Needs) -> list[Missing]:
    """All that is missing, from the outermost thing inwards, nothing twice. Reads only; raises WorkspaceError."""
    # Each is a handful of requests that wait for one another; together they take as long as the longest.
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        answers = threads.map(lambda check: list(_missing(workspace, check)), _merged(_checks(workspace, needs)))
        found = [missing for answer in answers for missing in answer]
    found += _of_folder(workspace, needs.folder)
    found += _of_pipeline(workspace, needs.pipeline)
    # What one command mends is said once, with the innermost thing that it makes.
    return list({missing.mend: missing for missing in found}.values())


def _checks(workspace: Workspace, needs: Needs) -> Iterator[_Check]:
    catalog, schema = needs.schema
    user, runs_as = workspace.user, needs.runs_as
    yield _Check("CATALOG", (catalog,), ("USE_CATALOG",), runs_as, "name one that is there")
    to_create = _Check("CATALOG", (catalog,), ("USE_CATALOG", "CREATE_SCHEMA"), user)
    yield _Check(
        "SCHEMA",
        (catalog, schema),
        ("USE_SCHEMA", "CREATE_TABLE", *(("CREATE_MATERIALIZED_VIEW",) if needs.materialized_views else ())),
        runs_as,
        None if needs.create_schema else f"add --create-schema, or 'create_schema: true' to {DEPLOY_FILE}",
        (to_create,) if needs.create_schema else (),
    )
    if needs.volume is not None:
        publish = f"connector-lib publish --create --volume {'.'.join(needs.volume)}{workspace.option}"
        yield _Check("CATALOG", needs.volume[:1], ("USE_CATALOG",), runs_as, publish)
        yield _Check("SCHEMA", needs.volume[:2], ("USE_SCHEMA",), runs_as, publish)
        yield _Check("VOLUME", needs.volume, ("READ_VOLUME",), runs_as, publish)
        if needs.writes_volume:
            yield _Check("VOLUME", needs.volume, ("READ_VOLUME", "WRITE_VOLUME"), user, publish)
    for connection in needs.connections:
        create = f"connector-lib connection create {connection} --source SOURCE{workspace.option}"
        to_make = _Check("METASTORE", (), ("CREATE_CONNECTION",), user)
        yield _Check("CONNECTION", (connection,), ("USE_CONNECTION",), runs_as, create, (to_make,))


def _merged(checks: Iterator[_Check]) -> list[_Check]:
    """One check for a securable and a principal."""
    merged: dict[tuple[str, tuple[str, ...], str], _Check] = {}
    for check in checks:
        key = (check.kind, check.name, check.principal)
        before = merged.get(key)
        privileges = (*(before.privileges if before is not None else ()), *check.privileges)
        merged[key] = replace(before or check, privileges=tuple(dict.fromkeys(privileges)))
    return list(merged.values())


def _missing(workspace: Workspace, check: _Check) -> Iterator[Missing]:
    where = f"the {check.kind.lower()}{' ' if check.name else ''}{_dotted(check.name)}"
    try:
        lacks = missing_privileges(workspace, check.kind, ".".join(check.name), check.principal, check.privileges)
    except WorkspaceError as error:
        if error.status == 404:
            if check.absent is not None:
                yield Missing(f"{where} is not there", check.absent)
            for further in check.then:
                yield from _missing(workspace, further)
            return
        if error.status != 403:
            raise
        # What one may not even look at, one may not use.
        lacks = list(check.privileges)
    words = [privilege.replace("_", " ") for privilege in lacks]
    if words and check.principal != workspace.user:
        # The groups of others, and grants on what one does not own, are not shown.
        yield Missing(
            f"{workspace.user} sees no grant of {', '.join(words)} on {where} to {check.principal}, who may have it"
            " by a group, or where it is not shown",
            f"if not: {_grant(words, check)}",
            blocks=False,
        )
    elif words:
        yield Missing(f"{check.principal} lacks {', '.join(words)} on {where}", _grant(words, check))


def _grant(words: Sequence[str], check: _Check) -> str:
    return Grant(tuple(words), check.kind, check.name, check.principal).statement


def _dotted(name: tuple[str, ...]) -> str:
    return f"'{'.'.join(name)}'" if name else ""


def _of_folder(workspace: Workspace, folder: str) -> Iterator[Missing]:
    """Whether the user may write to the folder, or to the nearest one above it that is there."""
    if f"{folder}/".startswith(f"/Workspace/Users/{workspace.user}/"):
        return
    ask = f"ask its owner to share it with {workspace.user} (CAN EDIT), or name another 'workspace_folder'"
    above, object_id = folder, _object_id(workspace, folder)
    while object_id is None:
        below, above = above, above.rpartition("/")[0]
        # Nobody makes folders beside the homes of others.
        if above in ("/Workspace", "/Workspace/Users", "/Workspace/Repos"):
            yield Missing(f"{workspace.user} cannot see the workspace folder '{below}'", ask)
            return
        object_id = _object_id(workspace, above)
    try:
        with workspace.asking(f"read the permissions of the workspace folder {above}"):
            held = workspace.client.workspace.get_permissions("directories", str(object_id))
    except WorkspaceError as error:
        if error.status != 403:
            raise
        yield Missing(
            f"whether {workspace.user} may write to the workspace folder '{above}' is not for them to see",
            "if the upload is refused, ask its owner for CAN EDIT",
            blocks=False,
        )
        return
    mine = _principals(workspace)
    others: list[str] = []
    for entry in held.access_control_list or []:
        levels = {it.permission_level.value for it in entry.all_permissions or [] if it.permission_level is not None}
        if not levels & {*_MAY_WRITE}:
            continue
        if {entry.user_name, entry.group_name, entry.service_principal_name} & mine:
            return
        others += [entry.group_name] if entry.group_name and entry.group_name != _ADMINS else []
    yield _unless_by_group(f"{workspace.user} may not write to the workspace folder '{above}'", ask, others)


def _object_id(workspace: Workspace, folder: str) -> int | None:
    try:
        with workspace.asking(f"look for the workspace folder {folder}"):
            return workspace.client.workspace.get_status(folder.removeprefix("/Workspace")).object_id
    except WorkspaceError as error:
        if error.status in (403, 404):
            return None
        raise


def _of_pipeline(workspace: Workspace, pipeline: DeployedPipeline | None) -> Iterator[Missing]:
    if pipeline is None:
        return
    managed = manages(workspace, pipeline)
    if managed is not True:
        yield _unless_by_group(
            f"{workspace.user} lacks CAN_MANAGE on the pipeline '{pipeline.name}' of {pipeline.creator}",
            f"ask {pipeline.creator} for it: Share in the pipeline's page, or 'permissions' in {DEPLOY_FILE}",
            managed,
        )


def _unless_by_group(what: str, mend: str, groups: Sequence[str]) -> Missing:
    """A login is told of its own groups, and not of those that they are in: another group that may is no certain no."""
    if not groups:
        return Missing(what, mend)
    return Missing(f"{what}, unless by a group: {', '.join(groups)}", mend, blocks=False)


def manages(workspace: Workspace, pipeline: DeployedPipeline) -> Literal[True] | list[str]:
    """Whether the user may change and delete the pipeline: True, or the groups that may, and that the user may be in by
    another group."""
    if pipeline.creator.casefold() == workspace.user.casefold():
        return True
    try:
        held = held_permissions(workspace, pipeline)
    except WorkspaceError as error:
        # Who may manage it may read its permissions.
        if error.status != 403:
            raise
        return []
    mine = _principals(workspace)
    may = [it for it in held if it.level in _MAY_CHANGE]
    if any(it.principal in mine for it in may):
        return True
    return [it.principal for it in may if it.kind == "group_name" and it.principal != _ADMINS]


def _principals(workspace: Workspace) -> set[str | None]:
    """The user and their groups, by the names that permissions have."""
    with workspace.asking("see which groups the login belongs to"):
        groups = workspace.client.current_user.me().groups or []
    return {workspace.user, "users", *(group.display for group in groups if group.display)}
