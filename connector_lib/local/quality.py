"""The counts that the quality rules of a pipeline leave behind.

``connector_lib.flows.expectations`` observes every dataset with rules under the name ``quality:<dataset>``:
``rows``, and for each rule ``<action>:<rule>``, the number of rows that broke it. Spark tells listeners the
values: per micro-batch for streaming tables, per query for materialized views.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from connector_lib.flows.expectations import QUALITY_PREFIX
from connector_lib.local.report import QualityCount

__all__ = ["ObservedQuality"]

_ROWS = "rows"


@dataclass(slots=True)
class ObservedQuality:
    """Adds up what listeners see; they call from threads of their own."""

    _counts: dict[str, dict[str, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add_batch(self, observed: str) -> None:
        """Adds what one micro-batch of a stream observed, a JSON object ``{name: {metric: value}}``."""
        for dataset, values in _quality_in(observed):
            with self._lock:
                counts = self._counts.setdefault(dataset, {})
                for metric, value in values.items():
                    counts[metric] = counts.get(metric, 0) + value

    def put_query(self, observed: str) -> None:
        """Takes what a whole batch query observed; it stands for all rows of the dataset."""
        for dataset, values in _quality_in(observed):
            with self._lock:
                self._counts[dataset] = values

    def counts(
        self,
        declared: Mapping[str, list[str]],
        *,
        idle: frozenset[str] = frozenset(),
        shared: frozenset[str] = frozenset(),
    ) -> tuple[QualityCount, ...]:
        """A count for every rule of ``declared`` (dataset → metrics).

        Where nothing was observed it is 0 for the datasets in ``idle``, which had nothing to check, and None for
        the others. It is None for those in ``shared``, whose rows are computed once for every reader.
        """
        with self._lock:
            seen = {name: self._counts.get(name, {} if name in idle else None) for name in declared}
        return tuple(
            _count(dataset, metric, None if dataset in shared else seen[dataset])
            for dataset, metrics in declared.items()
            for metric in metrics
            if metric != _ROWS
        )


def _quality_in(observed: str) -> Iterator[tuple[str, dict[str, int]]]:
    for name, values in json.loads(observed).items():
        if name.startswith(QUALITY_PREFIX):
            yield name.removeprefix(QUALITY_PREFIX), {key: int(value or 0) for key, value in values.items()}


def _count(dataset: str, metric: str, seen: dict[str, int] | None) -> QualityCount:
    action, _, rule = metric.partition(":")
    return QualityCount(
        dataset=dataset,
        rule=rule,
        action=action,
        checked=None if seen is None else seen.get(_ROWS, 0),
        failed=None if seen is None else seen.get(metric, 0),
    )
