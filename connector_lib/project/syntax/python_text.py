"""Python text to a syntax tree, past the lines that only a notebook understands."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector_lib.project.syntax.breaches import RuleBreach

__all__ = ["NOTEBOOK_HEADER", "PythonText", "is_notebook", "magic_hint", "read_python"]

NOTEBOOK_HEADER: Final = "# Databricks notebook source"
"""First line of a notebook that was exported as a file: uploaded, it becomes a notebook again."""

_MAGIC_LINE: Final = re.compile(r"\s*(?:[\w.,\s]+=\s*)?(%%?|!)\s*([A-Za-z]\w*)?")
_CELL_BORDER: Final = "# COMMAND ----------"
_MAGIC_COMMENT: Final = re.compile(r"#\s*MAGIC\s+(%{1,2}|!)\s*([A-Za-z]\w*)?")
_MAGIC_HINTS: Final = {
    "%pip": "packages belong into 'dependencies' of deploy.yml",
    "%conda": "packages belong into 'dependencies' of deploy.yml",
    "%run": "import the other file as a module",
    "%sql": "put the statement into a .sql file",
}


@dataclass(frozen=True, slots=True)
class PythonText:
    """A Python file as it was read: ``tree`` is None where it is no Python even without its magic lines."""

    path: Path
    tree: ast.Module | None
    breaches: tuple[RuleBreach, ...]


def read_python(path: Path) -> PythonText:
    """The syntax tree of the file ``path``, and a breach for every magic command, or for what is no Python."""
    try:
        # As Python reads it: by its coding line, UTF-8 without one.
        with tokenize.open(path) as file:
            text = file.read()
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        return PythonText(path, None, (_unreadable(path, 1, getattr(error, "msg", type(error).__name__)),))
    lines = text.splitlines()
    breaches: list[RuleBreach] = []
    while True:
        try:
            with warnings.catch_warnings():
                # Python warns again when the file is run.
                warnings.simplefilter("ignore")
                tree = ast.parse("\n".join(lines) + "\n", filename=str(path))
            break
        except (SyntaxError, ValueError, RecursionError) as error:
            number = getattr(error, "lineno", None) or 1
            magic = _MAGIC_LINE.match(lines[number - 1]) if number <= len(lines) else None
            if magic is None:
                breaches.append(_unreadable(path, number, getattr(error, "msg", str(error))))
                return PythonText(path, None, tuple(breaches))
            breaches.append(_magic(path, number, magic[1], magic[2] or ""))
            _blank(lines, number - 1, whole_cell=magic[1] == "%%")
    breaches.extend(_magic_comments(path, "\n".join(lines) + "\n"))
    return PythonText(path, tree, tuple(breaches))


def is_notebook(path: Path) -> bool:
    """Whether the file ``path`` begins as an exported notebook does."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return file.readline().strip() == NOTEBOOK_HEADER
    except OSError:
        return False


def magic_hint(command: str) -> str:
    """What to do instead of a magic command, such as ``%run``."""
    return _MAGIC_HINTS.get(command.replace("%%", "%"), "a pipeline file is plain Python or SQL: take it out")


def _blank(lines: list[str], first: int, *, whole_cell: bool) -> None:
    lines[first] = ""
    if not whole_cell:
        return
    for number in range(first + 1, len(lines)):
        if lines[number].strip() == _CELL_BORDER:
            return
        lines[number] = ""


def _magic_comments(path: Path, text: str) -> Iterator[RuleBreach]:
    """Magic commands of an exported notebook, where they are comments. A text that looks like one is none."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        found = _MAGIC_COMMENT.match(token.string) if token.type == tokenize.COMMENT else None
        if found is not None:
            yield _magic(path, token.start[0], found[1], found[2] or "")


def _magic(path: Path, line: int, sign: str, name: str) -> RuleBreach:
    # The rest of the line is not shown: an address in it may hold a password.
    return RuleBreach(path, line, "magic-command", f"'{sign}{name}' is a command of notebooks", magic_hint(sign + name))


def _unreadable(path: Path, line: int, what: str) -> RuleBreach:
    return RuleBreach(path, line, "unreadable", f"not valid Python: {what}")
