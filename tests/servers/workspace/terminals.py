"""A command on a terminal of its own, for what it asks the person at the keyboard."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys

__all__ = ["on_terminal"]


def on_terminal(*arguments: str, question: str, answer: str) -> tuple[int, str]:
    """Runs the command on a terminal of its own, and gives its exit code and all that the terminal shows."""
    terminal, its_end = pty.openpty()
    program = "import sys; from connector_lib.cli import main; sys.exit(main())"
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        start_new_session=True,
    ) as asked:
        # What is typed before the question is thrown away, as on any terminal.
        shown = _read_until(terminal, question.encode())
        os.write(terminal, f"{answer}\n".encode())
        code = asked.wait(30)
    os.write(its_end, b"END")
    shown += _read_until(terminal, b"END")
    os.close(its_end)
    os.close(terminal)
    return code, shown.decode().removesuffix("END")


def _read_until(terminal: int, end: bytes) -> bytes:
    """What is shown on the terminal up to ``end``."""
    shown = b""
    while end not in shown:
        ready, _, _ = select.select([terminal], [], [], 30)
        assert ready, shown
        shown += os.read(terminal, 1024)
    return shown
