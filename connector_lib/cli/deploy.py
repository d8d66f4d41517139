"""``connector-lib plan`` and ``deploy``: a pipeline folder as a pipeline of a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
    SkipPreflightOption,
    VolumeOption,
    WheelOption,
    WorkspaceFolderOption,
    YesOption,
    checked_folder,
    counted,
    deployment_keys,
    require_yes,
)
from connector_lib.cli.output import visible
from connector_lib.cli.pipeline_argument import TargetOption, watched
from connector_lib.cli.workspace_options import AsJson, Profile, print_document, say
from connector_lib.errors import ConnectorLibError, UsageError, WorkspaceError

if TYPE_CHECKING:
    from connector_lib.deploy.plan import DeployPlan
    from connector_lib.deploy.updates import UpdateEnd, UpdateObserver
    from connector_lib.deploy.watched_pipeline import WatchedPipeline
    from connector_lib.deploy.workspace import Workspace

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
        skip_preflight: SkipPreflightOption = False,
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
        asked = _Asked(pipeline_dir, target, keys, dev, recreate, skip_preflight)
        with _planned(asked, profile) as (_, found):
            if as_json:
                print_document(found.to_json())
            else:
                print_plan(found)
        if found.blocked:
            say(f"'deploy' would refuse: {counted(len(found.blocked), 'thing')} missing")
        if found.refresh and not full_refresh:
            say("'deploy' would ask for --full-refresh")
        if found.to_confirm:
            say("'deploy' would ask for --yes")
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
        skip_preflight: SkipPreflightOption = False,
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
        yes: YesOption = False,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.cli.plan_output import left_out_names
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
        asked = _Asked(pipeline_dir, target, keys, dev, recreate, skip_preflight)
        with _planned(asked, profile) as (workspace, found):
            require_ready(found, full_refresh=full_refresh)
            if found.action == "recreate":
                require_yes(yes, f"delete the pipeline '{found.name}' and all its tables, and create it anew")
            if found.to_confirm:
                require_yes(yes, "; and ".join(found.to_confirm))
            for path in found.files.by_hand:
                say(f"note: {path} was changed by hand in the workspace; that is overwritten")
            if found.left_out:
                say(f"note: not uploaded: {left_out_names(found.left_out)}; 'plan' says why")
            for note in found.notes:
                say(f"note: {note}")
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
            try:
                return _update(workspace, found, named, document, watch, retries, as_json)
            except ConnectorLibError:
                # It is deployed all the same, and who reads the output has to know.
                if as_json:
                    print_document(document)
                raise
        _print_deployed(document, found, "{pipeline}{option}".format(**named.words(workspace)), as_json)
        return 0


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line says; ``keys`` are those of deploy.yml that its options stand for."""

    folder: Path
    target: str | None
    keys: dict[str, Any]
    dev: bool
    recreate: bool
    skip_preflight: bool


@contextmanager
def _planned(asked: _Asked, profile: str | None) -> Iterator[tuple[Workspace, DeployPlan]]:
    """The workspace and the plan for it; a wheel that was built for it is there as long as the block runs."""
    from connector_lib.deploy.plan import DeployRequest, make_plan
    from connector_lib.deploy.wheel_building import build_dev_wheel
    from connector_lib.deploy.workspace import open_workspace, require_deploy_extra
    from connector_lib.project.deployment import load_deployment

    require_deploy_extra()
    target, keys = asked.target, asked.keys
    if asked.dev and keys.get("wheel"):
        raise UsageError(
            "--dev builds a wheel of its own", hint="leave --wheel out, or give --development without --dev"
        )
    loaded = checked_folder(asked.folder)
    # What is wrong in the files is said before anybody is asked to log in.
    load_deployment(loaded, target, keys)
    workspace = open_workspace(profile)
    developer = workspace.user if asked.dev else None
    with TemporaryDirectory() as built:
        request = DeployRequest(
            folder=loaded,
            deployment=load_deployment(loaded, target, keys, developer=developer),
            declared=load_deployment(loaded, target, developer=developer),
            dev_wheel=build_dev_wheel(Path(built), say=say) if asked.dev else None,
            recreate=asked.recreate,
            skip_preflight=asked.skip_preflight,
        )
        yield workspace, make_plan(workspace, request)


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
    from connector_lib.deploy.carry_out import note_refresh, note_refreshed, running_refresh
    from connector_lib.deploy.refresh_state import HeardStart
    from connector_lib.deploy.updates import list_updates, start_update, update_with_retries, watch_update

    started = running_refresh(workspace, plan, pipeline.id)

    def noting(observer: UpdateObserver) -> UpdateObserver:
        return HeardStart(observer, lambda update_id: note_refresh(workspace, plan, update_id))

    if not watch:
        update_id = started or start_update(workspace, pipeline, full_refresh=plan.refresh)
        note_refresh(workspace, plan, update_id)
        address = update_address(workspace, pipeline, update_id)
        document["update"] = {"update_id": update_id, "url": address}
        if as_json:
            print_document(document)
        else:
            typer.echo(f"{plan.name}: deployed, and {', '.join(plan.refresh)} is read anew: {address}")
        return 0

    def run(shown: UpdateObserver) -> UpdateEnd:
        observer = noting(shown) if plan.refresh else shown
        if started is not None:
            return watch_update(workspace, pipeline, started, observer, sleep=sleep, clock=monotonic)
        try:
            return update_with_retries(
                *(workspace, pipeline),
                retries=retries,
                full_refresh=plan.refresh or False,
                observer=observer,
                sleep=sleep,
                clock=monotonic,
            )
        except WorkspaceError as error:
            if error.status != 409 or not plan.settings.get("continuous") or plan.refresh:
                raise
            active = next((it for it in list_updates(workspace, pipeline.id, limit=5) if it.is_active), None)
            if active is None:
                raise
        observer.note("the pipeline is continuous and runs already; files that changed count from its next start on")
        return watch_update(workspace, pipeline, active.id, observer, sleep=sleep, clock=monotonic)

    end = follow(workspace, pipeline, run)
    if end.completed and plan.refresh:
        note_refreshed(workspace, plan)
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
