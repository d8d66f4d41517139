"""A clock that nobody waits for: to sleep moves it on."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["FastClock"]


@dataclass(slots=True)
class FastClock:
    """``now`` in seconds; ``slept`` are all pauses, in order."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Moves the clock on."""
        self.slept.append(seconds)
        self.now += seconds

    def time(self) -> float:
        """The seconds by now."""
        return self.now
