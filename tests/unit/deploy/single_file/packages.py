"""Small packages, run as they are and as one module."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

from connector_lib.deploy.single_file.assembly import Assembly, assemble
from connector_lib.deploy.single_file.checks import faults_of

__all__ = ["NAME", "assembled", "results", "written"]

NAME = "pack"
_NUMBERS = itertools.count()


@contextmanager
def written(folder: Path, files: Mapping[str, str]) -> Iterator[None]:
    """The package NAME, which can be imported within. ``files`` are its texts by path."""
    root = folder / f"path_{next(_NUMBERS)}"
    for path, text in {"__init__.py": "", **files}.items():
        file = root / NAME / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(root))
        for name in [name for name in sys.modules if name.partition(".")[0] == NAME]:
            del sys.modules[name]


def assembled(folder: Path, files: Mapping[str, str], export: str = "result") -> Assembly:
    """``export`` of the module ``main`` of the package, with what it needs, as one module."""
    with written(folder, files):
        return assemble({NAME}, [f"{NAME}.main"], [(f"{NAME}.main", export)], title="One module.")


def results(folder: Path, files: Mapping[str, str]) -> tuple[Any, Any]:
    """What ``main.result()`` of the package gives, and what it gives in the one module, where there is no package."""
    one = assembled(folder, files)
    assert faults_of("one", one.text, {NAME}) == []
    with written(folder, files):
        original: Callable[[], Any] = importlib.import_module(f"{NAME}.main").result
        expected = original()
    merged = ModuleType("merged_pack")
    sys.modules["merged_pack"] = merged
    try:
        exec(compile(one.text, "merged_pack.py", "exec"), vars(merged))
        return expected, merged.result()
    finally:
        del sys.modules["merged_pack"]
