"""Empty source files are found as Spark would have read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_lib.flows.runtime import SourceFolder
from connector_lib.local.source_files import empty_file_notes, empty_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deeper").mkdir()
    for name in ("a.hl7", "deeper/b.txt", "c.csv", "_hidden.hl7", ".hidden.hl7"):
        (tmp_path / name).touch()
    (tmp_path / "full.hl7").write_text("MSH")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [(None, ["a.hl7", "b.txt", "c.csv"]), ("*.hl7", ["a.hl7"]), ("*.{hl7,txt}", ["a.hl7", "b.txt"])],
)
def test_those_that_the_pattern_names_are_found(folder: Path, pattern: str | None, names: list[str]) -> None:
    assert sorted(path.name for path in empty_files(SourceFolder(str(folder), pattern))) == names


@pytest.mark.parametrize("location", ["s3://bucket/in", "/Volumes/not/here"])
def test_a_folder_elsewhere_has_none(location: str) -> None:
    assert list(empty_files(SourceFolder(location, None))) == []


def test_a_file_uri_is_a_folder_of_this_machine(folder: Path) -> None:
    assert len(empty_file_notes([SourceFolder(folder.as_uri(), "*.csv")])) == 1
