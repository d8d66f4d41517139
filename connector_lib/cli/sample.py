"""``connector-lib sample``: synthetic data for a first run, tests and benchmarks."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from connector_lib.cli.sample_fhir import FHIR_HELP, fhir
from connector_lib.cli.sample_kafka import (
    KafkaOptions,
    deliveries_into,
    kafka_options,
    print_topic_summary,
    sending_progress,
)
from connector_lib.cli.sample_records import RECORDS_HELP, records
from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2 import (
    DAMAGES,
    FAMILIES,
    FORMS,
    Delivery,
    Form,
    Manifest,
    write_files,
    write_topic,
)
from connector_lib.samples.hl7v2.damage import HUGE_SEGMENT
from connector_lib.samples.hl7v2.files import HUGE_SEGMENT_BYTES, SMALL_SEGMENT_BYTES
from connector_lib.samples.hl7v2.values import ONE_MESSAGE, SEGMENT_BYTES_IN_A_VALUE, number_of_values

__all__ = ["register"]

_ALL = "all"
_TIMEOUT: Final = 30.0
_FORM_LIST = ", ".join(form.name for form in FORMS)
_FAMILY_LIST = ", ".join(FAMILIES)
_DAMAGE_LIST = "\n\n".join(f"{name}: {damage.description}." for name, damage in DAMAGES.items())
_WHAT = (
    "The same options give the same bytes. Every message is valid; the files take turns in framing (plain, "
    "FHS and BHS batches, MLLP), line ends (CR, LF, CRLF, mixed) and charset (ASCII, UTF-8, ISO 8859, "
    "UTF-16, Japanese and more). With --damage KIND there is one damaged file more for each kind:"
)
_HL7V2_HELP = f"""Write synthetic HL7 v2 messages: as batch files, or as values of a Kafka topic.

\b
Example: connector-lib sample hl7v2 --messages 200 --seed 1 --out hl7_in

\b
Example: connector-lib sample hl7v2 --messages 10000 \\
    --kafka 127.0.0.1:9092 --topic hl7

{_WHAT}

{_DAMAGE_LIST}

A topic gets one message a value, in UTF-8, unless --form and --messages-per-value say otherwise; the key is the
control id (MSH-10) of the value's first message. Every value is confirmed by the servers, or the command fails and
says how many were. For Azure Event Hubs, with the connection string in the environment variable
EVENTHUB_CONNECTION_STRING. The connection string needs the right to send.

\b
connector-lib sample hl7v2 --topic hl7 \\
    --kafka NAMESPACE.servicebus.windows.net:9093 \\
    --kafka-option security.protocol=SASL_SSL \\
    --kafka-option sasl.mechanism=PLAIN \\
    --kafka-option 'sasl.username=$ConnectionString' \\
    --kafka-option 'sasl.password=${{EVENTHUB_CONNECTION_STRING}}'
"""


def register(app: typer.Typer) -> None:
    """Adds the ``sample`` commands to ``app``."""
    group = typer.Typer(no_args_is_help=True)

    @group.callback()
    def sample() -> None:
        """Write synthetic data.

        \b
        Example: connector-lib sample hl7v2 --messages 200 --seed 1 --out hl7_in
        """

    group.command("hl7v2", help=_HL7V2_HELP)(_hl7v2)
    group.command("fhir", help=FHIR_HELP)(fhir)
    group.command("records", help=RECORDS_HELP)(records)
    app.add_typer(group, name="sample")


def _hl7v2(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; made when it is not there. Either this or --kafka.")
    ] = None,
    kafka: Annotated[
        str | None,
        typer.Option(metavar="SERVERS", help="Kafka's host:port; several with a comma between. Needs --topic."),
    ] = None,
    topic: Annotated[str | None, typer.Option(help="The topic, which has to be there.")] = None,
    kafka_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="An option of the Kafka client librdkafka; repeatable. ${NAME} in it is an environment variable, "
            "and a secret has to be one.",
        ),
    ] = None,
    messages: Annotated[int, typer.Option(min=0, help="How many valid messages.")] = 200,
    seed: Annotated[int, typer.Option(help="Another seed gives other messages.")] = 0,
    files: Annotated[
        int | None,
        typer.Option(min=1, help="How many files; left out: one a form, at most 2,000 messages in one."),
    ] = None,
    form: Annotated[
        list[str] | None,
        typer.Option(help=f"Only files or values of this form; repeatable. One of {_FORM_LIST}."),
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option(help=f"Only messages of this family; repeatable. One of {_FAMILY_LIST}."),
    ] = None,
    damage: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="A kind of damage from the list above, or all; repeatable."),
    ] = None,
    segment_bytes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Size of huge-segment; left out: 100 MiB, but 1 MiB in --damage all and 512 KiB in a topic."
        ),
    ] = None,
    messages_per_value: Annotated[
        int | None, typer.Option(min=1, help="Messages in a value of the topic; left out: 1.")
    ] = None,
    tombstones: Annotated[
        int | None, typer.Option(min=0, help="So many values more without any content, spread among the others.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(min=1, metavar="SECONDS", help="How long Kafka may stay without an answer; left out: 30."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write what is in every file to this JSON file, or what is in every value, with its partition and "
            "offset, as lines of JSON.",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the sample files of an earlier run in that folder."),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print what is in every file, or in the topic, as JSON."),
    ] = False,
) -> None:
    if (out is None) == (kafka is None):
        raise UsageError(
            "either --out or --kafka says where the messages go" + (", not both" if out is not None else ""),
            hint="--out hl7_in, or --kafka 127.0.0.1:9092 --topic hl7",
        )
    asked = _Asked(
        messages=messages,
        seed=seed,
        forms=_forms(form or []),
        families=family or None,
        damage=damage or [],
        segment_bytes=segment_bytes,
        manifest=manifest,
        as_json=as_json,
    )
    if out is not None:
        _refuse("--out", "--kafka", topic=topic, kafka_option=kafka_option, timeout=timeout)
        _refuse("--out", "--kafka", messages_per_value=messages_per_value, tombstones=tombstones)
        _to_files(asked, out, files, overwrite)
        return
    _refuse("--kafka", "--out", files=files, overwrite=overwrite or None)
    if not topic:
        raise UsageError("--kafka needs --topic", hint="--topic hl7")
    assert kafka is not None
    options = kafka_options(kafka_option or [])
    _to_topic(asked, kafka, topic, options, messages_per_value or 1, tombstones or 0, timeout or _TIMEOUT)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What files and topics take alike. No ``forms``: those that each has by itself."""

    messages: int
    seed: int
    forms: tuple[Form, ...]
    families: list[str] | None
    damage: list[str]
    segment_bytes: int | None
    manifest: Path | None
    as_json: bool

    @property
    def kinds_of_damage(self) -> list[str]:
        return list(DAMAGES) if _ALL in self.damage else self.damage


def _refuse(given: str, other: str, **options: object) -> None:
    """Raises for an option that says nothing here; those left out are None."""
    for name, value in options.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} goes with {other}, not with {given}", hint=f"leave {option} out")


def _to_files(asked: _Asked, out: Path, files: int | None, overwrite: bool) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    huge = HUGE_SEGMENT_BYTES if HUGE_SEGMENT in asked.damage else SMALL_SEGMENT_BYTES
    terminal = Console(stderr=True)
    with Progress(
        TextColumn("messages"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=terminal,
        transient=True,
        disable=not terminal.is_terminal,
    ) as progress:
        task = progress.add_task("messages", total=asked.messages)
        written = write_files(
            out,
            asked.messages,
            asked.seed,
            files=files,
            forms=asked.forms or FORMS,
            families=asked.families,
            damage=asked.kinds_of_damage,
            segment_bytes=asked.segment_bytes or huge,
            overwrite=overwrite,
            progress=lambda number: progress.advance(task, number),
        )
    as_text = json.dumps(written.as_dict(), indent=2)
    if asked.manifest is not None:
        asked.manifest.parent.mkdir(parents=True, exist_ok=True)
        asked.manifest.write_text(f"{as_text}\n", encoding="utf-8")
    if asked.as_json:
        typer.echo(as_text)
        return
    _print_summary(written, out)


def _to_topic(
    asked: _Asked,
    servers: str,
    topic: str,
    options: KafkaOptions,
    messages_per_value: int,
    tombstones: int,
    timeout: float,
) -> None:
    total = number_of_values(asked.messages, messages_per_value, asked.kinds_of_damage, tombstones)
    with deliveries_into(asked.manifest) as record, sending_progress(sys.stderr, total) as show:

        def delivered(delivery: Delivery) -> None:
            record(delivery)
            show(delivery)

        sent = write_topic(
            servers,
            topic,
            asked.messages,
            asked.seed,
            forms=asked.forms or (ONE_MESSAGE,),
            families=asked.families,
            messages_per_value=messages_per_value,
            damage=asked.kinds_of_damage,
            tombstones=tombstones,
            segment_bytes=asked.segment_bytes or SEGMENT_BYTES_IN_A_VALUE,
            options=options.values,
            secrets=options.secrets,
            timeout=timeout,
            delivered=delivered,
        )
    if asked.as_json:
        typer.echo(json.dumps(sent.as_dict(), indent=2))
        return
    print_topic_summary(sent)


def _forms(names: list[str]) -> tuple[Form, ...]:
    by_name = {form.name: form for form in FORMS}
    for name in names:
        if name not in by_name:
            raise UsageError(f"there is no form {name!r} of files or values", hint=f"forms: {_FORM_LIST}")
    return tuple(by_name[name] for name in names)


def _print_summary(written: Manifest, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("family", "messages")
    table.columns[1].justify = "right"
    for family, number in written.families.items():
        table.add_row(family, f"{number:,}")
    console.print(table)
    damaged = sum(1 for file in written.files if file.damage)
    text = f"{len(written.files):,} files, {written.messages:,} messages, {written.bytes:,} bytes in {out}"
    if damaged:
        text = f"{text}; {damaged} damaged files hold {written.unreadable} pieces that are no messages"
    console.print(text, highlight=False, soft_wrap=True, markup=False)
