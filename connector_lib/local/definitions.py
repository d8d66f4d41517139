"""What the transformation files of a pipeline define: its datasets, and the flows that write them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from pyspark.errors import PySparkException
from pyspark.pipelines.flow import AutoCdcFlow, Flow
from pyspark.pipelines.output import MaterializedView, Output, Sink, StreamingTable, TemporaryView
from pyspark.pipelines.spark_connect_graph_element_registry import SparkConnectGraphElementRegistry
from pyspark.sql import DataFrame, SparkSession

from connector_lib.local.spark_engine import SqlElement

__all__ = [
    "QUALITY_PREFIX",
    "Dataset",
    "Definitions",
    "FlowDefinition",
    "RecordingRegistry",
    "SourceLine",
    "observed_rules",
    "relations_in",
]

QUALITY_PREFIX = "quality:"
"""How observations of quality rules are named: the prefix, then the dataset."""

_KINDS = {
    StreamingTable: "streaming table",
    MaterializedView: "materialized view",
    TemporaryView: "temporary view",
    Sink: "sink",
}


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

    def add_sql(self, root: Path, datasets: list[SqlElement], flows: list[SqlElement]) -> None:
        """Adds what the SQL files below ``root`` define. SQL never resolves a table too early: no relation is
        kept.
        """
        for dataset in datasets:
            self.datasets.append(Dataset(dataset.name, dataset.kind, SourceLine(root / dataset.file, dataset.line)))
        for flow in flows:
            self.flows.append(FlowDefinition(flow.name, flow.target, SourceLine(root / flow.file, flow.line), None))


class RecordingRegistry(SparkConnectGraphElementRegistry):
    """Hands every definition on to Spark's graph, and keeps what it was in ``definitions``."""

    def __init__(self, spark: SparkSession, graph: str) -> None:
        super().__init__(spark, graph)
        self.definitions = Definitions()

    def register_output(self, output: Output) -> None:
        """Registers a dataset."""
        super().register_output(output)
        kind = next(kind for cls, kind in _KINDS.items() if isinstance(output, cls))
        self.definitions.datasets.append(Dataset(output.name, kind, _source(output)))

    def register_flow(self, flow: Flow) -> None:
        """Registers a flow."""
        relations: list[Any] = []

        def recorded() -> DataFrame:
            frame: Any = flow.func()
            if frame is not None and hasattr(frame, "_plan"):
                relations.append(frame._plan.plan(self._client))
            result: DataFrame = frame
            return result

        try:
            super().register_flow(dataclasses.replace(flow, func=recorded))
        except PySparkException as error:
            # A query that breaks a rule can fail right here, with words that do not say so. The rules are
            # checked when all datasets are known; the error is raised after that, if they find nothing.
            if not relations:
                raise
            self.definitions.refused.append((_source(flow), error))
        self.definitions.flows.append(
            FlowDefinition(flow.name, flow.target, _source(flow), relations[0] if relations else None)
        )

    def register_auto_cdc_flow(self, flow: AutoCdcFlow) -> None:
        """Registers an AUTO CDC flow."""
        super().register_auto_cdc_flow(flow)
        self.definitions.flows.append(FlowDefinition(flow.name or flow.target, flow.target, _source(flow), None))


def _source(element: Output | Flow | AutoCdcFlow) -> SourceLine:
    location = element.source_code_location
    return SourceLine(Path(location.filename), location.line_number)


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
