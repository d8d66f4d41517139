"""Updates of a pipeline: started, watched to their end, and started again where the cause of a failure passes.

What counts is the state of the update, asked by its id: the state of the pipeline flips back while the service tries
again. A few seconds after some failures the service starts an update of its own (cause ``RETRY_ON_FAILURE``), for
pipelines in development mode never (Databricks, "Pipeline settings": ``development``). It is waited for and followed:
which failures it does so after is not documented.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from connector_lib.connector.timestamps import timestamp_text
from connector_lib.deploy.update_events import ENDED, DatasetProgress, EventFeed, UpdateProgress
from connector_lib.deploy.update_failure import UpdateFailure, failure_of
from connector_lib.deploy.watched_pipeline import WatchedPipeline
from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import WorkspaceError

if TYPE_CHECKING:
    from databricks.sdk.service.pipelines import UpdateInfo

__all__ = [
    "Update",
    "UpdateEnd",
    "UpdateObserver",
    "list_updates",
    "newest_update",
    "require_update",
    "start_update",
    "update_with_retries",
    "watch_update",
]

_FIRST_PAUSE: Final = 2.0
_LONGEST_PAUSE: Final = 10.0
_PAUSE_GROWS: Final = 1.25
_LATE_EVENTS: Final = 20.0
"""How long the last events of an update are waited for when it has ended."""
_OWN_RETRY: Final = 20.0
"""How long an update is waited for that the service may start after a failure."""
_RETRY_ON_FAILURE: Final = "RETRY_ON_FAILURE"
_MOST_LOST_ANSWERS: Final = 5
"""In a row; each has been asked for again and again by the SDK."""
_FIRST_RETRY: Final = 30.0
_LONGEST_RETRY: Final = 300.0
_PASSING_STATUSES: Final = frozenset({None, 429, 500, 503, 504})


@dataclass(frozen=True, slots=True)
class Update:
    """An update. ``started`` in milliseconds since 1970; ``trigger`` is Databricks' name of what started it, such as
    ``API_CALL``; ``full_refresh`` is True for all tables, else the names of some."""

    id: str
    state: str
    trigger: str
    started: int
    full_refresh: bool | tuple[str, ...] = False
    refresh: tuple[str, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.state not in ENDED

    def to_json(self) -> dict[str, Any]:
        """The update as JSON types."""
        return {**asdict(self), "started": timestamp_text(self.started * 10**6)}


class UpdateObserver:
    """Hears what an update does. Does nothing itself: a caller overrides what it wants to show."""

    def update(self, update_id: str) -> None:
        """This update is watched from now on."""

    def state(self, state: str) -> None:
        """The update has come into ``state``, one of Databricks' names."""

    def dataset(self, dataset: DatasetProgress) -> None:
        """A dataset has come into another state."""

    def progress(self, datasets: Sequence[DatasetProgress]) -> None:
        """The datasets after each question, whether or not there is news."""

    def note(self, text: str) -> None:
        """Something that the reader should know."""


@dataclass(frozen=True, slots=True)
class UpdateEnd:
    """How an update ended: ``state`` is COMPLETED, FAILED or CANCELED. ``failure`` says why it failed, ``stopped_by``
    who canceled it, where the workspace says so. ``seconds`` since it was watched."""

    update_id: str
    state: str
    trigger: str
    seconds: float
    datasets: tuple[DatasetProgress, ...]
    failure: UpdateFailure | None = None
    stopped_by: str = ""
    earlier: tuple[str, ...] = field(default=())
    """The updates before it that failed, and that it was started again for."""

    @property
    def completed(self) -> bool:
        """Whether all went well."""
        return self.state == "COMPLETED"

    def to_json(self) -> dict[str, Any]:
        """The end as JSON types."""
        return asdict(self)


def list_updates(workspace: Workspace, pipeline_id: str, *, limit: int = 10) -> list[Update]:
    """The newest ``limit`` updates of a pipeline, the newest first. Raises WorkspaceError."""
    found: list[Update] = []
    token: str | None = None
    while len(found) < limit:
        with workspace.asking(f"list the updates of the pipeline {pipeline_id}"):
            page = workspace.client.pipelines.list_updates(
                pipeline_id, max_results=None if token else limit, page_token=token
            )
        found += [_update(info) for info in page.updates or ()]
        if not page.next_page_token or page.next_page_token == token:
            break
        token = page.next_page_token
    return found[:limit]


def newest_update(workspace: Workspace, pipeline: WatchedPipeline) -> Update:
    """The newest update. Raises WorkspaceError where there is none."""
    found = list_updates(workspace, pipeline.id, limit=1)
    if not found:
        words = pipeline.words(workspace)
        raise WorkspaceError(
            f"{workspace.host}: the pipeline {pipeline.argument} has had no update yet",
            hint="'connector-lib start {pipeline}{option}' starts one".format(**words),
        )
    return found[0]


def require_update(workspace: Workspace, pipeline: WatchedPipeline, update_id: str) -> None:
    """Raises WorkspaceError where the pipeline has no update of that id."""
    words = pipeline.words(workspace)
    try:
        with workspace.asking(f"read the update {update_id} of the pipeline {pipeline.argument}"):
            workspace.client.pipelines.get_update(pipeline.id, update_id)
    except WorkspaceError as error:
        if error.status not in (400, 404):
            raise
        raise WorkspaceError(
            f"{workspace.host}: the pipeline {pipeline.argument} has no update {update_id}",
            hint="'connector-lib status {pipeline}{option}' lists its last updates".format(**words),
            status=404,
        ) from None


def start_update(
    workspace: Workspace,
    pipeline: WatchedPipeline,
    *,
    full_refresh: bool | tuple[str, ...] = False,
    refresh: tuple[str, ...] = (),
    validate_only: bool = False,
) -> str:
    """Starts an update and gives its id.

    ``full_refresh`` empties all tables (True), or those named, before they are read again; ``refresh`` updates the
    tables named and no others; ``validate_only`` looks at the files and writes nothing.

    Raises WorkspaceError, with status 409 and the update's id where one is running already. An update that such an
    answer speaks of, and that was started by this very request, whose first answer was lost, counts as started.
    """
    update_id, running = _started_or_running(workspace, pipeline, full_refresh, refresh, validate_only)
    if running is not None:
        raise _is_running(workspace, pipeline, running)
    return update_id


def _started_or_running(
    workspace: Workspace,
    pipeline: WatchedPipeline,
    full_refresh: bool | tuple[str, ...],
    refresh: tuple[str, ...],
    validate_only: bool,
) -> tuple[str, Update | None]:
    """The id of the update that was started; of one that runs already, and keeps it from being started, that one."""
    names = full_refresh if isinstance(full_refresh, tuple) else ()
    before = {update.id for update in list_updates(workspace, pipeline.id, limit=5)}
    try:
        with workspace.asking(f"start the pipeline {pipeline.argument}"):
            answer = workspace.client.pipelines.start_update(
                pipeline.id,
                full_refresh=True if full_refresh is True else None,
                full_refresh_selection=list(names) or None,
                refresh_selection=list(refresh) or None,
                validate_only=validate_only or None,
            )
    except WorkspaceError as error:
        if error.status != 409:
            raise
        active = next((it for it in list_updates(workspace, pipeline.id, limit=5) if it.is_active), None)
        if active is None:
            raise
        asked = (full_refresh, refresh)
        if active.id not in before and active.trigger == "API_CALL" and (active.full_refresh, active.refresh) == asked:
            return active.id, None
        return active.id, active
    if not answer.update_id:
        raise WorkspaceError(f"{workspace.host}: the pipeline {pipeline.argument} was started, and got no update id")
    return answer.update_id, None


def watch_update(
    workspace: Workspace,
    pipeline: WatchedPipeline,
    update_id: str,
    observer: UpdateObserver | None = None,
    *,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> UpdateEnd:
    """Watches an update to its end, and where it failed and the service started another one, that one.

    That other one is waited for 20 s, but not where it never comes (development mode, a validation), nor where the
    update had ended before it was watched.

    Asks every 2 to 10 s; the SDK waits as long as the workspace says where it limits its requests (429). An answer that
    is lost does not end it, five in a row do. An update of a continuous pipeline has no end but by being stopped.

    Raises WorkspaceError; its hint says how to go on watching.
    """
    observer = observer or UpdateObserver()
    began = clock()
    earlier: list[str] = []
    while True:
        watch = _Watch(workspace, pipeline, update_id, observer, sleep, clock)
        end = watch.to_end(began, tuple(earlier))
        successor = watch.started_for_it(end.failure) if end.failure is not None else None
        if successor is None or end.failure is None:
            return end
        observer.note(_follows(update_id, end.failure, successor))
        earlier.append(update_id)
        update_id = successor


def update_with_retries(
    workspace: Workspace,
    pipeline: WatchedPipeline,
    *,
    retries: int = 0,
    full_refresh: bool | tuple[str, ...] = False,
    refresh: tuple[str, ...] = (),
    observer: UpdateObserver | None = None,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> UpdateEnd:
    """Starts an update and watches it; starts it again, ``retries`` times at most, after causes that pass by
    themselves. Waits 30 s before the first time, twice as long before each further one, 300 s at most. Where the
    service has started one for the failure meanwhile, that one is watched instead.

    Raises what :func:`start_update` and :func:`watch_update` raise.
    """
    observer = observer or UpdateObserver()
    earlier: tuple[str, ...] = ()
    pause = _FIRST_RETRY
    failed: UpdateEnd | None = None
    for left in range(retries, -1, -1):
        update_id, running = _started_or_running(workspace, pipeline, full_refresh, refresh, False)
        if running is not None:
            if failed is None or failed.failure is None or running.trigger != _RETRY_ON_FAILURE:
                raise _is_running(workspace, pipeline, running)
            observer.note(_follows(failed.update_id, failed.failure, running.id))
        end = watch_update(workspace, pipeline, update_id, observer, sleep=sleep, clock=clock)
        earlier = (*earlier, *end.earlier)
        if end.failure is None or not end.failure.passes or left == 0:
            break
        earlier, failed = (*earlier, end.update_id), end
        observer.note(
            f"the update {end.update_id} failed: {end.failure.cause}; this passes by itself: the pipeline is started"
            f" again in {pause:.0f} s ({left} of {retries} left)"
        )
        sleep(pause)
        pause = min(pause * 2, _LONGEST_RETRY)
    return UpdateEnd(
        end.update_id, end.state, end.trigger, end.seconds, end.datasets, end.failure, end.stopped_by, earlier
    )


@dataclass(slots=True)
class _Watch:
    """One update until its end."""

    workspace: Workspace
    pipeline: WatchedPipeline
    update_id: str
    observer: UpdateObserver
    sleep: Callable[[float], object]
    clock: Callable[[], float]
    feed: EventFeed = field(init=False)
    seen: UpdateProgress = field(init=False)
    lost: int = 0
    may_follow: bool = False
    """Whether the service may yet start an update for it, should it fail."""

    def __post_init__(self) -> None:
        self.feed = EventFeed(self.workspace, self.pipeline.id, self.update_id)
        self.seen = UpdateProgress(self.pipeline.schema)

    def to_end(self, began: float, earlier: tuple[str, ...]) -> UpdateEnd:
        self.observer.update(self.update_id)
        state, pause, told_continuous = "", _FIRST_PAUSE, False
        while True:
            info = self._ask()
            if info is not None:
                now = info.state.value if info.state is not None else "UNKNOWN"
                if now != state:
                    self.observer.state(now)
                    state, pause = now, _FIRST_PAUSE
                if info.config is not None and info.config.continuous and not told_continuous:
                    self.observer.note("the pipeline is continuous: the update runs until it is stopped")
                    told_continuous = True
                if state in ENDED:
                    break
                self.may_follow = not info.validate_only and not (info.config is not None and info.config.development)
            self.sleep(pause)
            pause = min(pause * _PAUSE_GROWS, _LONGEST_PAUSE)
        self._wait_for_last_events(state)
        trigger = info.cause.value if info.cause is not None else ""
        return UpdateEnd(
            self.update_id,
            state,
            trigger,
            round(self.clock() - began, 1),
            self.seen.datasets,
            failure_of(self.seen, self.workspace, self.pipeline) if state == "FAILED" else None,
            self.seen.stopped_by if state == "CANCELED" else "",
            earlier,
        )

    def started_for_it(self, failure: UpdateFailure) -> str | None:
        """The update that the service started because this one failed; None where the next one is somebody else's, or
        none comes in time."""
        until = self.clock() + _OWN_RETRY
        told = False
        while True:
            try:
                following = _next_after(self.workspace, self.pipeline.id, self.update_id)
            except WorkspaceError as error:
                self.observer.note(f"{error.message}; whether the service has started another update is not known")
                return None
            if following is not None:
                return following.id if following.trigger == _RETRY_ON_FAILURE else None
            if not self.may_follow or self.clock() >= until:
                return None
            if not told:
                self.observer.note(
                    f"the update {self.update_id} failed: {failure.cause}; the service may start another one by itself,"
                    f" which is waited for {_OWN_RETRY:.0f} s"
                )
                told = True
            self.sleep(_FIRST_PAUSE)

    def _ask(self) -> UpdateInfo | None:
        """The update as it is now, when its events have been taken in; None where the workspace did not answer."""
        try:
            with self.workspace.asking(f"see how the update {self.update_id} goes"):
                info = self.workspace.client.pipelines.get_update(self.pipeline.id, self.update_id).update
            self._take_events()
        except WorkspaceError as error:
            self.lost += 1
            if error.status not in _PASSING_STATUSES or self.lost >= _MOST_LOST_ANSWERS:
                raise self._given_up(error) from None
            self.observer.note(f"{error.message}; the update goes on there, and is asked for again")
            return None
        self.lost = 0
        return info

    def _take_events(self) -> None:
        changed: dict[str, None] = {}
        for event in self.feed.new():
            name = self.seen.add(event)
            if name:
                changed[name] = None
        datasets = self.seen.datasets
        for dataset in datasets:
            if dataset.name in changed:
                self.observer.dataset(dataset)
        self.observer.progress(datasets)

    def _wait_for_last_events(self, state: str) -> None:
        """Events come later than the state. An older error than the first one that is listed may come yet later."""
        end = self.clock() + _LATE_EVENTS
        while not self._has_last_events(state) and self.clock() < end:
            self.sleep(_FIRST_PAUSE)
            self._ask()
        if state == "FAILED":
            self.sleep(_FIRST_PAUSE)
            self._ask()

    def _has_last_events(self, state: str) -> bool:
        error = self.seen.oldest_error
        return self.seen.end is not None and (state != "FAILED" or (error is not None and bool(error.raised)))

    def _given_up(self, error: WorkspaceError) -> WorkspaceError:
        if error.status == 404:
            hint = "'connector-lib status {pipeline}{option}' lists the updates"
        else:
            hint = "the update goes on: 'connector-lib watch {pipeline} --update {update}{option}' watches it again"
        told = hint.format(update=self.update_id, **self.pipeline.words(self.workspace))
        if error.status == 401:
            told = f"{error.hint}; {told}"
        return WorkspaceError(error.message, hint=told, status=error.status, error_code=error.error_code)


def _next_after(workspace: Workspace, pipeline_id: str, update_id: str) -> Update | None:
    """The update that was started next after ``update_id``; None where that is the newest, or too old to be listed."""
    following: Update | None = None
    for update in list_updates(workspace, pipeline_id, limit=25):
        if update.id == update_id:
            return following
        following = update
    return None


def _follows(failed: str, failure: UpdateFailure, following: str) -> str:
    return (
        f"the update {failed} failed: {failure.cause}; the service has started another one for it"
        f" ({_RETRY_ON_FAILURE}): {following}"
    )


def _is_running(workspace: Workspace, pipeline: WatchedPipeline, active: Update) -> WorkspaceError:
    words = pipeline.words(workspace)
    return WorkspaceError(
        f"{workspace.host}: the pipeline {pipeline.argument} is running already: the update {active.id} of"
        f" {timestamp_text(active.started * 10**6, digits=0)} ({active.trigger or 'no cause given'}) is {active.state}",
        hint="'connector-lib watch {pipeline} --update {update}{option}' watches it".format(update=active.id, **words),
        status=409,
    )


def _update(info: UpdateInfo) -> Update:
    selection = tuple(info.full_refresh_selection or ())
    return Update(
        info.update_id or "",
        info.state.value if info.state is not None else "UNKNOWN",
        info.cause.value if info.cause is not None else "",
        info.creation_time or 0,
        True if info.full_refresh else selection or False,
        tuple(info.refresh_selection or ()),
    )
