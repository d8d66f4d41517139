"""Follows a page as its reader does: writes the files that it shows, and runs its commands, in their order."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Callable, Container
from pathlib import Path
from typing import Final

from tests.servers.workspace.conftest import Command, Ended

__all__ = ["TYPED", "follow", "section"]

_BLOCK: Final = re.compile(
    r"(?:^(?P<before>[^\n]+)\n\n)?^ *```(?P<language>\w+)\n(?P<text>.*?)^ *```", re.DOTALL | re.MULTILINE
)
_TYPED: Final = re.compile(r"read -rs (?P<name>\w+); export (?P=name)")
TYPED: Final = "what-the-reader-typed"
_FILE: Final = re.compile(r"(?:\b[Mm]ake|\bgo into) `(?P<path>[\w./-]+\.yml)`(?: read like this)?:$")
"""A reader changes the files that a page says to change, and no others that it speaks of."""


def section(page: str, title: str) -> str:
    """What stands below the heading ``title``, up to the next one of its level."""
    level = title.partition(" ")[0]
    _, found, rest = f"\n{page}".partition(f"\n{title}\n")
    assert found, f"there is no heading {title!r}"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def follow(
    page: str, command: Command, set_variable: Callable[[str, str], None], *, only: Container[str] | None = None
) -> list[tuple[str, Ended]]:
    """Runs what ``page`` says in the current folder; each command with how it ended, which is well.

    A block of YAML is a file where the line before it says to make a file read like it. Of a block of ``sh`` every
    command is run, with ``only`` those that it names; where the reader types a secret, it is :data:`TYPED`.
    """
    done = []
    for block in _BLOCK.finditer(page):
        file = _FILE.search(block["before"] or "")
        if block["language"] == "yaml" and file is not None:
            Path(file["path"]).write_text(textwrap.dedent(block["text"]), encoding="utf-8")
        if block["language"] != "sh":
            continue
        for line in block["text"].replace("\\\n", " ").splitlines():
            typed = _TYPED.fullmatch(line)
            if typed is not None:
                set_variable(typed["name"], TYPED)
                continue
            program, *arguments = shlex.split(line)
            if only is not None and not (program == "connector-lib" and arguments[0] in only):
                continue
            assert program == "connector-lib", line
            ended = command(*arguments)
            assert ended.code == 0, f"{line}\n{ended.out}\n{ended.err}"
            done.append((line, ended))
    return done
