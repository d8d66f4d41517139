"""What a run on this machine tells the files of a pipeline, besides its settings.

Paths are not settings here: Spark hides a setting in whose value it finds a word such as ``secret`` or ``token``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["LocalRun", "current_local_run", "local_run"]


@dataclass(frozen=True, slots=True)
class LocalRun:
    """A run: the folder in which sources keep what they have to remember until the next run, and the file of
    connections where one was given. Both paths are absolute. To ``secrets`` the files add what no message of the run
    may show."""

    state_folder: Path
    connections: Path | None = None
    secrets: set[str] = field(default_factory=set, repr=False, compare=False)


_current: ContextVar[LocalRun | None] = ContextVar("local_run", default=None)


@contextmanager
def local_run(run: LocalRun) -> Iterator[None]:
    """Says inside the ``with`` block that the files of a pipeline belong to ``run``.

    >>> with local_run(LocalRun(Path("/data/state"))):
    ...     print(current_local_run().state_folder)
    /data/state
    """
    token = _current.set(run)
    try:
        yield
    finally:
        _current.reset(token)


def current_local_run() -> LocalRun | None:
    """The run of the surrounding :func:`local_run`, None outside of one: on Databricks, or under
    ``spark-pipelines``."""
    return _current.get()
