"""Records against an independent, slow reading of the same message, value by value, by the tables of record
types."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connector_lib import parse, parse_message
from connector_lib.formats.hl7v2.groups import parents
from connector_lib.formats.hl7v2.message import Message, Segment, part_of
from connector_lib.formats.hl7v2.record_types import NESTED, SCALARS

ONE_RECORD_A_SEGMENT = {
    "observations": ("OBX",),
    "notes": ("NTE",),
    "next_of_kin": ("NK1",),
    "diagnoses": ("DG1",),
    "allergies": ("AL1", "IAM"),
    "resources": ("AIS", "AIG", "AIL", "AIP"),
    "vaccinations": ("RXA",),
    "documents": ("TXA",),
    "charges": ("FT1",),
    "procedures": ("PR1",),
}
IDENTIFIER_COLUMNS = {
    "id": (1, 0),
    "check_digit": (2, 0),
    "authority": (4, 1),
    "authority_id": (4, 2),
    "type": (5, 0),
    "facility": (6, 1),
    "effective_date": (7, 0),
    "expiration_date": (8, 0),
}
ORDER_SEGMENTS = ("ORC", "OBR", "RXO", "RXE", "RXD", "RXG")

SEPARATORS = st.sampled_from(["|^~\\&", "|^~\\&#", "$%*!+", "|^~", "|^", '|"~\\&', "|^\\~&", "#@~/\x01", "|~^&\\"])
SEGMENT_NAMES = st.sampled_from(
    sorted(
        {*SCALARS, *(name for kind in NESTED.values() for name in kind.columns), "RGS", "PV2", "ZPI", "ZZ1"} - {"MSH"}
    )
)
PLAIN = st.sampled_from(
    ["1", "2", "GLU", "5.3", "20260101", 'a "b"', '""', " x ", "\t", "\x00", "\x1f", "é", "\u2028", "\\"]
)


@st.composite
def messages(draw: st.DrawFn) -> str:
    """Messages of any segments in any order, whose fields hold separators, escapes, quotes and control
    characters."""
    characters = draw(SEPARATORS)
    field, others = characters[0], list(characters[1:])
    escape = characters[3] if len(characters) > 3 else "\\"
    escapes = [f"{escape}{body}{escape}" for body in ("F", "S", "T", "R", "E", "X41C3A9", ".br", "H", "Zxx", "unknown")]
    piece = st.one_of(PLAIN, st.sampled_from([*others, *others, *escapes, escape]))
    text = st.lists(piece, max_size=7).map("".join).map(lambda value: value.replace(field, ""))
    row = st.lists(st.one_of(st.just(""), text), max_size=26)
    lines = [f"MSH{characters}" + "".join(f"{field}{value}" for value in draw(st.lists(text, max_size=17)))]
    for name in draw(st.lists(SEGMENT_NAMES, max_size=12)):
        lines.append(field.join([name, *draw(row)]))
    return "\r".join(lines)


@settings(max_examples=60, deadline=None)
@given(messages())
def test_scalars_are_what_get_gives(text: str) -> None:
    message, record = parse(text), parse_message(text)
    expected = {
        name: message.get(f"{segment}-{field}.{component}.1" if component else f"{segment}-{field}")
        for segment, columns in SCALARS.items()
        for name, field, component in columns
    }
    expected["patient_id"] = expected["patient_id"] or message.get("PID-2.1.1") or message.get("PID-4.1.1")
    found = {name: value for name, value in record.items() if name not in NESTED}
    assert found == {name: value for name, value in expected.items() if value is not None}


@settings(max_examples=120, deadline=None)
@given(messages())
def test_a_record_has_the_values_of_its_own_segment(text: str) -> None:
    message = parse(text)
    for kind, records in nested(text).items():
        for record in records:
            segment = message.segments[int(record["segment_index"])]
            assert record["segment"] == segment.name
            for name, field, component in NESTED[kind].columns.get(segment.name, ()):
                value = segment.get(field, 1, component, 1 if component else 0)
                if value is not None or segment.name in ONE_RECORD_A_SEGMENT.get(kind, ()):
                    assert record.get(name) == value, (kind, name)
            for name, field in NESTED[kind].repeated.get(segment.name, ()):
                assert record.get(name) == (repetitions(message, segment, field) or None)


@settings(max_examples=40, deadline=None)
@given(messages())
def test_every_segment_of_a_kind_is_a_record(text: str) -> None:
    message, found = parse(text), nested(text)
    for kind, names in ONE_RECORD_A_SEGMENT.items():
        indexes = [str(segment.index) for segment in message.segments if segment.name in names]
        assert [record["segment_index"] for record in found.get(kind, [])] == indexes


@settings(max_examples=40, deadline=None)
@given(messages())
def test_a_record_has_no_column_that_its_type_does_not_have(text: str) -> None:
    for kind, records in nested(text).items():
        record_type = NESTED[kind]
        for record in records:
            for name, value in record.items():
                if name in record_type.names:
                    assert isinstance(value, str), (kind, name)
                elif name in record_type.lists:
                    assert all(item is None or isinstance(item, str) for item in value), (kind, name)
                else:
                    assert all(part.keys() <= set(record_type.parts[name]) for part in value), (kind, name)


@settings(max_examples=80, deadline=None)
@given(messages())
def test_values_that_later_segments_add_are_those_of_a_segment_of_that_record(text: str) -> None:
    message = parse(text)
    for kind in ("orders", "insurances", "vaccinations"):
        for record in nested(text).get(kind, []):
            for name, value in record.items():
                places = [
                    (segment, field, component)
                    for segment, columns in NESTED[kind].columns.items()
                    for column, field, component in columns
                    if column == name
                ]
                if places and name not in NESTED[kind].context:
                    assert value in {
                        segment.get(field, 1, component, 1 if component else 0)
                        for segment in message.segments
                        for of, field, component in places
                        if segment.name == of
                    }, (kind, name)


@settings(max_examples=60, deadline=None)
@given(messages())
def test_patient_identifiers_are_all_repetitions_of_the_three_fields(text: str) -> None:
    message = parse(text)
    expected = []
    for segment in message.segments:
        if segment.name != "PID":
            continue
        for field in (2, 3, 4):
            for repetition, sent in enumerate(segment.repetitions(field), start=1):
                if not sent:
                    continue
                values = {
                    name: segment.get(field, repetition, component, subcomponent)
                    for name, (component, subcomponent) in IDENTIFIER_COLUMNS.items()
                }
                values |= {
                    "segment": "PID",
                    "segment_index": str(segment.index),
                    "field": str(field),
                    "repetition": str(repetition),
                    "patient_set_id": segment.get(1),
                }
                expected.append({name: value for name, value in values.items() if value is not None})
    assert nested(text).get("patient_identifiers", []) == expected


@settings(max_examples=60, deadline=None)
@given(messages())
def test_records_name_the_segments_that_they_belong_to(text: str) -> None:
    message, found = parse(text), nested(text)
    owner = parents([segment.name for segment in message.segments])
    orders = {record["segment_index"]: record for record in found.get("orders", [])}
    for kind in ("observations", "notes", "diagnoses", "procedures"):
        for record in found.get(kind, []):
            index = int(record["segment_index"])
            parent = message.segments[owner[index]] if owner[index] >= 0 else None
            assert record.get("parent_segment_index") == (str(parent.index) if parent is not None else None)
            assert record.get("parent_segment") == (parent.name if parent is not None else None)
            if kind == "notes":
                continue
            patients = [segment for segment in message.segments[:index] if segment.name == "PID"]
            assert record.get("patient_set_id") == (patients[-1].get(1) if patients else None)
            if kind == "observations":
                specimen = parent.get(2) if parent is not None and parent.name == "SPM" else None
                assert record.get("specimen_id") == specimen
                assert ("order_segment_index" in record) <= (parent is not None)
                if parent is not None and parent.name in ORDER_SEGMENTS:
                    order = orders[record["order_segment_index"]]
                    for name in ("set_id", "code", "code_text"):
                        assert record.get(f"order_{name}") == order.get(name)
                    assert record.get("placer_order_number") == order.get("placer_order_number")
                    assert record.get("filler_order_number") == order.get("filler_order_number")


@settings(max_examples=60, deadline=None)
@given(messages())
def test_notes_of_a_record_are_the_comments_behind_its_segment(text: str) -> None:
    message, found = parse(text), nested(text)
    owner = parents([segment.name for segment in message.segments])
    for kind in (
        "observations",
        "next_of_kin",
        "diagnoses",
        "charges",
        "procedures",
        "resources",
        "vaccinations",
    ):
        for record in found.get(kind, []):
            index = int(record["segment_index"])
            comments = [
                comment
                for segment in message.segments
                if segment.name == "NTE" and owner[segment.index] == index
                for comment in repetitions(message, segment, 3)
            ]
            assert record.get("notes", []) == comments, kind


@settings(max_examples=30, deadline=None)
@given(messages())
def test_z_segments_are_whole(text: str) -> None:
    message = parse(text)
    expected = [segment for segment in message.segments if segment.name.startswith("Z")]
    found = nested(text).get("z_segments", [])
    assert [record["text"] for record in found] == [segment.text for segment in expected]
    for record, segment in zip(found, expected, strict=True):
        sent = [segment.field(number) for number in range(1, len(segment) + 1)]
        values = [part_of(text, 0, 0, message.delimiters) if text else None for text in sent]
        assert record.get("fields", []) == values


def test_a_field_that_was_read_often_is_still_read_right() -> None:
    """More different texts than are remembered, each of them twice."""
    values = [f"{number}^T{number}" for number in range(3000)] * 2
    text = "MSH|^~\\&|LAB\r" + "\r".join(f"OBX|1|NM|{value}||{value.upper()}" for value in values)
    records = nested(text)["observations"]
    assert [f"{record['code']}^{record['code_text']}" for record in records] == values
    assert [record["value"] for record in records] == values


def nested(text: str) -> dict[str, list[dict[str, Any]]]:
    """The nested values of a message; fails where one is not strict JSON or has a key twice."""
    return {
        name: json.loads(value, object_pairs_hook=without_doubles)
        for name, value in parse_message(text).items()
        if name in NESTED
    }


def without_doubles(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    assert len(found) == len(members), [name for name, _ in members]
    return found


def repetitions(message: Message, segment: Segment, field: int) -> list[str | None]:
    return [part_of(sent, 0, 0, message.delimiters) for sent in segment.repetitions(field)]
