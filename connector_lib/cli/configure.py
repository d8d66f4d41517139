"""``connector-lib configure`` and ``delete``: a pipeline that is in a workspace already."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from connector_lib.cli.deploy_options import (
    CatalogOption,
    ChannelOption,
    ContinuousOption,
    DevelopmentOption,
    NameOption,
    SchemaOption,
    ServerlessOption,
    SetOption,
    VolumeOption,
    WheelOption,
    YesOption,
    checked_folder,
    counted,
    deployment_keys,
    require_yes,
)
from connector_lib.cli.output import visible
from connector_lib.cli.pipeline_argument import DevCopy, PipelineArgument, TargetOption
from connector_lib.cli.workspace_options import AsJson, Profile, print_document, say
from connector_lib.errors import UsageError

if TYPE_CHECKING:
    from connector_lib.deploy.pipelines import DeployedPipeline
    from connector_lib.deploy.reconfigure import SettingsPlan
    from connector_lib.deploy.workspace import Workspace

__all__ = ["register"]

_CONFIGURE_HELP = """\
Change settings of a pipeline in a workspace, and leave its files and its wheel alone.

With a folder, its spark-pipeline.yml, its deploy.yml and the options count; with a name or an id the options alone.
--wheel pins another wheel.

\b
Example: connector-lib configure fhir_api --continuous

\b
Example: connector-lib configure pipelines/hl7v2_files \\
    --target prod --wheel 0.1.0
"""
_DELETE_HELP = """\
Delete a pipeline from a workspace, with the files that were deployed for it.

Its tables are dropped with it: the service does that. Other files in its folder stay.

\b
Example: connector-lib delete pipelines/fhir_api --yes
"""


def register(app: typer.Typer) -> None:
    """Adds the commands to ``app``."""

    @app.command("configure", help=_CONFIGURE_HELP, short_help="Change settings of a pipeline, and nothing else.")
    def configure(
        pipeline: PipelineArgument,
        target: TargetOption = None,
        settings: SetOption = None,
        name: NameOption = None,
        catalog: CatalogOption = None,
        schema: SchemaOption = None,
        volume: VolumeOption = None,
        wheel: WheelOption = None,
        serverless: ServerlessOption = None,
        continuous: ContinuousOption = None,
        development: DevelopmentOption = None,
        channel: ChannelOption = None,
        dev: DevCopy = False,
        yes: YesOption = False,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.deploy.reconfigure import change_settings

        keys = deployment_keys(
            name=name,
            catalog=catalog,
            schema=schema,
            volume=volume,
            wheel=wheel,
            serverless=serverless,
            continuous=continuous,
            development=development,
            channel=channel,
            settings=settings,
        )
        workspace, found = _planned_settings(pipeline, target, keys, dev=dev, profile=profile)
        if found.to_confirm:
            require_yes(yes, "; and ".join(found.to_confirm))
        for note in found.notes:
            say(f"note: {note}")
        changed = change_settings(workspace, found)
        _print_configured(workspace, found, changed, as_json)
        return 0

    @app.command("delete", help=_DELETE_HELP, short_help="Delete a pipeline, its tables and its files.")
    def delete(
        pipeline: PipelineArgument,
        target: TargetOption = None,
        dev: DevCopy = False,
        yes: YesOption = False,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.deploy.removal import plan_removal, remove
        from connector_lib.deploy.workspace import open_workspace

        workspace = open_workspace(profile)
        name, found, folder = _named(workspace, pipeline, target, dev)
        removal = plan_removal(workspace, name, found, folder)
        tables = ""
        if found is not None:
            schema = ".".join(str(found.settings.get(key)) for key in ("catalog", "schema") if found.settings.get(key))
            tables = f", all its tables{f' in {schema}' if schema else ''}"
        require_yes(yes, f"delete the pipeline '{name}'{tables}, and {counted(len(removal.files), 'file')} of it")
        remove(workspace, removal)
        if as_json:
            print_document(
                {
                    "pipeline": name,
                    "pipeline_id": found.id if found is not None else None,
                    "files": list(removal.files),
                    "files_kept": list(removal.others),
                    "folder_kept": removal.left,
                }
            )
            return 0
        typer.echo(visible(f"{name}: deleted{', its tables are dropped with it' if found is not None else ''}"))
        if removal.left is not None:
            say(f"note: the folder {removal.left} stays: nothing in it says that it was deployed for '{name}'")
        if removal.others:
            say(f"note: other files stay in {removal.folder}: {', '.join(removal.others)}")
        return 0


def _planned_settings(
    given: str, target: str | None, keys: dict[str, Any], *, dev: bool, profile: str | None
) -> tuple[Workspace, SettingsPlan]:
    from connector_lib.deploy.pipelines import find_pipeline, is_pipeline_folder
    from connector_lib.deploy.plan import DeployRequest
    from connector_lib.deploy.reconfigure import plan_by_flags, plan_by_folder
    from connector_lib.deploy.volume_files import DEFAULT_VOLUME
    from connector_lib.deploy.watched_pipeline import target_option
    from connector_lib.deploy.workspace import open_workspace
    from connector_lib.project.deployment import load_deployment

    wheel = keys.pop("wheel")
    if is_pipeline_folder(given):
        keys["wheel"] = wheel
        folder = checked_folder(Path(given).expanduser())
        load_deployment(folder, target, keys)
        workspace = open_workspace(profile)
        developer = workspace.user if dev else None
        request = DeployRequest(
            folder=folder,
            deployment=load_deployment(folder, target, keys, developer=developer),
            declared=load_deployment(folder, target, developer=developer),
        )
        option = target_option(target, dev)
        return workspace, plan_by_folder(workspace, request, given, with_wheel=wheel is not None, option=option)
    if keys.get("name") is not None:
        raise UsageError("--name says which pipeline of a folder is meant", hint="leave it out, or give the folder")
    workspace = open_workspace(profile)
    volume = keys.pop("volume") or DEFAULT_VOLUME
    wanted = {key: value for key, value in keys.items() if value is not None}
    return workspace, plan_by_flags(workspace, find_pipeline(workspace, given), wanted, wheel, volume)


def _named(
    workspace: Workspace, given: str, target: str | None, dev: bool
) -> tuple[str, DeployedPipeline | None, str | None]:
    """The name, the pipeline, None where it is gone, and its folder in the workspace."""
    from connector_lib.deploy.pipelines import find_named_pipeline, find_pipeline, is_pipeline_folder
    from connector_lib.deploy.plan import require_own_pipeline
    from connector_lib.project.deployment import load_deployment
    from connector_lib.project.pipeline import load_pipeline_folder

    if not is_pipeline_folder(given):
        found = find_pipeline(workspace, given)
        return found.name, found, found.folder
    folder = load_pipeline_folder(Path(given).expanduser())
    deployment = load_deployment(folder, target, developer=workspace.user if dev else None)
    workspace_folder = deployment.folder_of(workspace.user)
    named = find_named_pipeline(workspace, deployment.name)
    if named is not None:
        require_own_pipeline(workspace, named, workspace_folder)
    return deployment.name, named, workspace_folder


def _print_configured(workspace: Workspace, plan: SettingsPlan, pipeline: DeployedPipeline, as_json: bool) -> None:
    from connector_lib.cli.plan_output import setting_lines

    address = f"{workspace.host}/pipelines/{pipeline.id}"
    if as_json:
        print_document(
            {
                "pipeline_id": pipeline.id,
                "url": address,
                "settings": [asdict(change) for change in plan.changes],
                "permissions": [asdict(permission) for permission in plan.permissions],
            }
        )
        return
    if not plan.changes and not plan.permissions:
        typer.echo(visible(f"{pipeline.name}: nothing to do: its settings are as they should be"))
        return
    typer.echo(visible(f"{pipeline.name}: changed: {address}"))
    for line in setting_lines(plan.changes):
        typer.echo(visible(line))
    for permission in plan.permissions:
        typer.echo(visible(f"  granted {permission.level} to {permission.principal}"))
