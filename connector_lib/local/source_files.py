"""Files in a pipeline's source folders that Spark says nothing about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from connector_lib.flows.files import local_path
from connector_lib.flows.runtime import SourceFolder

__all__ = ["empty_file_notes", "empty_files"]

_MOST_NAMED = 20


def empty_files(folder: SourceFolder) -> Iterator[Path]:
    """The files of no bytes in ``folder``, for which Spark gives no row; hidden ones are left out, as Spark
    does.

    Nothing for folders that are not on this machine.
    """
    root = local_path(folder.path)
    if root is None or not root.is_dir():
        return
    patterns = ["*"] if folder.pattern is None else _without_braces(folder.pattern)
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith((".", "_")) for part in path.relative_to(root).parts)
        named = any(fnmatch(path.name, pattern) for pattern in patterns)
        if not hidden and named and path.is_file() and path.stat().st_size == 0:
            yield path


def empty_file_notes(folders: Iterable[SourceFolder]) -> list[str]:
    """A sentence for every empty file in ``folders``, and one for those beyond the first twenty."""
    found = [path for folder in folders for path in empty_files(folder)]
    notes = [f"{path} is empty: it gives no row" for path in found[:_MOST_NAMED]]
    if len(found) > _MOST_NAMED:
        notes.append(f"{len(found) - _MOST_NAMED} more source files are empty")
    return notes


def _without_braces(pattern: str) -> list[str]:
    """Hadoop's ``{a,b}`` written out as patterns without it."""
    found = re.search(r"\{([^{}]*)\}", pattern)
    if found is None:
        return [pattern]
    start, end = found.span()
    return [
        whole for choice in found[1].split(",") for whole in _without_braces(pattern[:start] + choice + pattern[end:])
    ]
