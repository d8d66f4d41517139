"""Search parameters match as the FHIR R4 chapter on search says."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.testing.fhir_search import PARAMETERS, SearchError, search, time_range
from connector_lib.testing.fhir_store import FhirStore, instant

OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "category": [{"coding": [{"system": "http://cat", "code": "laboratory"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}, {"system": "http://local", "code": "HB"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-03-05T10:00:00+01:00",
}
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p1",
    "active": True,
    "identifier": [{"system": "http://mrn", "value": "0001"}],
    "name": [{"family": "Müller", "given": ["Zoë", "Ann"]}],
    "gender": "female",
    "birthDate": "1980-04",
}
ENCOUNTER: dict[str, Any] = {
    "resourceType": "Encounter",
    "id": "e1",
    "class": {"system": "http://act", "code": "AMB"},
    "period": {"start": "2026-03-05", "end": "2026-03-07"},
}


def matches(resource: dict[str, Any], **query: str) -> bool:
    kind = resource["resourceType"]
    store = FhirStore([resource])
    return bool(search(kind, store.current(kind), [(name.replace("__", "-"), value) for name, value in query.items()]))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"code": "718-7"}, True),
        ({"code": "http://loinc.org|718-7"}, True),
        ({"code": "http://local|718-7"}, False),
        ({"code": "http://local|"}, True),
        ({"code": "|718-7"}, False),
        ({"code": "1-1,HB"}, True),
        ({"code": "718"}, False),
        ({"category": "laboratory", "status": "final"}, True),
        ({"category": "laboratory", "status": "amended"}, False),
        ({"subject": "Patient/p1"}, True),
        ({"patient": "p1"}, True),
        ({"patient": "p"}, False),
        ({"date": "2026-03-05"}, True),
        ({"date": "ge2026-03-05T09:00:00Z"}, True),
        ({"date": "gt2026-03-05T09:00:00Z"}, False),
        ({"date": "lt2026-03-05"}, False),
    ],
)
def test_an_observation_is_found_by_codes_references_and_dates(query: dict[str, str], found: bool) -> None:
    assert matches(OBSERVATION, **query) is found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"family": "mül"}, True),
        ({"family:exact": "mül"}, False),
        ({"family:exact": "Müller"}, True),
        ({"given": "ann"}, True),
        ({"name": "zoë"}, True),
        ({"active": "true"}, True),
        ({"identifier": "http://mrn|0001"}, True),
        ({"identifier": "0001"}, True),
        ({"birthdate": "1980"}, True),
        ({"birthdate": "1980-04-05"}, False),
        ({"birthdate": "ne1981"}, True),
        ({"_id": "p0,p1"}, True),
    ],
)
def test_a_patient_is_found_by_names_identifiers_and_a_rough_birth_date(query: dict[str, str], found: bool) -> None:
    assert matches(PATIENT, **query) is found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2026-03-06", False),
        ("2026-03", True),
        ("ge2026-03-06", True),
        ("ge2026-03-07", False),
        ("gt2026-03-07", False),
        ("sa2026-03-04", True),
        ("sa2026-03-05", False),
        ("eb2026-03-08", True),
        ("eb2026-03-07", False),
        ("le2026-03-06", True),
    ],
)
def test_a_period_is_compared_as_a_range(value: str, found: bool) -> None:
    assert matches(ENCOUNTER, date=value) is found


def test_every_parameter_of_a_type_can_be_asked_for() -> None:
    for kind, parameters in PARAMETERS.items():
        for name, parameter in parameters.items():
            assert search(kind, [], [(name, "2026" if parameter.kind == "date" else "x")]) == []


@pytest.mark.parametrize("text", ["", "26", "2026-1-1", "2026-02-30", "2026-01-01T25:00", "2026-01-01 00:00:00+00:00"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(SearchError):
        time_range(text)


def test_sorting_is_by_time_and_then_by_id() -> None:
    store = FhirStore()
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    for name, seconds in (("b", 0), ("c", 5), ("a", 0)):
        store.put({"resourceType": "Patient", "id": name}, at=now + timedelta(seconds=seconds))
    current = store.current("Patient")
    assert [version.id for version in search("Patient", current, [], "_lastUpdated,_id")] == ["a", "b", "c"]
    assert [version.id for version in search("Patient", current, [], "-_lastUpdated,-_id")] == ["c", "b", "a"]


times = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(2050, 1, 1),  # noqa: DTZ001
    timezones=st.just(timezone.utc),
).map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))


@given(times, times, times)
def test_windows_that_meet_hold_every_resource_exactly_once(first: datetime, second: datetime, time: datetime) -> None:
    store = FhirStore()
    store.put({"resourceType": "Patient", "id": "p"}, at=time)
    current = store.current("Patient")
    low, high = instant(min(first, second)), instant(max(first, second))
    windows = [
        [("_lastUpdated", f"lt{low}")],
        [("_lastUpdated", f"ge{low}"), ("_lastUpdated", f"lt{high}")],
        [("_lastUpdated", f"ge{high}")],
    ]
    assert [len(search("Patient", current, window)) for window in windows].count(1) == 1
