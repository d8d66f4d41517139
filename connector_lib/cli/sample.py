"""``connector-lib sample``: synthetic data for a first run, tests and benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2 import DAMAGES, FAMILIES, FORMS, Form, Manifest, write_files
from connector_lib.samples.hl7v2.damage import HUGE_SEGMENT
from connector_lib.samples.hl7v2.files import HUGE_SEGMENT_BYTES, SMALL_SEGMENT_BYTES

__all__ = ["register"]

_ALL = "all"
_FORM_LIST = ", ".join(form.name for form in FORMS)
_FAMILY_LIST = ", ".join(FAMILIES)
_DAMAGE_LIST = "\n\n".join(f"{name}: {damage.description}." for name, damage in DAMAGES.items())
_WHAT = (
    "The same options give the same bytes. Every message is valid; the files take turns in framing (plain, "
    "FHS and BHS batches, MLLP), line ends (CR, LF, CRLF, mixed) and charset (ASCII, UTF-8, ISO 8859, "
    "UTF-16, Japanese and more). With --damage KIND there is one damaged file more for each kind:"
)
_HL7V2_HELP = f"""Write batch files of synthetic HL7 v2 messages.

Example: connector-lib sample hl7v2 --messages 200 --seed 1 --out hl7_in

{_WHAT}

{_DAMAGE_LIST}
"""


def register(app: typer.Typer) -> None:
    """Adds the ``sample`` commands to ``app``."""
    group = typer.Typer(no_args_is_help=True)

    @group.callback()
    def sample() -> None:
        """Write synthetic data.

        Example: connector-lib sample hl7v2 --messages 200 --seed 1 --out hl7_in
        """

    group.command("hl7v2", help=_HL7V2_HELP)(_hl7v2)
    app.add_typer(group, name="sample")


def _hl7v2(
    out: Annotated[Path, typer.Option(help="Folder for the files; made when it is not there.")],
    messages: Annotated[int, typer.Option(min=0, help="How many valid messages.")] = 200,
    seed: Annotated[int, typer.Option(help="Another seed gives other messages.")] = 0,
    files: Annotated[
        int | None,
        typer.Option(min=1, help="How many files; left out: one a form, at most 2,000 messages in one."),
    ] = None,
    form: Annotated[
        list[str] | None,
        typer.Option(help=f"Only files of this form; repeatable. One of {_FORM_LIST}."),
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
        typer.Option(min=1, help="Size of huge-segment; left out: 100 MiB, but 1 MiB in --damage all."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write what is in every file to this JSON file."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the sample files of an earlier run in that folder."),
    ] = False,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print what is in every file as JSON."),
    ] = False,
) -> None:
    named = damage or []
    forms = _forms(form or [])
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
        task = progress.add_task("messages", total=messages)
        written = write_files(
            out,
            messages,
            seed,
            files=files,
            forms=forms,
            families=family or None,
            damage=list(DAMAGES) if _ALL in named else named,
            segment_bytes=segment_bytes or (HUGE_SEGMENT_BYTES if HUGE_SEGMENT in named else SMALL_SEGMENT_BYTES),
            overwrite=overwrite,
            progress=lambda number: progress.advance(task, number),
        )
    as_text = json.dumps(written.as_dict(), indent=2)
    if manifest is not None:
        manifest.parent.mkdir(parents=True, exist_ok=True)
        manifest.write_text(f"{as_text}\n", encoding="utf-8")
    if as_json:
        typer.echo(as_text)
        return
    _print_summary(written, out)


def _forms(names: list[str]) -> tuple[Form, ...]:
    by_name = {form.name: form for form in FORMS}
    for name in names:
        if name not in by_name:
            raise UsageError(f"there is no form of sample file {name!r}", hint=f"forms: {_FORM_LIST}")
    return tuple(by_name[name] for name in names) or FORMS


def _print_summary(written: Manifest, out: Path) -> None:
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
