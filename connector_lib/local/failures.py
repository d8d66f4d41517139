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

# Spark names the value that it could not cast; a value may be a patient's.
_VALUE = re.compile(r"(\bvalue )'[^']*'( of the type)", re.IGNORECASE)


def readable(message: str) -> str:
    """``message`` without stack, plan and internal names, and without the values of rows."""
    for pattern in _NOISE:
        message = pattern.sub("", message)
    message = _CALL.sub(r" (\1 at \2)", message)
    return _VALUE.sub(r"\1'…'\2", message).strip()


def location_in(error: BaseException, files: tuple[Path, ...]) -> tuple[Path, int] | None:
    """File and line of the innermost frame of ``error`` that is in one of ``files``."""
    known = set(files)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) in known]
    if frames:
        return Path(frames[-1].filename), frames[-1].lineno or 0
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename) in known:
        return Path(error.filename), error.lineno or 0
    return None
