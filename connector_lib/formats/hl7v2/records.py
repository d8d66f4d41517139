"""A message as records: plain names for what most callers look for, nested structures as lists.

Which field goes under which name stands in :mod:`.record_types`, how a field is read in :mod:`.columns`, which segment
becomes a record in :mod:`.nested_records`.
"""

from __future__ import annotations

import json
from typing import Any, Final

from connector_lib.formats.hl7v2.groups import Structure, structure_of
from connector_lib.formats.hl7v2.message import Message
from connector_lib.formats.hl7v2.nested_records import nested_json
from connector_lib.formats.hl7v2.record_columns import record_columns
from connector_lib.formats.hl7v2.record_types import APPOINTMENT_TIMES

__all__ = ["LONGEST_JSON", "Record", "flat_record", "nested_records", "scalars"]

Record = dict[str, Any]
"""Text columns, arrays of text, and arrays of records; what was not sent has no key."""

LONGEST_JSON: Final = 20_000_000
"""Characters. Spark's ``from_json`` gives NULL for a longer string (Jackson's limit on a text's length)."""

_HEADER_SEPARATORS: Final = len("MSH|^~\\&")


def flat_record(message: Message) -> dict[str, str]:
    """What :func:`connector_lib.parser.parse_message` gives: scalar values, and nested ones as JSON text."""
    found = structure_of(message)
    record = _scalars(message, found)
    record.update(nested_json(message, found))
    return record


def scalars(message: Message) -> dict[str, str]:
    """The values of :data:`.record_types.SCALARS` that were sent.

    >>> from connector_lib.formats.hl7v2.message import parse
    >>> scalars(parse("MSH|^~\\\\&|LAB||||||ORU^R01|77\\rPID|1||123"))["trigger_event"]
    'R01'
    """
    return _scalars(message, structure_of(message))


def _scalars(message: Message, found: Structure) -> dict[str, str]:
    values: dict[str, str] = {}
    texts, first = message.segment_texts, found.first
    for segment, columns in record_columns(message.delimiters).scalars.items():
        if segment in first:
            index = first[segment]
            # MSH-2 is made of the separators and holds no value.
            text = texts[index] if segment != "MSH" else texts[index][_HEADER_SEPARATORS:]
            columns.read(message.row(index), text, values)
    if "patient_id" not in values:
        # Before version 2.3.1 many senders filled PID-2 (external id) alone.
        external = message.get("PID-2.1.1") or message.get("PID-4.1.1")
        if external is not None:
            values["patient_id"] = external
    if "SCH" in first and "TQ1" in first and not any(name in values for name, _, _ in APPOINTMENT_TIMES):
        _read_appointment_times(message, found, values)
    return values


def _read_appointment_times(message: Message, found: Structure, values: dict[str, str]) -> None:
    appointment, first = found.first["SCH"], found.first["TQ1"]
    timings = (index for index in range(first, len(found.parents)) if found.parents[index] == appointment)
    timing = next((index for index in timings if message.names[index] == "TQ1"), None)
    if timing is not None:
        text = message.segment_texts[timing]
        record_columns(message.delimiters).appointment_times.read(message.row(timing), text, values)


def nested_records(message: Message) -> dict[str, list[Record]]:
    """The lists of :data:`.record_types.NESTED` that have an element, as Python objects.

    >>> from connector_lib.formats.hl7v2.message import parse
    >>> message = parse("MSH|^~\\\\&|LAB\\rOBR|1|||GLU\\rOBX|1|NM|2345-7||98\\rNTE|1||fasting")
    >>> nested_records(message)["observations"][0]["notes"]
    ['fasting']
    """
    found = structure_of(message)
    return {name: json.loads(text) for name, text in nested_json(message, found).items()}
