"""Which permissions on a pipeline a deployment grants, and whom it takes something away from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connector_lib.deploy.pipelines import DeployedPipeline, held_permissions
from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import WorkspaceError
from connector_lib.project.deployment import Deployment, Permission

__all__ = ["permission_changes", "permissions_to_grant"]

_LEVELS: Final = ("CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER")


def permissions_to_grant(
    workspace: Workspace, deployment: Deployment, found: DeployedPipeline | None, recreate: bool
) -> tuple[tuple[Permission, ...], tuple[str, ...]]:
    """The permissions to grant, and notes about them. A pipeline that is made anew gets those of the old one too."""
    if found is None or not (deployment.permissions or recreate):
        return deployment.permissions, ()
    try:
        held = held_permissions(workspace, found, inherited=not recreate)
    except WorkspaceError as error:
        if error.status != 403:
            raise
        return deployment.permissions, ()
    if not recreate:
        return permission_changes(held, deployment.permissions)
    spoken = {_holder(it) for it in deployment.permissions}
    stay = [it for it in held if it.level != "IS_OWNER" and _holder(it) not in spoken]
    lost = [
        it.principal for it in held if it.level == "IS_OWNER" and it.principal.casefold() != workspace.user.casefold()
    ]
    notes = [f"{owner} owns the pipeline, and will not own the new one: {workspace.user} will" for owner in lost]
    return (*deployment.permissions, *stay), tuple(notes)


def permission_changes(
    held: Sequence[Permission], wanted: Sequence[Permission]
) -> tuple[tuple[Permission, ...], tuple[str, ...]]:
    """Those of ``wanted`` that are not held, and a note for each that takes something away. An owner stays one."""
    levels = {_holder(it): it.level for it in sorted(held, key=lambda it: _LEVELS.index(it.level))}
    changed = [it for it in wanted if levels.get(_holder(it)) not in (it.level, "IS_OWNER")]
    notes = [
        f"{it.principal} has {levels[_holder(it)]} now, and gets less: {it.level}"
        for it in changed
        if _LEVELS.index(levels.get(_holder(it), "CAN_VIEW")) > _LEVELS.index(it.level)
    ]
    return tuple(changed), tuple(notes)


def _holder(permission: Permission) -> tuple[str, str]:
    """Whose the permission is; names of users are compared without case, as the service does."""
    principal = permission.principal
    return permission.kind, principal.casefold() if permission.kind == "user_name" else principal
