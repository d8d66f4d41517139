"""Which files of a pipeline folder go to the workspace, and that no secret goes with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_lib.deploy.pipeline_files import files_left_out, files_to_deploy
from connector_lib.errors import ConfigurationError
from connector_lib.project.pipeline import load_pipeline_folder

SPEC = "name: clinic\nstorage: file:///tmp/x\nlibraries: [{glob: {include: transformations/**}}]\n"


def write(root: Path, *paths: str, text: str = "") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "clinic"
    write(root, "spark-pipeline.yml", text=SPEC)
    write(root, "transformations/deep/tables.py")
    return root


def deployed(root: Path) -> list[str]:
    return list(files_to_deploy(load_pipeline_folder(root)))


def test_transformations_specs_modules_and_small_data_go(root: Path) -> None:
    write(root, "ingest.yml", "clinic_connector/source.py", "views/a.sql", "codes.csv", "schema.json")
    assert deployed(root) == [
        "clinic_connector/source.py",
        "codes.csv",
        "ingest.yml",
        "schema.json",
        "spark-pipeline.yml",
        "transformations/deep/tables.py",
        "views/a.sql",
    ]


def test_what_is_for_this_machine_only_stays(root: Path) -> None:
    write(root, "deploy.yml", "connections.yml", ".env", ".git/config.yml", "tests/test_a.py", "README.md")
    write(root, "__pycache__/a.py", "venv/lib/a.py", "key.pem", "my_tables/warehouse.json", "my_tables/part.csv")
    assert deployed(root) == ["spark-pipeline.yml", "transformations/deep/tables.py"]


def test_a_file_of_connections_stays_under_any_name(root: Path) -> None:
    write(root, "access.yml", "access.json", text='{"connections": {"ehr": {"source": "fhir", "options": {}}}}')
    assert deployed(root) == ["spark-pipeline.yml", "transformations/deep/tables.py"]


def test_a_file_with_a_secret_of_the_environment_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "canary-canary")
    write(root, "transformations/login.py", text="password = 'canary-canary'\n")
    with pytest.raises(ConfigurationError) as error:
        deployed(root)
    assert "login.py: holds the secret of the environment variable KAFKA_PASSWORD" in error.value.message
    assert "canary" not in str(error.value)


def test_a_file_with_a_secret_of_a_connection_is_refused(root: Path) -> None:
    write(root, "connections.yml", text="connections: {ehr: {source: fhir, options: {client_secret: canary-canary}}}")
    write(root, "notes.txt", text="canary-canary")
    with pytest.raises(ConfigurationError, match=r"notes\.txt: holds the secret of the connection 'ehr'") as error:
        deployed(root)
    assert "canary" not in str(error.value)


def test_a_file_that_is_too_large_in_base_64_is_named(root: Path) -> None:
    write(root, "codes.csv", text="x" * 7_864_320)
    assert "codes.csv" in deployed(root)
    write(root, "codes.csv", text="x" * 7_864_321)
    with pytest.raises(ConfigurationError, match=r"codes\.csv: has 7,864,321 bytes, .* may have 7,864,320"):
        deployed(root)


# Links


def linked(root: Path, name: str, to: Path) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).symlink_to(to)


@pytest.mark.parametrize("name", ["link.txt", "transformations/evil.py"])
def test_a_link_to_a_file_outside_of_the_folder_is_refused_by_its_name(root: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "private").write_text("canary")
    linked(root, name, tmp_path / "private")
    with pytest.raises(
        ConfigurationError, match=f"{root / name}: is outside of the pipeline folder, or a link"
    ) as error:
        deployed(root)
    assert "canary" not in str(error.value)


def test_a_link_to_a_folder_outside_is_refused_by_its_name(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "private/key.txt")
    linked(root, "linkdir", tmp_path / "private")
    with pytest.raises(ConfigurationError, match=f"{root / 'linkdir'}: is outside of the pipeline folder, or a link"):
        deployed(root)


def test_a_library_that_is_a_folder_linked_from_outside_is_refused(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "private/more.py")
    linked(root, "linkdir", tmp_path / "private")
    write(root, "spark-pipeline.yml", text=SPEC.replace("transformations", "linkdir"))
    with pytest.raises(ConfigurationError, match=r"linkdir.*is outside of the pipeline folder"):
        deployed(root)


def test_a_spec_that_is_a_link_to_another_place_is_refused_and_does_not_move_the_folder(
    root: Path, tmp_path: Path
) -> None:
    (root / "spark-pipeline.yml").rename(tmp_path / "spark-pipeline.yml")
    linked(root, "spark-pipeline.yml", tmp_path / "spark-pipeline.yml")
    assert load_pipeline_folder(root).root == root
    with pytest.raises(ConfigurationError, match=r"clinic/spark-pipeline\.yml: is outside of the pipeline folder"):
        deployed(root)


def test_a_link_in_a_circle_brings_no_file_twice(root: Path) -> None:
    linked(root, "loop", root)
    assert deployed(root) == ["spark-pipeline.yml", "transformations/deep/tables.py"]
    assert left_out(root) == ["loop/"]


def test_a_link_to_a_file_within_the_folder_goes_as_the_file(root: Path) -> None:
    write(root, "codes.csv", text="a")
    linked(root, "views/codes.csv", root / "codes.csv")
    assert files_to_deploy(load_pipeline_folder(root))["views/codes.csv"] == b"a"


def test_what_is_linked_for_this_machine_only_is_in_nobodys_way(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/warehouse.json", "elsewhere/a.py")
    for name in (".data", "venv", "my_tables"):
        linked(root, name, tmp_path / "elsewhere")
    assert deployed(root) == ["spark-pipeline.yml", "transformations/deep/tables.py"]


def test_a_transformation_file_beside_the_folder_runs_here_and_is_refused_there(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "shared/common.py")
    write(root, "spark-pipeline.yml", text=SPEC.replace("transformations", "../shared"))
    assert [path.resolve() for path in load_pipeline_folder(root).files] == [tmp_path / "shared/common.py"]
    with pytest.raises(ConfigurationError, match=r"shared/common\.py: is outside of the pipeline folder"):
        deployed(root)


# What is left out


def left_out(root: Path) -> list[str]:
    return [it.path for it in files_left_out(load_pipeline_folder(root))]


def test_what_is_left_out_is_named_with_the_reason(root: Path) -> None:
    write(root, "build/__init__.py", "build/m.py", "pyproject.toml", "a.hl7", "deep/b.xml", "part.parquet")
    write(root, "connections.yml", "access.yml", text="connections: {ehr: {source: fhir}}")
    assert {it.path: it.why.partition(":")[0] for it in files_left_out(load_pipeline_folder(root))} == {
        "a.hl7": "only .py, .sql, .yml, .yaml, .json, .csv, .txt are uploaded",
        "access.yml": "is a file of connections, which are in Unity Catalog",
        "build/": "folders called 'build' are for this machine",
        "deep/b.xml": "only .py, .sql, .yml, .yaml, .json, .csv, .txt are uploaded",
        "part.parquet": "only .py, .sql, .yml, .yaml, .json, .csv, .txt are uploaded",
        "pyproject.toml": "only .py, .sql, .yml, .yaml, .json, .csv, .txt are uploaded",
    }


def test_what_nobody_would_look_for_is_not_named(root: Path) -> None:
    write(root, "deploy.yml", "connections.yml", "README.md", "notes.md", "__pycache__/a.pyc", ".env", ".git/config")
    assert left_out(root) == []


def test_a_folder_that_the_pipeline_names_is_not_left_out(root: Path) -> None:
    write(root, "build/tables.py", "build/notes.txt")
    write(root, "spark-pipeline.yml", text=SPEC.replace("transformations/**", "build/tables.py"))
    assert "build/tables.py" in deployed(root)


@pytest.mark.parametrize("text", ['{"connections": [1], "a": 2}', '{"connections": {"north": 3}}', "[1]", "{"])
def test_data_that_only_has_a_key_of_this_name_is_no_file_of_connections(root: Path, text: str) -> None:
    write(root, "mapping.json", text=text)
    assert "mapping.json" in deployed(root)


# Exceptions


def test_a_file_that_looks_like_a_secret_goes_when_it_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EHR_TOKEN", "some-words")
    write(root, "a/columns.yml", text="password: some-words\n")
    write(root, "b.txt", text="some-words")
    folder = load_pipeline_folder(root)
    with pytest.raises(ConfigurationError, match=r"columns\.yml: holds") as error:
        files_to_deploy(folder)
    assert "write 'upload_anyway: [\"a/columns.yml\"]' into deploy.yml" in error.value.hint
    with pytest.raises(ConfigurationError, match=r"b\.txt: holds"):
        files_to_deploy(folder, ["a/columns.yml"])
    assert "b.txt" in files_to_deploy(folder, ["a/columns.yml", "b.txt"])


@pytest.mark.parametrize("name", ["codes.cvs", "./codes.csv", "*.csv", "../codes.csv", "connections.yml"])
def test_an_exception_for_what_is_not_uploaded_is_refused(root: Path, name: str) -> None:
    write(root, "codes.csv", "connections.yml")
    with pytest.raises(ConfigurationError) as error:
        files_to_deploy(load_pipeline_folder(root), [name])
    assert f"'upload_anyway' names '{name}', which is no file that is uploaded" in error.value.message


def test_a_link_out_of_the_folder_is_refused_also_when_it_is_named(root: Path, tmp_path: Path) -> None:
    (tmp_path / "private").write_text("canary")
    linked(root, "link.txt", tmp_path / "private")
    with pytest.raises(ConfigurationError, match=r"link\.txt: is outside"):
        files_to_deploy(load_pipeline_folder(root), ["link.txt"])
