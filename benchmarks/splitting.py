"""A large file taken apart: memory above what the process had after import, and rate."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.report import Section, Target
from connector_lib.samples.hl7v2 import messages

__all__ = ["measure_splitting", "write_batch_file"]

_MOST_MEGABYTES = 50.0
_CHILD = Path(__file__).with_name("split_one_file.py")


def write_batch_file(path: Path, megabytes: int) -> None:
    """One batch file of sample messages, repeated until it has the size."""
    body = "".join(f"{message}\r" for message in messages(2000, seed=2)).encode()
    with path.open("wb") as file:
        file.write(b"FHS|^~\\&|LAB\rBHS|^~\\&|LAB\r")
        while file.tell() < megabytes * 1_000_000:
            file.write(body)
        file.write(b"BTS\rFTS\r")


def measure_splitting(folder: Path, megabytes: int) -> Section:
    """Splits a file of that size in a process of its own."""
    path = folder / "large.hl7"
    write_batch_file(path, megabytes)
    done = subprocess.run(
        [sys.executable, str(_CHILD), str(path)], stdout=subprocess.PIPE, check=True, timeout=1800, text=True
    )
    path.unlink()
    figures = json.loads(done.stdout)
    above = figures["peak_megabytes"] - figures["megabytes_after_import"]
    target = Target(
        f"memory for splitting a file of {megabytes} MB",
        f"at most {_MOST_MEGABYTES:g} MB above the process",
        f"{above:.1f} MB",
        above <= _MOST_MEGABYTES,
    )
    row = (
        f"{megabytes} MB",
        f"{figures['pieces']:,}",
        f"{figures['megabytes_after_import']:.1f}",
        f"{figures['peak_megabytes']:.1f}",
        f"{above:.1f}",
        f"{megabytes / figures['seconds']:,.0f}",
    )
    columns = ("file", "pieces", "MB after import", "MB at the peak", "MB above", "MB a second")
    note = "`split_stream` over a file, in a process of its own; resident memory, CPU time."
    return Section("Splitting a large file", note, columns, [row], [target])
