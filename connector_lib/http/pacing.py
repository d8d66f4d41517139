"""Requests at the pace that an API allows, so that it need not refuse any."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from connector_lib.errors import OptionError

__all__ = ["Pace", "TokenBucket"]


@dataclass(frozen=True, slots=True)
class Pace:
    """Requests a second, and how many may follow one another at once after a rest.

    Several workers that read one API share its limit: give each its part.

    >>> Pace(5)
    Pace(requests_per_second=5, burst=1)
    """

    requests_per_second: float
    burst: int = 1

    def __post_init__(self) -> None:
        if not self.requests_per_second > 0 or self.burst < 1:
            raise OptionError(
                f"the pace of {self.requests_per_second!r} requests a second with a burst of {self.burst!r} is none",
                hint="give more than 0 requests a second, and a burst of 1 or more",
            )


class TokenBucket:
    """Tells each request how long it has to wait, in seconds; ``clock`` gives seconds that only grow.

    >>> bucket = TokenBucket(Pace(4, burst=2), clock=lambda: 0.0)
    >>> [bucket.reserve() for _ in range(4)]
    [0.0, 0.0, 0.25, 0.5]
    """

    def __init__(self, pace: Pace, clock: Callable[[], float]) -> None:
        self._pace = pace
        self._clock = clock
        self._lock = threading.Lock()
        self._left = float(pace.burst)
        self._at = clock()

    def reserve(self) -> float:
        """Takes a token, and gives the seconds until it is there."""
        with self._lock:
            now = self._clock()
            filled = self._left + (now - self._at) * self._pace.requests_per_second
            self._left = min(filled, float(self._pace.burst)) - 1.0
            self._at = now
            return max(0.0, -self._left / self._pace.requests_per_second)
