"""How far a full refresh is that a deployment has started: the record of the deployment names its update."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal

from connector_lib.deploy.deployment_record import DeploymentRecord
from connector_lib.deploy.update_events import ENDED, DatasetProgress
from connector_lib.deploy.updates import Update, UpdateObserver, list_updates
from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import WorkspaceError

__all__ = ["HeardStart", "refresh_state", "refreshes"]

_NEWEST: Final = 25
"""How many updates are looked at."""


def refresh_state(
    workspace: Workspace, pipeline_id: str, record: DeploymentRecord
) -> Literal["done", "runs", "failed"]:
    """What became of the update ``record.refresh_update``, or of a later one that reads the same tables anew: started
    by hand, or by the service after a failure. Raises WorkspaceError."""
    runs = done = found = False
    for update in list_updates(workspace, pipeline_id, limit=_NEWEST):
        if update.id == record.refresh_update or refreshes(update, record.refreshing):
            done = done or update.state == "COMPLETED"
            runs = runs or update.is_active
        elif update.trigger == "RETRY_ON_FAILURE" and update.is_active:
            runs = True
        if update.id == record.refresh_update:
            found = True
            break
    if not (runs or done or found):
        done, runs = _ended_long_ago(workspace, pipeline_id, record.refresh_update)
    return "done" if done else "runs" if runs else "failed"


def _ended_long_ago(workspace: Workspace, pipeline_id: str, update_id: str) -> tuple[bool, bool]:
    """Whether the update is COMPLETED, and whether it runs: there have been many since."""
    try:
        with workspace.asking(f"see how the update {update_id} ended"):
            info = workspace.client.pipelines.get_update(pipeline_id, update_id).update
    except WorkspaceError as error:
        if error.status != 404:
            raise
        return False, False
    state = info.state.value if info is not None and info.state is not None else ""
    return state == "COMPLETED", state not in ENDED


def refreshes(update: Update, tables: Collection[str]) -> bool:
    """Whether the update reads all ``tables`` anew."""
    covered = update.full_refresh if isinstance(update.full_refresh, tuple) else ()
    return update.full_refresh is True or set(tables) <= set(covered)


class HeardStart(UpdateObserver):
    """Tells ``started`` the id of each update that is watched, and ``observer`` all: who stops watching leaves the
    update to run, and the next deployment has to know it."""

    def __init__(self, observer: UpdateObserver, started: Callable[[str], object]) -> None:
        self._observer = observer
        self._started = started

    def update(self, update_id: str) -> None:
        """Passes it on."""
        self._observer.update(update_id)
        self._started(update_id)

    def state(self, state: str) -> None:
        """Passes it on."""
        self._observer.state(state)

    def dataset(self, dataset: DatasetProgress) -> None:
        """Passes it on."""
        self._observer.dataset(dataset)

    def progress(self, datasets: Sequence[DatasetProgress]) -> None:
        """Passes it on."""
        self._observer.progress(datasets)

    def note(self, text: str) -> None:
        """Passes it on."""
        self._observer.note(text)
