"""Every command and every piece of Python in the README does what it says, and the commands of docs/kinesis.md."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
KINESIS = (ROOT / "docs" / "kinesis.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(text: str = README) -> list[str]:
    return [line for block in blocks("sh", text) for line in block.splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def working_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    (folder / "pipelines").symlink_to(ROOT / "pipelines")
    return folder


def run(command: list[str], folder: Path, timeout: int = 600) -> subprocess.CompletedProcess[str]:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    # Wide enough for the paths of temporary folders, which tables would fold otherwise.
    environment = {**os.environ, "PATH": path, "COLUMNS": "250"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout)


@pytest.mark.slow
@pytest.mark.spark
def test_the_commands_run_in_their_order_and_then_the_python(working_directory: Path) -> None:
    # Those for a workspace are run in tests/servers/workspace.
    before, _, rest = README.partition("\n## On Databricks\n")
    text = before + rest.partition("\n## ")[2]
    shown = [line for line in commands(text) if line.startswith("connector-lib")]
    assert len(shown) >= 7
    for line in shown:
        done = run(shlex.split(line), working_directory)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    for code in blocks("python"):
        done = run([sys.executable, "-c", code], working_directory)
        assert done.returncode == 0, done.stderr
        assert done.stdout


@pytest.mark.slow
@pytest.mark.spark
def test_the_commands_of_the_page_on_kinesis_run_in_their_order(working_directory: Path) -> None:
    shown = [line for line in commands(KINESIS) if re.match("connector-lib (?!deploy )", line)]
    assert len(shown) == 3
    for line in shown:
        done = run(shlex.split(line), working_directory)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert "firehose/2026" in done.stdout


@pytest.mark.slow
@pytest.mark.spark
def test_make_run_shows_tables_and_a_second_one_reads_nothing_twice(tmp_path: Path) -> None:
    places = ["ARGS=", f"INPUT={tmp_path / 'hl7_in'}", f"WAREHOUSE={tmp_path / 'warehouse'}"]
    first = run(["make", "run", *places], ROOT)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "observations" in first.stdout
    second = run(["make", "run", *places], ROOT)
    assert second.returncode == 0, second.stdout + second.stderr
    raw = next(line for line in second.stdout.splitlines() if line.split()[:1] == ["raw"])
    assert re.search(r"\s0\s", raw), raw


def test_every_make_target_that_the_readme_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)\b", README))
    assert named <= targets
    assert {"run", "test"} <= named


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_room_of_the_package_is_on_the_map() -> None:
    rooms = {
        path.name if path.is_dir() else path.stem
        for path in (ROOT / "connector_lib").iterdir()
        if (path.is_dir() or path.suffix == ".py") and not path.name.startswith(("_", "."))
    }
    assert [room for room in sorted(rooms) if not re.search(rf"`[^`]*\b{room}\b[^`]*`", README)] == []


@pytest.mark.slow
@pytest.mark.spark
def test_make_run_fhir_shows_the_versions_of_patients(tmp_path: Path) -> None:
    assert "make run-fhir DAYS=2" in README
    done = run(["make", "run-fhir", "DAYS=2", "ARGS=", f"FHIR_WAREHOUSE={tmp_path / 'warehouse'}"], ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {line.split()[0]: line.split()[2:4] for line in done.stdout.splitlines() if " view " in line}
    assert counts["observations"] == ["274", "274"]
    assert "__END_AT" in done.stdout
