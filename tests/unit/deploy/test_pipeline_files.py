"""Which files of a pipeline folder go to the workspace, and that no secret goes with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_lib.deploy.pipeline_files import files_to_deploy
from connector_lib.errors import ConfigurationError
from connector_lib.project.pipeline import load_pipeline_folder

SPEC = "name: clinic\nstorage: file:///tmp/x\nlibraries: [{glob: {include: transformations/**}}]\n"


def write(root: Path, *paths: str, text: str = "") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "clinic"
    write(root, "spark-pipeline.yml", text=SPEC)
    write(root, "transformations/deep/tables.py")
    return root


def deployed(root: Path) -> list[str]:
    return list(files_to_deploy(load_pipeline_folder(root)))


def test_transformations_specs_modules_and_small_data_go(root: Path) -> None:
    write(root, "ingest.yml", "clinic_connector/source.py", "views/a.sql", "codes.csv", "schema.json")
    assert deployed(root) == [
        "clinic_connector/source.py",
        "codes.csv",
        "ingest.yml",
        "schema.json",
        "spark-pipeline.yml",
        "transformations/deep/tables.py",
        "views/a.sql",
    ]


def test_what_is_for_this_machine_only_stays(root: Path) -> None:
    write(root, "deploy.yml", "connections.yml", ".env", ".git/config.yml", "tests/test_a.py", "README.md")
    write(root, "__pycache__/a.py", "venv/lib/a.py", "key.pem", "my_tables/warehouse.json", "my_tables/part.csv")
    assert deployed(root) == ["spark-pipeline.yml", "transformations/deep/tables.py"]


def test_a_file_of_connections_stays_under_any_name(root: Path) -> None:
    write(root, "access.yml", "access.json", text='{"connections": {"ehr": {"source": "fhir", "options": {}}}}')
    assert deployed(root) == ["spark-pipeline.yml", "transformations/deep/tables.py"]


def test_a_file_with_a_secret_of_the_environment_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "canary-canary")
    write(root, "transformations/login.py", text="password = 'canary-canary'\n")
    with pytest.raises(ConfigurationError) as error:
        deployed(root)
    assert "login.py: holds the secret of the environment variable KAFKA_PASSWORD" in error.value.message
    assert "canary" not in str(error.value)


def test_a_file_with_a_secret_of_a_connection_is_refused(root: Path) -> None:
    write(root, "connections.yml", text="connections: {ehr: {source: fhir, options: {client_secret: canary-canary}}}")
    write(root, "notes.txt", text="canary-canary")
    with pytest.raises(ConfigurationError, match=r"notes\.txt: holds the secret of the connection 'ehr'") as error:
        deployed(root)
    assert "canary" not in str(error.value)


def test_a_file_that_the_workspace_does_not_take_is_named(root: Path) -> None:
    write(root, "codes.csv", text="x" * (10 * 1024 * 1024 + 1))
    with pytest.raises(ConfigurationError, match=r"codes\.csv: has 10,485,761 bytes"):
        deployed(root)
