"""Makes ``.venv`` what a make target needs: ``python3 tools/venv.py [EXTRA ...]``.

The environment holds the packages of the extras named (and of those asked for before), pinned by
constraints.txt, and the wheel of this source tree, built and installed, not a link to the sources. Without
an extra only the wheel is built. Where nothing has changed since the last time it does nothing, in a tenth of
a second.

Only the standard library is used, and syntax that an old Python can still read, so that it gets a clear word.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "make.log"
# Written last, so that what it says is so.
STATE = VENV / "make-state.json"
# There while pip writes into the environment. Found at the start, it means that pip was killed half-way.
UNFINISHED = VENV / "make-unfinished"

OLDEST_PYTHON = (3, 10)
REQUIREMENT_FILES = ["pyproject.toml", "constraints.txt"]
BUILD_FILES = ["pyproject.toml", "setup.py", "README.md", "tools/reproducible_wheel.py"]
PACKAGE = "connector_lib"
LARGE_DOWNLOAD_MB = 10.0


class SetupError(Exception):
    """The environment could not be made. Its text is for the person at the keyboard."""


@dataclass
class State:
    """What the environment holds: fingerprints of the files that it was made from, and the extras."""

    requirements: str = ""
    extras: list[str] = field(default_factory=list)
    built: str = ""
    installed: str = ""


def main(extras: list[str]) -> int:
    """Bring ``.venv`` up to date with the source tree and with ``extras``; 0, or 1 with a word on stderr."""
    try:
        if up_to_date(read_state(), extras):
            return 0
        with one_at_a_time():
            state = read_state()
            if not up_to_date(state, extras):
                bring_up_to_date(state, extras)
    except SetupError as error:
        say(f"make: {error}")
        return 1
    except KeyboardInterrupt:
        say("make: stopped; the next make goes on from here")
        return 130
    return 0


def bring_up_to_date(found: State | None, extras: list[str]) -> None:
    """Do the steps that the environment lacks, and write down at the end what it holds then."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            f"Python 3.{OLDEST_PYTHON[1]} or newer is needed, and {sys.executable} is "
            f"{sys.version.split()[0]}; name another one: make PYTHON=python3.12 ..."
        )
    if found is None:
        create()
    state = found or State()
    first = not state.extras
    wanted = sorted({*state.extras, *extras})
    requirements, sources, wheel = fingerprint(REQUIREMENT_FILES), source_fingerprint(), wheel_path()
    same_packages = (state.requirements, state.extras) == (requirements, wanted)
    if state.requirements != requirements:
        pip("", "-c", "constraints.txt", "setuptools")
    if state.built != sources or not wheel.exists():
        run([str(PYTHON), "setup.py", "-q", "bdist_wheel"], "the wheel could not be built")
    if wanted and not same_packages:
        size = " (the first time takes a minute or two, Spark alone is 450 MB)" if first else ""
        extras_text = ",".join(wanted)
        pip(f"installing {PACKAGE}[{extras_text}]{size}", "-c", "constraints.txt", f"{wheel}[{extras_text}]")
    if wanted and not first and state.installed != sources:
        # pip takes a wheel of the version that is there for the same one.
        pip("", "--no-index", "--no-deps", "--force-reinstall", str(wheel))
    write_state(State(requirements, wanted, built=sources, installed=sources if wanted else ""))


def up_to_date(state: State | None, extras: list[str]) -> bool:
    """Whether nothing has to be done."""
    if state is None or not set(extras) <= set(state.extras) or not wheel_path().exists():
        return False
    sources = source_fingerprint()
    return (
        state.requirements == fingerprint(REQUIREMENT_FILES)
        and state.built == sources
        and (not state.extras or state.installed == sources)
    )


def read_state() -> State | None:
    """What the last run wrote; None where there is no environment that can be used."""
    if not PYTHON.exists() or UNFINISHED.exists():
        return None
    try:
        return State(**json.loads(STATE.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_state(state: State) -> None:
    """Write the state in one step: a reader sees the old one or the new one."""
    new = STATE.with_suffix(".new")
    new.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
    new.replace(STATE)


def fingerprint(paths: list[str]) -> str:
    """One hash of the names and contents of files below the root; a missing file counts as empty."""
    digest = hashlib.sha256()
    for name in paths:
        path = ROOT / name
        content = path.read_bytes() if path.exists() else b""
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def source_fingerprint() -> str:
    """One hash of all that goes into the wheel; by content, so that a touched file changes nothing."""
    inside = []
    for folder, folders, files in os.walk(str(ROOT / PACKAGE)):
        folders[:] = [name for name in folders if name != "__pycache__"]
        inside += [os.path.relpath(os.path.join(folder, name), str(ROOT)) for name in files]  # noqa: PTH118
    return fingerprint(BUILD_FILES + sorted(inside))


def wheel_path() -> Path:
    """Where the wheel of this version is built to."""
    source = (ROOT / PACKAGE / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "([^"]+)"', source, re.MULTILINE)
    if version is None:
        raise SetupError(f'{PACKAGE}/__init__.py has no line __version__ = "..."')
    return ROOT / "dist" / f"{PACKAGE}-{version.group(1)}-py3-none-any.whl"


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait until no other make works on the environment."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another make that is setting up .venv")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def create() -> None:
    """Make an empty environment, in place of one that cannot be used."""
    if VENV.exists():
        ours = UNFINISHED.exists() or STATE.exists() or LOG.exists() or not PYTHON.exists()
        if not ours:
            raise SetupError(".venv is there and was not made by make; move it away, make will make its own")
        say("making .venv anew: it was left unfinished, or its Python is gone")
        shutil.rmtree(VENV)
    else:
        say("making .venv")
    command = [sys.executable, "-m", "venv", str(VENV)]
    run(command, ".venv could not be made (Debian has it in the package python3-venv)")
    LOG.touch()


def run(command: list[str], complaint: str) -> None:
    """Run a command whose output is of interest only when it fails."""
    done = subprocess.run(
        command,
        cwd=str(ROOT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        output = done.stdout.decode(errors="replace").strip()
        raise SetupError(f"{complaint}:\n{output}")


def pip(step: str, *arguments: str) -> None:
    """Run ``pip install``, with a line for what takes long; all of its output goes to ``.venv/make.log``."""
    if step:
        say(step)
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    command += ["--progress-bar", "off", *arguments]
    with subprocess.Popen(
        command,
        cwd=str(ROOT),
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        tail = follow(process)
    if process.returncode:
        last_lines = "\n".join(tail)
        raise SetupError(f"pip failed; all that it said is in {LOG}, and its last lines are\n{last_lines}")
    if UNFINISHED.exists():
        UNFINISHED.unlink()


def follow(process: subprocess.Popen[bytes]) -> list[str]:
    """Show what pip is busy with until it ends; gives its last lines."""
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line.decode(errors="replace").rstrip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    tail: list[str] = []
    started = time.monotonic()
    with LOG.open("a", encoding="utf-8") as log:
        while True:
            try:
                line = lines.get(timeout=15)
            except queue.Empty:
                say(f"  ... still at it, {time.monotonic() - started:.0f} s")
                continue
            if line is None:
                return tail
            log.write(line + "\n")
            tail = [*tail[-19:], line]
            if line.startswith("Installing collected packages"):
                UNFINISHED.touch()
            shown = worth_showing(line)
            if shown:
                say("  " + shown)


def worth_showing(line: str) -> str:
    """A line of pip in short where it is about something that takes long, else an empty text.

    >>> worth_showing("  Downloading pyspark-4.3.0.tar.gz (456.6 MB)")
    'downloading pyspark-4.3.0.tar.gz (456.6 MB)'
    >>> worth_showing("  Downloading idna-3.20-py3-none-any.whl (71 kB)")
    ''
    """
    text = line.strip()
    download = re.match(r"(?:Downloading|Using cached) (?:\S*/)?(\S+) \(([\d.]+) MB\)", text)
    if download and float(download.group(2)) >= LARGE_DOWNLOAD_MB:
        return text[0].lower() + text[1:]
    if text.startswith("Building wheel for") and text.endswith("started"):
        return text[0].lower() + text[1 : text.index(" (")]
    if text.startswith("Installing collected packages:") and "," in text:
        return f"installing {text.count(',') + 1} packages"
    return ""


def say(text: str) -> None:
    """Write a line to the person at the keyboard, at once."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
