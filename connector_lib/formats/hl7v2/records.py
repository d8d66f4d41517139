"""A message as records: plain names for what most callers look for, nested structures as lists.

Which field goes under which name stands in :mod:`.record_types`; here is how it is read.
"""

from __future__ import annotations

import json
from typing import Any, Final

from connector_lib.formats.hl7v2.groups import parents
from connector_lib.formats.hl7v2.message import Delimiters, Message, part_of
from connector_lib.formats.hl7v2.record_types import NESTED, SCALARS, Column

__all__ = ["LONGEST_JSON", "Record", "flat_record", "nested_records", "scalars"]

Record = dict[str, Any]
"""Text columns, arrays of text, and arrays of records; what was not sent has no key."""

LONGEST_JSON: Final = 20_000_000
"""Characters. Spark's ``from_json`` gives NULL for a longer string (Jackson's limit on a text's length)."""

_ORDER_TEXT: Final = (
    ("order_set_id", "set_id"),
    ("placer_order_number", "placer_order_number"),
    ("filler_order_number", "filler_order_number"),
    ("order_code", "code"),
    ("order_code_text", "code_text"),
)
_IDENTIFIER_FIELDS: Final = (2, 3, 4)
"""PID-2 and PID-4 held further identifiers before version 2.7."""
_IDENTIFIER_PARTS: Final = (
    ("id", 0, 0),
    ("check_digit", 1, 0),
    ("authority", 3, 1),
    ("authority_id", 3, 2),
    ("type", 4, 0),
    ("facility", 5, 1),
    ("effective_date", 6, 0),
    ("expiration_date", 7, 0),
)
"""Name, component of CX from 0, subcomponent from 1 (0: all of it)."""

_Fields = tuple[tuple[int, str, tuple[tuple[str, int], ...]], ...]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def flat_record(message: Message) -> dict[str, str]:
    """What :func:`connector_lib.parser.parse_message` gives: scalar values, and nested ones as JSON text."""
    record = scalars(message)
    for name, elements in _NestedReader(message).read().items():
        record[name] = f"[{','.join([e if isinstance(e, str) else _encode(e) for e in elements])}]"
    return record


def scalars(message: Message) -> dict[str, str]:
    """The values of :data:`.record_types.SCALARS` that were sent.

    >>> from connector_lib.formats.hl7v2.message import parse
    >>> scalars(parse("MSH|^~\\\\&|LAB||||||ORU^R01|77\\rPID|1||123"))["trigger_event"]
    'R01'
    """
    values: dict[str, str] = {}
    delimiters = message.delimiters
    left = dict(_SCALAR_FIELDS)
    for row in message.rows:
        fields = left.pop(row[0], None)
        if fields is not None:
            _read(row, fields, values, delimiters)
            if not left:
                break
    if "patient_id" not in values:
        # Before version 2.3.1 many senders filled PID-2 (external id) alone.
        external = message.get("PID-2.1") or message.get("PID-4.1")
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
    nested = _NestedReader(message).read()
    return {name: [json.loads(e) if isinstance(e, str) else e for e in elements] for name, elements in nested.items()}


def _by_field(columns: tuple[Column, ...]) -> _Fields:
    """The columns of a segment by field: ``(field, name of the whole, ((name, component from 0), …))``."""
    fields: dict[int, tuple[str, list[tuple[str, int]]]] = {}
    for name, number, component in columns:
        whole, parts = fields.get(number, ("", []))
        if component:
            parts.append((name, component - 1))
        fields[number] = (whole if component else name, parts)
    return tuple((number, whole, tuple(parts)) for number, (whole, parts) in sorted(fields.items()))


_SCALAR_FIELDS: Final = {segment: _by_field(columns) for segment, columns in SCALARS.items()}
_NESTED_FIELDS: Final = {
    (kind, segment): _by_field(columns)
    for kind, record_type in NESTED.items()
    for segment, columns in record_type.columns.items()
}
_PARENT_SET_ID: Final = _by_field((("parent_set_id", 1, 1),))
_GROUP_FIELDS: Final = _by_field((("group_set_id", 1, 1), ("group_id", 3, 1)))


def _read(row: list[str], fields: _Fields, values: Record, delimiters: Delimiters) -> None:
    """Puts the columns that were sent into ``values``. This loop is where parsing spends its time."""
    # A field holds no field separator, so that it can stand in for a separator that the message does not have.
    nothing = delimiters.field
    between_components = delimiters.component or nothing
    between_repetitions = delimiters.repetition or nothing
    between_subcomponents = delimiters.subcomponent or nothing
    mark = delimiters.escape or nothing
    size = len(row)
    for number, whole, parts in fields:
        if number >= size:
            return
        text = row[number]
        if not text:
            continue
        if between_repetitions in text:
            text = text[: text.index(between_repetitions)]
        if between_components in text:
            if whole:
                values[whole] = text
            components = text.split(between_components)
            count = len(components)
            for name, component in parts:
                if component < count and (part := components[component]):
                    if mark in part and between_subcomponents not in part:
                        part = delimiters.unescape(part)
                    values[name] = part
            continue
        if mark in text and between_subcomponents not in text:
            text = delimiters.unescape(text)
        if whole:
            values[whole] = text
        for name, component in parts:
            if component == 0:
                values[name] = text


_OBSERVATION_TEXT: Final = tuple(
    (number, f'","{whole}":"' if whole else "", tuple((f'","{name}":"', component) for name, component in parts))
    for number, whole, parts in _NESTED_FIELDS["observations", "OBX"]
)
_VALUE: Final = 5


def _plain_observation(row: list[str], index: int, context: str, delimiters: Delimiters) -> str:
    """The JSON of an observation whose values need no unescaping and no JSON escapes; ``context`` is JSON too.

    Observations are most of most results. Writing their JSON right away costs a third of a dict and an encoder.
    """
    between_components = delimiters.component or delimiters.field
    text = ['{"segment":"OBX","segment_index":"', str(index)]
    size = len(row)
    for number, whole, parts in _OBSERVATION_TEXT:
        if number >= size:
            break
        value = row[number]
        if not value:
            continue
        if whole:
            text += (whole, value)
        elif between_components in value:
            components = value.split(between_components)
            count = len(components)
            for name, component in parts:
                if component < count and components[component]:
                    text += (name, components[component])
        elif parts[0][1] == 0:
            text += (parts[0][0], value)
    values = f'","values":["{row[_VALUE]}"]' if size > _VALUE and row[_VALUE] else '"'
    text += (values, context, "}")
    return "".join(text)


class _NestedReader:
    """Reads the nested records of one message in one pass over its segments."""

    __slots__ = (
        *("at", "context_of", "delimiters", "names", "order", "order_at", "owner", "patient_set_id", "plain"),
        *("plain_notes", "result", "rows", "texts"),
    )

    def __init__(self, message: Message) -> None:
        self.delimiters = message.delimiters
        self.rows = message.rows
        self.texts = message.segment_texts
        self.names = [row[0] for row in self.rows]
        self.owner = parents(self.names)
        self.result: dict[str, list[Any]] = {}
        self.at: dict[int, Record] = {}
        self.plain: dict[int, int] = {}
        self.plain_notes: dict[int, list[str | None]] = {}
        self.context_of: dict[int, tuple[Record, str]] = {}
        self.order: Record | None = None
        self.order_at: dict[int, Record] = {}
        self.patient_set_id = ""

    def read(self) -> dict[str, list[Any]]:
        """Name → elements: records, and observations that are JSON text already."""
        readers = _READERS
        for index, name in enumerate(self.names):
            reader = readers.get(name)
            if reader is not None:
                reader(self, index, self.rows[index])
            elif name[0] == "Z":
                self.z_segment(index, self.rows[index])
        self.add_notes_to_plain_observations()
        return self.result

    def add(self, kind: str, index: int, row: list[str]) -> Record:
        """A new record of a kind, with what its own segment says."""
        name = row[0]
        record: Record = {"segment": name, "segment_index": str(index)}
        _read(row, _NESTED_FIELDS[kind, name], record, self.delimiters)
        for column, number in NESTED[kind].repeated.get(name, ()):
            if number < len(row) and row[number]:
                record[column] = self.repetitions(row[number])
        self.at[index] = record
        elements = self.result.get(kind)
        if elements is None:
            self.result[kind] = [record]
        else:
            elements.append(record)
        return record

    def repetitions(self, text: str) -> list[str | None]:
        """The repetitions of a field; one that is empty is null, so that the others keep their places."""
        separator = self.delimiters.repetition
        if not separator or separator not in text:
            return [part_of(text, 0, 0, self.delimiters)]
        return [part_of(repetition, 0, 0, self.delimiters) for repetition in text.split(separator)]

    def of_patient(self, record: Record) -> Record:
        if self.patient_set_id:
            record["patient_set_id"] = self.patient_set_id
        return record

    def of_parent(self, record: Record, index: int) -> int:
        parent = self.owner[index]
        if parent >= 0:
            record["parent_segment"] = self.names[parent]
            record["parent_segment_index"] = str(parent)
        return parent

    def patient(self, index: int, row: list[str]) -> None:
        self.order = None
        self.patient_set_id = (row[1] if len(row) > 1 else "") or ""
        for number in _IDENTIFIER_FIELDS:
            if number >= len(row) or not row[number]:
                continue
            separator = self.delimiters.repetition
            repetitions = row[number].split(separator) if separator else [row[number]]
            for repetition, text in enumerate(repetitions, start=1):
                if text:
                    self.identifier(index, number, repetition, text)

    def identifier(self, index: int, number: int, repetition: int, text: str) -> None:
        delimiters = self.delimiters
        record: Record = {
            "segment": "PID",
            "segment_index": str(index),
            "field": str(number),
            "repetition": str(repetition),
        }
        self.of_patient(record)
        components = text.split(delimiters.component) if delimiters.component else [text]
        count = len(components)
        for name, component, subcomponent in _IDENTIFIER_PARTS:
            if component < count and components[component]:
                value = part_of(components[component], 1, subcomponent, delimiters)
                if value is not None:
                    record[name] = value
        self.result.setdefault("patient_identifiers", []).append(record)

    def of_patient_segment(self, index: int, row: list[str]) -> None:
        self.of_patient(self.add(_KIND_OF[row[0]], index, row))

    def of_parent_segment(self, index: int, row: list[str]) -> None:
        record = self.of_patient(self.add(_KIND_OF[row[0]], index, row))
        parent = self.of_parent(record, index)
        if row[0] == "PR1" and parent >= 0 and self.names[parent] == "FT1":
            charge = self.at.get(parent, {}).get("set_id")
            if charge is not None:
                record["charge_set_id"] = charge

    def insurance_detail(self, index: int, row: list[str]) -> None:
        # IN2 and IN3 say more about the IN1 before them.
        owner = self.at.get(self.owner[index])
        if owner is None:
            self.of_patient_segment(index, row)
            return
        _read(row, _NESTED_FIELDS["insurances", row[0]], owner, self.delimiters)

    def order_control(self, index: int, row: list[str]) -> None:
        self.order = self.of_patient(self.add("orders", index, row))
        self.order_at[index] = self.order

    def order_detail(self, index: int, row: list[str]) -> None:
        """OBR or a pharmacy segment: part of the order that its ORC opened, else an order of its own."""
        opener = self.order_at.get(self.owner[index])
        if opener is None or opener is not self.order:
            self.order_control(index, row)
            return
        detail: Record = {}
        _read(row, _NESTED_FIELDS["orders", row[0]], detail, self.delimiters)
        for name, value in detail.items():
            opener.setdefault(name, value)
        self.at[index] = self.order_at[index] = opener

    def specimen(self, index: int, row: list[str]) -> None:
        order = self.order_at.get(self.owner[index])
        detail: Record = {}
        _read(row, _NESTED_FIELDS["orders", "SPM"], detail, self.delimiters)
        self.at[index] = detail
        if order is not None:
            for name, value in detail.items():
                order.setdefault(name, value)
            self.order_at[index] = order

    def route(self, index: int, row: list[str]) -> None:
        owner = self.owner[index]
        record = self.at.get(owner)
        if record is None:
            return
        kind = "vaccinations" if self.names[owner] == "RXA" else "orders"
        _read(row, _NESTED_FIELDS[kind, "RXR"], record, self.delimiters)

    def observation(self, index: int, row: list[str]) -> None:
        parent = self.owner[index]
        context = self.context_of.get(parent)
        if context is None:
            record = self.observation_context(parent)
            context = self.context_of[parent] = (record, f",{_encode(record)[1:-1]}" if record else "")
        part_of_record = _PART_OF.get(self.names[parent]) if parent >= 0 else None
        if part_of_record is None and self.is_plain(self.texts[index]):
            observations = self.result.setdefault("observations", [])
            self.plain[index] = len(observations)
            observations.append(_plain_observation(row, index, context[1], self.delimiters))
            return
        record = self.add("observations", index, row)
        record.update(context[0])
        if part_of_record is not None:
            kind, part = part_of_record
            names = NESTED[kind].parts[part]
            self.at[parent].setdefault(part, []).append({n: record[n] for n in names if n in record})

    def observation_context(self, parent: int) -> Record:
        """What all observations of one parent have in common."""
        context: Record = {}
        self.of_patient(context)
        if parent < 0:
            return context
        context["parent_segment"] = self.names[parent]
        context["parent_segment_index"] = str(parent)
        order = self.order_at.get(parent)
        if order is not None:
            context["order_segment_index"] = order["segment_index"]
            context.update((name, order[source]) for name, source in _ORDER_TEXT if source in order)
        specimen = self.at.get(parent, {}).get("specimen_id") if self.names[parent] == "SPM" else None
        if specimen is not None:
            context["specimen_id"] = specimen
        return context

    def is_plain(self, text: str) -> bool:
        """Whether the values of a segment can stand in JSON as they are: no escape, quote, control or repetition."""
        delimiters = self.delimiters
        return (
            text.isprintable()
            and '"' not in text
            and "\\" not in text
            and (delimiters.escape or "\\") not in text
            and (not delimiters.repetition or delimiters.repetition not in text)
        )

    def note(self, index: int, row: list[str]) -> None:
        record = self.add("notes", index, row)
        parent = self.of_parent(record, index)
        comments = record.get("comments", [])
        if parent in self.plain:
            self.plain_notes.setdefault(parent, []).extend(comments)
        owner = self.at.get(parent)
        if owner is not None and comments and self.names[parent] not in _NOTELESS:
            owner.setdefault("notes", []).extend(comments)
        if parent >= 0 and self.names[parent] not in _NOT_NUMBERED:
            _read(self.rows[parent], _PARENT_SET_ID, record, self.delimiters)

    def add_notes_to_plain_observations(self) -> None:
        observations = self.result.get("observations", [])
        for index, comments in self.plain_notes.items():
            place = self.plain[index]
            observations[place] = f'{observations[place][:-1]},"notes":{_encode(comments)}}}'

    def resource(self, index: int, row: list[str]) -> None:
        record = self.add("resources", index, row)
        group = self.owner[index]
        if group >= 0:
            values: Record = {}
            _read(self.rows[group], _GROUP_FIELDS, values, self.delimiters)
            record.update(values)

    def vaccination(self, index: int, row: list[str]) -> None:
        record = self.of_patient(self.add("vaccinations", index, row))
        order = self.order_at.get(self.owner[index])
        if order is not None:
            for name in ("order_control", "placer_order_number", "filler_order_number"):
                if name in order:
                    record[name] = order[name]

    def z_segment(self, index: int, row: list[str]) -> None:
        fields = [part_of(text, 0, 0, self.delimiters) if text else None for text in row[1:]]
        record: Record = {"segment": row[0], "segment_index": str(index), "text": self.texts[index]}
        if fields:
            record["fields"] = fields
        self.result.setdefault("z_segments", []).append(record)


_KIND_OF: Final = {
    "NK1": "next_of_kin",
    "AL1": "allergies",
    "IAM": "allergies",
    "IN1": "insurances",
    "IN2": "insurances",
    "IN3": "insurances",
    "TXA": "documents",
    "FT1": "charges",
    "DG1": "diagnoses",
    "PR1": "procedures",
}
_PART_OF: Final = {"RXA": ("vaccinations", "observations"), "TXA": ("documents", "contents")}
_NOTELESS: Final = frozenset({"SPM", "PID", "PV1"})
"""Segments whose record, if any, has no column for notes; the notes themselves are in ``notes``."""

_NOT_NUMBERED: Final = frozenset({"MSH", "MSA", "ORC", "SCH", "RXO", "RXE", "RXD", "RXG"})
"""Segments whose first field is no set id (chapter 2, SI data type)."""

_READERS: Final = {
    "PID": _NestedReader.patient,
    **dict.fromkeys(("NK1", "AL1", "IAM", "IN1", "TXA", "FT1"), _NestedReader.of_patient_segment),
    **dict.fromkeys(("DG1", "PR1"), _NestedReader.of_parent_segment),
    **dict.fromkeys(("IN2", "IN3"), _NestedReader.insurance_detail),
    "ORC": _NestedReader.order_control,
    **dict.fromkeys(("OBR", "RXO", "RXE", "RXD", "RXG"), _NestedReader.order_detail),
    "SPM": _NestedReader.specimen,
    "RXR": _NestedReader.route,
    "OBX": _NestedReader.observation,
    "NTE": _NestedReader.note,
    **dict.fromkeys(("AIS", "AIG", "AIL", "AIP"), _NestedReader.resource),
    "RXA": _NestedReader.vaccination,
}
