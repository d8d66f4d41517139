"""The pages in docs/ name files, tables, columns and settings that are there."""

from __future__ import annotations

import re
from pathlib import Path

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


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_links_to_is_there(page: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", PAGES[page]) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_every_setting_of_a_page_is_one_of_its_pipeline(page: str) -> None:
    written = [key for block in blocks(page, "yaml") for key in yaml.safe_load(block)]
    in_commands = [key for block in blocks(page, "sh") for key in re.findall(r"--set ([\w.]+)=", block)]
    assert written
    assert in_commands
    assert {*written, *in_commands} <= configuration(PIPELINE_OF_PAGE[page]).keys()


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_every_setting_of_a_pipeline_is_explained(page: str) -> None:
    table = PAGES[page].partition("## Settings")[2] + PAGES["kafka"].partition("## Settings")[2]
    assert [key for key in configuration(PIPELINE_OF_PAGE[page]) if f"`{key}`" not in table] == []


@pytest.mark.parametrize("page", PIPELINE_OF_PAGE)
def test_no_page_writes_a_secret_into_a_command_or_a_setting(page: str) -> None:
    text = "\n".join([*blocks(page, "yaml"), *blocks(page, "sh"), *blocks(page, "text")])
    assert not re.search(r"SharedAccessKey|(?i:password|secret)\w*\s*[=:]\s*\S+[0-9+/=]{6}", text)
