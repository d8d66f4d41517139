"""What is refused before Spark is asked, and where a path starts. How files are read: tests/spark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connector_lib.errors import ConfigurationError
from connector_lib.flows.files import read_files
from connector_lib.flows.runtime import SourceFolder, recording_sources

pytestmark = pytest.mark.usefixtures("without_server")


def path_given_to_spark(path: str) -> str:
    frame: Any = read_files(path)
    plan = frame._plan.plan(None)
    return str(plan.set_op.left_input.project.input.filter.input.read.data_source.paths[0])


def test_a_folder_that_does_not_exist_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_files(str(tmp_path / "inbox"), option="labs.folder")
    assert f"the folder of 'labs.folder' does not exist: {tmp_path / 'inbox'}" in str(caught.value)
    assert "--set labs.folder=" in caught.value.hint
    assert "spark-pipeline.yml" in caught.value.hint


def test_a_file_is_not_taken_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "one.hl7").write_text("MSH")
    with pytest.raises(ConfigurationError, match="must be a folder, and this is a file"):
        read_files(str(tmp_path / "one.hl7"))


@pytest.mark.parametrize("path", ["", "  "])
def test_an_empty_path_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError, match=r"'source\.storage_path' is empty"):
        read_files(path)


@pytest.mark.parametrize("name", ["in*", "in?", "in[1]", "{a,b}"])
def test_a_pattern_is_refused_since_spark_would_find_nothing_without_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(ConfigurationError, match="must be a folder, not a pattern"):
        read_files(str(tmp_path / name))


@pytest.mark.parametrize("limits", [{"max_file_bytes": 0}, {"max_bytes_per_batch": -1}])
def test_a_limit_below_one_byte_is_refused(limits: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="must be 1 byte or more"):
        read_files(str(tmp_path), **limits)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown format 'csv' for files"):
        read_files(str(tmp_path), format="csv")


def test_unknown_notifications_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown notifications 'sqs' for files"):
        read_files(str(tmp_path), notifications="sqs")


def test_the_folder_is_listed_here_whatever_notifications_databricks_would_use(tmp_path: Path) -> None:
    plan: Any = read_files(str(tmp_path), notifications="managed")
    options = plan._plan.plan(None).set_op.left_input.project.input.filter.input.read.data_source.options
    assert not [name for name in options if name.startswith("cloudFiles")]


def test_a_relative_path_starts_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "in").mkdir(parents=True)
    (tmp_path / "pipeline").mkdir()
    monkeypatch.chdir(tmp_path / "pipeline")
    assert path_given_to_spark("../data/in") == str(tmp_path / "data" / "in")


def test_a_file_uri_is_a_local_path(tmp_path: Path) -> None:
    (tmp_path / "my inbox").mkdir()
    assert path_given_to_spark((tmp_path / "my inbox").as_uri()) == str(tmp_path / "my inbox")


def test_other_uris_are_left_to_spark() -> None:
    assert path_given_to_spark("s3a://bucket/inbox") == "s3a://bucket/inbox"


def test_the_folder_is_recorded_with_its_pattern(tmp_path: Path) -> None:
    with recording_sources() as folders:
        read_files(f"{tmp_path}/../{tmp_path.name}/", pattern="*.hl7")
    assert folders == [SourceFolder(str(tmp_path), "*.hl7")]
