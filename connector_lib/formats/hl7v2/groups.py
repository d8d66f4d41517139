"""Which segment belongs to which, by position in the message (the segment groups of HL7 v2, chapters 3 to
12).

The message structures of the standard nest segments by order alone: an OBX belongs to the OBR, RXA, SPM or
TXA before it, an NTE to what it stands behind, an AIS to its RGS. :data:`OPENS` holds that as data, so it
works for every trigger event and version, and for messages that leave out or add segments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from connector_lib.formats.hl7v2.message import Message, Segment

__all__ = ["OPENS", "SegmentGroup", "Structure", "groups", "parents", "structure"]

_ORDER_PARTS: Final = ("OBX", "NTE", "SPM", "CTD", "CTI", "TCD", "TQ1", "TQ2", "PRT", "DG1", "SAC", "IPC")
_PHARMACY_PARTS: Final = ("OBX", "NTE", "RXR", "RXC", "TQ1", "TQ2", "CTI", "PRT", "CDO")
_PATIENT_PARTS: Final = (
    *(
        "PD1",
        "ARV",
        "NK1",
        "PV1",
        "PV2",
        "AL1",
        "IAM",
        "DB1",
        "DG1",
        "DRG",
        "PR1",
        "GT1",
        "IN1",
        "ACC",
        "UB1",
        "UB2",
    ),
    *(
        "MRG",
        "ROL",
        "PDA",
        "OBX",
        "NTE",
        "ORC",
        "OBR",
        "RXA",
        "RXE",
        "RXO",
        "RXD",
        "RXG",
        "FT1",
        "TXA",
        "RGS",
        "SPM",
    ),
    *("PRT", "OH1", "OH2", "OH3", "OH4", "GSP", "GSR", "GSC", "REL"),
)

OPENS: Final[dict[str, tuple[str, ...]]] = {
    "PID": _PATIENT_PARTS,
    "PV1": ("PV2", "OBX", "NTE", "ROL", "PRT", "DB1"),
    "NK1": ("NTE",),
    "IN1": ("IN2", "IN3", "AUT", "RF1", "ROL"),
    "FT1": ("NTE", "PR1"),
    "PR1": ("NTE", "ROL", "PRT"),
    "ORC": (
        "OBR",
        "RXA",
        "RXE",
        "RXO",
        "RXD",
        "RXG",
        "NTE",
        "OBX",
        "TQ1",
        "TQ2",
        "PRT",
        "SPM",
        "RQD",
        "ODS",
        "BPO",
    ),
    "OBR": _ORDER_PARTS,
    "RXO": _PHARMACY_PARTS,
    "RXE": _PHARMACY_PARTS,
    "RXD": _PHARMACY_PARTS,
    "RXG": _PHARMACY_PARTS,
    "RXA": _PHARMACY_PARTS,
    "SPM": ("OBX", "NTE", "SAC", "PRT"),
    "OBX": ("NTE", "TCD", "PRT"),
    "SCH": ("NTE", "TQ1", "RGS"),
    "RGS": ("AIS", "AIG", "AIL", "AIP"),
    "AIS": ("NTE",),
    "AIG": ("NTE",),
    "AIL": ("NTE",),
    "AIP": ("NTE",),
    "TXA": ("OBX", "NTE", "CON"),
    "DG1": ("NTE",),
    "MSA": ("ERR", "NTE"),
    "MSH": ("NTE",),
}
"""Segment → the segments that belong to it from there on, until another one opens for them."""

_ENDS_ORDER: Final = "OBR"
"""An ORC holds one detail group: a second OBR behind it starts an order of its own (chapter 4, ORM; chapter
7, ORU)."""


_SHORT: Final = 64
"""Segments. Messages of one sender have few structures; of those that are not longer the last ones are
remembered."""


@dataclass(frozen=True, slots=True)
class Structure:
    """What follows from the names of a message's segments alone.

    ``parents`` has for each segment the index of the one it belongs to, -1 for those that stand at the top.
    ``runs`` are neighbours of one name: ``(name, index of the first, index behind the last)``. ``first`` is
    the index of the first segment of each name.
    """

    parents: tuple[int, ...]
    runs: tuple[tuple[str, int, int], ...]
    first: dict[str, int]


@dataclass(frozen=True, slots=True)
class SegmentGroup:
    """A segment and what belongs to it, in the order of the message."""

    segment: Segment
    children: list[SegmentGroup]


def parents(names: Sequence[str]) -> list[int]:
    """For each segment the index of the one it belongs to, -1 for those that stand at the top.

    >>> parents(["MSH", "PID", "NTE", "OBR", "NTE", "OBX", "NTE", "OBR", "OBX"])
    [-1, -1, 1, 1, 3, 3, 5, 1, 7]
    """
    return list(structure(names).parents)


def structure(names: Sequence[str]) -> Structure:
    """The structure of a message from the names of its segments.

    >>> structure(["MSH", "OBR", "OBX", "OBX"]).runs
    (('MSH', 0, 1), ('OBR', 1, 2), ('OBX', 2, 4))
    """
    return _known_structure(tuple(names)) if len(names) <= _SHORT else _structure(names)


@lru_cache(maxsize=1024)
def _known_structure(names: tuple[str, ...]) -> Structure:
    return _structure(names)


def _structure(names: Sequence[str]) -> Structure:
    starts = [index for index, name in enumerate(names) if index == 0 or names[index - 1] != name]
    ends = [*starts[1:], len(names)]
    runs = tuple((names[start], start, end) for start, end in zip(starts, ends, strict=False))
    return Structure(_parents(names), runs, {name: start for name, start, _ in reversed(runs)})


def _parents(names: Iterable[str]) -> tuple[int, ...]:
    owner: dict[str, int] = {}
    patient = -1
    found: list[int] = []
    owner_of, opens = owner.get, OPENS.get
    for index, name in enumerate(names):
        found.append(owner_of(name, -1))
        opened = opens(name)
        if opened is None:
            continue
        if name == "PID":
            # What the patient before had open is closed.
            owner = dict.fromkeys(opened, index)
            owner_of, patient = owner.get, index
            continue
        for child in opened:
            owner[child] = index
        if name == _ENDS_ORDER:
            owner[_ENDS_ORDER] = patient
    return tuple(found)


def groups(message: Message) -> list[SegmentGroup]:
    """The segments of a message as a tree; the list holds those at the top.

    >>> from connector_lib.formats.hl7v2.message import parse
    >>> message = parse("MSH|^~\\\\&|LAB\\rPID|1\\rOBR|1\\rOBX|1\\rNTE|1\\rOBX|2")
    >>> order = groups(message)[1].children[0]
    >>> [(child.segment.name, len(child.children)) for child in order.children]
    [('OBX', 1), ('OBX', 0)]
    """
    every = [SegmentGroup(segment, []) for segment in message.segments]
    top: list[SegmentGroup] = []
    for group, parent in zip(every, structure(message.names).parents, strict=True):
        (every[parent].children if parent >= 0 else top).append(group)
    return top
