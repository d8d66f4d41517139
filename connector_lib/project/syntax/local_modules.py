"""Modules of a pipeline's own folder, as its files import them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from connector_lib.project.syntax.values import LocalModule, Scope

__all__ = ["LocalModules"]


class LocalModules:
    """Finds the modules below ``root``; ``follow`` gives the names of a file."""

    def __init__(self, root: Path, follow: Callable[[Path], Scope]) -> None:
        self._root = root
        self._follow = follow

    def find(self, parts: Sequence[str], file: Path, folder: Path | None = None) -> LocalModule | None:
        """The module of the pipeline's folder that an import in ``file`` means, with its submodule in it."""
        for base in [folder] if folder is not None else dict.fromkeys((file.parent, self._root)):
            place = base.joinpath(*parts)
            if not place.is_relative_to(self._root):
                continue
            found = next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)
            if parts and found is None and not place.is_dir():
                continue
            if found is None and not (parts and any(place.glob("*.py"))) and folder is None:
                continue
            module = LocalModule(self._follow(found) if found is not None and parts else Scope(place))
            if len(parts) > 1:
                outer = self.find(parts[:-1], file, folder)
                if outer is not None:
                    outer.scope.names.setdefault(parts[-1], module)
            return module
        return None
