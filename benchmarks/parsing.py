"""Messages a second: ours beside the peers, on the same inputs."""

from __future__ import annotations

import importlib
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import Section, Target
from benchmarks.timing import Contestant, Rate, measure
from connector_lib import parse, parse_message, split_batch
from connector_lib.samples.hl7v2 import messages, oru_message

__all__ = ["Inputs", "compare", "corpus_messages", "inputs"]

Inputs = dict[str, list[list[str]]]
"""Name → the messages of each round."""

_SINGLE = "one ORU^R01 of 1.5 kB"
_DIFFERENT = "different ORU^R01 of 1.5 kB"
_OURS = "connector_lib parse_message"
_THREE_VALUES = "connector_lib parse + 3 get"


def inputs(rounds: int, messages_a_round: int, corpus: Sequence[str]) -> Inputs:
    """The messages to read, CR behind every segment. Where they are different ones, no round has a message of
    another."""
    single = oru_message() + "\rNTE|1|L|Sample slightly hemolysed\r"
    size = messages_a_round
    different = [f"{oru_message(seed=seed)}\r" for seed in range(rounds * size)]
    mixed = [f"{message}\r" for message in messages(rounds * size, seed=1)]
    found = {
        _SINGLE: [[single] * size] * rounds,
        _DIFFERENT: [different[start : start + size] for start in range(0, len(different), size)],
        "all sample message families": [mixed[start : start + size] for start in range(0, len(mixed), size)],
    }
    if corpus:
        shuffled = random.Random(0).sample(list(corpus), len(corpus))
        found["messages of public test sets"] = [shuffled] * rounds
    return found


def corpus_messages(folder: Path) -> list[str]:
    """The messages in all files below a folder, CR behind every segment; none when it is not there."""
    found: list[str] = []
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.suffix in (".hl7", ".txt") and path.is_file():
            texts = (re.sub(r"[\r\n]+", "\r", text.lstrip()) for text in split_batch(path.read_bytes()))
            found += [f"{text}\r" for text in texts if text.startswith("MSH")]
    return found


def compare(found: Inputs, on_round: Callable[[], None]) -> list[Section]:
    """One table for each input."""
    contestants = _contestants()
    sections = []
    for name, rounds in found.items():
        rates = measure(contestants, rounds, on_round)
        sections.append(_section(name, rounds, contestants, rates))
    return sections


def _contestants() -> list[Contestant]:
    ours = [
        Contestant("str.split", "fields; no components, no escapes", _split),
        Contestant("connector_lib parse", "separators; the rest when asked", parse),
        Contestant(_THREE_VALUES, "three values", _three_values),
        Contestant(_OURS, "named values and nested records as JSON", parse_message),
        Contestant("connector_lib walk", "every value and its place", _walk),
    ]
    peers = [
        _peer("hl7", "hl7 parse", "tree, down to subcomponents", lambda module: module.parse, 10),
        _peer("hl7apy.parser", "hl7apy parse_message", "typed tree", lambda module: module.parse_message, 100),
        _peer(
            "hl7lw",
            "hl7lw parse_message",
            "segments; fields later",
            lambda module: module.Hl7Parser().parse_message,
        ),
        _peer("hl7kit", "hl7kit parse", "tree (Rust)", lambda module: module.parse),
        _peer("medforge", "medforge parse", "tree (Rust)", lambda module: module.parse),
    ]
    return ours + [peer for peer in peers if peer is not None]


def _peer(
    module: str, name: str, gives: str, function: Callable[[Any], Callable[[str], object]], one_in: int = 1
) -> Contestant | None:
    try:
        return Contestant(name, gives, function(importlib.import_module(module)), one_in)
    except ImportError:
        return None


def _split(text: str) -> object:
    return [segment.split("|") for segment in text.split("\r")]


def _three_values(text: str) -> object:
    message = parse(text)
    return message.get("PID-3.1"), message.get("PID-5.1"), message.get("OBX-5")


def _walk(text: str) -> object:
    return list(parse(text).walk_tuples())


def _section(
    name: str, rounds: Sequence[Sequence[str]], contestants: Sequence[Contestant], rates: dict[str, Rate]
) -> Section:
    ours = rates[_OURS].seconds
    sizes = [len(message) for message in rounds[0]]
    rows = [
        (
            contestant.name,
            contestant.gives,
            f"{rates[contestant.name].seconds * 1e6:,.1f}",
            f"{1 / rates[contestant.name].seconds:,.0f}",
            f"{rates[contestant.name].seconds / ours:.2f}",
            _refused(rates[contestant.name]),
        )
        for contestant in sorted(contestants, key=lambda contestant: rates[contestant.name].seconds)
    ]
    average = sum(sizes) / len(sizes)
    note = (
        f"{len(rounds)} rounds of {len(rounds[0]):,} messages, {average:,.0f} characters on average; hl7 "
        "read a tenth of each round and hl7apy a hundredth. Medians of CPU time, in turns. The ratio is to "
        "parse_message: above 1 means slower than it."
    )
    columns = ("parser", "gives", "µs a message", "messages a second", "ratio", "refused")
    targets = _targets(name, rates) if name in (_SINGLE, _DIFFERENT) else []
    return Section(f"Parsing: {name}", note, columns, rows, targets)


def _refused(rate: Rate) -> str:
    return f"{rate.refused} of {rate.messages}" if rate.refused else ""


def _targets(name: str, rates: dict[str, Rate]) -> list[Target]:
    wanted = [
        (_OURS, "hl7 parse", 15.0),
        (_OURS, "hl7kit parse", 1.0),
        (_OURS, "medforge parse", 1.0),
        (_THREE_VALUES, "hl7lw parse_message", 1.0),
    ]
    targets = []
    for ours, peer, times in wanted:
        title = f"{ours.removeprefix('connector_lib ')} beside {peer}, {name}"
        if peer not in rates:
            targets.append(Target(title, f"{times:g} times as fast", "that parser is not installed", None))
            continue
        ratio = rates[peer].seconds / rates[ours].seconds
        targets.append(Target(title, f"{times:g} times as fast", f"{ratio:.2f} times", ratio >= times))
    return targets
