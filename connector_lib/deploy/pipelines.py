"""Pipelines of a workspace: found by folder, name or id; created, changed in place, deleted; who may do what.

Settings stay the JSON that the service answers. The SDK's dataclasses would drop what they do not know, and a change
of one setting replaces all (Pipelines API, "Edit a pipeline"), so what they drop would be lost.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from connector_lib.deploy.watched_pipeline import target_option
from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import WorkspaceError, did_you_mean
from connector_lib.project.deployment import DEPLOY_FILE, Permission, load_deployment
from connector_lib.project.pipeline import load_pipeline_folder

__all__ = [
    "DeployedPipeline",
    "create_pipeline",
    "delete_pipeline",
    "find_named_pipeline",
    "find_pipeline",
    "get_pipeline",
    "grant_permissions",
    "held_permissions",
    "is_pipeline_folder",
    "replace_settings",
    "require_creatable",
]

_API: Final = "/api/2.0/pipelines"
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SPEC_FILES: Final = ("spark-pipeline.yml", "spark-pipeline.yaml")
_MOST_NAMES: Final = 300
"""How many pipelines are looked at for one whose name is like the one that is not there."""


@dataclass(frozen=True, slots=True)
class DeployedPipeline:
    """A pipeline in the workspace. ``settings`` is its spec as the service answers it; ``run_as`` is what was asked
    for, ``run_as_user`` who it is in the end; ``state`` such as ``IDLE`` or ``RUNNING``; ``last_modified`` of its
    settings in milliseconds since 1970."""

    id: str
    name: str
    settings: Mapping[str, Any] = field(repr=False)
    creator: str
    state: str
    run_as: Mapping[str, str] | None = None
    run_as_user: str = ""
    last_modified: int | None = None

    @property
    def folder(self) -> str | None:
        """Where its files lie in the workspace, as ``/Workspace/…``."""
        root = self.settings.get("root_path")
        if not isinstance(root, str):
            return None
        plain = root.rstrip("/")
        return plain if plain.startswith("/Workspace/") else f"/Workspace{plain}"


def find_pipeline(
    workspace: Workspace, given: str, *, target: str | None = None, dev: bool = False
) -> DeployedPipeline:
    """The pipeline that ``given`` names: a pipeline folder on this machine (``target`` of its ``deploy.yml``; with
    ``dev`` the user's own copy), a pipeline's id, or its name.

    Raises WorkspaceError where there is none, with the names most like it, or several have the name, with their ids;
    ConfigurationError and UsageError for a folder that cannot be read.
    """
    if _ID.fullmatch(given):
        return get_pipeline(workspace, given)
    name = _name_of_folder(workspace, Path(given), target, dev) if is_pipeline_folder(given) else given
    found = find_named_pipeline(workspace, name)
    if found is None:
        raise WorkspaceError(
            f"{workspace.host}: there is no pipeline '{name}' that {workspace.user} may see",
            hint=_how_to_find(workspace, given, name, target_option(target, dev)),
            status=404,
        )
    return found


def is_pipeline_folder(given: str) -> bool:
    """Whether a command's argument names a pipeline folder on this machine, and not a pipeline by its name."""
    path = Path(given).expanduser()
    return path.is_dir() and ("/" in given or any((path / name).is_file() for name in _SPEC_FILES))


def find_named_pipeline(workspace: Workspace, name: str) -> DeployedPipeline | None:
    """The pipeline of that name; None where there is none that the user may see.

    Raises WorkspaceError where several have it.
    """
    # What a pattern may not hold becomes a wildcard; names are compared here.
    pattern = re.sub(r"[^\w .@-]", "%", name, flags=re.ASCII)
    with workspace.asking(f"look for the pipeline '{name}'"):
        listed = list(workspace.client.pipelines.list_pipelines(filter=f"name LIKE '{pattern}'", max_results=100))
    same = [it for it in listed if it.name == name]
    if len(same) > 1:
        which = ", ".join(f"{it.pipeline_id} of {it.creator_user_name}" for it in same)
        raise WorkspaceError(
            f"{workspace.host}: {len(same)} pipelines are called '{name}': {which}",
            hint="give the id instead of the name; or give one of them another name in the workspace",
        )
    return get_pipeline(workspace, str(same[0].pipeline_id)) if same else None


def get_pipeline(workspace: Workspace, pipeline_id: str) -> DeployedPipeline:
    """The pipeline with that id. Raises WorkspaceError where it is not there, or may not be seen."""
    with workspace.asking(f"read the pipeline {pipeline_id}"):
        answer: Any = workspace.client.api_client.do("GET", f"{_API}/{pipeline_id}")
    return DeployedPipeline(
        id=answer["pipeline_id"],
        name=answer.get("name", ""),
        settings=answer.get("spec", {}),
        creator=answer.get("creator_user_name", ""),
        state=answer.get("state", ""),
        run_as=answer.get("run_as"),
        run_as_user=answer.get("run_as_user_name", ""),
        last_modified=answer.get("last_modified"),
    )


def create_pipeline(workspace: Workspace, settings: Mapping[str, Any]) -> DeployedPipeline:
    """Makes a pipeline with ``settings``, and never a second one of its name.

    An answer that was lost on the way is no reason for a second pipeline: where the name is taken by one with the same
    folder, that is the one. Raises WorkspaceError where it belongs to others.
    """
    name = settings["name"]
    body = {**settings, "allow_duplicate_names": False}
    try:
        with workspace.asking(f"create the pipeline '{name}'"):
            answer: Any = workspace.client.api_client.do("POST", _API, body=body)
    except WorkspaceError as error:
        if error.status != 409:
            raise
        found = find_named_pipeline(workspace, name)
        if found is None or found.folder != settings.get("root_path"):
            raise WorkspaceError(
                f"{workspace.host}: the name '{name}' is taken by a pipeline of somebody else",
                hint=f"give this one another name: 'name:' in {DEPLOY_FILE}, or --name",
                status=409,
                error_code=error.error_code,
            ) from None
        return found
    return get_pipeline(workspace, answer["pipeline_id"])


def require_creatable(workspace: Workspace, settings: Mapping[str, Any]) -> None:
    """Raises WorkspaceError where the service would refuse to make a pipeline with ``settings``; makes none. That the
    name is taken is no reason."""
    name = settings["name"]
    body = {**settings, "allow_duplicate_names": True, "dry_run": True}
    with workspace.asking(f"see whether the pipeline '{name}' can be created"):
        workspace.client.api_client.do("POST", _API, body=body)


def replace_settings(workspace: Workspace, pipeline: DeployedPipeline, settings: Mapping[str, Any]) -> DeployedPipeline:
    """Gives ``pipeline`` these settings in place of all it has; gives it as it is then.

    Raises WorkspaceError where somebody else changed it since it was read.
    """
    body = {**settings, "id": pipeline.id, "allow_duplicate_names": False}
    if pipeline.last_modified is not None:
        body["expected_last_modified"] = pipeline.last_modified
    try:
        with workspace.asking(f"change the settings of the pipeline '{pipeline.name}'"):
            workspace.client.api_client.do("PUT", f"{_API}/{pipeline.id}", body=body)
    except WorkspaceError as error:
        if error.status != 409:
            raise
        # A request that is sent again because its answer was lost meets its own change.
        now = get_pipeline(workspace, pipeline.id)
        if not _holds(now, settings):
            raise WorkspaceError(
                f"{workspace.host}: the pipeline '{pipeline.name}' was changed by somebody else at the same time",
                hint="run the same command again: it compares anew and goes on from here",
                status=409,
                error_code=error.error_code,
            ) from None
        return now
    return get_pipeline(workspace, pipeline.id)


def delete_pipeline(workspace: Workspace, pipeline: DeployedPipeline) -> None:
    """Deletes the pipeline; the service drops its tables with it (Pipelines API, "Delete a pipeline")."""
    try:
        with workspace.asking(f"delete the pipeline '{pipeline.name}'"):
            workspace.client.pipelines.delete(pipeline.id)
    except WorkspaceError as error:
        # Gone already: a request whose answer was lost.
        if error.status != 404:
            raise


def held_permissions(workspace: Workspace, pipeline: DeployedPipeline, *, inherited: bool = True) -> list[Permission]:
    """Who may do what with the pipeline, but for ``inherited=False`` inherited permissions too. Raises WorkspaceError,
    status 403, where the user may not manage it."""
    with workspace.asking(f"read the permissions of the pipeline '{pipeline.name}'"):
        answer: Any = workspace.client.api_client.do("GET", f"/api/2.0/permissions/pipelines/{pipeline.id}")
    return [
        Permission(kind, entry[kind], level["permission_level"])
        for entry in answer.get("access_control_list", [])
        for kind in ("user_name", "group_name", "service_principal_name")
        if kind in entry
        for level in entry.get("all_permissions", [])
        if inherited or not level.get("inherited")
    ]


def grant_permissions(workspace: Workspace, pipeline: DeployedPipeline, permissions: Iterable[Permission]) -> None:
    """Adds permissions to those that are there; who has another level gets the new one."""
    entries = [{it.kind: it.principal, "permission_level": it.level} for it in permissions]
    with workspace.asking(f"change the permissions of the pipeline '{pipeline.name}'"):
        workspace.client.api_client.do(
            "PATCH", f"/api/2.0/permissions/pipelines/{pipeline.id}", body={"access_control_list": entries}
        )


def _name_of_folder(workspace: Workspace, path: Path, target: str | None, dev: bool) -> str:
    folder = load_pipeline_folder(path)
    return load_deployment(folder, target, developer=workspace.user if dev else None).name


def _how_to_find(workspace: Workspace, given: str, name: str, option: str) -> str:
    with workspace.asking("list pipelines"):
        listed = workspace.client.pipelines.list_pipelines(max_results=100)
        names = sorted({it.name for it in islice(listed, _MOST_NAMES) if it.name})
    start = f"{did_you_mean(name, names)}pipelines there: {', '.join(names[:10]) or 'none'}"
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    deploy = (
        f"; 'connector-lib deploy {shlex.quote(given)}{option}{workspace.option}' makes it" if given != name else ""
    )
    return start + more + deploy


def _holds(pipeline: DeployedPipeline, settings: Mapping[str, Any]) -> bool:
    return all(pipeline.settings.get(key) == value for key, value in settings.items() if key != "run_as")
