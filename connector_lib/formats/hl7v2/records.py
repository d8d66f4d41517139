"""A message as records: plain names for what most callers look for, nested structures as lists.

Which field goes under which name stands in :mod:`.record_types`, how a field is read in :mod:`.columns`; here
is which segment becomes a record, or adds to one. Records are written as JSON text right away: that is what
most callers want, and making Python objects of every value first would take several times as long.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from connector_lib.formats.hl7v2.columns import (
    Memory,
    ScalarColumns,
    SegmentColumns,
    json_list,
    json_of,
    repetitions_of,
)
from connector_lib.formats.hl7v2.groups import Structure, structure
from connector_lib.formats.hl7v2.message import Delimiters, Message, part_of
from connector_lib.formats.hl7v2.record_types import NESTED, PATIENT, SCALARS, Column

__all__ = ["LONGEST_JSON", "Record", "flat_record", "nested_records", "scalars"]

Record = dict[str, Any]
"""Text columns, arrays of text, and arrays of records; what was not sent has no key."""

LONGEST_JSON: Final = 20_000_000
"""Characters. Spark's ``from_json`` gives NULL for a longer string (Jackson's limit on a text's length)."""

_IDENTIFIER_FIELDS: Final = (2, 3, 4)
"""PID-2 and PID-4 held further identifiers before version 2.7."""
_IDENTIFIER: Final[tuple[Column, ...]] = (
    ("id", 0, 0),
    ("check_digit", 1, 0),
    ("authority", 3, 1),
    ("authority_id", 3, 2),
    ("type", 4, 0),
    ("facility", 5, 1),
    ("effective_date", 6, 0),
    ("expiration_date", 7, 0),
)
"""Name, component of CX from 0, subcomponent (0: all of it)."""

_ORDER_OF_OBSERVATION: Final = ("segment_index", "set_id", "code", "code_text")
"""What an observation says about its order, with ``order_`` before each name."""
_ORDER_NUMBERS: Final = ("placer_order_number", "filler_order_number")
_ORDER_OF_VACCINATION: Final = ("order_control", *_ORDER_NUMBERS)

_OBSERVATIONS_IN: Final = {"RXA": "observations", "TXA": "contents"}
"""Segments whose observations are also listed in their own record, and the name of that list."""
_NOT_NUMBERED: Final = frozenset({"MSH", "MSA", "ORC", "SCH", "RXO", "RXE", "RXD", "RXG"})
"""Segments whose first field is no set id (chapter 2, SI data type)."""

_PHARMACY: Final = frozenset({"RXO", "RXE", "RXD", "RXG"})
_PHARMACY_COLUMNS: Final = frozenset(name for segment in _PHARMACY for name, _, _ in NESTED["orders"].columns[segment])
_HEADER_SEPARATORS: Final = len("MSH|^~\\&")
_NOT_YET: Final = -2


def flat_record(message: Message) -> dict[str, str]:
    """What :func:`connector_lib.parser.parse_message` gives: scalar values, and nested ones as JSON text."""
    found = structure(message.names)
    record = _scalars(message, found)
    record.update(_NestedReader(message, found).read())
    return record


def scalars(message: Message) -> dict[str, str]:
    """The values of :data:`.record_types.SCALARS` that were sent.

    >>> from connector_lib.formats.hl7v2.message import parse
    >>> scalars(parse("MSH|^~\\\\&|LAB||||||ORU^R01|77\\rPID|1||123"))["trigger_event"]
    'R01'
    """
    return _scalars(message, structure(message.names))


def _scalars(message: Message, found: Structure) -> dict[str, str]:
    values: dict[str, str] = {}
    rows, texts, first = message.rows, message.segment_texts, found.first
    for segment, columns in _columns(message.delimiters).scalars.items():
        if segment in first:
            index = first[segment]
            # MSH-2 is made of the separators and holds no value.
            text = texts[index] if segment != "MSH" else texts[index][_HEADER_SEPARATORS:]
            columns.read(rows[index], text, values)
    if "patient_id" not in values:
        # Before version 2.3.1 many senders filled PID-2 (external id) alone.
        external = message.get("PID-2.1.1") or message.get("PID-4.1.1")
        if external is not None:
            values["patient_id"] = external
    return values


def nested_records(message: Message) -> dict[str, list[Record]]:
    """The lists of :data:`.record_types.NESTED` that have an element, as Python objects.

    >>> from connector_lib.formats.hl7v2.message import parse
    >>> message = parse("MSH|^~\\\\&|LAB\\rOBR|1|||GLU\\rOBX|1|NM|2345-7||98\\rNTE|1||fasting")
    >>> nested_records(message)["observations"][0]["notes"]
    ['fasting']
    """
    found = structure(message.names)
    return {name: json.loads(text) for name, text in _NestedReader(message, found).read().items()}


class _NestedColumns(dict[tuple[str, str], SegmentColumns]):
    """(kind of record, segment) → its columns, for messages with the same separators; made when first asked
    for."""

    def __init__(self, delimiters: Delimiters, memory: Memory) -> None:
        self.delimiters = delimiters
        self.memory = memory

    def __missing__(self, key: tuple[str, str]) -> SegmentColumns:
        kind, segment = key
        record_type = NESTED[kind]
        repeated = record_type.repeated.get(segment, ())
        columns = self[key] = SegmentColumns(record_type.columns[segment], repeated, self.delimiters, self.memory)
        return columns


class _Columns:
    """The columns of all records, for messages with the same separators."""

    def __init__(self, delimiters: Delimiters) -> None:
        memory = Memory()

        def of(*columns: Column) -> SegmentColumns:
            return SegmentColumns(columns, (), delimiters, memory)

        self.scalars = {segment: ScalarColumns(columns, delimiters) for segment, columns in SCALARS.items()}
        self.nested = _NestedColumns(delimiters, memory)
        self.parts = {
            part: of(*(column for column in NESTED["observations"].columns["OBX"] if column[0] in names))
            for record_type in NESTED.values()
            for part, names in record_type.parts.items()
            if part in _OBSERVATIONS_IN.values()
        }
        self.about_patient = of(*(column for column in SCALARS["PID"] if column[0] in PATIENT))
        self.patient = of(("patient_set_id", 1, 0))
        self.parent = of(("parent_set_id", 1, 1))
        self.charge = of(("charge_set_id", 1, 1))
        self.resource_group = of(("group_set_id", 1, 1), ("group_id", 3, 1))
        self.specimen = of(("specimen_id", 2, 0))
        # A repetition of CX is read like a segment, its components like fields.
        one_level_down = replace(delimiters, component=delimiters.subcomponent, subcomponent="", repetition="")
        self.identifier = SegmentColumns(_IDENTIFIER, (), one_level_down, memory)


@lru_cache(maxsize=8)
def _columns(delimiters: Delimiters) -> _Columns:
    return _Columns(delimiters)


class _GrowingRecord:
    """A record that later segments add to. ``members`` are its JSON members by name, ``context`` are further
    ones, and ``lists`` are the JSON elements of its arrays."""

    __slots__ = ("context", "lists", "members")

    def __init__(self, members: dict[str, str], context: str) -> None:
        self.members = members
        self.context = context
        self.lists: dict[str, list[str]] = {}

    def add_missing(self, members: dict[str, str]) -> None:
        self.members = {**members, **self.members}

    def add_unless_there(self, members: dict[str, str]) -> None:
        """Adds the columns of a segment, unless an earlier segment of its kind has any: two must not mix."""
        if self.members.keys().isdisjoint(members):
            self.members |= members

    def replace_group(self, names: frozenset[str], members: dict[str, str]) -> None:
        """Puts the columns of a segment in the place of all that an earlier one of its group gave."""
        self.members = {name: member for name, member in self.members.items() if name not in names} | members

    def append(self, name: str, elements: list[str]) -> None:
        self.lists.setdefault(name, []).extend(elements)

    def json(self) -> str:
        lists = [f',"{name}":[{",".join(elements)}]' for name, elements in self.lists.items()]
        return f"{{{','.join(self.members.values())}{self.context}{''.join(lists)}}}"


class _NestedReader:
    """Reads the nested records of one message in one pass over its segments."""

    __slots__ = (
        *(
            "about_observed",
            "columns",
            "comments",
            "delimiters",
            "growing",
            "observed",
            "of_patient",
            "open_order",
            "owner",
        ),
        *("records", "rows", "runs", "several_patients", "texts", "unfinished"),
    )

    def __init__(self, message: Message, found: Structure) -> None:
        self.delimiters = message.delimiters
        self.columns = _columns(message.delimiters)
        self.rows = message.rows
        self.texts = message.segment_texts
        self.runs = found.runs
        self.owner = found.parents
        self.comments = self.comments_by_owner() if "NTE" in found.first else {}
        self.records: defaultdict[str, list[str]] = defaultdict(list)
        self.unfinished: list[tuple[str, int, _GrowingRecord]] = []
        """Kind, place among the records of that kind, and what will stand there."""
        self.growing: dict[int, _GrowingRecord] = {}
        """Segment index → the record that it opened or is a part of."""
        self.open_order: _GrowingRecord | None = None
        self.observed = _NOT_YET
        """The segment that the observations read last belong to, and members that say so."""
        self.about_observed = ""
        self.of_patient = ""
        """Members that say which patient a record is about."""
        self.several_patients = message.names.count("PID") > 1

    def read(self) -> dict[str, str]:
        """Name → JSON array."""
        rows = self.rows
        for name, start, end in self.runs:
            if name == "OBX":
                self.observations(start, end)
                continue
            reader = _READERS.get(name) or (_NestedReader.z_segment if name[0] == "Z" else None)
            if reader is not None:
                for index in range(start, end):
                    reader(self, index, rows[index])
        for kind, place, record in self.unfinished:
            self.records[kind][place] = record.json()
        return {kind: f"[{','.join(records)}]" for kind, records in self.records.items()}

    def comments_by_owner(self) -> dict[int, list[str]]:
        """Segment index → the comments in its NTE segments, as JSON strings and nulls."""
        comments: dict[int, list[str]] = {}
        for index, row in enumerate(self.rows):
            if row[0] == "NTE" and len(row) > 3 and row[3]:
                of_owner = comments.setdefault(self.owner[index], [])
                of_owner += [
                    "null" if text is None else json_of(text) for text in repetitions_of(row[3], self.delimiters)
                ]
        return comments

    def add(self, kind: str, index: int, row: list[str], context: str) -> None:
        """A record of what one segment says; ``context`` are further members of it."""
        members = self.columns.nested[kind, row[0]].members(row)
        self.records[kind].append(
            f'{{"segment":"{row[0]}","segment_index":"{index}"{members}{context}{self.notes(index)}}}'
        )

    def grow(self, kind: str, index: int, row: list[str]) -> _GrowingRecord:
        """A record of a segment that later ones add to."""
        members = {"segment": f'"segment":"{row[0]}"', "segment_index": f'"segment_index":"{index}"'}
        members |= self.columns.nested[kind, row[0]].named_members(row)
        record = self.growing[index] = _GrowingRecord(members, self.of_patient)
        if index in self.comments:
            record.append("notes", self.comments[index])
        self.unfinished.append((kind, len(self.records[kind]), record))
        self.records[kind].append("")
        return record

    def notes(self, index: int) -> str:
        comments = self.comments.get(index)
        return f',"notes":[{",".join(comments)}]' if comments else ""

    def of_parent(self, parent: int) -> str:
        if parent < 0:
            return ""
        return f',"parent_segment":"{self.rows[parent][0]}","parent_segment_index":"{parent}"'

    def patient(self, index: int, row: list[str]) -> None:
        self.open_order = None
        set_id = self.of_patient = self.columns.patient.members(row)
        if self.several_patients:
            self.of_patient += f',"patient":[{{{self.columns.about_patient.members(row)[1:]}}}]'
        component, separator = self.delimiters.component, self.delimiters.repetition
        for number in _IDENTIFIER_FIELDS:
            text = row[number] if number < len(row) else ""
            if not text:
                continue
            identifiers = text.split(separator) if separator else [text]
            parts = [identifier.split(component) if component else [identifier] for identifier in identifiers]
            self.records["patient_identifiers"] += [
                f'{{"segment":"PID","segment_index":"{index}","field":"{number}","repetition":"{repetition}"'
                f"{set_id}{members}}}"
                for repetition, members in enumerate(self.columns.identifier.members_of_rows(parts), start=1)
                if identifiers[repetition - 1]
            ]

    def of_patient_segment(self, index: int, row: list[str]) -> None:
        self.add(_KIND_OF[row[0]], index, row, self.of_patient)

    def of_parent_segment(self, index: int, row: list[str]) -> None:
        parent = self.owner[index]
        context = self.of_patient + self.of_parent(parent)
        if row[0] == "PR1" and parent >= 0 and self.rows[parent][0] == "FT1":
            context += self.columns.charge.members(self.rows[parent])
        self.add(_KIND_OF[row[0]], index, row, context)

    def growing_segment(self, index: int, row: list[str]) -> None:
        self.grow(_KIND_OF[row[0]], index, row)

    def insurance_detail(self, index: int, row: list[str]) -> None:
        """IN2 and IN3 say more about the IN1 before them."""
        insurance = self.growing.get(self.owner[index])
        if insurance is None:
            self.grow("insurances", index, row)
            return
        insurance.add_unless_there(self.columns.nested["insurances", row[0]].named_members(row))

    def order_control(self, index: int, row: list[str]) -> None:
        self.open_order = self.grow("orders", index, row)

    def order_detail(self, index: int, row: list[str]) -> None:
        """OBR or a pharmacy segment: part of the order that its ORC opened, else an order of its own."""
        order = self.growing.get(self.owner[index])
        if order is None or order is not self.open_order:
            self.order_control(index, row)
            return
        detail = self.columns.nested["orders", row[0]].named_members(row)
        if row[0] in _PHARMACY:
            # What was given or dispensed takes the place of what was asked for, as a whole: doses must not mix.
            order.replace_group(_PHARMACY_COLUMNS, detail)
        else:
            order.add_missing(detail)
        if index in self.comments:
            order.append("notes", self.comments[index])
        self.growing[index] = order

    def specimen(self, index: int, row: list[str]) -> None:
        order = self.growing.get(self.owner[index])
        if order is not None:
            order.add_unless_there(self.columns.nested["orders", "SPM"].named_members(row))
            self.growing[index] = order

    def route(self, index: int, row: list[str]) -> None:
        owner = self.owner[index]
        record = self.growing.get(owner)
        if record is not None:
            kind = "vaccinations" if self.rows[owner][0] == "RXA" else "orders"
            route = self.columns.nested[kind, "RXR"].named_members(row)
            record.add_unless_there(route)

    def observations(self, start: int, end: int) -> None:
        """A run of OBX segments. They are most of most messages, so what they have in common is prepared
        once."""
        parent = self.owner[start]
        if parent != self.observed:
            self.observed = parent
            self.about_observed = self.observation_context(parent)
        about, rows = self.about_observed, self.rows[start:end]
        members_of_rows = self.columns.nested["observations", "OBX"].members_of_rows(rows)
        records = self.records["observations"]
        records += [
            f'{{"segment":"OBX","segment_index":"{index}"{members}{about}}}'
            for index, members in enumerate(members_of_rows, start)
        ]
        if end - 1 in self.comments:  # the others have none: an NTE behind them would have ended the run
            records[-1] = f"{records[-1][:-1]}{self.notes(end - 1)}}}"
        part = _OBSERVATIONS_IN.get(self.rows[parent][0]) if parent >= 0 else None
        if part is not None:
            elements = [f"{{{members[1:]}}}" for members in self.columns.parts[part].members_of_rows(rows)]
            self.growing[parent].append(part, elements)

    def observation_context(self, parent: int) -> str:
        """What all observations of one parent have in common."""
        context = self.of_patient + self.of_parent(parent)
        if parent < 0:
            return context
        if self.rows[parent][0] == "SPM":
            context += self.columns.specimen.members(self.rows[parent])
        record = self.growing.get(parent)
        if record is None:
            return context
        members = record.members
        # A vaccination has the numbers of its order too; its code is not that of the order.
        names = () if self.rows[parent][0] in _OBSERVATIONS_IN else _ORDER_OF_OBSERVATION
        about = [f',"order_{members[name][1:]}' for name in names if name in members]
        about += [f",{members[name]}" for name in _ORDER_NUMBERS if name in members]
        return context + "".join(about)

    def note(self, index: int, row: list[str]) -> None:
        parent = self.owner[index]
        context = self.of_parent(parent)
        if parent >= 0 and self.rows[parent][0] not in _NOT_NUMBERED:
            context += self.columns.parent.members(self.rows[parent])
        self.add("notes", index, row, context)

    def resource(self, index: int, row: list[str]) -> None:
        group = self.owner[index]
        self.add(
            "resources",
            index,
            row,
            self.columns.resource_group.members(self.rows[group]) if group >= 0 else "",
        )

    def vaccination(self, index: int, row: list[str]) -> None:
        order = self.growing.get(self.owner[index])
        vaccination = self.grow("vaccinations", index, row)
        if order is not None:
            vaccination.add_missing(
                {name: order.members[name] for name in _ORDER_OF_VACCINATION if name in order.members}
            )

    def z_segment(self, index: int, row: list[str]) -> None:
        fields = [part_of(text, 0, 0, self.delimiters) if text else None for text in row[1:]]
        members = f',"fields":{json_list(fields)}' if fields else ""
        self.records["z_segments"].append(
            f'{{"segment":"{row[0]}","segment_index":"{index}","text":{json_of(self.texts[index])}{members}}}'
        )


_KIND_OF: Final = {
    "NK1": "next_of_kin",
    "MRG": "merges",
    "AL1": "allergies",
    "IAM": "allergies",
    "IN1": "insurances",
    "TXA": "documents",
    "FT1": "charges",
    "DG1": "diagnoses",
    "PR1": "procedures",
}

_READERS: Final[dict[str, Callable[[_NestedReader, int, list[str]], None]]] = {
    "PID": _NestedReader.patient,
    **dict.fromkeys(("NK1", "MRG", "AL1", "IAM", "FT1"), _NestedReader.of_patient_segment),
    **dict.fromkeys(("DG1", "PR1"), _NestedReader.of_parent_segment),
    **dict.fromkeys(("IN1", "TXA"), _NestedReader.growing_segment),
    **dict.fromkeys(("IN2", "IN3"), _NestedReader.insurance_detail),
    "ORC": _NestedReader.order_control,
    **dict.fromkeys(("OBR", "RXO", "RXE", "RXD", "RXG"), _NestedReader.order_detail),
    "SPM": _NestedReader.specimen,
    "RXR": _NestedReader.route,
    "NTE": _NestedReader.note,
    **dict.fromkeys(("AIS", "AIG", "AIL", "AIP"), _NestedReader.resource),
    "RXA": _NestedReader.vaccination,
}
