"""The columns of one segment: from a row of fields to values, or straight to JSON text.

Reading a field takes several steps (repetition, components, subcomponents, escapes, JSON), and most texts in
fields come again and again: codes, units, flags, names of systems, the time of a whole panel. So the outcome
is remembered by the text, field by field, within one bound for all; what is left to do for a text that was seen before
is one look-up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import compress
from operator import getitem
from typing import Any, Final, NamedTuple, TypeVar

from connector_lib.formats.hl7v2.delimiters import Delimiters
from connector_lib.formats.hl7v2.message import part_of
from connector_lib.formats.hl7v2.record_types import Column

__all__ = ["Memory", "RunColumns", "ScalarColumns", "SegmentColumns", "json_list", "json_of", "repetitions_of"]

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

    __slots__ = ("_named_members", "_remembered", "left")

    def __init__(self) -> None:
        self.left = _MOST_REMEMBERED
        """How many more texts can be remembered."""
        self._remembered: list[dict[str, Any]] = []
        self._named_members: dict[tuple[object, ...], _NamedMembers] = {}

    def named_members(
        self, columns: tuple[Column, ...], lists: tuple[str, ...], delimiters: Delimiters
    ) -> _NamedMembers:
        """The one reader of fields with these columns: the same numbers and people stand in several segments."""
        key = (columns, lists, delimiters)
        if key not in self._named_members:
            self._named_members[key] = _NamedMembers(columns, lists, delimiters, self)
        return self._named_members[key]

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

    __slots__ = ("_named_members", "has_columns", "known_members")

    def __init__(
        self,
        columns: Sequence[Column],
        repeated: Sequence[tuple[str, int]],
        delimiters: Delimiters,
        memory: Memory | None = None,
    ) -> None:
        memory = memory or Memory()
        numbers = {*(number for _, number, _ in columns), *(number for _, number in repeated)}
        self.has_columns = tuple(number in numbers for number in range(max(numbers, default=-1) + 1))
        self._named_members: list[_NamedMembers] = []
        for number in sorted(numbers):
            of_field = tuple((name, 0, component) for name, field, component in columns if field == number)
            lists = tuple(name for name, field in repeated if field == number)
            self._named_members.append(memory.named_members(of_field, lists, delimiters))
        self.known_members = [_Members(named, memory) for named in self._named_members]

    def named_members(self, row: Sequence[str]) -> dict[str, str]:
        """Name → the column as a member of a JSON object, such as ``"code":"GLU"``."""
        members: dict[str, str] = {}
        for of_field in filter(None, map(getitem, self._named_members, compress(row, self.has_columns))):
            members |= of_field
        return members

    def members(self, row: Sequence[str]) -> str:
        """All columns as members of a JSON object, a comma before each."""
        return "".join(map(getitem, self.known_members, compress(row, self.has_columns)))

    def members_of_rows(self, rows: Iterable[Sequence[str]]) -> list[str]:
        """:meth:`members` of several segments."""
        known, has_columns = self.known_members, self.has_columns
        return ["".join(map(getitem, known, compress(row, has_columns))) for row in rows]


class RunColumns:
    """The columns of texts that have most of their end in common, such as the OBX segments of a panel or the
    identifiers of one authority.

    What stands from field ``rest_from`` on is remembered as a whole. For the rest see :class:`SegmentColumns`; a list
    is of a field before that.

    >>> from connector_lib.formats.hl7v2.message import parse
    >>> delimiters = parse("MSH|^~\\\\&|").delimiters
    >>> columns = RunColumns((("set_id", 1, 1), ("status", 11, 1)), (), 9, delimiters, Memory())
    >>> columns.members_of_texts(["OBX|1|NM|GLU||98||||||F", "OBX|2|NM|K"])
    [',"set_id":"1","status":"F"', ',"set_id":"2"']
    """

    __slots__ = ("_has_columns", "_members", "_rest_from", "_separator")

    def __init__(
        self,
        columns: Sequence[Column],
        repeated: Sequence[tuple[str, int]],
        rest_from: int,
        delimiters: Delimiters,
        memory: Memory,
    ) -> None:
        start = SegmentColumns([column for column in columns if column[1] < rest_from], repeated, delimiters, memory)
        end = [(name, field - rest_from, component) for name, field, component in columns if field >= rest_from]
        self._separator = delimiters.field
        self._rest_from = rest_from
        unused = rest_from - len(start.has_columns)
        self._has_columns = (*start.has_columns, *[False] * unused, True)
        self._members = [*start.known_members, _EndMembers(end, delimiters, memory)]

    def members_of_texts(self, texts: Iterable[str]) -> list[str]:
        """For each text all columns as members of a JSON object, a comma before each."""
        known, has_columns, separator, rest_from = self._members, self._has_columns, self._separator, self._rest_from
        return ["".join(map(getitem, known, compress(text.split(separator, rest_from), has_columns))) for text in texts]


class ScalarColumns:
    """As :class:`SegmentColumns`, for values as they are, not as JSON, and without lists.

    >>> from connector_lib.formats.hl7v2.message import parse
    >>> values: dict[str, str] = {}
    >>> columns = ScalarColumns((("sex", 8, 1),), parse("MSH|^~\\\\&|").delimiters)
    >>> columns.read("PID|1|||||||F".split("|"), "PID|1|||||||F", values)
    >>> values
    {'sex': 'F'}
    """

    __slots__ = ("_columns", "_delimiters", "_escape", "_fields", "_subcomponent")

    def __init__(self, columns: Sequence[Column], delimiters: Delimiters) -> None:
        self._columns = columns
        self._delimiters = delimiters
        self._escape = delimiters.escape or delimiters.field
        self._subcomponent = delimiters.subcomponent or delimiters.field
        self._fields = _fields(columns)

    def read(self, row: Sequence[str], text: str, values: dict[str, str]) -> None:
        """Puts name → value into ``values``. ``text`` is the part of the segment that has the columns, as sent."""
        _read_components(row, self._fields, self._delimiters, values)
        # Most segments have neither, and looking for them in each value would take a third of the time of reading.
        if self._subcomponent in text or self._escape in text:
            _read_below_components(self._columns, self._delimiters, values)


class _Field(NamedTuple):
    """The columns of a field, by what they take of its first repetition."""

    number: int
    only: str
    """The one name in ``of_one``; empty when there is none or another one."""
    of_all: tuple[str, ...]
    """Names of those with all of it, where it has components."""
    of_one: tuple[str, ...]
    """Names of those with a text that has no components."""
    of_components: tuple[tuple[str, int], ...]
    """Name and component, from 0."""
    last_component: int


def _fields(columns: Sequence[Column]) -> tuple[_Field, ...]:
    """The fields that have columns, in order."""
    by_number: dict[int, list[tuple[str, int]]] = {}
    for name, number, component in columns:
        by_number.setdefault(number, []).append((name, component))
    return tuple(_field(number, by_number[number]) for number in sorted(by_number))


def _field(number: int, columns: Sequence[tuple[str, int]]) -> _Field:
    of_one = tuple(name for name, component in columns if component < 2)
    return _Field(
        number,
        only=of_one[0] if len(of_one) == 1 else "",
        of_all=tuple(name for name, component in columns if component == 0),
        of_one=of_one,
        of_components=tuple((name, component - 1) for name, component in columns if component > 0),
        last_component=max(component for _, component in columns),
    )


def _read_components(
    row: Sequence[str], fields: Sequence[_Field], delimiters: Delimiters, values: dict[str, str]
) -> None:
    """Puts the columns that were sent into ``values``, as if nothing were below components."""
    # A field holds no field separator, so that it can stand in for a separator that the message does not have.
    between_components = delimiters.component or delimiters.field
    between_repetitions = delimiters.repetition or delimiters.field
    size = len(row)
    for number, only, of_all, of_one, of_components, last_component in fields:
        if number >= size:
            return
        text = row[number]
        if not text:
            continue
        if between_repetitions in text:
            text = text[: text.index(between_repetitions)]
            if not text:
                continue
        if between_components not in text:
            if only:
                values[only] = text
                continue
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


def _read_below_components(columns: Sequence[Column], delimiters: Delimiters, values: dict[str, str]) -> None:
    """Replaces what :func:`_read_components` gave by first subcomponents, and escape sequences by what they stand
    for."""
    for name, _, component in columns:
        if name not in values:
            continue
        value = part_of(values[name], component and 1, component and 1, delimiters)
        if value is None:
            del values[name]
        else:
            values[name] = value


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
    """Text of a field → name and the column as a member of a JSON object."""

    __slots__ = ("columns", "delimiters", "fields", "lists", "not_plain", "not_whole", "of_one")

    def __init__(
        self, columns: tuple[Column, ...], lists: tuple[str, ...], delimiters: Delimiters, memory: Memory
    ) -> None:
        super().__init__(memory)
        self.columns = columns
        self.fields = _fields(columns)
        self.lists = lists
        self.of_one = tuple(name for name, _, component in columns if component < 2)
        self.delimiters = delimiters
        parts = delimiters.component + delimiters.repetition + delimiters.subcomponent
        inner = re.escape(delimiters.escape + delimiters.subcomponent)
        self.not_whole = re.compile(f"[{_ESCAPED_IN_JSON}{inner}]").search
        """Finds subcomponents, and what HL7 or JSON writes as an escape sequence: without any, the values are parts of
        the text, and the JSON of each is the value between two quotes."""
        self.not_plain = re.compile(f"[{_ESCAPED_IN_JSON}{re.escape(delimiters.escape + parts)}]").search
        """Finds that and the other separators: without any, the JSON is the text between two quotes."""

    def read(self, text: str) -> dict[str, str]:
        if not text:
            return {}
        values: dict[str, str] = {}
        _read_components((text,), self.fields, self.delimiters, values)
        if self.not_whole(text) is None:
            members = {name: f'"{name}":"{value}"' for name, value in values.items()}
        else:
            _read_below_components(self.columns, self.delimiters, values)
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
        plain = [f',"{name}":"\0"' for name in named.of_one] + [f',"{name}":["\0"]' for name in named.lists]
        self.around = "".join(plain).split("\0")
        """The JSON before, between and behind the places where a plain text stands."""

    def read(self, text: str) -> str:
        if not text:
            return ""
        if self.not_plain(text) is None:
            return text.join(self.around)
        return "".join([f",{member}" for member in self.named.read(text).values()])


class _EndMembers(_Remembered[str]):
    """Text of the last fields of a segment → their columns as members of a JSON object, a comma before each."""

    __slots__ = ("columns", "separator")

    def __init__(self, columns: Sequence[Column], delimiters: Delimiters, memory: Memory) -> None:
        super().__init__(memory)
        self.columns = SegmentColumns(columns, (), delimiters, memory)
        self.separator = delimiters.field

    def read(self, text: str) -> str:
        return self.columns.members(text.split(self.separator))
