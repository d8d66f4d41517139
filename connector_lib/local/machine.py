"""How much of this machine a local run takes."""

from __future__ import annotations

import os

__all__ = ["memory_of_machine_mb", "sensible_cores", "sensible_memory_mb"]

_LEAST_MB = 1024
_MOST_MB = 8 * 1024


def memory_of_machine_mb() -> int | None:
    """The memory of this machine in MiB, None where it cannot be asked."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)
    except (AttributeError, ValueError, OSError):
        return None


def sensible_memory_mb(of_machine: int | None) -> int:
    """What Spark may take: half of the machine's memory, 1 GiB at least and 8 GiB at most.

    >>> sensible_memory_mb(16 * 1024), sensible_memory_mb(64 * 1024), sensible_memory_mb(None)
    (8192, 8192, 2048)
    """
    if of_machine is None:
        return 2 * 1024
    return max(_LEAST_MB, min(_MOST_MB, of_machine // 2))


def sensible_cores() -> int:
    """The processors that this process may use, two at least: a stream and its reader must not wait for each
    other.
    """
    try:
        usable = len(os.sched_getaffinity(0))
    except AttributeError:
        usable = os.cpu_count() or 2
    return max(2, usable)
