"""The commands and the Python of docs/write_a_connector.md do what it says, from the first to the last.

What is changed of them: the folder of the environment, packages come from the environment of the tests and not from an
index, and the port is a free one.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import sysconfig
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "write_a_connector.md").read_text(encoding="utf-8")
PORT = "8080"
NO_INDEX = {"pip install": "--no-deps --no-build-isolation", "pip wheel": "--no-build-isolation"}
SCRIPTS = {
    "connector-lib": "-c 'import sys; from connector_lib.cli import main; sys.exit(main())'",
    "pytest": "-m pytest",
    "pip": "-m pip",
}
SERVER = "connector-lib sample records"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines()]


class Reader:
    """Somebody who follows the page, in an environment of their own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.environment = folder / "environment"
        self.port = port
        venv.create(self.environment, symlinks=True, with_pip=False)
        here = sysconfig.get_path("purelib")
        there = sysconfig.get_path("purelib", vars={"base": str(self.environment), "platbase": str(self.environment)})
        # What the tests have installed is there too, and behind it what the page installs.
        (Path(there) / "installed.pth").write_text(f"import site; site.addsitedir({here!r})\n")
        for name, start in SCRIPTS.items():
            file = self.environment / "bin" / name
            file.write_text(f'#!/bin/sh\nexec "{self.environment}/bin/python" {start} "$@"\n')
            file.chmod(0o755)

    @property
    def variables(self) -> dict[str, str]:
        path = f"{self.environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        url = f"http://127.0.0.1:{self.port}/api/v1"
        return {**os.environ, "PATH": path, "CLINIC_BASE_URL": url, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def words(self, line: str) -> list[str]:
        for command, options in NO_INDEX.items():
            line = line.replace(command, f"{command} {options}")
        return shlex.split(line.replace(PORT, str(self.port)))

    def follow(self, line: str) -> str:
        words = self.words(line)
        if words[0] == "cd":
            self.folder /= words[1]
            return ""
        given = [word for word in words if re.match(r"[A-Z_]+=", word)]
        variables = self.variables | dict(word.split("=", 1) for word in given)
        done = subprocess.run(
            words[len(given) :], cwd=self.folder, env=variables, capture_output=True, text=True, timeout=550
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def second_terminal(self, line: str) -> Iterator[None]:
        with subprocess.Popen(
            self.words(line),
            cwd=self.folder,
            env=self.variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as running:
            try:
                self._wait_for_an_answer()
                yield
            finally:
                running.terminate()

    def _wait_for_an_answer(self) -> None:
        last = monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(self.variables["CLINIC_BASE_URL"] + "/"):
                    return
            except urllib.error.URLError:
                assert monotonic() < last, "the server of the page does not answer"
                sleep(0.1)


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return Reader(tmp_path, probe.getsockname()[1])


@pytest.mark.slow
@pytest.mark.spark
def test_the_commands_lead_from_nothing_to_tables_and_a_wheel(reader: Reader) -> None:
    shown = commands()
    at = shown.index(f"{SERVER} --port {PORT}")
    printed = {line: reader.follow(line) for line in shown[:at]}
    with reader.second_terminal(shown[at]):
        printed |= {line: reader.follow(line) for line in shown[at + 1 :]}
    assert re.search(r"\d+ passed", printed["pytest"])
    # Two where there is Java; where there is none, they are left out, and it is said so.
    assert re.search(r"2 (passed|skipped)", printed["CONNECTOR_LIB_TEST_SPARK=1 pytest -k spark"])
    assert "base_url" in printed["connector-lib sources clinic"]
    assert {"visits", "wards"} <= set(printed["connector-lib tables --connection clinic"].split())
    assert len(printed["connector-lib read visits --connection clinic --deletes --json"].splitlines()) == 10
    ran = printed["connector-lib run pipelines/clinic --connections connections.yml"]
    assert "clinic: completed" in ran
    counts = {line.split()[0]: line.split() for line in ran.splitlines() if line.split()[2:]}
    assert "90" in counts["visits"]
    assert [path.name for path in (reader.folder / "dist").iterdir()] == ["clinic_connector-0.1.0-py3-none-any.whl"]


def test_the_server_of_the_page_is_started_once_and_the_connection_finds_it() -> None:
    assert [line for line in commands() if line.startswith(SERVER)] == [f"{SERVER} --port {PORT}"]
    connection = ROOT / "connector_lib" / "cli" / "skeleton" / "connections.yml"
    assert f"127.0.0.1:{PORT}/api/v1" in connection.read_text(encoding="utf-8")


def test_the_python_runs() -> None:
    (code,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['/visits']\n"


def test_every_name_of_the_http_client_and_of_a_file_is_one_that_there_is() -> None:
    from connector_lib import http

    named = set(re.findall(r"`(\w+(?:Auth|Paginator|Services|ClientCredentials))`", PAGE))
    assert len(named) >= 9
    assert named <= set(http.__all__)
    files = set(re.findall(r"\[(connector_lib/[\w/]+\.py)\]", PAGE))
    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_what_is_said_to_be_changed_is_in_the_skeleton() -> None:
    source = (ROOT / "connector_lib" / "cli" / "skeleton" / "clinic_connector" / "source.py").read_text()
    named = re.findall(r"^\d\. \*\*`(\w+)`\*\*", PAGE, re.MULTILINE)
    places = [
        source.index(f"{name}:") if name.isupper() else re.search(rf"(class |def |self\.){name}\b", source)
        for name in named
    ]
    assert len(places) == 6
    assert None not in places


def test_the_settings_for_databricks_name_the_wheel_that_was_built() -> None:
    (settings,) = (yaml.safe_load(block) for block in blocks("yaml"))
    (wheel,) = settings["dependencies"]
    assert f"dist/{Path(wheel).name}" in PAGE
