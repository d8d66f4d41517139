"""Settings of a pipeline that is there already, changed alone: its files stay as they are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connector_lib.deploy.confirmations import other_target, schema_move
from connector_lib.deploy.deployment_record import DeploymentRecord
from connector_lib.deploy.permission_changes import permission_changes
from connector_lib.deploy.pipeline_settings import pipeline_settings
from connector_lib.deploy.pipelines import (
    DeployedPipeline,
    find_named_pipeline,
    grant_permissions,
    held_permissions,
    replace_settings,
)
from connector_lib.deploy.plan import (
    DeployRequest,
    current_settings,
    require_own_pipeline,
)
from connector_lib.deploy.releases import resolve_wheel
from connector_lib.deploy.secret_check import refuse_secrets
from connector_lib.deploy.settings_changes import (
    SettingChange,
    blanked,
    dropped_entries,
    merge_settings,
    setting_changes,
    setting_keys,
)
from connector_lib.deploy.volume_files import VolumeName
from connector_lib.deploy.workspace import Workspace
from connector_lib.deploy.workspace_files import read_deployed_files, write_record
from connector_lib.errors import UsageError, WorkspaceError, did_you_mean
from connector_lib.project.deployment import NOT_THE_PIPELINES_OWN, Permission, refuse_secret_setting

__all__ = ["SettingsPlan", "change_settings", "plan_by_flags", "plan_by_folder"]

_OF_THE_FILES: Final = ("libraries", "root_path")
_OF_THE_WHEEL: Final = "environment"


@dataclass(frozen=True, slots=True)
class SettingsPlan:
    """What is to change in the settings of ``pipeline``; ``record`` is to be written where it is not None.
    ``to_confirm`` are the things that somebody has to say yes to, ``notes`` what they should know."""

    pipeline: DeployedPipeline
    settings: Mapping[str, Any] = field(repr=False)
    changes: tuple[SettingChange, ...]
    permissions: tuple[Permission, ...] = ()
    record: DeploymentRecord | None = None
    to_confirm: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def plan_by_folder(
    workspace: Workspace, request: DeployRequest, given: str, *, with_wheel: bool, option: str = ""
) -> SettingsPlan:
    """What the folder's ``spark-pipeline.yml`` and ``deploy.yml`` and the command line say, for the pipeline that was
    deployed from it. The wheel stays but ``with_wheel``; ``given`` is the folder as it was typed,
    ``option`` the target that was.

    Raises WorkspaceError where it was not deployed yet."""
    deployment = request.deployment
    pipeline = find_named_pipeline(workspace, deployment.name)
    if pipeline is None:
        raise WorkspaceError(
            f"{workspace.host}: there is no pipeline '{deployment.name}' that {workspace.user} may see",
            hint=f"'connector-lib deploy {shlex.quote(given)}{option}{workspace.option}' makes it",
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
    permissions, lowered = permission_changes(held, deployment.permissions)
    taken_away = blanked(deployment.configuration, request.declared.configuration)
    plan = _plan(workspace, pipeline, wanted, (*stay, *taken_away))
    now = replace(record, settings=spoken, target=deployment.target or "") if record is not None else None
    return replace(
        plan,
        permissions=permissions,
        record=now if now != record else None,
        to_confirm=(*other_target(pipeline.name, record, deployment), *plan.to_confirm),
        notes=(*lowered, *plan.notes),
    )


def plan_by_flags(
    workspace: Workspace, pipeline: DeployedPipeline, wanted: Mapping[str, Any], wheel: str | None, volume: str
) -> SettingsPlan:
    """What the command line alone says; ``wheel`` as in ``deploy.yml`` takes the place of the one in the settings.

    Raises UsageError for a setting that neither the pipeline has nor its files ask for, ConfigurationError for a
    secret, WorkspaceError for a schema that is not there."""
    changed = dict(wanted)
    for key, value in changed.get("configuration", {}).items():
        refuse_secret_setting(key, value)
    _require_known(workspace, pipeline, changed.get("configuration", {}))
    if wheel is not None:
        path = resolve_wheel(workspace, VolumeName.parse(volume), wheel)
        changed[_OF_THE_WHEEL] = {"dependencies": _with_wheel(pipeline, path)}
    if not changed:
        raise UsageError("nothing to change", hint="such as --set KEY=VALUE, --continuous, --wheel 0.1.0")
    taken_away = blanked(changed.get("configuration", {}), {})
    if taken_away:
        changed["configuration"] = {key: value for key, value in changed["configuration"].items() if value.strip()}
    return _plan(workspace, pipeline, changed, taken_away)


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


def _require_known(workspace: Workspace, pipeline: DeployedPipeline, given: Mapping[str, str]) -> None:
    """Raises UsageError for a setting that the pipeline does not have, and that none of its deployed files names."""
    known = sorted(pipeline.settings.get("configuration") or {})
    unknown = [key for key in given if key not in known and not key.startswith(NOT_THE_PIPELINES_OWN)]
    if not unknown or pipeline.folder is None:
        return
    deployed = read_deployed_files(workspace, pipeline.folder, ())
    if deployed.record is None:
        # It was made by hand: nobody knows its files.
        return
    text = b"\n".join(deployed.contents.values()).decode("utf-8", errors="replace")
    for key in unknown:
        if not re.search(rf"(?<![\w.]){re.escape(key)}(?![\w.])", text):
            raise UsageError(
                f"no file of the pipeline '{pipeline.name}' asks for the setting '{key}'",
                hint=f"{did_you_mean(key, known)}settings that it has: {', '.join(known) or 'none'}",
            )


def _require_schema(workspace: Workspace, catalog: str, schema: str | None) -> None:
    try:
        with workspace.asking(f"look for the catalog {catalog}"):
            workspace.client.catalogs.get(catalog)
        if schema is not None:
            with workspace.asking(f"look for the schema {catalog}.{schema}"):
                workspace.client.schemas.get(f"{catalog}.{schema}")
    except WorkspaceError as error:
        # What one may not see may be there: who the pipeline runs as counts.
        if error.status != 403:
            raise


def _plan(
    workspace: Workspace, pipeline: DeployedPipeline, wanted: Mapping[str, Any], spoken_before: Any
) -> SettingsPlan:
    refuse_secrets(wanted, f"the pipeline '{pipeline.name}': the setting")
    current = current_settings(pipeline)
    settings = merge_settings(current, wanted, spoken_before)
    if settings.get("serverless") and settings.get("photon") is False:
        raise UsageError(f"the pipeline '{pipeline.name}' has 'photon: false', which needs --no-serverless")
    moves = schema_move(pipeline, settings)
    if moves and settings.get("catalog"):
        _require_schema(workspace, settings["catalog"], settings.get("schema"))
    dropped = dropped_entries(current, settings, pipeline.folder or "")
    return SettingsPlan(
        pipeline=pipeline,
        settings=settings,
        changes=tuple(setting_changes(current, settings)),
        to_confirm=moves,
        notes=tuple(f"taken out of the setting '{key}': {', '.join(dropped[key])}" for key in dropped),
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
