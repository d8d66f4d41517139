"""Updates that are watched: to their end, through lost answers, and to the true cause of a failure."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import connector_lib.cli.updates as updates_command
from connector_lib.deploy.update_events import DatasetProgress, ExpectationCount
from connector_lib.deploy.updates import UpdateEnd, UpdateObserver, start_update, update_with_retries, watch_update
from connector_lib.deploy.watched_pipeline import WatchedPipeline
from connector_lib.deploy.workspace import Workspace, open_workspace
from connector_lib.errors import WorkspaceError
from tests.servers.workspace.conftest import Command
from tests.servers.workspace.fast_clock import FastClock
from tests.servers.workspace.loopback.failure_samples import SAMPLES, Sample, from_notebook
from tests.servers.workspace.loopback.pipelines import HeldPipeline
from tests.servers.workspace.loopback.server import ADMIN, LoopbackWorkspace
from tests.servers.workspace.loopback.updates import (
    Event,
    Script,
    canceled,
    completed,
    endless,
    error,
    failed,
    flow,
)

PASSES = error("HTTP 429: Too Many Requests")
STAYS = error("[NO_TABLES_IN_PIPELINE] nothing")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FastClock:
    fast = FastClock()
    monkeypatch.setattr(updates_command, "sleep", fast.sleep)
    monkeypatch.setattr(updates_command, "monotonic", fast.time)
    return fast


@pytest.fixture
def held(workspace: LoopbackWorkspace, clock: FastClock) -> HeldPipeline:
    workspace.updates.clock = clock.time
    return workspace.pipelines.put("fhir_api", ADMIN, catalog="main", schema="clinic", libraries=[])


@pytest.fixture
def opened(workspace: LoopbackWorkspace) -> Workspace:
    return open_workspace()


class Noted(UpdateObserver):
    """Keeps all that it hears."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.notes: list[str] = []
        self.counts: list[Sequence[DatasetProgress]] = []

    def state(self, state: str) -> None:
        self.states.append(state)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, datasets: Sequence[DatasetProgress]) -> None:
        self.counts.append(datasets)


def watched(held: HeldPipeline, folder: Path | None = None) -> WatchedPipeline:
    return WatchedPipeline(held.id, "fhir_api", folder, "main.clinic")


def end_of(
    script: Script,
    workspace: LoopbackWorkspace,
    opened: Workspace,
    held: HeldPipeline,
    clock: FastClock,
    observer: UpdateObserver | None = None,
    folder: Path | None = None,
) -> UpdateEnd:
    """How an update that goes as ``script`` says ends for who watches it."""
    workspace.updates.next(held.id, script)
    pipeline = watched(held, folder)
    update_id = start_update(opened, pipeline)
    return watch_update(opened, pipeline, update_id, observer, sleep=clock.sleep, clock=clock.time)


def test_every_state_and_dataset_is_shown_and_the_end_is_a_table(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    quality = flow("main.clinic.patients", "RUNNING", expectations={"has id": (3, 1)}, dropped=1)
    script = completed({"main.clinic.patients": 3, "main.clinic.encounters": 4_000}, events=[quality])
    workspace.updates.next(held.id, script)
    workspace.updates.start(held.id)
    ended = command("watch", "fhir_api")
    assert ended.code == 0
    assert re.findall(r"(?m)^ .* s  ([A-Z_]+)$", ended.err) == [
        *("WAITING_FOR_RESOURCES", "INITIALIZING", "SETTING_UP_TABLES", "RUNNING", "COMPLETED"),
    ]
    assert "encounters: completed, 4,000 rows" in ended.err
    assert ended.out.startswith("fhir_api: COMPLETED in ")
    assert re.search(r"patients +3 +1 +completed", ended.out)
    assert re.search(r"encounters +4,000 +0 +completed", ended.out)
    assert re.search(r"patients +has id +3 +1", ended.out)


def test_the_end_as_json_has_rows_quality_and_the_address(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, completed({"patients": 3}))
    update = workspace.updates.start(held.id)
    ended = command("watch", "fhir_api", "--json")
    document = json.loads(ended.out)
    assert (ended.code, document["state"], document["update_id"]) == (0, "COMPLETED", update.id)
    assert document["url"] == f"{workspace.url}/pipelines/{held.id}/updates/{update.id}"
    assert document["datasets"] == [
        {"name": "patients", "state": "completed", "rows": 3, "dropped": 0, "expectations": []}
    ]


def test_without_an_id_the_newest_update_is_watched_and_with_one_that_one(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    first, newest = workspace.updates.run(held.id), workspace.updates.run(held.id)
    assert json.loads(command("watch", held.id, "--json").out)["update_id"] == newest.id
    assert json.loads(command("watch", held.id, "--update", first.id, "--json").out)["update_id"] == first.id


def test_a_pipeline_without_updates_is_told_how_to_start_one(held: HeldPipeline, command: Command) -> None:
    ended = command("watch", "fhir_api")
    assert ended.code == 1
    assert "has had no update yet\n  'connector-lib start fhir_api' starts one" in ended.err


def test_an_update_that_is_not_there_is_an_error_with_the_way_to_those_that_are(
    held: HeldPipeline, command: Command
) -> None:
    ended = command("watch", "fhir_api", "--update", "no-such-update")
    assert ended.code == 1
    assert "'connector-lib status fhir_api' lists the updates" in ended.err


def test_counts_go_up_while_the_update_runs(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    steps = [("RUNNING", (flow("patients", "RUNNING", 10),)) for _ in range(3)]
    script = Script((*steps, ("COMPLETED", (flow("patients", "COMPLETED", expectations={"has id": (29, 1)}),))))
    noted = Noted()
    end = end_of(script, workspace, opened, held, clock, noted)
    assert [counts[0].rows for counts in noted.counts if counts] == [20, 30, 30]
    assert end.datasets == (DatasetProgress("patients", "completed", 30, 0, (ExpectationCount("has id", 29, 1),)),)


def test_questions_come_more_seldom_while_nothing_happens(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    steps = (*[("RUNNING", ())] * 15, ("COMPLETED", ()))
    end_of(Script(steps), workspace, opened, held, clock)
    assert clock.slept[:3] == [2.0, 2.5, 3.125]
    assert max(clock.slept) == 10.0


def test_events_of_other_updates_count_for_nothing(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    workspace.updates.ignores_update_filter = True
    workspace.updates.next(held.id, failed(error("[TABLE_OR_VIEW_NOT_FOUND] The table or view `old` cannot be found.")))
    workspace.updates.run(held.id)
    end = end_of(failed(STAYS, datasets=["patients"]), workspace, opened, held, clock)
    assert end.failure is not None
    assert end.failure.known == "no tables"
    assert [dataset.name for dataset in end.datasets] == ["patients"]


@pytest.mark.parametrize("late", [0, 1, 3, 5])
def test_the_oldest_error_is_the_cause_however_late_it_is_listed(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock, late: int
) -> None:
    cause = error("[UNRESOLVED_COLUMN] x `birthdate`", dataset="main.clinic.patients", late=late, earlier=30)
    script = failed(Event("update_progress", "The update failed.", "ERROR"), cause)
    end = end_of(script, workspace, opened, held, clock)
    assert end.failure is not None
    assert (end.failure.known, end.failure.dataset) == ("column not found", "patients")


def test_of_two_errors_the_older_one_is_the_cause_though_it_is_listed_last(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    consequence = error("[TABLE_OR_VIEW_NOT_FOUND] `visits`")
    cause = error("[NO_TABLES_IN_PIPELINE] x", late=1, earlier=30)
    end = end_of(failed(consequence, cause), workspace, opened, held, clock)
    assert end.failure is not None
    assert end.failure.known == "no tables"


def test_a_failure_without_any_error_event_is_told_as_one_without_a_reason(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    end = end_of(failed(), workspace, opened, held, clock)
    assert end.failure is not None
    assert "logs fhir_api --verbose" in end.failure.remedy
    assert clock.now < 60


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.message[-60:])
def test_a_known_failure_is_told_with_its_cause_and_what_to_do(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock, sample: Sample
) -> None:
    end = end_of(failed(error(*sample.messages, dataset="main.clinic.patients")), workspace, opened, held, clock)
    assert end.state == "FAILED"
    assert end.failure is not None
    assert end.failure.known == sample.known
    assert sample.tells in end.failure.cause
    assert sample.hints in end.failure.remedy
    assert end.failure.passes is sample.passes
    assert not sample.hides or sample.hides not in json.dumps(end.to_json())


def test_a_failure_is_shown_with_dataset_file_line_and_hint(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    transformations = Path("fhir_api/transformations")
    transformations.mkdir(parents=True)
    (transformations / "ingest.py").write_text("x = 1\n")
    spec = "name: fhir_api\nstorage: file:///tmp/x\nlibraries: [{glob: {include: transformations/**}}]\n"
    Path("fhir_api/spark-pipeline.yml").write_text(spec)
    Path("fhir_api/deploy.yml").write_text("catalog: main\nschema: clinic\n")
    raised = from_notebook("ModuleNotFoundError: No module named 'jwt'")
    workspace.updates.next(held.id, failed(error(raised, dataset="main.clinic.patients")))
    workspace.updates.start(held.id)
    ended = command("watch", "./fhir_api")
    assert ended.code == 1
    assert "failed: the pipeline's environment has no module 'jwt'" in ended.err
    assert "  at dataset patients, fhir_api/transformations/ingest.py:5\n" in ended.err
    assert "  the workspace says: ModuleNotFoundError: No module named 'jwt'\n" in ended.err
    assert "'connector-lib deploy ./fhir_api'" in ended.err


def test_a_failure_that_nobody_knows_is_shown_by_one_line_without_values(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EHR_TOKEN", "hush-hush-hush")
    words = (
        "[SOMETHING_NEW] The value 'Meyerhoff' of `family` is odd; the token was hush-hush-hush\n\tat a.b.C(D.scala:7)"
    )
    workspace.updates.next(held.id, failed(error(words)))
    workspace.updates.start(held.id)
    ended = command("watch", "fhir_api")
    assert "failed: [SOMETHING_NEW] The value … of `family` is odd; the token was *****\n" in ended.err
    assert "Meyerhoff" not in ended.err + ended.out
    assert "hush" not in ended.err + ended.out
    assert "D.scala" not in ended.err


def test_who_canceled_an_update_is_said(workspace: LoopbackWorkspace, held: HeldPipeline, command: Command) -> None:
    action = {"user_action": {"action": "STOP", "user_name": "bob@example.com"}}
    workspace.updates.next(held.id, canceled(Event("user_action", "stopped", details=action)))
    workspace.updates.start(held.id)
    ended = command("watch", "fhir_api")
    assert ended.code == 1
    assert "was canceled by bob@example.com\n" in ended.err


def test_a_cancel_that_nobody_owns_up_to_is_said_to_be_one(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, canceled())
    workspace.updates.start(held.id)
    assert "was canceled; the workspace does not say by whom" in command("watch", "fhir_api").err


def test_an_update_that_the_service_starts_after_a_failure_is_followed(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    retried = completed({"patients": 3})
    workspace.updates.next(held.id, failed(PASSES, followed_by=failed(PASSES, followed_by=retried)))
    first = workspace.updates.start(held.id)
    ended = command("watch", "fhir_api", "--json")
    second, third = [update.id for update in workspace.updates.of(held.id)][1:]
    document = json.loads(ended.out)
    assert (ended.code, document["update_id"], document["trigger"]) == (0, third, "RETRY_ON_FAILURE")
    assert document["earlier"] == [first.id, second]
    assert f"the service has started another one for it (RETRY_ON_FAILURE): {second}" in ended.err


def test_an_update_that_the_service_starts_some_seconds_after_a_failure_is_waited_for_and_said_to_be(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    noted = Noted()
    retried = failed(STAYS, followed_by=completed(), followed_after=15)
    end = end_of(retried, workspace, opened, held, clock, noted)
    assert (end.state, end.trigger) == ("COMPLETED", "RETRY_ON_FAILURE")
    waits, follows = noted.notes
    assert "the service may start another one by itself, which is waited for 20 s" in waits
    assert f"(RETRY_ON_FAILURE): {end.update_id}" in follows


def test_a_failure_that_the_service_starts_nothing_for_is_told_after_20_seconds(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    workspace.updates.next(held.id, failed(STAYS))
    pipeline = watched(held)
    update_id = start_update(opened, pipeline)
    end = watch_update(opened, pipeline, update_id, sleep=clock.sleep, clock=clock.time)
    assert end.failure is not None
    assert end.failure.known == "no tables"
    assert clock.now - end.seconds == pytest.approx(20, abs=2)


@pytest.mark.parametrize("how", ["development", "validation", "ended before"])
def test_nothing_is_waited_for_where_the_service_starts_nothing(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock, how: str
) -> None:
    held.spec["development"] = how == "development"
    workspace.updates.next(held.id, failed(STAYS, followed_by=completed()))
    pipeline = watched(held)
    if how == "ended before":
        update_id = workspace.updates.run(held.id).id
    else:
        update_id = start_update(opened, pipeline, validate_only=how == "validation")
    noted = Noted()
    end = watch_update(opened, pipeline, update_id, noted, sleep=clock.sleep, clock=clock.time)
    assert (end.state, noted.notes) == ("FAILED", [])
    assert clock.now == pytest.approx(end.seconds, abs=0.1)


def test_a_workspace_that_does_not_say_what_it_started_leaves_the_cause_on_the_screen(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    class LosesTheList(Noted):
        def state(self, state: str) -> None:
            super().state(state)
            if state == "FAILED":
                workspace.desk.fail("GET /api/2.0/pipelines/{id}/updates", 500, error_code="INTERNAL_ERROR")

    noted = LosesTheList()
    end = end_of(failed(STAYS), workspace, opened, held, clock, noted)
    assert end.failure is not None
    assert "whether the service has started another update is not known" in noted.notes[0]


def test_what_the_service_starts_while_a_retry_is_waited_for_takes_its_place(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    workspace.updates.next(held.id, failed(PASSES, followed_by=completed({"patients": 3}), followed_after=50))
    noted = Noted()
    end = update_with_retries(opened, watched(held), retries=1, observer=noted, sleep=clock.sleep, clock=clock.time)
    first, second = workspace.updates.of(held.id)
    assert (end.state, end.update_id, end.earlier) == ("COMPLETED", second.id, (first.id,))
    assert second.cause == "RETRY_ON_FAILURE"
    assert f"(RETRY_ON_FAILURE): {second.id}" in noted.notes[-1]


def test_what_somebody_else_starts_while_a_retry_is_waited_for_is_named(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    workspace.updates.next(held.id, failed(PASSES), endless())

    class SomebodyStarts(Noted):
        def note(self, text: str) -> None:
            super().note(text)
            if "started again" in text:
                workspace.updates.start(held.id)

    with pytest.raises(WorkspaceError, match="is running already"):
        update_with_retries(
            opened, watched(held), retries=1, observer=SomebodyStarts(), sleep=clock.sleep, clock=clock.time
        )


def test_an_update_that_somebody_starts_after_a_failure_is_not_followed(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    workspace.updates.next(held.id, failed(STAYS))
    old = workspace.updates.run(held.id)
    workspace.updates.run(held.id)
    assert watch_update(opened, watched(held), old.id, sleep=clock.sleep, clock=clock.time).state == "FAILED"


def test_a_cause_that_passes_is_met_by_starting_again(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    workspace.updates.next(held.id, failed(PASSES), failed(PASSES), completed())
    noted = Noted()
    end = update_with_retries(
        opened,
        watched(held),
        retries=3,
        observer=noted,
        full_refresh=("patients",),
        sleep=clock.sleep,
        clock=clock.time,
    )
    assert end.completed
    started = workspace.updates.of(held.id)
    assert [update.asked for update in started] == [{"full_refresh_selection": ["patients"]}] * 3
    assert end.earlier == (started[0].id, started[1].id)
    assert [pause for pause in clock.slept if pause > 10] == [30.0, 60.0]
    assert [note for note in noted.notes if "started again in 30 s (3 of 3 left)" in note]


def test_a_cause_that_needs_a_change_is_not_met_by_starting_again(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    workspace.updates.next(held.id, failed(STAYS), completed())
    end = update_with_retries(opened, watched(held), retries=3, sleep=clock.sleep, clock=clock.time)
    assert (end.state, len(workspace.updates.of(held.id))) == ("FAILED", 1)


def test_the_last_failure_counts_when_all_tries_are_used(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    workspace.updates.next(held.id, failed(PASSES), failed(PASSES), completed())
    end = update_with_retries(opened, watched(held), retries=1, sleep=clock.sleep, clock=clock.time)
    assert (end.state, len(workspace.updates.of(held.id)), len(end.earlier)) == ("FAILED", 2, 1)


def test_a_lost_answer_does_not_end_the_watch(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    noted = Noted()
    workspace.desk.fail("GET /api/2.0/pipelines/{id}/updates/{update}", 500, times=2, error_code="INTERNAL_ERROR")
    assert end_of(completed({"patients": 3}), workspace, opened, held, clock, noted).completed
    assert len([note for note in noted.notes if "is asked for again" in note]) == 2


def test_a_workspace_that_limits_its_requests_is_waited_for(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    noted = Noted()
    workspace.desk.fail("GET /api/2.0/pipelines/{id}/events", 429, error_code="REQUEST_LIMIT_EXCEEDED")
    assert end_of(completed({"patients": 3}), workspace, opened, held, clock, noted).completed
    assert noted.notes == []


def test_five_lost_answers_in_a_row_end_the_watch_and_say_how_to_go_on(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    workspace.desk.fail("GET /api/2.0/pipelines/{id}/updates/{update}", 500, times=5, error_code="INTERNAL_ERROR")
    with pytest.raises(WorkspaceError) as failure:
        end_of(endless(), workspace, opened, held, clock)
    (update,) = workspace.updates.of(held.id)
    assert f"'connector-lib watch fhir_api --update {update.id}' watches it again" in failure.value.hint


def test_a_login_that_expires_ends_the_watch_and_says_how_to_go_on(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, endless())
    workspace.updates.start(held.id)
    workspace.desk.fail("GET /api/2.0/pipelines/{id}/events", 401, error_code="UNAUTHENTICATED", message="Expired.")
    ended = command("watch", "fhir_api")
    assert ended.code == 1
    assert "databricks auth login" in ended.err
    assert "'connector-lib watch fhir_api --update" in ended.err


def test_a_continuous_pipeline_is_said_to_run_until_it_is_stopped(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    class StopAfterThree(Noted):
        def progress(self, datasets: Sequence[DatasetProgress]) -> None:
            super().progress(datasets)
            if len(self.counts) == 3:
                opened.client.pipelines.stop(held.id)

    noted = StopAfterThree()
    end = end_of(endless(continuous=True), workspace, opened, held, clock, noted)
    assert (end.state, end.stopped_by) == ("CANCELED", ADMIN)
    assert noted.notes == ["the pipeline is continuous: the update runs until it is stopped"]


def test_the_state_of_the_pipeline_says_nothing_of_the_update(
    workspace: LoopbackWorkspace, opened: Workspace, held: HeldPipeline, clock: FastClock
) -> None:
    workspace.updates.next(held.id, failed(PASSES, followed_by=endless(), followed_after=0))
    first = workspace.updates.run(held.id)
    assert (first.state, held.state) == ("FAILED", "RUNNING")
    asked = workspace.desk.asked("GET /api/2.0/pipelines/{id}")

    class Stop(Noted):
        def note(self, text: str) -> None:
            super().note(text)
            opened.client.pipelines.stop(held.id)

    noted = Stop()
    end = watch_update(opened, watched(held), first.id, noted, sleep=clock.sleep, clock=clock.time)
    assert (end.state, end.earlier) == ("CANCELED", (first.id,))
    assert workspace.desk.asked("GET /api/2.0/pipelines/{id}") == asked


def test_ctrl_c_leaves_the_update_running_and_says_how_to_go_on(
    workspace: LoopbackWorkspace, held: HeldPipeline
) -> None:
    workspace.updates.next(held.id, endless())
    update = workspace.updates.start(held.id)
    program = "import sys; from connector_lib.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "watch", "fhir_api"],
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        read = ""
        until = time.monotonic() + 60
        while "RUNNING" not in read and process.poll() is None and time.monotonic() < until:
            read += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert f"the update goes on; 'connector-lib watch fhir_api --update {update.id}' watches it again\n" in err
    assert "stopped by Ctrl-C" in err
    assert out == ""
    assert not workspace.updates.all[update.id].ended
