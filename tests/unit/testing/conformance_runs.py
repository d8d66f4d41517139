"""Runs the checks of a connector without pytest's report: which of them fail?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connector_lib.connector.interface import LakeflowConnect, Record
from connector_lib.testing.conformance import ConnectorConformance
from connector_lib.testing.conformance.subject import Subject
from tests.unit.testing.journals import Journal, JournalSource

FEW_FAULTS = ("503", "403", "truncated JSON", "next link to another port", "next link outside the base path")
"""Enough to tell connectors from one another; the example connector meets all."""


class JournalSubject(Subject):
    """A connector of the file. Without a server, so checks over the wire are skipped."""

    source: ClassVar[type[LakeflowConnect]] = JournalSource
    secrets: ClassVar[Sequence[str]] = ("hush hush",)

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "journal.json", _fill)

    def connector(self) -> LakeflowConnect:
        return self.source({"path": str(self.journal.path), "password": "hush hush"})

    def expected(self, table: str) -> list[Record]:
        return self.journal.records(table)

    def expected_deletes(self, table: str) -> list[Record]:
        return self.journal.deletes(table)

    def change(self, table: str) -> None:
        number = len(self.journal.records(table))
        self.journal.put(table, {"id": f"new {number}", "ward": "east"})
        if table != "notes":
            self.journal.put(table, {"id": "last", "ward": f"moved {number}"})
        if table == "visits":
            self.journal.delete(table, self.journal.records(table)[0]["id"])


class JournalSample(JournalSubject, ConnectorConformance):
    """All checks but those on Spark, which are in tests/spark/testing."""

    def session(self) -> Any:
        pytest.skip("no Spark in tests/unit")


def _fill(journal: Journal) -> None:
    for table in ("visits", "labs", "notes", "wards"):
        journal.put(table, {"id": "first", "ward": "north"})
        # Six with one time, over the border of a batch of three.
        journal.put(table, *({"id": f"tie {number}", "ward": "south"} for number in range(6)))
        journal.put(table, {"id": "last", "ward": "north"})
    for key in ("tie 1", "tie 3", "first"):
        journal.delete("visits", key)


def failed_checks(sample: Callable[[], ConnectorConformance]) -> dict[str, str]:
    """The names of the checks that fail, with what they say. Each runs on a sample of its own."""
    failed: dict[str, str] = {}
    for name, arguments in _checks(ConnectorConformance):
        subject = sample()
        try:
            getattr(subject, name)(**arguments)
        except pytest.skip.Exception:
            continue
        except AssertionError as error:
            failed.setdefault(name, str(error))
    return failed


def _checks(suite: type[ConnectorConformance]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in dir(suite):
        if not name.startswith("test_"):
            continue
        marks = [mark for mark in getattr(getattr(suite, name), "pytestmark", []) if mark.name == "parametrize"]
        choices = [[(mark.args[0], value) for value in mark.args[1]] for mark in marks]
        for arguments in map(dict, itertools.product(*choices)):
            if "place" not in arguments or arguments["name"] in FEW_FAULTS:
                yield name, arguments
