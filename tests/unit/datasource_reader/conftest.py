"""A folder that stands for a system, and the data source as Spark uses it, without Spark."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql.datasource import CaseInsensitiveDict

from connector_lib.connector.reading import same_offset
from connector_lib.datasource.source import LakeflowConnectDataSource
from connector_lib.datasource.stream import SupportsTriggerAvailableNow
from tests.folder_system import CONNECTORS, Folder


@pytest.fixture(autouse=True)
def connectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CONNECTORS))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "folder").mkdir()
    return Folder(tmp_path / "folder")


def data_source(**options: Any) -> LakeflowConnectDataSource:
    """The data source as Spark makes it: options as text, names in lower case."""
    given = CaseInsensitiveDict({name: str(value) for name, value in options.items()})
    return LakeflowConnectDataSource(given)


def read_batch(**options: Any) -> list[dict[str, Any]]:
    """The rows of ``spark.read``: planned in one process, read in others."""
    source = data_source(**options)
    reader = source.reader(source.schema())
    partitions = list(reader.partitions())
    worker = pickle.loads(pickle.dumps(reader))
    return [row for part in partitions for row in rows(worker.read(pickle.loads(pickle.dumps(part))))]


class Stream:
    """A streaming query with its checkpoint, as Spark keeps it: the batches that were logged, and how many are done."""

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.ends: list[str] = []
        self.committed = 0

    def run(self, **changed: Any) -> list[list[dict[str, Any]]]:
        """The batches of one run with the trigger ``availableNow``."""
        return list(self.batches(**changed))

    def batches(self, **changed: Any) -> Iterator[list[dict[str, Any]]]:
        """The batches of a run; one that is not taken up to the next is logged, and not committed."""
        source = data_source(**{**self.options, **changed})
        schema = source.schema()
        worker = pickle.loads(pickle.dumps(source.streamReader(schema)))
        reader: Any = source.streamReader(schema)
        if isinstance(reader, SupportsTriggerAvailableNow):
            reader.prepareForTriggerAvailableNow()
        while True:
            before = json.loads(self.ends[self.committed - 1]) if self.committed else reader.initialOffset()
            if len(self.ends) == self.committed:
                end = reader.latestOffset(before, None)
                if json.dumps(end) == json.dumps(before):
                    return
                assert not same_offset(end, before), "an offset that only looks new is a batch without rows"
                self.ends.append(json.dumps(end))
                # Spark says so of a batch when the next one is logged, and not before.
                reader.commit(before)
            logged = json.loads(self.ends[-1])
            partitions = pickle.loads(pickle.dumps(list(reader.partitions(before, logged))))
            yield [row for part in partitions for row in rows(worker.read(part))]
            self.committed = len(self.ends)


def rows(batches: Iterator[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for batch in batches:
        found += batch.to_pylist() if hasattr(batch, "to_pylist") else [batch]
    return found
