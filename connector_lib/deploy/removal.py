"""A pipeline taken out of a workspace, with the files that were deployed for it and no others."""

from __future__ import annotations

from dataclasses import dataclass

from connector_lib.deploy.deployment_record import RECORD_FILE
from connector_lib.deploy.pipelines import DeployedPipeline, delete_pipeline
from connector_lib.deploy.preflight import manages
from connector_lib.deploy.workspace import Workspace
from connector_lib.deploy.workspace_files import read_deployed_files, remove_files, remove_folder_if_empty
from connector_lib.errors import WorkspaceError

__all__ = ["Removal", "plan_removal", "remove"]


@dataclass(frozen=True, slots=True)
class Removal:
    """What is to go: ``pipeline``, None where it is gone already, and ``files`` below ``folder``. ``others`` are in the
    folder too, and stay; ``left`` is a folder that stays with all that is in it, since nothing says that it was
    deployed for this pipeline."""

    name: str
    pipeline: DeployedPipeline | None
    folder: str | None
    files: tuple[str, ...]
    others: tuple[str, ...]
    left: str | None = None


def plan_removal(workspace: Workspace, name: str, pipeline: DeployedPipeline | None, folder: str | None) -> Removal:
    """What would go. Raises WorkspaceError where the user may not manage the pipeline, or there is nothing to go."""
    if pipeline is not None and manages(workspace, pipeline) == []:
        raise WorkspaceError(
            f"{workspace.host}: {workspace.user} may not delete the pipeline '{pipeline.name}' of {pipeline.creator}",
            hint=f"ask {pipeline.creator} for CAN_MANAGE on it",
            status=403,
        )
    deployed = read_deployed_files(workspace, folder, ()) if folder is not None else None
    record = deployed.record if deployed is not None else None
    if deployed is None or record is None or record.pipeline != name:
        if pipeline is None:
            raise WorkspaceError(
                f"{workspace.host}: there is no pipeline '{name}' that {workspace.user} may see, and none of its files",
                hint="is it in another workspace or target? see --profile and --target",
                status=404,
            )
        # Its files were not deployed from here, or somebody else's are there now.
        is_there = deployed is not None and bool(deployed.folders)
        return Removal(name, pipeline, None, (), (), left=folder if is_there else None)
    return Removal(name, pipeline, folder, tuple(sorted(deployed.contents)), deployed.others)


def remove(workspace: Workspace, removal: Removal) -> None:
    """Deletes the pipeline, then its files, at last the record of them: a removal that was cut off can be repeated."""
    if removal.pipeline is not None:
        delete_pipeline(workspace, removal.pipeline)
    if removal.folder is not None:
        remove_files(workspace, removal.folder, (*removal.files, RECORD_FILE))
        remove_folder_if_empty(workspace, removal.folder)
