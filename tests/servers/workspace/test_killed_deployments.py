"""A command that is killed after any of its requests, and run again, leaves what an undisturbed one leaves.

It is killed by SIGKILL when the workspace has carried the request out and has not answered yet.
"""

from __future__ import annotations

import os
import signal
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from connector_lib.deploy.wheel_building import find_or_build_wheel
from connector_lib.testing.exchange import ApiRequest
from tests.servers.workspace.forked_commands import ForkedCommand, ForkingProcess
from tests.servers.workspace.loopback.server import BOB, LoopbackWorkspace
from tests.servers.workspace.loopback.updates import Script
from tests.servers.workspace.published_wheels import put_release
from tests.servers.workspace.workspace_state import workspace_state
from tests.unit.deploy.wheels import small_wheel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")

SECRET = "hush-4711-hush"
TABLE = """\
from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession


@dp.materialized_view
def {name}() -> DataFrame:
    return SparkSession.active().range({rows})
"""
SPECIFICATION = """\
name: clinic
storage: file:///tmp/clinic
libraries:
  - glob:
      include: transformations/**
configuration:
  clinic.name: {clinic}
"""
OLD_DEPLOYMENT = """\
catalog: main
schema: clinic
create_schema: true
continuous: true
configuration:
  spark.clinic.region: north
tags: {stage: old, cost: lab}
permissions:
  - {user_name: bob@example.com, level: CAN_VIEW}
"""
NEW_DEPLOYMENT = """\
catalog: main
schema: clinic
create_schema: true
development: true
configuration:
  spark.clinic.season: winter
tags: {stage: new}
permissions:
  - {user_name: bob@example.com, level: CAN_RUN}
  - {user_name: ann@example.com, level: CAN_VIEW}
"""


Ground: TypeAlias = Callable[[LoopbackWorkspace], object]
"""Lays the ground in an empty workspace."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: the ``ground`` that is laid in an empty workspace, and the command on it."""

    ground: Ground
    command: tuple[object, ...]
    again: Callable[[int, str], bool] = lambda code, printed: code == 0
    """Whether a second run has ended and spoken as it should."""


class Trials:
    """Runs commands in processes of their own and kills them, after one request and then another."""

    def __init__(self, processes: ForkingProcess) -> None:
        self.processes = processes

    def run(self, workspace: LoopbackWorkspace, *arguments: object) -> tuple[int, str]:
        """The exit code and all that was printed."""
        started = self.processes.start(arguments, self._login(workspace))
        return started.wait(), started.printed

    def done(self, workspace: LoopbackWorkspace, *arguments: object) -> None:
        """Runs a command that has to go well."""
        code, printed = self.run(workspace, *arguments)
        assert code == 0, printed

    def killed(self, workspace: LoopbackWorkspace, writes: int, arguments: tuple[object, ...]) -> int:
        """How the command ended, when it is killed once so many of its requests that write were carried out, before the
        last of them is answered; 0: it has fewer and was not killed.

        A request that only reads leaves what the one before it left, so these are all the states that a kill after any
        request can leave behind.
        """
        written, waiting = 0, list[ForkedCommand]()

        def kill(_: int, request: ApiRequest) -> None:
            nonlocal written
            with workspace.desk.lock:
                written += request.method not in ("GET", "HEAD")
                if written == writes:
                    os.kill(waiting[0].process_id, signal.SIGKILL)

        # Its first request may come before its process id is known here, and waits for that.
        with workspace.desk.lock:
            workspace.desk.before_reply = kill
            waiting.append(self.processes.start(arguments, self._login(workspace)))
        ended = waiting[0].wait()
        workspace.desk.before_reply = None
        assert ended in (0, -signal.SIGKILL), waiting[0].printed
        return ended

    @staticmethod
    def _login(workspace: LoopbackWorkspace) -> dict[str, str]:
        return {"DATABRICKS_HOST": workspace.url, "DATABRICKS_TOKEN": workspace.token, "CLINIC_TOKEN": SECRET}

    def every_kill_is_mended(self, trial: Trial) -> int:
        """Kills the command after each request that writes and runs it again; how many there are."""
        with LaidGround(trial.ground) as workspace:
            self.done(workspace, *trial.command)
            wanted = workspace_state(workspace)
        writes = 0
        while True:
            writes += 1
            with LaidGround(trial.ground) as workspace:
                if self.killed(workspace, writes, trial.command) == 0:
                    return writes - 1
                code, printed = self.run(workspace, *trial.command)
                assert trial.again(code, printed), f"killed after write {writes}: {code}, {printed}"
                assert workspace_state(workspace) == wanted, f"killed after write {writes}"


class LaidGround:
    """A workspace on which the ground was laid, as a context manager."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._open = ExitStack()

    def __enter__(self) -> LoopbackWorkspace:
        workspace = self._open.enter_context(LoopbackWorkspace())
        self._ground(workspace)
        return workspace

    def __exit__(self, *raised: Any) -> None:
        self._open.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package installed in a folder by itself, away from its source tree: ``--dev`` packs that one, quickly."""
    wheel = find_or_build_wheel(None, tmp_path_factory.mktemp("wheel"), say=lambda _: None)
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel.path) as packed:
        packed.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory, site: Path) -> Iterator[Trials]:
    with ForkingProcess(tmp_path_factory.mktemp("processes"), site) as processes:
        yield Trials(processes)


def write_pipeline(folder: Path, clinic: str, deployment: str, tables: Mapping[str, tuple[str, int]]) -> Path:
    """A pipeline folder; ``tables`` are the name of a table and its rows by the file that defines it."""
    files = {
        "spark-pipeline.yml": SPECIFICATION.format(clinic=clinic),
        "deploy.yml": deployment,
        **{f"transformations/{file}.py": TABLE.format(name=name, rows=rows) for file, (name, rows) in tables.items()},
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def old_folder(tmp_path: Path) -> Path:
    return write_pipeline(
        tmp_path / "old",
        "Old House",
        OLD_DEPLOYMENT,
        {"stays": ("stays", 1), "changes": ("changes", 1), "inner/goes": ("goes", 1)},
    )


@pytest.fixture
def new_folder(tmp_path: Path) -> Path:
    return write_pipeline(
        tmp_path / "new",
        "New House",
        NEW_DEPLOYMENT,
        {"stays": ("stays", 1), "changes": ("changes", 2), "other/comes": ("comes", 1)},
    )


@pytest.fixture
def published(tmp_path: Path) -> Ground:
    """Lays the ground that every deployment needs: a release in the Volume, a catalog, and another pipeline."""

    def lay(workspace: LoopbackWorkspace) -> None:
        put_release(workspace, tmp_path / "wheels")
        workspace.catalog.add_schema("main.default")
        workspace.pipelines.put("clinic of bob", BOB)

    return lay


@pytest.fixture
def deployed(trials: Trials, published: Ground, old_folder: Path) -> Ground:
    """Lays the ground for a deployment over an older one."""

    def lay(workspace: LoopbackWorkspace) -> None:
        published(workspace)
        trials.done(workspace, "deploy", old_folder)

    return lay


def test_a_first_deployment(trials: Trials, published: Ground, new_folder: Path) -> None:
    writes = trials.every_kill_is_mended(Trial(published, ("deploy", new_folder)))
    # The schema, the folder and those in it, the record twice, every file, the pipeline, its permissions.
    assert writes >= 9


def test_a_deployment_over_an_older_one_whose_files_and_settings_differ_and_that_starts_an_update(
    trials: Trials, deployed: Ground, new_folder: Path
) -> None:
    def lay(workspace: LoopbackWorkspace) -> None:
        deployed(workspace)
        workspace.updates.usual = Script((("COMPLETED", ()),))

    writes = trials.every_kill_is_mended(Trial(lay, ("deploy", new_folder, "--watch")))
    assert writes >= 8


def test_a_killed_deployment_has_nothing_left_to_change_once_it_was_run_again(
    trials: Trials, deployed: Ground, new_folder: Path
) -> None:
    with LaidGround(deployed) as workspace:
        assert trials.killed(workspace, 3, ("deploy", new_folder)) == -signal.SIGKILL
        trials.done(workspace, "deploy", new_folder)
        asked = len(workspace.desk.requests)
        trials.done(workspace, "deploy", new_folder)
        assert {it.method for it in workspace.desk.requests[asked:]} <= {"GET", "HEAD"}


def test_a_deployment_of_ones_own_copy_with_a_wheel_built_for_it(
    trials: Trials, published: Ground, new_folder: Path
) -> None:
    trials.every_kill_is_mended(Trial(published, ("deploy", new_folder, "--dev")))


def test_a_pipeline_made_anew(trials: Trials, deployed: Ground, new_folder: Path) -> None:
    trials.every_kill_is_mended(Trial(deployed, ("deploy", new_folder, "--recreate", "--yes")))


def test_an_update_that_a_killed_deployment_started_is_watched_by_the_next_one_and_is_the_only_one(
    trials: Trials, deployed: Ground, old_folder: Path
) -> None:
    with LaidGround(deployed) as workspace:
        pipeline_id = workspace.pipelines.named("clinic").id
        workspace.updates.next(pipeline_id, Script((("RUNNING", ()), ("COMPLETED", ()))))
        command = ("deploy", old_folder, "--watch")
        assert trials.killed(workspace, 1, command) == -signal.SIGKILL
        assert [it.state for it in workspace.updates.of(pipeline_id)] == ["RUNNING"]
        trials.done(workspace, *command)
        assert [it.state for it in workspace.updates.of(pipeline_id)] == ["COMPLETED"]


def test_a_release_published_into_an_empty_workspace(trials: Trials, tmp_path: Path) -> None:
    wheel = small_wheel(tmp_path / "wheels", "0.2.0").path
    writes = trials.every_kill_is_mended(Trial(lambda workspace: None, ("publish", "--create", "--wheel", wheel)))
    # The catalog, the schema, the Volume, the wheel, its checksum, LATEST.
    assert writes == 6


def test_a_release_published_beside_an_older_one(trials: Trials, tmp_path: Path) -> None:
    wheel = small_wheel(tmp_path / "wheels", "0.2.0").path
    trials.every_kill_is_mended(
        Trial(lambda workspace: put_release(workspace, tmp_path / "older"), ("publish", "--wheel", wheel))
    )


def test_a_connection_is_created_once_and_the_second_command_says_that_it_is_there(trials: Trials) -> None:
    options = ["base_url=http://127.0.0.1:9/fhir", "auth_type=bearer", "token=${CLINIC_TOKEN}"]
    given = [word for text in options for word in ("--option", text)]

    def told_that_it_is_there(code: int, printed: str) -> bool:
        return code == 1 and "connector-lib connection update fhir" in printed

    command = ("connection", "create", "fhir", "--source", "fhir", *given)
    assert trials.every_kill_is_mended(Trial(lambda workspace: None, command, told_that_it_is_there)) == 1


def test_a_deletion_after_which_the_second_command_says_that_nothing_is_left(
    trials: Trials, deployed: Ground, old_folder: Path
) -> None:
    def gone_or_nothing_left(code: int, printed: str) -> bool:
        return code == 0 or "there is no pipeline 'clinic'" in printed

    trials.every_kill_is_mended(Trial(deployed, ("delete", old_folder, "--yes"), gone_or_nothing_left))
