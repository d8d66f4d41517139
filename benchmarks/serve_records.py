"""Serves as many records as the command line says on loopback, until its input ends. Prints the address. Run as a
script, by api_reading.py: a server in the process that reads would slow it down."""

from __future__ import annotations

import sys
from pathlib import Path

# The folder that benchmarks/ is in is not on the path of a script. At the end: the installed package comes first.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks.api_records import WIDTHS, api_records, schema_of_width
from connector_lib.testing.records_api import RecordsApi, RecordsTable


def main() -> None:
    """Serves the table ``people``."""
    count, page_size = int(sys.argv[1]), int(sys.argv[2])
    schema = schema_of_width(WIDTHS[0])
    columns = {field["name"]: field["type"] for field in schema.jsonValue()["fields"]}
    table = RecordsTable("people", columns, ingestion_type="snapshot", cursor=None)
    with RecordsApi([table], page_size=page_size) as api:
        api.put("people", *api_records(count, WIDTHS[0], seed=1))
        print(api.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
