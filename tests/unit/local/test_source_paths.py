"""A source folder that is not there is said before Spark is started for it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pyspark")

from connector_lib.errors import UsageError
from connector_lib.local.source_paths import check_source_paths
from connector_lib.project.pipeline import PipelineFolder, load_pipeline_folder

SPEC = """\
name: example
storage: file:///tmp/example
configuration:
  source.storage_path: ""
  source.file_pattern: "*.hl7"
  s3.kinesis.path: ""
  target.storage_path: /nowhere/out
libraries:
  - glob: {include: transformations/**}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pipeline"
    (folder / "transformations").mkdir(parents=True)
    (folder / "transformations" / "source.py").write_text('folder = required_setting("source.storage_path")\n')
    (folder / "spark-pipeline.yml").write_text(SPEC)
    return folder


def pipeline(folder: Path, path: str) -> PipelineFolder:
    return load_pipeline_folder(folder, {"source.storage_path": path})


def test_a_folder_that_does_not_exist_is_named_with_its_setting(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        check_source_paths(pipeline(folder, str(tmp_path / "inbox")))
    assert caught.value.message == f"the folder of 'source.storage_path' does not exist: {tmp_path / 'inbox'}"
    assert "--set source.storage_path=" in caught.value.hint


@pytest.mark.parametrize("path", ["", "  "])
def test_a_folder_that_the_files_ask_for_must_be_given(folder: Path, path: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_source_paths(pipeline(folder, path))
    assert caught.value.message == "the setting 'source.storage_path' is missing"
    assert "--set source.storage_path=<value>" in caught.value.hint


def test_a_folder_that_the_files_can_do_without_may_be_blank(folder: Path) -> None:
    (folder / "transformations" / "source.py").write_text('folder = setting("source.storage_path")\n')
    check_source_paths(pipeline(folder, ""))


def test_a_relative_path_starts_at_the_pipelines_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    check_source_paths(pipeline(folder, "../inbox"))
    with pytest.raises(UsageError, match=f"does not exist: {folder / 'inbox'}"):
        check_source_paths(pipeline(folder, "inbox"))


def test_a_file_uri_is_a_path(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "hl7 in").mkdir()
    check_source_paths(pipeline(folder, (tmp_path / "hl7 in").as_uri()))
    with pytest.raises(UsageError, match=f"does not exist: {tmp_path / 'hl7 out'}"):
        check_source_paths(pipeline(folder, (tmp_path / "hl7 out").as_uri()))


def test_a_folder_of_firehose_files_that_does_not_exist_is_named_too(folder: Path, tmp_path: Path) -> None:
    (folder / "transformations" / "source.py").write_text('required_setting("s3.kinesis.path")\n')
    with pytest.raises(UsageError, match=r"the folder of 's3\.kinesis\.path' does not exist"):
        check_source_paths(load_pipeline_folder(folder, {"s3.kinesis.path": str(tmp_path / "firehose")}))


@pytest.mark.parametrize("path", ["s3a://bucket/in", "abfss://a@b.dfs.core.windows.net/in", "/nowhere/2026-*"])
def test_other_uris_and_patterns_are_left_to_spark(folder: Path, path: str) -> None:
    check_source_paths(pipeline(folder, path))


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ('def received():\n    return read(required_setting("kafka.servers"))\n', True),
        ('runtime.required_setting("kafka.servers")\n', True),
        ('if login:\n    required_setting("kafka.servers")\n', False),
        ('servers = setting("a") or required_setting("kafka.servers")\n', False),
        ("required_setting(name)\n", False),
    ],
)
def test_a_setting_that_the_files_ask_for_under_no_condition_must_have_a_value(
    folder: Path, text: str, asked: bool
) -> None:
    (folder / "transformations" / "source.py").write_text(text)
    if not asked:
        check_source_paths(load_pipeline_folder(folder))
        return
    with pytest.raises(UsageError, match=r"the setting 'kafka\.servers' is missing"):
        check_source_paths(load_pipeline_folder(folder))
