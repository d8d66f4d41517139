"""Whether the time for a file grows faster than the file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Section, Target
from connector_lib import parse_message
from connector_lib.formats.hl7v2.charset import decode
from connector_lib.formats.hl7v2.split import split_stream
from connector_lib.samples.hl7v2 import messages

__all__ = ["measure_growth"]

_NOISE = 1.1
"""What two runs of the same thing differ by on a machine that others use too."""


def measure_growth(folder: Path, counts: Sequence[int]) -> Section:
    """Splits and parses a file of each of these numbers of messages."""
    some = [message.encode() for message in messages(min(counts), seed=3)]
    path = folder / "growing.hl7"
    each: dict[int, float] = {}
    rows: list[tuple[str, ...]] = []
    for count in counts:
        with path.open("wb") as file:
            for number in range(count):
                file.write(some[number % len(some)] + b"\r")
        started = time.process_time()
        with path.open("rb") as file:
            for piece in split_stream(file):
                parse_message(decode(piece.content, piece.charset).text)
        seconds = time.process_time() - started
        each[count] = seconds / count
        rows.append((f"{count:,}", f"{seconds:.2f}", f"{each[count] * 1e6:.1f}"))
    path.unlink()
    least, most = min(counts), max(counts)
    growth = each[most] / each[least]
    target = Target(
        f"time from {least:,} to {most:,} messages",
        f"no faster than the input (within {_NOISE - 1:.0%} of noise)",
        f"{growth:.2f} times the time a message",
        growth <= _NOISE,
    )
    note = "`split_stream`, `decode` and `parse_message` over one file of mixed sample messages; CPU time."
    return Section("Growth", note, ("messages", "seconds", "µs a message"), rows, [target])
