"""What has to be installed where the one file is used."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from typing import Final

from connector_lib.deploy.single_file.calls import external_calls
from connector_lib.deploy.single_file.imports import Place
from connector_lib.deploy.single_file.program import Program

__all__ = ["Requirement", "requirements_of"]

_OF_SPARK: Final = frozenset({"pyspark", "pyarrow", "py4j", "pandas", "numpy"})
"""What comes with Spark on a cluster."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package that has to be there. ``line`` is as pip takes it; ``later`` says that it is imported by a function, so
    that it is needed only where that function is."""

    line: str
    later: bool


def requirements_of(program: Program) -> Iterator[Requirement]:
    """The distributions of what stays an import, but for those of Spark: first those that are needed at once.

    Their versions are bounded as the merged distributions ask for.
    """
    at_once: set[str] = set()
    later: set[str] = set()
    for module in program.order:
        names = program.modules[module]
        for one in names.imports:
            if not one.merged and one.place is not Place.TYPING:
                (later if one.place is Place.LATER else at_once).add(one.module.partition(".")[0])
        for call, full in external_calls(names):
            if full == "importlib.import_module" and call.args and isinstance(call.args[0], ast.Constant):
                later.add(str(call.args[0].value).partition(".")[0])
    packages = program.finder.packages
    found = packages_distributions()
    bounds = _bounds(packages, found)
    for top, is_later in ((at_once, False), (later - at_once, True)):
        lines = set()
        for name in top - sys.stdlib_module_names - _OF_SPARK - packages:
            distribution = min(found.get(name, [name]), key=_plain)
            lines.add(bounds.get(_plain(distribution), distribution))
        yield from (Requirement(line, is_later) for line in sorted(lines, key=str.lower))


def _bounds(packages: Collection[str], found: Mapping[str, list[str]]) -> dict[str, str]:
    """The requirement lines of the merged distributions, without their markers, by the name of what they require."""
    bounds: dict[str, str] = {}
    for distribution in sorted({one for package in packages for one in found.get(package, [])}):
        try:
            lines = requires(distribution) or []
        except PackageNotFoundError:
            continue
        for line in lines:
            written = line.partition(";")[0].strip()
            match = re.match(r"[A-Za-z0-9._-]+", written)
            if match is not None:
                bounds.setdefault(_plain(match[0]), written)
    return bounds


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
