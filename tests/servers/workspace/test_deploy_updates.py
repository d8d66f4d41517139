"""What a deployment starts: the update of ``--watch``, and the full refresh after a change of the SCD type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.servers.workspace.conftest import Command
from tests.servers.workspace.deployable import FOLDER, INGEST, ready, write_ingest_pipeline, writes
from tests.servers.workspace.fast_clock import FastClock
from tests.servers.workspace.loopback.server import LoopbackWorkspace
from tests.servers.workspace.loopback.updates import canceled, completed, failed

UPDATES = "POST /api/2.0/pipelines/{id}/updates"


@pytest.fixture
def clinic(workspace: LoopbackWorkspace, tmp_path: Path) -> LoopbackWorkspace:
    return ready(workspace, tmp_path / "wheels")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_ingest_pipeline(tmp_path / "clinic")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that is waited passes at once."""
    fast = FastClock()
    monkeypatch.setattr("connector_lib.cli.deploy.sleep", fast.sleep)
    monkeypatch.setattr("connector_lib.cli.deploy.monotonic", fast.time)


def change_scd_type(folder: Path, to: str = "SCD_TYPE_1") -> None:
    (folder / "ingest.yml").write_text(INGEST.replace("SCD_TYPE_2", to))


def test_watch_starts_an_update_and_ends_as_it_ends(
    clinic: LoopbackWorkspace, command: Command, folder: Path, quick: None
) -> None:
    ended = command("deploy", folder, "--watch")
    assert ended.code == 0, ended.err
    assert "COMPLETED" in ended.out
    pipeline = clinic.pipelines.named("clinic")
    clinic.updates.next(pipeline.id, failed(), completed({"patients": 5}))
    ended = command("deploy", folder, "--watch")
    assert ended.code == 1
    assert "failed" in ended.err


def test_watch_as_json_is_one_document(clinic: LoopbackWorkspace, command: Command, folder: Path, quick: None) -> None:
    ended = command("deploy", folder, "--watch", "--json")
    document = json.loads(ended.out)
    assert document["pipeline_id"] == clinic.pipelines.named("clinic").id
    assert document["update"]["state"] == "COMPLETED"
    clinic.updates.next(document["pipeline_id"], failed())
    ended = command("deploy", folder, "--watch", "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["update"]["state"] == "FAILED"
    assert ended.err.count("error: ") == 1


def test_retries_need_a_watched_update(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    ended = command("deploy", folder, "--retries", "3")
    assert ended.code == 2
    assert clinic.desk.requests == []


def test_another_scd_type_asks_for_a_full_refresh_before_anything_is_written(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    change_scd_type(folder)
    first = len(clinic.desk.requests)
    ended = command("deploy", folder)
    assert ended.code == 1
    assert "the SCD type of patients was changed, which needs a full refresh of it" in ended.err
    assert "add --full-refresh" in ended.err
    assert writes(clinic, first) == []


def test_full_refresh_starts_an_update_of_the_tables_that_changed(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    change_scd_type(folder)
    ended = command("deploy", folder, "--full-refresh")
    assert ended.code == 0, ended.err
    (asked,) = clinic.desk.asked(UPDATES)
    assert asked.json() == {"full_refresh_selection": ["patients"]}
    assert b"SCD_TYPE_1" in clinic.workspace_files.contents(FOLDER)["ingest.yml"]
    first = len(clinic.desk.requests)
    assert command("deploy", folder).code == 0
    assert writes(clinic, first) == []


def test_to_write_out_what_holds_anyway_is_no_change(clinic: LoopbackWorkspace, command: Command, folder: Path) -> None:
    command("deploy", folder)
    written = INGEST.replace(
        "destination_table: encounters", "destination_table: encounters, table_configuration: {scd_type: scd_type_1}"
    )
    (folder / "ingest.yml").write_text(written)
    assert command("deploy", folder).code == 0
    assert clinic.desk.asked(UPDATES) == []


def test_a_full_refresh_that_was_not_started_is_asked_for_again(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    change_scd_type(folder)
    clinic.desk.fail(UPDATES, 500, error_code="INTERNAL_ERROR", message="Something broke.")
    assert command("deploy", folder, "--full-refresh").code == 1
    assert "add --full-refresh" in command("deploy", folder).err
    assert command("deploy", folder, "--full-refresh").code == 0
    assert command("deploy", folder).code == 0


def test_a_watched_full_refresh_that_fails_is_asked_for_again(
    clinic: LoopbackWorkspace, command: Command, folder: Path, quick: None
) -> None:
    command("deploy", folder)
    change_scd_type(folder)
    clinic.updates.next(clinic.pipelines.named("clinic").id, failed())
    assert command("deploy", folder, "--full-refresh", "--watch").code == 1
    assert "add --full-refresh" in command("deploy", folder).err
    assert command("deploy", folder, "--full-refresh", "--watch").code == 0
    assert command("deploy", folder).code == 0


def test_a_full_refresh_that_was_started_and_failed_is_asked_for_again(
    clinic: LoopbackWorkspace, command: Command, folder: Path, quick: None
) -> None:
    command("deploy", folder)
    change_scd_type(folder)
    pipeline = clinic.pipelines.named("clinic")
    clinic.updates.next(pipeline.id, failed())
    assert command("deploy", folder, "--full-refresh").code == 0
    # It runs: nothing is to be done.
    assert command("deploy", folder).code == 0
    clinic.updates.finish(pipeline.id)
    ended = command("deploy", folder)
    assert ended.code == 1
    assert "add --full-refresh" in ended.err
    assert command("deploy", folder, "--full-refresh").code == 0
    clinic.updates.finish(pipeline.id)
    assert command("deploy", folder).code == 0
    first = len(clinic.desk.requests)
    assert command("deploy", folder).code == 0
    assert writes(clinic, first) == []


def test_a_full_refresh_counts_when_many_updates_have_come_since(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    change_scd_type(folder)
    assert command("deploy", folder, "--full-refresh").code == 0
    pipeline = clinic.pipelines.named("clinic")
    clinic.updates.finish(pipeline.id)
    for _ in range(30):
        clinic.updates.run(pipeline.id)
    assert command("deploy", folder).code == 0


def test_a_full_refresh_that_nobody_watched_to_its_end_counts_when_it_is_completed(
    clinic: LoopbackWorkspace, command: Command, folder: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("deploy", folder)
    change_scd_type(folder)

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("connector_lib.cli.deploy.sleep", interrupt)
    assert command("deploy", folder, "--full-refresh", "--watch").code != 0
    clinic.updates.finish(clinic.pipelines.named("clinic").id)
    assert command("deploy", folder).code == 0


def test_watch_of_a_continuous_pipeline_that_runs_watches_its_update(
    clinic: LoopbackWorkspace, command: Command, folder: Path, quick: None
) -> None:
    assert command("deploy", folder, "--continuous").code == 0
    pipeline = clinic.pipelines.named("clinic")
    clinic.updates.next(pipeline.id, canceled())
    running = clinic.updates.start(pipeline.id, "INFRASTRUCTURE_MAINTENANCE")
    ended = command("deploy", folder, "--continuous", "--watch", "--json")
    assert json.loads(ended.out)["update"]["update_id"] == running.id
    assert "note: the pipeline is continuous and runs already" in ended.err


def test_a_deployment_whose_update_could_not_be_started_is_still_a_json_document(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    clinic.updates.start(clinic.pipelines.named("clinic").id)
    ended = command("deploy", folder, "--watch", "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["plan"]["changes_nothing"] is True
    assert "is running already" in ended.err


def test_a_full_refresh_that_runs_already_is_not_started_twice(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    change_scd_type(folder)
    clinic.desk.fail("POST /api/2.0/workspace/import", 500, error_code="INTERNAL_ERROR", message="Broke.")
    assert command("deploy", folder, "--full-refresh").code == 1
    clinic.updates.start(clinic.pipelines.named("clinic").id, "API_CALL", {"full_refresh_selection": ["patients"]})
    assert command("deploy", folder, "--full-refresh").code == 0
    assert clinic.desk.asked(UPDATES) == []


def test_a_pipeline_that_is_made_anew_needs_no_refresh(
    clinic: LoopbackWorkspace, command: Command, folder: Path
) -> None:
    command("deploy", folder)
    change_scd_type(folder)
    assert command("deploy", folder, "--recreate", "--yes").code == 0
    assert clinic.desk.asked(UPDATES) == []
