"""``connector-lib start``, ``watch``, ``status`` and ``logs``: the updates of a pipeline in a workspace."""

from __future__ import annotations

import os
from enum import Enum
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from connector_lib.cli.deploy_options import YesOption, require_yes
from connector_lib.cli.pipeline_argument import DevCopy, PipelineArgument, TargetOption, find_watched
from connector_lib.cli.workspace_options import AsJson, Profile, print_document, say
from connector_lib.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from connector_lib.deploy.pipelines import DeployedPipeline
    from connector_lib.deploy.update_events import Raised, UpdateEvent
    from connector_lib.deploy.updates import Update, UpdateEnd, UpdateObserver
    from connector_lib.deploy.watched_pipeline import WatchedPipeline
    from connector_lib.deploy.workspace import Workspace

__all__ = ["register"]

_START_HELP = """\
Start an update of a pipeline, and watch it to its end.

Without TABLE all tables are updated. With --full-refresh the tables named, or all of them, are emptied before they are
read again; what their sources no longer have is lost, and so it is asked for a yes. Ctrl-C leaves the update running.

\b
Example: connector-lib start pipelines/fhir_api

\b
Example: connector-lib start fhir_api patients --full-refresh
"""
_WATCH_HELP = """\
Watch an update to its end: progress, rows and quality of every dataset, or why it failed and what to do.

Without --update the newest one. Where the service starts another one by itself after a failure, that one is watched on.
Ctrl-C leaves the update running.

\b
Example: connector-lib watch pipelines/fhir_api
"""
_STATUS_HELP = """\
Show how a pipeline is: its state and health, the release of the wheel it has, and its last updates.

\b
Example: connector-lib status pipelines/fhir_api --limit 3
"""
_LOGS_HELP = """\
Print the events of an update, the oldest first; without --update those of the newest one.

Exceptions are shown by one line without what may be a value of a row; --verbose shows all that the workspace says.

\b
Example: connector-lib logs pipelines/fhir_api --level ERROR
"""
_MOST_EVENTS: Final = 10_000


class _Level(str, Enum):
    ERROR = "ERROR"
    WARN = "WARN"
    INFO = "INFO"


_UpdateId = Annotated[str | None, typer.Option("--update", metavar="ID", help="Which update; the newest without it.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to ``app``."""

    @app.command("start", help=_START_HELP)
    def start(
        pipeline: PipelineArgument,
        tables: Annotated[
            list[str] | None, typer.Argument(metavar="TABLE", help="The tables to update; all without it.")
        ] = None,
        full_refresh: Annotated[
            bool, typer.Option("--full-refresh", help="Empty the tables, and read them again from the start.")
        ] = False,
        validate_only: Annotated[
            bool, typer.Option("--validate-only", help="Only look whether the files are right; write no table.")
        ] = False,
        no_watch: Annotated[
            bool, typer.Option("--no-watch", help="Print the update's id, and do not wait for its end.")
        ] = False,
        retries: Annotated[
            int,
            typer.Option(
                "--retries", min=0, max=20, metavar="N", help="How often to start again after causes that pass."
            ),
        ] = 0,
        target: TargetOption = None,
        dev: DevCopy = False,
        yes: YesOption = False,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.cli.update_output import follow, print_end, update_address
        from connector_lib.deploy.updates import start_update, update_with_retries, watch_update
        from connector_lib.deploy.workspace import open_workspace

        names = tuple(tables or ())
        if retries and (no_watch or validate_only):
            raise UsageError("--retries needs a watched update that writes", hint="leave --no-watch or --retries out")
        workspace = open_workspace(profile)
        _, found = find_watched(workspace, pipeline, target, dev)
        _check_tables(workspace, found, names, are_emptied=full_refresh)
        emptied: bool | tuple[str, ...] = (names or True) if full_refresh else False
        refreshed = () if full_refresh else names
        if emptied and not validate_only:
            what = f"{', '.join(names) or 'every table'} of the pipeline {pipeline}"
            require_yes(yes, f"empty {what}, and read it again; what its source no longer has is lost")
            say(f"{', '.join(names) or 'every table'} will be emptied, and read again from the start of the source")
        if no_watch:
            update_id = start_update(
                workspace, found, full_refresh=emptied, refresh=refreshed, validate_only=validate_only
            )
            address = update_address(workspace, found, update_id)
            if as_json:
                print_document({"pipeline_id": found.id, "update_id": update_id, "url": address})
            else:
                say(address)
                typer.echo(update_id)
            return 0

        def run(observer: UpdateObserver) -> UpdateEnd:
            if validate_only:
                started = start_update(workspace, found, full_refresh=emptied, refresh=refreshed, validate_only=True)
                return watch_update(workspace, found, started, observer, sleep=sleep, clock=monotonic)
            return update_with_retries(
                *(workspace, found),
                retries=retries,
                full_refresh=emptied,
                refresh=refreshed,
                observer=observer,
                sleep=sleep,
                clock=monotonic,
            )

        return print_end(workspace, found, follow(workspace, found, run), as_json=as_json)

    @app.command("watch", help=_WATCH_HELP)
    def watch(
        pipeline: PipelineArgument,
        update: _UpdateId = None,
        target: TargetOption = None,
        dev: DevCopy = False,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.cli.update_output import follow, print_end
        from connector_lib.deploy.updates import newest_update, watch_update
        from connector_lib.deploy.workspace import open_workspace

        workspace = open_workspace(profile)
        _, found = find_watched(workspace, pipeline, target, dev)
        update_id = update or newest_update(workspace, found).id
        end = follow(
            workspace,
            found,
            lambda observer: watch_update(workspace, found, update_id, observer, sleep=sleep, clock=monotonic),
        )
        return print_end(workspace, found, end, as_json=as_json)

    @app.command("status", help=_STATUS_HELP)
    def status(
        pipeline: PipelineArgument,
        limit: Annotated[int, typer.Option("--limit", min=1, max=100, metavar="N", help="How many updates.")] = 5,
        target: TargetOption = None,
        dev: DevCopy = False,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.deploy.updates import list_updates
        from connector_lib.deploy.workspace import open_workspace

        workspace = open_workspace(profile)
        deployed, found = find_watched(workspace, pipeline, target, dev)
        with workspace.asking(f"read the pipeline {found.id}"):
            health = workspace.client.pipelines.get(found.id).health
        updates = list_updates(workspace, found.id, limit=limit)
        document = {
            "pipeline_id": found.id,
            "name": deployed.name,
            "url": f"{workspace.host}/pipelines/{found.id}",
            "state": deployed.state,
            "health": health.value if health is not None else None,
            "runs_as": deployed.run_as_user,
            "wheels": _wheels(deployed),
            "updates": [update.to_json() for update in updates],
            "failure": _last_failure(workspace, found, updates),
        }
        if as_json:
            print_document(document)
        else:
            _print_status(document)
        return 0

    @app.command("logs", help=_LOGS_HELP)
    def logs(
        pipeline: PipelineArgument,
        update: _UpdateId = None,
        level: Annotated[_Level, typer.Option("--level", help="The least that is printed.")] = _Level.INFO,
        limit: Annotated[
            int, typer.Option("--limit", min=1, max=_MOST_EVENTS, metavar="N", help="How many, the newest of them.")
        ] = 100,
        verbose: Annotated[
            bool, typer.Option("--verbose", help="Also exceptions as they are, perhaps with values of rows.")
        ] = False,
        target: TargetOption = None,
        dev: DevCopy = False,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.deploy.update_events import newest_events
        from connector_lib.deploy.updates import newest_update, require_update
        from connector_lib.deploy.workspace import open_workspace

        workspace = open_workspace(profile)
        _, found = find_watched(workspace, pipeline, target, dev)
        if update is not None:
            require_update(workspace, found, update)
        update_id = update or newest_update(workspace, found).id
        events = newest_events(workspace, found.id, update_id, level=level.value, limit=limit)
        if as_json:
            print_document([_event_document(event, verbose) for event in events])
            return 0
        for event in events:
            _print_event(event, verbose)
        if not events:
            say(f"the update {update_id} has no events of that level yet")
        return 0


def _check_tables(
    workspace: Workspace, pipeline: WatchedPipeline, names: tuple[str, ...], *, are_emptied: bool
) -> None:
    """Refuses names of tables that the pipeline's files do not define. Where they do not tell all, it refuses to empty
    those that its last update did not know, and to update them it leaves to the service with a word."""
    from connector_lib.deploy.verification import datasets_of_last_update, known_tables
    from connector_lib.project.pipeline import load_pipeline_folder

    if not names:
        return
    folder = load_pipeline_folder(pipeline.folder) if pipeline.folder is not None else None
    known, whole = known_tables(workspace, pipeline, folder)
    wanted = {_plain(name) for name in known}
    for name in names:
        if not known or _plain(name) in wanted:
            continue
        hint = f"{did_you_mean(name, known)}tables: {', '.join(known)}"
        if whole or (are_emptied and datasets_of_last_update(workspace, pipeline)):
            raise UsageError(f"the pipeline {pipeline.argument} has no table '{name}'", hint=hint)
        say(f"note: the last update knew of no table '{name}'; {hint}")


def _plain(name: str) -> str:
    """The last part of the name of a table, as names are compared."""
    return name.replace("`", "").rpartition(".")[2].casefold()


def _wheels(pipeline: DeployedPipeline) -> list[str]:
    """The lines of the pipeline's settings that name a wheel or a package of this project."""
    environment = pipeline.settings.get("environment") or {}
    libraries = pipeline.settings.get("libraries") or []
    lines = [*environment.get("dependencies", []), *(library.get("whl", "") for library in libraries)]
    return [line for line in lines if "connector_lib" in line or "connector-lib" in line]


def _last_failure(workspace: Workspace, pipeline: WatchedPipeline, updates: list[Update]) -> dict[str, Any] | None:
    """Why the newest update failed; None where it did not."""
    from connector_lib.deploy.update_events import UpdateProgress, read_events
    from connector_lib.deploy.update_failure import failure_of

    if not updates or updates[0].state != "FAILED":
        return None
    progress = UpdateProgress(pipeline.schema)
    for event in read_events(workspace, pipeline.id, updates[0].id, level="ERROR"):
        progress.add(event)
    return failure_of(progress, workspace, pipeline).to_json()


def _print_status(document: dict[str, Any]) -> None:
    from connector_lib.cli.output import visible
    from connector_lib.cli.rows import print_rows

    health = f", {document['health']}" if document["health"] else ""
    typer.echo(f"{visible(document['name'])} ({document['pipeline_id']}): {document['state']}{health}")
    typer.echo(f"runs as {document['runs_as'] or '?'}, {document['url']}")
    for wheel in document["wheels"] or ["no wheel of connector_lib in its settings"]:
        typer.echo(f"wheel: {visible(wheel)}")
    rows = [
        {
            "update": update["id"],
            "started": update["started"][:19].replace("T", " "),
            "by": update["trigger"],
            "state": update["state"],
        }
        for update in document["updates"]
    ]
    print_rows("last updates", ["update", "started", "by", "state"], rows)
    failure = document["failure"]
    if failure is not None:
        at = ", ".join(filter(None, (failure["dataset"], failure["place"])))
        typer.echo(visible(f"the newest one failed: {failure['cause']}{f' ({at})' if at else ''}"))
        typer.echo(visible(f"  {failure['remedy']}"))


def _event_document(event: UpdateEvent, verbose: bool) -> dict[str, Any]:
    return {
        "id": event.id,
        "time": event.time,
        "level": event.level,
        "event_type": event.kind,
        "dataset": event.dataset or event.flow,
        "message": _message(event, verbose),
        "exceptions": [
            {"class_name": one.class_name, "message": _exception(one, event, verbose)} for one in event.raised
        ],
    }


def _print_event(event: UpdateEvent, verbose: bool) -> None:
    from connector_lib.cli.output import visible

    typer.echo(visible(f"{event.time}  {event.level:<5}  {event.kind}  {_message(event, verbose)}"))
    for one in event.raised:
        for line in _exception(one, event, verbose).splitlines():
            typer.echo(visible(f"    {line}"))
        if verbose:
            for frame in one.frames:
                typer.echo(visible(f"      at {frame.file}:{frame.line}"))


def _message(event: UpdateEvent, verbose: bool) -> str:
    from connector_lib.deploy.failure_text import shown_message
    from connector_lib.deploy.update_events import Raised
    from connector_lib.redaction import masked, secrets_in_environment

    secrets = secrets_in_environment(os.environ)
    if verbose or event.level == "INFO" or (event.kind == "update_progress" and not event.raised):
        return masked(event.message if verbose else " ".join(event.message.split()), secrets)
    return shown_message(Raised("", event.message), names=_names(event), secrets=secrets)


def _exception(raised: Raised, event: UpdateEvent, verbose: bool) -> str:
    from connector_lib.deploy.failure_text import plain_message, shown_message
    from connector_lib.redaction import masked, secrets_in_environment

    secrets = secrets_in_environment(os.environ)
    if verbose:
        return masked(plain_message(raised.message), secrets)
    return shown_message(raised, names=_names(event), secrets=secrets)


def _names(event: UpdateEvent) -> set[str]:
    return {name for name in (event.dataset, event.flow) if name}
