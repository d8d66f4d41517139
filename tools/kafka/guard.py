"""Runs a command for as long as the process that started this one lives: ``python guard.py LOG COMMAND ...``.

The standard input is a pipe that nobody writes into. It ends when the other side closes it or dies, however it dies,
and the command is killed then. Its output goes to the file ``LOG``, its process id to ``LOG.pid``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main(log: str, command: list[str]) -> int:
    """Runs ``command`` with its output in ``log``, and gives its exit code."""
    # Ctrl-C is for the process that started this one, which then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with (
        open(log, "ab") as output,  # noqa: PTH123 - the less it imports, the sooner the command starts
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        with open(f"{log}.pid", "w", encoding="ascii") as pid:  # noqa: PTH123
            pid.write(str(process.pid))
        signal.signal(signal.SIGTERM, lambda *_: process.kill())

        def kill_at_the_end_of_input() -> None:
            # os.read: a buffered reader would hold a lock that the interpreter wants at its end.
            while os.read(0, 1):
                pass
            process.kill()

        threading.Thread(target=kill_at_the_end_of_input, daemon=True).start()
        return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
