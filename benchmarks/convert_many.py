"""Converts as many records as the command line says, page by page, and prints, as JSON, what that took. Run as a
script, by converting.py."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

# The folder that benchmarks/ is in is not on the path of a script. At the end: the installed package comes first.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks.api_records import WIDTHS, api_records, schema_of_width
from benchmarks.split_one_file import resident_megabytes
from connector_lib.datasource.converters import compile_converter

_PAGE = 1000


def main() -> None:
    """Prints the figures."""
    converter = compile_converter(schema_of_width(WIDTHS[0]))
    page = json.dumps(api_records(_PAGE, WIDTHS[0], seed=1)).encode()
    after_import = resident_megabytes("VmRSS")
    started = time.process_time()
    rows = 0
    while rows < int(sys.argv[1]):
        rows += converter.to_batch(json.loads(page)).num_rows
    figures = {
        "rows": rows,
        "seconds": time.process_time() - started,
        "megabytes_after_import": after_import,
        "peak_megabytes": resident_megabytes("VmHWM"),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
