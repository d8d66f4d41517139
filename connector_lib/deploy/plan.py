"""What a deployment of a pipeline folder would change in a workspace. Everything here reads, and writes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Literal

from connector_lib.deploy.confirmations import to_confirm
from connector_lib.deploy.deployment_record import DeploymentRecord
from connector_lib.deploy.install_lines import check_extras
from connector_lib.deploy.permission_changes import permissions_to_grant
from connector_lib.deploy.pipeline_files import FileLeftOut, files_left_out, files_to_deploy
from connector_lib.deploy.pipeline_settings import pipeline_settings
from connector_lib.deploy.pipelines import DeployedPipeline, find_named_pipeline
from connector_lib.deploy.preflight import Missing, Needs, find_missing
from connector_lib.deploy.refresh_state import refresh_state
from connector_lib.deploy.releases import path_of, resolve_wheel
from connector_lib.deploy.same_files import pipelines_of_same_files
from connector_lib.deploy.secret_check import refuse_secrets
from connector_lib.deploy.settings_changes import (
    SettingChange,
    blanked,
    dropped_entries,
    kept_settings,
    merge_settings,
    setting_changes,
    setting_keys,
    settings_for_new,
)
from connector_lib.deploy.volume_files import VolumeName
from connector_lib.deploy.wheel import Wheel
from connector_lib.deploy.workspace import Workspace
from connector_lib.deploy.workspace_files import (
    DeployedFiles,
    FileChanges,
    compare_files,
    read_deployed_files,
    sha256,
)
from connector_lib.errors import ConfigurationError, ReleaseError, WorkspaceError
from connector_lib.project.deployment import DEPLOY_FILE, Deployment, Permission
from connector_lib.project.ingest_specs import ingest_specs, scd_types
from connector_lib.project.pipeline import PipelineFolder
from connector_lib.project.transformation_rules import defined_datasets

__all__ = [
    "DeployPlan",
    "DeployRequest",
    "current_settings",
    "make_plan",
    "require_own_pipeline",
    "require_ready",
]

_IN_VOLUME: Final = re.compile(r"/Volumes/([^/]+)/([^/]+)/([^/]+)/.+")
_REQUIRED_SETTING: Final = re.compile(r"""\brequired_setting\(\s*["']([^"']+)["']""")


@dataclass(frozen=True, slots=True)
class DeployRequest:
    """What is asked for. ``declared`` is the deployment as the files alone say it, without the command line;
    ``dev_wheel`` a wheel that will be published first, None: the one that ``deployment`` names. With ``skip_preflight``
    what seems to be missing in the workspace is told, and blocks nothing."""

    folder: PipelineFolder
    deployment: Deployment
    declared: Deployment
    dev_wheel: Wheel | None = None
    recreate: bool = False
    skip_preflight: bool = False


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """What a deployment would do.

    ``settings`` are sent whole; ``changes`` is what differs in them, ``kept`` what somebody set in the workspace and
    stays. ``contents`` are the bytes of all files. ``refresh`` are tables that have to be refreshed in full; ``record``
    is what is noted in the workspace, and ``record_after_refresh`` once that is done. ``missing`` has to be mended
    first, but for what does not block. ``to_confirm`` are the things that somebody has to say yes to; ``notes`` what
    they should know.
    """

    name: str
    host: str
    folder: str
    schema: tuple[str, str]
    action: Literal["create", "change", "recreate", "none"]
    pipeline: DeployedPipeline | None
    wheel: str
    settings: Mapping[str, Any] = field(repr=False)
    changes: tuple[SettingChange, ...]
    kept: tuple[str, ...]
    files: FileChanges
    contents: Mapping[str, bytes] = field(repr=False)
    deployed: DeployedFiles = field(repr=False)
    record: DeploymentRecord
    record_after_refresh: DeploymentRecord
    create_schema: bool
    permissions: tuple[Permission, ...]
    refresh: tuple[str, ...]
    missing: tuple[Missing, ...]
    to_confirm: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    dev_wheel: Wheel | None = None
    left_out: tuple[FileLeftOut, ...] = ()

    @property
    def blocked(self) -> tuple[Missing, ...]:
        """What of ``missing`` has to be mended before a deployment."""
        return tuple(it for it in self.missing if it.blocks)

    @property
    def changes_nothing(self) -> bool:
        """Whether all is in the workspace as it should be."""
        return (
            self.action == "none"
            and not (self.files.upload or self.files.remove or self.permissions or self.create_schema)
            and self.deployed.record == self.record
        )

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON document, without contents and secrets."""
        return {
            "pipeline": {
                "name": self.name,
                "id": self.pipeline.id if self.pipeline is not None else None,
                "action": self.action,
            },
            "workspace": self.host,
            "folder": self.folder,
            "wheel": self.wheel,
            "schema": {"name": ".".join(self.schema), "create": self.create_schema},
            "files": {
                "upload": list(self.files.upload),
                "remove": list(self.files.remove),
                "same": list(self.files.same),
                "changed_by_hand": list(self.files.by_hand),
                "left_out": [asdict(it) for it in self.left_out],
            },
            "settings": [asdict(change) for change in self.changes],
            "settings_kept": list(self.kept),
            "permissions": [asdict(permission) for permission in self.permissions],
            "full_refresh": list(self.refresh),
            "missing": [asdict(missing) for missing in self.missing],
            "to_confirm": list(self.to_confirm),
            "notes": list(self.notes),
            "changes_nothing": self.changes_nothing,
        }


def make_plan(workspace: Workspace, request: DeployRequest) -> DeployPlan:
    """Compares the folder with what is in the workspace.

    Raises ConfigurationError for what is wrong in the folder, WorkspaceError where the pipeline's name or its workspace
    folder belongs to another pipeline; what is missing and can be granted or made is in the plan's ``missing``.
    """
    folder, deployment = request.folder, request.deployment
    check_extras(deployment.extras)
    contents = files_to_deploy(folder, deployment.upload_anyway)
    specs = ingest_specs(folder)
    workspace_folder = deployment.folder_of(workspace.user)
    # Whatever is wrong in the files is said before the workspace is asked.
    _settings(request, "", workspace_folder)
    found = find_named_pipeline(workspace, deployment.name)
    if found is not None:
        require_own_pipeline(workspace, found, workspace_folder)
    deployed = read_deployed_files(workspace, workspace_folder, contents)
    found = _of_folder(workspace, deployed, workspace_folder, deployment.name, found)
    files = compare_files(contents, deployed)
    _require_nobody_elses_files(files, workspace_folder)
    wheel, no_wheel = _wheel(workspace, request)
    wanted, declared = _settings(request, wheel or deployment.wheel, workspace_folder)
    current = current_settings(found)
    if request.recreate:
        current = settings_for_new(current)
    spoken_before = deployed.record.settings if deployed.record is not None else ()
    taken_away = blanked(deployment.configuration, request.declared.configuration)
    settings = merge_settings(current, wanted, (*spoken_before, *taken_away))
    changes = tuple(setting_changes(current, settings))
    kinds = scd_types(specs)
    stays = found is not None and not request.recreate
    before = _settled(workspace, found, deployed.record) if stays and deployed.record is not None else None
    refresh = _changed_kinds(kinds, before) if before is not None else ()
    after_refresh = DeploymentRecord(
        pipeline=deployment.name,
        files={path: (sha256(content),) for path, content in contents.items()},
        settings=setting_keys(declared),
        scd_types=kinds,
        target=deployment.target or "",
    )
    record = after_refresh
    if before is not None:
        waits = [*refresh, *(table for table in before.refreshing if table in kinds)]
        record = replace(
            after_refresh,
            scd_types={**kinds, **{table: before.scd_types[table] for table in waits if table in before.scd_types}},
            refresh_update=before.refresh_update,
            refreshing=before.refreshing,
        )
    assert deployment.catalog is not None
    assert deployment.schema is not None
    schema = (deployment.catalog, deployment.schema)
    needs = Needs(
        schema=schema,
        create_schema=deployment.create_schema,
        volume=_volume_of(wheel, deployment),
        writes_volume=request.dev_wheel is not None,
        connections=sorted({spec.connection for spec in specs}),
        folder=workspace_folder,
        pipeline=found,
        runs_as=_runs_as(workspace, deployment, found),
        materialized_views=_may_have_materialized_views(folder),
    )
    missing = find_missing(workspace, needs)
    if request.skip_preflight:
        missing = [replace(it, blocks=False) for it in missing]
    permissions, lowered = permissions_to_grant(workspace, deployment, found, request.recreate)
    missing += _about_wheel(no_wheel, missing)
    return DeployPlan(
        name=deployment.name,
        host=workspace.host,
        folder=workspace_folder,
        schema=schema,
        action=_action(found, request.recreate, changes),
        pipeline=found,
        wheel=wheel,
        settings=settings,
        changes=changes,
        kept=kept_settings(current, wanted, settings),
        files=files,
        contents=contents,
        deployed=deployed,
        record=record,
        record_after_refresh=after_refresh,
        create_schema=deployment.create_schema and not _schema_is_there(workspace, ".".join(schema)),
        permissions=permissions,
        refresh=refresh,
        missing=(*missing, *_settings_without_value(folder, settings)),
        to_confirm=to_confirm(found, deployment, deployed.record, settings) if stays else (),
        notes=(
            *lowered,
            *_dropped(current, settings, workspace_folder),
            *(_of_same_files(workspace, deployment, workspace_folder, contents) if found is None else ()),
        ),
        dev_wheel=request.dev_wheel,
        left_out=files_left_out(folder),
    )


def require_own_pipeline(workspace: Workspace, pipeline: DeployedPipeline, folder: str) -> None:
    """Raises WorkspaceError where the files of ``pipeline`` are not in ``folder``: then it is another one."""
    if pipeline.folder == folder:
        return
    its_folder = f"its files are in {pipeline.folder}" if pipeline.folder else "it has no folder of files"
    raise WorkspaceError(
        f"{workspace.host}: the pipeline '{pipeline.name}' ({pipeline.id}) is another one: it belongs to"
        f" {pipeline.creator}, and {its_folder}, not in {folder}",
        hint=f"give this one another name: 'name:' in {DEPLOY_FILE}, or --name; or name its folder under"
        " 'workspace_folder', if it is the same pipeline",
    )


def _of_folder(
    workspace: Workspace, deployed: DeployedFiles, folder: str, name: str, found: DeployedPipeline | None
) -> DeployedPipeline | None:
    """The pipeline whose files are in the folder: ``found``, the one called ``name``, or one that has another name yet.

    Raises WorkspaceError where the files were deployed for a pipeline that is no longer there, or is another one."""
    if deployed.record is None or deployed.record.pipeline == name:
        return found
    other = deployed.record.pipeline
    named = find_named_pipeline(workspace, other)
    is_there = named is not None and named.folder == folder
    if is_there != (found is not None):
        # To be renamed, or renamed by a deployment that was cut off then.
        return named if is_there else found
    where = "" if is_there else ", and there is no such pipeline"
    raise WorkspaceError(
        f"the workspace folder {folder} holds the files of the pipeline '{other}', not of '{name}'{where}",
        hint=f"give this one a 'workspace_folder' of its own; or deploy it under that name, '--name {other}', and"
        " rename it then",
    )


def _of_same_files(
    workspace: Workspace, deployment: Deployment, folder: str, contents: Mapping[str, bytes]
) -> list[str]:
    """Notes about pipelines that the new one may be a new name of: only the default folder has the name in it."""
    if deployment.workspace_folder is not None or deployment.catalog is None or deployment.schema is None:
        return []
    return pipelines_of_same_files(workspace, folder, contents, (deployment.catalog, deployment.schema))


def _dropped(current: Mapping[str, Any], settings: Mapping[str, Any], folder: str) -> list[str]:
    return [
        f"taken out of the setting '{key}', since {DEPLOY_FILE} does not name it: {', '.join(entries)}"
        for key, entries in dropped_entries(current, settings, folder).items()
    ]


def _may_have_materialized_views(folder: PipelineFolder) -> bool:
    """False where every table is made by ``create_streaming_table``."""
    definitions = defined_datasets(folder)
    tables = [it for it in definitions.found if it.is_dataset and it.keeps_rows and not it.is_local]
    return definitions.may_have_more or any(it.has_flow for it in tables)


def _settled(workspace: Workspace, found: DeployedPipeline | None, record: DeploymentRecord) -> DeploymentRecord:
    """The record with what became of the full refresh that it names."""
    if not record.refresh_update or found is None:
        return record
    state = refresh_state(workspace, found.id, record)
    if state == "runs":
        return record
    kinds = {**record.scd_types, **record.refreshing} if state == "done" else record.scd_types
    return replace(record, scd_types=kinds, refresh_update="", refreshing={})


def _require_nobody_elses_files(files: FileChanges, folder: str) -> None:
    if files.foreign:
        raise WorkspaceError(
            f"the workspace folder {folder} has other files of the same names, which were not deployed from here:"
            f" {', '.join(files.foreign)}",
            hint="name another 'workspace_folder'; or delete them in the workspace, if nobody needs them",
        )


def _wheel(workspace: Workspace, request: DeployRequest) -> tuple[str, ReleaseError | WorkspaceError | None]:
    """The wheel's path; and, where it is not to be had, why."""
    volume = VolumeName.parse(request.deployment.volume)
    if request.dev_wheel is not None:
        return path_of(volume, request.dev_wheel.version), None
    try:
        return resolve_wheel(workspace, volume, request.deployment.wheel), None
    except (ReleaseError, WorkspaceError) as error:
        if isinstance(error, WorkspaceError) and error.status not in (403, 404):
            raise
        return "", error


def _about_wheel(error: ReleaseError | WorkspaceError | None, missing: list[Missing]) -> list[Missing]:
    if error is None or (isinstance(error, WorkspaceError) and any(it.blocks for it in missing)):
        # A Volume that is not there or may not be read is among the missing already.
        return []
    return [Missing(error.message, error.hint)]


def _settings(request: DeployRequest, wheel: str, workspace_folder: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings to have, and those that the files alone ask for."""
    deployment = request.deployment
    declared = replace(request.declared, catalog=deployment.catalog, schema=deployment.schema)
    wanted = pipeline_settings(request.folder, deployment, wheel, workspace_folder=workspace_folder)
    refuse_secrets(wanted, f"{deployment.file}: the setting")
    return wanted, pipeline_settings(request.folder, declared, wheel, workspace_folder=workspace_folder)


def current_settings(pipeline: DeployedPipeline | None) -> dict[str, Any]:
    """The settings that the pipeline has, with ``run_as`` among them as a change of them takes it; none where there is
    no pipeline."""
    if pipeline is None:
        return {}
    run_as = {"run_as": dict(pipeline.run_as)} if pipeline.run_as else {}
    return {**pipeline.settings, **run_as}


def _changed_kinds(kinds: Mapping[str, str], record: DeploymentRecord) -> tuple[str, ...]:
    before = {**record.scd_types, **record.refreshing}
    return tuple(table for table, kind in kinds.items() if before.get(table, kind) != kind)


def _action(
    found: DeployedPipeline | None, recreate: bool, changes: tuple[SettingChange, ...]
) -> Literal["create", "change", "recreate", "none"]:
    if found is None:
        return "create"
    if recreate:
        return "recreate"
    return "change" if changes else "none"


def _volume_of(wheel: str, deployment: Deployment) -> tuple[str, str, str] | None:
    """The Volume that the wheel is in, or would be."""
    written = wheel or deployment.wheel
    if written.startswith("/"):
        inside = _IN_VOLUME.fullmatch(written)
        return (inside[1], inside[2], inside[3]) if inside is not None else None
    volume = VolumeName.parse(deployment.volume)
    return (volume.catalog, volume.schema, volume.volume)


def _runs_as(workspace: Workspace, deployment: Deployment, found: DeployedPipeline | None) -> str:
    if deployment.run_as:
        return next(iter(deployment.run_as.values()))
    return (found.run_as_user if found is not None else "") or workspace.user


def _schema_is_there(workspace: Workspace, name: str) -> bool:
    try:
        with workspace.asking(f"look for the schema {name}"):
            workspace.client.schemas.get(name)
    except WorkspaceError as error:
        if error.status == 404:
            return False
        if error.status != 403:
            raise
    return True


def _settings_without_value(folder: PipelineFolder, settings: Mapping[str, Any]) -> list[Missing]:
    """The settings that a transformation file cannot do without, and that have none."""
    configuration = settings.get("configuration", {})
    wanted: dict[str, str] = {}
    for file in folder.files:
        for key in _REQUIRED_SETTING.findall(file.read_text(encoding="utf-8", errors="replace")):
            wanted.setdefault(key, file.relative_to(folder.root).as_posix())
    return [
        Missing(
            f"the setting '{key}', which {file} asks for, has no value",
            f"write it under 'configuration' in {DEPLOY_FILE}, or give --set {key}=VALUE",
        )
        for key, file in wanted.items()
        if not configuration.get(key, "").strip()
    ]


def require_ready(plan: DeployPlan, *, full_refresh: bool) -> None:
    """Raises ConfigurationError or WorkspaceError that names all that stands in the way of the plan."""
    if plan.blocked:
        lines = [f"  {it.what}\n    {it.mend}" for it in plan.blocked]
        raise WorkspaceError(
            "\n".join([f"{plan.host}: '{plan.name}' cannot be deployed yet; nothing was written. Missing:", *lines]),
            hint="then run the same command again",
        )
    if plan.refresh and not full_refresh:
        tables = ", ".join(plan.refresh)
        raise ConfigurationError(
            f"'{plan.name}': the SCD type of {tables} was changed, which needs a full refresh of"
            f" {'it' if len(plan.refresh) == 1 else 'them'}: its rows are read again, and its history is lost;"
            " nothing was written",
            hint="add --full-refresh, which starts an update that does it; or change 'scd_type' back",
        )
