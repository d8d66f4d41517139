"""What a pipeline folder may hold, and the words for what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_lib.errors import ConfigurationError, UsageError
from connector_lib.project.pipeline import load_pipeline_folder

GOOD = """\
name: example
storage: file:///tmp/example
configuration:
  source.storage_path: /data
libraries:
  - glob: {include: transformations/**}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "pipelines" / "example"
    (folder / "transformations" / "deeper").mkdir(parents=True)
    (folder / "transformations" / "b.sql").write_text("")
    (folder / "transformations" / "deeper" / "a.py").write_text("")
    (folder / "spark-pipeline.yml").write_text(GOOD)
    return folder


def write(folder: Path, text: str) -> None:
    (folder / "spark-pipeline.yml").write_text(text)


def test_the_files_of_all_depths_are_found(folder: Path) -> None:
    names = [path.name for path in load_pipeline_folder(folder).files]
    assert sorted(names) == ["a.py", "b.sql"]


def test_a_setting_of_the_command_line_replaces_one_of_the_file(folder: Path) -> None:
    pipeline = load_pipeline_folder(folder, {"source.storage_path": "/other", "spark.new": "1"})
    assert pipeline.configuration == {"source.storage_path": "/other", "spark.new": "1"}


def test_a_setting_that_only_a_file_asks_for_may_be_given(folder: Path) -> None:
    (folder / "transformations" / "deeper" / "a.py").write_text('limit = setting("source.max_file_bytes")\n')
    pipeline = load_pipeline_folder(folder, {"source.max_file_bytes": "9"})
    assert pipeline.configuration["source.max_file_bytes"] == "9"


def test_a_setting_that_nothing_asks_for_is_wrong_usage_and_names_the_nearest(folder: Path) -> None:
    with pytest.raises(UsageError) as error:
        load_pipeline_folder(folder, {"source.storage_pth": "/other"})
    assert error.value.message == "the pipeline 'example' has no setting 'source.storage_pth'"
    assert error.value.hint.startswith("did you mean 'source.storage_path'?")


@pytest.mark.parametrize(("text", "line"), [("x = 1\ndef a(:\n", ":2"), ("x = 1\n\0", "")])
def test_a_file_that_is_no_python_is_named_before_anything_starts(folder: Path, text: str, line: str) -> None:
    file = folder / "transformations" / "deeper" / "a.py"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=rf"{file}{line}.*: not valid Python: "):
        load_pipeline_folder(folder)


@pytest.mark.parametrize("key", ["database", "schema"])
def test_database_and_schema_mean_the_same(folder: Path, key: str) -> None:
    write(folder, GOOD + f"{key}: lab\n")
    assert load_pipeline_folder(folder).database == "lab"


def test_a_folder_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        load_pipeline_folder(tmp_path / "nowhere")


def test_a_folder_above_pipelines_names_them(folder: Path) -> None:
    with pytest.raises(UsageError, match=f"pipeline folders below it: {folder}"):
        load_pipeline_folder(folder.parent)


def test_a_folder_two_levels_above_names_them_too(folder: Path) -> None:
    with pytest.raises(UsageError, match=f"pipeline folders below it: {folder}"):
        load_pipeline_folder(folder.parent.parent)


def test_an_unknown_key_names_file_key_and_the_nearest_one(folder: Path) -> None:
    write(folder, GOOD + "librarys: []\n")
    with pytest.raises(ConfigurationError) as error:
        load_pipeline_folder(folder)
    assert error.value.message == f"{folder / 'spark-pipeline.yml'}: unknown key 'librarys'"
    assert "did you mean 'libraries'?" in error.value.hint
    assert "files of their own beside this one" in error.value.hint


def test_a_number_in_the_configuration_asks_for_quotes(folder: Path) -> None:
    write(folder, GOOD.replace("/data", "/data\n  source.limit: 5"))
    with pytest.raises(ConfigurationError) as error:
        load_pipeline_folder(folder)
    assert "'source.limit' under 'configuration' must be a string, not int" in error.value.message
    assert error.value.hint == 'put it in quotes: source.limit: "5"'


@pytest.mark.parametrize("key", ["name", "storage"])
def test_a_missing_key_is_named(folder: Path, key: str) -> None:
    write(folder, "\n".join(line for line in GOOD.splitlines() if not line.startswith(key)))
    with pytest.raises(ConfigurationError, match=f"the key '{key}' is missing"):
        load_pipeline_folder(folder)


def test_yaml_that_cannot_be_read_gives_line_and_column(folder: Path) -> None:
    write(folder, "name: [")
    with pytest.raises(ConfigurationError, match="line 1, column 8: not valid YAML"):
        load_pipeline_folder(folder)


@pytest.mark.parametrize("pattern", ["transformations/*.py", "*/**"])
def test_a_pattern_that_spark_refuses_is_refused(folder: Path, pattern: str) -> None:
    write(folder, GOOD.replace("transformations/**", f'"{pattern}"'))
    with pytest.raises(ConfigurationError, match="must be a file, or a folder followed by"):
        load_pipeline_folder(folder)


@pytest.mark.parametrize("pattern", ["/etc/**", "/etc/hostname", " "])
def test_a_pattern_that_is_no_path_below_the_folder_is_refused(folder: Path, pattern: str) -> None:
    write(folder, GOOD.replace("transformations/**", f'"{pattern}"'))
    with pytest.raises(ConfigurationError) as error:
        load_pipeline_folder(folder)
    assert error.value.message == (
        f"{folder / 'spark-pipeline.yml'}: 'libraries.0.glob.include': '{pattern}' must be a path below the folder of"
        " this file"
    )


@pytest.mark.parametrize("pattern", ["./transformations/**", "transformations//**", "transformations/./**"])
def test_a_pattern_is_the_same_however_it_is_written(folder: Path, pattern: str) -> None:
    write(folder, GOOD.replace("transformations/**", pattern))
    loaded = load_pipeline_folder(folder)
    assert loaded.libraries == ("transformations/**",)
    assert len(loaded.files) == 2


def test_a_pattern_without_files_is_named(folder: Path) -> None:
    write(folder, GOOD.replace("transformations/**", "elsewhere/**"))
    with pytest.raises(ConfigurationError, match=r"no file matches 'elsewhere/\*\*'"):
        load_pipeline_folder(folder)


def test_a_file_that_is_no_transformation_is_named(folder: Path) -> None:
    (folder / "transformations" / "notes.txt").write_text("")
    with pytest.raises(ConfigurationError, match=r"notes\.txt: a transformation file must end in"):
        load_pipeline_folder(folder)
