"""Two weeks of a source and of the runs that follow it: after every run the tables are what the source was.

People are inserted, changed, deleted and made again, at equal times, at the very time up to which was read, and late;
runs are killed at every place, meet failing requests, and a source that is written to while they read. Server and
connectors are the real ones; the streaming query and its checkpoint are Spark's in plain Python, and AUTO CDC is the
model that the tests of the flows compare Spark with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given

from connector_lib.datasource.stream import TableStreamReader
from connector_lib.errors import SourceError
from connector_lib.testing.instants import instant
from connector_lib.testing.records_api import Paging
from tests.auto_cdc_model import Change, Version, all_versions, latest_names
from tests.unit.simulation.clinics import CallsSource, Clinic, FhirClinic, RecordsClinic, microseconds
from tests.unit.simulation.story import Day, Run, stories, two_weeks
from tests.unit.simulation.streaming_query import KilledError, Row, StreamingQuery


class Simulation:
    """A clinic, and the query that follows its people: upserts and deletes in one flow, as pipelines have it."""

    def __init__(self, clinic: Clinic, *, with_deletes: bool, same_batch_again: bool) -> None:
        self.clinic = clinic
        self.with_deletes = with_deletes
        self.same_batch_again = same_batch_again
        requests = {"upserts": clinic.request()}
        if with_deletes:
            requests["deletes"] = clinic.request(isDeleteFlow="true")
        self.query = StreamingQuery(
            **{name: partial(TableStreamReader, request, clinic.columns()) for name, request in requests.items()}
        )
        self.taken: set[tuple[str, Change]] = set()
        """The changes that the source showed to the batches that were committed."""
        self.nights: dict[int, dict[str, str | None]] = {}
        """By the time up to which a run had read everything, what the source was then."""

    def live(self, day: Day) -> None:
        for write in day.writes:
            self.clinic.apply(write, self._border("deletes" if write.name is None else "upserts"))
        self.clinic.clock.advance(day.run.seconds)
        completed = self._run(day.run)
        self._check_tables()
        if completed:
            self._check_source(day.run)

    def end(self) -> None:
        """The source rests, and a run that nothing disturbs reads the rest."""
        self.live(Day((), Run(self.clinic.lag + 2)))
        assert self.clinic.truth.newest() < (self._read_until() or 1)

    def log(self) -> dict[str, list[Change]]:
        """The change log by key."""
        log: dict[str, list[Change]] = {}
        for arrived, batch in enumerate(self.query.sink):
            for key, change in self._changes(batch, arrived):
                log.setdefault(key, []).append(change)
        return log

    def _run(self, run: Run) -> bool:
        """Whether it came to its end."""
        server = self.clinic.server
        if run.fails_at is not None:
            server.fail("503", at=run.fails_at)
        for number, write in run.meanwhile:
            server.before(partial(self.clinic.apply, write, None), at=number)
        try:
            self.query.run(run.stop, batch_begins=self._batch_begins, batch_is_read=self._batch_is_read)
        except KilledError:
            return False
        except SourceError as error:
            # What was written meanwhile moves records over the borders of counted pages: an error, and no loss.
            if "503" not in error.message and not run.meanwhile:
                raise
            return False
        finally:
            server.reset()
        return True

    def _batch_begins(self) -> None:
        self._shown = self._visible()

    def _visible(self) -> set[tuple[str, Change]]:
        ends = self.query.ends(-1)
        visible = self.clinic.truth.shown(_until(ends["upserts"]))
        if "deletes" not in ends:
            return {(key, change) for key, change in visible if not change.deleted}
        deletes = self.clinic.truth.shown(_until(ends["deletes"]))
        return {each for each in visible if not each[1].deleted} | {each for each in deletes if each[1].deleted}

    def _batch_is_read(self, batch: Mapping[str, list[Row]]) -> None:
        """Of what the source showed below the bound nothing is missing, and there is nothing that it did not show."""
        rows = {(key, change) for key, change in self._changes(batch, 0)}
        certain = self._shown & self._visible()
        possible = self.clinic.truth.every(microseconds(self.clinic.clock()) + 1_000_000)
        possible |= self.clinic.truth.early_deletes()
        if self._shown == certain and self.same_batch_again:
            possible = certain
        assert certain <= rows | self.taken
        assert rows <= possible
        self.taken |= certain | rows

    def _in_order(self, key: str) -> list[Change]:
        """The changes of ``key`` that were taken. Of two at one time the one that was written last counts."""
        shown = []
        for number, change in enumerate(self.clinic.truth.changes[key]):
            early = replace(change, sequence=change.sequence - 1)
            shown += [
                replace(each, arrived=number)
                for each in ((early, change) if change.deleted else (change,))
                if (key, each) in self.taken
            ]
        return shown

    def _changes(self, batch: Mapping[str, Iterable[Row]], arrived: int) -> list[tuple[str, Change]]:
        return [
            self.clinic.change(row, deleted=source == "deletes", arrived=arrived)
            for source, rows in batch.items()
            for row in rows
        ]

    def _check_tables(self) -> None:
        """SCD 1 and 2 are those of the changes that the source showed, whatever was read twice and in which order."""
        shown = {key: self._in_order(key) for key in {key for key, _ in self.taken}}
        assert latest_names(self.log()) == latest_names(shown)
        assert all_versions(self.log()) == all_versions(shown)
        if self.same_batch_again:
            every = Counter(each for batch in self.query.sink for each in self._changes(batch, 0))
            assert every <= Counter((key, each) for key, known in self.clinic.truth.changes.items() for each in known)
        for until, rows in self.nights.items():
            assert _as_of(all_versions(self.log()), until) == rows

    def _check_source(self, run: Run) -> None:
        """After a run that came to its end SCD 1 is the source, where all that happened lies before its bound."""
        until = self._read_until()
        if until is None or run.meanwhile or self.clinic.truth.newest() >= until:
            return
        if self.with_deletes:
            assert latest_names(self.log()) == self.clinic.truth.rows()
            self.nights[until - self.clinic.unit] = self.clinic.truth.rows()
            return
        # Without deletes a table keeps who is gone.
        assert latest_names(self.log()).items() >= self.clinic.truth.rows().items()

    def _border(self, source: str) -> int | None:
        """Up to which time the upserts, or the deletes, were read."""
        if not self.query.logged:
            return None
        ends = self.query.ends(-1)
        return _until(ends.get(source, ends["upserts"]))

    def _read_until(self) -> int | None:
        """Up to which time all was read."""
        return min(map(_until, self.query.ends(-1).values())) if self.query.logged else None


def _until(offset: Mapping[str, str]) -> int:
    return instant(offset["until"]) // 1000 if offset else 0


def _as_of(history: Mapping[str, list[Version]], time: int) -> dict[str, str | None]:
    """What a table of SCD type 2 says of a moment."""
    return {
        key: version.name
        for key, known in history.items()
        for version in known
        if version.start <= time and (version.end is None or time < version.end)
    }


def follow(clinic: Clinic, story: tuple[Day, ...], *, with_deletes: bool = True, same_batch_again: bool = True) -> None:
    with clinic:
        simulation = Simulation(clinic, with_deletes=with_deletes, same_batch_again=same_batch_again)
        for day in story:
            simulation.live(day)
        simulation.end()


@pytest.mark.parametrize("paging", ["link", "token", "link_header", "offset", "page"])
@two_weeks
@given(stories(meanwhile=True))
def test_a_table_with_deletes(paging: Paging, story: tuple[Day, ...]) -> None:
    follow(RecordsClinic(paging), story)


@two_weeks
@given(stories(meanwhile=True))
def test_a_table_with_deletes_of_an_api_without_lag(story: tuple[Day, ...]) -> None:
    follow(RecordsClinic(lag=0), story)


@two_weeks
@given(stories(meanwhile=True))
def test_a_table_without_deletes(story: tuple[Day, ...]) -> None:
    follow(RecordsClinic(), story, with_deletes=False)


@two_weeks
@given(stories(meanwhile=True))
def test_a_connector_of_the_five_methods_alone(story: tuple[Day, ...]) -> None:
    follow(RecordsClinic(source=CallsSource), story, same_batch_again=False)


@pytest.mark.parametrize("paging", ["keyset", "links"])
@two_weeks
@given(stories(meanwhile=True))
def test_a_resource_type_of_a_fhir_server(paging: str, story: tuple[Day, ...]) -> None:
    follow(FhirClinic(paging), story)


@two_weeks
@given(stories(meanwhile=True))
def test_a_resource_type_whose_last_rows_come_twice(story: tuple[Day, ...]) -> None:
    follow(FhirClinic(hold_back=False), story, same_batch_again=False)
