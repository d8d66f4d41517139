"""The command line around local runs: usage, exit codes, no Spark."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connector_lib import __version__
from connector_lib.cli import main

PIPELINE = Path(__file__).parents[3] / "pipelines" / "hl7v2_files"
KAFKA_PIPELINE = PIPELINE.with_name("hl7v2_kafka")


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
        ["run", str(PIPELINE), "--connections", "nowhere.yml"],
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


def test_a_source_folder_that_is_not_there_is_wrong_usage_and_starts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["run", str(PIPELINE), "--set", "source.storage_path=inbox", "--warehouse", "warehouse"]
    assert main(arguments) == 2
    words = capsys.readouterr().err
    assert f"the folder of 'source.storage_path' does not exist: {tmp_path / 'inbox'}" in words
    assert not (tmp_path / "warehouse").exists()


def test_the_source_folder_of_the_pipeline_must_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(PIPELINE), "--warehouse", str(tmp_path / "warehouse")]) == 2
    assert "the setting 'source.storage_path' is missing" in capsys.readouterr().err


def test_servers_and_topic_of_the_kafka_pipeline_must_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--set", "kafka.topic=hl7", "--warehouse", str(tmp_path / "warehouse")]
    assert main(["run", str(KAFKA_PIPELINE), *given]) == 2
    assert "the setting 'kafka.servers' is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("folder", "words"),
    [("nothing", "the folder does not exist"), (".", "the folder holds no jar"), ("a.jar", "the folder is a file")],
)
def test_jars_that_are_not_there_are_wrong_usage_and_start_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    words: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.jar").write_bytes(b"") if folder == "a.jar" else None
    monkeypatch.chdir(tmp_path / "empty")
    given = ["--set", "kafka.servers=127.0.0.1:9092", "--set", "kafka.topic=hl7", "--jars", folder]
    assert main(["run", str(KAFKA_PIPELINE), *given, "--warehouse", "warehouse"]) == 2
    captured = capsys.readouterr().err
    assert f"--jars {folder}: {words}" in captured
    assert not (tmp_path / "empty" / "warehouse").exists()


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
        "kafka jars",
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
