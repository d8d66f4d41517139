"""Settings of a pipeline that is there already, changed alone: its files stay as they are."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connector_lib.deploy.deployment_record import DeploymentRecord
from connector_lib.deploy.pipeline_files import refuse_secrets
from connector_lib.deploy.pipeline_settings import pipeline_settings
from connector_lib.deploy.pipelines import (
    DeployedPipeline,
    find_named_pipeline,
    grant_permissions,
    held_permissions,
    replace_settings,
)
from connector_lib.deploy.plan import DeployRequest, current_settings, require_own_pipeline
from connector_lib.deploy.releases import resolve_wheel
from connector_lib.deploy.settings_changes import (
    SettingChange,
    merge_settings,
    setting_changes,
    setting_keys,
)
from connector_lib.deploy.volume_files import VolumeName
from connector_lib.deploy.workspace import Workspace
from connector_lib.deploy.workspace_files import read_deployed_files, write_record
from connector_lib.errors import UsageError, WorkspaceError
from connector_lib.project.deployment import Permission

__all__ = ["SettingsPlan", "change_settings", "plan_by_flags", "plan_by_folder"]

_OF_THE_FILES: Final = ("libraries", "root_path")
_OF_THE_WHEEL: Final = "environment"


@dataclass(frozen=True, slots=True)
class SettingsPlan:
    """What is to change in the settings of ``pipeline``; ``record`` is to be written where it is not None."""

    pipeline: DeployedPipeline
    settings: Mapping[str, Any] = field(repr=False)
    changes: tuple[SettingChange, ...]
    permissions: tuple[Permission, ...] = ()
    record: DeploymentRecord | None = None


def plan_by_folder(workspace: Workspace, request: DeployRequest, given: str, *, with_wheel: bool) -> SettingsPlan:
    """What the folder's ``spark-pipeline.yml`` and ``deploy.yml`` and the command line say, for the pipeline that was
    deployed from it. The wheel stays but ``with_wheel``; ``given`` is the folder as it was typed.

    Raises WorkspaceError where it was not deployed yet."""
    deployment = request.deployment
    pipeline = find_named_pipeline(workspace, deployment.name)
    if pipeline is None:
        raise WorkspaceError(
            f"{workspace.host}: there is no pipeline '{deployment.name}' that {workspace.user} may see",
            hint=f"'connector-lib deploy {shlex.quote(given)}{workspace.option}' makes it",
            status=404,
        )
    workspace_folder = deployment.folder_of(workspace.user)
    require_own_pipeline(workspace, pipeline, workspace_folder)
    wheel = ""
    if with_wheel:
        wheel = resolve_wheel(workspace, VolumeName.parse(deployment.volume), deployment.wheel)
    wanted = pipeline_settings(request.folder, deployment, wheel, workspace_folder=workspace_folder)
    declared = replace(request.declared, catalog=deployment.catalog, schema=deployment.schema)
    spoken = setting_keys(pipeline_settings(request.folder, declared, wheel, workspace_folder=workspace_folder))
    left_out = _OF_THE_FILES if with_wheel and deployment.as_library is False else (*_OF_THE_FILES, _OF_THE_WHEEL)
    wanted = {key: value for key, value in wanted.items() if key not in left_out}
    record = read_deployed_files(workspace, workspace_folder, ()).record
    spoken_before = record.settings if record is not None else ()
    stay = [key for key in spoken_before if key.partition(".")[0] not in left_out]
    held = held_permissions(workspace, pipeline) if deployment.permissions else []
    plan = _plan(pipeline, wanted, stay)
    return replace(
        plan,
        permissions=tuple(it for it in deployment.permissions if it not in held),
        record=replace(record, settings=spoken) if record is not None and record.settings != spoken else None,
    )


def plan_by_flags(
    workspace: Workspace, pipeline: DeployedPipeline, wanted: Mapping[str, Any], wheel: str | None, volume: str
) -> SettingsPlan:
    """What the command line alone says; ``wheel`` as in ``deploy.yml`` takes the place of the one in the settings."""
    changed = dict(wanted)
    if wheel is not None:
        path = resolve_wheel(workspace, VolumeName.parse(volume), wheel)
        changed[_OF_THE_WHEEL] = {"dependencies": _with_wheel(pipeline, path)}
    if not changed:
        raise UsageError("nothing to change", hint="such as --set KEY=VALUE, --continuous, --wheel 0.1.0")
    return _plan(pipeline, changed, ())


def change_settings(workspace: Workspace, plan: SettingsPlan) -> DeployedPipeline:
    """Carries the plan out, and writes nothing where there is nothing to change."""
    pipeline = plan.pipeline
    if plan.changes:
        pipeline = replace_settings(workspace, pipeline, plan.settings)
    if plan.permissions:
        grant_permissions(workspace, pipeline, plan.permissions)
    if plan.record is not None and pipeline.folder is not None:
        write_record(workspace, pipeline.folder, plan.record, frozenset({""}))
    return pipeline


def _plan(pipeline: DeployedPipeline, wanted: Mapping[str, Any], spoken_before: Any) -> SettingsPlan:
    refuse_secrets(str(wanted), f"the pipeline '{pipeline.name}': a setting")
    current = current_settings(pipeline)
    settings = merge_settings(current, wanted, spoken_before)
    return SettingsPlan(
        pipeline=pipeline,
        settings=settings,
        changes=tuple(setting_changes(current, settings)),
    )


def _with_wheel(pipeline: DeployedPipeline, path: str) -> list[str]:
    """The lines of the environment with ``path`` where a wheel of this package was, extras kept."""
    lines = list((pipeline.settings.get(_OF_THE_WHEEL) or {}).get("dependencies", []))
    at = next((number for number, line in enumerate(lines) if "/connector_lib-" in line and ".whl" in line), None)
    if at is None:
        raise UsageError(
            f"the settings of the pipeline '{pipeline.name}' name no wheel of connector_lib under 'environment'",
            hint="give the pipeline's folder, whose deploy.yml says how it is installed",
        )
    extras = lines[at].partition(".whl")[2]
    return [*lines[:at], f"{path}{extras}", *lines[at + 1 :]]
