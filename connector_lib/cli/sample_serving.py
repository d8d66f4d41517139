"""Serves sample data: until Ctrl-C, or while a command runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

from connector_lib.errors import UsageError

__all__ = ["free_port_or_said_so", "serve_until_stopped", "serve_while_running"]


@contextmanager
def free_port_or_said_so(port: int) -> Iterator[None]:
    """Raises :class:`~connector_lib.errors.UsageError` where what is made in the block cannot have ``port``."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"port {port} of this machine cannot be served: {error.strerror}", hint="--port 0 takes a free one"
        ) from error


def serve_until_stopped(url: str, note: str) -> None:
    """Prints the address on the standard output and ``note`` on the error stream, and waits for Ctrl-C."""
    # Who reads the address may end the server at once.
    with suppress(KeyboardInterrupt):
        typer.echo(url)
        sys.stdout.flush()
        sys.stderr.write(f"{note}; Ctrl-C ends the server\n")
        threading.Event().wait()


def serve_while_running(command: list[str], variable: str, url: str) -> int:
    """Runs ``command`` with ``url`` in the environment variable ``variable`` and gives its exit code.

    Raises :class:`~connector_lib.errors.UsageError` for a command that cannot be started.
    """
    try:
        running = subprocess.Popen(command, env={**os.environ, variable: url})
    except OSError as error:
        raise UsageError(
            f"the command {command[0]!r} cannot be started: {error.strerror}", hint="is its name right?"
        ) from error
    with running:
        while True:
            # Ctrl-C reaches the command too, which ends in its own way; the server stays until it has.
            with suppress(KeyboardInterrupt):
                code = running.wait()
                # As a shell has it for a command that a signal ended.
                return code if code >= 0 else 128 - code
