"""Checks of a connector's source files: what does not belong there."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector_lib.testing.conformance.subject import Subject

__all__ = ["SourceTextChecks"]


class SourceTextChecks(Subject):
    """No prints, no programs, no swallowed errors, in the connector's module and those of its package that it uses."""

    def test_it_prints_nothing(self) -> None:
        """What is printed shows nowhere on a worker, or shows a secret where nobody looks after it."""
        found = [f"{file.name}:{line}" for file, tree in self._sources() for line in _prints(tree)]
        assert not found, f"print() in {', '.join(found)}: use logging, or raise"

    def test_it_is_no_program(self) -> None:
        """``main()`` in a source takes secrets from a command line. `connector-lib read` is for that."""
        found = [f"{file.name}:{line}" for file, tree in self._sources() for line in _programs(tree)]
        assert not found, f"a program in {', '.join(found)}: use `connector-lib read`"

    def test_it_swallows_no_error(self) -> None:
        """``except Exception: return []`` turns a failed page into a table that is too short."""
        found = [f"{file.name}:{line}" for file, tree in self._sources() for line in _swallowing(tree)]
        assert not found, f"errors of every kind end silently in {', '.join(found)}: name the kind, or raise"

    def _sources(self) -> Iterator[tuple[Path, ast.Module]]:
        kind = type(self.connector())
        try:
            inspect.getfile(kind)
        except (TypeError, OSError):
            pytest.skip(f"{kind.__name__} has no source file")
        for name in _modules_of(kind.__module__):
            file = Path(inspect.getfile(sys.modules[name]))
            yield file, ast.parse(file.read_bytes())


def _modules_of(name: str) -> list[str]:
    """A module, and those of its package that it imports, and so on."""
    package = name.rpartition(".")[0]
    found, left = [], [name]
    while left:
        module = left.pop()
        if module in found or module not in sys.modules:
            continue
        found.append(module)
        tree = ast.parse(Path(inspect.getfile(sys.modules[module])).read_bytes())
        left.extend(other for other in _imported(tree, package) if package and other.startswith(f"{package}."))
    return found


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = f"{package}.{node.module or ''}".rstrip(".") if node.level else node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _prints(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield node.lineno


def _programs(tree: ast.Module) -> Iterator[int]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == "main":
            yield node.lineno
        if isinstance(node, ast.If) and any(
            isinstance(inner, ast.Name) and inner.id == "__name__" for inner in ast.walk(node.test)
        ):
            yield node.lineno


def _swallowing(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler) or not _catches_everything(node.type):
            continue
        if not any(isinstance(inner, ast.Raise) for inner in ast.walk(node)):
            yield node.lineno


def _catches_everything(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    names = [node.id for node in ast.walk(kind) if isinstance(node, ast.Name)]
    return "Exception" in names or "BaseException" in names
