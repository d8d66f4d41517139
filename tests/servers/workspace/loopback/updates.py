"""Updates of pipelines and their events: each goes as its script says, a step for every question about it.

Events are listed in small pages, as late as they say, and with those of other updates among them. A failed update can
be followed by one that the service starts itself some seconds later, and the pipeline's state flips back when it does.
"""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from connector_lib.connector.timestamps import timestamp_nanoseconds, timestamp_text
from connector_lib.testing.exchange import Reply
from tests.servers.workspace.loopback.core import ApiRefusal, Call, Handler

if TYPE_CHECKING:
    from tests.servers.workspace.loopback.pipelines import HeldPipeline
    from tests.servers.workspace.loopback.server import LoopbackWorkspace

__all__ = ["Event", "HeldUpdate", "Script", "Updates", "canceled", "completed", "endless", "error", "failed", "flow"]

_PAGE: Final = 3
"""Events and updates in a page, however many were asked for: few, so that readers have to turn pages."""
_ENDED: Final = frozenset({"COMPLETED", "FAILED", "CANCELED"})
_BEFORE_RUNNING: Final = ("QUEUED", "WAITING_FOR_RESOURCES", "INITIALIZING", "SETTING_UP_TABLES")
_CONDITION: Final = re.compile(
    r"\s*(?P<field>level|id|timestamp|update_id)\s*(?P<operator>>=|<=|=|>|<|in)\s*(?P<value>'[^']*'|\([^)]*\))\s*"
)


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a script. ``late``: how many lists of events are given before it is in one. ``earlier``: by how many
    seconds its time lies before that of the step it belongs to."""

    kind: str
    message: str
    level: str = "INFO"
    details: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    exceptions: Sequence[Mapping[str, Any]] = ()
    late: int = 0
    earlier: float = 0.0


@dataclass(frozen=True, slots=True)
class Script:
    """How an update goes: states, each with the events that come with it. ``followed_by``: what the service starts
    ``followed_after`` seconds after its failure, by itself; never in development mode, nor after a mere
    validation."""

    steps: tuple[tuple[str, tuple[Event, ...]], ...]
    followed_by: Script | None = None
    followed_after: float = 5.0
    continuous: bool = False


@dataclass(slots=True)
class HeldUpdate:
    """An update. ``asked`` is the body it was started with."""

    id: str
    number: int
    pipeline: HeldPipeline
    script: Script
    cause: str
    created: int
    asked: Mapping[str, Any]
    step: int = 0

    @property
    def state(self) -> str:
        return self.script.steps[self.step][0]

    @property
    def ended(self) -> bool:
        return self.state in _ENDED


def flow(
    dataset: str,
    status: str,
    rows: int | None = None,
    *,
    expectations: Mapping[str, tuple[int, int]] | None = None,
    dropped: int = 0,
    upserted: int | None = None,
    flow: str = "",
    late: int = 0,
    earlier: float = 0.0,
) -> Event:
    """A flow of ``dataset`` came into ``status``, or wrote a batch; ``expectations`` are passed and failed rows."""
    progress: dict[str, Any] = {"status": status}
    if rows is not None or upserted is not None:
        counts = {"num_output_rows": rows, "num_upserted_rows": upserted}
        progress["metrics"] = {name: count for name, count in counts.items() if count is not None}
    if expectations is not None or dropped:
        progress["data_quality"] = {
            "dropped_records": dropped,
            "expectations": [
                {"name": name, "dataset": dataset, "passed_records": passed, "failed_records": broken}
                for name, (passed, broken) in (expectations or {}).items()
            ],
        }
    name = flow or dataset
    return Event(
        "flow_progress",
        f"Flow '{name}' is {status}.",
        details={"flow_progress": progress},
        origin={"dataset_name": dataset, "flow_name": name},
        late=late,
        earlier=earlier,
    )


def error(
    *exceptions: str | Mapping[str, Any],
    dataset: str = "",
    message: str = "Failed.",
    late: int = 0,
    earlier: float = 0.0,
) -> Event:
    """An event of level ERROR with these exceptions, the causes behind what they caused; a text is a message."""
    raised = [{"class_name": "", "message": it} if isinstance(it, str) else it for it in exceptions]
    kind = "flow_progress" if dataset else "update_progress"
    details = {"flow_progress": {"status": "FAILED"}} if dataset else {"update_progress": {"state": "FAILED"}}
    origin = {"dataset_name": dataset, "flow_name": dataset} if dataset else {}
    return Event(kind, message, "ERROR", details, origin, raised, late, earlier)


def completed(datasets: Mapping[str, int] | None = None, *, events: Sequence[Event] = ()) -> Script:
    """An update that goes well and writes so many rows to each dataset; ``events`` come while it runs."""
    rows = datasets or {}
    queued = tuple(flow(name, "QUEUED") for name in rows)
    running = tuple(flow(name, "RUNNING", count) for name, count in rows.items())
    done = tuple(flow(name, "COMPLETED") for name in rows)
    return Script((*_until("SETTING_UP_TABLES", queued), ("RUNNING", (*running, *events)), ("COMPLETED", done)))


def failed(
    *events: Event,
    datasets: Sequence[str] = (),
    followed_by: Script | None = None,
    followed_after: float = 5.0,
    at: str = "RUNNING",
) -> Script:
    """An update that fails in the state ``at``; ``events`` come with its end."""
    queued = tuple(flow(name, "QUEUED") for name in datasets)
    return Script((*_until(at, queued), ("FAILED", tuple(events))), followed_by, followed_after)


def canceled(*events: Event) -> Script:
    """An update that ends as canceled while it runs."""
    return Script((*_until("RUNNING"), ("STOPPING", ()), ("CANCELED", tuple(events))))


def endless(*, continuous: bool = False) -> Script:
    """An update that runs until it is stopped."""
    return Script(_until("RUNNING"), continuous=continuous)


def _until(state: str, events: Sequence[Event] = ()) -> tuple[tuple[str, tuple[Event, ...]], ...]:
    states = (*_BEFORE_RUNNING, "RUNNING")
    before = [(it, ()) for it in states[: states.index(state)]]
    return (*before, (state, tuple(events)))


class Updates:
    """Updates by id in ``all``, in the order in which they were started.

    ``next`` says how those to come go; one that it says nothing of goes as ``usual``: it completes without datasets.
    The service's filter by update is not documented: ``ignores_update_filter`` leaves it out, as a service may. What
    the service starts by itself starts by ``clock``.
    """

    def __init__(self, workspace: LoopbackWorkspace) -> None:
        self.all: dict[str, HeldUpdate] = {}
        self.ignores_update_filter = False
        self.usual = completed()
        self.clock: Callable[[], float] = time.monotonic
        self._pipelines = workspace.pipelines
        self._scripts: dict[str, list[Script]] = {}
        self._events: list[tuple[int, str, dict[str, Any]]] = []
        self._pages: dict[str, list[dict[str, Any]]] = {}
        self._lists = 0
        self._due: list[tuple[float, HeldPipeline, Script]] = []
        self._milliseconds = 1_700_000_000_000

    @property
    def routes(self) -> dict[str, Handler]:
        """The handlers by method and path."""
        base = "/api/2.0/pipelines/{pipeline_id}"
        return {
            f"POST {base}/updates": self._start,
            f"GET {base}/updates": self._list,
            f"GET {base}/updates/{{update_id}}": self._get,
            f"GET {base}/events": self._list_events,
            f"POST {base}/stop": self._stop,
        }

    def next(self, pipeline_id: str, *scripts: Script) -> None:
        """The next updates of the pipeline go like this."""
        self._scripts.setdefault(pipeline_id, []).extend(scripts)

    def of(self, pipeline_id: str) -> list[HeldUpdate]:
        """The updates of a pipeline, the oldest first."""
        return [it for it in self.all.values() if it.pipeline.id == pipeline_id]

    def start(self, pipeline_id: str, cause: str = "USER_ACTION", body: Mapping[str, Any] | None = None) -> HeldUpdate:
        """Starts an update, as somebody does elsewhere."""
        pipeline = self._pipelines.get(pipeline_id)
        scripts = self._scripts.get(pipeline_id, [])
        return self._begin(pipeline, scripts.pop(0) if scripts else self.usual, cause, body or {})

    def run(self, pipeline_id: str) -> HeldUpdate:
        """Starts an update and goes through all its steps."""
        update = self.start(pipeline_id)
        while not update.ended:
            self._go_on(update)
        return update

    def finish(self, pipeline_id: str) -> None:
        """Lets the updates of the pipeline go through their last steps."""
        for update in self.of(pipeline_id):
            while not update.ended:
                self._go_on(update)

    def _begin(self, pipeline: HeldPipeline, script: Script, cause: str, body: Mapping[str, Any]) -> HeldUpdate:
        number = len(self.all) + 1
        update_id = f"{number:08x}-0000-4000-8000-{number:012x}"
        update = HeldUpdate(update_id, number, pipeline, script, cause, self._now(), body)
        self.all[update_id] = update
        self._note(update, Event("create_update", f"Update {update_id[:6]} started by {cause}."))
        self._enter(update)
        return update

    def _enter(self, update: HeldUpdate) -> None:
        """The events of the step that the update is in now, and what becomes of the pipeline."""
        state, events = update.script.steps[update.step]
        for event in events:
            self._note(update, event)
        level = "ERROR" if state == "FAILED" else "INFO"
        words = f"Update {update.id[:6]} is {state}."
        self._note(update, Event("update_progress", words, level, {"update_progress": {"state": state}}))
        update.pipeline.state = "IDLE" if state in _ENDED else "RUNNING"
        update.pipeline.health = "UNHEALTHY" if state == "FAILED" else "HEALTHY"
        once = update.pipeline.spec.get("development") or update.asked.get("validate_only")
        if state == "FAILED" and update.script.followed_by is not None and not once:
            due = self.clock() + update.script.followed_after
            self._due.append((due, update.pipeline, update.script.followed_by))
            self._begin_due()
        update.pipeline.latest_updates = [
            {"update_id": it.id, "state": it.state, "creation_time": timestamp_text(it.created * 10**6)}
            for it in reversed(self.of(update.pipeline.id))
        ]

    def _begin_due(self) -> None:
        """Starts what the service was to start by now."""
        now = self.clock()
        begun = [it for it in self._due if it[0] <= now]
        self._due = [it for it in self._due if it[0] > now]
        for _, pipeline, script in begun:
            self._begin(pipeline, script, "RETRY_ON_FAILURE", {})

    def _go_on(self, update: HeldUpdate) -> None:
        if update.step + 1 < len(update.script.steps):
            update.step += 1
            self._enter(update)

    def _note(self, update: HeldUpdate, event: Event) -> None:
        at = self._now() - int(event.earlier * 1000)
        number = len(self._events) + 1
        document: dict[str, Any] = {
            "id": f"event-{number}",
            "sequence": {"control_plane_seq_no": number},
            "origin": {"pipeline_id": update.pipeline.id, "update_id": update.id, **event.origin},
            "timestamp": timestamp_text(at * 10**6),
            "message": event.message,
            "level": event.level,
            "event_type": event.kind,
            "maturity_level": "STABLE",
        }
        if event.details:
            document["details"] = dict(event.details)
        if event.exceptions:
            document["error"] = {"exceptions": [dict(it) for it in event.exceptions], "fatal": True}
        self._events.append((self._lists + event.late, update.pipeline.id, document))

    def _now(self) -> int:
        self._milliseconds += 1000
        return self._milliseconds

    def _start(self, call: Call) -> Reply:
        from databricks.sdk.service.pipelines import PipelinesAPI

        pipeline = self._pipelines.require(call.user, "CAN_RUN", call.parts["pipeline_id"])
        unknown = set(call.body) - set(inspect.signature(PipelinesAPI.start_update).parameters) | (
            set(call.body) & {"self", "pipeline_id"}
        )
        if unknown:
            raise ApiRefusal(400, "UNKNOWN_FIELD", f"Unknown fields {sorted(unknown)}")
        self._begin_due()
        active = next((it for it in self.of(pipeline.id) if not it.ended), None)
        if active is not None:
            words = f"An active update {active.id} already exists for pipeline {pipeline.id}."
            raise ApiRefusal(409, "RESOURCE_CONFLICT", words)
        return Reply.json({"update_id": self.start(pipeline.id, "API_CALL", call.body).id})

    def _get(self, call: Call) -> Reply:
        self._pipelines.require(call.user, "CAN_VIEW", call.parts["pipeline_id"])
        update = self.all.get(call.parts["update_id"])
        if update is None or update.pipeline.id != call.parts["pipeline_id"]:
            raise ApiRefusal(404, "RESOURCE_DOES_NOT_EXIST", f"Update {call.parts['update_id']} does not exist.")
        if not update.ended:
            self._go_on(update)
        config = {**update.pipeline.spec, "continuous": update.script.continuous}
        return Reply.json({"update": {**_info(update), "config": config}})

    def _list(self, call: Call) -> Reply:
        pipeline = self._pipelines.require(call.user, "CAN_VIEW", call.parts["pipeline_id"])
        self._begin_due()
        return self._page(call, [_info(it) for it in reversed(self.of(pipeline.id))], "updates")

    def _stop(self, call: Call) -> Reply:
        pipeline = self._pipelines.require(call.user, "CAN_RUN", call.parts["pipeline_id"])
        for update in self.of(pipeline.id):
            if not update.ended:
                action = {"action": "STOP", "user_name": call.user}
                self._note(
                    update, Event("user_action", f"User {call.user} stopped it.", details={"user_action": action})
                )
                update.script = Script((*update.script.steps[: update.step + 1], ("STOPPING", ()), ("CANCELED", ())))
        return Reply.json({})

    def _list_events(self, call: Call) -> Reply:
        pipeline = self._pipelines.require(call.user, "CAN_VIEW", call.parts["pipeline_id"])
        parameters = call.parameters
        if "page_token" in parameters:
            if set(parameters) - {"page_token", "max_results"}:
                raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", "page_token goes with max_results only")
            return self._page(call, [], "events")
        self._lists += 1
        order = parameters.get("order_by", "timestamp desc")
        if order not in ("timestamp asc", "timestamp desc"):
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"Cannot order by {order}")
        found = [it for due, of, it in self._events if of == pipeline.id and due < self._lists]
        for condition in filter(None, parameters.get("filter", "").split(" AND ")):
            found = [it for it in found if self._fits(condition, it)]
        found.sort(key=lambda it: str(it["timestamp"]), reverse=order.endswith("desc"))
        return self._page(call, found, "events")

    def _fits(self, condition: str, event: Mapping[str, Any]) -> bool:
        match = _CONDITION.fullmatch(condition)
        if match is None:
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"Cannot read the filter {condition}")
        name, operator = match["field"], match["operator"]
        values = re.findall(r"'([^']*)'", match["value"])
        if name == "update_id":
            return self.ignores_update_filter or event["origin"]["update_id"] in values
        if name == "timestamp":
            at, bound = timestamp_nanoseconds(event["timestamp"]), timestamp_nanoseconds(values[0])
            return {">": at > bound, ">=": at >= bound, "<": at < bound, "<=": at <= bound, "=": at == bound}[operator]
        return event[name] in values

    def _page(self, call: Call, found: list[dict[str, Any]], key: str) -> Reply:
        token = call.parameters.get("page_token")
        if token is not None:
            if token not in self._pages:
                raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", "The page token is not valid.")
            found = self._pages[token]
        size = min(_PAGE, int(call.parameters.get("max_results", _PAGE)))
        document: dict[str, Any] = {key: found[:size]}
        if found[size:]:
            name = f"{key}-{len(self._pages) + 1}"
            self._pages[name] = found[size:]
            document["next_page_token"] = name
        return Reply.json(document)


def _info(update: HeldUpdate) -> dict[str, Any]:
    asked = {
        key: value
        for key, value in update.asked.items()
        if key.startswith(("full_refresh", "refresh", "validate_only"))
    }
    return {
        "pipeline_id": update.pipeline.id,
        "update_id": update.id,
        "cause": update.cause,
        "state": update.state,
        "creation_time": update.created,
        "full_refresh": False,
        **asked,
    }
