"""Which segment belongs to which, by position in the message (the segment groups of HL7 v2, chapters 3 to
12).

The message structures of the standard nest segments by order alone: an OBX belongs to the OBR, RXA, SPM or
TXA before it, an NTE to what it stands behind, an AIS to its RGS. :data:`OPENS` holds that as data, so it
works for every trigger event and version, and for messages that leave out or add segments. One thing depends on
the trigger event: whether an ORC stands before its OBR or behind it (:data:`DETAIL_FIRST`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from connector_lib.formats.hl7v2.message import Message, Segment

__all__ = ["DETAIL_FIRST", "OPENS", "SegmentGroup", "Structure", "groups", "parents", "structure", "structure_of"]

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


DETAIL_FIRST: Final = frozenset({"OUL^R22", "OUL^R23", "OUL^R24", "OPU^R25"})
"""Type and trigger event of the messages in which an order is an OBR with, perhaps, its ORC behind it (chapter 7,
unsolicited specimen, specimen container and order oriented observations, accession-based results). In all others
an ORC opens an order."""
_OPENS_DETAIL_FIRST: Final = {**OPENS, "OBR": (*_ORDER_PARTS, "ORC"), "ORC": ("PRT",)}

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


def parents(names: Sequence[str], detail_first: bool = False) -> list[int]:
    """For each segment the index of the one it belongs to, -1 for those that stand at the top.

    >>> parents(["MSH", "PID", "NTE", "OBR", "NTE", "OBX", "NTE", "OBR", "OBX"])
    [-1, -1, 1, 1, 3, 3, 5, 1, 7]
    """
    return list(structure(names, detail_first).parents)


def structure(names: Sequence[str], detail_first: bool = False) -> Structure:
    """The structure of a message from the names of its segments. ``detail_first`` says that it is one of
    :data:`DETAIL_FIRST`.

    >>> structure(["MSH", "OBR", "OBX", "OBX"]).runs
    (('MSH', 0, 1), ('OBR', 1, 2), ('OBX', 2, 4))
    >>> structure(["MSH", "OBR", "ORC", "OBX"], detail_first=True).parents
    (-1, -1, 1, 1)
    """
    if len(names) > _SHORT:
        return _structure(names, detail_first)
    return _known_structure(tuple(names), detail_first)


def structure_of(message: Message) -> Structure:
    """The structure of a message, by the names of its segments and its trigger event.

    >>> from connector_lib.formats.hl7v2.message import parse
    >>> structure_of(parse("MSH|^~\\\\&|||||||OUL^R22\\rOBR|1\\rORC|SC")).parents
    (-1, -1, 1)
    """
    found = structure(message.names)
    first = found.first
    # Only where an OBR stands before every ORC can it make a difference.
    if "OBR" in first and first["OBR"] < first.get("ORC", -1):
        event = f"{message.get('MSH-9.1')}^{message.get('MSH-9.2')}"
        return structure(message.names, detail_first=event in DETAIL_FIRST)
    return found


@lru_cache(maxsize=1024)
def _known_structure(names: tuple[str, ...], detail_first: bool) -> Structure:
    return _structure(names, detail_first)


def _structure(names: Sequence[str], detail_first: bool) -> Structure:
    starts = [index for index, name in enumerate(names) if index == 0 or names[index - 1] != name]
    ends = [*starts[1:], len(names)]
    runs = tuple((names[start], start, end) for start, end in zip(starts, ends, strict=False))
    opens = _OPENS_DETAIL_FIRST if detail_first else OPENS
    return Structure(_parents(names, opens), runs, {name: start for name, start, _ in reversed(runs)})


def _parents(names: Iterable[str], opens: dict[str, tuple[str, ...]]) -> tuple[int, ...]:
    owner: dict[str, int] = {}
    patient = -1
    found: list[int] = []
    owner_of = owner.get
    for index, name in enumerate(names):
        found.append(owner_of(name, -1))
        opened = opens.get(name)
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
    for group, parent in zip(every, structure_of(message).parents, strict=True):
        (every[parent].children if parent >= 0 else top).append(group)
    return top
