"""Splits the file named on the command line and prints, as JSON, what that took. Run as a script, by
splitting.py."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

from connector_lib.formats.hl7v2.split import split_stream


def resident_megabytes(name: str) -> float:
    """``VmRSS`` (now) or ``VmHWM`` (the highest so far); where there is no /proc, the highest so far for
    both."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return highest / (1_000_000 if sys.platform == "darwin" else 1_000)
    (kibibytes,) = (line.split()[1] for line in lines if line.startswith(f"{name}:"))
    return int(kibibytes) * 1024 / 1_000_000


def print_figures(counted: str, work: Callable[[], int]) -> None:
    """Does the ``work`` and prints, as JSON, what it took; what it gives is the number of what is ``counted``."""
    after_import = resident_megabytes("VmRSS")
    started = time.process_time()
    figures = {
        counted: work(),
        "seconds": time.process_time() - started,
        "megabytes_after_import": after_import,
        "peak_megabytes": resident_megabytes("VmHWM"),
    }
    print(json.dumps(figures))


def main() -> None:
    """Prints the figures."""
    with Path(sys.argv[1]).open("rb") as file:
        print_figures("pieces", lambda: sum(1 for _ in split_stream(file)))


if __name__ == "__main__":
    main()
