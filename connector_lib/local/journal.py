"""The journal of a warehouse: when each run began, and how it ended.

A run that was killed has a beginning and no end. Its materialized views may be empty: Spark drops a view's
rows before it writes the new ones.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Interruption", "Journal"]


@dataclass(frozen=True, slots=True)
class Interruption:
    """A run of ``pipeline`` that began at ``since`` (ISO 8601) and never ended, and the views it was to
    rebuild.
    """

    pipeline: str
    since: str
    materialized_views: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Journal:
    """Appends to, and reads, the journal file at ``path``: one JSON object a line."""

    path: Path

    def began(self, run: str, pipeline: str, at: str, materialized_views: list[str]) -> None:
        """Notes that the run with the id ``run`` begins to write."""
        self._append({"run": run, "event": "began", "pipeline": pipeline, "at": at, "views": materialized_views})

    def ended(self, run: str, at: str, *, state: str, unfinished_views: list[str]) -> None:
        """Notes that a run has ended, as ``completed``, ``failed`` or ``stopped``, and which views it left
        undone.
        """
        self._append({"run": run, "event": "ended", "at": at, "state": state, "views": unfinished_views})

    def interruptions(self) -> list[Interruption]:
        """The runs whose views may be empty since they did not finish, and that no later run of theirs made
        good.
        """
        open_runs: dict[str, Interruption] = {}
        for entry in self._entries():
            run, views = entry["run"], tuple(entry["views"])
            if entry["event"] == "began":
                pipeline = entry["pipeline"]
                earlier = [found for found in open_runs.values() if found.pipeline == pipeline]
                for key in [key for key, found in open_runs.items() if found.pipeline == pipeline]:
                    del open_runs[key]
                missed = {view for found in earlier for view in found.materialized_views}
                open_runs[run] = Interruption(pipeline, entry["at"], tuple(sorted({*views, *missed})))
            elif run in open_runs:
                began = open_runs.pop(run)
                if views:
                    open_runs[run] = Interruption(began.pipeline, began.since, views)
        return list(open_runs.values())

    def _append(self, entry: dict[str, object]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _entries(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        entries = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                # A run that was killed while it wrote leaves half a line: it had not begun to write tables.
                continue
        return entries
