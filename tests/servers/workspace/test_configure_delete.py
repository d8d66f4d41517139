"""``connector-lib configure`` changes settings alone; ``delete`` takes a pipeline and its own files away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.servers.workspace.conftest import Command
from tests.servers.workspace.deployable import DEPLOY, FOLDER, ready, write_pipeline, writes
from tests.servers.workspace.loopback.server import ADMIN, ANN, BOB, LoopbackWorkspace
from tests.servers.workspace.published_wheels import put_release, wheel_path


@pytest.fixture
def clinic(workspace: LoopbackWorkspace, tmp_path: Path) -> LoopbackWorkspace:
    return ready(workspace, tmp_path / "wheels")


@pytest.fixture
def folder(tmp_path: Path, clinic: LoopbackWorkspace, command: Command) -> Path:
    """A pipeline folder that is deployed."""
    folder = write_pipeline(tmp_path / "clinic")
    assert command("deploy", folder).code == 0
    return folder


def test_a_pipeline_by_its_name_gets_what_the_options_say_and_keeps_the_rest(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    before = dict(clinic.pipelines.named("clinic").spec)
    ended = command("configure", "clinic", "--continuous", "--set", "spark.sql.ansi.enabled=true")
    assert ended.code == 0, ended.err
    assert "  continuous: false -> true\n" in ended.out
    after = clinic.pipelines.named("clinic").spec
    assert after == {
        **before,
        "continuous": True,
        "configuration": {"source.format": "text", "spark.sql.ansi.enabled": "true"},
    }


def test_a_pipeline_by_its_folder_gets_what_deploy_yml_says_and_keeps_files_and_wheel(
    clinic: LoopbackWorkspace, command: Command, folder: Path, tmp_path: Path
) -> None:
    put_release(clinic, tmp_path / "wheels", "0.2.0")
    (folder / "deploy.yml").write_text(
        f"{DEPLOY}channel: PREVIEW\npermissions: [{{user_name: {BOB}, level: CAN_VIEW}}]\n"
    )
    write_pipeline(folder, deploy=(folder / "deploy.yml").read_text(), more="MORE = 1\n")
    assert command("configure", folder).code == 0
    pipeline = clinic.pipelines.named("clinic")
    assert (pipeline.spec["channel"], pipeline.grants) == ("PREVIEW", {BOB: "CAN_VIEW"})
    assert pipeline.spec["environment"] == {"dependencies": [wheel_path("0.1.0")]}
    assert "transformations/more.py" not in clinic.workspace_files.contents(FOLDER)
    first = len(clinic.desk.requests)
    assert "nothing to do: its settings are as they should be" in command("configure", folder).out
    assert writes(clinic, first) == []


@pytest.mark.parametrize("by_folder", [True, False])
def test_wheel_pins_another_one(
    clinic: LoopbackWorkspace, command: Command, folder: Path, tmp_path: Path, by_folder: bool
) -> None:
    put_release(clinic, tmp_path / "wheels", "0.2.0")
    ended = command("configure", folder if by_folder else "clinic", "--wheel", "@latest", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["settings"] == [
        {"key": "environment.dependencies", "before": [wheel_path("0.1.0")], "after": [wheel_path("0.2.0")]}
    ]
    assert clinic.pipelines.named("clinic").spec["environment"] == {"dependencies": [wheel_path("0.2.0")]}


def test_a_wheel_keeps_its_extras_and_its_neighbours(
    clinic: LoopbackWorkspace, command: Command, folder: Path, tmp_path: Path
) -> None:
    put_release(clinic, tmp_path / "wheels", "0.2.0")
    spec = clinic.pipelines.named("clinic").spec
    spec["environment"] = {"dependencies": ["numpy", f"{wheel_path('0.1.0')}[fhir]"], "environment_version": "4"}
    assert command("configure", "clinic", "--wheel", "0.2.0").code == 0
    assert clinic.pipelines.named("clinic").spec["environment"] == {
        "dependencies": ["numpy", f"{wheel_path('0.2.0')}[fhir]"],
        "environment_version": "4",
    }


def test_what_configure_set_stays_at_the_next_deployment(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("configure", "clinic", "--continuous", "--set", "spark.x=1")
    command("deploy", folder)
    spec = clinic.pipelines.named("clinic").spec
    assert (spec["continuous"], spec["configuration"]["spark.x"]) == (True, "1")


def test_configure_without_anything_to_change_is_wrong_usage(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    ended = command("configure", "clinic")
    assert ended.code == 2
    assert "nothing to change" in ended.err


def test_a_secret_is_no_value_of_a_setting(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    first = len(clinic.desk.requests)
    for pipeline in ("clinic", folder):
        ended = command("configure", pipeline, "--set", "spark.x.password=canary-canary")
        assert ended.code == 1
        assert "the setting 'spark.x.password' holds a secret" in ended.err
        assert "canary" not in ended.err
    assert writes(clinic, first) == []


def test_a_pipeline_by_its_name_is_not_renamed(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    ended = command("configure", "clinic", "--name", "other")
    assert ended.code == 2
    assert "--name says which pipeline of a folder is meant" in ended.err


def test_a_name_that_is_not_there_is_told_with_the_nearest(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    for asked in (("configure", "clinc", "--continuous"), ("delete", "clinc", "--yes")):
        ended = command(*asked)
        assert ended.code == 1
        assert f"there is no pipeline 'clinc' that {ADMIN} may see" in ended.err
        assert "did you mean 'clinic'? pipelines there: clinic" in ended.err


def test_a_folder_that_was_not_deployed_is_told_how(
    clinic: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    other = write_pipeline(tmp_path / "other")
    ended = command("configure", other, "--continuous")
    assert ended.code == 1
    assert "there is no pipeline 'clinic'" in ended.err
    assert f"'connector-lib deploy {other}' makes it" in ended.err


def test_delete_takes_the_pipeline_its_tables_and_its_files(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    pipeline = clinic.pipelines.named("clinic")
    clinic.securables.add("TABLE", "main.clinic.received", ADMIN, {"pipeline_id": pipeline.id})
    ended = command("delete", folder, "--yes", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == {
        "pipeline": "clinic",
        "pipeline_id": pipeline.id,
        "files": ["spark-pipeline.yml", "transformations/tables.py"],
        "files_kept": [],
        "folder_kept": None,
    }
    assert clinic.pipelines.all == {}
    assert clinic.workspace_files.contents(f"/Workspace/Users/{ADMIN}") == {}
    assert clinic.securables.find("TABLE", "main.clinic.received") is None


def test_delete_asks_first(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    first = len(clinic.desk.requests)
    ended = command("delete", folder)
    assert ended.code == 2
    assert "this would delete the pipeline 'clinic', all its tables in main.clinic, and 2 files of it" in ended.err
    assert "add --yes to do it" in ended.err
    assert writes(clinic, first) == []


def test_delete_leaves_files_of_others(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    clinic.workspace_files.put(f"{FOLDER}/notes.txt", b"theirs")
    ended = command("delete", "clinic", "--yes")
    assert ended.code == 0
    assert f"note: other files stay in {FOLDER}: notes.txt" in ended.err
    assert clinic.workspace_files.contents(FOLDER) == {"notes.txt": b"theirs"}


def test_delete_that_was_cut_off_is_finished_by_the_next_run(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    clinic.desk.fail("POST /api/2.0/workspace/delete", 500, error_code="INTERNAL_ERROR", message="Something broke.")
    assert command("delete", folder, "--yes").code == 1
    assert clinic.pipelines.all == {}
    assert command("delete", folder, "--yes").code == 0
    assert clinic.workspace_files.contents(FOLDER) == {}
    ended = command("delete", folder, "--yes")
    assert ended.code == 1
    assert "there is no pipeline 'clinic'" in ended.err


def test_delete_of_a_pipeline_that_one_may_only_run_deletes_nothing(
    clinic: LoopbackWorkspace, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.pipelines.named("clinic").grants[ANN] = "CAN_RUN"
    monkeypatch.setenv("DATABRICKS_TOKEN", clinic.token_of(ANN))
    first = len(clinic.desk.requests)
    ended = command("delete", "clinic", "--yes")
    assert ended.code == 1
    assert f"{ANN} may not delete the pipeline 'clinic' of {ADMIN}" in ended.err
    assert writes(clinic, first) == []


def test_delete_of_a_pipeline_that_was_made_by_hand_leaves_its_folder(
    clinic: LoopbackWorkspace, command: Command
) -> None:
    clinic.workspace_files.put("/Workspace/Shared/theirs/a.py", b"")
    made = clinic.pipelines.put("theirs", ADMIN, libraries=[], root_path="/Workspace/Shared/theirs")
    ended = command("delete", made.id, "--yes")
    assert ended.code == 0
    assert clinic.workspace_files.contents("/Workspace/Shared/theirs") == {"a.py": b""}
    assert "note: the folder /Workspace/Shared/theirs stays" in ended.err


def test_delete_of_a_pipeline_that_was_renamed_in_the_workspace_says_which_folder_is_left(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    clinic.pipelines.named("clinic").spec["name"] = "ward"
    ended = command("delete", "ward", "--yes")
    assert ended.code == 0
    assert f"note: the folder {FOLDER} stays: nothing in it says that it was deployed for 'ward'" in ended.err


def test_a_setting_that_no_file_asks_for_is_refused_by_name_and_by_folder(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    first = len(clinic.desk.requests)
    for pipeline in ("clinic", folder):
        ended = command("configure", pipeline, "--set", "source.fromat=binaryFile")
        assert ended.code == 2
        assert "source.fromat" in ended.err
        assert "did you mean 'source.format'?" in ended.err
    assert writes(clinic, first) == []


def test_a_setting_that_a_deployed_file_asks_for_may_be_set_by_name(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    write_pipeline(
        folder, more="from connector_lib.flows.runtime import setting\n\nLIMIT = setting('lab.limit', '5')\n"
    )
    assert command("deploy", folder).code == 0
    assert command("configure", "clinic", "--set", "lab.limit=7").code == 0
    assert clinic.pipelines.named("clinic").spec["configuration"]["lab.limit"] == "7"


@pytest.mark.parametrize("by_folder", [True, False])
def test_configure_takes_tables_elsewhere_only_where_there_is_a_schema_and_after_a_yes(
    clinic: LoopbackWorkspace, command: Command, folder: Path, by_folder: bool
) -> None:
    pipeline = folder if by_folder else "clinic"
    first = len(clinic.desk.requests)
    ended = command("configure", pipeline, "--catalog", "nowhere", "--yes")
    assert ended.code == 1
    assert "nowhere" in ended.err
    clinic.catalog.add_schema("lab.clinic")
    ended = command("configure", pipeline, "--catalog", "lab")
    assert ended.code == 2
    assert "let the pipeline 'clinic' write its tables to lab.clinic, and no longer to main.clinic" in ended.err
    assert writes(clinic, first) == []
    assert command("configure", pipeline, "--catalog", "lab", "--yes").code == 0
    assert clinic.pipelines.named("clinic").spec["catalog"] == "lab"
