"""The engine's messages, read: which flow is in which state."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["FlowEvent", "parse_event", "short_name"]

# org.apache.spark.sql.pipelines.logging.FlowProgressEventLogger; a Connect client gets the text alone.
_FLOW = re.compile(
    r"Flow '?(?P<flow>.+?)'? (?:is |has"
    r" |)(?P<state>QUEUED|PLANNING|STARTING|RUNNING|COMPLETED|FAILED|STOPPED|SKIPPED"
    r"|EXCLUDED|IDLE)\b[.,]?(?P<rest>.*)",
    re.DOTALL,
)
_UNRESOLVED = re.compile(r"Failed to resolve flow: '(?P<flow>.+?)'\.(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FlowEvent:
    """A flow, by its full name, came into ``state`` (``running``, ``completed``, ``failed`` …).

    ``detail`` is the error text of a failure, else empty.
    """

    flow: str
    state: str
    detail: str


def parse_event(message: str) -> FlowEvent | None:
    """The event in a message of the engine, None where it is about no flow.

    >>> parse_event("Flow spark_catalog.default.adt has COMPLETED.")
    FlowEvent(flow='spark_catalog.default.adt', state='completed', detail='')
    >>> parse_event("Run is COMPLETED.")
    """
    found = _UNRESOLVED.match(message)
    if found:
        return FlowEvent(found["flow"], "failed", found["rest"].strip())
    found = _FLOW.match(message)
    if found:
        return FlowEvent(found["flow"], found["state"].lower(), found["rest"].strip())
    return None


def short_name(full_name: str, database: str = "default") -> str:
    """The name that a reader knows a dataset by: without the catalog, and without ``database``.

    >>> short_name("spark_catalog.default.adt")
    'adt'
    >>> short_name("spark_catalog.lab.adt")
    'lab.adt'
    """
    parts = full_name.replace("`", "").split(".")
    if len(parts) == 3:
        parts = parts[1:]
    return parts[1] if len(parts) == 2 and parts[0] == database else ".".join(parts)
