"""Answers that are lost, refusals half-way, and two people at once: the next run mends what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.servers.workspace.conftest import Command
from tests.servers.workspace.deployable import FOLDER, ready, write_pipeline, writes
from tests.servers.workspace.loopback.server import BOB, LoopbackWorkspace

PIPELINE = "/api/2.0/pipelines/{id}"


@pytest.fixture
def clinic(workspace: LoopbackWorkspace, tmp_path: Path) -> LoopbackWorkspace:
    return ready(workspace, tmp_path / "wheels")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_pipeline(tmp_path / "clinic")


def test_a_creation_whose_answer_is_lost_makes_one_pipeline(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    clinic.desk.fail("POST /api/2.0/pipelines", after=True)
    assert command("deploy", folder).code == 0
    assert len(clinic.desk.asked("POST /api/2.0/pipelines")) == 2
    assert len(clinic.pipelines.all) == 1
    first = len(clinic.desk.requests)
    assert command("deploy", folder).code == 0
    assert writes(clinic, first) == []


def test_a_name_that_is_taken_by_what_one_may_not_see_is_an_error(
    clinic: LoopbackWorkspace, command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.pipelines.put("clinic", "admin@example.com", libraries=[])
    monkeypatch.setenv("DATABRICKS_TOKEN", clinic.token_of(BOB))
    for kind, name in (("CATALOG", "main"), ("CATALOG", "shared")):
        clinic.permissions.grant(clinic.user, ["USE_CATALOG", "USE_SCHEMA", "READ_VOLUME"], kind, name, BOB)
    clinic.permissions.grant(clinic.user, ["CREATE_TABLE", "CREATE_MATERIALIZED_VIEW"], "SCHEMA", "main.clinic", BOB)
    ended = command("deploy", folder)
    assert ended.code == 1
    assert "the name 'clinic' is taken by a pipeline of somebody else" in ended.err
    assert len(clinic.pipelines.all) == 1


def test_a_change_of_settings_whose_answer_is_lost_is_done(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    clinic.desk.fail(f"PUT {PIPELINE}", after=True)
    ended = command("deploy", folder, "--continuous")
    assert ended.code == 0, ended.err
    assert clinic.pipelines.named("clinic").spec["continuous"] is True


def test_settings_that_somebody_else_changes_at_the_same_time_are_not_overwritten(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    pipeline = clinic.pipelines.named("clinic")

    def change_by_hand(number: int, request: object) -> None:
        if clinic.desk.asked(f"GET {PIPELINE}")[-1:] == [request]:
            pipeline.last_modified += 1
            pipeline.spec["budget_policy_id"] = "theirs"

    clinic.desk.before_reply = change_by_hand
    ended = command("deploy", folder, "--continuous")
    assert ended.code == 1
    assert "was changed by somebody else at the same time" in ended.err
    assert pipeline.spec["continuous"] is False
    clinic.desk.before_reply = None
    assert command("deploy", folder, "--continuous").code == 0
    assert (pipeline.spec["continuous"], pipeline.spec["budget_policy_id"]) == (True, "theirs")


@pytest.mark.parametrize(
    "route",
    [
        "POST /api/2.0/workspace/mkdirs",
        "POST /api/2.0/workspace/import",
        "POST /api/2.0/pipelines",
        "GET /api/2.0/pipelines/{id}",
    ],
)
def test_a_refusal_on_the_way_is_told_and_mended_by_the_next_run(
    clinic: LoopbackWorkspace, command: Command, folder: Path, route: str
) -> None:
    clinic.desk.fail(route, 500, error_code="INTERNAL_ERROR", message="Something broke.")
    ended = command("deploy", folder)
    assert ended.code == 1
    assert "Something broke." in ended.err
    assert command("deploy", folder).code == 0
    assert len(clinic.pipelines.all) == 1
    assert sorted(clinic.workspace_files.contents(FOLDER)) == [
        ".connector_lib_deployment.json",
        "spark-pipeline.yml",
        "transformations/tables.py",
    ]
    first = len(clinic.desk.requests)
    command("deploy", folder)
    assert writes(clinic, first) == []


def test_a_workspace_that_is_busy_is_waited_for(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    clinic.desk.fail("POST /api/2.0/workspace/import", 429, error_code="REQUEST_LIMIT_EXCEEDED")
    assert command("deploy", folder).code == 0


def test_a_record_that_cannot_be_read_stops_the_deployment(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    clinic.workspace_files.put(f"{FOLDER}/.connector_lib_deployment.json", b"{}")
    first = len(clinic.desk.requests)
    ended = command("deploy", folder)
    assert ended.code == 1
    assert "is not the record of a deployment that it should be" in ended.err
    assert writes(clinic, first) == []
