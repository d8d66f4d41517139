"""``connector-lib parse`` and ``connector-lib validate``: HL7 v2 files, readable and checked."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import Enum
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

from connector_lib.cli.output import data_console, visible, write_json_line
from connector_lib.errors import UsageError
from connector_lib.formats.hl7v2.groups import SegmentGroup, groups
from connector_lib.formats.hl7v2.message import FieldValue, Message
from connector_lib.formats.hl7v2.reading import read_piece
from connector_lib.formats.hl7v2.record_types import NESTED
from connector_lib.formats.hl7v2.records import flat_record
from connector_lib.formats.hl7v2.split import Piece, split_stream
from connector_lib.validators import CODES, EnvelopeCheck, Finding, validate_message

if TYPE_CHECKING:
    from rich.text import Text
    from rich.tree import Tree

__all__ = ["register"]

_PARSE_HELP = """\
Print the messages of an HL7 v2 file, as one JSON object a line or as a tree.

What cannot be read is named on the error stream, the rest is printed, and the exit code is 1.
The output holds what the messages hold: patients' data.

Example: connector-lib parse batch.hl7 --tree --index 0
"""
_VALIDATE_HELP = """\
List what is wrong with the messages of HL7 v2 files.

Findings name positions and never a value of a message. The exit code is 1 when there is an error or
something that cannot be read, 0 otherwise.

Example: connector-lib validate day1.hl7 day2.hl7 --severity warning
"""
_STANDARD_INPUT: Final = "-"
_ROWS_AT_A_TIME: Final = 500
_LONGEST_VALUE: Final = 300


class SeverityOption(str, Enum):
    """What ``--severity`` may be, the gravest first."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATION = "information"


def register(app: typer.Typer) -> None:
    """Adds the commands to ``app``."""
    app.command("parse", help=_PARSE_HELP, short_help="Print the messages of an HL7 v2 file as JSON.")(_parse)
    app.command("validate", help=_VALIDATE_HELP)(_validate)


def _parse(
    file: Annotated[str, typer.Argument(metavar="FILE", help="An HL7 v2 file; - is the standard input.")],
    tree: Annotated[bool, typer.Option("--tree", help="Print a tree of segments and fields to read.")] = False,
    index: Annotated[int | None, typer.Option(min=0, help="Only the message with this number, counted from 0.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many messages, the first ones.")] = None,
) -> None:
    show = _tree_printer() if tree else _print_json
    pieces = printed = unreadable = 0
    with _opened(file) as stream:
        for read in map(read_piece, (piece for piece in split_stream(stream) if piece.kind != "envelope")):
            pieces += 1
            if index is not None and read.piece.index != index:
                continue
            if read.message is None:
                unreadable += 1
                _say(f"{file}: {_place(read.piece)} is no message: {read.reason}")
            else:
                printed += 1
                show(read.piece, read.message)
            if index is not None or printed == limit:
                break
    if not pieces:
        _say(f"{file}: there is no message in it")
    elif index is not None and not printed and not unreadable:
        _say(f"{file}: there is no message {index}; the last one is {pieces - 1}")
    if unreadable or not printed:
        raise typer.Exit(1)


def _validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="HL7 v2 files; - is the standard input.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    severity: Annotated[
        SeverityOption, typer.Option(help="List findings that are at least so grave; all are counted.")
    ] = SeverityOption.INFORMATION,
) -> None:
    for file in files:
        _check_file(file)
    levels = [level.value for level in SeverityOption]
    listed = set(levels[: levels.index(severity.value) + 1])
    counts: Counter[str] = Counter()
    found = chain.from_iterable(_findings_of(file, counts) for file in files)
    chosen = (entry for entry in found if entry[2].severity in listed)
    (_print_findings_as_json if as_json else _print_findings)(chosen)
    _say(
        f"{_number(len(files), 'file')}, {_number(counts['message'], 'message')}: "
        f"{_number(counts['error'], 'error')}, {_number(counts['warning'], 'warning')}, "
        f"{counts['information']} for information"
    )
    if counts["error"]:
        raise typer.Exit(1)


_FoundIn = tuple[str, "int | None", Finding]
"""A file, the number of a message in it (None for the file itself), and the finding."""


def _findings_of(file: str, counts: Counter[str]) -> Iterator[_FoundIn]:
    """Everything that is wrong with one file; adds messages and severities to ``counts`` as it goes."""
    for index, finding in _findings_in_pieces(file, counts):
        counts[finding.severity] += 1
        yield file, index, finding


def _findings_in_pieces(file: str, counts: Counter[str]) -> Iterator[tuple[int | None, Finding]]:
    envelope = EnvelopeCheck()
    pieces = 0
    with _opened(file) as stream:
        for piece in split_stream(stream):
            yield from ((None, finding) for finding in envelope.piece(piece))
            if piece.kind == "envelope":
                continue
            pieces += 1
            read = read_piece(piece)
            if read.message is None:
                yield piece.index, _finding("unreadable", place=str(piece.offset), reason=read.reason)
                continue
            counts["message"] += 1
            yield from ((piece.index, finding) for finding in validate_message(read.message))
    yield from ((None, finding) for finding in envelope.end())
    if not pieces:
        yield None, _finding("no-message")


def _finding(code: str, **parts: str) -> Finding:
    kind = CODES[code]
    return Finding(code, kind.severity, "", 0, "", kind.sentence.format(**parts))


def _place(piece: Piece) -> str:
    return f"piece {piece.index} at byte {piece.offset}"


def _check_file(file: str) -> None:
    path = Path(file)
    if file == _STANDARD_INPUT:
        return
    if path.is_dir():
        raise UsageError(f"{file} is a folder", hint=f"name its files, for example {path / '*.hl7'}")
    if not path.exists():
        raise UsageError(f"there is no file {file}", hint="look at the spelling and the folder that you are in")


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    _check_file(file)
    if file == _STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115 - closed below; only the opening is to be caught here
    except OSError as error:
        raise UsageError(f"{file} cannot be opened: {error.strerror}") from error
    with stream:
        yield stream


def _print_json(piece: Piece, message: Message) -> None:
    record: dict[str, object] = {
        "_message_index": piece.index,
        "_offset": piece.offset,
        "charset": message.charset,
    }
    for name, value in flat_record(message).items():
        record[name] = json.loads(value) if name in NESTED else value
    write_json_line(record)


def _print_findings_as_json(found: Iterator[_FoundIn]) -> None:
    for file, index, finding in found:
        write_json_line({"file": file, "message_index": index, **asdict(finding)})


def _print_findings(found: Iterator[_FoundIn]) -> None:
    """Tables of some hundred rows each, so that a file with millions of findings is no burden."""
    from rich.table import Table
    from rich.text import Text

    console = data_console()
    styles = {"error": "red", "warning": "yellow", "information": "cyan"}
    for file, entries in groupby(found, key=lambda entry: entry[0]):
        while rows := list(islice(entries, _ROWS_AT_A_TIME)):
            table = Table(title=Text(file), title_justify="left", title_style="bold")
            table.add_column("message", justify="right")
            for name in ("position", "severity", "code", "what is wrong"):
                table.add_column(name)
            for _, index, finding in rows:
                table.add_row(
                    "" if index is None else str(index),
                    Text(finding.position),
                    Text(finding.severity, style=styles[finding.severity]),
                    Text(finding.code),
                    Text(finding.text),
                )
            console.print(table)


def _tree_printer() -> Callable[[Piece, Message], None]:
    from rich.tree import Tree

    console = data_console()

    def show(piece: Piece, message: Message) -> None:
        top = Tree(f"message {piece.index}, at byte {piece.offset}, {message.charset}")
        values = {index: list(group) for index, group in groupby(message.walk(), key=lambda value: value.segment_index)}
        for group in groups(message):
            _add_segment(top, group, values)
        console.print(top)

    return show


def _add_segment(branch: Tree, group: SegmentGroup, values: dict[int, list[FieldValue]]) -> None:
    from rich.text import Text

    segment = group.segment
    node = branch.add(Text(f"{segment.name}  ({segment.index})", style="bold"))
    for (number, repetition), parts in groupby(
        values.get(segment.index, []), key=lambda value: (value.field, value.repetition)
    ):
        found = list(parts)
        place = f"{segment.name}-{number}" + (f"[{repetition}]" if repetition > 1 else "")
        if len(found) == 1 and found[0].component == found[0].subcomponent == 1:
            node.add(_line(place, found[0].value))
            continue
        field = node.add(Text(place, style="cyan"))
        has_subcomponents = {value.component for value in found if value.subcomponent > 1}
        for value in found:
            below = f".{value.subcomponent}" if value.component in has_subcomponents else ""
            field.add(_line(f".{value.component}{below}", value.value))
    for child in group.children:
        _add_segment(node, child, values)


def _line(place: str, value: str) -> Text:
    from rich.text import Text

    shown = value
    if len(value) > _LONGEST_VALUE:
        shown = f"{value[:_LONGEST_VALUE]}… ({len(value):,} characters)"
    # What a message holds must not steer the terminal.
    shown = visible(shown)
    return Text.assemble((place, "cyan"), "  ", shown)


def _number(count: int, name: str) -> str:
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def _say(text: str) -> None:
    typer.echo(text, err=True)
