"""What the transformation files of a pipeline define: its datasets, and the flows that write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from connector_lib.errors import PipelineRunError
from connector_lib.flows.expectations import QUALITY_PREFIX

__all__ = [
    "Dataset",
    "Definitions",
    "FlowDefinition",
    "SourceLine",
    "formats_read",
    "observed_rules",
    "relations_in",
]


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a transformation file; ``line`` counts from 1, None where Spark does not say."""

    file: Path
    line: int | None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line is not None else str(self.file)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset as it was defined: its name as written, and ``streaming table``, ``materialized view``,
    ``temporary view`` or ``sink``."""

    name: str
    kind: str
    source: SourceLine


@dataclass(frozen=True, slots=True)
class FlowDefinition:
    """A flow as it was defined; ``relation`` is its query as a Spark Connect relation, None for AUTO CDC
    flows.
    """

    name: str
    target: str
    source: SourceLine
    relation: Any


@dataclass(slots=True)
class Definitions:
    """All that a pipeline defines, in the order of definition."""

    datasets: list[Dataset] = field(default_factory=list)
    flows: list[FlowDefinition] = field(default_factory=list)
    refused: list[tuple[SourceLine, Exception]] = field(default_factory=list)
    """Flows that Spark did not take, and what it said."""

    def check_refused(self, words: Callable[[str], str]) -> None:
        """Raises :class:`~connector_lib.errors.PipelineRunError` for the first flow that Spark did not take, with
        what ``words`` makes of Spark's text.

        Spark's own error is no cause of it: it may hold a secret that only ``words`` knows.
        """
        for source, error in self.refused:
            raise PipelineRunError(f"{source}: {words(str(error))}")


def observed_rules(definitions: Definitions) -> dict[str, list[str]]:
    """The metrics that the queries observe under ``quality:<dataset>``, by dataset, in the order of
    definition.
    """
    observed: dict[str, list[str]] = {}
    for flow in definitions.flows:
        for relation in relations_in(flow.relation) if flow.relation is not None else ():
            if relation.WhichOneof("rel_type") != "collect_metrics":
                continue
            name = relation.collect_metrics.name
            if name.startswith(QUALITY_PREFIX):
                metrics = observed.setdefault(name.removeprefix(QUALITY_PREFIX), [])
                metrics.extend(metric.alias.name[0] for metric in relation.collect_metrics.metrics)
    return observed


def formats_read(definitions: Definitions) -> set[str]:
    """The formats of the data sources that the queries read, such as ``binaryFile``."""
    relations = (relation for flow in definitions.flows if flow.relation for relation in relations_in(flow.relation))
    reads = (relation.read for relation in relations if relation.WhichOneof("rel_type") == "read")
    return {read.data_source.format for read in reads if read.WhichOneof("read_type") == "data_source"}


def relations_in(message: Any) -> Iterator[Any]:
    """Every relation in ``message``, wherever it stands: inputs, subqueries in expressions, common
    references.
    """
    pending = [message]
    while pending:
        current = pending.pop()
        if current.DESCRIPTOR.full_name == "spark.connect.Relation":
            yield current
        for part, value in current.ListFields():
            if part.type != FieldDescriptor.TYPE_MESSAGE:
                continue
            pending.extend(_messages(part, value))


def _messages(field: FieldDescriptor, value: Any) -> list[Any]:
    entry = field.message_type
    if entry.GetOptions().map_entry:
        holds_messages = entry.fields_by_name["value"].type == FieldDescriptor.TYPE_MESSAGE
        return list(value.values()) if holds_messages else []
    # A field that may repeat gives a container of messages; a single one is a message itself.
    return [value] if hasattr(value, "DESCRIPTOR") else list(value)
