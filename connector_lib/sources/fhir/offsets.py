"""How far a run reads, and how far the next one may rely on it.

A server gives a resource its ``lastUpdated`` before it commits it. So what lies in the last ``lag_seconds`` before a
run may not be whole: the run reads what is there, and the next run reads it once more.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector_lib.connector.interface import Offset
from connector_lib.connector.timestamps import timestamp_nanoseconds, timestamp_text
from connector_lib.errors import OffsetError

__all__ = ["FULL_REFRESH", "Place", "place_behind", "place_in"]

FULL_REFRESH = "a full refresh of the table starts it anew"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run ended, in nanoseconds from 1970 on.

    Everything before ``until`` was read for good: the next run begins there. What lies from there to before ``read_to``
    was read, and is read by the next run again. Both are the same where rows are held back, or there is no lag.
    """

    until: int
    read_to: int

    def to_offset(self, options: str) -> Offset:
        """The offset that a checkpoint keeps; ``options`` is the fingerprint of the options.

        >>> Place(5 * 10**9, 65 * 10**9).to_offset("deletes=1")["read_to"]
        '1970-01-01T00:01:05.000Z'
        """
        further = {"read_to": timestamp_text(self.read_to)} if self.read_to != self.until else {}
        return {"until": timestamp_text(self.until), **further, "options": options}


def place_in(offset: Offset, table: str) -> Place:
    """The place that ``offset`` is at. Raises OffsetError where it says none."""
    try:
        until = timestamp_nanoseconds(offset["until"])
        place = Place(until, timestamp_nanoseconds(offset["read_to"]) if "read_to" in offset else until)
    except (KeyError, TypeError, ValueError, AttributeError):
        place = None
    if place is None or place.read_to < place.until:
        raise OffsetError(
            f"the offset of the table '{table}' does not say up to when it was read", hint=FULL_REFRESH
        ) from None
    return place


def place_behind(start: Place | None, *, now: int, lag: int, hold_back: bool) -> Place:
    """Where a run ends that began at ``start`` when the server's clock said ``now``; ``start`` where nothing is new.

    With ``hold_back`` the run ends ``lag`` before ``now``, and no row is read twice.

    >>> place_behind(Place(0, 60), now=90, lag=60, hold_back=False)
    Place(until=30, read_to=90)
    >>> place_behind(Place(0, 0), now=90, lag=60, hold_back=True)
    Place(until=30, read_to=30)
    """
    until = now - lag
    read_to = until if hold_back else now
    if start is None:
        return Place(until, read_to)
    # A longer lag than that of the run before does not take back what that run relied on.
    return Place(max(until, start.until), read_to) if read_to > start.read_to else start
