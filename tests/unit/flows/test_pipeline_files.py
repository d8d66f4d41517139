"""Files beside a pipeline are found from the file that asks."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pytest

from connector_lib.errors import ConfigurationError
from connector_lib.flows.pipeline_files import calling_file, find_beside, required_beside


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline folder with one transformation file; the working folder is elsewhere."""
    root = tmp_path / "pipeline"
    (root / "transformations").mkdir(parents=True)
    (root / "spark-pipeline.yml").touch()
    (root / "transformations" / "ingest.py").touch()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return root


@pytest.mark.parametrize("folder", [".", "transformations"])
def test_beside_the_pipeline_or_the_file(pipeline: Path, folder: str) -> None:
    (pipeline / folder / "ingest.yml").touch()
    found = find_beside("ingest.yml", pipeline / "transformations" / "ingest.py")
    assert found == (pipeline / folder / "ingest.yml").resolve()


def test_the_one_nearest_to_the_file_is_taken(pipeline: Path) -> None:
    (pipeline / "ingest.yml").touch()
    (pipeline / "transformations" / "ingest.yml").touch()
    found = find_beside("ingest.yml", pipeline / "transformations" / "ingest.py")
    assert found == pipeline / "transformations" / "ingest.yml"


def test_nothing_above_the_pipeline_is_looked_at(pipeline: Path) -> None:
    (pipeline.parent / "ingest.yml").touch()
    assert find_beside("ingest.yml", pipeline / "transformations" / "ingest.py") is None


def test_in_the_working_folder(pipeline: Path) -> None:
    Path("ingest.yml").touch()
    assert find_beside("ingest.yml", None) == Path("ingest.yml").absolute()


def test_in_the_folders_that_python_imports_from(pipeline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pipeline / "ingest.yml").touch()
    monkeypatch.setattr(sys, "path", ["", str(pipeline)])
    assert find_beside("ingest.yml", None) == pipeline / "ingest.yml"


def test_an_absolute_path_is_that_file_and_no_other(pipeline: Path) -> None:
    (pipeline / "ingest.yml").touch()
    assert find_beside(pipeline / "ingest.yml", None) == pipeline / "ingest.yml"
    assert find_beside("/nowhere/ingest.yml", pipeline / "transformations" / "ingest.py") is None


def test_a_missing_file_is_an_error_that_says_where_it_was_looked_for(pipeline: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        required_beside("ingest.yml", pipeline / "transformations" / "ingest.py")
    assert "the file 'ingest.yml' is not there" in str(caught.value)
    assert f"'{pipeline / 'transformations'}', '{pipeline}'" in str(caught.value)


def test_code_without_a_file_has_no_folder() -> None:
    frame = inspect.currentframe()
    assert calling_file(frame) == Path(__file__)
    there: dict[str, object] = {"inspect": inspect}
    exec("frame = inspect.currentframe()", there)  # as a notebook's cell
    assert calling_file(there["frame"]) is None  # type: ignore[arg-type]
    assert calling_file(None) is None
