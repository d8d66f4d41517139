"""What the transformation files of a pipeline define: its datasets, and the flows that write them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.pipelines.flow import AutoCdcFlow, Flow
from pyspark.pipelines.output import MaterializedView, Output, Sink, StreamingTable, TemporaryView
from pyspark.pipelines.spark_connect_graph_element_registry import SparkConnectGraphElementRegistry
from pyspark.sql import DataFrame, SparkSession

__all__ = ["Dataset", "Definitions", "FlowDefinition", "RecordingRegistry", "SourceLine"]

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
    """A flow as it was defined; ``relation`` is its query as a Spark Connect relation, None for AUTO CDC flows."""

    name: str
    target: str
    source: SourceLine
    relation: Any


@dataclass(slots=True)
class Definitions:
    """All that a pipeline defines, in the order of definition."""

    datasets: list[Dataset] = field(default_factory=list)
    flows: list[FlowDefinition] = field(default_factory=list)


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

        super().register_flow(dataclasses.replace(flow, func=recorded))
        target = flow.target if flow.target is not None else flow.name
        self.definitions.flows.append(
            FlowDefinition(flow.name or target, target, _source(flow), relations[0] if relations else None)
        )

    def register_auto_cdc_flow(self, flow: AutoCdcFlow) -> None:
        """Registers an AUTO CDC flow."""
        super().register_auto_cdc_flow(flow)
        self.definitions.flows.append(FlowDefinition(flow.name or flow.target, flow.target, _source(flow), None))


def _source(element: Output | Flow | AutoCdcFlow) -> SourceLine:
    location = element.source_code_location
    return SourceLine(Path(location.filename), location.line_number)
