"""Rows of two runs, made comparable: the same messages read at another time and from another folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

__all__ = ["without_folder", "without_times"]

_TIMES: Final = ("_ingest_timestamp", "_file_modified", "__arrived_at", "__tie_break")
"""Of the run and of the file, and the hash of a change, which is of its times too."""


def without_times(rows: list[dict[str, Any]]) -> Counter[str]:
    """How often there is each row, but for times that differ from run to run."""
    return Counter(repr(sorted((k, v) for k, v in row.items() if k not in _TIMES)) for row in rows)


def without_folder(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the name of their file instead of its path."""
    return [{**row, "_source_file": Path(row["_source_file"]).name} for row in rows]
