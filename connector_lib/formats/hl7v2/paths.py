"""Places in a message, as ``PID-3[2].1`` names them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from connector_lib.errors import PathError

__all__ = ["Path", "parse_path"]

_PATH: Final = re.compile(
    r"(?P<segment>[A-Z][A-Z0-9]{2})(?:\[(?P<occurrence>[1-9]\d*)\])?"
    r"-(?P<field>[1-9]\d*)(?:\[(?P<repetition>[1-9]\d*)\])?"
    r"(?:\.(?P<component>[1-9]\d*)(?:\.(?P<subcomponent>[1-9]\d*))?)?"
)


@dataclass(frozen=True, slots=True)
class Path:
    """A place in a message, as ``PID-3[2].1`` names it. ``component`` and ``subcomponent`` are 0 when not
    named."""

    segment: str
    occurrence: int
    field: int
    repetition: int
    component: int
    subcomponent: int


@lru_cache(maxsize=4096)
def parse_path(path: str) -> Path:
    """Reads ``SEG[occurrence]-field[repetition].component.subcomponent``; all but segment and field may be
    left out.

    Raises :class:`~connector_lib.errors.PathError`.

    >>> parse_path("PID-3[2].1")
    Path(segment='PID', occurrence=1, field=3, repetition=2, component=1, subcomponent=0)
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise PathError(
            f"{path!r} is no place in an HL7 message",
            hint="write segment-field, such as PID-5, PID-5.1, PID-3[2].1, OBX[4]-5; all numbers start at 1",
        )
    part = match.groupdict()
    return Path(
        part["segment"],
        int(part["occurrence"] or 1),
        int(part["field"]),
        int(part["repetition"] or 1),
        int(part["component"] or 0),
        int(part["subcomponent"] or 0),
    )
