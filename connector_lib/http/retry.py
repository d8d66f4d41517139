"""When a request is sent again, and how long is waited before it.

Sources: RFC 9110 sections 10.2.3 (``Retry-After``) and 15 (statuses), RFC 6585 section 4 (429), RFC 8470 section 5.2
(425).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Final

from connector_lib.errors import OptionError

__all__ = ["RETRIED_STATUSES", "RetryPolicy", "http_date", "retry_after"]

RETRIED_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""What may be gone at the next try: time-outs, too many requests, and failures of the server or one before it."""
_JITTER: Final = 0.25
"""The part of a wait that is added at random, so that workers refused together do not come back together."""
_LONGEST_EXPONENT: Final = 32
_SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a client tries.

    ``max_attempts``  tries of one request in all
    ``first_wait``    seconds before the second try, doubled for each one after it
    ``longest_wait``  seconds: where the server asks for a longer wait, the request fails at once
    ``timeout``       seconds for a connection, for each piece of an answer, and for a whole body
    ``deadline``      seconds for everything that one client reads, from its first request on; None is no limit

    Raises :class:`~connector_lib.errors.OptionError` for values that make no sense.

    >>> RetryPolicy().backoff(2, 0.0)
    2.0
    """

    max_attempts: int = 3
    first_wait: float = 1.0
    longest_wait: float = 300.0
    timeout: float = 30.0
    deadline: float | None = None

    def __post_init__(self) -> None:
        wrong = {
            "max_attempts": self.max_attempts < 1,
            "first_wait": not self.first_wait >= 0,
            "longest_wait": not self.longest_wait >= 0,
            "timeout": not self.timeout > 0,
            "deadline": self.deadline is not None and not self.deadline > 0,
        }
        for name, is_wrong in wrong.items():
            if is_wrong:
                raise OptionError(
                    f"{name} is {getattr(self, name)!r}",
                    hint="attempts are 1 or more, waits 0 s or more, the time-out and the deadline more than 0 s",
                )

    def backoff(self, attempt: int, random: float) -> float:
        """Seconds to wait behind the failed ``attempt`` (1 is the first); ``random`` is from 0 to 1."""
        doubled = self.first_wait * 2.0 ** min(attempt - 1, _LONGEST_EXPONENT)
        return min(doubled * (1 + _JITTER * random), self.longest_wait)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a ``Retry-After`` asks for: 0 for a time that is past, None for none or one that cannot be read.

    ``now`` is the server's time where the answer tells it, so that clocks that differ do no harm.

    >>> noon = datetime(2026, 1, 1, 12, 0, tzinfo=timezone.utc)
    >>> retry_after("120", noon), retry_after("Thu, 01 Jan 2026 12:01:00 GMT", noon), retry_after("soon", noon)
    (120.0, 60.0, None)
    """
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    until = http_date(text)
    return None if until is None else max(0.0, (until - now).total_seconds())


def http_date(value: str | None) -> datetime | None:
    """A date in one of the forms of RFC 9110 section 5.6.7, in UTC; None for none or one that cannot be read.

    >>> http_date("Sun, 06 Nov 1994 08:49:37 GMT")
    datetime.datetime(1994, 11, 6, 8, 49, 37, tzinfo=datetime.timezone.utc)
    """
    if not value:
        return None
    try:
        date = parsedate_to_datetime(value)
        # A form without a zone is GMT, says the RFC.
        return date.replace(tzinfo=timezone.utc) if date.tzinfo is None else date.astimezone(timezone.utc)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
