"""A streaming query over one or several sources with its checkpoint, as Spark keeps it, without Spark."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from typing import Any, TypeAlias

from tests.unit.simulation.story import Stop

__all__ = ["KilledError", "Row", "StreamingQuery"]

Row: TypeAlias = dict[str, Any]
MakeReader: TypeAlias = Callable[[], Any]
"""Makes the reader of a stream: the data source does that anew for each run, and for each worker."""


class KilledError(Exception):
    """What ends a run that is killed."""


class StreamingQuery:
    """One flow that unites several sources, each given by what makes its reader.

    The checkpoint has the ``logged`` ends of batches, a text for each source; the table behind it the rows of every
    batch that was committed, by source, in ``sink``. A batch that is logged and not committed is what the next run
    begins with. A table takes the rows of a batch all at once, when it is committed.
    """

    def __init__(self, **sources: MakeReader) -> None:
        self._sources = sources
        self.logged: list[dict[str, str]] = []
        self.sink: list[dict[str, list[Row]]] = []

    def ends(self, number: int) -> dict[str, Any]:
        """The offsets at which the batch ``number`` ends."""
        return {name: json.loads(text) for name, text in self.logged[number].items()}

    def run(
        self,
        stop: Stop | None = None,
        *,
        batch_begins: Callable[[], None] = lambda: None,
        batch_is_read: Callable[[dict[str, list[Row]]], None] = lambda _: None,
    ) -> None:
        """A run with the trigger ``availableNow``. Raises KilledError where it is killed, and what a source raises.

        ``batch_begins`` is called before a batch is read, ``batch_is_read`` with its rows before it is committed.
        """
        readers = {name: make() for name, make in self._sources.items()}
        workers = {name: pickle.loads(pickle.dumps(make())) for name, make in self._sources.items()}
        for reader in readers.values():
            reader.prepareForTriggerAvailableNow()
        while True:
            done = len(self.sink)
            start = self.ends(done - 1) if done else {name: each.initialOffset() for name, each in readers.items()}
            if len(self.logged) == done:
                end = {name: json.dumps(each.latestOffset(start[name], None)) for name, each in readers.items()}
                if end == {name: json.dumps(offset) for name, offset in start.items()}:
                    return
                _kill_at("before the log", stop)
                self.logged.append(end)
                for name, reader in readers.items():
                    # Spark says so of a batch when the next one is logged, and not before.
                    reader.commit(start[name])
            _kill_at("after the log", stop)
            batch_begins()
            end_of_batch = self.ends(done)
            rows: dict[str, list[Row]] = {}
            for name, reader in readers.items():
                rows[name] = []
                partitions = pickle.loads(pickle.dumps(list(reader.partitions(start[name], end_of_batch[name]))))
                for partition in partitions:
                    for piece in workers[name].read(partition):
                        rows[name] += piece.to_pylist()
                        _kill_at("half-way", stop)
            _kill_at("before the commit", stop)
            batch_is_read(rows)
            self.sink.append(rows)


def _kill_at(place: Stop, stop: Stop | None) -> None:
    if place == stop:
        raise KilledError
