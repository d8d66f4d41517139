"""The columns of one segment: from a row of fields to values, or straight to JSON text.

Reading a field takes several steps (repetition, components, subcomponents, escapes, JSON), and most texts in
fields come again and again: codes, units, flags, names of systems, the time of a whole panel. So the outcome
is remembered by the text, field by field, within one bound for all; what is left to do for a text that was seen before
is one look-up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import compress
from operator import getitem
from typing import Any, Final, NamedTuple, TypeVar

from connector_lib.formats.hl7v2.message import Delimiters, part_of
from connector_lib.formats.hl7v2.record_types import Column

__all__ = ["Memory", "ScalarColumns", "SegmentColumns", "json_list", "json_of", "repetitions_of"]

_LONGEST_REMEMBERED: Final = 80
"""Characters. Longer texts are free text, which seldom comes again."""
_MOST_REMEMBERED: Final = 8192
"""Texts of all fields together, for messages with the same separators. With the bound above they take about eight
mebibytes at most."""

_ESCAPED_IN_JSON: Final = '"\\\\\x00-\x1f'
"""What cannot stand in a JSON string as it is; a set of characters for a regular expression."""

_Outcome = TypeVar("_Outcome")

json_of: Final = json.JSONEncoder(ensure_ascii=False).encode
"""A text as a JSON string, quoted."""


def json_list(texts: Iterable[str | None]) -> str:
    """Texts as a JSON array of strings and nulls.

    >>> json_list(["a", None])
    '["a",null]'
    """
    return f"[{','.join(['null' if text is None else json_of(text) for text in texts])}]"


def repetitions_of(text: str, delimiters: Delimiters) -> list[str | None]:
    """The repetitions of a field as ``Message.get`` gives them; one that is empty is None, so that the others
    keep their places."""
    separator = delimiters.repetition
    return [part_of(one, 0, 0, delimiters) for one in (text.split(separator) if separator else (text,))]


class Memory:
    """A bound on what is remembered of texts, for several :class:`SegmentColumns` together: at the bound all is
    forgotten. Texts that come again are soon read again, those that do not come again are gone."""

    __slots__ = ("_remembered", "left")

    def __init__(self) -> None:
        self.left = _MOST_REMEMBERED
        """How many more texts can be remembered."""
        self._remembered: list[dict[str, Any]] = []

    def bound(self, remembered: dict[str, Any]) -> None:
        """Counts what is put into ``remembered`` from now on; whoever does so takes one from :attr:`left`."""
        self._remembered.append(remembered)

    def forget(self) -> None:
        """Forgets all of it."""
        for remembered in self._remembered:
            remembered.clear()
        self.left = _MOST_REMEMBERED


class SegmentColumns:
    """Some columns of one kind of segment, for messages with the same separators.

    ``columns`` are ``(name, field, component)``, component 0 being the whole field repetition; ``repeated``
    are ``(name, field)``, lists with an element a repetition. Columns other than lists are of the first
    repetition. A value is given as ``Message.get`` gives it; one that was not sent is not there. ``memory`` is a bound
    shared with others.

    >>> from connector_lib.formats.hl7v2.message import parse
    >>> columns = SegmentColumns((("code", 3, 1), ("code_text", 3, 2)), (), parse("MSH|^~\\\\&|").delimiters)
    >>> columns.members(["OBX", "1", "CE", "GLU^Glucose"])
    ',"code":"GLU","code_text":"Glucose"'
    """

    __slots__ = ("_members", "_named_members")

    def __init__(
        self,
        columns: Sequence[Column],
        repeated: Sequence[tuple[str, int]],
        delimiters: Delimiters,
        memory: Memory | None = None,
    ) -> None:
        memory = memory or Memory()
        numbers = (*(number for _, number, _ in columns), *(number for _, number in repeated))
        self._named_members: list[_NamedMembers] = []
        for number in range(max(numbers, default=-1) + 1):
            lists = tuple(name for name, field in repeated if field == number)
            self._named_members.append(_NamedMembers(_field_columns(number, columns), lists, delimiters, memory))
        self._members = [_Members(named, memory) for named in self._named_members]

    def named_members(self, row: Sequence[str]) -> dict[str, str]:
        """Name → the column as a member of a JSON object, such as ``"code":"GLU"``."""
        members: dict[str, str] = {}
        for of_field in map(getitem, compress(self._named_members, row), filter(None, row)):
            members |= of_field
        return members

    def members(self, row: Sequence[str]) -> str:
        """All columns as members of a JSON object, a comma before each."""
        return self.members_of_rows((row,))[0]

    def members_of_rows(self, rows: Iterable[Sequence[str]]) -> list[str]:
        """:meth:`members` of several segments."""
        known = self._members
        # `compress` and `filter` pass over the fields that were not sent.
        return ["".join(map(getitem, compress(known, row), filter(None, row))) for row in rows]


class ScalarColumns:
    """As :class:`SegmentColumns`, for values as they are, not as JSON, and without lists.

    >>> from connector_lib.formats.hl7v2.message import parse
    >>> values: dict[str, str] = {}
    >>> columns = ScalarColumns((("sex", 8, 1),), parse("MSH|^~\\&|").delimiters)
    >>> columns.read("PID|1|||||||F".split("|"), "PID|1|||||||F", values)
    >>> values
    {'sex': 'F'}
    """

    __slots__ = ("_fields", "_separators")

    def __init__(self, columns: Sequence[Column], delimiters: Delimiters) -> None:
        self._separators = _separators(delimiters)
        self._fields = tuple(_field_columns(number, columns) for number in sorted({column[1] for column in columns}))

    def read(self, row: Sequence[str], text: str, values: dict[str, str]) -> None:
        """Puts name → value into ``values``. ``text`` is the part of the segment that has the columns, as sent."""
        separators = self._separators
        if separators.subcomponent in text or separators.escape in text:
            _read(row, self._fields, separators, values)
        else:
            _read_whole_components(row, self._fields, separators, values)


class _Field(NamedTuple):
    """The columns of a field, by what they take of its first repetition."""

    number: int
    of_all: tuple[str, ...]
    """Names of those with all of it, where it has parts."""
    of_one: tuple[str, ...]
    """Names of those with a text that has no parts."""
    of_first: tuple[str, ...]
    """Names of those with the first component."""
    of_components: tuple[tuple[str, int], ...]
    """Name and component, from 0."""
    last_component: int


def _field_columns(number: int, columns: Sequence[Column]) -> _Field:
    of_field = [(name, component) for name, field, component in columns if field == number]
    return _Field(
        number,
        of_all=tuple(name for name, component in of_field if component == 0),
        of_one=tuple(name for name, component in of_field if component < 2),
        of_first=tuple(name for name, component in of_field if component == 1),
        of_components=tuple((name, component - 1) for name, component in of_field if component > 0),
        last_component=max((component for _, component in of_field), default=0),
    )


class _Separators(NamedTuple):
    """The separators of a message; one that it does not have is the field separator, which no field holds."""

    component: str
    repetition: str
    subcomponent: str
    escape: str
    unescape: Callable[[str], str]


def _separators(delimiters: Delimiters) -> _Separators:
    nothing = delimiters.field
    return _Separators(
        delimiters.component or nothing,
        delimiters.repetition or nothing,
        delimiters.subcomponent or nothing,
        delimiters.escape or nothing,
        delimiters.unescape,
    )


def _read(row: Sequence[str], fields: Sequence[_Field], separators: _Separators, values: dict[str, str]) -> None:
    """Puts the columns that were sent into ``values``."""
    between_components, between_repetitions, between_subcomponents, mark, unescape = separators
    size = len(row)
    for number, of_all, of_one, of_first, of_components, last_component in fields:
        if number >= size:
            return
        text = row[number]
        if not text:
            continue
        if between_repetitions in text:
            text = text[: text.index(between_repetitions)]
        if between_components in text:
            for name in of_all:
                values[name] = text
            components = text.split(between_components, last_component)
            count = len(components)
            for name, component in of_components:
                if component < count and (part := components[component]):
                    if between_subcomponents in part:
                        part = part[: part.index(between_subcomponents)]
                    if mark in part:
                        part = unescape(part)
                    if part:
                        values[name] = part
            continue
        if between_subcomponents in text:
            for name in of_all:
                values[name] = text
            text = text[: text.index(between_subcomponents)]
            of_one = of_first
        if mark in text:
            text = unescape(text)
        if text:
            for name in of_one:
                values[name] = text


def _read_whole_components(
    row: Sequence[str], fields: Sequence[_Field], separators: _Separators, values: dict[str, str]
) -> None:
    """As :func:`_read`, where no text has subcomponents or escape sequences. Most have none, and looking for them in
    each value would take a third of the time of reading."""
    between_components, between_repetitions = separators.component, separators.repetition
    size = len(row)
    for number, of_all, of_one, _, of_components, last_component in fields:
        if number >= size:
            return
        text = row[number]
        if not text:
            continue
        if between_repetitions in text:
            text = text[: text.index(between_repetitions)]
        if between_components not in text:
            if text:
                for name in of_one:
                    values[name] = text
            continue
        for name in of_all:
            values[name] = text
        components = text.split(between_components, last_component)
        count = len(components)
        for name, component in of_components:
            if component < count and (part := components[component]):
                values[name] = part


class _Remembered(dict[str, _Outcome]):
    """What was read of the texts that a field last had."""

    __slots__ = ("memory",)

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        memory.bound(self)

    def __missing__(self, text: str) -> _Outcome:
        outcome = self.read(text)
        if len(text) <= _LONGEST_REMEMBERED:
            memory = self.memory
            if not memory.left:
                memory.forget()
            memory.left -= 1
            self[text] = outcome
        return outcome

    def read(self, text: str) -> _Outcome:
        raise NotImplementedError


class _NamedMembers(_Remembered[dict[str, str]]):
    """Text of a field → name → the column as a member of a JSON object."""

    __slots__ = ("columns", "delimiters", "fields", "lists", "not_plain", "not_whole", "separators")

    def __init__(self, columns: _Field, lists: Sequence[str], delimiters: Delimiters, memory: Memory) -> None:
        super().__init__(memory)
        self.columns = columns._replace(number=0)
        self.fields = (self.columns,)
        self.lists = lists
        self.delimiters = delimiters
        self.separators = _separators(delimiters)
        parts = delimiters.component + delimiters.repetition + delimiters.subcomponent
        inner = re.escape(delimiters.escape + delimiters.subcomponent)
        self.not_whole = re.compile(f"[{_ESCAPED_IN_JSON}{inner}]").search
        """Finds subcomponents, and what HL7 or JSON writes as an escape sequence: without any, the values are parts of
        the text, and the JSON of each is the value between two quotes."""
        self.not_plain = re.compile(f"[{_ESCAPED_IN_JSON}{re.escape(delimiters.escape + parts)}]").search
        """Finds that and the other separators: without any, the JSON is the text between two quotes."""

    def read(self, text: str) -> dict[str, str]:
        if self.not_plain(text) is None and not self.lists:
            return {name: f'"{name}":"{text}"' for name in self.columns.of_one}
        values: dict[str, str] = {}
        if self.not_whole(text) is None:
            _read_whole_components((text,), self.fields, self.separators, values)
            members = {name: f'"{name}":"{value}"' for name, value in values.items()}
        else:
            _read((text,), self.fields, self.separators, values)
            members = {name: f'"{name}":{json_of(value)}' for name, value in values.items()}
        if self.lists:
            repetitions = json_list(repetitions_of(text, self.delimiters))
            members.update((name, f'"{name}":{repetitions}') for name in self.lists)
        return members


class _Members(_Remembered[str]):
    """Text of a field → its columns as members of a JSON object, a comma before each."""

    __slots__ = ("around", "named", "not_plain")

    def __init__(self, named: _NamedMembers, memory: Memory) -> None:
        super().__init__(memory)
        self.named = named
        self.not_plain = named.not_plain
        plain = [f',"{name}":"\0"' for name in named.columns.of_one] + [f',"{name}":["\0"]' for name in named.lists]
        self.around = "".join(plain).split("\0")
        """The JSON before, between and behind the places where a plain text stands."""

    def read(self, text: str) -> str:
        if self.not_plain(text) is None:
            return text.join(self.around)
        return "".join([f",{member}" for member in self.named.read(text).values()])
