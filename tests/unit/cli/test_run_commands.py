"""The command line around local runs: usage, exit codes, no Spark."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connector_lib import __version__
from connector_lib.cli import main


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"connector-lib {__version__}\n"


@pytest.mark.parametrize("command", ["run", "show", "doctor"])
def test_every_help_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--help"]) == 0
    assert f"Example: connector-lib {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "nowhere"],
        ["run", ".", "--set", "no-equals-sign"],
        ["run", "--unknown"],
        ["show", "adt", "--warehouse", "nowhere"],
        ["nonsense"],
    ],
)
def test_wrong_usage_ends_with_two_and_words_on_stderr(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err


def test_a_wrong_pipeline_file_ends_with_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spark-pipeline.yml").write_text("nam: x\n")
    assert main(["run", str(tmp_path)]) == 1
    assert "unknown key 'nam'" in capsys.readouterr().err


def test_doctor_says_how_everything_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--warehouse", str(tmp_path / "warehouse")]) == 0
    document = json.loads(capsys.readouterr().out)
    names = {check["name"] for check in document["checks"]}
    assert {
        "python",
        "pyspark",
        "pandas",
        "pyarrow",
        "java",
        "memory",
        "disk",
        "loopback",
        "warehouse",
    } <= names


def test_doctor_ends_with_one_where_the_warehouse_is_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.doc").touch()
    assert main(["doctor", "--warehouse", str(tmp_path)]) == 1
    assert "missing  warehouse" in capsys.readouterr().out


def test_without_typer_and_rich_it_says_how_to_get_them() -> None:
    hide = "import sys; sys.modules['typer'] = None; sys.modules['rich'] = None\n"
    run = "from connector_lib.cli import main; sys.exit(main(['--help']))"
    ended = subprocess.run([sys.executable, "-c", hide + run], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "pip install 'connector_lib[cli]'" in ended.stderr
