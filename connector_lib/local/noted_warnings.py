"""What ``connector_lib`` warns about while a pipeline's files run, kept for the report."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["recording_warnings"]


@contextmanager
def recording_warnings() -> Iterator[list[str]]:
    """Gives a list to which every warning in the log of ``connector_lib`` is added inside the ``with`` block, once.

    Without a handler such as this one, Python prints them between the lines of the progress.

    >>> with recording_warnings() as notes:
    ...     logging.getLogger("connector_lib.flows").warning("the setting '%s' has no effect here", "x")
    >>> notes
    ["the setting 'x' has no effect here"]
    """
    notes: list[str] = []
    handler = _Notes(notes)
    logger = logging.getLogger("connector_lib")
    logger.addHandler(handler)
    try:
        yield notes
    finally:
        logger.removeHandler(handler)


class _Notes(logging.Handler):
    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._notes:
            self._notes.append(text)
