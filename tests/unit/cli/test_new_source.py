"""``connector-lib new-source``: what it writes, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from connector_lib.cli import main
from connector_lib.cli.new_source import skeleton_files
from connector_lib.cli.skeleton.clinic_connector.source import ClinicOptions, ClinicSource, ClinicTableOptions
from connector_lib.connector.connections import load_connection
from connector_lib.connector.spec import PipelineSpec
from connector_lib.datasource.connect import READ_OPTIONS
from connector_lib.project.pipeline import load_pipeline_folder
from connector_lib.testing.conformance import ConnectorConformance

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAMES = ("clinic", "lab_results", "abcdefghij_abcdefghi")
SKELETON = Path(ClinicSource.__module__.replace(".", "/")).parent.parent


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    assert main(["new-source", "lab_results"]) == 0
    return tmp_path / "lab_results_connector"


def test_it_writes_a_package_tests_a_connection_and_a_pipeline(project: Path) -> None:
    files = sorted(path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file())
    assert files == [
        "README.md",
        "connections.yml",
        "lab_results_connector/__init__.py",
        "lab_results_connector/connector_spec.yaml",
        "lab_results_connector/schemas.py",
        "lab_results_connector/source.py",
        "pipelines/lab_results/ingest.yml",
        "pipelines/lab_results/spark-pipeline.yml",
        "pipelines/lab_results/transformations/ingest.py",
        "pyproject.toml",
        "tests/__init__.py",
        "tests/test_conformance.py",
    ]


def test_it_prints_the_files_and_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new-source", "lab", "--into", "mine", "--json"]) == 0
    printed = capsys.readouterr()
    assert sorted(json.loads(printed.out)) == sorted(str(path) for path in Path("mine").rglob("*") if path.is_file())
    assert main(["new-source", "lab"]) == 0
    printed = capsys.readouterr()
    assert "lab_connector/pyproject.toml" in printed.out.splitlines()
    assert "cd lab_connector" in printed.err


@pytest.mark.parametrize("name", NAMES[1:])
def test_nothing_is_called_as_in_the_skeleton(name: str) -> None:
    for path, text in skeleton_files(name):
        assert "clinic" not in path
        assert "clinic" not in text.lower()
        assert "skeleton" not in text


def test_every_file_of_the_skeleton_is_copied() -> None:
    root = Path(__file__).parents[3] / SKELETON
    there = {path.name for path in root.rglob("*") if path.is_file() and path.suffix in {".py", ".md", ".yml", ".yaml"}}
    copied = {Path(path).name for path, _ in skeleton_files("clinic")}
    assert there <= copied


@pytest.mark.parametrize("name", NAMES)
def test_what_it_writes_is_formatted_and_without_findings(name: str, tmp_path: Path) -> None:
    assert main(["new-source", name, "--into", str(tmp_path / "project")]) == 0
    ruff = [sys.executable, "-m", "ruff"]
    for command in (
        [*ruff, "check", "--line-length", "120", "--select", "B,E,F,I,UP", "."],
        [*ruff, "format", "--line-length", "120", "--check", "."],
    ):
        done = subprocess.run(command, cwd=tmp_path / "project", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_its_metadata_name_the_class_as_a_source(project: Path) -> None:
    content = tomllib.loads((project / "pyproject.toml").read_text())
    assert content["project"]["name"] == "lab-results-connector"
    assert content["project"]["entry-points"] == {
        "connector_lib.sources": {"lab_results": "lab_results_connector.source:LabResultsSource"}
    }
    assert "class LabResultsSource(" in (project / "lab_results_connector" / "source.py").read_text()


def test_its_connection_spec_and_pipeline_can_be_read(project: Path) -> None:
    connection = load_connection(project / "connections.yml", "lab_results", {"LAB_RESULTS_BASE_URL": "http://a"})
    assert (connection.source, connection.options["base_url"]) == ("lab_results", "http://a")
    folder = load_pipeline_folder(project / "pipelines" / "lab_results")
    assert [file.name for file in folder.files] == ["ingest.py"]
    spec = PipelineSpec.load(project / "pipelines" / "lab_results" / "ingest.yml")
    assert [table.source_table for table in spec.tables] == ClinicSource({"base_url": "http://a"}).list_tables()


def test_the_spec_for_unity_catalog_has_options_that_there_are(project: Path) -> None:
    content = yaml.safe_load((project / "lab_results_connector" / "connector_spec.yaml").read_text())
    described = {field.name: field for field in ClinicOptions.fields()}
    for parameter in content["connection"]["parameters"]:
        field = described[parameter["name"]]
        assert (parameter["type"], parameter["required"]) == (field.type, field.required)
        assert parameter["description"].replace("lab_results", "clinic") == field.description
    allowed = content["external_options_allowlist"].split(",")
    assert allowed == [*(field.name for field in ClinicTableOptions.fields()), *READ_OPTIONS]


def test_its_tests_are_the_checks_that_every_connector_has_to_pass() -> None:
    # They run in full where the commands of docs/write_a_connector.md do.
    from connector_lib.cli.skeleton.tests.test_conformance import TestClinic as Checks

    assert issubclass(Checks, ConnectorConformance)
    assert Checks.secrets


@pytest.mark.parametrize("name", ["Lab", "1lab", "lab-results", "lab__results", "_lab", "import", "a" * 21, "läb"])
def test_what_is_no_name_is_wrong_usage(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["new-source", name, "--into", str(tmp_path / "x")]) == 2
    assert f"'{name}' is no name for a source" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_the_name_of_a_source_that_is_there_is_wrong_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["new-source", "fhir", "--into", str(tmp_path / "x")]) == 2
    assert "there is a source 'fhir' already" in capsys.readouterr().err


def test_a_folder_with_something_in_it_is_left_as_it_is(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    assert main(["new-source", "lab", "--into", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]
