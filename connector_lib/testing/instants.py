"""Times as text and as whole nanoseconds: what a server of records compares.

Written for itself, not with what connectors use, so that a fault there does not cancel out here.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

__all__ = ["instant", "instant_text"]

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s*(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SECOND = 1_000_000_000


def instant(text: str) -> int:
    """Nanoseconds since 1970 of an ISO 8601 time; UTC where it names no zone. Raises ValueError for what is none.

    >>> instant("1970-01-01T02:00:00.000000001+02:00")
    1
    """
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError("not an ISO 8601 time")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    whole = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=timezone.utc
    )
    away = 0
    if zone and zone.upper() != "Z":
        away = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
        away = -away if zone[0] == "-" else away
    passed = whole - _EPOCH
    return (passed.days * 86_400 + passed.seconds - away) * _SECOND + int((fraction or "").ljust(9, "0"))


def instant_text(time: datetime) -> str:
    """A time with a zone as ISO 8601 text in UTC, microseconds and ``Z``.

    >>> instant_text(datetime(2026, 1, 2, tzinfo=timezone.utc))
    '2026-01-02T00:00:00.000000Z'
    """
    return time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
