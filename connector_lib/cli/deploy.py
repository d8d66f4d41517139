"""``connector-lib plan``, ``deploy``, ``configure`` and ``delete``: a pipeline folder as a pipeline of a workspace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_lib.cli.deploy_options import (
    CatalogOption,
    ChannelOption,
    ContinuousOption,
    CreateSchemaOption,
    DevelopmentOption,
    DevOption,
    NameOption,
    PipelineFolderArgument,
    RecreateOption,
    SchemaOption,
    ServerlessOption,
    SetOption,
    VolumeOption,
    WheelOption,
    WorkspaceFolderOption,
    deployment_keys,
)
from connector_lib.cli.output import visible
from connector_lib.cli.pipeline_argument import DevCopy, PipelineArgument, TargetOption, watched
from connector_lib.cli.workspace_options import AsJson, Profile, print_document, say
from connector_lib.errors import PipelineRuleError, UsageError

if TYPE_CHECKING:
    from connector_lib.deploy.pipelines import DeployedPipeline
    from connector_lib.deploy.plan import DeployPlan
    from connector_lib.deploy.reconfigure import SettingsPlan
    from connector_lib.deploy.updates import UpdateEnd, UpdateObserver
    from connector_lib.deploy.watched_pipeline import WatchedPipeline
    from connector_lib.deploy.workspace import Workspace
    from connector_lib.project.pipeline import PipelineFolder

__all__ = ["register"]

_PLAN_HELP = """\
Show what 'deploy' would change in a workspace, and write nothing.

Files to upload and to remove, the wheel that is pinned, settings before and after, permissions, and what is missing.
Takes the options of 'deploy', and deploy.yml beside spark-pipeline.yml. Ends with 1 where something is missing.

\b
Example: connector-lib plan pipelines/fhir_api --target prod

\b
Example: connector-lib plan pipelines/hl7v2_files \\
    --catalog main --json
"""
_DEPLOY_HELP = """\
Bring a pipeline folder into a workspace: its files, the wheel that it needs, and its settings.

Uploads what changed, and creates the pipeline or changes it in place. What is missing is named before anything is
written. When nothing changed, nothing is written; when it was interrupted, the same command goes on from there.

\b
Example: connector-lib deploy pipelines/fhir_api \\
    --catalog main --create-schema --watch

\b
Example: connector-lib deploy pipelines/hl7v2_files --dev \\
    --catalog main --set source.storage_path=/Volumes/main/raw/hl7
"""
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
_Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to ``app``."""

    @app.command("plan", help=_PLAN_HELP, short_help="Show what 'deploy' would change, and write nothing.")
    def plan(
        pipeline_dir: PipelineFolderArgument,
        target: TargetOption = None,
        settings: SetOption = None,
        name: NameOption = None,
        catalog: CatalogOption = None,
        schema: SchemaOption = None,
        create_schema: CreateSchemaOption = None,
        workspace_folder: WorkspaceFolderOption = None,
        volume: VolumeOption = None,
        wheel: WheelOption = None,
        serverless: ServerlessOption = None,
        continuous: ContinuousOption = None,
        development: DevelopmentOption = None,
        channel: ChannelOption = None,
        dev: DevOption = False,
        recreate: RecreateOption = False,
        full_refresh: Annotated[
            bool, typer.Option("--full-refresh", help="Take it as said that tables may be refreshed in full.")
        ] = False,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.cli.plan_output import print_plan

        keys = deployment_keys(
            name=name,
            catalog=catalog,
            schema=schema,
            create_schema=create_schema,
            workspace_folder=workspace_folder,
            volume=volume,
            wheel=wheel,
            serverless=serverless,
            continuous=continuous,
            development=development,
            channel=channel,
            settings=settings,
        )
        with _planned(pipeline_dir, target, keys, dev=dev, recreate=recreate, profile=profile) as (_, found):
            if as_json:
                print_document(found.to_json())
            else:
                print_plan(found)
        if found.blocked:
            say(f"'deploy' would refuse: {_count(len(found.blocked), 'thing')} missing")
        if found.refresh and not full_refresh:
            say("'deploy' would ask for --full-refresh")
        return 1 if found.blocked or (found.refresh and not full_refresh) else 0

    @app.command("deploy", help=_DEPLOY_HELP, short_help="Bring a pipeline folder into a workspace.")
    def deploy(
        pipeline_dir: PipelineFolderArgument,
        target: TargetOption = None,
        settings: SetOption = None,
        name: NameOption = None,
        catalog: CatalogOption = None,
        schema: SchemaOption = None,
        create_schema: CreateSchemaOption = None,
        workspace_folder: WorkspaceFolderOption = None,
        volume: VolumeOption = None,
        wheel: WheelOption = None,
        serverless: ServerlessOption = None,
        continuous: ContinuousOption = None,
        development: DevelopmentOption = None,
        channel: ChannelOption = None,
        dev: DevOption = False,
        recreate: RecreateOption = False,
        full_refresh: Annotated[
            bool,
            typer.Option("--full-refresh", help="Start an update that reads anew the tables whose SCD type changed."),
        ] = False,
        watch: Annotated[
            bool, typer.Option("--watch", help="Start an update afterwards, and watch it to its end.")
        ] = False,
        retries: Annotated[
            int,
            typer.Option(
                "--retries", min=0, max=20, metavar="N", help="How often to start again after causes that pass."
            ),
        ] = 0,
        yes: _Yes = False,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.deploy.carry_out import carry_out
        from connector_lib.deploy.plan import require_ready

        if retries and not watch:
            raise UsageError("--retries needs --watch", hint="add --watch")
        keys = deployment_keys(
            name=name,
            catalog=catalog,
            schema=schema,
            create_schema=create_schema,
            workspace_folder=workspace_folder,
            volume=volume,
            wheel=wheel,
            serverless=serverless,
            continuous=continuous,
            development=development,
            channel=channel,
            settings=settings,
        )
        with _planned(pipeline_dir, target, keys, dev=dev, recreate=recreate, profile=profile) as (workspace, found):
            require_ready(found, full_refresh=full_refresh)
            if found.action == "recreate":
                _require_yes(yes, f"delete the pipeline '{found.name}' and all its tables, and create it anew")
            for path in found.files.by_hand:
                say(f"note: {path} was changed by hand in the workspace; that is overwritten")
            for missing in found.missing:
                say(f"note: {missing.what}; {missing.mend}")
            pipeline = carry_out(workspace, found, say=say)
        document = {
            "pipeline_id": pipeline.id,
            "url": f"{workspace.host}/pipelines/{pipeline.id}",
            "changed": not found.changes_nothing,
            "plan": found.to_json(),
        }
        # By its folder others find it only under the name that the folder says.
        named = watched(pipeline, pipeline.name if name else str(pipeline_dir), target, dev and not name)
        if watch or found.refresh:
            return _update(workspace, found, named, document, watch, retries, as_json)
        _print_deployed(document, found, "{pipeline}{option}".format(**named.words(workspace)), as_json)
        return 0

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
        changed = change_settings(workspace, found)
        _print_configured(workspace, found, changed, as_json)
        return 0

    @app.command("delete", help=_DELETE_HELP, short_help="Delete a pipeline, its tables and its files.")
    def delete(
        pipeline: PipelineArgument,
        target: TargetOption = None,
        dev: DevCopy = False,
        yes: _Yes = False,
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
        _require_yes(yes, f"delete the pipeline '{name}'{tables}, and {_count(len(removal.files), 'file')} of it")
        remove(workspace, removal)
        if as_json:
            print_document(
                {
                    "pipeline": name,
                    "pipeline_id": found.id if found is not None else None,
                    "files": list(removal.files),
                    "files_kept": list(removal.others),
                }
            )
            return 0
        typer.echo(visible(f"{name}: deleted{', its tables are dropped with it' if found is not None else ''}"))
        if removal.others:
            say(f"note: other files stay in {removal.folder}: {', '.join(removal.others)}")
        return 0


@contextmanager
def _planned(
    folder: Path, target: str | None, keys: dict[str, Any], *, dev: bool, recreate: bool, profile: str | None
) -> Iterator[tuple[Workspace, DeployPlan]]:
    """The workspace and the plan for it; a wheel that was built for it is there as long as the block runs."""
    from connector_lib.deploy.plan import DeployRequest, make_plan
    from connector_lib.deploy.wheel_building import build_dev_wheel
    from connector_lib.deploy.workspace import open_workspace, require_deploy_extra
    from connector_lib.project.deployment import load_deployment

    require_deploy_extra()
    if dev and keys.get("wheel"):
        raise UsageError(
            "--dev builds a wheel of its own", hint="leave --wheel out, or give --development without --dev"
        )
    loaded = _checked_folder(folder)
    # What is wrong in the files is said before anybody is asked to log in.
    load_deployment(loaded, target, keys)
    workspace = open_workspace(profile)
    developer = workspace.user if dev else None
    with TemporaryDirectory() as built:
        request = DeployRequest(
            folder=loaded,
            deployment=load_deployment(loaded, target, keys, developer=developer),
            declared=load_deployment(loaded, target, developer=developer),
            dev_wheel=build_dev_wheel(Path(built), say=say) if dev else None,
            recreate=recreate,
        )
        yield workspace, make_plan(workspace, request)


def _checked_folder(path: Path) -> PipelineFolder:
    """The pipeline folder. Raises PipelineRuleError that names every breach in it."""
    from connector_lib.project.pipeline import load_pipeline_folder
    from connector_lib.project.transformation_rules import check_pipeline

    breaches = check_pipeline(path)
    if breaches:
        lines = "\n".join(f"  {breach}" for breach in breaches)
        raise PipelineRuleError(f"{path}: {_count(len(breaches), 'thing')} that a pipeline must not have:\n{lines}")
    return load_pipeline_folder(path)


def _planned_settings(
    given: str, target: str | None, keys: dict[str, Any], *, dev: bool, profile: str | None
) -> tuple[Workspace, SettingsPlan]:
    from connector_lib.deploy.pipelines import find_pipeline, is_pipeline_folder
    from connector_lib.deploy.plan import DeployRequest
    from connector_lib.deploy.reconfigure import plan_by_flags, plan_by_folder
    from connector_lib.deploy.volume_files import DEFAULT_VOLUME
    from connector_lib.deploy.workspace import open_workspace
    from connector_lib.project.deployment import load_deployment

    wheel = keys.pop("wheel")
    if is_pipeline_folder(given):
        keys["wheel"] = wheel
        folder = _checked_folder(Path(given).expanduser())
        load_deployment(folder, target, keys)
        workspace = open_workspace(profile)
        developer = workspace.user if dev else None
        request = DeployRequest(
            folder=folder,
            deployment=load_deployment(folder, target, keys, developer=developer),
            declared=load_deployment(folder, target, developer=developer),
        )
        return workspace, plan_by_folder(workspace, request, given, with_wheel=wheel is not None)
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


def _update(
    workspace: Workspace,
    plan: DeployPlan,
    pipeline: WatchedPipeline,
    document: dict[str, Any],
    watch: bool,
    retries: int,
    as_json: bool,
) -> int:
    """Starts the update that was asked for or is needed; with ``watch`` follows it to its end."""
    from connector_lib.cli.update_output import end_document, follow, print_end, say_why, update_address
    from connector_lib.deploy.carry_out import note_refresh, running_refresh
    from connector_lib.deploy.updates import start_update, update_with_retries, watch_update

    started = running_refresh(workspace, plan, pipeline.id)
    if not watch:
        update_id = started or start_update(workspace, pipeline, full_refresh=plan.refresh)
        note_refresh(workspace, plan)
        address = update_address(workspace, pipeline, update_id)
        document["update"] = {"update_id": update_id, "url": address}
        if as_json:
            print_document(document)
        else:
            typer.echo(f"{plan.name}: deployed, and {', '.join(plan.refresh)} is read anew: {address}")
        return 0

    def run(observer: UpdateObserver) -> UpdateEnd:
        if started is not None:
            return watch_update(workspace, pipeline, started, observer, sleep=sleep, clock=monotonic)
        return update_with_retries(
            *(workspace, pipeline),
            retries=retries,
            full_refresh=plan.refresh or False,
            observer=observer,
            sleep=sleep,
            clock=monotonic,
        )

    end = follow(workspace, pipeline, run)
    if end.completed and plan.refresh:
        note_refresh(workspace, plan)
    if not as_json:
        return print_end(workspace, pipeline, end, as_json=False)
    print_document({**document, "update": end_document(workspace, pipeline, end)})
    say_why(workspace, pipeline, end)
    return 0 if end.completed else 1


def _print_deployed(document: dict[str, Any], plan: DeployPlan, given: str, as_json: bool) -> None:
    if as_json:
        print_document(document)
        return
    done = "nothing to do: all is in the workspace as it should be" if plan.changes_nothing else "deployed"
    typer.echo(visible(f"{plan.name}: {done}: {document['url']}"))
    say(f"'connector-lib start {given}' runs it")


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


def _require_yes(yes: bool, what: str) -> None:
    """Asks at a terminal. Raises UsageError where there is nobody to ask, and ends the command on a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"this would {what}", hint="add --yes to do it")
    typer.confirm(f"{what[0].upper()}{what[1:]}?", abort=True, err=True)


def _count(number: int, thing: str) -> str:
    return f"1 {thing}" if number == 1 else f"{number} {thing}s"
