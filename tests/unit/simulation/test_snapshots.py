"""Two weeks of a source and of the runs that compare its snapshots: after every run the tables are what the source was.

As for changes (:mod:`.test_changes`), but that the source is not written to while a snapshot is read: what is in the
snapshot then is for its API to say.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from pyspark.sql.types import StructField, StructType

from connector_lib.datasource.snapshot_changes import CHANGE_COLUMNS, SnapshotChangesReader
from connector_lib.errors import SourceError
from tests.auto_cdc_model import Change, all_versions, latest_names
from tests.unit.simulation.clinics import Clinic, FhirClinic, RecordsClinic, microseconds
from tests.unit.simulation.story import Day, Run, stories, two_weeks
from tests.unit.simulation.streaming_query import KilledError, StreamingQuery


class Simulation:
    """A clinic, and the query that follows its people by their snapshots."""

    def __init__(self, clinic: Clinic, state: Path) -> None:
        self.clinic = clinic
        request = clinic.request(
            snapshot=True, snapshotChanges="true", stateFolder=str(state), allowEmptySnapshot="true", primaryKeys="id"
        )
        # A row that is gone has its key alone.
        people = [StructField(column.name, column.dataType, True) for column in clinic.columns()]
        columns = StructType([*people, *CHANGE_COLUMNS.fields])
        self.query = StreamingQuery(changes=partial(SnapshotChangesReader, request, columns))
        self.snapshots: list[tuple[int, dict[str, str | None]]] = []
        """What the source was when the snapshot of each batch was taken, and the time of that."""

    def live(self, day: Day) -> None:
        for write in day.writes:
            self.clinic.apply(write, None)
        self.clinic.clock.advance(day.run.seconds)
        completed = self._run(day.run)
        if len(self.query.logged) > len(self.snapshots):
            time = datetime.fromisoformat(self.query.ends(-1)["changes"]["time"])
            self.snapshots.append((microseconds(time), self.clinic.truth.rows()))
        self._check_tables()
        if completed:
            assert latest_names(self.log()) == self.clinic.truth.rows()

    def log(self) -> dict[str, list[Change]]:
        """The change log by key."""
        log: dict[str, list[Change]] = {}
        for arrived, batch in enumerate(self.query.sink):
            changes = [self.clinic.change(row, deleted=row["_deleted"], arrived=arrived) for row in batch["changes"]]
            assert len(dict(changes)) == len(changes), "a snapshot changes a row once"
            for key, change in changes:
                log.setdefault(key, []).append(change)
        return log

    def _run(self, run: Run) -> bool:
        """Whether it came to its end."""
        server = self.clinic.server
        if run.fails_at is not None:
            server.fail("503", at=run.fails_at)
        try:
            self.query.run(run.stop)
        except KilledError:
            return False
        except SourceError as error:
            if "503" not in error.message:
                raise
            return False
        finally:
            server.reset()
        return True

    def _check_tables(self) -> None:
        """The tables are those of the snapshots whose batches were committed, one after the other."""
        committed = self.snapshots[: len(self.query.sink)]
        assert latest_names(self.log()) == (committed[-1][1] if committed else {})
        history: dict[str, list[Change]] = {}
        for time, rows in committed:
            for key in {*history, *rows}:
                history.setdefault(key, []).append(Change(time, rows.get(key), deleted=key not in rows))
        assert all_versions(self.log()) == all_versions(history)


def follow(clinic: Clinic, story: tuple[Day, ...]) -> None:
    with clinic, TemporaryDirectory() as state:
        simulation = Simulation(clinic, Path(state))
        for day in story:
            simulation.live(day)
        simulation.live(Day((), Run(0)))


@pytest.mark.parametrize("paging", ["link", "page"])
@two_weeks
@given(stories(meanwhile=False))
def test_a_table_of_snapshots(paging: str, story: tuple[Day, ...]) -> None:
    follow(RecordsClinic("link" if paging == "link" else "page"), story)


@two_weeks
@given(stories(meanwhile=False))
def test_a_resource_type_of_a_fhir_server_by_snapshots(story: tuple[Day, ...]) -> None:
    follow(FhirClinic(), story)
