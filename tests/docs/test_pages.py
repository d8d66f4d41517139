"""The pages in docs/ name files, tables, columns and settings that are there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector_lib.deploy.pipeline_settings import pipeline_settings
from connector_lib.project.deployment import load_deployment
from connector_lib.project.pipeline import load_pipeline_folder

ROOT = Path(__file__).parents[2]
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
PIPELINE_OF_PAGE = {"kafka": "hl7v2_kafka", "event_hubs": "hl7v2_event_hubs", "kinesis": "hl7v2_kinesis"}


def configuration(pipeline: str) -> dict[str, str]:
    content = yaml.safe_load((ROOT / "pipelines" / pipeline / "spark-pipeline.yml").read_text(encoding="utf-8"))
    found: dict[str, str] = content["configuration"]
    return found


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)


def settings_of(page: str) -> list[dict[str, Any]]:
    """The settings of pipelines on Databricks that ``page`` shows."""
    return [yaml.safe_load(block) for block in blocks(page, "yaml")]


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_links_to_is_there(page: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", PAGES[page]) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_every_setting_of_a_page_is_one_of_its_pipeline(page: str) -> None:
    written = [key for block in settings_of(page) for key in block["configuration"]]
    commands = blocks(page, "sh") + blocks(page, "text")
    in_commands = [key for block in commands for key in re.findall(r"--set ([\w.]+)=", block)]
    assert written
    assert in_commands
    assert {*written, *in_commands} <= configuration(PIPELINE_OF_PAGE[page]).keys()


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_the_settings_of_a_page_and_those_of_the_folder_are_what_is_deployed(page: str, tmp_path: Path) -> None:
    pipeline = PIPELINE_OF_PAGE[page]
    for number, block in enumerate(blocks(page, "yaml")):
        copy = tmp_path / str(number) / pipeline
        shutil.copytree(ROOT / "pipelines" / pipeline, copy)
        (copy / "deploy.yml").write_text(block, encoding="utf-8")
        folder = load_pipeline_folder(copy)
        deployed = pipeline_settings(
            folder, load_deployment(folder), "/Volumes/a/b/c/d.whl", workspace_folder="/Workspace/a"
        )
        written = {**configuration(pipeline), **yaml.safe_load(block)["configuration"]}
        assert (deployed["name"], deployed["schema"]) == (pipeline, pipeline)
        assert deployed["configuration"] == {key: value for key, value in written.items() if value}


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_a_trigger_interval_is_shown_with_a_continuous_pipeline(page: str) -> None:
    shown = [block for block in settings_of(page) if "trigger.interval" in block["configuration"]]
    assert [block for block in shown if block.get("continuous") is not True] == []


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_every_page_says_where_the_rest_of_the_settings_is(page: str) -> None:
    assert "](../README.md#on-databricks)" in PAGES[page]
    assert "\n## On Databricks\n" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_every_setting_of_a_pipeline_is_explained(page: str) -> None:
    table = PAGES[page].partition("## Settings")[2] + PAGES["kafka"].partition("## Settings")[2]
    assert [key for key in configuration(PIPELINE_OF_PAGE[page]) if f"`{key}`" not in table] == []


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_no_page_writes_a_secret_into_a_command_or_a_setting(page: str) -> None:
    text = "\n".join([*blocks(page, "yaml"), *blocks(page, "sh"), *blocks(page, "text")])
    assert not re.search(r"SharedAccessKey|(?i:password|secret)\w*\s*[=:]\s*\S+[0-9+/=]{6}", text)


@pytest.mark.parametrize("pipeline", sorted(folder.name for folder in (ROOT / "pipelines").iterdir()))
def test_what_a_pipelines_readme_runs_on_a_laptop_is_what_make_or_another_page_runs(pipeline: str) -> None:
    readme = (ROOT / "pipelines" / pipeline / "README.md").read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```sh\n(.*?)```", readme, re.DOTALL) for line in block.splitlines()]
    shown = [line for line in commands if f" run pipelines/{pipeline}" in line]
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, value in (("BIN)/", ""), ("FHIR_EXAMPLE)", "pipelines/fhir_api"), ("DAYS)", "1")):
        made = made.replace(f"$({name}", value)
    run = " ".join(" ".join([made, (ROOT / "README.md").read_text(encoding="utf-8"), *PAGES.values()]).split())
    assert shown
    assert [line for line in shown if line not in run.replace("\\ ", "")] == []


@pytest.mark.parametrize("pipeline", sorted(folder.name for folder in (ROOT / "pipelines").iterdir()))
def test_every_file_that_a_pipelines_readme_links_to_is_there(pipeline: str) -> None:
    folder = ROOT / "pipelines" / pipeline
    links = re.findall(r"\]\(([^)#]+)", (folder / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (folder / link).exists()] == []
