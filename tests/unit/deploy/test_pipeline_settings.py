"""The settings that come of ``spark-pipeline.yml`` and ``deploy.yml``, and fields that the API does not have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk.service.pipelines import PipelinesAPI, PipelineSpec

from connector_lib.deploy.pipeline_settings import check_fields, pipeline_settings
from connector_lib.errors import ConfigurationError
from connector_lib.project.deployment import Deployment, load_deployment
from connector_lib.project.pipeline import PipelineFolder, load_pipeline_folder

WHEEL = "/Volumes/shared/libraries/python_packages/connector_lib/connector_lib-0.1.0-py3-none-any.whl"
FOLDER = "/Workspace/Shared/clinic"
SPEC = """\
name: clinic
storage: file:///tmp/clinic
database: hospital
configuration: {source.storage_path: "", source.format: text}
libraries:
  - glob: {include: transformations/**}
  - glob: {include: more/views.sql}
"""


@pytest.fixture
def folder(tmp_path: Path) -> PipelineFolder:
    for path in ("transformations/tables.py", "more/views.sql"):
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text("")
    (tmp_path / "spark-pipeline.yml").write_text(SPEC)
    return load_pipeline_folder(tmp_path)


def settings(folder: PipelineFolder, text: str = "catalog: main\n", target: str | None = None) -> dict[str, Any]:
    (folder.root / "deploy.yml").write_text(text)
    return pipeline_settings(folder, load_deployment(folder, target), WHEEL, workspace_folder=FOLDER)


def test_a_library_outside_of_the_folder_cannot_be_deployed(folder: PipelineFolder) -> None:
    (folder.root / "deploy.yml").write_text("catalog: main\n")
    outside = replace(folder, libraries=("transformations/**", "../shared/**"))
    with pytest.raises(ConfigurationError, match=r"'\.\./shared/\*\*' under 'libraries' leaves the pipeline folder"):
        pipeline_settings(outside, load_deployment(outside), WHEEL, workspace_folder=FOLDER)


def test_the_least_that_a_pipeline_needs(folder: PipelineFolder) -> None:
    assert settings(folder) == {
        "name": "clinic",
        "catalog": "main",
        "schema": "hospital",
        "serverless": True,
        "root_path": FOLDER,
        "libraries": [
            {"glob": {"include": f"{FOLDER}/transformations/**"}},
            {"glob": {"include": f"{FOLDER}/more/views.sql"}},
        ],
        "configuration": {"source.format": "text"},
        "environment": {"dependencies": [WHEEL]},
    }


def test_everything_that_deploy_yml_may_say_is_a_field_of_the_api(folder: PipelineFolder) -> None:
    text = """\
catalog: main
serverless: false
continuous: true
development: false
photon: false
channel: PREVIEW
edition: PRO
environment_version: 4
extras: [fhir]
dependencies: [numpy==2.0.0]
configuration: {source.storage_path: /Volumes/main/raw/hl7}
notifications: [{email_recipients: [lab@example.com], alerts: [on-update-failure]}]
tags: {team: lab}
run_as: {service_principal_name: 3b1c}
settings: {clusters: [{label: default, num_workers: 2}], event_log: {name: log, schema: ops, catalog: main}}
"""
    written = settings(folder, text)
    check_fields(written, PipelinesAPI.create)
    assert written["environment"] == {"dependencies": [f"{WHEEL}[fhir]", "numpy==2.0.0"], "environment_version": "4"}
    assert (written["continuous"], written["development"], written["photon"]) == (True, False, False)
    assert written["clusters"] == [{"label": "default", "num_workers": 2}]
    spec = {key: value for key, value in written.items() if key != "run_as"}
    assert PipelineSpec.from_dict(spec).as_dict() == spec


def test_a_wheel_as_a_library_is_not_in_the_environment(folder: PipelineFolder) -> None:
    written = settings(folder, "catalog: main\nas_library: true\n")
    assert written["libraries"][0] == {"whl": WHEEL}
    assert "environment" not in written


def test_a_library_brings_no_extras(folder: PipelineFolder) -> None:
    with pytest.raises(ConfigurationError, match="'as_library: true' cannot bring 'extras'"):
        settings(folder, "catalog: main\nas_library: true\nextras: [fhir]\n")


@pytest.mark.parametrize("key", ["catalog", "schema"])
def test_without_a_place_for_the_tables_it_says_where_to_write_one(folder: PipelineFolder, key: str) -> None:
    named = {"catalog": "main", "schema": "s", key: None}
    deployment: Deployment = replace(load_deployment(folder), catalog=named["catalog"], schema=named["schema"])
    with pytest.raises(ConfigurationError, match=rf"deploy\.yml: no {key} for the tables") as error:
        pipeline_settings(folder, deployment, WHEEL, workspace_folder=FOLDER)
    assert f"--{key}" in error.value.hint


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("{filter: {include: [a]}}", "unknown field 'filter'"),
        ("{filters: {includes: [a]}}", "unknown field 'filters.includes'"),
        ("{filters: {include: a}}", "'filters.include' must be a list"),
        ("{budget_policy_id: 5}", "'budget_policy_id' must be text"),
        ("{target: x}", "'settings.target' is a field that the API gave up"),
        ("{serverless: true}", "'settings.serverless' has a key of its own"),
        ("{libraries: []}", "'settings.libraries' is set by the deployment itself"),
    ],
)
def test_further_fields_of_the_api_are_checked(folder: PipelineFolder, written: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        settings(folder, f"catalog: main\nsettings: {written}\n")
    assert words in error.value.message
    assert "deploy.yml" in error.value.message


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"nam": "x"}, "unknown field 'nam'"),
        ({"libraries": [{"glob": {"include": "/a/**"}}, {"glob": {"includ": "/b"}}]}, "'libraries.1.glob.includ'"),
        ({"clusters": [{"autoscale": {"min": 1}}]}, "'clusters.0.autoscale.min'"),
        ({"continuous": "true"}, "'continuous' must be true or false"),
        ({"clusters": [{"num_workers": True}]}, "'clusters.0.num_workers' must be a whole number"),
        ({"clusters": {"num_workers": 1}}, "'clusters' must be a list"),
        ({"configuration": {"a": 5}}, "'configuration.a' must be text"),
        ({"environment": []}, "'environment' must be an object with keys"),
        ({"deployment": {"kind": "BUNDEL"}}, "'deployment.kind' must be one of BUNDLE"),
    ],
)
def test_a_field_that_the_sdk_would_drop_is_named_at_any_depth(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        check_fields(document, PipelineSpec)
    assert words in error.value.message


def test_a_method_of_the_sdk_says_which_fields_its_request_has() -> None:
    check_fields({"name": "x", "run_as": {"user_name": "ann"}, "allow_duplicate_names": False}, PipelinesAPI.create)
    with pytest.raises(ConfigurationError, match="unknown field 'run_as'"):
        check_fields({"run_as": {}}, PipelineSpec)
