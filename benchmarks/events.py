"""Messages a second from a Kafka topic to tables, beside Spark's own read of the topic and beside the same messages in
files.

The broker is a real one on loopback, of :mod:`tools.kafka`. Every run is the command ``connector-lib run`` with a
warehouse of its own.
"""

from __future__ import annotations

import gc
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.report import Section, Target
from connector_lib.errors import MissingRequirementError
from connector_lib.formats.hl7v2.reading import pieces_of, read_message
from connector_lib.samples.hl7v2 import messages

if TYPE_CHECKING:
    from tools.kafka.broker import KafkaBroker

__all__ = ["RUNS_A_ROUND", "measure_events"]

_ROOT = Path(__file__).resolve().parent.parent
_COMMAND = (sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())", "run", "--json")
_TITLE = "Topic to tables"
_TARGET = "parse step from a topic beside from files (flow `received`)"
_TARGET_CPU = "parse step of single messages beside whole files (CPU time, without Spark)"
_NOISE = 1.1
"""What two runs of the same thing differ by on a machine that others use too."""
_WANTED = f"no more time (within {_NOISE - 1:.0%} of noise)"
_COLUMNS = ("run", "tables", "`received`, s", "messages a second", "ratio", "whole run, s", "messages a second")
_PARTS: Final = 4
"""Partitions of the topic, and files: as many tasks for one source as for the other."""
_LONGEST_RUN = 3600
_SPARK, _KAFKA, _FILES = "Spark's own read, nothing parsed", "pipelines/hl7v2_kafka", "pipelines/hl7v2_files"
RUNS_A_ROUND: Final = 3
_SHARES: Final = 9
_LARGEST_SHARE: Final = 500
_REPEATED: Final = 3


@dataclass(frozen=True, slots=True)
class _Pipeline:
    folder: Path
    settings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """Seconds of the flow that reads the source, and of the whole run from the command's start of Spark to its end."""

    first_flow: float
    whole: float
    tables: int


def measure_events(folder: Path, count: int, rounds: int, on_run: Callable[[], None]) -> Section:
    """Runs three pipelines over ``count`` messages, in turns, ``rounds`` times; ``on_run`` is called after each."""
    texts = list(messages(count, seed=1))
    alone = _parse_step_alone(texts)
    try:
        from tools.kafka.broker import running_broker
        from tools.kafka.jars import kafka_jars, machine_java

        java = machine_java().executable
        jars = kafka_jars()
    except (ImportError, MissingRequirementError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        targets = [Target(_TARGET, _WANTED, reason, None), alone]
        return Section(_TITLE, f"Not measured: {reason}", _COLUMNS, [], targets)
    work = folder / "events"
    work.mkdir()
    with running_broker(jars.broker, jars.spark, java, work) as broker:
        pipelines = _pipelines(broker, work, [text.encode() for text in texts])
        runs: dict[str, list[_Run]] = {name: [] for name in pipelines}
        for number in range(rounds):
            # Every other round the other way round: who comes first meets a colder machine.
            for name in list(pipelines)[:: 1 if number % 2 == 0 else -1]:
                runs[name].append(_run(pipelines[name], work / "warehouse", jars.spark, count))
                on_run()
    return _section(runs, count, rounds, alone)


def _pipelines(broker: KafkaBroker, work: Path, contents: Sequence[bytes]) -> dict[str, _Pipeline]:
    """The pipelines with settings for a topic and for a folder that hold the same messages."""
    topic = broker.create_topic(partitions=_PARTS)
    broker.produce(topic, contents)
    files = work / "files"
    files.mkdir()
    for part in range(_PARTS):
        (files / f"{part}.hl7").write_bytes(b"".join(content + b"\r" for content in contents[part::_PARTS]))
    of_topic = (f"kafka.servers={broker.plaintext.servers}", f"kafka.topic={topic}")
    return {
        _SPARK: _Pipeline(_ROOT / "benchmarks" / "kafka_read", of_topic),
        _KAFKA: _Pipeline(_ROOT / _KAFKA, of_topic),
        _FILES: _Pipeline(_ROOT / _FILES, (f"source.storage_path={files}",)),
    }


def _run(pipeline: _Pipeline, warehouse: Path, jars: Path, count: int) -> _Run:
    settings = [part for setting in pipeline.settings for part in ("--set", setting)]
    places = [str(pipeline.folder), "--warehouse", str(warehouse), "--jars", str(jars)]
    done = subprocess.run(
        [*_COMMAND, *places, *settings],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_LONGEST_RUN,
        check=False,
    )
    shutil.rmtree(warehouse, ignore_errors=True)
    if done.returncode:
        raise RuntimeError(f"the run of {pipeline.folder.name} failed:\n{done.stderr[-4000:]}")
    report = json.loads(done.stdout)
    (received,) = (dataset for dataset in report["datasets"] if dataset["name"] == "received")
    if received["rows"] != count:
        raise RuntimeError(f"the run of {pipeline.folder.name} read {received['rows']} of {count} messages")
    return _Run(received["seconds"], report["seconds"], len(report["datasets"]))


def _parse_step_alone(texts: Sequence[str]) -> Target:
    """What the flow ``received`` calls in Python, over values of one message each and over a whole file of them: shares
    of the messages, in turns, the least disturbed of some times for each, and the median of their ratios."""
    ratios = []
    for share in range(_SHARES):
        values = [text.encode() for text in texts[share::_SHARES][:_LARGEST_SHARE]]
        contents = {"values": values, "file": [b"\r".join(values)]}
        seconds: dict[str, list[float]] = {name: [] for name in contents}
        for _ in range(_REPEATED):
            for name, of_one in seconds.items():
                of_one.append(_cpu_seconds(contents[name]))
        ratios.append(min(seconds["values"]) / min(seconds["file"]))
    ratio = statistics.median(ratios)
    return Target(_TARGET_CPU, _WANTED, f"{ratio:.2f} times the time", ratio <= _NOISE)


def _cpu_seconds(contents: Sequence[bytes]) -> float:
    gc.collect()
    started = time.process_time()
    # One after the other, as Spark calls the two functions: with a batch of its rows each.
    pieces = [piece for content in contents for piece in pieces_of(content)]
    for piece in pieces:
        if piece.message is not None:
            read_message(piece.message, piece.charset or "utf-8", piece.charset_problem)
    return time.process_time() - started


def _section(runs: Mapping[str, Sequence[_Run]], count: int, rounds: int, alone: Target) -> Section:
    ratios = {name: _ratio(of_one, runs[_FILES]) for name, of_one in runs.items()}
    rows = []
    for name, of_one in runs.items():
        first_flow = statistics.median(run.first_flow for run in of_one)
        whole = statistics.median(run.whole for run in of_one)
        rates = (f"{first_flow:.1f}", f"{count / first_flow:,.0f}", f"{ratios[name]:.2f}")
        rows.append((name, str(of_one[0].tables), *rates, f"{whole:.1f}", f"{count / whole:,.0f}"))
    note = (
        f"{rounds} {'round' if rounds == 1 else 'rounds'} of {count:,} different sample messages of all families, one "
        f"a record, over {_PARTS} partitions of a real broker on this machine; the same messages in {_PARTS} files for "
        f"{_FILES}. In turns, by `connector-lib run`, each into tables of its own; medians of elapsed time, and of the "
        "ratio of each round to the files. The flow `received` reads, parses and writes each message, and is over "
        "before the other tables begin; the whole run has the start of Spark in it, and all tables. "
        f"The target in CPU time is about the Python functions of that flow alone: {_SHARES} shares of the messages, "
        f"each as single values and as one file in turns, the least of {_REPEATED} times, and the median of the ratios."
    )
    ratio = ratios[_KAFKA]
    target = Target(_TARGET, _WANTED, f"{ratio:.2f} times the time", ratio <= _NOISE)
    return Section(_TITLE, note, _COLUMNS, rows, [target, alone])


def _ratio(of_one: Sequence[_Run], of_files: Sequence[_Run]) -> float:
    """What a round's first flow took, by what that of the files took right before or behind it."""
    return statistics.median(one.first_flow / files.first_flow for one, files in zip(of_one, of_files, strict=True))
