"""The datasets and flows that a pipeline defines, and the two questions about them all: is there a table, and does one
flow write each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from connector_lib.project.syntax.breaches import RuleBreach

__all__ = ["Branches", "Definition", "Definitions", "TableNames"]

Branches: TypeAlias = frozenset[tuple[int, int]]
"""The branches on the way to a line: which ``if``, and which side of it."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A dataset or a flow, as a line of a file defines it.

    ``name`` is the dataset, or the target of a flow, as written; None where the text does not say. ``keeps_rows`` is
    False for views. ``has_flow`` says whether rows flow into it by this line. ``node`` tells two passes through one
    line from two lines. ``is_local`` is what there is on open-source Spark only.
    """

    name: str | None
    file: Path
    line: int
    keeps_rows: bool
    has_flow: bool
    is_dataset: bool = True
    branches: Branches = frozenset()
    node: int = 0
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class TableNames:
    """How names are compared: without case and quotes, with the pipeline's catalog and schema where they have none."""

    catalog: str | None
    database: str | None

    def full(self, name: str) -> str:
        """The whole name of the table ``name``.

        >>> TableNames(None, "clinic").full("`Patients`")
        'spark_catalog.clinic.patients'
        """
        parts = [part.strip("` ").lower() for part in name.split(".")]
        if parts[0] == "live" and len(parts) == 2:
            parts = parts[1:]
        defaults = [self.catalog or "spark_catalog", self.database or "default"]
        return ".".join([*(part.lower() for part in defaults[: max(0, 3 - len(parts))]), *parts])


@dataclass(slots=True)
class Definitions:
    """All that a pipeline defines, in the order in which it does."""

    found: list[Definition] = field(default_factory=list)
    may_have_more: bool = False
    """Whether the files call functions of other packages, which may define tables too."""

    def has_table(self) -> bool:
        """Whether there is a table, or may be one."""
        return self.may_have_more or any(entry.keeps_rows for entry in self.found)

    def datasets(self, names: TableNames) -> dict[str, str]:
        """The datasets by their whole name, as they are written."""
        return {names.full(entry.name): entry.name for entry in self.found if entry.name and entry.is_dataset}

    def two_flows(self, names: TableNames) -> Iterator[RuleBreach]:
        """A breach for every flow into a table that has one."""
        first: dict[str, list[Definition]] = {}
        reported: set[tuple[Path, int]] = set()
        for entry in self.found:
            if entry.name is None or not entry.has_flow:
                continue
            known = first.setdefault(names.full(entry.name), [])
            earlier = next((other for other in known if _both_run(other, entry)), None)
            if earlier is not None and (entry.file, entry.line) not in reported:
                reported.add((entry.file, entry.line))
                yield _second_flow(earlier, entry)
            known.append(entry)


def _both_run(one: Definition, other: Definition) -> bool:
    if any(_other_side(branch, side, other) for branch, side in one.branches):
        return False
    # What a loop defines under a condition, it may define in one of its passes only.
    return not (one.node == other.node and one.node and one.branches)


def _other_side(branch: int, side: int, other: Definition) -> bool:
    return any(found == branch and where != side for found, where in other.branches)


def _second_flow(earlier: Definition, entry: Definition) -> RuleBreach:
    again = earlier.file == entry.file and earlier.line == entry.line
    where = f"{earlier.file.name}:{earlier.line}" if earlier.file != entry.file else f"line {earlier.line}"
    return RuleBreach(
        entry.file,
        entry.line,
        "two-flows",
        f"every pass defines a flow into the table '{entry.name}'"
        if again
        else f"a second flow writes the table '{entry.name}', after the one of {where}",
        "two flows into one table lose rows on open-source Spark: unite the sources inside one flow, by unionByName",
    )
