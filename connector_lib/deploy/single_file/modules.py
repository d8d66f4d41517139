"""The text of modules, found by their names and not imported."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from connector_lib.errors import ConfigurationError

__all__ = ["ModuleFinder", "ModuleText", "refusal"]


@dataclass(frozen=True, slots=True, eq=False)
class ModuleText:
    """A module as it is written. ``shown`` is how messages call its file."""

    name: str
    is_package: bool
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False)
    shown: str
    folder: Path | None = None

    @property
    def package(self) -> str:
        """What its relative imports begin at."""
        return self.name if self.is_package else self.name.rpartition(".")[0]


class ModuleFinder:
    """Finds the modules of some ``packages``, those that are merged.

    ``replaced`` has the text of modules that are something else in the one file.
    """

    def __init__(self, packages: Iterable[str], replaced: Mapping[str, str]) -> None:
        self.packages = frozenset(packages)
        self._found: dict[str, ModuleText | None] = {
            name: _parsed(name, False, text, f"<{name}>", None) for name, text in replaced.items()
        }
        self._specs: dict[str, ModuleSpec | None] = {}

    def is_merged(self, name: str) -> bool:
        """Whether a module, by its full name, belongs to what is merged."""
        return name.partition(".")[0] in self.packages

    def find(self, name: str) -> ModuleText | None:
        """The module, None where there is none of that name. Raises ConfigurationError where it is no Python text."""
        if name not in self._found:
            self._found[name] = self._read(name)
        return self._found[name]

    def _spec(self, name: str) -> ModuleSpec | None:
        """Where a module is. The packages above it are not imported, as importlib.util.find_spec would do."""
        if name not in self._specs:
            above = name.rpartition(".")[0]
            if not above:
                with suppress(ValueError):
                    # What was made by hand, as a notebook's __main__, is no file.
                    self._specs[name] = importlib.util.find_spec(name)
            else:
                package = self._spec(above)
                folders = None if package is None else package.submodule_search_locations
                self._specs[name] = None if folders is None else PathFinder.find_spec(name, list(folders))
        return self._specs.get(name)

    def _read(self, name: str) -> ModuleText | None:
        spec = self._spec(name)
        if spec is None:
            return None
        if spec.origin is None:
            # A folder without an __init__.py.
            return _parsed(name, True, "", name, None)
        file = Path(spec.origin)
        if file.suffix != ".py":
            raise ConfigurationError(
                f"the module {name} is no Python text: {file.name}",
                hint="a compiled module cannot be merged: leave its package out of --include, and install it",
            )
        text = file.read_text(encoding="utf-8").replace("\r\n", "\n").removeprefix("\ufeff")
        return _parsed(name, spec.submodule_search_locations is not None, text, _shown(name, file), file.parent)


def refusal(module: ModuleText, node: ast.AST, what: str, hint: str) -> ConfigurationError:
    """An error about a place in a module that cannot be merged."""
    return ConfigurationError(f"{module.shown}:{getattr(node, 'lineno', 1)}: {what}", hint=hint)


def _shown(name: str, file: Path) -> str:
    """The path from the top package on."""
    depth = name.count(".") + (2 if file.name == "__init__.py" else 1)
    return "/".join(file.parts[-depth:])


def _parsed(name: str, is_package: bool, text: str, shown: str, folder: Path | None) -> ModuleText:
    try:
        return ModuleText(name, is_package, text, ast.parse(text), shown, folder)
    except SyntaxError as error:
        raise ConfigurationError(
            f"{shown}:{error.lineno}: this is no Python: {error.msg}",
            hint="merge with the version of Python that the package is written for",
        ) from None
