"""What follows the header in appointments, charges, accounts, answers, queries and tables (chapters 2, 5,
6, 8, 10)."""

from __future__ import annotations

from collections.abc import Iterator

from connector_lib.samples.hl7v2.composer import DAY, Composer
from connector_lib.samples.hl7v2.segments import (
    coverage,
    dg1,
    evn,
    notes,
    patient_ids,
    pid,
    pr1,
    pv1,
)
from connector_lib.samples.hl7v2.vocabulary import (
    APPOINTMENT_REASONS,
    APPOINTMENT_TYPES,
    CHARGES,
    EQUIPMENT,
    SERVICES,
    WARDS,
)

__all__ = ["account", "acknowledgment", "appointment", "charges", "query", "staff_table"]

_STATUS = {"S12": "Booked", "S13": "Booked", "S15": "Cancelled"}


def appointment(c: Composer, event: str) -> Iterator[str]:
    """An appointment with one to three groups of resources: services, equipment, places, persons."""
    start, minutes = c.now + c.number(1, 60) * DAY, c.pick((15, 20, 30, 45, 60))
    reason, reason_text = c.pick(APPOINTMENT_REASONS)
    kind, kind_text = c.pick(APPOINTMENT_TYPES)
    begins, ends = c.time(start), c.time(start + minutes * 60)
    number = c.control_id[-8:]
    yield (
        f"SCH|P{number}^SAMPLE_OE|F{number}^SAMPLE_SCHED|||{c.number(1000, 9999)}"
        f"|{event}^{_STATUS[event]}^HL70276|{reason}^{reason_text}"
        f"|{kind}^{kind_text}|{minutes}|MIN|{'' if c.version >= 250 else f'^^{minutes}^{begins}^{ends}'}"
        f"|{c.provider()}"
        f"|{c.phone()}|||{c.provider()}|{c.phone()}|||{c.provider()}|||||{_STATUS[event]}"
    )
    if c.version >= 250:
        yield f"TQ1|1||||||{begins}|{ends}|R"
    yield from notes(c, 0.4)
    yield pid(c)
    yield pv1(c, "O")
    for group in range(1, c.number(1, 3) + 1):
        yield f"RGS|{group}|A"
        yield from _resources(c, begins, minutes)


def _resources(c: Composer, begins: str, minutes: int) -> Iterator[str]:
    timing = f"{begins}|0|MIN|{minutes}|MIN|NO|BOOKED"
    kinds = c.number(1, 15)
    if kinds & 1:
        yield f"AIS|1|A|{c.pick(SERVICES)}01^Sample service^99SAM|{timing}"
        yield from notes(c, 0.2)
    if kinds & 2:
        code, text = c.pick(EQUIPMENT)
        yield (f"AIG|1|A|{code}^{text}^99SAM|EQ^Equipment||1||{timing.partition('|')[0]}|0|MIN|{minutes}|MIN|NO|BOOKED")
        yield from notes(c, 0.2)
    if kinds & 4:
        yield (
            f"AIL|1|A|{c.pick(WARDS)}^{c.number(1, 40)}^A^SAMPLETON|CL^Clinic|{'' if c.chance(0.5) else 'GRP'}|{timing}"
        )
        yield from notes(c, 0.2)
    if kinds & 8:
        for set_id in range(1, c.number(1, 2) + 1):
            yield f"AIP|{set_id}|A|{c.provider()}|D^Doctor||{timing}"
            yield from notes(c, 0.2)


def charges(c: Composer, event: str) -> Iterator[str]:
    """One to five charges, some with procedure and diagnosis."""
    yield evn(c, event)
    yield pid(c)
    yield pv1(c, c.pick("IO"))
    for set_id in range(1, c.number(1, 5) + 1):
        code, text, price = c.pick(CHARGES)
        count = c.number(1, 3)
        yield (
            f"FT1|{set_id}|T{c.control_id[-8:]}{set_id}|B1|{c.time(c.now - DAY)}|{c.time(c.now)}"
            f"|{c.pick(('CG', 'CG', 'CD'))}|{code}^{text}^C4"
            f"|||{count}|{price * count:.2f}{'&USD' if c.version >= 230 else ''}|{price:.2f}"
            f"|{c.pick(SERVICES)}"
            f"|||||{c.pick('IO')}|I10^Essential hypertension^I10|{c.provider()}"
        )
        if c.version >= 230 and c.chance(0.3):
            yield pr1(c, 1)
    for set_id in range(1, c.number(0, 2) + 1):
        yield dg1(c, set_id)
    if c.chance(0.4):
        yield from coverage(c)


def account(c: Composer, event: str) -> Iterator[str]:
    """A billing account opened: diagnoses, procedures, who pays."""
    yield evn(c, event)
    yield pid(c)
    yield pv1(c, "I")
    for set_id in range(1, c.number(1, 3) + 1):
        yield dg1(c, set_id)
    for set_id in range(1, c.number(0, 2) + 1):
        yield pr1(c, set_id)
    yield from coverage(c)


def acknowledgment(c: Composer, event: str) -> Iterator[str]:
    """An answer to another message: accepted, or refused with the reason."""
    answered = f"{c.prefix}{c.number(0, 99999):08d}"
    if c.chance(0.8):
        yield f"MSA|{c.pick(('AA', 'CA'))}|{answered}"
        return
    yield f"MSA|AE|{answered}|Required field missing"
    if c.version >= 250:
        yield "ERR||PID^1^3|101^Required field missing^HL70357|E||||Sample error, nothing happened"
    elif c.version >= 230:
        yield "ERR|PID^1^3^101&Required field missing&HL70357"


def query(c: Composer, event: str) -> Iterator[str]:
    """A question for a patient's data."""
    yield (
        f"QPD|Q21^Get person demographics^HL70471|Q{c.control_id[-8:]}|{patient_ids(c, c.patient).partition('~')[0]}"
    )
    yield f"RCP|I|{c.number(1, 20)}^RD"


def staff_table(c: Composer, event: str) -> Iterator[str]:
    """Entries of a staff table: added, changed, taken out."""
    yield f"MFI|PRA^Practitioner master file^HL70175||UPD|{c.time(c.now)}||AL"
    for number in range(1, c.number(1, 3) + 1):
        provider = c.provider()
        key, family, given = provider.split("^")[:3]
        yield f"MFE|{c.pick(('MAD', 'MUP', 'MDC'))}|{c.control_id[-8:]}{number}|{c.second(c.now)}|{key}"
        yield f"STF|{key}||{family}^{given}^^^DR|P|{c.pick('FM')}||A|||{c.phone()}"
        yield f"PRA|{key}|SAMPLE GROUP|ST|I|{c.pick(SERVICES)}^Sample specialty"
