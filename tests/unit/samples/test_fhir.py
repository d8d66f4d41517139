"""Sample FHIR resources: the same from the same seed, whole, and changing from day to day."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector_lib.errors import UsageError
from connector_lib.samples.fhir import (
    FIRST_DAY,
    RESOURCE_TYPES,
    Change,
    Resource,
    sample_changes,
    sample_resources,
    write_ndjson,
)

Key = tuple[str, str]


def by_key(resources: Iterator[Resource]) -> dict[Key, Resource]:
    return {(resource["resourceType"], resource["id"]): resource for resource in resources}


def replayed(changes: list[Change]) -> dict[Key, Resource]:
    state: dict[Key, Resource] = {}
    for change in changes:
        if change.resource is None:
            del state[change.resource_type, change.id]
        else:
            state[change.resource_type, change.id] = change.resource
    return state


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "reference" in node:
            yield node["reference"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def test_the_same_seed_gives_the_same_resources_and_another_one_others() -> None:
    assert list(sample_resources(5, seed=3, days=4)) == list(sample_resources(5, seed=3, days=4))
    assert list(sample_resources(5, seed=3)) != list(sample_resources(5, seed=4))


def test_every_type_is_there_and_no_id_comes_twice() -> None:
    resources = list(sample_resources(60, seed=1))
    assert set(RESOURCE_TYPES) == {resource["resourceType"] for resource in resources}
    assert len(by_key(iter(resources))) == len(resources)


def test_every_reference_leads_to_a_resource() -> None:
    resources = list(sample_resources(40, seed=1))
    there = {f"{resource['resourceType']}/{resource['id']}" for resource in resources}
    assert {reference for resource in resources for reference in references(resource)} <= there


def test_more_patients_and_more_days_change_nothing_of_those_that_were_there() -> None:
    few = by_key(sample_resources(5, seed=1))
    assert few.items() <= by_key(sample_resources(9, seed=1)).items()
    assert sample_changes(5, seed=1, days=2) == [
        change for change in sample_changes(5, seed=1, days=6) if change.time < FIRST_DAY + timedelta(days=2)
    ]


@pytest.mark.parametrize("days", [1, 2, 30])
def test_the_changes_of_all_days_lead_to_what_is_there_at_their_end(days: int) -> None:
    assert replayed(sample_changes(25, seed=2, days=days)) == by_key(sample_resources(25, seed=2, days=days))


def test_the_days_bring_new_changed_deleted_and_restored_resources() -> None:
    changes = sample_changes(40, seed=1, days=12)
    first = {(change.resource_type, change.id) for change in changes if change.time < FIRST_DAY + timedelta(days=1)}
    kinds: Counter[str] = Counter()
    there: set[Key] = set()
    gone: set[Key] = set()
    for change in changes:
        key = (change.resource_type, change.id)
        if change.resource is None:
            kinds["deleted"] += 1
            there.remove(key)
            gone.add(key)
        else:
            kinds["changed" if key in there else "restored" if key in gone else "new"] += (
                key not in first or key in gone
            )
            kinds["moved"] += key in there and key[0] == "Patient"
            there.add(key)
    assert min(kinds[kind] for kind in ("new", "changed", "deleted", "restored", "moved")) > 0, kinds


def test_a_patient_who_leaves_takes_everything_along() -> None:
    resources = list(sample_resources(60, seed=1, days=12))
    there = {resource["id"] for resource in resources if resource["resourceType"] == "Patient"}
    assert 0 < len(there) < 60
    shared = {"Organization", "Location", "Practitioner"}
    owners = {resource["id"].split("-")[0] for resource in resources if resource["resourceType"] not in shared}
    assert owners == there


def test_what_a_patient_has_on_the_first_day_is_written_at_one_time() -> None:
    times = {change.time for change in sample_changes(7, seed=1) if change.id.startswith("pat")}
    assert len(times) == 7


def test_every_change_of_a_day_is_in_its_morning() -> None:
    for change in sample_changes(40, seed=1, days=10):
        assert (change.time - FIRST_DAY) % timedelta(days=1) < timedelta(hours=12)


@pytest.mark.parametrize(("patients", "days"), [(-1, 1), (1, 0)])
def test_fewer_than_none_is_refused(patients: int, days: int) -> None:
    with pytest.raises(UsageError):
        sample_resources(patients, days=days)
    with pytest.raises(UsageError):
        sample_changes(patients, days=days)


def test_files_hold_the_resources_line_by_line(tmp_path: Path) -> None:
    counts = write_ndjson(tmp_path / "fhir", 6, seed=1, days=3)
    files = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in (tmp_path / "fhir").iterdir()}
    assert {kind: len(lines) for kind, lines in files.items()} == counts
    lines = [json.loads(line) for kind in files for line in files[kind]]
    assert by_key(iter(lines)) == by_key(sample_resources(6, seed=1, days=3))


def test_a_folder_with_something_in_it_needs_overwrite(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        write_ndjson(tmp_path, 2)
    write_ndjson(tmp_path, 30, seed=1, overwrite=True)
    counts = write_ndjson(tmp_path, 0, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"note.txt", *(f"{kind}.ndjson" for kind in counts)}
