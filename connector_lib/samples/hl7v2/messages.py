"""Sample messages one by one, without files.

The same arguments give the same messages, to the last character, on every machine and Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2.clinical_messages import numeric_observation
from connector_lib.samples.hl7v2.composer import Composer, random_source
from connector_lib.samples.hl7v2.kinds import Kind, kinds_of
from connector_lib.samples.hl7v2.people import CHARSETS
from connector_lib.samples.hl7v2.segments import msh
from connector_lib.samples.hl7v2.separators import CUSTOM, FIVE
from connector_lib.samples.hl7v2.vocabulary import PANELS, VERSIONS, Version

__all__ = ["SampleMessage", "messages", "oru_message", "sample_messages"]

_CUSTOM_SEPARATORS: Final = 0.03
_FIFTH_SEPARATOR: Final = 0.4
_EMPTY_FIELDS_AT_THE_END: Final = 0.08
_MESSAGES_A_TURN: Final = 3
"""Of so many messages at the start of a run, one is of the kind and version whose turn it is, so that all
are there soon."""


@dataclass(frozen=True, slots=True)
class SampleMessage:
    """A message and what it was made to be. ``text`` has CR between segments and none at the end."""

    text: str
    kind: Kind
    control_id: str
    version: str
    standard_separators: bool


def messages(
    count: int,
    seed: int = 0,
    *,
    families: Iterable[str] | None = None,
    charset: str = "utf-8",
) -> Iterator[str]:
    """Yields ``count`` valid messages, CR between their segments and none at the end.

    ``families`` are message types (MSH-9.1) such as ``["ORU", "ADT"]``; all when left out. ``charset`` is a
    key of :data:`~connector_lib.samples.hl7v2.people.CHARSETS`: every message can be written in it, and
    MSH-18 names it from version 2.3 on. With 100 messages or more, every kind of message and every version
    is among them.

    Raises :class:`~connector_lib.errors.UsageError` for an unknown family or charset, or a count below 0.

    >>> first, second = messages(2, seed=1, families=["ORU"])
    >>> first.split("|")[0], first == next(messages(1, seed=1, families=["ORU"]))
    ('MSH', True)
    """
    for message in sample_messages(count, seed, families=families, charset=charset):
        yield message.text


def sample_messages(
    count: int,
    seed: int = 0,
    *,
    families: Iterable[str] | None = None,
    charset: str = "utf-8",
    first: int = 0,
    prefix: str = "S",
) -> Iterator[SampleMessage]:
    """As :func:`messages`, with what each message was made to be.

    ``first`` is the number of the first message and goes into the control ids behind ``prefix``: runs over
    neighbouring numbers make up one run without a doubled control id or patient.
    """
    if count < 0:
        raise UsageError(f"{count} messages cannot be made", hint="give 0 or more")
    if charset not in CHARSETS:
        raise UsageError(f"there is no sample charset {charset!r}", hint=f"charsets: {', '.join(CHARSETS)}")
    kinds = kinds_of(families)
    return _compose(Composer(f"{seed}/{prefix}/{first}", CHARSETS[charset], first, prefix), count, seed, first, kinds)


def _compose(c: Composer, count: int, seed: int, first: int, kinds: Sequence[Kind]) -> Iterator[SampleMessage]:
    turns = _turns(kinds, seed)
    drawn_kinds = [kind for kind in kinds for _ in range(kind.weight)]
    drawn_versions = {
        kind.name: [version for version in VERSIONS if version.number >= kind.since for _ in range(version.weight)]
        for kind in kinds
    }
    for number in range(first, first + count):
        kind = c.pick(drawn_kinds)
        version = c.pick(drawn_versions[kind.name])
        turn = number // _MESSAGES_A_TURN if number % _MESSAGES_A_TURN == 0 else len(turns)
        if turn < len(turns):
            kind, version = turns[turn]
        yield _message(c, kind, version)


def _turns(kinds: Sequence[Kind], seed: int) -> list[tuple[Kind, Version]]:
    """Every kind once and every version that one of them has, one kind of each family first."""
    order = list(kinds)
    random_source(f"turns {seed}").shuffle(order)
    first_of_family = {kind.message_type: kind for kind in reversed(order)}
    order.sort(key=lambda kind: kind is not first_of_family[kind.message_type])
    return list(_with_versions(order))


def _with_versions(order: Sequence[Kind]) -> Iterator[tuple[Kind, Version]]:
    left = list(VERSIONS)
    for kind in order:
        fitting = [version for version in left if version.number >= kind.since]
        version = fitting[0] if fitting else next(v for v in reversed(VERSIONS) if v.number >= kind.since)
        if fitting:
            left.remove(version)
        yield kind, version
    oldest = min(order, key=lambda kind: kind.since)
    for version in left:
        if version.number >= oldest.since:
            yield oldest, version


def _message(c: Composer, kind: Kind, version: Version) -> SampleMessage:
    c.begin(version)
    lines = [msh(c, version.name, kind.message_type, kind.event, kind.structure), *kind.body(c, kind.event)]
    if c.random() < _EMPTY_FIELDS_AT_THE_END:
        lines = [f"{line}{'|' * c.number(1, 4)}" for line in lines]
    text = "\r".join(lines)
    if c.random() < _CUSTOM_SEPARATORS:
        return SampleMessage(c.pick(CUSTOM).apply(text), kind, c.control_id, version.name, False)
    if version.number >= 270 and c.random() < _FIFTH_SEPARATOR:
        return SampleMessage(c.pick(FIVE).apply(text), kind, c.control_id, version.name, False)
    return SampleMessage(text, kind, c.control_id, version.name, True)


def oru_message(size: int = 1500, seed: int = 0) -> str:
    """One typical ORU^R01 of version 2.5.1, of about ``size`` characters: header, patient, visit, one
    order, and as many numeric observations as fit (nine at 1,500). ASCII, default separators, CR between
    segments.

    >>> message = oru_message()
    >>> 1400 < len(message) < 1600, message.count("\\rOBX|")
    (True, 9)
    """
    c = Composer(f"oru {seed}", CHARSETS["ascii"], 0, "B")
    version = next(version for version in VERSIONS if version.name == "2.5.1")
    c.begin(version)
    panel = PANELS[0]
    sent, observed = c.second(c.now), c.second(c.now - 3600)
    patient = c.patient
    identifiers = f"{patient.number}^^^SAMPLETON^MR~{patient.national_number}^^^SAMPLEGOV^SS"
    service = f"{panel.code}^{panel.text}^LN"
    lines = [
        f"MSH|^~\\&|SAMPLELAB|SAMPLETON|SAMPLE_HUB|SAMPLETON|{sent}||ORU^R01^ORU_R01|{c.control_id}|P|2.5.1",
        f"PID|1||{identifiers}||{patient.name}||{patient.birth}|{patient.sex}|||{patient.address}||{patient.home_phone}",
        f"PV1|1|I|{c.location()}||||{c.provider()}|{c.provider()}|||||||||||{c.visit}",
        f"ORC|RE|1001^SAMPLE_OE|2001^SAMPLELAB||CM||||{sent}|||{c.provider()}",
        f"OBR|1|1001^SAMPLE_OE|2001^SAMPLELAB|{service}|||{observed}|||||||||{c.provider()}||||||{sent}||HM|F",
    ]
    length = sum(map(len, lines)) + len(lines)
    while length < size - 60:
        set_id = len(lines) - 4
        line = numeric_observation(c, set_id, panel.analytes[(set_id - 1) % len(panel.analytes)], observed)
        lines.append(line)
        length += len(line) + 1
    return "\r".join(lines)
