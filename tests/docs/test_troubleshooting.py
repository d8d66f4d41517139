"""docs/troubleshooting.md says of failures what the commands say of them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from connector_lib.deploy.known_failures import KNOWN_FAILURES, explain

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ABOUT = {"pipeline": "PIPELINE", "folder": "PIPELINE_DIR", "option": ""}


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below ``heading``, without its head."""
    text = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def as_written(words: str) -> str:
    """Commands stand in backticks on the page."""
    return re.sub(r"'((?:connector-lib|databricks) [^']*)'", r"`\1`", words)


def as_row(symptom: str) -> list[str]:
    """The row of the page for a failure that says ``symptom``."""
    found = explain([symptom.strip("`")], ABOUT)
    assert found is not None, symptom
    again = " (passes by itself)" if found.passes else ""
    return [symptom, f"{as_written(found.cause)}{again}", as_written(found.remedy)]


FAILURES = rows("An update fails")
COMMANDS = rows("A command ends with an error")


@pytest.mark.parametrize("row", FAILURES, ids=lambda row: row[0])
def test_a_row_on_updates_is_what_is_said_of_that_failure(row: list[str]) -> None:
    assert row == as_row(row[0]), f"write: | {' | '.join(as_row(row[0]))} |"


def test_every_failure_that_is_known_has_a_row_in_the_order_in_which_they_are_looked_for() -> None:
    shown = [found.name for found in (explain([row[0].strip("`")], ABOUT) for row in FAILURES) if found is not None]
    assert list(dict.fromkeys(shown)) == list(dict.fromkeys(known.name for known in KNOWN_FAILURES))


def texts(file: Path) -> list[str]:
    """The texts in a file of Python, with … for what is filled in."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        if isinstance(node, ast.JoinedStr):
            found.append("".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values))
    return found


SAID = [
    text for room in ("deploy", "cli") for file in (ROOT / "connector_lib" / room).rglob("*.py") for text in texts(file)
]


@pytest.mark.parametrize("symptom", [row[0].strip("`") for row in COMMANDS])
def test_an_error_of_a_command_is_one_that_there_is(symptom: str) -> None:
    assert [text for text in SAID if symptom in text]
