"""``connector-lib deploy``: what arrives in the workspace, what is left alone, and what a second run does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.servers.workspace.conftest import Command
from tests.servers.workspace.deployable import DEPLOY, FOLDER, ready, write_pipeline, writes
from tests.servers.workspace.loopback.server import ADMIN, BOB, LoopbackWorkspace
from tests.servers.workspace.published_wheels import put_release, wheel_path

RECORD = ".connector_lib_deployment.json"


@pytest.fixture
def clinic(workspace: LoopbackWorkspace, tmp_path: Path) -> LoopbackWorkspace:
    return ready(workspace, tmp_path / "wheels")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pipeline(tmp_path / "clinic")


def deployed(command: Command, *arguments: object) -> dict[str, Any]:
    ended = command("deploy", *arguments, "--json")
    assert ended.code == 0, ended.err
    document: dict[str, Any] = json.loads(ended.out)
    return document


def files(clinic: LoopbackWorkspace, folder: str = FOLDER) -> dict[str, bytes]:
    return {path: content for path, content in clinic.workspace_files.contents(folder).items() if path != RECORD}


def test_files_wheel_and_settings_arrive(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    ended = command("deploy", folder)
    pipeline = clinic.pipelines.named("clinic")
    assert ended.code == 0, ended.err
    assert ended.out == f"clinic: deployed: {clinic.url}/pipelines/{pipeline.id}\n"
    assert files(clinic) == {
        "spark-pipeline.yml": (folder / "spark-pipeline.yml").read_bytes(),
        "transformations/tables.py": (folder / "transformations" / "tables.py").read_bytes(),
    }
    wanted = {
        "catalog": "main",
        "schema": "clinic",
        "serverless": True,
        "root_path": FOLDER,
        "libraries": [{"glob": {"include": f"{FOLDER}/transformations/**"}}],
        "configuration": {"source.format": "text"},
        "environment": {"dependencies": [wheel_path("0.1.0")]},
    }
    assert {key: pipeline.spec[key] for key in wanted} == wanted
    assert "connector-lib start" in ended.err


def test_the_result_is_one_json_document(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    document = deployed(command, folder)
    pipeline = clinic.pipelines.named("clinic")
    assert document["pipeline_id"] == pipeline.id
    assert document["url"] == f"{clinic.url}/pipelines/{pipeline.id}"
    assert document["changed"] is True
    assert document["plan"]["wheel"] == wheel_path("0.1.0")


def test_a_second_deployment_writes_nothing(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    arguments = (folder, "--set", "spark.sql.ansi.enabled=true", "--continuous")
    deployed(command, *arguments)
    first = len(clinic.desk.requests)
    ended = command("deploy", *arguments)
    assert writes(clinic, first) == []
    assert "nothing to do: all is in the workspace as it should be" in ended.out
    assert deployed(command, *arguments)["changed"] is False


def test_only_files_that_changed_are_uploaded(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    write_pipeline(folder, more="MORE = 1\n")
    deployed(command, folder)
    first = len(clinic.desk.requests)
    write_pipeline(folder, more="MORE = 2\n")
    document = deployed(command, folder)
    assert document["plan"]["files"]["upload"] == ["transformations/more.py"]
    # The record before and after, and the file.
    assert writes(clinic, first) == ["POST /api/2.0/workspace/import"] * 3
    assert files(clinic)["transformations/more.py"] == b"MORE = 2\n"


def test_a_file_that_was_changed_by_hand_is_put_right_and_told(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    deployed(command, folder)
    clinic.workspace_files.put(f"{FOLDER}/transformations/tables.py", b"by hand")
    ended = command("deploy", folder)
    assert "note: transformations/tables.py was changed by hand in the workspace; that is overwritten" in ended.err
    assert files(clinic)["transformations/tables.py"] == (folder / "transformations" / "tables.py").read_bytes()


def test_a_file_that_was_removed_by_hand_comes_back(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    deployed(command, folder)
    clinic.workspace_files.remove(f"{FOLDER}/transformations/tables.py")
    deployed(command, folder)
    assert "transformations/tables.py" in files(clinic)


def test_files_that_are_gone_here_go_there_and_others_stay(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    write_pipeline(folder, old="OLD = 1\n")
    deployed(command, folder)
    clinic.workspace_files.put(f"{FOLDER}/transformations/theirs.py", b"theirs")
    (folder / "transformations" / "old.py").unlink()
    deployed(command, folder)
    assert sorted(files(clinic)) == ["spark-pipeline.yml", "transformations/tables.py", "transformations/theirs.py"]


def test_files_of_the_same_names_that_were_never_deployed_are_not_overwritten(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    clinic.workspace_files.put(f"{FOLDER}/transformations/tables.py", b"theirs")
    ended = command("deploy", folder)
    assert ended.code == 1
    assert (
        "has other files of the same names, which were not deployed from here: transformations/tables.py" in ended.err
    )
    assert writes(clinic) == []


def test_latest_is_written_out_as_the_version_that_it_is(
    clinic: LoopbackWorkspace, command: Command, folder: Path, tmp_path: Path
) -> None:
    deployed(command, folder)
    put_release(clinic, tmp_path / "wheels", "0.2.0")
    assert clinic.pipelines.named("clinic").spec["environment"]["dependencies"] == [wheel_path("0.1.0")]
    deployed(command, folder)
    assert clinic.pipelines.named("clinic").spec["environment"]["dependencies"] == [wheel_path("0.2.0")]
    deployed(command, folder, "--wheel", "0.1.0")
    assert clinic.pipelines.named("clinic").spec["environment"]["dependencies"] == [wheel_path("0.1.0")]


def test_a_version_that_is_not_there_is_named_with_those_that_are(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    ended = command("deploy", folder, "--wheel", "0.9.0")
    assert ended.code == 1
    assert "version 0.9.0 is not in shared.libraries.python_packages" in ended.err
    assert "0.1.0" in ended.err
    assert writes(clinic) == []


def test_the_schema_is_made_when_asked(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    refused = command("deploy", folder, "--schema", "fresh")
    assert refused.code == 1
    assert "the schema 'main.fresh' is not there\n    add --create-schema" in refused.err
    assert writes(clinic) == []
    deployed(command, folder, "--schema", "fresh", "--create-schema")
    assert clinic.securables.find("SCHEMA", "main.fresh") is not None
    assert deployed(command, folder, "--schema", "fresh", "--create-schema")["changed"] is False


def test_a_target_of_deploy_yml_is_deployed(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    (folder / "deploy.yml").write_text(
        f"{DEPLOY}targets:\n  prod:\n    name: clinic_prod\n    workspace_folder: /Workspace/Shared/clinic\n"
        f"    permissions: [{{user_name: {BOB}, level: CAN_RUN}}]\n"
    )
    deployed(command, folder, "--target", "prod")
    pipeline = clinic.pipelines.named("clinic_prod")
    assert pipeline.spec["root_path"] == "/Workspace/Shared/clinic"
    assert pipeline.grants == {BOB: "CAN_RUN"}
    assert sorted(files(clinic, "/Workspace/Shared/clinic")) == ["spark-pipeline.yml", "transformations/tables.py"]
    assert deployed(command, folder, "--target", "prod")["changed"] is False


def test_what_somebody_set_in_the_workspace_stays(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    deployed(command, folder)
    spec = clinic.pipelines.named("clinic").spec
    spec["budget_policy_id"] = "policy"
    spec["configuration"]["theirs"] = "1"
    spec["development"] = True
    (folder / "deploy.yml").write_text(f"{DEPLOY}tags: {{team: lab}}\n")
    deployed(command, folder)
    after = clinic.pipelines.named("clinic").spec
    assert (after["budget_policy_id"], after["development"], after["tags"]) == ("policy", True, {"team": "lab"})
    assert after["configuration"] == {"source.format": "text", "theirs": "1"}
    # What the SDK has no field for was sent back as well.
    assert after["pipeline_type"] == "WORKSPACE"


def test_what_deploy_yml_no_longer_says_is_taken_out(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    (folder / "deploy.yml").write_text(f"{DEPLOY}tags: {{team: lab}}\nconfiguration: {{spark.x: '1'}}\n")
    deployed(command, folder)
    (folder / "deploy.yml").write_text(DEPLOY)
    deployed(command, folder)
    spec = clinic.pipelines.named("clinic").spec
    assert not spec.get("tags")
    assert spec["configuration"] == {"source.format": "text"}


def test_a_pipeline_is_changed_in_place(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    first = deployed(command, folder)["pipeline_id"]
    assert deployed(command, folder, "--continuous", "--channel", "preview")["pipeline_id"] == first
    spec = clinic.pipelines.named("clinic").spec
    assert (spec["continuous"], spec["channel"]) == (True, "PREVIEW")
    assert clinic.desk.asked("DELETE /{any*}") == []


def test_recreate_deletes_and_creates_and_needs_a_yes(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    first = deployed(command, folder)["pipeline_id"]
    clinic.securables.add("TABLE", "main.clinic.received", ADMIN, {"pipeline_id": first})
    before = len(clinic.desk.requests)
    refused = command("deploy", folder, "--recreate")
    assert refused.code == 2
    assert "delete the pipeline 'clinic' and all its tables, and create it anew\n  add --yes to do it" in refused.err
    assert writes(clinic, before) == []
    assert deployed(command, folder, "--recreate", "--yes")["pipeline_id"] != first
    assert clinic.securables.find("TABLE", "main.clinic.received") is None


def test_a_pipeline_of_the_same_name_with_another_folder_is_not_touched(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    clinic.pipelines.put("clinic", BOB, libraries=[], root_path=f"/Workspace/Users/{BOB}/clinic")
    ended = command("deploy", folder)
    assert ended.code == 1
    assert f"it belongs to {BOB}, and its files are in /Workspace/Users/{BOB}/clinic" in ended.err
    assert "give this one another name: 'name:' in deploy.yml, or --name" in ended.err
    assert writes(clinic) == []


def test_two_pipelines_of_the_name_are_named_by_their_ids(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    ids = [clinic.pipelines.put("clinic", user, libraries=[]).id for user in (ADMIN, BOB)]
    ended = command("deploy", folder)
    assert ended.code == 1
    assert f"2 pipelines are called 'clinic': {ids[0]} of {ADMIN}, {ids[1]} of {BOB}" in ended.err
    assert writes(clinic) == []


def test_the_folder_of_a_pipeline_that_is_gone_is_not_touched(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    deployed(command, folder)
    clinic.pipelines.all.clear()
    before = len(clinic.desk.requests)
    ended = command("deploy", folder, "--name", "other", "--workspace-folder", FOLDER)
    assert ended.code == 1
    assert f"the workspace folder {FOLDER} holds the files of the pipeline 'clinic', not of 'other'" in ended.err
    assert writes(clinic, before) == []


def test_a_name_with_signs_is_found_again(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    deployed(command, folder, "--name", "Ann's 100% [lab]")
    assert deployed(command, folder, "--name", "Ann's 100% [lab]")["changed"] is False
    assert len(clinic.pipelines.all) == 1


def test_a_setting_that_a_file_cannot_do_without_must_have_a_value(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    text = (
        "from connector_lib.flows.runtime import required_setting\n\nPATH = required_setting('source.storage_path')\n"
    )
    write_pipeline(folder, source=text)
    ended = command("deploy", folder)
    assert ended.code == 1
    assert "the setting 'source.storage_path', which transformations/source.py asks for, has no value" in ended.err
    assert "or give --set source.storage_path=VALUE" in ended.err
    deployed(command, folder, "--set", "source.storage_path=/Volumes/main/raw/hl7")
    # It is in the workspace now.
    deployed(command, folder)
    assert clinic.pipelines.named("clinic").spec["configuration"]["source.storage_path"] == "/Volumes/main/raw/hl7"


def test_what_pipelines_must_not_do_is_found_before_anybody_logs_in(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    write_pipeline(folder, bad="from pyspark import pipelines as dp\n\n%run ./other\n")
    ended = command("deploy", folder)
    assert ended.code == 1
    assert "that a pipeline must not have" in ended.err
    assert "bad.py:3" in ended.err
    assert clinic.desk.requests == []


def test_a_secret_is_not_uploaded(
    clinic: LoopbackWorkspace, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EHR_CLIENT_SECRET", "canary-canary")
    write_pipeline(folder, codes="CODE = 'canary-canary'\n")
    ended = command("deploy", folder)
    assert ended.code == 1
    assert "codes.py: holds the secret of the environment variable EHR_CLIENT_SECRET" in ended.err
    assert "canary" not in ended.err + ended.out
    assert writes(clinic) == []


def test_without_a_login_nothing_is_built_or_read(
    command: Command, folder: Path, no_login_of_this_machine: None
) -> None:
    ended = command("deploy", folder)
    assert ended.code == 1
    assert "no login to a workspace by the environment and the profile DEFAULT" in ended.err
