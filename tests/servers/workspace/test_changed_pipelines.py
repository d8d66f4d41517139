"""A pipeline that is there: what a deployment asks before it makes another one of it, and what it leaves and tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.servers.workspace.conftest import Command
from tests.servers.workspace.deployable import DEPLOY, FOLDER, ready, write_pipeline, writes
from tests.servers.workspace.loopback.server import ADMIN, ANN, BOB, LoopbackWorkspace
from tests.servers.workspace.published_wheels import wheel_path

SHARED = "/Workspace/Shared/clinic"
CREATE = "POST /api/2.0/pipelines"


@pytest.fixture
def clinic(workspace: LoopbackWorkspace, tmp_path: Path) -> LoopbackWorkspace:
    ready(workspace, tmp_path / "wheels").catalog.add_schema("prod.clinic")
    return workspace


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pipeline(tmp_path / "clinic")


def rename(folder: Path, to: str) -> None:
    spec = folder / "spark-pipeline.yml"
    spec.write_text(spec.read_text().replace("name: clinic", f"name: {to}"))


class TestAnotherTarget:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return write_pipeline(
            tmp_path / "clinic", "schema: clinic\ntargets: {dev: {catalog: main}, prod: {catalog: prod}}\n"
        )

    def test_it_asks_before_the_pipeline_of_one_target_becomes_that_of_another(
        self, clinic: LoopbackWorkspace, command: Command, folder: Path
    ) -> None:
        assert command("deploy", folder, "--target", "prod").code == 0
        first = len(clinic.desk.requests)
        for name in ("deploy", "configure"):
            ended = command(name, folder, "--target", "dev")
            assert ended.code == 2
            assert "was deployed for the target 'prod', the one of the target 'dev'" in ended.err
            assert "write its tables to main.clinic, and no longer to prod.clinic" in ended.err
        assert writes(clinic, first) == []
        assert command("deploy", folder, "--target", "prod").code == 0
        assert writes(clinic, first) == []

    def test_a_yes_makes_it_that_of_the_other_target_for_good(
        self, clinic: LoopbackWorkspace, command: Command, folder: Path
    ) -> None:
        command("deploy", folder, "--target", "prod")
        assert command("deploy", folder, "--target", "dev", "--yes").code == 0
        assert clinic.pipelines.named("clinic").spec["catalog"] == "main"
        assert command("deploy", folder, "--target", "dev").code == 0

    def test_a_plan_shows_what_will_be_asked(self, clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
        command("deploy", folder, "--target", "prod")
        ended = command("plan", folder, "--target", "dev")
        assert "asks for --yes\n  make the pipeline 'clinic'" in ended.out
        assert len(json.loads(command("plan", folder, "--target", "dev", "--json").out)["to_confirm"]) == 2


def test_it_asks_before_tables_go_to_another_schema(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    command("deploy", folder)
    first = len(clinic.desk.requests)
    ended = command("deploy", folder, "--catalog", "prod")
    assert ended.code == 2
    assert "this would let the pipeline 'clinic' write its tables to prod.clinic" in ended.err
    assert writes(clinic, first) == []
    assert command("deploy", folder, "--catalog", "prod", "--yes").code == 0


def test_the_schema_in_other_letters_is_the_same_schema(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    assert command("deploy", folder, "--catalog", "Main").code == 0


class TestRecreate:
    def test_settings_that_the_service_refuses_leave_the_pipeline_and_its_tables(
        self, clinic: LoopbackWorkspace, command: Command, folder: Path
    ) -> None:
        command("deploy", folder)
        before = clinic.pipelines.named("clinic").id
        first = len(clinic.desk.requests)
        clinic.desk.fail(CREATE, 400, error_code="INVALID_PARAMETER_VALUE", message="No such policy.")
        ended = command("deploy", folder, "--recreate", "--yes")
        assert ended.code == 1
        assert "No such policy." in ended.err
        assert writes(clinic, first) == [CREATE]
        assert clinic.pipelines.named("clinic").id == before

    def test_settings_and_permissions_that_were_given_by_hand_are_taken_over(
        self, clinic: LoopbackWorkspace, command: Command, folder: Path
    ) -> None:
        command("deploy", folder)
        before = clinic.pipelines.named("clinic")
        before.spec["tags"] = {"cost": "42"}
        before.spec["configuration"]["theirs"] = "1"
        before.grants[ANN] = "CAN_MANAGE"
        document = json.loads(command("plan", folder, "--recreate", "--json").out)
        assert document["settings_kept"] == ["configuration.theirs", "tags.cost"]
        assert document["permissions"] == [{"kind": "user_name", "principal": ANN, "level": "CAN_MANAGE"}]
        ended = command("deploy", folder, "--recreate", "--yes")
        assert ended.code == 0, ended.err
        after = clinic.pipelines.named("clinic")
        assert after.id != before.id
        assert after.spec == {**before.spec, "id": after.id}
        assert after.grants == {ANN: "CAN_MANAGE"}

    def test_another_owner_is_told_of(self, clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
        command("deploy", folder)
        clinic.pipelines.named("clinic").creator = BOB
        clinic.groups[ADMIN] = ["admins"]
        ended = command("deploy", folder, "--recreate", "--yes")
        assert f"note: {BOB} owns the pipeline, and will not own the new one: {ADMIN} will" in ended.err


class TestPermissions:
    def test_a_user_in_other_letters_is_the_same_user(
        self, clinic: LoopbackWorkspace, command: Command, folder: Path
    ) -> None:
        (folder / "deploy.yml").write_text(f"{DEPLOY}permissions: [{{user_name: Ann@Example.com, level: CAN_RUN}}]\n")
        command("deploy", folder)
        command("deploy", folder)
        assert clinic.pipelines.named("clinic").grants == {ANN: "CAN_RUN"}
        first = len(clinic.desk.requests)
        assert command("deploy", folder).code == 0
        assert writes(clinic, first) == []

    def test_less_than_somebody_has_is_told(self, clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
        command("deploy", folder)
        clinic.pipelines.named("clinic").grants[ANN] = "CAN_MANAGE"
        (folder / "deploy.yml").write_text(f"{DEPLOY}permissions: [{{user_name: {ANN}, level: CAN_VIEW}}]\n")
        told = f"{ANN} has CAN_MANAGE now, and gets less: CAN_VIEW"
        assert f"to be aware of\n  {told}" in command("plan", folder).out
        assert f"note: {told}" in command("deploy", folder).err
        assert clinic.pipelines.named("clinic").grants == {ANN: "CAN_VIEW"}


def test_packages_and_files_that_were_added_by_hand_and_go_are_named(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    spec = clinic.pipelines.named("clinic").spec
    spec["environment"]["dependencies"].append("pandas==2.2")
    spec["libraries"].append({"file": {"path": "/Workspace/Shared/extra.py"}})
    told = "taken out of the setting 'environment.dependencies', since deploy.yml does not name it: pandas==2.2"
    assert told in command("plan", folder).out
    ended = command("deploy", folder)
    assert f"note: {told}" in ended.err
    assert "taken out of the setting 'libraries'" in ended.err
    assert "/Workspace/Shared/extra.py" in ended.err
    assert clinic.pipelines.named("clinic").spec["environment"] == {"dependencies": [wheel_path("0.1.0")]}
    assert "taken out" not in command("deploy", folder).err


class TestRename:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return write_pipeline(tmp_path / "clinic", f"{DEPLOY}workspace_folder: {SHARED}\n")

    def test_the_pipeline_of_the_folder_is_renamed_in_place_after_a_yes(
        self, clinic: LoopbackWorkspace, command: Command, folder: Path
    ) -> None:
        command("deploy", folder)
        before = clinic.pipelines.named("clinic").id
        rename(folder, "ward")
        first = len(clinic.desk.requests)
        ended = command("deploy", folder)
        assert ended.code == 2
        assert f"this would rename the pipeline 'clinic' ({before}), whose files these are, to 'ward'" in ended.err
        assert writes(clinic, first) == []
        assert command("deploy", folder, "--yes").code == 0
        assert [it.spec["name"] for it in clinic.pipelines.all.values()] == ["ward"]
        assert clinic.pipelines.named("ward").id == before
        first = len(clinic.desk.requests)
        assert command("deploy", folder).code == 0
        assert writes(clinic, first) == []
        assert command("delete", folder, "--yes").code == 0
        assert clinic.workspace_files.contents(SHARED) == {}

    @pytest.mark.parametrize("answer_lost", [True, False])
    @pytest.mark.parametrize("route", ["POST /api/2.0/workspace/import", "PUT /api/2.0/pipelines/{pipeline_id}"])
    def test_one_that_was_cut_off_is_finished_by_the_next_run(
        self, clinic: LoopbackWorkspace, command: Command, folder: Path, route: str, answer_lost: bool
    ) -> None:
        command("deploy", folder)
        rename(folder, "ward")
        clinic.desk.fail(route, 500, after=answer_lost, error_code="INTERNAL_ERROR", message="Something broke.")
        assert command("deploy", folder, "--yes").code == 1
        assert command("deploy", folder, "--yes").code == 0
        assert [it.spec["name"] for it in clinic.pipelines.all.values()] == ["ward"]
        assert command("deploy", folder).code == 0

    def test_a_folder_that_another_pipeline_has_too_is_not_touched(
        self, clinic: LoopbackWorkspace, command: Command, folder: Path
    ) -> None:
        command("deploy", folder)
        clinic.pipelines.put("ward", ADMIN, libraries=[], root_path=SHARED)
        rename(folder, "ward")
        first = len(clinic.desk.requests)
        ended = command("deploy", folder, "--yes")
        assert ended.code == 1
        assert f"the workspace folder {SHARED} holds the files of the pipeline 'clinic', not of 'ward'" in ended.err
        assert writes(clinic, first) == []


def test_a_new_name_in_the_default_folder_makes_a_second_pipeline_and_says_so(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    rename(folder, "ward")
    told = f"the pipeline 'clinic' was deployed from the same files to {FOLDER}, and writes to main.clinic too"
    assert told in command("plan", folder).out
    assert f"note: {told}" in command("deploy", folder).err


@pytest.mark.parametrize("by", ["deploy", "configure", "configure by name"])
def test_a_setting_that_is_given_without_a_value_is_taken_away(
    clinic: LoopbackWorkspace, command: Command, folder: Path, by: str
) -> None:
    (folder / "transformations" / "tables.py").write_text(
        (folder / "transformations" / "tables.py").read_text() + '# "source.file_pattern"\n'
    )
    command("deploy", folder, "--set", "source.file_pattern=*.txt")
    assert clinic.pipelines.named("clinic").spec["configuration"]["source.file_pattern"] == "*.txt"
    assert command("deploy", folder).code == 0
    assert clinic.pipelines.named("clinic").spec["configuration"]["source.file_pattern"] == "*.txt"
    given = "clinic" if by == "configure by name" else folder
    assert command(by.split()[0], given, "--set", "source.file_pattern=").code == 0
    assert clinic.pipelines.named("clinic").spec["configuration"] == {"source.format": "text"}
