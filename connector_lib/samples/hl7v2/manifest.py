"""What was written: the facts that a test or a benchmark can hold against what it read."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any

__all__ = ["FileRecord", "Manifest"]


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file, by construction and not by reading it again.

    ``framing``, ``line_end`` and ``charset`` are those of its form. ``damage`` is the kind of damage, empty
    for a valid file. ``messages`` are the messages with a readable MSH segment, ``unreadable`` the pieces
    without one, which belong into quarantine. ``families`` and ``kinds`` count the messages by MSH-9.1 and
    by MSH-9.1^MSH-9.2 as they were made, before any damage. ``control_ids`` are MSH-10 of the first and the
    last message as they were made; one when there is one message, none when there is none.
    """

    name: str
    framing: str
    line_end: str
    charset: str
    bytes: int
    messages: int
    unreadable: int
    families: dict[str, int]
    kinds: dict[str, int]
    damage: str = ""
    control_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """All files of one run, in the order in which they were written."""

    seed: int
    files: tuple[FileRecord, ...]

    @property
    def messages(self) -> int:
        """Messages in all files."""
        return sum(file.messages for file in self.files)

    @property
    def unreadable(self) -> int:
        """Pieces in all files that are no messages."""
        return sum(file.unreadable for file in self.files)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files)

    @property
    def families(self) -> dict[str, int]:
        """Messages by family, most frequent first."""
        total: Counter[str] = Counter()
        for file in self.files:
            total.update(file.families)
        return dict(total.most_common())

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON: totals, then the files."""
        return {
            "seed": self.seed,
            "messages": self.messages,
            "unreadable": self.unreadable,
            "bytes": self.bytes,
            "families": self.families,
            "files": [dataclasses.asdict(file) for file in self.files],
        }
