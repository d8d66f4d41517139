"""What a run tells while it works."""

from __future__ import annotations

__all__ = ["RunObserver"]


class RunObserver:
    """Hears what a run does. Does nothing itself: a caller overrides what it wants to show."""

    def phase(self, text: str) -> None:
        """The run has come to another phase, such as starting Spark."""

    def note(self, text: str) -> None:
        """Something that the reader should know, such as an interrupted run before this one."""

    def flows(self, names: list[str]) -> None:
        """The datasets that will be written, in the order of definition."""

    def flow(self, name: str, state: str, seconds: float | None) -> None:
        """A flow came into ``state``, so many seconds after it was started."""
