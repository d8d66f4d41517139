"""Records a second from an API on loopback: a connector's ``read_table`` beside a bare loop and beside dlt."""

from __future__ import annotations

import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from benchmarks.report import Section, Target
from connector_lib.testing.records_source import RecordsSource

__all__ = ["measure_api_reading"]

_SERVER = Path(__file__).with_name("serve_records.py")
_TABLE = "people"
_PAGE = 1000
_LONGEST_WAIT = 60.0
_SHARE_OF_LOOP = 0.8
_OURS = "connector_lib read_table"
_LOOP = "requests and json in a loop"
_DLT = "dlt RESTClient.paginate"
_TITLE = "Records from an API"
_COLUMNS = ("reader", "records a second of CPU time", "ratio", "records a second")


def measure_api_reading(records: int, rounds: int) -> Section:
    """Reads a table of ``records`` records to its end, page by page, by each of three readers in turns."""
    with _served(records) as url:
        readers = _readers(url)
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
        for read in readers.values():
            read()  # opens connections, imports what is imported late
        for number in range(rounds):
            # Every other round the other way round: who comes first meets a colder machine.
            for name in list(readers)[:: 1 if number % 2 == 0 else -1]:
                seconds[name].append(_timed(readers[name], records))
    rows = []
    ratios = {}
    for name, measured in seconds.items():
        cpu, elapsed = (statistics.median(times) for times in zip(*measured, strict=True))
        pairs = zip(seconds[_LOOP], measured, strict=True)
        ratios[name] = statistics.median(loop[0] / own[0] for loop, own in pairs)
        rows.append((name, f"{records / cpu:,.0f}", f"{ratios[name]:.2f}", f"{records / elapsed:,.0f}"))
    note = (
        f"{rounds} rounds of {records:,} records of eight columns in pages of {_PAGE:,}, by their links, from a server "
        "in a process of its own, in turns. Medians; CPU time of the reading process, and elapsed time, which has "
        "the server's work in it. The ratio is of CPU time, to the loop: above 1 means faster than it."
    )
    return Section(_TITLE, note, _COLUMNS, rows, _targets(ratios))


def _targets(ratios: dict[str, float]) -> list[Target]:
    title = "records from an API through read_table"
    ours = ratios[_OURS]
    beside_loop = Target(
        f"{title}, beside requests and json in a loop",
        f"at least {_SHARE_OF_LOOP:g} of its rate",
        f"{ours:.2f}",
        ours >= _SHARE_OF_LOOP,
    )
    name, wanted = f"{title}, beside dlt", "faster"
    if _DLT not in ratios:
        return [beside_loop, Target(name, wanted, "dlt is not installed", None)]
    times = ours / ratios[_DLT]
    return [beside_loop, Target(name, wanted, f"{times:.2f} times", times > 1)]


def _readers(url: str) -> dict[str, Callable[[], int]]:
    """Name → a function that reads the whole table and gives how many records that were."""

    def ours() -> int:
        source = RecordsSource({"base_url": url})
        read, _ = source.read_table(_TABLE, None, {"page_size": str(_PAGE)})
        return sum(1 for _ in read)

    def loop() -> int:
        count = 0
        with requests.Session() as session:
            link = f"{url}/tables/{_TABLE}?limit={_PAGE}"
            while link:
                answer = session.get(link, timeout=_LONGEST_WAIT)
                answer.raise_for_status()
                page = json.loads(answer.content)
                count += sum(1 for _ in page["items"])
                link = page["next"]
        return count

    readers = {_OURS: ours, _LOOP: loop}
    # It reports its use to its makers, unless told otherwise.
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    try:
        client = importlib.import_module("dlt.sources.helpers.rest_client")
        paginators = importlib.import_module("dlt.sources.helpers.rest_client.paginators")
    except ImportError:
        return readers

    def dlt() -> int:
        api = client.RESTClient(
            base_url=url, paginator=paginators.JSONLinkPaginator(next_url_path="next"), data_selector="items"
        )
        return sum(len(page) for page in api.paginate(f"/tables/{_TABLE}", params={"limit": _PAGE}))

    return {**readers, _DLT: dlt}


def _timed(read: Callable[[], int], records: int) -> tuple[float, float]:
    """CPU seconds of this process, and seconds that passed. Raises RuntimeError where records are missing."""
    gc.collect()
    cpu, elapsed = time.process_time(), time.perf_counter()
    count = read()
    taken = time.process_time() - cpu, time.perf_counter() - elapsed
    if count != records:
        raise RuntimeError(f"{count:,} records were read, and the table has {records:,}")
    return taken


@contextmanager
def _served(records: int) -> Iterator[str]:
    """The address of a server with so many records, in a process of its own."""
    command = [sys.executable, str(_SERVER), str(records), str(_PAGE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        if not url:
            raise RuntimeError("the server of records did not start")
        try:
            yield url
        finally:
            server.terminate()
