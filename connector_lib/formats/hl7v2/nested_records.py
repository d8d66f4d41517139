"""The nested records of a message: which segment becomes a record, and which adds to one.

Records are written as JSON text right away: that is what most callers want, and making Python objects of every value
first would take several times as long.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final

from connector_lib.formats.hl7v2.columns import json_list, json_of, repetitions_of
from connector_lib.formats.hl7v2.groups import Structure
from connector_lib.formats.hl7v2.message import Message, part_of
from connector_lib.formats.hl7v2.record_columns import OBSERVATIONS_IN, record_columns
from connector_lib.formats.hl7v2.record_types import NESTED

__all__ = ["nested_json"]

_IDENTIFIER_FIELDS: Final = (2, 3, 4)
"""PID-2 and PID-4 held further identifiers before version 2.7."""
_ORDER_OF_OBSERVATION: Final = ("segment_index", "set_id", "code", "code_text")
"""What an observation says about its order, with ``order_`` before each name."""
_ORDER_NUMBERS: Final = ("placer_order_number", "filler_order_number")
_ORDER_OF_VACCINATION: Final = ("order_control", *_ORDER_NUMBERS)

_NOT_NUMBERED: Final = frozenset({"MSH", "MSA", "ORC", "SCH", "RXO", "RXE", "RXD", "RXG"})
"""Segments whose first field is no set id (chapter 2, SI data type)."""

_PHARMACY: Final = frozenset({"RXO", "RXE", "RXD", "RXG"})
_PHARMACY_COLUMNS: Final = frozenset(name for segment in _PHARMACY for name, _, _ in NESTED["orders"].columns[segment])
_NOT_YET: Final = -2


def nested_json(message: Message, found: Structure) -> dict[str, str]:
    """Name of :data:`.record_types.NESTED` → JSON array, for those that have an element. ``found`` is the structure of
    the message.

    >>> from connector_lib.formats.hl7v2.groups import structure_of
    >>> from connector_lib.formats.hl7v2.message import parse
    >>> message = parse("MSH|^~\\\\&|LAB\\rNTE|1||fasting")
    >>> nested_json(message, structure_of(message))["notes"][:12]
    '[{"segment":'
    """
    return _NestedReader(message, found).read()


class _GrowingRecord:
    """A record that later segments add to. ``members`` are its JSON members by name, ``context`` are further
    ones, and ``lists`` are the JSON elements of its arrays."""

    __slots__ = ("context", "lists", "members")

    def __init__(self, members: dict[str, str], context: str) -> None:
        self.members = members
        self.context = context
        self.lists: dict[str, list[str]] = {}

    def add(self, members: dict[str, str]) -> None:
        self.members |= members

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
        *("names", "records", "row", "runs", "several_patients", "texts", "unfinished"),
    )

    def __init__(self, message: Message, found: Structure) -> None:
        self.delimiters = message.delimiters
        self.columns = record_columns(message.delimiters)
        self.row = message.row
        self.names = message.names
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
        self.several_patients = self.names.count("PID") > 1

    def read(self) -> dict[str, str]:
        """Name → JSON array."""
        row = self.row
        for name, start, end in self.runs:
            if name == "OBX":
                self.observations(start, end)
                continue
            reader = _READERS.get(name) or (_NestedReader.z_segment if name[0] == "Z" else None)
            if reader is not None:
                for index in range(start, end):
                    reader(self, index, row(index))
        for kind, place, record in self.unfinished:
            self.records[kind][place] = record.json()
        return {kind: f"[{','.join(records)}]" for kind, records in self.records.items()}

    def comments_by_owner(self) -> dict[int, list[str]]:
        """Segment index → the comments in its NTE segments, as JSON strings and nulls."""
        comments: dict[int, list[str]] = {}
        for name, start, end in self.runs:
            for index in range(start, end) if name == "NTE" else ():
                row = self.row(index)
                if len(row) < 4 or not row[3]:
                    continue
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
        return f',"parent_segment":"{self.names[parent]}","parent_segment_index":"{parent}"'

    def patient(self, index: int, row: list[str]) -> None:
        self.open_order = None
        set_id = self.of_patient = self.columns.patient.members(row)
        if self.several_patients:
            self.of_patient += f',"patient":[{{{self.columns.about_patient.members(row)[1:]}}}]'
        separator = self.delimiters.repetition
        for number in _IDENTIFIER_FIELDS:
            text = row[number] if number < len(row) else ""
            if not text:
                continue
            identifiers = text.split(separator) if separator else [text]
            self.records["patient_identifiers"] += [
                f'{{"segment":"PID","segment_index":"{index}","field":"{number}","repetition":"{repetition}"'
                f"{set_id}{members}}}"
                for repetition, members in enumerate(self.columns.identifier.members_of_texts(identifiers), start=1)
                if identifiers[repetition - 1]
            ]

    def of_patient_segment(self, index: int, row: list[str]) -> None:
        self.add(_KIND_OF[row[0]], index, row, self.of_patient)

    def of_parent_segment(self, index: int, row: list[str]) -> None:
        parent = self.owner[index]
        context = self.of_patient + self.of_parent(parent)
        if row[0] == "PR1" and parent >= 0 and self.names[parent] == "FT1":
            context += self.columns.charge.members(self.row(parent))
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
        """ORC opens an order, or is part of the one that the OBR before it opened."""
        order = self.growing.get(self.owner[index])
        if order is None:
            self.open_order = self.grow("orders", index, row)
            return
        order.add(self.columns.nested["orders", "ORC"].named_members(row))
        if index in self.comments:
            order.append("notes", self.comments[index])
        self.growing[index] = order

    def order_detail(self, index: int, row: list[str]) -> None:
        """OBR or a pharmacy segment: part of the order that its ORC opened, else an order of its own."""
        order = self.growing.get(self.owner[index])
        if order is None or order is not self.open_order:
            self.open_order = self.grow("orders", index, row)
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
            kind = "vaccinations" if self.names[owner] == "RXA" else "orders"
            route = self.columns.nested[kind, "RXR"].named_members(row)
            record.add_unless_there(route)

    def observations(self, start: int, end: int) -> None:
        """A run of OBX segments. They are most of most messages, so what they have in common is prepared
        once."""
        parent = self.owner[start]
        if parent != self.observed:
            self.observed = parent
            self.about_observed = self.observation_context(parent)
        about = self.about_observed
        members_of = self.columns.observation.members_of_texts(self.texts[start:end])
        between = f'{about}}},{{"segment":"OBX","segment_index":"'
        numbered = between.join([f'{index}"{members}' for index, members in enumerate(members_of, start)])
        # Only the last can have comments: an NTE behind one of the others would have ended the run.
        notes = self.notes(end - 1)
        self.records["observations"].append(f'{{"segment":"OBX","segment_index":"{numbered}{about}{notes}}}')
        part = OBSERVATIONS_IN.get(self.names[parent]) if parent >= 0 else None
        if part is not None:
            rows = [self.row(index) for index in range(start, end)]
            elements = [f"{{{members[1:]}}}" for members in self.columns.parts[part].members_of_rows(rows)]
            self.growing[parent].append(part, elements)

    def observation_context(self, parent: int) -> str:
        """What all observations of one parent have in common."""
        context = self.of_patient + self.of_parent(parent)
        if parent < 0:
            return context
        if self.names[parent] == "SPM":
            context += self.columns.specimen.members(self.row(parent))
        record = self.growing.get(parent)
        if record is None:
            return context
        members = record.members
        # A vaccination has the numbers of its order too; its code is not that of the order.
        names = () if self.names[parent] in OBSERVATIONS_IN else _ORDER_OF_OBSERVATION
        about = [f',"order_{members[name][1:]}' for name in names if name in members]
        about += [f",{members[name]}" for name in _ORDER_NUMBERS if name in members]
        return context + "".join(about)

    def note(self, index: int, row: list[str]) -> None:
        parent = self.owner[index]
        context = self.of_parent(parent)
        if parent >= 0 and self.names[parent] not in _NOT_NUMBERED:
            context += self.columns.parent.members(self.row(parent))
        self.add("notes", index, row, context)

    def resource(self, index: int, row: list[str]) -> None:
        group = self.owner[index]
        self.add(
            "resources",
            index,
            row,
            self.columns.resource_group.members(self.row(group)) if group >= 0 else "",
        )

    def vaccination(self, index: int, row: list[str]) -> None:
        order = self.growing.get(self.owner[index])
        vaccination = self.grow("vaccinations", index, row)
        if order is not None:
            vaccination.add_missing(
                {name: order.members[name] for name in _ORDER_OF_VACCINATION if name in order.members}
            )

    def z_segment(self, index: int, row: list[str]) -> None:
        # Lines that are no segments belong to the value before them, which can be the name.
        fields = [part_of(text, 0, 0, self.delimiters) if text else None for text in row[1:]]
        members = f',"fields":{json_list(fields)}' if fields else ""
        self.records["z_segments"].append(
            f'{{"segment":"{row[0][:3]}","segment_index":"{index}","text":{json_of(self.texts[index])}{members}}}'
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
