"""The events of a pipeline's update: read from the workspace, and put together to the progress of its datasets.

Events come late, out of order, in pages, and with those of other updates among them. They are read as JSON: the type
that ``databricks-sdk`` makes of an event drops ``details``, and with it the counts (Databricks, "Pipeline event log
schema"; seen in databricks-sdk 0.156.0).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from connector_lib.connector.timestamps import timestamp_nanoseconds, timestamp_text
from connector_lib.deploy.workspace import Workspace

__all__ = [
    "DatasetProgress",
    "EventFeed",
    "ExpectationCount",
    "Frame",
    "Level",
    "Raised",
    "UpdateEvent",
    "UpdateProgress",
    "newest_events",
    "read_events",
]

Level: TypeAlias = Literal["ERROR", "WARN", "INFO"]
_LEVELS: Final[Mapping[Level, tuple[str, ...]]] = {
    "ERROR": ("ERROR",),
    "WARN": ("ERROR", "WARN"),
    "INFO": ("ERROR", "WARN", "INFO"),
}
_PAGE: Final = 100
_LATE_NANOSECONDS: Final = 120 * 10**9
"""How far back each read of a feed goes again: events may be listed so much later than they happened."""
ENDED: Final = frozenset({"COMPLETED", "FAILED", "CANCELED"})
"""The states in which an update ends."""
_FLOW_STATES: Final = frozenset(
    {"QUEUED", "STARTING", "RUNNING", "COMPLETED", "FAILED", "SKIPPED", "STOPPED", "IDLE", "EXCLUDED"}
)
_ORDER_OF_STATES: Final = (
    *("FAILED", "STOPPED", "RUNNING", "STARTING", "QUEUED", "IDLE", "SKIPPED", "COMPLETED", "EXCLUDED"),
)
"""Of several flows that write a dataset, the state that is first here is the dataset's."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a stack: the file as the workspace names it, and the line, 0 where it does not say."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception of an event. ``message`` is whole, with whatever values of rows are in it."""

    class_name: str
    message: str = field(repr=False)
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateEvent:
    """An event. ``at`` is its time in nanoseconds since 1970; ``number`` orders events of one time; ``raised`` is the
    exception, and behind it its causes."""

    id: str
    at: int
    number: int
    level: str
    kind: str
    message: str = field(repr=False)
    update_id: str
    dataset: str = ""
    flow: str = ""
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)
    raised: tuple[Raised, ...] = ()

    @property
    def order(self) -> tuple[int, int]:
        """What events are put in order by."""
        return self.at, self.number

    @property
    def time(self) -> str:
        """Its time as text."""
        return timestamp_text(self.at)

    @property
    def update_state(self) -> str:
        """The state that the update came into by this event; empty for other events."""
        if self.kind != "update_progress":
            return ""
        said = _mapping(self.details.get("update_progress")).get("state")
        return str(said) if said else _state_in(self.message)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> UpdateEvent:
        """The event that the API gave; what is missing or of another kind counts as not said."""
        origin = _mapping(document.get("origin"))
        sequence = _mapping(document.get("sequence"))
        number = sequence.get("control_plane_seq_no") or _mapping(sequence.get("data_plane_id")).get("seq_no") or 0
        return cls(
            id=_text(document, "id"),
            at=_nanoseconds(_text(document, "timestamp")),
            number=int(number),
            level=_text(document, "level"),
            kind=_text(document, "event_type"),
            message=_text(document, "message"),
            update_id=_text(origin, "update_id"),
            dataset=_text(origin, "dataset_name"),
            flow=_text(origin, "flow_name"),
            details=_mapping(document.get("details")),
            raised=tuple(map(_raised, _list(_mapping(document.get("error")).get("exceptions")))),
        )


def read_events(
    workspace: Workspace,
    pipeline_id: str,
    update_id: str | None = None,
    *,
    level: Level | None = None,
    since: int | None = None,
    newest_first: bool = False,
) -> Iterator[UpdateEvent]:
    """The events of a pipeline, or of one update, by time, as they come: a page is kept at a time.

    ``level`` is the least that is given. ``since`` is a time in nanoseconds since 1970. Raises WorkspaceError.
    """
    path = f"/api/2.0/pipelines/{pipeline_id}/events"
    conditions = [f"update_id = '{update_id}'"] if update_id else []
    conditions += [f"level in ({', '.join(repr(one) for one in _LEVELS[level])})"] if level else []
    conditions += [f"timestamp >= '{timestamp_text(since)}'"] if since is not None else []
    query: dict[str, Any] = {"max_results": _PAGE, "order_by": f"timestamp {'desc' if newest_first else 'asc'}"}
    if conditions:
        query["filter"] = " AND ".join(conditions)
    seen: set[str] = set()
    while True:
        with workspace.asking(f"read the events of the pipeline {pipeline_id}"):
            page = _mapping(workspace.client.api_client.do("GET", path, query=query))
        for document in _list(page.get("events")):
            event = UpdateEvent.from_json(document)
            # The filter by update is not in the API's documentation; the vendor's own command line uses it.
            of_update = not update_id or event.update_id == update_id
            of_level = level is None or event.level in _LEVELS[level]
            if of_update and of_level and (since is None or event.at >= since):
                yield event
        token = page.get("next_page_token")
        if not token or token in seen:
            return
        seen.add(token)
        # Besides a token, the API takes the size of a page and nothing else.
        query = {"max_results": _PAGE, "page_token": token}


def newest_events(
    workspace: Workspace, pipeline_id: str, update_id: str | None, *, level: Level | None, limit: int
) -> list[UpdateEvent]:
    """The newest ``limit`` events, the oldest of them first."""
    found: list[UpdateEvent] = []
    for event in read_events(workspace, pipeline_id, update_id, level=level, newest_first=True):
        found.append(event)
        if len(found) >= limit:
            break
    return sorted(found, key=lambda event: event.order)


class EventFeed:
    """The events of an update, each once, however often it is asked and whenever they are listed."""

    def __init__(self, workspace: Workspace, pipeline_id: str, update_id: str) -> None:
        self._workspace = workspace
        self._pipeline_id = pipeline_id
        self._update_id = update_id
        self._newest = 0
        self._given: dict[str, int] = {}

    def new(self) -> Iterator[UpdateEvent]:
        """Those that were not given before."""
        since = max(0, self._newest - _LATE_NANOSECONDS)
        self._given = {event: at for event, at in self._given.items() if at >= since}
        for event in read_events(self._workspace, self._pipeline_id, self._update_id, since=since or None):
            if event.id not in self._given:
                self._given[event.id] = event.at
                self._newest = max(self._newest, event.at)
                yield event


@dataclass(frozen=True, slots=True)
class ExpectationCount:
    """How many rows of a dataset held an expectation, and how many broke it, in one update."""

    name: str
    passed: int
    failed: int


@dataclass(frozen=True, slots=True)
class DatasetProgress:
    """A dataset in an update. ``state`` in small letters; ``rows`` written, None where the workspace gave no count;
    ``dropped`` by expectations."""

    name: str
    state: str
    rows: int | None
    dropped: int
    expectations: tuple[ExpectationCount, ...]


@dataclass(slots=True)
class _Flow:
    state: str = ""
    changed: tuple[int, int] = (-1, -1)


@dataclass(slots=True)
class _Dataset:
    flows: dict[str, _Flow] = field(default_factory=dict)
    rows: int | None = None
    dropped: int = 0
    expectations: dict[str, list[int]] = field(default_factory=dict)

    @property
    def state(self) -> str:
        found = {flow.state for flow in self.flows.values()}
        return next((state.lower() for state in _ORDER_OF_STATES if state in found), "waiting")


@dataclass(slots=True)
class UpdateProgress:
    """What the events of one update say so far, whatever order they come in. Each event is added once.

    ``schema`` is taken off the names of datasets (``main.hl7.adt`` is shown as ``adt``). ``oldest_error`` is the event
    that the cause of a failure is in: the oldest of level ERROR that has an exception, else the oldest.
    """

    schema: str = ""
    oldest_error: UpdateEvent | None = None
    end: UpdateEvent | None = None
    stopped_by: str = ""
    _datasets: dict[str, _Dataset] = field(default_factory=dict)

    def add(self, event: UpdateEvent) -> str:
        """Takes an event in; gives the name of the dataset whose state it changed, or an empty text."""
        if event.level == "ERROR" and self._is_older_error(event):
            self.oldest_error = event
        if event.update_state in ENDED:
            self.end = event
        if event.kind == "user_action":
            self._note_stop(_mapping(event.details.get("user_action")))
        return self._add_flow(event) if event.kind == "flow_progress" else ""

    @property
    def datasets(self) -> tuple[DatasetProgress, ...]:
        """The datasets, in the order in which they were first heard of."""
        return tuple(
            DatasetProgress(
                name,
                dataset.state,
                dataset.rows,
                dataset.dropped,
                tuple(ExpectationCount(rule, *counts) for rule, counts in dataset.expectations.items()),
            )
            for name, dataset in self._datasets.items()
        )

    def state_of(self, dataset: str) -> str:
        """The state of a dataset, in small letters."""
        return self._datasets[dataset].state

    def shown_name(self, name: str) -> str:
        """The name of a dataset without the schema of the pipeline."""
        plain = name.replace("`", "")
        prefix = f"{self.schema}."
        return plain[len(prefix) :] if self.schema and plain.casefold().startswith(prefix.casefold()) else plain

    def _is_older_error(self, event: UpdateEvent) -> bool:
        if self.oldest_error is None:
            return True
        has, had = bool(event.raised), bool(self.oldest_error.raised)
        return event.order < self.oldest_error.order if has == had else has

    def _note_stop(self, action: Mapping[str, Any]) -> None:
        if str(action.get("action", "")).upper() in ("STOP", "CANCEL"):
            self.stopped_by = str(action.get("user_name") or "")

    def _add_flow(self, event: UpdateEvent) -> str:
        name = self.shown_name(event.dataset or event.flow)
        if not name:
            return ""
        dataset = self._datasets.setdefault(name, _Dataset())
        progress = _mapping(event.details.get("flow_progress"))
        self._count(dataset, progress)
        flow = dataset.flows.setdefault(event.flow or name, _Flow())
        state = str(progress.get("status") or "").upper() or _state_in(event.message)
        if state not in _FLOW_STATES or event.order < flow.changed:
            return ""
        before = dataset.state
        flow.state, flow.changed = state, event.order
        return name if dataset.state != before else ""

    @staticmethod
    def _count(dataset: _Dataset, progress: Mapping[str, Any]) -> None:
        # Each event has the counts of its own batch.
        metrics = _mapping(progress.get("metrics"))
        written = [metrics.get(name) for name in ("num_output_rows", "num_upserted_rows", "num_deleted_rows")]
        output, *changes = (None if count is None else int(count) for count in written)
        rows = (
            output
            if output is not None
            else sum(filter(None, changes))
            if any(x is not None for x in changes)
            else None
        )
        if rows is not None:
            dataset.rows = (dataset.rows or 0) + rows
        quality = _mapping(progress.get("data_quality"))
        dataset.dropped += int(quality.get("dropped_records") or 0)
        for expectation in _list(quality.get("expectations")):
            counts = dataset.expectations.setdefault(_text(expectation, "name"), [0, 0])
            counts[0] += int(expectation.get("passed_records") or 0)
            counts[1] += int(expectation.get("failed_records") or 0)


def _state_in(message: str) -> str:
    """The state in the words of an event without details, such as ``Update 6fc8a8 is RUNNING.``"""
    words = [word.strip(".,'\"") for word in message.split()]
    return next((word for word in reversed(words) if word in _FLOW_STATES or word in ENDED), "")


def _raised(document: Mapping[str, Any]) -> Raised:
    frames = tuple(
        Frame(_text(frame, "file_name"), int(frame.get("line_number") or 0)) for frame in _list(document.get("stack"))
    )
    return Raised(_text(document, "class_name"), _text(document, "message"), frames)


def _nanoseconds(text: str) -> int:
    try:
        return timestamp_nanoseconds(text)
    except ValueError:
        return 0


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    """An object of JSON; the event log keeps some of them as text."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
