"""The page on the data source says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from connector_lib.datasource.connect import SourceOptions

PAGE = (Path(__file__).parents[3] / "docs" / "data_source.md").read_text(encoding="utf-8")


def written(value: object) -> str:
    return "" if value in (None, [], {}) else f"`{str(value).lower()}`"


def test_the_page_has_every_option_with_its_default_and_what_it_does() -> None:
    shown = re.findall(r"^\| `(\w+)` \|\s*(\S*?)\s*\| (.+) \|$", PAGE.partition("## Options")[2], re.MULTILINE)
    assert {(name, default, text.replace("`", "")) for name, default, text in shown} == {
        (field.name, written(field.default), field.description.replace("`", "")) for field in SourceOptions.fields()
    }
