"""What Spark says when something fails, as words for the person who wrote the pipeline."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

__all__ = ["location_in", "readable"]

_NOISE = (
    # The JVM's stack, the plan, and what describes the streaming query.
    re.compile(r"\n+JVM stacktrace:.*", re.DOTALL),
    re.compile(r"\n=== Streaming Query ===.*", re.DOTALL),
    re.compile(r"\n'?[A-Z~][A-Za-z0-9]*[ (][^\n]*(\n[ :]*[+*|:].*)?\Z", re.DOTALL),
    re.compile(r"\nSearch path: [^\n]*"),
    re.compile(r"\nIf you did not qualify the name with a schema[^\n]*"),
    re.compile(r"\nTo tolerate the error on drop[^\n]*"),
    re.compile(r"\[STREAM_FAILED\] Query \[[^\]]*\] terminated with exception: "),
    re.compile(r"\[PYTHON_EXCEPTION\] An exception was thrown from the Python worker: "),
    re.compile(r"\s*SQLSTATE: [0-9A-Z]{5};?"),
    re.compile(r"^more than \d+ times and will not be restarted\.\s*"),
    re.compile(r"^Error: "),
)

_CALL = re.compile(r"\n== DataFrame ==\n(\"\w+\") was called from\n(\S[^\n]*:\d+)\n?")

# Spark puts a value that it could not use between single quotes, or bare behind "The value"; a Python exception says
# what its author liked. Any of it may be a patient's. Names stand in backticks, types in double quotes: they stay.
_VALUES = (
    (re.compile(r"'[^'\n]*'"), "'…'"),
    (re.compile(r"\b([Tt]he value )(?!')\S+"), r"\1…"),
    (re.compile(r"(records? [^\n]*?: )\[[^\n]*?\](?=[.\n]|\Z)"), r"\1[…]"),
)
_FRAME = re.compile(r'^\s*File "')
# An error of this package has been written without values; the stack above it says nothing to who runs a pipeline.
_OWN_ERROR = re.compile(r"^connector_lib\.errors\.\w+: (.+?)(?=\n\S|\Z)", re.DOTALL | re.MULTILINE)
_PYTHON_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?:Error|Exception|Warning|Interrupt|Exit)\b")
_VALUES_OF_PYTHON = (
    *((re.compile(rf"{quote}[^{quote}\n]*{quote}"), f"{quote}…{quote}") for quote in "'\""),
    (re.compile(r"\d{3,}"), "…"),
)


def readable(message: str) -> str:
    """``message`` without stack, plan and internal names, and without the values of rows."""
    for pattern in _NOISE:
        message = pattern.sub("", message)
    message = _CALL.sub(r" (\1 at \2)", message)
    if "Traceback (most recent call last)" in message:
        own = _OWN_ERROR.findall(message)
        if own:
            return str(own[-1]).strip()
        return "\n".join(_without_values_of_python(line) for line in message.splitlines()).strip()
    for pattern, replacement in _VALUES:
        message = pattern.sub(replacement, message)
    return message.strip()


def _without_values_of_python(line: str) -> str:
    """A line of a Python traceback: frames and source stay, what the exception says loses what may be values."""
    if _FRAME.match(line) or line.startswith((" ", "Traceback")):
        return line
    kind = _PYTHON_EXCEPTION.match(line)
    said = line[kind.end() :] if kind else line
    for pattern, replacement in _VALUES_OF_PYTHON:
        said = pattern.sub(replacement, said)
    return (kind.group() if kind else "") + said


def location_in(error: BaseException, files: tuple[Path, ...]) -> tuple[Path, int] | None:
    """File and line of the innermost frame of ``error`` that is in one of ``files``."""
    known = set(files)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) in known]
    if frames:
        return Path(frames[-1].filename), frames[-1].lineno or 0
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) in known:
        return Path(error.filename), error.lineno or 0
    return None
