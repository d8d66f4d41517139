"""``connector-lib plan``: it shows what would change, and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.servers.workspace.conftest import Command
from tests.servers.workspace.deployable import DEPLOY, FOLDER, ready, write_ingest_pipeline, write_pipeline, writes
from tests.servers.workspace.loopback.server import LoopbackWorkspace
from tests.servers.workspace.published_wheels import put_release, wheel_path


@pytest.fixture
def clinic(workspace: LoopbackWorkspace, tmp_path: Path) -> LoopbackWorkspace:
    return ready(workspace, tmp_path / "wheels")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pipeline(tmp_path / "clinic")


def planned(command: Command, *arguments: object) -> dict[str, Any]:
    ended = command("plan", *arguments, "--json")
    assert ended.code == 0, ended.err
    document: dict[str, Any] = json.loads(ended.out)
    return document


def test_a_plan_of_a_new_pipeline_shows_all_that_will_be_made(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    ended = command("plan", folder)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == [
        "pipeline clinic will be created",
        f"  workspace {clinic.url}",
        f"  folder    {FOLDER}",
        f"  wheel     {wheel_path('0.1.0')}",
        "  schema    main.clinic",
        "files: 2 to upload, 0 to remove, 0 as they should be",
        "  + spark-pipeline.yml",
        "  + transformations/tables.py",
        "settings",
        "  catalog: - -> main",
        "  configuration.source.format: - -> text",
        f'  environment.dependencies: - -> ["{wheel_path("0.1.0")}"]',
        f'  libraries: - -> [{{"glob": {{"include": "{FOLDER}/transformations/**"}}}}]',
        "  name: - -> clinic",
        f"  root_path: - -> {FOLDER}",
        "  schema: - -> clinic",
        "  serverless: - -> true",
    ]


def test_what_is_not_uploaded_is_named_with_the_reason_in_plan_deploy_and_json(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    (folder / "build").mkdir()
    (folder / "build" / "codes.py").write_text("CODES = {}\n")
    (folder / "sample.hl7").write_text("MSH")
    lines = command("plan", folder).out.splitlines()
    shown = lines[lines.index("not uploaded") + 1 :][:2]
    assert [line.split(": ")[0] for line in shown] == ["  build/", "  sample.hl7"]
    assert "rename it, if the pipeline needs it" in shown[0]
    left_out = planned(command, folder)["files"]["left_out"]
    assert [(it["path"], bool(it["why"])) for it in left_out] == [("build/", True), ("sample.hl7", True)]
    assert "note: not uploaded: build/, sample.hl7; 'plan' says why" in command("deploy", folder).err


def test_a_plan_writes_nothing(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    command("plan", folder, "--create-schema", "--schema", "new")
    command("deploy", folder)
    deployed = len(clinic.desk.requests)
    (folder / "transformations" / "tables.py").unlink()
    (folder / "transformations" / "more.py").write_text("import pyspark.pipelines as dp\n\n@dp.table\ndef a(): ...\n")
    command("plan", folder, "--continuous", "--set", "source.format=binaryFile")
    command("plan", folder, "--recreate")
    assert writes(clinic, deployed) == []


def test_a_plan_of_what_is_there_already_has_nothing_to_do(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    document = planned(command, folder)
    assert document["changes_nothing"]
    assert document["pipeline"] == {"name": "clinic", "id": clinic.pipelines.named("clinic").id, "action": "none"}
    assert "nothing to do: all is in the workspace as it should be" in command("plan", folder).out


def test_changed_files_settings_wheel_and_permissions_are_shown_before_and_after(
    clinic: LoopbackWorkspace, command: Command, folder: Path, tmp_path: Path
) -> None:
    write_pipeline(folder, views="from pyspark import pipelines as dp\n")
    command("deploy", folder)
    (folder / "transformations" / "views.py").unlink()
    (folder / "transformations" / "codes.py").write_text("CODES = {}\n")
    (folder / "deploy.yml").write_text(f"{DEPLOY}permissions: [{{group_name: lab, level: CAN_RUN}}]\n")
    put_release(clinic, tmp_path / "wheels", "0.2.0")
    document = planned(command, folder, "--continuous", "--set", "source.format=binaryFile")
    assert document["files"] == {
        "upload": ["transformations/codes.py"],
        "remove": ["transformations/views.py"],
        "same": ["spark-pipeline.yml", "transformations/tables.py"],
        "changed_by_hand": [],
        "left_out": [],
    }
    assert document["settings"] == [
        {"key": "configuration.source.format", "before": "text", "after": "binaryFile"},
        {"key": "continuous", "before": False, "after": True},
        {
            "key": "environment.dependencies",
            "before": [wheel_path("0.1.0")],
            "after": [wheel_path("0.2.0")],
        },
    ]
    assert document["permissions"] == [{"kind": "group_name", "principal": "lab", "level": "CAN_RUN"}]
    assert document["pipeline"]["action"] == "change"


def test_a_file_that_somebody_changed_in_the_workspace_is_pointed_out(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    clinic.workspace_files.put(f"{FOLDER}/transformations/tables.py", b"by hand")
    document = planned(command, folder)
    assert document["files"]["upload"] == document["files"]["changed_by_hand"] == ["transformations/tables.py"]
    assert "tables.py  (changed by hand in the workspace; that is overwritten)" in command("plan", folder).out


def test_what_somebody_set_in_the_workspace_is_shown_as_kept(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    clinic.pipelines.named("clinic").spec["configuration"]["theirs"] = "1"
    clinic.pipelines.named("clinic").spec["budget_policy_id"] = "policy"
    assert planned(command, folder)["settings_kept"] == ["budget_policy_id", "configuration.theirs"]
    assert "set in the workspace, kept: budget_policy_id, configuration.theirs" in command("plan", folder).out


def test_another_scd_type_is_shown_to_need_a_full_refresh(
    clinic: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    folder = write_ingest_pipeline(tmp_path / "clinic")
    command("deploy", folder)
    spec = (folder / "ingest.yml").read_text()
    (folder / "ingest.yml").write_text(spec.replace("SCD_TYPE_2", "SCD_TYPE_1"))
    ended = command("plan", folder)
    assert "full refresh needed, since the SCD type changed\n  patients\n" in ended.out
    assert "'deploy' would ask for --full-refresh" in ended.err
    assert (ended.code, command("plan", folder, "--full-refresh").code) == (1, 0)


def test_what_is_missing_is_in_the_plan_and_the_exit_code(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    put_release(workspace, tmp_path / "wheels")
    folder = write_ingest_pipeline(tmp_path / "clinic", deploy=f"{DEPLOY}create_schema: true\n")
    ended = command("plan", folder, "--json")
    assert ended.code == 1
    assert [it["what"] for it in json.loads(ended.out)["missing"]] == [
        "the catalog 'main' is not there",
        "the connection 'ehr' is not there",
    ]
    assert "'deploy' would refuse: 2 things missing" in ended.err


def test_a_secret_in_the_settings_of_the_workspace_is_not_shown(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    clinic.pipelines.named("clinic").spec["configuration"]["kafka.password"] = "canary"
    for ended in (command("plan", folder), command("plan", folder, "--json"), command("plan", folder, "--recreate")):
        assert "canary" not in ended.out + ended.err
