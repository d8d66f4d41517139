"""The segments that several kinds of sample message share (HL7 v2 chapters 2, 3, 4, 6 and 7).

Each function gives the text of one segment, or of a few that belong together, in the default separators.
"""

from __future__ import annotations

from collections.abc import Iterator

from connector_lib.samples.hl7v2.composer import DAY, Composer, Patient
from connector_lib.samples.hl7v2.vocabulary import (
    ALLERGIES,
    DIAGNOSES,
    FACILITIES,
    INSURERS,
    PROCEDURES,
    RELATIONSHIPS,
    SERVICES,
)

__all__ = [
    "account_id",
    "al1",
    "coverage",
    "dg1",
    "evn",
    "msh",
    "next_of_kin",
    "notes",
    "patient_ids",
    "pd1",
    "pid",
    "pr1",
    "pv1",
    "pv2",
    "zbe",
    "zpi",
]

_LOCAL_MESSAGES_WITHOUT_STRUCTURE = 0.2


def msh(c: Composer, version: str, message_type: str, event: str, structure: str) -> str:
    """The header. MSH-9.3 from 2.3.1, MSH-18 from 2.3, MSH-21 from 2.5."""
    kind = f"{message_type}^{event}" if event else message_type
    if event and c.version >= 231 and not c.chance(_LOCAL_MESSAGES_WITHOUT_STRUCTURE):
        kind = f"{kind}^{structure}"
    if c.version >= 231 and c.chance(0.05):
        version = f"{version}^USA"
    # Components in MSH-4 and MSH-6 are of type HD, which came with 2.3.
    facility = c.facility if c.version >= 230 else c.facility.partition("^")[0]
    sent = c.time(c.now) if c.version >= 230 else c.minute(c.now)
    header = f"MSH|^~\\&|{c.application}|{facility}|SAMPLE_HUB|SAMPLETON|{sent}||{kind}|{c.control_id}|P|{version}"
    if c.version < 230:
        return header
    header = f"{header}|||AL|NE|XXX|{c.charset.declared}||{c.charset.scheme}"
    if c.version >= 250 and c.chance(0.3):
        return f"{header}|SAMPLE_PROFILE^SAMPLE^9.9.99.4^ISO"
    return header if c.chance(0.1) else header.rstrip("|")


def evn(c: Composer, event: str) -> str:
    """The event. EVN-1 is kept by most senders although 2.5 withdrew it."""
    recorded = c.time(c.now)
    if c.version < 230:
        return f"EVN|{event}|{recorded}"
    return (
        f"EVN|{event}|{recorded}||{c.pick(('01', '02', '03', ''))}|{c.provider()}|{c.time(c.now - c.number(0, 7200))}"
    )


def patient_ids(c: Composer, patient: Patient) -> str:
    """PID-3: one id before 2.3, then one to four with authority and type."""
    number = patient.number
    if c.version < 230:
        return number
    ids = f"{number}^^^SAMPLETON&9.9.99.1&ISO^MR"
    if c.chance(0.45):
        ids = f"{ids}~{patient.national_number}^^^SAMPLEGOV^SS"
    if c.chance(0.2):
        ids = f"{ids}~E{number}^^^HUB^PI"
    if c.chance(0.1):
        ids = f"{ids}~D-{number}^^^XX^DL^^{c.date(c.now - 300 * DAY)}^{c.date(c.now + 700 * DAY)}"
    return ids


def account_id(c: Composer) -> str:
    """PID-18."""
    return f"A{c.visit[1:]}" if c.version < 230 else f"A{c.visit[1:]}^^^SAMPLETON^AN"


def pid(c: Composer, set_id: str = "1") -> str:
    """The patient. A few fields are HL7 null (``""``), which means: delete what you have."""
    patient = c.patient
    name = patient.name if c.version >= 230 else f"{patient.family}^{patient.given}"
    address = patient.address if c.version >= 230 else patient.address.rpartition("^")[0].rpartition("^")[0]
    home, work = patient.home_phone, patient.work_phone
    if c.version >= 230:
        home, work = f"{home}^PRN^PH", f"{work}^WPN^PH"
    chance = c.random()
    if chance < 0.05:
        home = '""'
    elif chance < 0.08:
        work = home = '""'
    elif chance < 0.20 and c.version >= 230:
        home = f"{home}~^NET^Internet^{patient.number}@example.org"
    birth = patient.birth if c.chance(0.8) else patient.birth[: c.pick((4, 6))]
    text = (
        f"PID|{set_id}||{patient_ids(c, patient)}||{name}|{patient.mother if c.chance(0.3) else ''}"
        f"|{birth}|{patient.sex}"
        f"||{'2131-1^Other Race^HL70005' if c.version >= 231 else ''}|{address}||{home}|{work}"
        f"|{c.pick(('EN', 'DE', 'JA', ''))}|{c.pick(('S', 'M', 'W', ''))}||{account_id(c)}"
        f"|{c.pick((patient.national_number, '', chr(34) * 2))}"
    )
    if c.chance(0.15):
        return f"{text}|||||||||||"
    if c.version >= 230 and c.chance(0.03):
        died = c.rough_time(c.now - 2 * DAY)
        return f"{text}||||||||||{died}|Y"
    return text


def pd1(c: Composer) -> str:
    """Who looks after the patient (from 2.3)."""
    return f"PD1|||{c.facility.partition('^')[0]}^^9001|{c.provider()}"


def pv1(c: Composer, patient_class: str, *, discharged: bool = False) -> str:
    """The visit."""
    admitted = c.now - c.number(1, 9) * DAY // 4
    prior = c.location() if c.chance(0.2) else ""
    visit = c.visit if c.version < 230 else f"{c.visit}^^^SAMPLETON^VN"
    disposition = c.pick(("01", "02", "06")) if discharged else ""
    return (
        f"PV1|1|{patient_class}|{c.location()}|{c.pick('EURN')}||{prior}|{c.provider()}|{c.provider()}||{c.pick(SERVICES)}"
        f"||||{c.pick('1247')}|||{c.provider()}|{patient_class}P|{visit}|||||||||||||||||{disposition}||||||||{c.time(admitted)}"
        f"|{c.time(c.now) if discharged else ''}"
    )


def pv2(c: Composer) -> str:
    """More about the visit."""
    return f"PV2||SEMI|^{c.comment()}|||||{c.date(c.now)}|{c.date(c.now + 3 * DAY)}|3"


def next_of_kin(c: Composer) -> Iterator[str]:
    """None to two NK1."""
    for set_id in range(1, c.number(0, 2) + 1):
        code, text = c.pick(RELATIONSHIPS)
        relationship = f"{code}^{text}^HL70063" if c.version >= 230 else text
        yield (f"NK1|{set_id}|{c.patient.family}^{c.patient.given}|{relationship}|{c.patient.address}|{c.phone()}||EC")


def al1(c: Composer) -> Iterator[str]:
    """None to three allergies, one reaction or several."""
    for set_id in range(1, c.number(0, 3) + 1):
        kind, code, text, severity, reactions = c.pick(ALLERGIES)
        yield (f"AL1|{set_id}|{kind}|{code}^{text}^99SAM|{severity}|{reactions}|{c.rough_date(c.now - 200 * DAY)}")


def dg1(c: Composer, set_id: int) -> str:
    """A diagnosis."""
    code, text = c.pick(DIAGNOSES)
    when = c.rough_time(c.now - DAY)
    return f"DG1|{set_id}|I10|{code}^{text}^I10|{text}|{when}|{c.pick('AWF')}"


def pr1(c: Composer, set_id: int) -> str:
    """A procedure."""
    code, text = c.pick(PROCEDURES)
    return f"PR1|{set_id}|CPT|{code}^{text}^C4|{text}|{c.time(c.now - DAY)}|D|{c.number(10, 120)}"


def coverage(c: Composer) -> Iterator[str]:
    """GT1, then one to three IN1, some with IN2."""
    patient = c.patient
    yield (
        f"GT1|1|G{patient.number}|{patient.family}^{patient.given}||{patient.address}|{c.phone()}|"
        f"|{patient.birth}|{patient.sex}||SEL"
    )
    for set_id in range(1, c.number(1, 3) + 1):
        code, name = c.pick(INSURERS)
        plan = f"{code}{set_id}^{name} PLAN {set_id}"
        yield (
            f"IN1|{set_id}|{plan}|{code}|{name}|1 Payer Plaza^^SAMPLETON^XX^00100||(999)555-0199"
            f"|GRP{c.number(100, 999)}||||"
            f"{c.date(c.now - 200 * DAY)}|{c.date(c.now + 150 * DAY)}||HMO"
            f"|{patient.family}^{patient.given}|SEL|{patient.birth}"
            f"|{patient.address}|||||||||||||||||P{patient.number}-{set_id}"
        )
        if c.chance(0.5):
            yield f"IN2|{set_id}|{patient.national_number}|||||{c.number(1000, 9999)}"


def notes(c: Composer, probability: float) -> Iterator[str]:
    """With this probability one to three NTE, some with a repeated comment or without a set id."""
    if not c.chance(probability):
        return
    for set_id in range(1, c.number(1, 3) + 1):
        text = f"{c.comment()}~{c.comment()}" if c.chance(0.15) else c.comment()
        yield f"NTE|{set_id}|{c.pick('LPO')}|{text}"


def zpi(c: Composer) -> str:
    """A segment of a site's own: what it adds about the patient, with parts and repetitions of its own."""
    return f"ZPI|1|{c.comment()}|VIP^{c.pick('YN')}|{c.patient.number}&X~{c.control_id}&Y|||{c.date(c.now)}"


def zbe(c: Composer) -> str:
    """A segment known from German and French hospitals: the movement's id, times and action."""
    return (
        f"ZBE|{c.visit[1:]}^SAMPLE|{c.second(c.now - 3600)}|{c.second(c.now)}"
        f"|{c.pick(('INSERT', 'UPDATE', 'REFERENCE'))}||{c.pick(FACILITIES).partition('^')[0]}"
    )
