"""The ``deploy.yml`` of the pipelines in this repository."""

from __future__ import annotations

from pathlib import Path

import pytest
from databricks.sdk.service.pipelines import PipelinesAPI

from connector_lib.deploy.pipeline_files import files_to_deploy
from connector_lib.deploy.pipeline_settings import check_fields, pipeline_settings
from connector_lib.project.deployment import load_deployment
from connector_lib.project.pipeline import load_pipeline_folder

FOLDERS = sorted((Path(__file__).parents[3] / "pipelines").iterdir())


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.name)
def test_each_pipeline_can_be_deployed_once_its_catalog_is_named(path: Path) -> None:
    folder = load_pipeline_folder(path)
    deployment = load_deployment(folder, None, {"catalog": "main"})
    settings = pipeline_settings(folder, deployment, "/Volumes/a/b/c/x.whl", workspace_folder="/Workspace/Shared/x")
    check_fields(settings, PipelinesAPI.create)
    assert (settings["name"], settings["schema"]) == (path.name, path.name)


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.name)
def test_no_file_of_this_machine_goes_along(path: Path) -> None:
    names = files_to_deploy(load_pipeline_folder(path)).keys()
    assert "spark-pipeline.yml" in names
    assert not {"deploy.yml", "connections.yml", "README.md"} & names


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.name)
def test_the_commented_target_is_one_that_can_be_used(path: Path, tmp_path: Path) -> None:
    text = (path / "deploy.yml").read_text()
    start = text.index("# targets:")
    shown = text[:start] + "\n".join(line.removeprefix("# ") for line in text[start:].splitlines())
    for file in path.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            (tmp_path / file.relative_to(path)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file.relative_to(path)).write_bytes(file.read_bytes())
    (tmp_path / "deploy.yml").write_text(shown)
    deployment = load_deployment(load_pipeline_folder(tmp_path), "prod")
    assert deployment.workspace_folder == f"/Workspace/Shared/{path.name}_prod"
    assert len(deployment.permissions) == 1
