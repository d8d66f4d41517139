"""Two weeks of an API: inserts, updates, deletes, ties, late rows, and runs that crash. What the data source read,
batch by batch as Spark asks for it, is what the API has."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_lib.connector.interface import Offset
from connector_lib.datasource.connect import OptionsWithoutCase, ReadRequest, SourceOptions
from connector_lib.datasource.stream import TableStreamReader
from connector_lib.testing.instants import instant_text
from connector_lib.testing.records_api import Paging, RecordsApi, RecordsTable
from connector_lib.testing.records_source import RecordsSource

START = datetime(2026, 3, 1, tzinfo=timezone.utc)
LAG = timedelta(hours=2)
COLUMNS = {"id": "string", "updated": "timestamp", "note": "long"}

KEYS = st.integers(0, 9)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.lists(KEYS, min_size=1, max_size=5, unique=True)),
        st.tuples(st.just("put late"), st.lists(KEYS, min_size=1, max_size=2, unique=True)),
        st.tuples(st.just("delete"), st.lists(KEYS, min_size=1, max_size=2, unique=True)),
        st.tuples(st.just("wait"), st.sampled_from([[1], [3], [24]])),
        st.tuples(st.just("run"), st.sampled_from([[], [0], [1], [3]])),
    ),
    # Short ones crash nowhere.
    min_size=30,
    max_size=60,
)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Follower:
    """A stream as Spark runs it: it writes the end of a batch down, reads the batch, and writes down that it has it.
    A run that crashes has not; the next one reads the batch again, whole, and nothing of the first reading stays."""

    api: RecordsApi
    paging: Paging
    deletes: bool
    rows: list[dict[str, Any]] = field(default_factory=list)
    done: Offset = field(default_factory=dict)
    planned: Offset | None = None

    def run(self, crash_behind: int | None) -> None:
        """One run to the bound; with ``crash_behind`` it crashes when it has read so many rows of a batch."""
        reader = self._reader()
        reader.prepareForTriggerAvailableNow()
        if self.planned is not None and not self._batch(reader, self.planned, None):
            return
        while (end := reader.latestOffset(self.done)) != self.done:
            self.planned = json.loads(json.dumps(end))
            if not self._batch(reader, end, crash_behind):
                return

    def _batch(self, reader: TableStreamReader, end: Offset, crash_behind: int | None) -> bool:
        batch: list[dict[str, Any]] = []
        for partition in reader.partitions(self.done, end):
            worker, part = pickle.loads(pickle.dumps((reader, partition)))
            for records in worker.read(part):
                batch.extend(records.to_pylist())
                if crash_behind is not None and len(batch) > crash_behind:
                    return False
        self.rows.extend(batch)
        self.done, self.planned = end, None
        return True

    def _reader(self) -> TableStreamReader:
        asked = {"tableName": "visits", "isDeleteFlow": str(self.deletes).lower(), "batchRows": "2"}
        options = {"base_url": self.api.url, "paging": self.paging, "lag_seconds": str(int(LAG.total_seconds()))}
        own = SourceOptions.read(asked, where="the simulation")
        request = ReadRequest(
            own,
            "the simulation",
            RecordsSource,
            OptionsWithoutCase(options),
            OptionsWithoutCase({"page_size": "3"}),
        )
        return TableStreamReader(request, RecordsSource(options).get_table_schema("visits", {}))


def scd_type_1(upserts: list[dict[str, Any]], deletes: list[dict[str, Any]]) -> dict[str, int]:
    """The table that the changes give: the latest of a key counts."""
    events = [(row["updated"], deleted, row) for deleted, rows in ((0, upserts), (1, deletes)) for row in rows]
    table: dict[str, int] = {}
    for _, deleted, row in sorted(events, key=lambda event: event[:2]):
        if deleted:
            table.pop(row["id"], None)
        else:
            table[row["id"]] = row["note"]
    return table


@pytest.mark.slow
@pytest.mark.parametrize("paging", ["link", "offset"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_the_target_is_the_source_after_two_weeks(paging: Paging, steps: list[tuple[str, list[int]]]) -> None:
    clock = Clock()
    table = RecordsTable("visits", COLUMNS)
    with RecordsApi([table], paging=paging, page_size=3, now=clock) as api:
        upserts, deletes = Follower(api, paging, deletes=False), Follower(api, paging, deletes=True)
        last: dict[int, datetime] = {}
        for number, (action, values) in enumerate(steps):
            if action == "put":
                api.put("visits", *({"id": str(key), "note": number} for key in values))
                last.update(dict.fromkeys(values, clock.now + timedelta(seconds=1)))
            elif action == "put late":
                # Shown now, and written some time ago; never before what was known of the record already.
                for key in values:
                    at = max(clock.now - LAG + timedelta(minutes=1), last.get(key, START) + timedelta(seconds=1))
                    api.put("visits", {"id": str(key), "note": number, "updated": instant_text(at)})
                    last[key] = at
            elif action == "delete":
                there = {record["id"] for record in api.rows("visits")}
                api.delete("visits", *(str(key) for key in values if str(key) in there))
                last.update(dict.fromkeys(values, clock.now + timedelta(seconds=1)))
            elif action == "wait":
                clock.now += timedelta(hours=values[0])
            else:
                for follower in (upserts, deletes):
                    follower.run(values[0] if values else None)
            # Each step is some seconds after the one before.
            clock.now += timedelta(seconds=10)
        clock.now = max([clock.now, *last.values()]) + LAG + timedelta(minutes=1)
        for follower in (upserts, deletes):
            follower.run(None)
        assert scd_type_1(upserts.rows, deletes.rows) == {one["id"]: one["note"] for one in api.rows("visits")}
        # Nothing was read twice: each row is a version of its own.
        assert len(upserts.rows) == len({(row["id"], row["updated"]) for row in upserts.rows})
