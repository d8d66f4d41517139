"""The columns of all records (:mod:`.record_types`), made ready to be read from messages with the same separators."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from connector_lib.formats.hl7v2.columns import Memory, RunColumns, ScalarColumns, SegmentColumns
from connector_lib.formats.hl7v2.delimiters import Delimiters
from connector_lib.formats.hl7v2.record_types import APPOINTMENT_TIMES, NESTED, PATIENT, SCALARS, Column

__all__ = ["OBSERVATIONS_IN", "RecordColumns", "record_columns"]

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

OBSERVATIONS_IN: Final = {"RXA": "observations", "TXA": "contents"}
"""Segments whose observations are also listed in their own record, and the name of that list."""
_END_OF_OBSERVATION: Final = 9
"""Field of OBX. From there on stand status, times and observers, which the observations of a panel have in common."""


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


class RecordColumns:
    """The columns of all records, for messages with the same separators."""

    def __init__(self, delimiters: Delimiters) -> None:
        memory = Memory()

        def of(*columns: Column) -> SegmentColumns:
            return SegmentColumns(columns, (), delimiters, memory)

        self.scalars = {segment: ScalarColumns(columns, delimiters) for segment, columns in SCALARS.items()}
        self.appointment_times = ScalarColumns(APPOINTMENT_TIMES, delimiters)
        self.nested = _NestedColumns(delimiters, memory)
        self.parts = {
            part: of(*(column for column in NESTED["observations"].columns["OBX"] if column[0] in names))
            for record_type in NESTED.values()
            for part, names in record_type.parts.items()
            if part in OBSERVATIONS_IN.values()
        }
        self.about_patient = of(*(column for column in SCALARS["PID"] if column[0] in PATIENT))
        self.patient = of(("patient_set_id", 1, 0))
        self.parent = of(("parent_set_id", 1, 1))
        self.charge = of(("charge_set_id", 1, 1))
        self.resource_group = of(("group_set_id", 1, 1), ("group_id", 3, 1))
        self.specimen = of(("specimen_id", 2, 0))
        # A repetition of CX is read like a segment, its components like fields.
        one_level_down = replace(
            delimiters,
            field=delimiters.component or delimiters.field,
            component=delimiters.subcomponent,
            subcomponent="",
            repetition="",
        )
        self.identifier = RunColumns(_IDENTIFIER, (), 1, one_level_down, memory)
        observation = NESTED["observations"]
        self.observation = RunColumns(
            observation.columns["OBX"], observation.repeated["OBX"], _END_OF_OBSERVATION, delimiters, memory
        )


@lru_cache(maxsize=8)
def record_columns(delimiters: Delimiters) -> RecordColumns:
    """The columns of all records for messages with these separators. The last few are kept."""
    return RecordColumns(delimiters)
