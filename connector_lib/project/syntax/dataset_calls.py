"""The calls that define datasets and flows: those of ``pyspark.pipelines``, and ``auto_cdc`` and ``ingest``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connector_lib.project.syntax.calls import Arguments, called_symbol, text_of
from connector_lib.project.syntax.definitions import Branches, Definition, Definitions
from connector_lib.project.syntax.values import (
    PLAIN,
    Constant,
    DatasetDecorator,
    LocalFunction,
    Symbol,
    Value,
    functions_in,
)

__all__ = ["DECORATORS", "PIPELINES", "CallPlace", "DatasetCalls"]

PIPELINES: Final = "pyspark.pipelines"
_BATCH_SINK: Final = "foreach_batch_sink"
DECORATORS: Final = frozenset(
    f"{PIPELINES}.{name}" for name in ("append_flow", "materialized_view", "table", "temporary_view", _BATCH_SINK)
)
"""What a query function is decorated with."""


@dataclass(frozen=True, slots=True)
class CallPlace:
    """Where a call stands: file, line from 1, the branches on the way to it; ``node`` is the same for each pass."""

    file: Path
    line: int
    node: int
    branches: Branches


@dataclass(slots=True)
class DatasetCalls:
    """Notes in ``definitions`` what calls define, and in ``queries`` the query functions.

    ``tables_of_spec`` gives the tables of a pipeline spec, see :class:`~.expressions.Expressions`.
    """

    definitions: Definitions
    tables_of_spec: Callable[[str, Path, int], Sequence[str] | None]
    queries: list[LocalFunction] = field(default_factory=list)

    def of_pipelines(self, path: str, given: Arguments, place: CallPlace) -> Value:
        """What the function ``path`` of ``pyspark.pipelines`` gives."""
        name = path.rpartition(".")[2]
        if path in DECORATORS:
            decorator = DatasetDecorator(path, tuple(given.keywords.items()), place.line, place.node)
            target = given.get(0, "query_function")
            return decorator if target is None else self.decorate(decorator, target, place)
        if name in ("create_streaming_table", "create_sink"):
            self._add(text_of(given.get(0, "name")), place, has_flow=False)
        elif name in ("create_auto_cdc_flow", "create_auto_cdc_from_snapshot_flow"):
            self._add(text_of(given.get(0, "target")), place, is_dataset=False)
            self.queries.extend(functions_in([given.get(1, "source") or PLAIN]))
        elif name in ("read", "read_stream"):
            return called_symbol(path, given, is_of_python=False)
        # What is left decorates: @dp.expect(…).
        return Symbol(path)

    def decorate(self, decorator: DatasetDecorator, function: Value, place: CallPlace) -> Value:
        """What is left of ``function`` when it is a query function."""
        given = dict(decorator.arguments)
        kind = decorator.path.rpartition(".")[2]
        own_name = function.name if isinstance(function, LocalFunction) else None
        named = given.get("target" if kind == "append_flow" else "name")
        self._add(
            own_name if named is None or named == Constant(None) else text_of(named),
            CallPlace(place.file, decorator.line, decorator.node, place.branches),
            keeps_rows=kind != "temporary_view",
            has_flow=kind != _BATCH_SINK,
            is_dataset=kind != "append_flow",
        )
        if kind == _BATCH_SINK:
            # The engine calls it with the rows of a batch: it may write, and compute.
            return PLAIN
        self.queries.extend(functions_in([function]))
        return function

    def of_flows(self, name: str, given: Arguments, place: CallPlace) -> Value:
        """What ``auto_cdc`` or ``ingest`` of ``connector_lib.flows`` gives."""
        if name == "auto_cdc":
            target = text_of(given.get(0, "target"))
            self._add(target, place)
            if target is not None:
                self._add(f"{target}__changes", place, has_flow=False, is_local=True)
            return Constant(None)
        written = text_of(given.get(0, "spec"))
        tables = self.tables_of_spec(written, place.file, place.line) if written is not None else None
        for table in tables if tables is not None else [None]:
            self._add(table, place)
        return Constant(None)

    def _add(
        self,
        name: str | None,
        place: CallPlace,
        *,
        keeps_rows: bool = True,
        has_flow: bool = True,
        is_dataset: bool = True,
        is_local: bool = False,
    ) -> None:
        self.definitions.found.append(
            Definition(
                name, place.file, place.line, keeps_rows, has_flow, is_dataset, place.branches, place.node, is_local
            )
        )
