"""What never leaves this machine, and what a deployment finds in its way: refused before anything is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.workspace.conftest import Command, Ended
from tests.servers.workspace.deployable import DEPLOY, FOLDER, ready, write_pipeline, writes
from tests.servers.workspace.loopback.server import LoopbackWorkspace

VOLUME = "/Volumes/shared/libraries/python_packages"


@pytest.fixture
def clinic(workspace: LoopbackWorkspace, tmp_path: Path) -> LoopbackWorkspace:
    return ready(workspace, tmp_path / "wheels")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pipeline(tmp_path / "clinic")


def refused(workspace: LoopbackWorkspace, command: Command, folder: Path) -> Ended:
    """How ``deploy`` ended, which wrote nothing and showed no secret."""
    first = len(workspace.desk.requests)
    ended = command("deploy", folder)
    assert ended.code != 0
    assert writes(workspace, first) == []
    assert "canary" not in ended.out + ended.err
    return ended


def test_what_a_link_leads_to_outside_of_the_folder_is_not_uploaded(
    clinic: LoopbackWorkspace, command: Command, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "private.txt").write_text("canary")
    (folder / "link.txt").symlink_to(tmp_path / "private.txt")
    assert f"{folder}/link.txt: is outside of the pipeline folder" in refused(clinic, command, folder).err


def test_a_file_with_a_key_is_not_uploaded_unless_it_is_named(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    (folder / "secrets.yml").write_text("client_secret: canary-x\n")
    said = refused(clinic, command, folder).err
    assert "secrets.yml: holds a literal value under 'client_secret'" in said
    assert """write 'upload_anyway: ["secrets.yml"]' into deploy.yml""" in said
    (folder / "deploy.yml").write_text(f'{DEPLOY}upload_anyway: ["secrets.yml"]\n')
    assert command("deploy", folder).code == 0
    assert "secrets.yml" in clinic.workspace_files.contents(FOLDER)


def test_a_short_secret_in_a_setting_is_not_sent(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    (folder / "deploy.yml").write_text(f"{DEPLOY}configuration: {{spark.kafka.password: canary!}}\n")
    assert "the setting 'spark.kafka.password' holds a secret" in refused(clinic, command, folder).err


def test_a_secret_of_the_environment_in_a_setting_goes_neither_to_the_workspace_nor_into_a_bundle(
    clinic: LoopbackWorkspace, command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EHR_TOKEN", "canary-canary")
    (folder / "deploy.yml").write_text(f"{DEPLOY}configuration: {{spark.x: canary-canary}}\n")
    words = "the setting 'configuration.spark.x' holds the secret of the environment variable EHR_TOKEN"
    assert words in refused(clinic, command, folder).err
    ended = command("bundle", folder, "--out", tmp_path / "bundle")
    assert (ended.code, words in ended.err) == (1, True)
    assert not (tmp_path / "bundle").exists()


def test_a_library_outside_of_the_folder_is_refused(
    clinic: LoopbackWorkspace, command: Command, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "more.py").write_text("")
    spec = folder / "spark-pipeline.yml"
    both = "transformations/**}}, {glob: {include: ../shared/**}}"
    spec.write_text(spec.read_text().replace("transformations/**}}", both))
    assert "shared/more.py: is outside of the pipeline folder" in refused(clinic, command, folder).err


def test_a_library_may_be_written_with_a_dot_before_it(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    spec = folder / "spark-pipeline.yml"
    spec.write_text(spec.read_text().replace("transformations/**", "./transformations/**"))
    assert command("deploy", folder).code == 0
    libraries = clinic.pipelines.named("clinic").spec["libraries"]
    assert libraries == [{"glob": {"include": f"{FOLDER}/transformations/**"}}]


def test_a_file_at_the_limit_arrives(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    (folder / "codes.csv").write_bytes(b"x" * 7_864_320)
    assert command("deploy", folder).code == 0
    assert len(clinic.workspace_files.contents(FOLDER)["codes.csv"]) == 7_864_320
    (folder / "codes.csv").write_bytes(b"x" * 7_864_321)
    assert "codes.csv: has 7,864,321 bytes" in refused(clinic, command, folder).err


def test_the_wheel_of_another_project_is_not_pinned(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    path = f"{VOLUME}/pandas-1.0-py3-none-any.whl"
    clinic.files.write(path, b"x")
    (folder / "deploy.yml").write_text(f"{DEPLOY}wheel: {path}\n")
    assert f"{path} is not named as a wheel of connector-lib" in refused(clinic, command, folder).err


def test_a_file_where_a_folder_has_to_be_is_named(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    clinic.workspace_files.put(f"{FOLDER}/transformations", b"x")
    said = refused(clinic, command, folder).err
    assert "has other files of the same names, which were not deployed from here: transformations" in said
    assert "delete them in the workspace" in said


def test_a_folder_where_a_file_has_to_be_is_named(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    clinic.workspace_files.put_folder(f"{FOLDER}/spark-pipeline.yml")
    assert "not deployed from here: spark-pipeline.yml" in refused(clinic, command, folder).err


def test_a_file_in_the_place_of_the_pipelines_folder_comes_with_what_to_do(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    clinic.workspace_files.put(FOLDER.rpartition("/")[0], b"x")
    ended = command("deploy", folder)
    assert ended.code == 1
    assert "a file has the name of this folder, or of one above it" in ended.err
    assert clinic.pipelines.all == {}
