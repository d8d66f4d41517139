"""What the Python files of a pipeline define, kept on its way into Spark's graph.

Internal to Spark: the registry that ``pyspark.pipelines`` hands every definition to
(``pyspark.pipelines.spark_connect_graph_element_registry``), and the plan of a query as a Connect relation.
"""

from __future__ import annotations

import dataclasses
import traceback
from pathlib import Path
from typing import Any, Final

import pyspark
from pyspark.errors import PySparkException
from pyspark.pipelines.flow import AutoCdcFlow, Flow
from pyspark.pipelines.output import MaterializedView, Output, Sink, StreamingTable, TemporaryView
from pyspark.pipelines.spark_connect_graph_element_registry import SparkConnectGraphElementRegistry
from pyspark.sql import DataFrame, SparkSession

import connector_lib
from connector_lib.local.definitions import Dataset, Definitions, FlowDefinition, SourceLine

__all__ = ["RecordingRegistry"]

_PACKAGE: Final = Path(connector_lib.__file__).parent
_LIBRARIES: Final = (_PACKAGE, Path(pyspark.__file__).parent)
_KINDS = {
    StreamingTable: "streaming table",
    MaterializedView: "materialized view",
    TemporaryView: "temporary view",
    Sink: "sink",
}


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
    if not Path(location.filename).is_relative_to(_PACKAGE):
        return SourceLine(Path(location.filename), location.line_number)
    # Defined by a function of this package: the line of the pipeline's file that called it says more.
    frames = ((Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_stack(None))
    others = (SourceLine(file, line) for file, line in frames if not any(map(file.is_relative_to, _LIBRARIES)))
    return next(others, SourceLine(Path(location.filename), location.line_number))
