"""The days of sample patients: what is there on the first one, and what changes on each that follows.

A patient's days follow from the seed and the patient's number alone, so that more patients or more days change nothing
of those that were there.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

from connector_lib.errors import UsageError
from connector_lib.samples.fhir.resources import (
    Resource,
    corrected,
    moved,
    past_visits,
    patient,
    shared_resources,
    visit,
)
from connector_lib.samples.hl7v2.composer import random_source

__all__ = ["FIRST_DAY", "Change", "sample_changes", "sample_resources"]

FIRST_DAY: Final = datetime(2026, 1, 1, tzinfo=timezone.utc)
"""When the first day begins. All times of changes are behind it, all visits of the first day before it."""
_DAY: Final = timedelta(days=1)
_VISITS: Final = 0.3
_MOVES: Final = 0.08
_CORRECTIONS: Final = 0.15
_DELETIONS: Final = 0.12
_RESTORATIONS: Final = 0.3
_DEPARTURES: Final = 0.01
"""How likely each is for a patient on a day: a visit, a new address, a corrected observation, a deleted one, its coming
back, and the deletion of the patient with all that belongs to them."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write, or one delete where ``resource`` is None. ``time`` is in whole milliseconds, UTC."""

    time: datetime
    resource_type: str
    id: str
    resource: Resource | None


def sample_resources(patients: int, seed: int = 0, *, days: int = 1) -> Iterator[Resource]:
    """Yields the resources that are there at the end of day ``days``: shared ones, then patient by patient.

    Raises :class:`~connector_lib.errors.UsageError` for fewer than 0 patients or 1 day.

    >>> [resource["resourceType"] for resource in sample_resources(1, seed=1)][-3:]
    ['Observation', 'Observation', 'Observation']
    """
    _check(patients, days)
    return _resources(patients, seed, days)


def sample_changes(patients: int, seed: int = 0, *, days: int = 1) -> list[Change]:
    """Every write and delete from the first day to the end of day ``days``, in the order of time.

    What a patient has on the first day is written at one time. All changes are in memory at once.

    Raises :class:`~connector_lib.errors.UsageError` for fewer than 0 patients or 1 day.

    >>> changes = sample_changes(20, seed=1, days=3)
    >>> [change.time.day for change in changes] == sorted(change.time.day for change in changes)
    True
    >>> any(change.resource is None for change in changes)
    True
    """
    _check(patients, days)
    changes = [_written(FIRST_DAY, resource) for resource in shared_resources()]
    for number in range(1, patients + 1):
        changes.extend(_Life(seed, number).changes(days))
    return sorted(changes, key=lambda change: change.time)


def _check(patients: int, days: int) -> None:
    if patients < 0:
        raise UsageError(f"{patients} patients cannot be made", hint="give 0 or more")
    if days < 1:
        raise UsageError(f"{days} days cannot be made", hint="give 1 or more")


def _resources(patients: int, seed: int, days: int) -> Iterator[Resource]:
    yield from shared_resources()
    for number in range(1, patients + 1):
        life = _Life(seed, number)
        for _ in life.changes(days):
            # The resources that are left are what counts.
            continue
        yield from life.there.values()


class _Life:
    """The resources of one patient, day by day."""

    def __init__(self, seed: int, number: int) -> None:
        self._chance: random.Random = random_source(f"{seed} FHIR patient {number}")
        self._patient = patient(self._chance, number)
        self._visits = 0
        self._deleted: list[Resource] = []
        self.there: dict[tuple[str, str], Resource] = {}

    def changes(self, days: int) -> Iterator[Change]:
        for day in range(days):
            begin = FIRST_DAY + day * _DAY
            time = begin + timedelta(milliseconds=self._chance.randrange(1, 8 * 3600 * 1000))
            for change in self._first_day(time) if day == 0 else self._day(time):
                key = (change.resource_type, change.id)
                if change.resource is None:
                    self.there.pop(key)
                else:
                    self.there[key] = change.resource
                yield change

    def _first_day(self, time: datetime) -> Iterator[Change]:
        yield _written(time, self._patient)
        for resource in past_visits(self._chance, self._patient, FIRST_DAY):
            self._visits += resource["resourceType"] == "Encounter"
            yield _written(time, resource)

    def _day(self, time: datetime) -> Iterator[Change]:
        visits, moves, corrects, deletes, restores, departs = (self._chance.random() for _ in range(6))
        if not self.there:
            return
        if departs < _DEPARTURES:
            yield from [_deleted(time, resource) for resource in self.there.values()]
            self._deleted.clear()
            return
        if moves < _MOVES:
            self._patient = moved(self._chance, self._patient)
            yield _written(time, self._patient)
        if restores < _RESTORATIONS and self._deleted:
            yield _written(time + timedelta(minutes=5), self._deleted.pop())
        if corrects < _CORRECTIONS and self._observations():
            before = self._chance.choice(self._observations())
            yield _written(time + timedelta(minutes=10), corrected(self._chance, before))
        if deletes < _DELETIONS and self._observations():
            gone = self._chance.choice(self._observations())
            self._deleted.append(gone)
            yield _deleted(time + timedelta(minutes=20), gone)
        if visits < _VISITS:
            self._visits += 1
            start = time + timedelta(hours=1)
            for number, resource in enumerate(visit(self._chance, self._patient, self._visits, start)):
                yield _written(start + timedelta(minutes=5 * (number // 3)), resource)

    def _observations(self) -> list[Resource]:
        return [resource for (kind, _), resource in self.there.items() if kind == "Observation"]


def _written(time: datetime, resource: Resource) -> Change:
    return Change(time, resource["resourceType"], resource["id"], resource)


def _deleted(time: datetime, resource: Resource) -> Change:
    return Change(time, resource["resourceType"], resource["id"], None)
