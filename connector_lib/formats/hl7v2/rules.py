"""What is wrong with a message: structural rules of HL7 v2, chapters 2 to 12.

The tables are in :mod:`.rule_tables`, codes and sentences in :mod:`.findings`, the counts of a batch envelope
in :mod:`.envelope`. A message that is in order costs one pass over its segments: the pass only looks, and
what looks odd is read with care afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
from typing import Final, NamedTuple

from connector_lib.formats.hl7v2.envelope import EnvelopeCheck
from connector_lib.formats.hl7v2.findings import CODES, Finding, FindingKind, Severity
from connector_lib.formats.hl7v2.groups import structure_of
from connector_lib.formats.hl7v2.message import Message, parse
from connector_lib.formats.hl7v2.rule_tables import (
    NUMBERED,
    PROCESSING_IDS,
    REQUIRED,
    REQUIRED_SEGMENTS,
    SEGMENTS,
    TIMES,
    VALUE_TYPES,
    VERSIONS,
    WITHOUT_PATIENT,
    Times,
)
from connector_lib.formats.hl7v2.timestamps import SURELY_A_TIME, TIME_OF_DAY, time_problem

__all__ = ["CODES", "EnvelopeCheck", "Finding", "FindingKind", "Severity", "validate_message"]


def validate_message(message: Message | str) -> list[Finding]:
    """What is wrong with a message, in the order of its segments; an empty list when nothing is.

    ``message`` is a parsed message or the text of one. Findings hold no values, only names and positions.

    Raises :class:`~connector_lib.errors.ParseError` for a text without a readable MSH segment.

    >>> header = "MSH|^~\\\\&|LAB|GHH|||20260101||ORU^R01|7|P|2.5"
    >>> result = "PID|1||42||DOE\\rOBR|1|||GLU\\rOBX|1|NM|GLU||high||||||F"
    >>> [(finding.code, finding.position) for finding in validate_message(f"{header}\\r{result}")]
    [('value-not-numeric', 'OBX-5')]
    """
    if isinstance(message, str):
        message = parse(message)
    check = _Check(message)
    check.text()
    check.segments()
    check.header()
    check.findings.sort(key=lambda finding: finding.segment_index)
    return check.findings


class _Layout(NamedTuple):
    """The rules of one kind of segment with a given number of fields, laid out for the pass.

    ``required`` are the required fields that it has room for, ``absent`` those that it has not.
    ``time_texts`` takes the texts of ``times`` out of a row. ``counts`` says whether field 1 is a set id.
    """

    required: tuple[int, ...]
    absent: tuple[int, ...]
    times: tuple[int, ...]
    time_texts: Callable[[list[str]], tuple[str, ...]] | None
    dates: tuple[int, ...]
    composite_times: tuple[int, ...]
    counts: bool


@lru_cache(maxsize=4096)
def _layout(name: str, size: int) -> _Layout | None:
    """The layout for rows of ``size``; None for a segment that has none, or no name."""
    if name not in SEGMENTS or name in _ENVELOPE:
        return None
    required = [entry.field for entry in REQUIRED.get(name, ())]
    kinds = {field: kind for field, kind in TIMES.get(name, {}).items() if field < size}
    times = tuple(field for field, kind in kinds.items() if kind == "time")
    return _Layout(
        required=tuple(field for field in required if field < size),
        absent=tuple(field for field in required if field >= size),
        times=times,
        # Asked for one field alone, an itemgetter would not give a tuple.
        time_texts=itemgetter(times[0], *times) if times else None,
        dates=tuple(field for field, kind in kinds.items() if kind == "date"),
        composite_times=tuple(field for field, kind in kinds.items() if kind in ("range", "timing")),
        counts=name in NUMBERED and size > 1,
    )


_ENVELOPE: Final = frozenset({"FHS", "BHS", "BTS", "FTS"})
_LONGEST_COUNT: Final = 1000
_ORDINALS: Final = tuple(map(str, range(_LONGEST_COUNT)))
_DELETE: Final = '""'
"""HL7's "delete this value" (chapter 2): a value of every type."""

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)\Z")
_CONTROLS: Final = "\0\x02\x03\x04\x0b\x1a\x1b\x1c"
"""What ends a text, a frame or a file somewhere on the way: NUL, STX, ETX, EOT, VT, SUB, ESC, FS."""
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
_WHOLE_NUMBER: Final = re.compile(r"\d+", re.ASCII)

_LONGEST_TYPE: Final = 200
"""More characters than a right MSH-9 has: what is longer is not kept in a cache."""
_ADDITIONS: Final = frozenset({"NTE", "PRT", "TCD"})
"""Segments that add to the one before them: behind them its group goes on."""

_NAME_LENGTH: Final = 3
_DATE_LENGTH: Final = 8
_COMPONENTS: Final[dict[Times, tuple[int, ...]]] = {
    "time": (1,),
    "date": (1,),
    "range": (1, 2),
    "timing": (4, 5),
}
_TIME_TYPES: Final = frozenset({"DT", "TM", "TS", "DTM"})


def _part(text: str, component: int, between_components: str, between_subcomponents: str) -> str:
    """A component of a field repetition, up to its first subcomponent; empty when it was not sent."""
    if between_components:
        components = text.split(between_components, component)
        text = components[component - 1] if component <= len(components) else ""
    elif component > 1:
        return ""
    return text.split(between_subcomponents, 1)[0] if between_subcomponents else text


@lru_cache(maxsize=256)
def _message_type(text: str, between_components: str, between_subcomponents: str) -> tuple[str, str]:
    """Type and event of MSH-9; both empty when they have not the form of such names."""
    message_type = _part(text, 1, between_components, between_subcomponents)
    event = _part(text, 2, between_components, between_subcomponents)
    if not _NAME.fullmatch(message_type) or (event and not _NAME.fullmatch(event)):
        return "", ""
    return message_type, event


class _Check:
    """One message under the rules. Each method adds to ``findings``."""

    __slots__ = ("delimiters", "empty", "findings", "message", "occurrences", "rows", "seen")

    def __init__(self, message: Message) -> None:
        self.message = message
        self.rows = message.rows
        self.delimiters = message.delimiters
        self.empty = self.delimiters.component + self.delimiters.repetition + self.delimiters.subcomponent
        self.occurrences: list[int] = []
        self.seen: dict[str, int] = {}
        self.findings: list[Finding] = []

    def add(self, code: str, index: int, field: int = 0, repetition: int = 1, component: int = 0, **parts: str) -> None:
        """One finding. ``parts`` go into the sentence: names of the standard and of places, never values."""
        # The name is cut out: a segment without a separator holds the lines that follow it there.
        name = self.rows[index][0][:_NAME_LENGTH]
        occurrence = self.occurrence(index)
        position = name if occurrence == 1 else f"{name}[{occurrence}]"
        if field:
            position += f"-{field}" if repetition == 1 else f"-{field}[{repetition}]"
        if component:
            position += f".{component}"
        kind = CODES[code]
        text = kind.sentence.format(field=f"{name}-{field}", **parts)
        self.findings.append(Finding(code, kind.severity, name, index, position, text))

    def occurrence(self, index: int) -> int:
        """Which of the segments of its name this one is, from 1; counted once for all findings."""
        if not self.occurrences:
            counts: dict[str, int] = {}
            for row in self.rows:
                name = row[0][:_NAME_LENGTH]
                counts[name] = counts.get(name, 0) + 1
                self.occurrences.append(counts[name])
        return self.occurrences[index]

    def text(self) -> None:
        """Character set, separators, and what is in no field of its own."""
        message = self.message
        if message.charset_problem:
            self.add("character-set", 0, 18, problem=message.charset_problem)
        if self.delimiters.problem:
            self.add("encoding-characters", 0, 2, problem=self.delimiters.problem)
        texts = message.segment_texts
        joined = "".join(texts)
        if "\r" in joined or "\n" in joined:
            for index, text in enumerate(texts):
                if "\r" in text or "\n" in text:
                    self.add("line-break-in-value", index)
        if controls := [control for control in _CONTROLS if control in joined]:
            for index, text in enumerate(texts):
                if any(control in text for control in controls):
                    self.add("control-character", index)
        if "\ufffd" in joined:
            for index, text in enumerate(texts):
                if "\ufffd" in text:
                    self.add("replacement-character", index)

    def segments(self) -> None:
        """The pass over all segments. It only looks; the methods that it calls hold the rules."""
        surely_a_time, is_number, empty, seen = SURELY_A_TIME.match, _NUMBER.match, self.empty, self.seen
        all_times: set[str] = set()  # a message says the same time again and again
        add_times = all_times.update
        are_numbers_odd = False
        for index, row in enumerate(self.rows):
            name = row[0]
            # What is longer than a name is lines of text, which have no place in a cache.
            layout = _layout(name, len(row)) if len(name) == _NAME_LENGTH else None
            if layout is None:
                self.segment_name(index)
                continue
            required, absent, _, time_texts, dates, composite_times, counts = layout
            number = seen[name] = seen.get(name, 0) + 1
            for field in required:
                text = row[field]
                if not text or text[0] in empty:
                    self.required_field(index, field)
            for field in absent:
                self.required_field(index, field)
            if time_texts is not None:
                add_times(time_texts(row))
            if dates:
                for field in dates:
                    if row[field] and surely_a_time(row[field], 0, _DATE_LENGTH + 1) is None:
                        self.time_field(index, field)
            if composite_times:
                for field in composite_times:
                    if row[field]:
                        self.time_field(index, field)
            if counts and (number >= _LONGEST_COUNT or row[1] != _ORDINALS[number]):
                are_numbers_odd = True
            if name == "OBX":
                if len(row) > 5:
                    value_type = row[2]
                    if value_type == "NM":
                        if is_number(row[5]) is None:
                            self.value(index)
                    elif value_type in _TIME_TYPES or value_type not in VALUE_TYPES:
                        self.value(index)
            elif number > 1 and name == "MSH":
                self.add("second-header", index)
        if odd_times := {text for text in all_times if surely_a_time(text) is None} - {"", _DELETE}:
            self.times(odd_times)
        if are_numbers_odd:
            self.set_ids()

    def segment_name(self, index: int) -> None:
        """A segment without rules: of a batch envelope, unknown, or a name with lines of text behind it."""
        name = self.rows[index][0][:_NAME_LENGTH]
        self.seen[name] = self.seen.get(name, 0) + 1
        if name in _ENVELOPE:
            self.add("envelope-in-message", index)
        elif name not in SEGMENTS and not name.startswith("Z"):
            self.add("segment-unknown", index)

    def required_field(self, index: int, field: int) -> None:
        row = self.rows[index]
        # Nothing but separators is nothing sent.
        if field < len(row) and row[field].strip(self.empty):
            return
        required = next(entry for entry in REQUIRED[row[0]] if entry.field == field)
        self.add(f"{required.need}-field-missing", index, field, title=required.title)

    def times(self, odd: set[str]) -> None:
        for index, row in enumerate(self.rows):
            layout = _layout(row[0], len(row)) if len(row[0]) == _NAME_LENGTH else None
            for field in layout.times if layout else ():
                if row[field] in odd:
                    self.time_field(index, field)

    def time_field(self, index: int, field: int) -> None:
        row = self.rows[index]
        kind = TIMES[row[0]][field]
        for repetition, repeated in enumerate(self.repetitions(row[field]), start=1):
            for component in _COMPONENTS[kind]:
                text = self.part(repeated, component)
                if not text or text == _DELETE:
                    continue
                problem = time_problem(text)
                code = {
                    "form": "time-form",
                    "calendar": "time-not-in-calendar",
                    "fraction": "time-too-precise",
                    "": "date-with-time" if kind == "date" and len(text) > _DATE_LENGTH else "",
                }[problem]
                if code:
                    self.add(code, index, field, repetition, component if component > 1 else 0)

    def value(self, index: int) -> None:
        """OBX-5 under OBX-2 (chapter 7, OBX)."""
        row = self.rows[index]
        value_type, value = row[2], row[5]
        if not value.strip(self.empty):
            return
        if not value_type:
            self.add("value-type-missing", index, 2)
            return
        if value_type not in VALUE_TYPES:
            self.add("value-type-unknown", index, 2)
            return
        for repetition, repeated in enumerate(self.repetitions(value), start=1):
            text = self.part(repeated, 1).strip(" ")
            if not text or text == _DELETE:
                continue
            if value_type == "NM":
                # A number has no components: `98^mg` is none.
                if _NUMBER.match(repeated.strip(" ")) is None:
                    self.add("value-not-numeric", index, 5, repetition)
            elif value_type == "TM":
                if TIME_OF_DAY.fullmatch(text) is None:
                    self.add("value-not-a-time", index, 5, repetition, type=value_type)
            else:
                problem = time_problem(text)
                if problem == "fraction":
                    self.add("time-too-precise", index, 5, repetition)
                elif problem:
                    self.add("value-not-a-time", index, 5, repetition, type=value_type)

    def set_ids(self) -> None:
        """Set ids (chapter 2A, SI) go up among the segments of a name that belong to the same one; of those
        the first that does not is reported. Behind a segment of another kind they may start again, since
        structures repeat whole groups."""
        names = [row[0][:_NAME_LENGTH] for row in self.rows]
        owners = structure_of(self.message).parents
        last: dict[tuple[str, int], tuple[int, int]] = {}
        reported: set[tuple[str, int, str]] = set()

        def report(code: str, index: int, group: tuple[str, int]) -> None:
            if (*group, code) not in reported:
                reported.add((*group, code))
                self.add(code, index, 1)

        for index, row in enumerate(self.rows):
            if row[0] not in NUMBERED or len(row) < 2 or not row[1] or row[1] == _DELETE:
                continue
            group = (row[0], owners[index])
            text = self.part(row[1], 1)
            if _WHOLE_NUMBER.fullmatch(text) is None:
                report("set-id-form", index, group)
                continue
            # Digits beyond these count nothing, and int() refuses thousands of them.
            number = int(text[-18:])
            before, place = last.get(group, (None, 0))
            last[group] = (number, index)
            if before is None:
                continue
            if number > before + 1:
                report("set-id-gap", index, group)
            elif number <= before:
                between = names[place + 1 : index]
                if number > 1 or all(name in _ADDITIONS for name in between):
                    report("set-id-order", index, group)

    def header(self) -> None:
        """What the header says of the whole message (chapter 2, MSH)."""
        row = self.rows[0]
        if len(self.rows) == 1:
            self.add("header-alone", 0)
        size = len(row)
        if size > 11 and row[11] and row[11] not in PROCESSING_IDS and self.part(row[11], 1) not in PROCESSING_IDS:
            self.add("processing-id-unknown", 0, 11)
        if size > 12 and row[12] and row[12] not in VERSIONS and self.part(row[12], 1) not in VERSIONS:
            self.add("version-unknown", 0, 12, versions=", ".join(VERSIONS))
        if size <= 9 or not row[9].strip(self.empty):
            return
        message_type, event = _message_type(
            row[9][:_LONGEST_TYPE], self.delimiters.component, self.delimiters.subcomponent
        )
        if not message_type:
            self.add("message-type-form", 0, 9)
        if len(self.rows) == 1:
            return
        for name, need in REQUIRED_SEGMENTS.get(message_type, ()):
            if name not in self.seen and not (name == "PID" and event in WITHOUT_PATIENT):
                self.add(f"{need}-segment-missing", 0, 9, name=name)

    def repetitions(self, text: str) -> list[str]:
        separator = self.delimiters.repetition
        return text.split(separator) if separator else [text]

    def part(self, text: str, component: int) -> str:
        return _part(text, component, self.delimiters.component, self.delimiters.subcomponent)
