"""Commands of ``connector-lib`` in processes of their own, quickly: one process imports it all once and forks each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

__all__ = ["ForkedCommand", "ForkingProcess"]

# Forks for every line that it reads, tells the child's process id, then how the child ended.
_PARENT: Final = """\
import gc, importlib, json, os, pkgutil, sys
from connector_lib import deploy
from connector_lib.cli import main

for name in ("databricks.sdk", "connector_lib.cli.app", "connector_lib.project.transformation_rules"):
    importlib.import_module(name)
for module in pkgutil.iter_modules(deploy.__path__, "connector_lib.deploy."):
    importlib.import_module(module.name)
gc.freeze()

for line in sys.stdin:
    job = json.loads(line)
    child = os.fork()
    if child == 0:
        for path, descriptor in ((os.devnull, 0), (job["output"], 1), (job["output"], 2)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), descriptor)
        os.environ.update(job["environment"])
        code = main(job["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True, slots=True)
class ForkedCommand:
    """A command that runs. ``process_id`` is its own; nobody else knows it before the command was started."""

    process_id: int
    _parent: subprocess.Popen[str]
    _output: Path

    def wait(self) -> int:
        """The exit code, once it has ended; minus the signal's number where a signal ended it."""
        assert self._parent.stdout is not None
        return int(self._parent.stdout.readline())

    @property
    def printed(self) -> str:
        """All that it has printed, on both streams."""
        return self._output.read_text(encoding="utf-8")


class ForkingProcess:
    """A context manager. ``folder`` is where the commands run, and where what they print is written."""

    def __init__(self, folder: Path, import_path: Path | None = None) -> None:
        self._folder = folder
        self._import_path = import_path
        self._started = 0

    def __enter__(self) -> ForkingProcess:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DATABRICKS_")}
        environment["DATABRICKS_CONFIG_FILE"] = str(self._folder / "no_databrickscfg")
        if self._import_path is not None:
            environment["PYTHONPATH"] = str(self._import_path)
        self._parent = subprocess.Popen(
            [sys.executable, "-c", _PARENT],
            cwd=self._folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def start(self, arguments: Sequence[object], environment: Mapping[str, str]) -> ForkedCommand:
        """Starts ``connector-lib`` with ``arguments``; only one command runs at a time."""
        self._started += 1
        output = self._folder / f"printed-{self._started}"
        job: dict[str, Any] = {
            "arguments": [str(it) for it in arguments],
            "environment": dict(environment),
            "output": str(output),
        }
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(job) + "\n")
        self._parent.stdin.flush()
        return ForkedCommand(int(self._parent.stdout.readline()), self._parent, output)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The end of its input ends it; a command that still runs ends first.
        self._parent.communicate(timeout=60)
