"""The folder that sample files are written into."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from connector_lib.errors import UsageError

__all__ = ["prepare_folder"]


def prepare_folder(folder: Path, patterns: Iterable[str], *, overwrite: bool) -> None:
    """Makes the folder. One with anything in it is refused; with ``overwrite`` its files of ``patterns`` are taken
    away, and all others stay. Raises UsageError."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="name a folder for the sample files")
    folder.mkdir(parents=True, exist_ok=True)
    if not overwrite and any(folder.iterdir()):
        raise UsageError(
            f"the folder {folder} is not empty",
            hint="name another one, or overwrite its sample files with --overwrite",
        )
    for pattern in patterns:
        for old in folder.glob(pattern):
            old.unlink()
