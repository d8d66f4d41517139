"""Measures everything, prints it, and writes it down."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.api_reading import measure_api_reading
from benchmarks.converting import measure_converting
from benchmarks.events import RUNS_A_ROUND, measure_events
from benchmarks.growth import measure_growth
from benchmarks.parsing import compare, corpus_messages, inputs
from benchmarks.report import Section, as_markdown, print_section, print_targets
from benchmarks.spark_udf import measure_udf
from benchmarks.splitting import measure_splitting

_HERE = Path(__file__).resolve().parent
_RESULTS = _HERE / "results.md"
_CORPUS = _HERE.parent.parent / "shared" / "data" / "hl7v2"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    rounds: int
    messages_a_round: int
    megabytes: int
    counts: tuple[int, ...]
    udf_messages: int
    udf_rounds: int
    events: int
    events_rounds: int
    api_records: int
    converted_records: int
    streamed_records: int
    records_rounds: int


_WIDTH = 140
"""Columns of the tables where the output is no terminal."""
_FULL = Sizes(9, 500, 500, (10_000, 50_000, 200_000), 40_000, 5, 20_000, 3, 50_000, 10_000, 1_000_000, 9)
_QUICK = Sizes(3, 100, 30, (500, 2_000), 2_000, 1, 300, 1, 2_000, 1_000, 5_000, 1)


def main() -> None:
    """The command."""
    options = _options()
    sizes = _QUICK if options.quick else _FULL
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    with tempfile.TemporaryDirectory() as folder:
        sections = _measure(sizes, options.corpus, Path(folder))
    targets = [target for section in sections for target in section.targets]
    for section in sections:
        print_section(console, section)
    print_targets(console, targets)
    if options.quick:
        console.print("A quick run: too short for figures to rely on.")
    out = options.out or (None if options.quick else _RESULTS)
    if out is not None:
        command = "make bench" + (" ARGS=--quick" if options.quick else "")
        out.write_text(as_markdown(sections, targets, command), encoding="utf-8")
        console.print(f"written to {out}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure connector_lib beside others that do the same.",
        epilog="example: python -m benchmarks --quick",
    )
    parser.add_argument("--quick", action="store_true", help="two minutes, for trying it out")
    parser.add_argument("--out", type=Path, help=f"Markdown file to write (default {_RESULTS.name}; quick: none)")
    parser.add_argument("--corpus", type=Path, default=_CORPUS, help="folder of HL7 v2 files to read as well")
    return parser.parse_args()


def _measure(sizes: Sizes, corpus: Path, folder: Path) -> list[Section]:
    found = inputs(sizes.rounds, sizes.messages_a_round, corpus_messages(corpus))
    steps = len(found) * sizes.rounds + 6 + RUNS_A_ROUND * sizes.events_rounds
    bar = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*bar, console=Console(stderr=True)) as progress:
        task = progress.add_task("parsing", total=steps)

        def advance() -> None:
            progress.advance(task)

        def step(description: str, measure: Callable[[], Section]) -> Section:
            progress.update(task, description=description)
            section = measure()
            advance()
            return section

        return [
            *compare(found, advance),
            step("splitting a large file", lambda: measure_splitting(folder, sizes.megabytes)),
            step("growth", lambda: measure_growth(folder, sizes.counts)),
            step("records from an API", lambda: measure_api_reading(sizes.api_records, sizes.records_rounds)),
            step("records to Arrow", lambda: _converting(sizes)),
            # Before the next one, which sets environment variables for Spark in this process.
            step("topic to tables", lambda: measure_events(folder, sizes.events, sizes.events_rounds, advance)),
            step("parse UDF in Spark", lambda: measure_udf(folder, sizes.udf_messages, sizes.udf_rounds)),
        ]


def _converting(sizes: Sizes) -> Section:
    return measure_converting(sizes.converted_records, sizes.records_rounds, sizes.streamed_records)


if __name__ == "__main__":
    main()
