"""What AUTO CDC makes of changes, in plain Python: what the tables of pipelines are compared with.

Source: https://docs.databricks.com/aws/en/ldp/cdc, and Spark 4.3, ``pyspark.pipelines.create_auto_cdc_flow``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Change:
    """A change of one key. ``arrived`` is the number of the batch that brought it."""

    sequence: int
    name: str | None = None
    deleted: bool = False
    arrived: int = 0
    note: str | None = None


@dataclass(frozen=True)
class Version:
    """A row of SCD type 2."""

    name: str | None
    note: str | None
    start: int
    end: int | None


def latest(changes: Iterable[Change]) -> Change | None:
    """The row of SCD type 1: a model of AUTO CDC."""
    last = max(changes, key=lambda change: (change.sequence, change.deleted, change.arrived))
    return None if last.deleted else last


def versions(changes: Iterable[Change]) -> list[Version]:
    """The rows of SCD type 2, whose tracked column is ``name``: a model of AUTO CDC."""
    in_order = sorted(changes, key=lambda change: (change.sequence, change.deleted, change.arrived))
    made: list[Version] = []
    for _, same in groupby(in_order, key=lambda change: change.sequence):
        change = list(same)[-1]
        now = made[-1] if made and made[-1].end is None else None
        repeated = now is not None and not change.deleted and change.name == now.name
        if now is not None:
            made[-1] = Version(
                now.name,
                change.note if repeated else now.note,
                now.start,
                None if repeated else change.sequence,
            )
        if not change.deleted and not repeated:
            made.append(Version(change.name, change.note, change.sequence, None))
    return made


def latest_names(log: Mapping[str, Iterable[Change]]) -> dict[str, str | None]:
    """The table of SCD type 1, by key, for the changes of each key."""
    newest = {key: latest(changes) for key, changes in log.items()}
    return {key: change.name for key, change in newest.items() if change is not None}


def all_versions(log: Mapping[str, Iterable[Change]]) -> dict[str, list[Version]]:
    """The table of SCD type 2, by key."""
    return {key: versions(changes) for key, changes in log.items()}
