"""Dates, times and lengths of time in JSON: one value as a number of days, microseconds or nanoseconds, and whole
arrays of ISO texts where Arrow reads them itself.

A function of one value gives an int, or raises UnfitValueError. A function of an array gives an array, or raises
ValueError where not all of it has one common form: then the values have to be looked at one by one.

Where a time has no zone, it is in UTC. What lies below a microsecond is cut off, as Spark's own cast of text does.
A number is seconds since 1970, or milliseconds where seconds would lie beyond the year 5138; both with a fraction.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from connector_lib.datasource.converters_values import UnfitValueError

__all__ = [
    "INSTANT",
    "LOCAL_TIME",
    "date_array",
    "days_of",
    "duration_micros_of",
    "instant_array",
    "instant_array_of_numbers",
    "instant_micros_of",
    "local_array",
    "local_array_of_numbers",
    "local_micros_of",
    "nanos_of_day_of",
]

INSTANT: Final = pa.timestamp("us", tz="UTC")
LOCAL_TIME: Final = pa.timestamp("us")

_SECOND: Final = 1_000_000
_NANOSECONDS = pa.timestamp("ns", tz="UTC")
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - every time here is in UTC once its offset is taken off
_FIRST_DAY: Final = date.min.toordinal() - _EPOCH.toordinal()
_LAST_DAY: Final = date.max.toordinal() - _EPOCH.toordinal()
_FIRST_MICRO: Final = _FIRST_DAY * 86_400 * _SECOND
_LAST_MICRO: Final = (_LAST_DAY + 1) * 86_400 * _SECOND - 1

_FIRST_MILLISECONDS: Final = 10**11
"""From here on a number is milliseconds: as seconds it would be in the year 5138, and as milliseconds it is in 1973."""
_BEYOND_NUMBERS: Final = 10**14

_ISO = re.compile(
    r"(\d{4})(-?)(\d\d)\2(\d\d)"
    r"(?:[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?"
    r"(?:(Z|z)|([+-])(\d\d)(?::?(\d\d))?)?)?",
    re.ASCII,
)
_NUMBER_AS_TEXT = re.compile(r"-?(?:\d{10}|\d{13})(?:\.\d+)?", re.ASCII)
"""Seconds or milliseconds of our days: ISO texts of so many digits without a sign between them do not exist."""
_OTHER_DATES = (
    re.compile(r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})", re.ASCII),
    re.compile(r"(?P<d>\d{1,2})-(?P<m>\d{1,2})-(?P<y>\d{4})", re.ASCII),
    re.compile(r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})", re.ASCII),
)
_TIME_OF_DAY = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?", re.ASCII)
_ISO_DURATION = re.compile(
    r"([+-])?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:[.,](\d+))?S)?)?", re.ASCII
)
_CLOCK_DURATION = re.compile(r"([+-])?(?:(\d+) )?(\d+):(\d\d):(\d\d)(?:\.(\d+))?", re.ASCII)
_MOST_DURATION: Final = 2**63 - 1


def days_of(value: Any) -> int:
    """Days since 1970-01-01. An ISO date, ``month/day/year``, ``day-month-year`` or ``year/month/day``; also an ISO
    time at midnight, of which the date is taken as it is written.

    >>> days_of("1970-01-02"), days_of("01/02/1970"), days_of("02-01-1970"), days_of("1970/01/02")
    (1, 1, 1, 1)
    """
    if isinstance(value, datetime):
        if value.time() != time():
            raise UnfitValueError("a time of day is more than a date holds")
        value = value.date()
    if isinstance(value, date):
        return value.toordinal() - _EPOCH.toordinal()
    if not isinstance(value, str):
        raise UnfitValueError("wanted is a text such as 2024-12-31")
    text = value.strip()
    for pattern in _OTHER_DATES:
        if found := pattern.fullmatch(text):
            return _days(int(found["y"]), int(found["m"]), int(found["d"]))
    if found := _ISO.fullmatch(text):
        if any(int(part) for part in found.group(5, 6, 7, 8) if part):
            raise UnfitValueError("a time of day is more than a date holds")
        return _days(int(found[1]), int(found[3]), int(found[4]))
    raise UnfitValueError("wanted is a text such as 2024-12-31")


def instant_micros_of(value: Any) -> int:
    """Microseconds since 1970 in UTC. An ISO text, with ``Z``, an offset or none (then UTC), or a number.

    >>> instant_micros_of("1970-01-01T01:00:00.5+01:00"), instant_micros_of(0.5), instant_micros_of(1700000000000)
    (500000, 500000, 1700000000000000)
    """
    micros, _ = _micros(value)
    return micros


def local_micros_of(value: Any) -> int:
    """The same for a time without a zone. A text with another offset than zero is refused: the time would lose it.

    >>> local_micros_of("1970-01-01 00:00:01"), local_micros_of("1970-01-01T00:00:01Z")
    (1000000, 1000000)
    """
    micros, offset = _micros(value)
    if offset:
        raise UnfitValueError("an offset from UTC is lost in a time without a zone; TimestampType keeps the instant")
    return micros


def nanos_of_day_of(value: Any) -> int:
    """Nanoseconds since midnight of a text such as ``13:45`` or ``13:45:30.25``.

    >>> nanos_of_day_of("00:00:01.5")
    1500000000
    """
    if isinstance(value, time):
        if value.tzinfo is not None:
            raise UnfitValueError("an offset from UTC is lost in a time of day")
        return _seconds_of_day(value.hour, value.minute, value.second) * 1_000_000_000 + value.microsecond * 1000
    if isinstance(value, str) and (found := _TIME_OF_DAY.fullmatch(value.strip())):
        seconds = _seconds_of_day(int(found[1]), int(found[2]), int(found[3] or 0))
        return seconds * 1_000_000_000 + _fraction(found[4], 9)
    raise UnfitValueError("wanted is a text such as 13:45:30")


def duration_micros_of(value: Any) -> int:
    """Microseconds of a number of seconds, of an ISO 8601 duration of weeks, days, hours, minutes and seconds, or of
    ``days hours:minutes:seconds``.

    >>> duration_micros_of("PT1H30M"), duration_micros_of("1 00:00:00.5"), duration_micros_of(1.5)
    (5400000000, 86400500000, 1500000)
    """
    if isinstance(value, timedelta):
        micros = value // timedelta(microseconds=1)
    elif _is_number(value):
        micros = _scaled(_exact(value), _SECOND)
    elif isinstance(value, str):
        micros = _micros_of_duration_text(value.strip())
    else:
        raise UnfitValueError("wanted is a number of seconds, or a text such as PT1H30M")
    if abs(micros) > _MOST_DURATION:
        raise UnfitValueError("it is longer than Spark's intervals reach")
    return micros


def date_array(texts: pa.Array) -> pa.Array:
    """ISO dates as ``date32``. Raises ValueError where one is none."""
    days = texts.cast(pa.date32())
    _check_range(days.view(pa.int32()), _FIRST_DAY, _LAST_DAY)
    return days


def instant_array(texts: pa.Array) -> pa.Array:
    """ISO texts as timestamps in UTC: all with a zone, or all without."""
    try:
        instants = texts.cast(INSTANT)
    except pa.ArrowInvalid:
        try:
            instants = texts.cast(LOCAL_TIME).view(INSTANT)
        except pa.ArrowInvalid:
            # More than six digits behind the point, which only nanoseconds take.
            instants = pc.floor_temporal(texts.cast(_NANOSECONDS), unit="microsecond").cast(INSTANT)
    _check_range(instants.view(pa.int64()), _FIRST_MICRO, _LAST_MICRO)
    return instants


def local_array(texts: pa.Array) -> pa.Array:
    """ISO texts as timestamps without a zone: all without one, or all with ``Z``."""
    try:
        times = texts.cast(LOCAL_TIME)
    except pa.ArrowInvalid:
        if pc.all(pc.ends_with(texts, "Z")).as_py() is False:
            raise
        times = texts.cast(INSTANT).view(LOCAL_TIME)
    _check_range(times.view(pa.int64()), _FIRST_MICRO, _LAST_MICRO)
    return times


def instant_array_of_numbers(numbers: pa.Array) -> pa.Array:
    """Whole numbers as timestamps in UTC: all seconds, or all milliseconds."""
    return _micros_of_whole_numbers(numbers).view(INSTANT)


def local_array_of_numbers(numbers: pa.Array) -> pa.Array:
    """The same without a zone."""
    return _micros_of_whole_numbers(numbers).view(LOCAL_TIME)


def _micros(value: Any) -> tuple[int, int]:
    """Microseconds since 1970 in UTC, and the offset that was written, in microseconds."""
    if isinstance(value, str):
        text = value.strip()
        if found := _ISO.fullmatch(text):
            return _micros_of_iso(found)
        if _NUMBER_AS_TEXT.fullmatch(text):
            return _micros_of_number(Decimal(text)), 0
        raise UnfitValueError("wanted is a text such as 2024-12-31T23:59:59Z, or seconds or milliseconds since 1970")
    if isinstance(value, datetime):
        offset = value.utcoffset() or timedelta()
        micros = (value.replace(tzinfo=None) - _EPOCH - offset) // timedelta(microseconds=1)
        return _in_range(micros), offset // timedelta(microseconds=1)
    if _is_number(value):
        return _micros_of_number(_exact(value)), 0
    raise UnfitValueError("wanted is a text such as 2024-12-31T23:59:59Z, or seconds or milliseconds since 1970")


def _micros_of_iso(found: re.Match[str]) -> tuple[int, int]:
    year, _, month, day, hour, minute, second, fraction, _, sign, offset_hours, offset_minutes = found.groups()
    days = _days(int(year), int(month), int(day))
    seconds = _seconds_of_day(int(hour or 0), int(minute or 0), int(second or 0))
    offset = 0
    if sign:
        hours, minutes = int(offset_hours), int(offset_minutes or 0)
        if hours > 23 or minutes > 59:
            raise UnfitValueError("an offset from UTC has 23 hours and 59 minutes at most")
        offset = (hours * 60 + minutes) * 60 * _SECOND * (-1 if sign == "-" else 1)
    micros = (days * 86_400 + seconds) * _SECOND + _fraction(fraction, 6)
    return _in_range(micros - offset), offset


def _micros_of_number(number: Decimal) -> int:
    size = abs(number)
    if size >= _BEYOND_NUMBERS:
        raise UnfitValueError("a number is seconds or milliseconds since 1970, and this one is beyond both")
    return _in_range(_scaled(number, 1000 if size >= _FIRST_MILLISECONDS else _SECOND))


def _micros_of_whole_numbers(numbers: pa.Array) -> pa.Array:
    least_and_most = pc.min_max(numbers).as_py()
    if least_and_most["min"] is None:
        return numbers
    least, most = least_and_most["min"], least_and_most["max"]
    if least > -_FIRST_MILLISECONDS and most < _FIRST_MILLISECONDS:
        micros = pc.multiply(numbers, _SECOND)
    elif least >= _FIRST_MILLISECONDS and most < _BEYOND_NUMBERS:
        micros = pc.multiply(numbers, 1000)
    else:
        raise UnfitValueError("neither all seconds nor all milliseconds")
    _check_range(micros, _FIRST_MICRO, _LAST_MICRO)
    return micros


def _micros_of_duration_text(text: str) -> int:
    if (found := _ISO_DURATION.fullmatch(text)) and any(found.groups()[1:]):
        sign, weeks, days, hours, minutes, seconds, fraction = found.groups()
        all_days = int(weeks or 0) * 7 + int(days or 0)
    elif found := _CLOCK_DURATION.fullmatch(text):
        sign, days, hours, minutes, seconds, fraction = found.groups()
        all_days = int(days or 0)
    else:
        raise UnfitValueError("wanted is a number of seconds, or a text such as PT1H30M")
    all_seconds = ((all_days * 24 + int(hours or 0)) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    micros = all_seconds * _SECOND + _fraction(fraction, 6)
    return -micros if sign == "-" else micros


def _days(year: int, month: int, day: int) -> int:
    try:
        return date(year, month, day).toordinal() - _EPOCH.toordinal()
    except ValueError:
        raise UnfitValueError("there is no such day") from None


def _seconds_of_day(hour: int, minute: int, second: int) -> int:
    if hour > 23 or minute > 59 or second > 59:
        raise UnfitValueError("there is no such time of day")
    return (hour * 60 + minute) * 60 + second


def _fraction(digits: str | None, places: int) -> int:
    """What stands behind the point, as a whole number of the last place; digits beyond it are cut off."""
    return int(digits[:places].ljust(places, "0")) if digits else 0


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def _exact(number: int | float | Decimal) -> Decimal:
    """The number as it is written: 1700000000.1 is no binary fraction here."""
    exact = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    if not exact.is_finite():
        raise UnfitValueError("it is no finite number")
    return exact


def _scaled(number: Decimal, factor: int) -> int:
    if abs(number) > _MOST_DURATION:
        raise UnfitValueError("the number is too large for a time")
    return int((number * factor).to_integral_value(ROUND_HALF_EVEN))


def _in_range(micros: int) -> int:
    if not _FIRST_MICRO <= micros <= _LAST_MICRO:
        raise UnfitValueError("the time is not in the years 1 to 9999")
    return micros


def _check_range(numbers: pa.Array, least: int, most: int) -> None:
    found = pc.min_max(numbers).as_py()
    if found["min"] is not None and not (least <= found["min"] and found["max"] <= most):
        raise UnfitValueError("a date or time is not in the years 1 to 9999")
