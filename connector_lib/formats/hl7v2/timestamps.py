"""The forms of dates and times (chapter 2A: DT, TM, TS, DTM), in the calendar."""

from __future__ import annotations

import calendar
import re
from typing import Final, Literal

__all__ = ["SURELY_A_TIME", "TIME_OF_DAY", "TimeProblem", "time_problem"]

SURELY_A_TIME: Final = re.compile(
    r"(?!0000)[0-9]{4}"
    r"(?:(?:0[1-9]|1[0-2])(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])(?:29|30)|(?:0[13578]|1[02])31)"
    r"(?:\Z|(?:[01][0-9]|2[0-3])[0-5][0-9]"
    r"(?:\Z|[0-5][0-9](?:\.[0-9]{1,4})?(?:[+-](?:0[0-9]|1[0-4])[0-5][0-9])?\Z))"
)
"""Most dates and times: whole, and not on a 29 February. What does not match may still be right."""
_TIME: Final = re.compile(
    r"(?P<year>\d{4})(?:(?P<month>\d\d)(?:(?P<day>\d\d)(?:(?P<hour>\d\d)(?:(?P<minute>\d\d)"
    r"(?:(?P<second>\d\d)(?:\.(?P<fraction>\d+))?)?)?)?)?)?(?:[+-](?P<zone_hour>\d\d)(?P<zone_minute>\d\d))?",
    re.ASCII,
)
TIME_OF_DAY: Final = re.compile(
    r"(?:[01]\d|2[0-3])(?:[0-5]\d(?:[0-5]\d(?:\.\d+)?)?)?(?:[+-](?:0\d|1[0-4])[0-5]\d)?", re.ASCII
)
"""What TM allows: ``HH[MM[SS[.S...]]][+/-ZZZZ]``."""
_LONGEST_FRACTION: Final = 4

TimeProblem = Literal["", "form", "calendar", "fraction"]
"""Nothing; not of the form; of the form, and no such date or time; more than four decimals of a second."""


def time_problem(text: str) -> TimeProblem:
    """What is wrong with a date or time as it was sent: ``YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]``.

    >>> time_problem("20260131"), time_problem("20260231"), time_problem("31.01.2026")
    ('', 'calendar', 'form')
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return "form"
    part = {name: int(digits) for name, digits in match.groupdict("0").items() if name != "fraction"}
    year, month, day = part["year"], part["month"], part["day"]
    has_month, has_day = match["month"] is not None, match["day"] is not None
    if (
        year < 1
        or (has_month and not 1 <= month <= 12)
        or (has_day and not 1 <= day <= calendar.monthrange(year, month)[1])
        or part["hour"] > 23
        or part["minute"] > 59
        or part["second"] > 59
        or part["zone_hour"] > 14
        or part["zone_minute"] > 59
    ):
        return "calendar"
    return "fraction" if len(match["fraction"] or "") > _LONGEST_FRACTION else ""
