"""The order in which a reader understands the datasets of a pipeline: what is read before what reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from connector_lib.local.definitions import Dataset, Definitions
from connector_lib.local.rules import tables_read

__all__ = ["in_reading_order"]


def in_reading_order(
    definitions: Definitions,
    full_name: Callable[[str], str],
    tables_in_sql: Callable[[str], list[str]],
) -> list[Dataset]:
    """The datasets of ``definitions``: first those that read no other, then those that read only these, and so
    on; else as they were defined. Of SQL files it is not known what they read, so their datasets come first.

    The arguments are those of :func:`~connector_lib.local.rules.check_rules`.
    """
    reads: dict[str, set[str]] = {full_name(dataset.name).lower(): set() for dataset in definitions.datasets}
    for flow in definitions.flows:
        target = full_name(flow.target).lower()
        if flow.relation is not None and target in reads:
            names = {full_name(name).lower() for name in tables_read(flow.relation, tables_in_sql)}
            reads[target] |= names & reads.keys() - {target}
    levels = _levels(reads)
    return sorted(definitions.datasets, key=lambda dataset: levels[full_name(dataset.name).lower()])


def _levels(reads: Mapping[str, set[str]]) -> dict[str, int]:
    levels: dict[str, int] = {}
    while len(levels) < len(reads):
        ready = [name for name, sources in reads.items() if name not in levels and sources <= levels.keys()]
        # Datasets that read each other in a circle never become ready; Spark refuses them in its own words.
        level = max(levels.values(), default=-1) + 1
        levels |= dict.fromkeys(ready or reads.keys() - levels.keys(), level)
    return levels
