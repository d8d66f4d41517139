"""The progress of a run on the error stream: one moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from connector_lib.local.observer import RunObserver

__all__ = ["progress_on"]

_ENDED = frozenset({"completed", "failed", "skipped", "stopped"})
_WORKING = frozenset({"planning", "starting", "running"})


@contextmanager
def progress_on(stream: TextIO) -> Iterator[RunObserver]:
    """An observer that shows on ``stream`` what a run does, for the time of the ``with`` block."""
    if not stream.isatty():
        yield _PlainProgress(stream)
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(file=stream, highlight=False)
    with console.status("starting", refresh_per_second=4) as status:
        yield _LiveProgress(
            write=lambda text: console.print(text, markup=False),
            show=lambda text: status.update(escape(text)),
        )


class _PlainProgress(RunObserver):
    """Writes a line for every phase, and for every flow that ends."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._began = clock()

    def phase(self, text: str) -> None:
        """Writes the phase."""
        self._line(text)

    def note(self, text: str) -> None:
        """Writes the note."""
        self._line(f"note: {text}")

    def flow(self, name: str, state: str, seconds: float | None) -> None:
        """Writes a flow that has ended."""
        if state in _ENDED:
            took = "" if seconds is None else f" after {seconds:.1f} s"
            self._line(f"{name}: {state}{took}")

    def _line(self, text: str) -> None:
        self._stream.write(f"{self._clock() - self._began:5.1f} s  {text}\n")
        self._stream.flush()


class _LiveProgress(RunObserver):
    """Keeps one line that says what runs now, above it the flows that have ended."""

    def __init__(self, write: Callable[[str], None], show: Callable[[str], None]) -> None:
        self._write = write
        self._show = show
        self._working: list[str] = []
        self._ended = 0
        self._of = 0

    def phase(self, text: str) -> None:
        """Shows the phase."""
        self._show(text)

    def note(self, text: str) -> None:
        """Writes the note."""
        self._write(f"note: {text}")

    def flows(self, names: list[str]) -> None:
        """Takes the number of flows to come."""
        self._of = len(names)

    def flow(self, name: str, state: str, seconds: float | None) -> None:
        """Writes a flow that has ended, and shows those that run."""
        if state in _WORKING and name not in self._working:
            self._working.append(name)
        if state in _ENDED:
            self._ended += 1
            if name in self._working:
                self._working.remove(name)
            took = "" if seconds is None else f"{seconds:.1f} s"
            self._write(f"  {name:<32} {state:<10} {took}")
        self._show(f"{self._ended} of {self._of}: {', '.join(self._working) or 'waiting'}")
