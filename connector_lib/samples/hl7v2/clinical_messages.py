"""What follows the header in orders, results, medication, immunizations and documents (HL7 v2 chapters 4,
7, 9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connector_lib.samples.hl7v2.composer import DAY, Composer
from connector_lib.samples.hl7v2.segments import al1, dg1, next_of_kin, notes, pd1, pid, pv1, zpi
from connector_lib.samples.hl7v2.vocabulary import (
    ANTIGENS,
    DOCUMENT_TYPES,
    DRUGS,
    FINDING_CODES,
    PANELS,
    REPORT_LINES,
    ROUTES,
    SITES,
    SPECIMENS,
    VACCINES,
    Analyte,
    Panel,
)

__all__ = ["document", "immunization", "medication", "numeric_observation", "orders", "results"]

_TEXT_CODE = "11502-2^Laboratory report^LN"
_OLD_TEXT_CODE = "11502-2^Laboratory report"


def orders(c: Composer, event: str) -> Iterator[str]:
    """One to four orders of a patient: ORM, and OML with timing and specimens."""
    yield pid(c)
    yield from notes(c, 0.15)
    yield pv1(c, c.pick("IOE"))
    if c.chance(0.2):
        yield from al1(c)
    laboratory = event == "O21"
    control = c.pick(("NW", "NW", "NW", "CA", "XO"))
    placer_group = c.number(1000, 9999)
    for number in range(1, c.number(1, 4) + 1):
        panel = c.pick(PANELS)
        placer = f"{c.control_id[-8:]}-{number}^SAMPLE_OE"
        entered = c.time(c.now)
        timing = f"1^^^{c.minute(c.now)}^^R" if c.version < 250 else ""
        yield (f"ORC|{control}|{placer}||{placer_group}^GRP|||{timing}||{entered}|{c.provider()}||{c.provider()}")
        if c.version >= 250 and c.chance(0.6):
            yield f"TQ1|1||||||{c.time(c.now + 3600)}||{c.pick(('R^Routine^HL70485', 'S^Stat^HL70485'))}"
        yield (
            f"OBR|{number}|{placer}||{panel.code}^{panel.text}^LN|||{c.time(c.now)}||||||{c.comment()}|||{c.provider()}"
            f"||||||||{panel.section}"
        )
        yield from notes(c, 0.25)
        if c.chance(0.4):
            yield dg1(c, 1)
        if c.chance(0.3):
            yield f"OBX|1|ST|SAMQ1^Question for the sender^99SAM||{c.comment()}||||||F"
            yield from notes(c, 0.2)
        if laboratory and c.version >= 250:
            yield _specimen(c, number)


def results(c: Composer, event: str) -> Iterator[str]:
    """One to three OBR, each with its observations, notes and specimen."""
    yield pid(c)
    if c.version >= 230 and c.chance(0.15):
        yield pd1(c)
    yield from notes(c, 0.2)
    if c.chance(0.75):
        yield pv1(c, c.pick("IOE"))
    with_order_control = c.chance(0.7)
    for number in range(1, c.pick((1, 1, 1, 2, 3)) + 1):
        yield from _result_group(c, number, c.pick(PANELS), with_order_control)
    if c.chance(0.05):
        yield zpi(c)


def _result_group(c: Composer, number: int, panel: Panel, with_order_control: bool) -> Iterator[str]:
    placer, filler = (
        f"{c.control_id[-8:]}-{number}^SAMPLE_OE",
        f"L{c.control_id[-8:]}{number}^{c.application}",
    )
    observed, reported = c.time(c.now - c.number(1800, 2 * DAY)), c.time(c.now)
    if with_order_control:
        yield f"ORC|RE|{placer}|{filler}||CM||||{reported}|||{c.provider()}"
    yield (
        f"OBR|{number}|{placer}|{filler}|{panel.code}^{panel.text}^LN|||{observed}|||||||{observed}||{c.provider()}"
        f"||||||{reported}||{panel.section}|{c.pick('FFFP')}"
    )
    yield from notes(c, 0.2)
    set_id = 0
    for analyte in panel.analytes:
        set_id += 1
        yield numeric_observation(c, set_id, analyte, observed)
        if c.random() < 0.06:
            yield from notes(c, 1.0)
    for value_type, code, value in _other_observations(c):
        set_id += 1
        yield f"OBX|{set_id}|{value_type}|{code}|{c.pick(('', '1', '1.1'))}|{value}||||||F|||{observed}"
        yield from notes(c, 0.1)
    if c.version >= 250 and c.chance(0.4):
        yield _specimen(c, 1)


def numeric_observation(c: Composer, set_id: int, analyte: Analyte, observed: str) -> str:
    """An OBX of type NM within or near its reference range."""
    low, high, decimals = analyte.low, analyte.high, analyte.decimals
    value = max(round(low + (high - low) * (c.random() * 1.4 - 0.2), decimals), 0.0)
    flag = "L" if value < low else "H" if value > high else "N"
    return (
        f"OBX|{set_id}|NM|{analyte.code}^{analyte.text}^LN||{value:.{decimals}f}|{analyte.units}"
        f"|{low:.{decimals}f}-{high:.{decimals}f}|{flag}|||F|||{observed}"
    )


def _other_observations(c: Composer) -> Iterator[tuple[str, str, str]]:
    """(type, OBX-3, OBX-5) of every type that is not a plain number; most groups have none or one."""
    chance = c.random()
    if chance < 0.45:
        return
    coded = "CWE" if c.version >= 260 else "CE"
    if chance < 0.57:
        code, text, system = c.pick(FINDING_CODES)
        yield coded, "600-7^Bacteria identified^LN", f"{code}^{text}^{system}"
    elif chance < 0.62:
        found = (c.pick(FINDING_CODES), c.pick(FINDING_CODES))
        values = "~".join(f"{code}^{text}^{system}" for code, text, system in found)
        yield coded, "600-7^Bacteria identified^LN", values
    elif chance < 0.70:
        yield "ST", "5778-6^Color of Urine^LN", c.pick(("Yellow", " Amber", "Straw ", "see note"))
    elif chance < 0.78:
        yield "TX", _TEXT_CODE if c.version >= 230 else _OLD_TEXT_CODE, "~".join(_report(c, c.number(2, 5)))
    elif chance < 0.82:
        for line in _report(c, c.number(3, 8)):
            yield "TX", _TEXT_CODE, line
    elif chance < 0.87 and c.version >= 230:
        value = c.pick(("<^0.5", ">^100", "^1^:^64", "^10^-^20", ">=^3^+"))
        yield "SN", "5048-4^Nuclear Ab titer^LN", value
    elif chance < 0.91:
        yield "DT", "8665-2^Last menstrual period start date^LN", c.date(c.now - c.number(5, 60) * DAY)
    elif chance < 0.95:
        yield (
            "DTM" if c.version >= 260 else "TS",
            "SAMTS^Time of last dose^99SAM",
            c.time(c.now - c.number(60, DAY)),
        )
    elif c.version >= 230:
        yield "ED", "60591-5^Patient summary document^LN", c.encapsulated_data()


def _report(c: Composer, count: int) -> list[str]:
    start = c.number(0, len(REPORT_LINES) - 1)
    return [REPORT_LINES[(start + line) % len(REPORT_LINES)] for line in range(count)]


def _specimen(c: Composer, set_id: int) -> str:
    code, text = c.pick(SPECIMENS)
    number = f"SP{c.control_id[-8:]}{set_id}"
    return (
        f"SPM|{set_id}|{number}&SAMPLE_OE^{number}&{c.application}||{code}^{text}^SCT||||||||||||"
        f"|{c.time(c.now - 7200)}"
    )


def medication(c: Composer, event: str) -> Iterator[str]:
    """One or two prescriptions with route and components."""
    yield pid(c)
    yield pv1(c, "I")
    yield from al1(c)
    for number in range(1, c.number(1, 2) + 1):
        code, text, amount, units, form = c.pick(DRUGS)
        placer = f"RX{c.control_id[-8:]}{number}^SAMPLE_RX"
        yield f"ORC|NW|{placer}|||||||{c.time(c.now)}|||{c.provider()}"
        timing = f"1^Q12H^D10^{c.minute(c.now)}" if c.version < 250 else ""
        yield (
            f"RXE|{timing}|{code}^{text}^RXN|{amount}||{units}|{form}|{c.comment()}|||{c.number(10, 90)}|"
            f"|{c.number(0, 5)}"
        )
        if c.version >= 250:
            yield f"TQ1|1||Q12H|||10^d|{c.time(c.now)}"
        yield f"RXR|{c.pick(ROUTES)}"
        yield from notes(c, 0.2)


def immunization(c: Composer, event: str) -> Iterator[str]:
    """One to four vaccinations, each with route and observations."""
    yield pid(c)
    if c.chance(0.5):
        yield pd1(c)
    yield from next_of_kin(c)
    for number in range(1, c.number(1, 4) + 1):
        code, text, amount, maker = c.pick(VACCINES)
        given = c.date(c.now - c.number(0, 300) * DAY)
        filler = f"IM{c.control_id[-8:]}{number}^SAMPLE_IIS"
        yield f"ORC|RE||{filler}|||||||{c.provider()}||{c.provider()}"
        yield (
            f"RXA|0|{number}|{given}|{given}|{code}^{text}^CVX|{amount}|mL^milliliter^UCUM|"
            f"|00^New immunization record^NIP001"
            f"|{c.provider()}|^^^SAMPLETON CLINIC||||LOT{c.number(100, 999)}~LOT-B"
            f"|{c.date(c.now + 200 * DAY)}|{maker}|||CP|A"
        )
        if c.chance(0.8):
            yield f"RXR|{c.pick(ROUTES)}|{c.pick(SITES)}"
        for set_id, (antigen, name) in enumerate(ANTIGENS[: c.number(0, 2)], start=1):
            kind = "CWE" if c.version >= 260 else "CE"
            yield f"OBX|{set_id}|{kind}|{antigen}^{name}^LN|{set_id}|{code}^{text}^CVX||||||F|||{given}"
            yield from notes(c, 0.1)


def document(c: Composer, event: str) -> Iterator[str]:
    """A document's notification with its content, as lines of text or as an encoded file."""
    code, text = c.pick(DOCUMENT_TYPES)
    number = f"DOC{c.control_id[-8:]}"
    yield f"EVN|{event}|{c.time(c.now)}"
    yield pid(c)
    yield pv1(c, c.pick("IO"))
    yield (
        f"TXA|1|{code}^{text}|{c.pick(('TX', 'FT', 'PDF'))}|{c.time(c.now)}|{c.provider()}|{c.time(c.now)}"
        f"|{c.time(c.now)}"
        f"||{c.provider()}|||{number}^SAMPLEDOCS||||{number}.txt|{c.pick(('AU', 'LA', 'IP'))}|U|AV"
    )
    if c.chance(0.3):
        yield f"OBX|1|ED|{code}^{text}^L||{c.encapsulated_data()}||||||F"
        return
    lines: Sequence[str] = _report(c, c.number(4, 12))
    if c.chance(0.4):
        yield f"OBX|1|FT|{code}^{text}^L||{'~'.join(lines)}||||||F"
        return
    for set_id, line in enumerate(lines, start=1):
        yield f"OBX|{set_id}|TX|{code}^{text}^L|{set_id}|{line}||||||F"
