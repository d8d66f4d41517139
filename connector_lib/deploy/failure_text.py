"""What the exception of an update says, and where: without stacks, without secrets, without values of rows.

An error of this package is shown whole: it has been written without values. Of an exception of Python there are its
kind and plain words, of one of Spark its first line without what stands between quotes, in braces, or as a number.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import connector_lib.errors
from connector_lib.deploy.update_events import Raised
from connector_lib.formats.plain_words import plain_text
from connector_lib.redaction import masked

__all__ = ["OwnError", "Place", "own_error", "place_in", "plain_message", "shown_message"]

_LONGEST: Final = 400
_LONGEST_LINE: Final = 4_000
_MOST_READ: Final = 30_000
"""Of a message, as many signs are looked at from its start and from its end."""
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ANSI_RESULT: Final = re.compile(
    r"AnsiResult\((.*?)(?:,(?:None|Some\([^)]*\))(?:,(?:Map|List)\([^)]*\))*\)*)?\Z", re.DOTALL
)
_WRAPPERS: Final = (
    re.compile(r"\[STREAM_FAILED\] Query \[[^\]]*\] terminated with exception: "),
    re.compile(r"\[(?:PYTHON_EXCEPTION|UDF_USER_CODE_ERROR\.\w+)\][^:]*: "),
    re.compile(r"Job aborted due to stage failure: Task .*?\): ", re.DOTALL),
    re.compile(r"^(?:[a-z][\w$]*\.)+[A-Z][\w$.]*(?:Exception|Error): "),
    re.compile(r"\s?SQLSTATE: [0-9A-Z]{5};?"),
)
_OWN_NAMES: Final = "|".join(name for name in connector_lib.errors.__all__ if name[0].isupper())
_OWN: Final = re.compile(
    rf"^[ \t]*(?:connector_lib\.errors\.)?(?P<kind>{_OWN_NAMES}): (?P<message>[^\n]*)"
    r"(?P<hint>(?:\n  (?! *File )[^\n]+)*)",
    re.MULTILINE,
)
_PYTHON: Final = re.compile(
    r"^(?P<kind>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Exit)): ?(?P<said>[^\n]*)", re.M
)
_SAFE_PYTHON: Final = frozenset(
    {"ModuleNotFoundError", "ImportError", "NameError", "AttributeError", "SyntaxError", "IndentationError"}
)
"""What these say names parts of a program, never a value of a row."""
_DATA_BEHIND: Final = re.compile(r"(?i)\b(?:input data|output record|missing input data|record|row|value)s?\s*[:=].*")
_QUOTED: Final = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"")
_BRACES: Final = re.compile(r"\{[^\n]*\}|\[(?![A-Z][A-Z0-9_.]*\])[^\]\n]*\]")
_PATH_OF_DATA: Final = re.compile(r"(/Volumes(?:/[\w-]+){1,3}|[a-z][a-z0-9+.-]{0,20}://[^/\s]+|dbfs:)/[^\n]*")
"""The name of a file may be that of a patient: shown are the Volume or the bucket."""
_LONG_NUMBER: Final = re.compile(r"(?<![\w.])\d{3,}(?![\w.])")
_PLACES: Final = (
    # Python's own traceback, IPython's, and Spark's note on where a column was made.
    re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+)'),
    re.compile(r"File (?P<file>/[^\n:,\"]+):(?P<line>\d+)"),
    re.compile(r"was called from\s+(?P<file>/[^\n:]+):(?P<line>\d+)"),
    re.compile(r"(?P<file>/(?:Workspace|Repos|Users|Volumes)/[^\s:\"']{1,400}\.(?:py|sql)):(?P<line>\d+)"),
)
_SOURCE_SUFFIXES: Final = frozenset({".py", ".sql", ".ipynb"})


@dataclass(frozen=True, slots=True)
class OwnError:
    """An error of this package that came through a traceback: the name of its class, message and hint."""

    kind: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file: on this machine where the file is found here, else as the workspace names it."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


def plain_message(text: str) -> str:
    """The message without colours and without what the workspace wraps the output of a program in."""
    if len(text) > 2 * _MOST_READ:
        # What failed stands at the start, what was raised last at the end of a traceback.
        text = f"{text[:_MOST_READ]}\n…\n{text[-_MOST_READ:]}"
    text = _COLOURS.sub("", text).strip()
    wrapped = _ANSI_RESULT.search(text)
    return (wrapped[1] if wrapped else text).strip()


def own_error(raised: Raised) -> OwnError | None:
    """The error of this package in an exception's message, the one that was raised last."""
    text = plain_message(raised.message)
    found = list(_OWN.finditer(text))
    if found:
        last = found[-1]
        return OwnError(last["kind"], last["message"].strip(), " ".join(last["hint"].split()))
    kind = raised.class_name.rpartition(".")[2]
    if raised.class_name.startswith("connector_lib.errors.") and re.fullmatch(_OWN_NAMES, kind):
        message, _, hint = text.partition("\n")
        return OwnError(kind, message.strip(), " ".join(hint.split()))
    return None


def shown_message(raised: Raised, *, names: Collection[str] = (), secrets: Collection[str] = ()) -> str:
    """One line of what the exception says, fit for a screen and a log.

    ``names`` are those of datasets and such, which stay as they are; ``secrets`` get stars.

    >>> shown_message(Raised("", "[CAST_INVALID_INPUT] The value 'SMITH' of `sex` cannot be cast to \\"INT\\""))
    '[CAST_INVALID_INPUT] The value … of `sex` cannot be cast to "INT"'
    """
    own = own_error(raised)
    if own is not None:
        return masked(own.message, secrets)
    text = plain_message(raised.message)
    python = list(_PYTHON.finditer(text)) if "Traceback (most recent call last)" in text else []
    if python:
        kind, said = python[-1]["kind"].rpartition(".")[2], python[-1]["said"]
        told = said if kind in _SAFE_PYTHON else plain_text(said, names=names, longest=_LONGEST)
        return masked(f"{kind}: {told}" if told else kind, secrets)
    return masked(_without_values(_first_line(text), names), secrets)


def place_in(raised: Sequence[Raised], folder: Path | None) -> Place | None:
    """The innermost line of the pipeline's own files that the exceptions name, the first of ``raised`` first.

    ``folder`` is the pipeline's folder on this machine; without it, or where no file of it is named, the place is one
    of the workspace's files, and none of Python's or of an installed package.
    """
    places = [place for one in raised for place in _places(one)]
    for place in places:
        local = _local(place.file, folder)
        if local is not None:
            return Place(str(local), place.line)
    return next((place for place in places if place.file.startswith(("/Workspace/", "/Users/", "/Repos/"))), None)


def _places(raised: Raised) -> Iterator[Place]:
    """Innermost first: a traceback ends with its innermost line, a stack begins with it."""
    text = plain_message(raised.message)
    for pattern in _PLACES:
        for found in reversed(list(pattern.finditer(text))):
            yield Place(found["file"], int(found["line"]))
    for frame in raised.frames:
        if PurePosixPath(frame.file).suffix in _SOURCE_SUFFIXES:
            yield Place(frame.file, frame.line)


def _local(file: str, folder: Path | None) -> Path | None:
    """The file of ``folder`` that lies in the same place of it."""
    if folder is None or "/site-packages/" in file or "/dist-packages/" in file:
        return None
    parts = [part for part in PurePosixPath(file).parts if part not in ("/", "..")]
    for start in range(len(parts)):
        candidate = folder.joinpath(*parts[start:])
        if candidate.is_file():
            return candidate
    named = list(folder.glob(f"**/{parts[-1]}")) if len(parts) == 1 else []
    return named[0] if len(named) == 1 else None


def _first_line(text: str) -> str:
    for pattern in _WRAPPERS:
        text = pattern.sub("", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0][:_LONGEST_LINE] if lines else ""


def _without_values(line: str, names: Collection[str]) -> str:
    known = {name.casefold() for name in names}

    def kept(found: re.Match[str]) -> str:
        # Types stand in double quotes in what Spark says.
        name, kind = found[1], found[2]
        if name is not None:
            return found[0] if name.replace("`", "").casefold() in known else "…"
        return found[0] if re.fullmatch(r"[A-Z]+(?:\([\d, ]+\))?", kind) else "…"

    line = _PATH_OF_DATA.sub(r"\1/…", _QUOTED.sub(kept, line))
    line = _DATA_BEHIND.sub("…", line)
    line = _LONG_NUMBER.sub("…", _BRACES.sub("…", line))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
