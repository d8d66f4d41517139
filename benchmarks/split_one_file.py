"""Splits the file named on the command line and prints, as JSON, what that took. Run as a script, by
splitting.py."""

from __future__ import annotations

import json
import resource
import sys
import time
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


def main() -> None:
    """Prints the figures."""
    after_import = resident_megabytes("VmRSS")
    started = time.process_time()
    with Path(sys.argv[1]).open("rb") as file:
        pieces = sum(1 for _ in split_stream(file))
    figures = {
        "pieces": pieces,
        "seconds": time.process_time() - started,
        "megabytes_after_import": after_import,
        "peak_megabytes": resident_megabytes("VmHWM"),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
