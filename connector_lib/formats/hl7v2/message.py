"""One HL7 v2 message: segments, fields, repetitions, components, subcomponents (chapter 2, "Message
construction").

A message costs what is asked of it: :func:`parse` reads the separators and nothing else; segments, fields and
values are cut out of the text when they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from connector_lib.errors import ParseError
from connector_lib.formats.hl7v2.charset import decode
from connector_lib.formats.hl7v2.delimiters import Delimiters, delimiters_of
from connector_lib.formats.hl7v2.paths import Path, parse_path

__all__ = ["Delimiters", "FieldValue", "Message", "Path", "Segment", "parse", "parse_path"]

_BEFORE_HEADER: Final = "\ufeff\x0b\r\n\t "
_LINE: Final = re.compile(r"[^\r\n]*")


class FieldValue(NamedTuple):
    """One value and where it stands. Numbers are HL7's own: from 1, but ``segment_index`` from 0 in the
    message."""

    segment_index: int
    segment: str
    field: int
    repetition: int
    component: int
    subcomponent: int
    value: str


class Segment:
    """One segment. ``index`` is its place in the message, from 0; ``text`` is the segment as it was sent.

    >>> segment = parse("MSH|^~\\\\&|LAB\\rPID|1||123~456").segments[1]
    >>> segment.name, segment.index, segment.field(3), segment.get(3, repetition=2)
    ('PID', 1, '123~456', '456')
    """

    __slots__ = ("_delimiters", "_row", "index", "name", "text")

    def __init__(self, index: int, text: str, row: list[str], delimiters: Delimiters) -> None:
        self.index = index
        self.name = row[0]
        self.text = text
        self._row = row
        self._delimiters = delimiters

    def __repr__(self) -> str:
        # No values: a repr ends up in logs.
        return f"<Segment {self.name} at {self.index}, {len(self._row) - 1} fields>"

    def __len__(self) -> int:
        """How many fields were sent, empty ones included."""
        return len(self._row) - 1

    def field(self, number: int) -> str:
        """A field as it was sent, with all its repetitions; empty when it was not sent."""
        return self._row[number] if 0 < number < len(self._row) else ""

    def repetitions(self, number: int) -> list[str]:
        """The repetitions of a field as they were sent; an empty list when the field was not sent."""
        text = self.field(number)
        if not text:
            return []
        if not self._delimiters.repetition or (self.name == "MSH" and number < 3):
            return [text]
        return text.split(self._delimiters.repetition)

    def get(self, field: int, repetition: int = 1, component: int = 0, subcomponent: int = 0) -> str | None:
        """One value, unescaped; None when it was not sent. See :meth:`Message.get`."""
        repetitions = self.repetitions(field)
        if not 0 < repetition <= len(repetitions) or component < 0 or subcomponent < 0:
            return None
        if self.name == "MSH" and field < 3:
            return repetitions[0] if component < 2 and subcomponent < 2 else None
        return part_of(repetitions[repetition - 1], component, subcomponent, self._delimiters)


class Message:
    """A parsed message. Made by :func:`parse`.

    ``text`` is the message as it was given, ``charset`` the codec its bytes were read with,
    ``charset_problem`` what was odd about them (empty when nothing was), ``delimiters`` its separators.
    """

    __slots__ = (
        "_names",
        "_positions",
        "_row_of",
        "_rows",
        "_segments",
        "_texts",
        "charset",
        "charset_problem",
        "delimiters",
        "text",
    )

    def __init__(self, text: str, delimiters: Delimiters, charset: str, charset_problem: str) -> None:
        self.text = text
        self.delimiters = delimiters
        self.charset = charset
        self.charset_problem = charset_problem
        self._texts: list[str] | None = None
        self._rows: list[list[str]] | None = None
        self._row_of: dict[int, list[str]] = {}
        self._names: list[str] | None = None
        self._segments: list[Segment] | None = None
        self._positions: dict[str, list[int]] | None = None

    def __repr__(self) -> str:
        return f"<Message of {len(self.segment_texts)} segments>"

    @property
    def segment_texts(self) -> list[str]:
        """The text of every segment, as it was sent. A line that does not start with a segment name belongs
        to the value before it."""
        if self._texts is None:
            self._texts = _segment_texts(_without_framing(self.text), self.delimiters)
        return self._texts

    @property
    def rows(self) -> list[list[str]]:
        """A list for each segment: its name, then its fields as they were sent, so that ``row[n]`` is field
        n."""
        if self._rows is None:
            separator = self.delimiters.field
            self._rows = [text.split(separator) for text in self.segment_texts]
            for row in self._rows:
                if row[0] == "MSH":
                    row.insert(1, separator)  # MSH-1 is the separator itself
        return self._rows

    def row(self, index: int) -> list[str]:
        """One of :attr:`rows`; the other segments are not taken apart for it."""
        if self._rows is not None:
            return self._rows[index]
        row = self._row_of.get(index)
        if row is None:
            row = self._row_of[index] = self.segment_texts[index].split(self.delimiters.field)
            if row[0] == "MSH":
                row.insert(1, self.delimiters.field)
        return row

    @property
    def names(self) -> list[str]:
        """The names of all segments, in order."""
        if self._names is None:
            separator = self.delimiters.field
            self._names = [text.partition(separator)[0] for text in self.segment_texts]
        return self._names

    @property
    def segments(self) -> list[Segment]:
        """All segments in order, those that the standard does not know included."""
        if self._segments is None:
            self._segments = [
                Segment(index, text, row, self.delimiters)
                for index, (text, row) in enumerate(zip(self.segment_texts, self.rows, strict=True))
            ]
        return self._segments

    def _segment_positions(self, name: str) -> list[int]:
        if self._positions is None:
            positions: dict[str, list[int]] = {}
            for index, text in enumerate(self.segment_texts):
                positions.setdefault(text[:3], []).append(index)
            self._positions = positions
        return self._positions.get(name, [])

    def get(self, path: str) -> str | None:
        """One value, unescaped; None when it was not sent.

        ``path`` is ``SEG-field``, ``SEG-field.component``, ``SEG-field.component.subcomponent``, with the
        repetition in brackets behind the field and the occurrence of the segment in brackets behind its name;
        the first is meant when none is named. A path that stops at a field or component with parts below
        gives its text as it was sent. HL7's
        "delete this value" comes back as it was sent, two quote characters.

        Raises :class:`~connector_lib.errors.PathError` for a path that cannot be understood.

        >>> message = parse("MSH|^~\\\\&|LAB\\rPID|1||123^^^GHH~456^^^XYZ||DOE^JANE")
        >>> message.get("PID-3[2].1"), message.get("PID-5"), message.get("PID-9")
        ('456', 'DOE^JANE', None)
        """
        place = parse_path(path)
        positions = self._segment_positions(place.segment)
        if place.occurrence > len(positions):
            return None
        row = self.row(positions[place.occurrence - 1])
        if place.field >= len(row):
            return None
        text = row[place.field]
        if not text:
            return None
        if place.segment == "MSH" and place.field < 3:
            return text if place.repetition == 1 and place.component < 2 and place.subcomponent < 2 else None
        separator = self.delimiters.repetition
        if separator and separator in text:
            repetitions = text.split(separator)
            if place.repetition > len(repetitions):
                return None
            text = repetitions[place.repetition - 1]
        elif place.repetition > 1:
            return None
        return part_of(text, place.component, place.subcomponent, self.delimiters)

    def all(self, path: str) -> list[str]:
        """The values at a path in all segments of that name and in all repetitions, in order; those not sent
        left out.

        An occurrence or a repetition in the path keeps only that one.

        >>> parse("MSH|^~\\\\&|LAB\\rOBX|1|NM|A||1~2\\rOBX|2|NM|B||3").all("OBX-5")
        ['1', '2', '3']
        """
        place = parse_path(path)
        one_occurrence = "[" in path.split("-", 1)[0]
        one_repetition = "[" in path.split("-", 1)[1]
        values: list[str] = []
        for number, index in enumerate(self._segment_positions(place.segment), start=1):
            if one_occurrence and number != place.occurrence:
                continue
            segment = Segment(index, self.segment_texts[index], self.row(index), self.delimiters)
            repetitions = segment.repetitions(place.field)
            if one_repetition:
                repetitions = repetitions[place.repetition - 1 : place.repetition]
            if segment.name == "MSH" and place.field < 3:
                values += repetitions if place.component < 2 and place.subcomponent < 2 else []
                continue
            found = (part_of(text, place.component, place.subcomponent, self.delimiters) for text in repetitions)
            values += [value for value in found if value is not None]
        return values

    def walk(self) -> Iterator[FieldValue]:
        """Every value that was sent, with its place; values unescaped, empty ones left out, MSH-1 and MSH-2
        whole.

        >>> last = list(parse("MSH|^~\\\\&|LAB\\rPID|||7^A&B").walk())[-1]
        >>> last.segment, last.field, last.component, last.subcomponent, last.value
        ('PID', 3, 2, 2, 'B')
        """
        return map(FieldValue._make, self.walk_tuples())

    def walk_tuples(self) -> Iterator[tuple[int, str, int, int, int, int, str]]:
        """The same as :meth:`walk` in plain tuples, for callers that read millions of them."""
        values_of = _ValueReader(self.delimiters).values
        for index, row in enumerate(self.rows):
            yield from values_of(index, row)

    def to_text(self) -> str:
        """The message as it was given to :func:`parse`, to the last character."""
        return self.text


def parse(text: str | bytes, charset: str | None = None) -> Message:
    """Reads one message. Bytes are decoded as :func:`~connector_lib.formats.hl7v2.charset.decode` says.

    ``charset`` is the codec of the bytes in ``\\X..\\`` escapes, for a text that somebody else has decoded; without it
    that is the set that MSH-18 names, else UTF-8. Byte order mark, blank lines and MLLP framing around the message
    are passed over.

    Raises :class:`~connector_lib.errors.ParseError` when there is no readable MSH segment.

    >>> parse("MSH|^~\\\\&|LAB|GHH\\rPID|1||123").get("MSH-4")
    'GHH'
    """
    problem = ""
    if isinstance(text, bytes):
        decoded = decode(text)
        text, charset, problem = decoded.text, decoded.charset, decoded.problem
    header = text if text.startswith("MSH") else text.lstrip(_BEFORE_HEADER)
    if not header.startswith("MSH"):
        raise ParseError(
            "the text does not start with an MSH segment",
            hint="give one message; split_batch() takes a whole file apart",
        )
    delimiters, charset = delimiters_of(header, charset)
    return Message(text, delimiters, charset, problem)


def part_of(text: str, component: int, subcomponent: int, delimiters: Delimiters) -> str | None:
    """One part of a field repetition: unescaped when nothing is below it, as sent when something is."""
    if component:
        if delimiters.component and delimiters.component in text:
            components = text.split(delimiters.component)
            if component > len(components):
                return None
            text = components[component - 1]
        elif component > 1:
            return None
        if subcomponent:
            if delimiters.subcomponent and delimiters.subcomponent in text:
                subcomponents = text.split(delimiters.subcomponent)
                if subcomponent > len(subcomponents):
                    return None
                text = subcomponents[subcomponent - 1]
            elif subcomponent > 1:
                return None
        elif delimiters.subcomponent and delimiters.subcomponent in text:
            return text
    elif delimiters.is_composite(text):
        return text
    return delimiters.unescape(text) or None


class _ValueReader:
    """Takes whole segments apart into values with their places. All of a message's values pass through
    here."""

    __slots__ = ("_component", "_escape", "_repetition", "_subcomponent", "_unescape")

    def __init__(self, delimiters: Delimiters) -> None:
        # A field holds no field separator, so that it can stand in for a separator that the message does
        # not have.
        nothing = delimiters.field
        self._component = delimiters.component or nothing
        self._repetition = delimiters.repetition or nothing
        self._subcomponent = delimiters.subcomponent or nothing
        self._escape = delimiters.escape or nothing
        self._unescape = delimiters.unescape

    def values(self, index: int, row: list[str]) -> list[tuple[int, str, int, int, int, int, str]]:
        """``row`` is a segment's name and its fields, ``index`` its place in the message."""
        name = row[0]
        between_components, between_repetitions = self._component, self._repetition
        between_subcomponents, mark = self._subcomponent, self._escape
        header = name == "MSH"
        values = [(index, name, number, 1, 1, 1, text) for number, text in enumerate(row[1:3], 1)] if header else []
        for number, text in enumerate(row[3:], 3) if header else enumerate(row[1:], 1):
            if not text:
                continue
            if text.isalnum():  # separators are neither letters nor digits
                values.append((index, name, number, 1, 1, 1, text))
                continue
            repetitions = text.split(between_repetitions) if between_repetitions in text else (text,)
            for repetition, repeated in enumerate(repetitions, 1):
                if mark in repeated or between_subcomponents in repeated:
                    values += self._values_with_parts(index, name, number, repetition, repeated)
                elif between_components in repeated:
                    values += [
                        (index, name, number, repetition, component, 1, part)
                        for component, part in enumerate(repeated.split(between_components), 1)
                        if part
                    ]
                elif repeated:
                    values.append((index, name, number, repetition, 1, 1, repeated))
        return values

    def _values_with_parts(
        self, index: int, name: str, field: int, repetition: int, text: str
    ) -> list[tuple[int, str, int, int, int, int, str]]:
        return [
            (index, name, field, repetition, component, subcomponent, value)
            for component, part in enumerate(text.split(self._component), 1)
            for subcomponent, sent in enumerate(part.split(self._subcomponent), 1)
            if sent and (value := self._unescape(sent))
        ]


def _without_framing(text: str) -> str:
    """Without the line ends, blank lines and MLLP blocks around a message. Blanks that end a value stay."""
    text = _without_blank_lines(text.lstrip(_BEFORE_HEADER))
    return _without_blank_lines(text[:-1]) if text.endswith("\x1c") else text


def _without_blank_lines(text: str) -> str:
    """Without the line ends and blank lines behind the last value; blanks that end that value stay."""
    ended = text.rstrip("\r\n")
    if not ended.endswith((" ", "\t")):
        return ended
    last_line = _LINE.match(text, len(text.rstrip(" \t\r\n")))
    assert last_line is not None
    return text[: last_line.end()]


def _segment_texts(text: str, delimiters: Delimiters) -> list[str]:
    lines = text.split("\r") if "\n" not in text else text.replace("\r\n", "\r").replace("\n", "\r").split("\r")
    # Nearly always every line is a segment, of those that everybody sends. The patterns, which cost several
    # times as much, are for the rest.
    if delimiters.known_starts.issuperset([line[:4] for line in lines]):
        return lines
    if all(map(delimiters.segment_start.match, lines)):
        return lines
    return [_without_blank_lines(segment) for segment in delimiters.between_segments.split(text)]
