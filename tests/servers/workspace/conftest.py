"""A workspace on loopback for every test, and the command that talks to it through the real SDK."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from connector_lib.cli import main
from tests.servers.workspace.loopback.server import LoopbackWorkspace


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code, what it printed as data and what it said beside it."""

    code: int
    out: str
    err: str


Command: TypeAlias = Callable[..., Ended]


@pytest.fixture(autouse=True)
def no_login_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the person who runs the tests is used: neither variables nor profiles."""
    import os

    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "no_databrickscfg"))


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, no_login_of_this_machine: None) -> Iterator[LoopbackWorkspace]:
    """An empty workspace, which the environment names as the one to log in to, as the admin."""
    with LoopbackWorkspace() as server:
        monkeypatch.setenv("DATABRICKS_HOST", server.url)
        monkeypatch.setenv("DATABRICKS_TOKEN", server.token)
        yield server


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """``command("releases", "--json")`` runs ``connector-lib releases --json`` in this process."""

    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err)

    return run
