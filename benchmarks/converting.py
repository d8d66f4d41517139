"""JSON records to Arrow batches: ours beside pyspark's own conversion of the same rows, and memory over a million."""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.sql.conversion import LocalDataToArrowConversion

from benchmarks.api_records import TIME_COLUMNS, WIDTHS, api_records, schema_of_width
from benchmarks.report import Section, Target
from connector_lib.datasource.converters import compile_converter

__all__ = ["measure_converting"]

_CHILD = Path(__file__).with_name("convert_many.py")
_BATCH = 1000
"""Rows: the default of the data source."""
_TIMES = 2.0
_MOST_MEGABYTES = 100.0
_OURS = "connector_lib Converter.to_batch"
_PEER = "pyspark LocalDataToArrowConversion"
_PEER_WITH_TEXTS = "pyspark, times read by datetime first"
_Records = list[dict[str, Any]]


def measure_converting(rows: int, rounds: int, streamed: int = 1_000_000) -> Section:
    """Rows a second of ``rows`` different records in each of ``rounds`` rounds, of 8 columns and of 50, and the memory
    of a process that converts ``streamed`` records page by page."""
    table: list[tuple[str, ...]] = []
    targets = []
    for width in WIDTHS:
        seconds = _seconds(rows, rounds, width)
        for name, measured in seconds.items():
            ratio = statistics.median(one / own for one, own in zip(measured, seconds[_OURS], strict=True))
            table.append((name, str(width), f"{rows / statistics.median(measured):,.0f}", f"{ratio:.2f}"))
            if name == _PEER:
                title = f"records to Arrow beside pyspark's own conversion, {width} columns"
                targets.append(Target(title, f"{_TIMES:g} times as fast", f"{ratio:.2f} times", ratio >= _TIMES))
    figures = _memory(streamed)
    above = figures["peak_megabytes"] - figures["megabytes_after_import"]
    table.append(
        (
            f"{streamed:,} records, decoded and converted by the page",
            str(WIDTHS[0]),
            f"{streamed / figures['seconds']:,.0f}",
            "",
        )
    )
    targets.append(
        Target(
            f"memory for {streamed:,} records decoded and converted by the page",
            f"at most {_MOST_MEGABYTES:g} MB above the process",
            f"{above:.1f} MB",
            above <= _MOST_MEGABYTES,
        )
    )
    note = (
        f"{rounds} rounds of {rows:,} different records in batches of {_BATCH:,}, with times, lists and objects in "
        "them, in turns; medians of CPU time, and of the ratio of each round: above 1 means slower than ours. Ours "
        "reads times from texts; pyspark's has no form for that and gets them as datetimes, made before the clock "
        f"starts. The last line is a process of its own, which grew by {above:.1f} MB; its rate has the decoding in it."
    )
    return Section("Records to Arrow", note, ("conversion", "columns", "rows a second", "ratio"), table, targets)


def _seconds(rows: int, rounds: int, width: int) -> dict[str, list[float]]:
    """Name → CPU seconds of each round, the same records for all in a round."""
    schema = schema_of_width(width)
    converter = compile_converter(schema)

    def convert_by_pyspark(batch: _Records) -> None:
        LocalDataToArrowConversion.convert(batch, schema, False)

    def one_round(number: int, count: int) -> dict[str, float]:
        records = api_records(count, width, seed=number)
        read = [_with_times_read(record) for record in records]
        contestants: list[tuple[str, _Records, Callable[[_Records], object]]] = [
            (_OURS, records, converter.to_batch),
            (_PEER, read, convert_by_pyspark),
            (_PEER_WITH_TEXTS, records, lambda batch: convert_by_pyspark([_with_times_read(one) for one in batch])),
        ]
        # Every other round the other way round: who comes first meets a colder machine.
        order = contestants[:: 1 if number % 2 == 0 else -1]
        return {name: _time_of(convert, given) for name, given, convert in order}

    one_round(0, _BATCH)  # imports what is imported late
    taken = [one_round(number, rows) for number in range(rounds)]
    return {name: [times[name] for times in taken] for name in (_OURS, _PEER, _PEER_WITH_TEXTS)}


def _time_of(convert: Callable[[_Records], object], records: _Records) -> float:
    gc.collect()
    started = time.process_time()
    for start in range(0, len(records), _BATCH):
        convert(records[start : start + _BATCH])
    return time.process_time() - started


def _with_times_read(record: dict[str, Any]) -> dict[str, Any]:
    read = dict(record)
    for name in TIME_COLUMNS & read.keys():
        if read[name] is not None:
            read[name] = datetime.fromisoformat(read[name].replace("Z", "+00:00"))
    return read


def _memory(records: int) -> dict[str, float]:
    command = [sys.executable, str(_CHILD), str(records)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=1800, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
