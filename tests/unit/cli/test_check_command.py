"""``connector-lib check``: what it prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from connector_lib.cli import main

PIPELINES = Path(__file__).parents[3] / "pipelines"
SPEC = "name: example\nstorage: file:///tmp/example\nlibraries:\n  - glob: {include: transformations/**}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example" / "transformations").mkdir(parents=True)
    (tmp_path / "example" / "spark-pipeline.yml").write_text(SPEC)
    (tmp_path / "example" / "transformations" / "a.py").write_text(
        "import dlt\n\n@dlt.table\ndef a():\n    dbutils.fs\n"
    )
    return tmp_path / "example"


def test_folders_without_a_breach_end_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", *map(str, sorted(PIPELINES.iterdir()))]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "5 pipeline folders looked through: nothing to mend\n"


def test_every_breach_is_a_line_with_file_line_and_hint(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", folder.name]) == 1
    captured = capsys.readouterr()
    assert captured.out == (
        "example/transformations/a.py:1: imports dlt, which is on Databricks only, and older;"
        " from pyspark import pipelines as dp\n"
        "example/transformations/a.py:5: uses dbutils.fs;"
        " read files through a table of the pipeline, such as by read_files(…) of connector_lib.flows\n"
    )
    assert captured.err == "1 pipeline folder looked through: 2 breaches\n"


def test_json_is_one_document_with_all_folders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fhir = PIPELINES / "fhir_api"
    assert main(["check", str(fhir), folder.name, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["breaches"] == 2
    assert [(entry["folder"], len(entry["breaches"])) for entry in document["pipelines"]] == [
        (str(fhir), 0),
        ("example", 2),
    ]
    assert document["pipelines"][1]["breaches"][0] == {
        "file": "example/transformations/a.py",
        "line": 1,
        "rule": "older-interface",
        "message": "imports dlt, which is on Databricks only, and older",
        "hint": "from pyspark import pipelines as dp",
    }


@pytest.mark.parametrize("arguments", [[], ["nowhere"], ["."]])
def test_no_pipeline_folder_is_wrong_usage(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check", *arguments]) == 2
    assert capsys.readouterr().out == ""


def test_neither_spark_nor_the_sdk_of_databricks_is_loaded(folder: Path) -> None:
    code = (
        "import sys; from connector_lib.cli import main; main(['check', 'example']);"
        "sys.exit(len({'pyspark', 'databricks.sdk', 'pandas'} & sys.modules.keys()))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=folder.parent, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "1 pipeline folder looked through: 2 breaches\n")
