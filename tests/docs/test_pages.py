"""The pages in docs/ name files, tables, columns and settings that are there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
PIPELINE_OF_PAGE = {"kafka": "hl7v2_kafka", "event_hubs": "hl7v2_event_hubs", "kinesis": "hl7v2_kinesis"}


def configuration(pipeline: str) -> dict[str, str]:
    content = yaml.safe_load((ROOT / "pipelines" / pipeline / "spark-pipeline.yml").read_text(encoding="utf-8"))
    found: dict[str, str] = content["configuration"]
    return found


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.DOTALL | re.MULTILINE)


def pipeline_settings(page: str) -> list[dict[str, Any]]:
    """The settings of pipelines on Databricks that ``page`` shows."""
    return [yaml.safe_load(block) for block in blocks(page, "yaml")]


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_links_to_is_there(page: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", PAGES[page]) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_every_setting_of_a_page_is_one_of_its_pipeline(page: str) -> None:
    written = [key for block in pipeline_settings(page) for key in block["configuration"]]
    commands = blocks(page, "sh") + blocks(page, "text")
    in_commands = [key for block in commands for key in re.findall(r"--set ([\w.]+)=", block)]
    assert written
    assert in_commands
    assert {*written, *in_commands} <= configuration(PIPELINE_OF_PAGE[page]).keys()


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_settings_for_databricks_name_the_folder_and_the_schema_of_the_pipeline(page: str) -> None:
    pipeline = PIPELINE_OF_PAGE[page]
    for block in pipeline_settings(page):
        assert block["name"] == block["schema"] == pipeline
        assert [entry["glob"]["include"].split("/")[-3:] for entry in block["libraries"]] == [
            [pipeline, "transformations", "**"]
        ]


@pytest.mark.parametrize("page", ["kafka", "event_hubs"])
def test_settings_for_databricks_limit_a_batch_as_the_pipeline_folder_does(page: str) -> None:
    limits = [block["configuration"].get("maxOffsetsPerTrigger") for block in pipeline_settings(page)]
    assert limits
    assert set(limits) == {configuration(PIPELINE_OF_PAGE[page])["maxOffsetsPerTrigger"]}


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_a_trigger_interval_is_shown_with_a_continuous_pipeline(page: str) -> None:
    shown = [block for block in pipeline_settings(page) if "trigger.interval" in block["configuration"]]
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
