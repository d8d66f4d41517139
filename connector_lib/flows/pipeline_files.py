"""Files that lie beside a pipeline: found from the file that asks for them, wherever the pipeline runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from connector_lib.errors import ConfigurationError

__all__ = ["calling_file", "find_beside", "required_beside"]

_SPEC_FILES: Final = ("spark-pipeline.yml", "spark-pipeline.yaml")
_LEVELS: Final = 3
"""How many folders above a file belong to its pipeline, where no spec file says which is the uppermost."""


def calling_file(frame: FrameType | None) -> Path | None:
    """The file whose code runs in ``frame``; None where that is no file, as in a notebook."""
    if frame is None:
        return None
    file = Path(frame.f_code.co_filename)
    return file if file.is_file() else None


def required_beside(path: str | Path, caller: Path | None) -> Path:
    """The file ``path``, absolute or beside the pipeline that ``caller`` belongs to.

    Raises :class:`~connector_lib.errors.ConfigurationError` that names the folders that were looked at.
    """
    found = find_beside(path, caller)
    if found is not None:
        return found
    folders = ["as it is"] if Path(path).is_absolute() else [f"'{folder}'" for folder in _folders(caller)]
    raise ConfigurationError(
        f"the file '{path}' is not there",
        hint=f"put it beside spark-pipeline.yml, or give its absolute path; looked for in {', '.join(folders[:4])}",
    )


def find_beside(path: str | Path, caller: Path | None) -> Path | None:
    """The absolute path of the file ``path``, None where it is not there.

    A relative one is looked for in the folder of ``caller`` and those above it up to the one with spark-pipeline.yml,
    in the working folder, and in the folders that Python imports from: on Databricks the root folder of a pipeline is
    one of these, and the working folder is that of the file that runs
    (https://docs.databricks.com/aws/en/files/cwd-dbr-14).
    """
    wanted = Path(path).expanduser()
    candidates = [wanted] if wanted.is_absolute() else [folder / wanted for folder in _folders(caller)]
    return next((candidate.absolute() for candidate in candidates if candidate.is_file()), None)


def _folders(caller: Path | None) -> list[Path]:
    own = list(_up_to_root(caller.absolute())) if caller is not None else []
    imported = [Path(entry) for entry in sys.path if entry]
    return list(dict.fromkeys((*own, Path.cwd(), *imported)))


def _up_to_root(file: Path) -> Iterator[Path]:
    for folder in list(file.parents)[:_LEVELS]:
        yield folder
        if any((folder / name).is_file() for name in _SPEC_FILES):
            return
