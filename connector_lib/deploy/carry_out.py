"""Carries a plan out: each step is safe to be the last one, since the next run compares anew and goes on from there.

The order: the wheel, the schema, the record of what is about to come, new and changed files, the pipeline's settings,
its permissions, files that are no longer needed, and the record of what is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from connector_lib.deploy.deployment_record import DeploymentRecord
from connector_lib.deploy.pipelines import (
    DeployedPipeline,
    create_pipeline,
    delete_pipeline,
    grant_permissions,
    replace_settings,
    require_creatable,
)
from connector_lib.deploy.plan import DeployPlan
from connector_lib.deploy.refresh_state import refreshes
from connector_lib.deploy.releases import publish_wheel
from connector_lib.deploy.updates import list_updates
from connector_lib.deploy.volume_files import VolumeName
from connector_lib.deploy.workspace import Workspace
from connector_lib.deploy.workspace_files import remove_files, upload_files, write_record
from connector_lib.errors import WorkspaceError

__all__ = ["carry_out", "note_refresh", "note_refreshed", "running_refresh"]


def carry_out(workspace: Workspace, plan: DeployPlan, *, say: Callable[[str], None]) -> DeployedPipeline:
    """Does what ``plan`` says; the pipeline as it is then. ``say`` is told each step.

    Raises WorkspaceError; what was done until then stays, and the same command goes on from there.
    """
    if plan.action == "recreate":
        # What is refused now is refused before the pipeline that is there, and its tables, are gone.
        require_creatable(workspace, plan.settings)
    if plan.dev_wheel is not None:
        volume = VolumeName.parse(".".join(plan.wheel.split("/")[2:5]))
        publish_wheel(workspace, plan.dev_wheel, volume, create=False, latest=False, say=say)
    if plan.create_schema:
        _make_schema(workspace, plan.schema, say)
    announced = _announce(workspace, plan)
    folders = plan.deployed.folders | ({""} if announced is not None else set())
    upload_files(workspace, plan.folder, {path: plan.contents[path] for path in plan.files.upload}, folders)
    if plan.files.upload:
        say(f"uploaded to {plan.folder}: {', '.join(plan.files.upload)}")
    pipeline = _bring_pipeline(workspace, plan, say)
    if plan.permissions:
        grant_permissions(workspace, pipeline, plan.permissions)
        say(f"permissions granted: {', '.join(f'{it.level} to {it.principal}' for it in plan.permissions)}")
    remove_files(workspace, plan.folder, plan.files.remove)
    if plan.files.remove:
        say(f"removed from {plan.folder}: {', '.join(plan.files.remove)}")
    if announced != plan.record:
        write_record(workspace, plan.folder, plan.record, folders)
    return pipeline


def note_refresh(workspace: Workspace, plan: DeployPlan, update_id: str) -> None:
    """Notes that the update reads the tables of ``plan.refresh`` anew; they count as kept in their new way once it is
    COMPLETED."""
    kinds = plan.record_after_refresh.scd_types
    record = replace(plan.record, refresh_update=update_id, refreshing={table: kinds[table] for table in plan.refresh})
    write_record(workspace, plan.folder, record, plan.deployed.folders | {""})


def note_refreshed(workspace: Workspace, plan: DeployPlan) -> None:
    """Notes that the tables of ``plan.refresh`` are kept in their new way: the update for it is COMPLETED."""
    write_record(workspace, plan.folder, plan.record_after_refresh, plan.deployed.folders | {""})


def running_refresh(workspace: Workspace, plan: DeployPlan, pipeline_id: str) -> str | None:
    """The id of an update that is under way and reads the tables of ``plan.refresh`` anew: a deployment that was cut
    off has started it. None where there is none."""
    if not plan.refresh:
        return None
    newest = next(iter(list_updates(workspace, pipeline_id, limit=1)), None)
    if newest is None or not newest.is_active:
        return None
    return newest.id if refreshes(newest, plan.refresh) else None


def _announce(workspace: Workspace, plan: DeployPlan) -> DeploymentRecord | None:
    """Says in the workspace folder what is about to come, where that is new; the record that is there then."""
    there = plan.deployed.record
    if there == plan.record:
        return there
    coming = (there or DeploymentRecord(plan.name)).before(plan.record)
    if coming != there:
        write_record(workspace, plan.folder, coming, plan.deployed.folders)
    return coming


def _make_schema(workspace: Workspace, schema: tuple[str, str], say: Callable[[str], None]) -> None:
    catalog, name = schema
    try:
        with workspace.asking(f"create the schema {catalog}.{name}"):
            workspace.client.schemas.create(name=name, catalog_name=catalog)
    except WorkspaceError as error:
        # Made by a request whose answer was lost.
        if error.status != 409 and not (error.error_code or "").endswith("ALREADY_EXISTS"):
            raise
    say(f"schema made: {catalog}.{name}")


def _bring_pipeline(workspace: Workspace, plan: DeployPlan, say: Callable[[str], None]) -> DeployedPipeline:
    if plan.action == "recreate":
        assert plan.pipeline is not None
        delete_pipeline(workspace, plan.pipeline)
        say(f"pipeline deleted, and its tables with it: {plan.name} ({plan.pipeline.id})")
    if plan.action in ("create", "recreate"):
        made = create_pipeline(workspace, plan.settings)
        say(f"pipeline created: {plan.name} ({made.id})")
        return made
    assert plan.pipeline is not None
    if plan.action == "none":
        return plan.pipeline
    changed = replace_settings(workspace, plan.pipeline, plan.settings)
    say(f"pipeline settings changed: {', '.join(change.key for change in plan.changes)}")
    return changed
