"""What is found in a pipeline's files: a rule, and the line that breaks it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

__all__ = ["RULES", "Rule", "RuleBreach"]

Rule: TypeAlias = Literal[
    "unreadable",
    "magic-command",
    "notebook",
    "notebook-import",
    "dbutils",
    "input-file-name",
    "older-interface",
    "write",
    "action",
    "no-table",
    "two-flows",
    "early-call",
]

RULES: Final[dict[Rule, str]] = {
    "unreadable": "every file of the folder can be read",
    "magic-command": "no command of a notebook, such as %run",
    "notebook": "no notebook where a module is needed",
    "notebook-import": "no import of a notebook",
    "dbutils": "no dbutils, which there is on Databricks only",
    "input-file-name": "no input_file_name(), which Unity Catalog has not",
    "older-interface": "no dlt, and nothing of LIVE",
    "write": "a query writes nothing: the pipeline does",
    "action": "a query is described and not computed",
    "no-table": "the folder defines a table",
    "two-flows": "one flow writes a table",
    "early-call": "no call over the pipeline's own tables that Spark resolves too early",
}
"""What every rule asks for."""


@dataclass(frozen=True, slots=True, order=True)
class RuleBreach:
    """A line that breaks a rule. ``line`` counts from 1; ``hint`` says what to write instead.

    >>> print(RuleBreach(Path("a.py"), 3, "dbutils", "uses dbutils", "take it out"))
    a.py:3: uses dbutils; take it out
    """

    file: Path
    line: int
    rule: Rule
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" + (f"; {self.hint}" if self.hint else "")
