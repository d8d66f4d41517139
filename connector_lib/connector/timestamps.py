"""Moments as ISO 8601 text, to the nanosecond: what Python's own ``datetime`` would cut off."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone
from typing import Final

__all__ = ["timestamp_nanoseconds", "timestamp_text"]

_SECOND: Final = 10**9
_TIMESTAMP: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d\d)(?:-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?"
    r" ?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_USUAL: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?Z", re.ASCII)
"""The form that nearly every API sends: Python's own reader takes it in a tenth of the time."""
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - both sides of the difference are UTC
_EPOCH_DAY: Final = _EPOCH.toordinal()


def timestamp_nanoseconds(text: str) -> int:
    """Nanoseconds from 1970-01-01T00:00Z to the moment that an ISO 8601 ``text`` names.

    Digits behind the ninth are cut off, a time without a zone is UTC, second 60 is the next minute's first (HL7 FHIR
    R4, 2.24.0.1, instant and dateTime). Raises ValueError.

    >>> timestamp_nanoseconds("1970-01-01T02:00:00.000000001+02:00")
    1
    """
    usual = _USUAL.fullmatch(text)
    if usual is None:
        return _nanoseconds_of_any_form(text.strip())
    try:
        passed = datetime.fromisoformat(usual[1]) - _EPOCH
    except ValueError:
        # Second 60, or no date.
        return _nanoseconds_of_any_form(text)
    nanoseconds = int(usual[2][:9].ljust(9, "0")) if usual[2] else 0
    return (passed.days * 86_400 + passed.seconds) * _SECOND + nanoseconds


def timestamp_text(moment: datetime | int, *, digits: int = 3) -> str:
    """A moment (with a zone, or in nanoseconds since 1970) as ISO 8601 in UTC with ``digits`` decimals, 0 to 9.

    What does not fit is cut off, never rounded up: a bound lies at or before the moment that it was made of.

    >>> timestamp_text(datetime(2026, 11, 21, 9, 30, 0, 999999, tzinfo=timezone.utc))
    '2026-11-21T09:30:00.999Z'
    """
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise ValueError("the moment has no time zone")
        moment = timestamp_nanoseconds(moment.astimezone(timezone.utc).isoformat())
    seconds, fraction = divmod(moment, _SECOND)
    days, seconds = divmod(seconds, 86_400)
    day = date.fromordinal(days + _EPOCH_DAY)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    decimals = f".{fraction:09}"[: digits + 1] if digits else ""
    return f"{day.isoformat()}T{clock}{decimals}Z"


def _nanoseconds_of_any_form(text: str) -> int:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError("no ISO 8601 date or time")
    parts = match.groupdict()
    day = date(int(parts["year"]), int(parts["month"] or 1), int(parts["day"] or 1)).toordinal() - _EPOCH_DAY
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    # 24:00 is the end of a day, and 60 a leap second.
    if hour > 24 or (hour == 24 and (minute or second)) or minute > 59 or second > 60:
        raise ValueError("no time of a day")
    seconds = ((day * 24 + hour) * 60 + minute) * 60 + second - _zone_seconds(parts["zone"])
    return seconds * _SECOND + int((parts["fraction"] or "0")[:9].ljust(9, "0"))


def _zone_seconds(zone: str | None) -> int:
    if zone is None or zone in "Zz":
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:]) if len(zone) > 3 else 0
    if hours > 23 or minutes > 59:
        raise ValueError("no time zone")
    return (hours * 3600 + minutes * 60) * (-1 if zone[0] == "-" else 1)
