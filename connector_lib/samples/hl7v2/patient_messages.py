"""What follows the header in messages about patients and their stays (HL7 v2 chapter 3, ADT)."""

from __future__ import annotations

from collections.abc import Iterator

from connector_lib.samples.hl7v2.composer import Composer
from connector_lib.samples.hl7v2.segments import (
    account_id,
    al1,
    coverage,
    dg1,
    evn,
    next_of_kin,
    notes,
    patient_ids,
    pd1,
    pid,
    pr1,
    pv1,
    pv2,
    zbe,
    zpi,
)

__all__ = ["merge", "person", "stay"]

_NOTED_SINCE = 270
_STAYS_THAT_BEGIN = frozenset({"A01", "A04", "A08"})
_OUTPATIENT = frozenset({"A04"})


def stay(c: Composer, event: str) -> Iterator[str]:
    """Admission, transfer, discharge, registration, update and their cancellations."""
    yield evn(c, event)
    yield pid(c)
    if c.version >= 230 and c.chance(0.4):
        yield pd1(c)
    if c.version >= _NOTED_SINCE:
        yield from notes(c, 0.1)
    yield from next_of_kin(c)
    yield pv1(c, "O" if event in _OUTPATIENT else "I", discharged=event == "A03")
    if c.chance(0.4):
        yield pv2(c)
    if event in _STAYS_THAT_BEGIN:
        for set_id in range(1, c.number(0, 2) + 1):
            yield (
                f"OBX|{set_id}|NM|{'8302-2^Body height^LN' if set_id == 1 else '29463-7^Body weight^LN'}|"
                f"|{c.number(45, 195)}|{'cm' if set_id == 1 else 'kg'}|||||F"
            )
        yield from al1(c)
        for set_id in range(1, c.number(0, 3) + 1):
            yield dg1(c, set_id)
        if c.chance(0.2):
            yield pr1(c, 1)
        if c.chance(0.5):
            yield from coverage(c)
    if c.version >= 230 and c.chance(0.2):
        yield zbe(c)
    if c.chance(0.1):
        yield zpi(c)


def person(c: Composer, event: str) -> Iterator[str]:
    """A person added or changed in an index of patients."""
    yield evn(c, event)
    yield pid(c)
    if c.chance(0.4):
        yield pd1(c)
    yield from next_of_kin(c)
    yield "PV1|1|N"
    yield from al1(c)
    if c.chance(0.3):
        yield zpi(c)


def merge(c: Composer, event: str) -> Iterator[str]:
    """One patient merged into another: MRG names the one that ends."""
    yield evn(c, event)
    ended = c.any_patient()
    while ended.number == c.patient.number:
        ended = c.any_patient()
    yield pid(c)
    yield f"MRG|{patient_ids(c, ended)}||{account_id(c)}||||{ended.name.partition('~')[0]}"
    if c.chance(0.3):
        yield "PV1|1|N"
