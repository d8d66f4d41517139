"""What was measured: tables and targets, printed and as Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

__all__ = ["PEERS", "Section", "Target", "as_markdown", "print_section", "print_targets"]

PEERS = ("hl7", "hl7apy", "hl7lw", "hl7kit", "medforge", "dlt", "requests")


@dataclass(frozen=True, slots=True)
class Target:
    """Something to reach. ``reached`` is None when it could not be measured; ``measured`` then says why."""

    name: str
    wanted: str
    measured: str
    reached: bool | None

    @property
    def verdict(self) -> str:
        """In words."""
        return {True: "reached", False: "NOT reached", None: "not measured"}[self.reached]


@dataclass(frozen=True, slots=True)
class Section:
    """One table: a title, a sentence on how it was measured, and rows of text below ``columns``."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    targets: list[Target] = field(default_factory=list)


def print_section(console: Console, section: Section) -> None:
    """Prints one table with the sentence below it."""
    table = Table(*section.columns, title=section.title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in section.rows:
        table.add_row(*row)
    console.print(table)
    console.print(section.note, style="dim", highlight=False)


def print_targets(console: Console, targets: Sequence[Target]) -> None:
    """Prints what was to be reached, and whether it was."""
    table = Table("target", "wanted", "measured", "", title="Targets", title_justify="left")
    styles = {True: "green", False: "bold red", None: "yellow"}
    for target in targets:
        table.add_row(target.name, target.wanted, target.measured, target.verdict, style=styles[target.reached])
    console.print(table)


def as_markdown(sections: Sequence[Section], targets: Sequence[Target], command: str) -> str:
    """The whole report, with the machine and the versions that it was measured on."""
    target_rows = [(target.name, target.wanted, target.measured, target.verdict) for target in targets]
    lines = [
        "# Benchmarks",
        "",
        f"Measured on {date.today().isoformat()} by `{command}`; to repeat it, run the same.",  # noqa: DTZ011
        "All figures of a table come from one run on one machine: take the ratios, not the numbers.",
        "",
        *(f"- {fact}" for fact in _machine_facts()),
        "",
        "## Targets",
        "",
        *_markdown_table(("target", "wanted", "measured", ""), target_rows),
    ]
    for section in sections:
        lines += ["", f"## {section.title}", "", section.note, ""]
        lines += _markdown_table(section.columns, section.rows)
    return "\n".join(lines) + "\n"


def _markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def _machine_facts() -> list[str]:
    return [
        f"{platform.system()} on {_processor()}, {os.cpu_count()} cores",
        f"{platform.python_implementation()} {platform.python_version()}",
        ", ".join(f"{name} {_version(name)}" for name in ("connector-lib", "pyspark", "pyarrow", "confluent-kafka")),
        ", ".join(f"{name} {_version(name)}" for name in PEERS),
    ]


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed)"
