"""Converts as many records as the command line says, page by page, and prints, as JSON, what that took. Run as a
script, by converting.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

# The folder that benchmarks/ is in is not on the path of a script. At the end: the installed package comes first.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks.api_records import WIDTHS, api_records, schema_of_width
from benchmarks.split_one_file import print_figures
from connector_lib.datasource.converters import compile_converter

_PAGE = 1000


def main() -> None:
    """Prints the figures."""
    converter = compile_converter(schema_of_width(WIDTHS[0]))
    page = json.dumps(api_records(_PAGE, WIDTHS[0], seed=1)).encode()

    def convert() -> int:
        rows = 0
        while rows < int(sys.argv[1]):
            rows += converter.to_batch(json.loads(page)).num_rows
        return rows

    print_figures("rows", convert)


if __name__ == "__main__":
    main()
