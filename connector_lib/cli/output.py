"""What every command prints data with: tables, JSON lines, and text that does nothing to the terminal."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["data_console", "json_line", "visible", "write_json_line"]

_NO_TERMINAL_WIDTH: Final = 250
"""Columns where the output is no terminal: wide enough that lines stay whole."""
_CONTROLS: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


def data_console() -> Console:
    """A console on the standard output that takes text as it is; ``COLUMNS`` says how wide it is."""
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _NO_TERMINAL_WIDTH
    return console


def visible(text: str) -> str:
    """``text`` with pictures for control characters, so that a value cannot steer the terminal.

    >>> visible("a\\x1b[2J")
    'a␛[2J'
    """
    return _CONTROLS.sub(_picture, text)


def write_json_line(record: Mapping[str, object]) -> None:
    """Prints ``record`` as one line of JSON."""
    typer.echo(json_line(record))


def json_line(record: Mapping[str, object]) -> str:
    """``record`` as one line of JSON for the standard output, without the line's end."""
    # A terminal that is not UTF-8 gets escapes instead of an encoding error.
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(record, ensure_ascii=not is_utf8, default=_plain_number)


def _plain_number(value: object) -> float | str:
    """A decimal as a number of JSON; as text where that would cost digits."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is no value of JSON")
    number = float(value)
    return number if Decimal(str(number)) == value else str(value)


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "�"
