"""Visits to the wards of an invented hospital, as records of a REST API.

>>> [ward["id"] for ward in sample_wards()][:2]
['2WEST', 'ICU']
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2.composer import random_source
from connector_lib.samples.hl7v2.people import ASCII
from connector_lib.samples.hl7v2.vocabulary import DIAGNOSES, WARDS

__all__ = ["sample_visits", "sample_wards"]


def sample_visits(count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yields ``count`` visits: ``id``, ``ward``, ``reason``, ``minutes``, ``cost`` and ``patient``.

    Raises :class:`~connector_lib.errors.UsageError` for fewer than 0.

    >>> sorted(next(sample_visits(1, seed=1)))
    ['cost', 'id', 'minutes', 'patient', 'reason', 'ward']
    """
    if count < 0:
        raise UsageError(f"{count} visits cannot be made", hint="give 0 or more")
    return _visits(count, seed)


def sample_wards() -> list[dict[str, Any]]:
    """The wards: ``id``, ``name`` and ``beds``."""
    return [
        {"id": ward, "name": f"Ward {ward.capitalize()}", "beds": 8 + 4 * number} for number, ward in enumerate(WARDS)
    ]


def _visits(count: int, seed: int) -> Iterator[dict[str, Any]]:
    chance = random_source(f"{seed} visits")
    for number in range(1, count + 1):
        patient = chance.randint(1, max(count // 3, 1))
        minutes = chance.randint(5, 180)
        yield {
            "id": f"v{number:05d}",
            "ward": chance.choice(WARDS),
            "reason": chance.choice(DIAGNOSES)[1],
            "minutes": minutes,
            "cost": round(minutes * 1.75 + chance.randint(0, 80) / 4, 2),
            "patient": {
                "number": f"p{patient:05d}",
                "name": f"{ASCII.given[patient % len(ASCII.given)].strip()} "
                f"{ASCII.family[patient % len(ASCII.family)].strip()}",
            },
        }
