"""Rates of several functions, measured in turns, so that a busy moment of the machine meets them all
alike."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Contestant", "Rate", "measure"]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A function of one message. Of every round's messages it gets one in ``one_in``, from the start on: the
    slow ones would otherwise take hours."""

    name: str
    gives: str
    read: Callable[[str], object]
    one_in: int = 1


@dataclass(frozen=True, slots=True)
class Rate:
    """CPU seconds a message, the median of all rounds, and how many of its messages the contestant
    refused."""

    seconds: float
    messages: int
    refused: int


def measure(
    contestants: Sequence[Contestant], rounds: Sequence[Sequence[str]], on_round: Callable[[], None]
) -> dict[str, Rate]:
    """Name → rate. In each round every contestant reads the same messages; CPU time of this process is
    counted."""
    seconds: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    refused = dict.fromkeys(seconds, 0)
    count = dict.fromkeys(seconds, 0)
    for messages in rounds:
        for contestant in contestants:
            share = messages[: max(1, len(messages) // contestant.one_in)]
            gc.collect()
            started = time.process_time()
            failed = _read_all(contestant.read, share)
            seconds[contestant.name].append((time.process_time() - started) / len(share))
            refused[contestant.name] += failed
            count[contestant.name] += len(share)
        on_round()
    return {name: Rate(statistics.median(seconds[name]), count[name], refused[name]) for name in seconds}


def _read_all(read: Callable[[str], object], messages: Sequence[str]) -> int:
    failed = 0
    for message in messages:
        try:
            read(message)
        except Exception:  # noqa: BLE001 - each library refuses a message with errors of its own
            failed += 1
    return failed
