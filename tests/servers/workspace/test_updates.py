"""Updates that are started and looked at: ``start``, ``status`` and ``logs``."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

import connector_lib.cli.updates as updates_command
from connector_lib.cli.update_output import follow
from connector_lib.deploy.updates import UpdateEnd, UpdateObserver, start_update, update_with_retries
from connector_lib.deploy.watched_pipeline import WatchedPipeline
from connector_lib.deploy.workspace import open_workspace
from connector_lib.errors import WorkspaceError
from tests.servers.workspace.conftest import Command
from tests.servers.workspace.fast_clock import FastClock
from tests.servers.workspace.loopback.pipelines import HeldPipeline
from tests.servers.workspace.loopback.server import ADMIN, BOB, LoopbackWorkspace
from tests.servers.workspace.loopback.updates import completed, endless, error, failed, flow
from tests.servers.workspace.terminals import on_terminal

WHEEL = "/Volumes/shared/libraries/python_packages/connector_lib/connector_lib-0.1.0-py3-none-any.whl"
START = "POST /api/2.0/pipelines/{id}/updates"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> FastClock:
    fast = FastClock()
    monkeypatch.setattr(updates_command, "sleep", fast.sleep)
    monkeypatch.setattr(updates_command, "monotonic", fast.time)
    return fast


@pytest.fixture
def held(workspace: LoopbackWorkspace) -> HeldPipeline:
    return workspace.pipelines.put(
        "fhir_api",
        ADMIN,
        catalog="main",
        schema="clinic",
        libraries=[],
        environment={"dependencies": [WHEEL, "pyjwt>=2.9"]},
    )


def test_an_update_is_started_and_watched_to_its_end(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, completed({"main.clinic.patients": 3}))
    ended = command("start", "fhir_api")
    (update,) = workspace.updates.of(held.id)
    assert (ended.code, update.asked, update.state) == (0, {}, "COMPLETED")
    assert f"update {update.id}: {workspace.url}/pipelines/{held.id}/updates/{update.id}\n" in ended.err


def test_an_update_that_fails_ends_with_exit_code_1(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, failed(error("[NO_TABLES_IN_PIPELINE] x")))
    ended = command("start", "fhir_api", "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["failure"]["known"] == "no tables"


def test_without_watching_the_id_is_printed_at_once(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, endless())
    ended = command("start", "fhir_api", "--no-watch")
    (update,) = workspace.updates.of(held.id)
    assert (ended.code, ended.out) == (0, f"{update.id}\n")
    assert update.state == "QUEUED"


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ([], {}),
        (["--full-refresh"], {"full_refresh": True}),
        (["patients", "--full-refresh"], {"full_refresh_selection": ["patients"]}),
        (["--full-refresh", "patients", "encounters"], {"full_refresh_selection": ["patients", "encounters"]}),
        (["encounters"], {"refresh_selection": ["encounters"]}),
        (["--validate-only"], {"validate_only": True}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_refreshed_is_what_was_asked_for(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command, arguments: list[str], asked: dict[str, object]
) -> None:
    assert command("start", "fhir_api", *arguments, "--yes").code == 0
    (update,) = workspace.updates.of(held.id)
    assert update.asked == asked


def test_what_will_be_emptied_is_said_before(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    assert "every table will be emptied" in command("start", "fhir_api", "--full-refresh", "--yes").err
    assert "patients will be emptied" in command("start", "fhir_api", "patients", "--full-refresh", "--yes").err


def test_without_a_terminal_tables_are_emptied_only_with_yes(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    ended = command("start", "fhir_api", "patients", "--full-refresh")
    assert ended.code == 2
    assert "this would empty patients of the pipeline fhir_api, and read it again" in ended.err
    assert "add --yes to do it" in ended.err
    assert workspace.updates.of(held.id) == []


def test_on_a_terminal_a_no_leaves_the_tables_as_they_are(workspace: LoopbackWorkspace, held: HeldPipeline) -> None:
    code, shown = on_terminal("start", "fhir_api", "--full-refresh", question="?", answer="n")
    assert (code, workspace.updates.of(held.id)) == (130, [])
    assert "Empty every table of the pipeline fhir_api" in shown


def folder_of(path: Path, name: str, file: str) -> Path:
    """A pipeline folder with one transformation file."""
    folder = path / name
    (folder / "transformations").mkdir(parents=True)
    (folder / "transformations/a.py").write_text(file)
    spec = f"name: {name}\nstorage: file:///tmp/x\nlibraries: [{{glob: {{include: transformations/**}}}}]\n"
    (folder / "spark-pipeline.yml").write_text(spec)
    (folder / "deploy.yml").write_text("catalog: main\nschema: clinic\ntargets: {prod: {name: clinic-prod}}\n")
    return folder


def test_a_table_that_the_files_do_not_define_is_refused_and_the_one_like_it_named(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command, tmp_path: Path
) -> None:
    defined = "from pyspark import pipelines as dp\n\ndp.create_streaming_table('patients')\n"
    folder = folder_of(tmp_path, "fhir_api", defined)
    ended = command("start", folder, "patient", "--full-refresh")
    assert ended.code == 2
    assert "has no table 'patient'\n  did you mean 'patients'? tables: patients" in ended.err
    assert workspace.updates.of(held.id) == []
    assert command("start", folder, "main.clinic.Patients", "--full-refresh", "--yes").code == 0


def test_a_table_that_the_last_update_did_not_know_is_left_to_the_service_with_a_word(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, completed({"main.clinic.patients": 3}))
    workspace.updates.run(held.id)
    ended = command("start", "fhir_api", "encounters")
    assert ended.code == 0
    assert "note: the last update knew of no table 'encounters'; tables: patients" in ended.err


def test_a_table_that_the_last_update_did_not_know_is_not_emptied(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, completed({"main.clinic.patients": 3}))
    done = workspace.updates.run(held.id)
    ended = command("start", "fhir_api", "patient", "--full-refresh", "--yes")
    assert ended.code == 2
    assert "has no table 'patient'\n  did you mean 'patients'? tables: patients" in ended.err
    assert workspace.updates.of(held.id) == [done]


def test_events_of_an_update_that_there_is_not_are_an_error(held: HeldPipeline, command: Command) -> None:
    ended = command("logs", "fhir_api", "--update", "6fc8a8aa-0000-0000-0000-000000000000")
    assert (ended.code, ended.out) == (1, "")
    assert "the pipeline fhir_api has no update 6fc8a8aa-0000-0000-0000-000000000000\n" in ended.err
    assert "'connector-lib status fhir_api' lists its last updates" in ended.err


def test_a_second_update_beside_a_running_one_is_refused_and_the_running_one_named(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, endless())
    running = workspace.updates.start(held.id)
    ended = command("start", "fhir_api")
    assert ended.code == 1
    assert f"is running already: the update {running.id} of 2023-11-14T22:13:21Z (USER_ACTION) is QUEUED" in ended.err
    assert f"'connector-lib watch fhir_api --update {running.id}' watches it" in ended.err


def test_a_start_whose_answer_is_lost_starts_one_update(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, endless())
    workspace.desk.fail(START, 503, after=True)
    ended = command("start", "fhir_api", "--no-watch")
    (update,) = workspace.updates.of(held.id)
    assert (ended.code, ended.out) == (0, f"{update.id}\n")


def test_an_update_of_somebody_else_is_not_taken_for_the_own_one_whose_answer_was_lost(
    workspace: LoopbackWorkspace, held: HeldPipeline
) -> None:
    pipeline, opened = WatchedPipeline(held.id, "fhir_api"), open_workspace()
    workspace.updates.next(held.id, endless())

    def somebody_starts(number: int, request: object) -> None:
        workspace.desk.before_reply = None
        workspace.updates.start(held.id, "API_CALL", {"full_refresh": True})

    workspace.desk.before_reply = somebody_starts
    with pytest.raises(WorkspaceError, match="is running already"):
        start_update(opened, pipeline)


def test_who_may_not_run_the_pipeline_cannot_start_it(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.grants[BOB] = "CAN_VIEW"
    monkeypatch.setenv("DATABRICKS_TOKEN", workspace.token_of(BOB))
    ended = command("start", "fhir_api")
    assert ended.code == 1
    assert "cannot start the pipeline fhir_api" in ended.err
    assert "PERMISSION_DENIED" in ended.err
    assert command("status", "fhir_api").code == 0


def test_retries_of_an_update_that_is_not_watched_make_no_sense(held: HeldPipeline, command: Command) -> None:
    assert command("start", "fhir_api", "--no-watch", "--retries", "2").code == 2


def test_a_pipeline_is_found_by_its_folder_and_target(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, "clinic", "x = 1\n")
    prod = workspace.pipelines.put("clinic-prod", ADMIN, catalog="main", schema="clinic", libraries=[])
    workspace.updates.next(prod.id, failed(error("[DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE] x")))
    ended = command("start", folder, "--target", "prod")
    assert len(workspace.updates.of(prod.id)) == 1
    assert f"'connector-lib start {folder} --full-refresh TABLE --target prod'" in ended.err


def test_where_the_pipeline_of_a_target_is_not_there_the_next_command_names_the_target(
    workspace: LoopbackWorkspace, command: Command, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, "clinic", "x = 1\n")
    status, configure = (command(it, folder, "--target", "prod") for it in ("status", "configure"))
    assert (status.code, configure.code) == (1, 1)
    assert f"'connector-lib deploy {folder} --target prod' makes it" in status.err
    assert f"'connector-lib deploy {folder} --dev' makes it" in command("status", folder, "--dev").err


def test_the_status_shows_state_health_wheel_and_updates(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, completed(), failed(error("[NO_TABLES_IN_PIPELINE] x", dataset="patients")))
    first, second = workspace.updates.run(held.id), workspace.updates.run(held.id)
    ended = command("status", "fhir_api")
    assert ended.code == 0
    assert ended.out.startswith(f"fhir_api ({held.id}): IDLE, UNHEALTHY\nruns as {ADMIN}, ")
    assert f"wheel: {WHEEL}\n" in ended.out
    assert ended.out.index(second.id) < ended.out.index(first.id)
    assert "the newest one failed: the files of the pipeline define no table (patients)" in ended.out


def test_the_status_as_json_has_as_many_updates_as_asked_for(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    updates = [workspace.updates.run(held.id) for _ in range(7)]
    document = json.loads(command("status", "fhir_api", "--limit", 6, "--json").out)
    assert [update["id"] for update in document["updates"]] == [update.id for update in updates[:0:-1]]
    assert document["updates"][-1]["started"].endswith("Z")
    assert (document["state"], document["health"], document["wheels"]) == ("IDLE", "HEALTHY", [WHEEL])
    assert document["failure"] is None


def test_the_logs_are_the_events_of_the_newest_update_the_oldest_first(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    first = workspace.updates.run(held.id)
    workspace.updates.next(held.id, completed({"main.clinic.patients": 3}))
    workspace.updates.run(held.id)
    events = json.loads(command("logs", "fhir_api", "--json").out)
    assert [event["time"] for event in events] == sorted(event["time"] for event in events)
    assert events[0]["event_type"] == "create_update"
    assert "main.clinic.patients" in {event["dataset"] for event in events}
    of_first = json.loads(command("logs", "fhir_api", "--update", first.id, "--json").out)
    assert not {event["id"] for event in events} & {event["id"] for event in of_first}


def test_the_logs_are_cut_to_the_newest_events_of_a_level(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    workspace.updates.next(held.id, failed(error("first"), error("second"), flow("patients", "SKIPPED")))
    workspace.updates.run(held.id)
    lines = command("logs", "fhir_api", "--level", "ERROR", "--limit", 2).out.splitlines()
    assert [line.split("  ")[1].strip() for line in lines if not line.startswith(" ")] == ["ERROR", "ERROR"]
    assert "    second" in lines
    assert "    first" not in lines


def test_the_logs_show_values_of_rows_only_when_asked_to(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EHR_TOKEN", "hush-hush-hush")
    words = "[CAST_INVALID_INPUT] The value 'Meyerhoff' is odd, hush-hush-hush\n\tat a.b.C(D.scala:7)"
    workspace.updates.next(held.id, failed(error(words)))
    workspace.updates.run(held.id)
    shown, whole = command("logs", "fhir_api").out, command("logs", "fhir_api", "--verbose").out
    assert "    [CAST_INVALID_INPUT] The value … is odd" in shown
    assert "The value 'Meyerhoff' is odd, *****" in whole
    assert "D.scala:7" in whole
    as_json = [command("logs", "fhir_api", "--json", *option).out for option in ([], ["--verbose"])]
    told = [
        [one["message"] for event in json.loads(out) for one in event["exceptions"] if one["message"]]
        for out in as_json
    ]
    assert "Meyerhoff" not in shown + told[0][0]
    assert "Meyerhoff" in told[1][0]
    assert "hush" not in "".join((shown, whole, *as_json))


def test_logs_without_an_event_say_so(workspace: LoopbackWorkspace, held: HeldPipeline, command: Command) -> None:
    update = workspace.updates.run(held.id)
    ended = command("logs", "fhir_api", "--level", "ERROR")
    assert (ended.code, ended.out) == (0, "")
    assert f"the update {update.id} has no events of that level yet" in ended.err


def test_a_pipeline_that_is_not_there_is_an_error_with_those_that_are(
    workspace: LoopbackWorkspace, held: HeldPipeline, command: Command
) -> None:
    for name in ("start", "watch", "status", "logs"):
        ended = command(name, "fhir_apo")
        assert ended.code == 1
        assert "did you mean 'fhir_api'?" in ended.err


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_moves_and_ended_datasets_stand_above_it(
    workspace: LoopbackWorkspace, held: HeldPipeline, clock: FastClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    workspace.updates.next(held.id, completed({"main.clinic.patients": 3, "main.clinic.encounters": 4}))
    opened, pipeline = open_workspace(), WatchedPipeline(held.id, "fhir_api", schema="main.clinic")

    def watch(observer: UpdateObserver) -> UpdateEnd:
        return update_with_retries(opened, pipeline, observer=observer, sleep=clock.sleep, clock=clock.time)

    assert follow(opened, pipeline, watch).completed
    written = terminal.getvalue()
    assert "  patients                         completed, 3 rows\n" in written.replace("\r", "")
    assert "\x1b[" in written
