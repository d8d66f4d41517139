"""``connector-lib sample hl7v2 --kafka``: its options, its progress and its summary."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from connector_lib.cli.output import data_console
from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2 import Delivery, TopicManifest

__all__ = ["KafkaOptions", "deliveries_into", "kafka_options", "print_topic_summary", "sending_progress"]

_VARIABLE: Final = re.compile(r"\$\{([^{}]*)\}")
_SECRET: Final = re.compile(r"(password|secret|secret\.id|jaas\.config|oauthbearer\.config|key\.pem)$")
"""The options of librdkafka whose values are secrets (CONFIGURATION.md).

Fewer than the names whose values are masked: the address of a server of tokens may be written down.
"""
_SECONDS_BETWEEN_LINES: Final = 5.0


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """Options of the Kafka client, and the texts in them that came from the environment and may be secret."""

    values: dict[str, str]
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"KafkaOptions({sorted(self.values)})"


def kafka_options(given: Sequence[str], environment: Mapping[str, str] = os.environ) -> KafkaOptions:
    """``KEY=VALUE`` texts as options. ``${NAME}`` in a value is the environment variable of that name.

    A secret as such is refused, since everybody on a machine sees the arguments of a command. Raises
    :class:`~connector_lib.errors.UsageError`, which never shows a value.

    >>> kafka_options(["sasl.username=$ConnectionString", "sasl.password=${PASSWORD}"], {"PASSWORD": "hush"})
    KafkaOptions(['sasl.password', 'sasl.username'])
    """
    values: dict[str, str] = {}
    secrets: list[str] = []
    for number, entry in enumerate(given, start=1):
        key, equals, value = entry.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageError(
                f"--kafka-option number {number} is not KEY=VALUE", hint="--kafka-option security.protocol=SASL_SSL"
            )
        if _SECRET.search(key) and not _VARIABLE.search(value):
            raise UsageError(
                f"--kafka-option {key} is a secret, and arguments can be seen by others",
                hint=f"put it into an environment variable and write, in single quotes, '{key}=${{VARIABLE}}'",
            )
        for name in _VARIABLE.findall(value):
            if not environment.get(name):
                raise UsageError(
                    f"--kafka-option {key} wants the environment variable {name}, and it is not set or empty",
                    hint=f"export {name}=... before",
                )
            secrets.append(environment[name])
        values[key] = _VARIABLE.sub(lambda found: environment[found.group(1)], value)
    return KafkaOptions(values, tuple(secrets))


@contextlib.contextmanager
def deliveries_into(path: Path | None) -> Iterator[Callable[[Delivery], None]]:
    """A function that writes each confirmed value as a line of JSON to ``path``, or does nothing without."""
    if path is None:
        yield lambda delivery: None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:

        def write(delivery: Delivery) -> None:
            file.write(f"{json.dumps(delivery.as_dict())}\n")

        yield write


@contextlib.contextmanager
def sending_progress(
    stream: TextIO, total: int, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Delivery], None]]:
    """A function that shows on ``stream`` how many of ``total`` values are confirmed, and the rate of messages.

    On a terminal that is a bar that moves, elsewhere a line every few seconds.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    began = shown = clock()
    values = messages = 0
    terminal = Console(file=stream)
    pause = 0.1 if terminal.is_terminal else _SECONDS_BETWEEN_LINES
    bar = Progress(
        TextColumn("values confirmed"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=terminal,
        transient=True,
        disable=not terminal.is_terminal,
    )
    with bar:
        task = bar.add_task("values", total=total, rate="")

        def confirmed(delivery: Delivery) -> None:
            nonlocal values, messages, shown
            values += 1
            messages += delivery.value.messages
            now = clock()
            if now - shown < pause:
                return
            shown = now
            rate = f"{messages / (now - began):,.0f} messages/s"
            if terminal.is_terminal:
                bar.update(task, completed=values, rate=rate)
            else:
                stream.write(f"{now - began:5.1f} s  {values:,} of {total:,} values confirmed, {rate}\n")
                stream.flush()

        yield confirmed


def print_topic_summary(sent: TopicManifest) -> None:
    """Prints what every partition got, and the rate."""
    from rich.table import Table

    table = Table("partition", "values", "messages", "bytes", "offsets")
    for column in table.columns:
        column.justify = "right"
    for record in sent.partitions:
        table.add_row(
            str(record.partition),
            f"{record.values:,}",
            f"{record.messages:,}",
            f"{record.bytes:,}",
            f"{record.first_offset} to {record.last_offset}",
        )
    console = data_console()
    console.print(table)
    text = (
        f"{sent.messages:,} messages in {sent.values:,} values, {sent.bytes:,} bytes, confirmed by topic "
        f"{sent.topic} at {sent.servers} in {sent.seconds:.1f} s: {sent.messages_per_second:,.0f} messages/s"
    )
    if sent.tombstones:
        text = f"{text}; {sent.tombstones:,} values are tombstones"
    if sent.unreadable:
        text = f"{text}; {sent.unreadable:,} pieces are no messages"
    console.print(text, soft_wrap=True)
