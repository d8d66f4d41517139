"""``connector-lib bundle``: what it writes and prints, how it ends, and that its README can be followed."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from connector_lib import __version__
from connector_lib.cli import main

PIPELINES = Path(__file__).parents[3] / "pipelines"
FHIR = str(PIPELINES / "fhir_api")


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_files_are_listed_and_the_next_step_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", FHIR, "--out", "my bundle", "--catalog", "main"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[:3] == [
        "created   my bundle/.gitignore",
        "created   my bundle/README.md",
        "created   my bundle/databricks.yml",
    ]
    assert "next: cd 'my bundle' && databricks bundle validate --strict" in captured.err


def test_a_second_time_nothing_changes(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bundle", FHIR, "--out", "bundle", "--catalog", "main"]
    assert main(command) == 0
    before = {path: path.read_bytes() for path in Path("bundle").rglob("*") if path.is_file()}
    capsys.readouterr()
    assert main(command) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {"unchanged"}
    assert {path: path.read_bytes() for path in Path("bundle").rglob("*") if path.is_file()} == before


def test_json_says_what_each_target_deploys(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--catalog", "main", "--schema", "gold", "--wheel", "0.2.0", "--volume", "a.b.c"]
    assert main(["bundle", FHIR, "--out", "bundle", *arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["targets"]["prod"] == {
        "catalog": "main",
        "schema": "gold",
        "wheel": "/Volumes/a/b/c/connector_lib/connector_lib-0.2.0-py3-none-any.whl",
    }
    assert document["targets"]["dev"]["schema"] == "gold_dev_${workspace.current_user.short_name}"
    assert {"path": "databricks.yml", "state": "created"} in document["files"]


def test_the_wheel_is_this_version_where_nothing_else_is_said() -> None:
    assert main(["bundle", FHIR, "--out", "bundle", "--catalog", "main"]) == 0
    bundle = yaml.safe_load(Path("bundle/databricks.yml").read_text())
    assert bundle["targets"]["dev"]["variables"]["wheel_version"] == __version__


def test_a_folder_with_other_files_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.txt").write_text("mine")
    command = ["bundle", FHIR, "--out", ".", "--catalog", "main"]
    assert main(command) == 2
    assert "holds files that are no bundle of 'connector-lib bundle': mine.txt" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
    assert Path("mine.txt").read_text() == "mine"


def test_a_file_changed_by_hand_is_named_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bundle", FHIR, "--out", "bundle", "--catalog", "main"]
    assert main(command) == 0
    Path("bundle/databricks.yml").write_text("mine: 1\n")
    assert main(command) == 2
    assert "files were changed since the bundle was written: databricks.yml" in capsys.readouterr().err
    assert Path("bundle/databricks.yml").read_text() == "mine: 1\n"


def test_without_a_catalog_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", FHIR, "--out", "bundle"]) == 1
    assert "no catalog for the tables" in capsys.readouterr().err
    assert not Path("bundle").exists()


def test_of_a_pipeline_that_breaks_a_rule_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad/transformations").mkdir(parents=True)
    Path("bad/spark-pipeline.yml").write_text(
        "name: bad\nstorage: file:///tmp/bad\nlibraries:\n  - glob: {include: transformations/**}\n"
    )
    Path("bad/transformations/a.py").write_text("import dlt\n\n@dlt.table\ndef a(): ...\n")
    assert main(["bundle", "bad", "--out", "bundle", "--catalog", "main", "--schema", "a", "--force"]) == 1
    captured = capsys.readouterr()
    assert "a.py:1: imports dlt" in captured.err
    assert "nothing is written" in captured.err
    assert not Path("bundle").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [FHIR],
        ["nowhere", "--out", "bundle"],
        [FHIR, "--out", f"{FHIR}/bundle", "--catalog", "main"],
        [FHIR, "--out", "bundle", "--catalog", "main", "--schedule", "0 3 * * *"],
        [FHIR, "--out", "bundle", "--catalog", "main", "--wheel", "newest"],
    ],
)
def test_wrong_usage_ends_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", *arguments]) == 2
    assert capsys.readouterr().out == ""
    assert not Path("bundle").exists()


def test_the_commands_of_the_readme_are_there_with_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bundle", FHIR, "--out", "bundle", "--catalog", "main"]) == 0
    readme = re.sub(r" \\\n +", " ", Path("bundle/README.md").read_text())
    commands = re.findall(r"^ *connector-lib (.+)$", readme, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["publish", "grants", "connection", "bundle"]
    for command in commands:
        words = shlex.split(command.replace("<", "").replace(">", ""))
        group = words[:2] if words[0] == "connection" else words[:1]
        capsys.readouterr()
        assert main([*group, "--help"]) == 0
        options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
        assert {word for word in words if word.startswith("--")} <= options
    # What it says of files is what is there.
    for path in re.findall(r"`((?:resources|src)/[^`]*|databricks\.yml)`", readme):
        assert (Path("bundle") / path).exists(), path
