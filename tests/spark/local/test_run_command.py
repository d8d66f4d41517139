"""``connector-lib run`` and ``show`` on small pipelines, as their users type them, on real Spark."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector_lib.local.tables import find_table, read_rows
from connector_lib.local.warehouse import existing_warehouse

pytestmark = [pytest.mark.spark, pytest.mark.slow]

PIPELINES = Path(__file__).parents[2] / "data" / "pipelines"
COMMAND = [sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())"]


def connector_lib(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **environment},
        check=False,
    )


def run(pipeline: str | Path, source: Path, warehouse: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return connector_lib(
        *("run", PIPELINES / pipeline, "--set", f"source.storage_path={source}", "--warehouse", warehouse),
        *("--memory", "1024", "--cores", "2", *options),
    )


def rows(warehouse: Path, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_rows(find_table(existing_warehouse(warehouse), table), 1_000_000).to_pylist()
    return found


def by_name(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {dataset["name"]: dataset for dataset in report["datasets"]}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    (source / "1.txt").write_text("ann,1\nbob,\n,3\n")
    (source / "empty.txt").touch()
    return source


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs") / "warehouse"


@pytest.fixture(scope="module")
def first(source: Path, warehouse: Path) -> subprocess.CompletedProcess[str]:
    return run("readings", source, warehouse, "--json")


@pytest.fixture(scope="module")
def second(first: subprocess.CompletedProcess[str], source: Path, warehouse: Path) -> subprocess.CompletedProcess[str]:
    (source / "2.txt").write_text("ann,-5\ncid,-7\n")
    return run("readings", source, warehouse)


def test_the_report_on_stdout_is_one_json_document(first: subprocess.CompletedProcess[str]) -> None:
    assert first.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report["state"] == "completed"
    assert {name: (d["kind"], d["rows_written"], d["rows"]) for name, d in by_name(report).items()} == {
        "readings": ("streaming table", 2, 2),
        "highest": ("materialized view", 2, 2),
        "number_of_readings": ("materialized view", 1, 1),
    }


def test_progress_and_what_the_files_print_go_to_stderr(first: subprocess.CompletedProcess[str]) -> None:
    assert "readings: completed after" in first.stderr
    assert "a line that a pipeline file prints" in first.stderr


def test_quality_is_counted_for_streams_and_for_views(first: subprocess.CompletedProcess[str]) -> None:
    quality = {
        (c["dataset"], c["action"], c["rule"]): (c["checked"], c["failed"]) for c in json.loads(first.stdout)["quality"]
    }
    assert quality == {
        ("readings", "warn", "has a value"): (3, 1),
        ("readings", "drop", "has a name"): (3, 1),
        ("highest", "warn", "is positive"): (2, 1),
    }


def test_an_empty_source_file_is_named(first: subprocess.CompletedProcess[str], source: Path) -> None:
    assert json.loads(first.stdout)["notes"] == [f"{source / 'empty.txt'} is empty: it gives no row"]


def test_a_second_run_writes_only_what_is_new(second: subprocess.CompletedProcess[str], warehouse: Path) -> None:
    assert second.returncode == 0, second.stderr
    line = next(line for line in second.stdout.splitlines() if line.strip().startswith("readings "))
    assert line.split()[1:4] == ["stream", "2", "4"]
    assert sorted((row["name"], row["value"]) for row in rows(warehouse, "highest")) == [
        ("ann", 1),
        ("bob", None),
        ("cid", -7),
    ]


def test_a_full_refresh_counts_every_row_as_written(
    second: subprocess.CompletedProcess[str], source: Path, warehouse: Path
) -> None:
    report = json.loads(run("readings", source, warehouse, "--json", "--full-refresh").stdout)
    assert (by_name(report)["readings"]["rows_written"], by_name(report)["readings"]["rows"]) == (4, 4)


def test_show_prints_one_json_object_a_line(second: subprocess.CompletedProcess[str], warehouse: Path) -> None:
    shown = connector_lib("show", "number_of_readings", "--json", "--warehouse", warehouse)
    assert [json.loads(line) for line in shown.stdout.splitlines()] == [{"number": 4}]


def test_a_table_whose_checkpoint_is_lost_is_refused(
    second: subprocess.CompletedProcess[str], source: Path, warehouse: Path
) -> None:
    checkpoint = next(warehouse.glob("checkpoints/*/_checkpoints/*/*/readings"))
    aside = warehouse.parent / "aside"
    checkpoint.rename(aside)
    try:
        refused = run("readings", source, warehouse)
    finally:
        aside.rename(checkpoint)
    assert refused.returncode == 1
    assert "readings" in refused.stderr
    assert "checkpoint" in refused.stderr


@pytest.mark.long
def test_capitals_in_the_name_of_the_database_make_no_difference_to_later_runs(tmp_path: Path) -> None:
    pipeline, source, warehouse = tmp_path / "pipeline", tmp_path / "source", tmp_path / "warehouse"
    shutil.copytree(PIPELINES / "readings", pipeline)
    spec = (pipeline / "spark-pipeline.yml").read_text()
    source.mkdir()
    written = []
    for number, database in enumerate(("LabResults", "LabResults", "labresults")):
        (pipeline / "spark-pipeline.yml").write_text(f"{spec}database: {database}\n")
        (source / f"{number}.txt").write_text(f"ann,{number}\n")
        done = run(pipeline, source, warehouse, "--json")
        assert done.returncode == 0, done.stderr
        readings = by_name(json.loads(done.stdout))["readings"]
        written.append((readings["rows_written"], readings["rows"]))
    assert written == [(1, 1), (1, 2), (1, 3)]
    assert rows(warehouse, "labresults.number_of_readings") == [{"number": 3}]


def test_a_second_pipeline_with_a_table_of_the_same_name_is_refused_on_one_warehouse(
    first: subprocess.CompletedProcess[str], source: Path, warehouse: Path, tmp_path: Path
) -> None:
    shutil.copytree(PIPELINES / "readings", tmp_path / "other")
    spec = tmp_path / "other" / "spark-pipeline.yml"
    spec.write_text(spec.read_text().replace("name: readings", "name: other"))
    refused = run(tmp_path / "other", source, warehouse)
    assert refused.returncode == 1
    assert "the table 'readings'" in refused.stderr
    assert "belongs to the pipeline 'readings'. New rows of 'other' would be passed over" in refused.stderr


@pytest.mark.long
def test_a_flow_with_a_name_of_its_own_is_reported_under_its_table_and_keeps_its_name(
    source: Path, tmp_path: Path
) -> None:
    shutil.copytree(PIPELINES / "readings", tmp_path / "pipeline")
    file = tmp_path / "pipeline" / "transformations" / "copies.sql"
    flow = "CREATE FLOW {} AS INSERT INTO copies BY NAME SELECT * FROM STREAM readings;\n"
    file.write_text("CREATE STREAMING TABLE copies;\n" + flow.format("copying"))

    first = run(tmp_path / "pipeline", source, tmp_path / "warehouse", "--json")
    file.write_text("CREATE STREAMING TABLE copies;\n" + flow.format("duplicating"))
    renamed = run(tmp_path / "pipeline", source, tmp_path / "warehouse")

    assert first.returncode == 0, first.stderr
    assert by_name(json.loads(first.stdout))["copies"]["state"] == "completed"
    assert renamed.returncode == 1
    assert f"error: {file}:2: the table 'copies'" in renamed.stderr
    assert "was written by the flow 'copying'" in renamed.stderr


def test_two_flows_into_one_table_are_refused_with_both_lines(tmp_path: Path) -> None:
    refused = run("two_flows", tmp_path, tmp_path / "warehouse")
    file = PIPELINES / "two_flows" / "transformations" / "both.py"
    assert refused.returncode == 1
    assert f"{file}:17: a second flow writes the table 'both'; the first is at {file}:12" in refused.stderr


def test_with_column_hidden_in_a_function_over_an_own_view_is_refused_with_its_line(tmp_path: Path) -> None:
    refused = run("hidden_with_column", tmp_path, tmp_path / "warehouse")
    file = PIPELINES / "hidden_with_column" / "transformations" / "a_view.py"
    assert refused.returncode == 1
    assert f"{file}:12: the flow 'lengths' calls a function that uses withColumn over 'lines'" in refused.stderr


def test_a_failing_flow_is_one_message_without_stack_or_values(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "1.txt").write_text("12\nSECRET\n")
    failed = run("broken", source, tmp_path / "warehouse")
    assert failed.returncode == 1
    file = PIPELINES / "broken" / "transformations" / "broken.py"
    assert f"error: {file}:13: the flow 'numbers' failed: [CAST_INVALID_INPUT]" in failed.stderr
    assert f'("cast" at {file}:15)' in failed.stderr
    assert "SECRET" not in failed.stderr
    assert "\tat " not in failed.stderr


@pytest.mark.parametrize(
    "with_jvm",
    [pytest.param(False, id="python alone", marks=pytest.mark.long), pytest.param(True, id="python and its JVM")],
)
def test_a_killed_run_is_made_good_by_the_next(tmp_path: Path, with_jvm: bool) -> None:
    source, warehouse = tmp_path / "source", tmp_path / "warehouse"
    source.mkdir()
    for number in range(4):
        (source / f"{number}.txt").write_text("".join(f"{number}-{line}\n" for line in range(4)))
    _kill_in_the_middle(source, warehouse, with_jvm)

    again = run("slow_stream", source, warehouse, "--json")

    assert again.returncode == 0, again.stderr
    assert "did not finish; these materialized views may be empty" in again.stderr
    expected = sorted(f"{number}-{line}" for number in range(4) for line in range(4))
    assert sorted(row["value"] for row in rows(warehouse, "lines")) == expected
    assert sorted(row["value"] for row in rows(warehouse, "copies")) == expected
    assert rows(warehouse, "number") == [{"number": 16}]


def _kill_in_the_middle(source: Path, warehouse: Path, with_jvm: bool) -> None:
    arguments = ["run", PIPELINES / "slow_stream", "--set", f"source.storage_path={source}"]
    arguments += ["--set", "test.pause_seconds=0.3", "--warehouse", warehouse, "--memory", "1024"]
    process = subprocess.Popen([*COMMAND, *map(str, arguments)], stderr=subprocess.PIPE, text=True)
    log = warehouse / "tables" / "lines" / "_spark_metadata"
    deadline = time.monotonic() + 120
    while not (log / "0").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    jvms = list(_children(process.pid))
    process.kill()
    for jvm in jvms if with_jvm else ():
        os.kill(jvm, signal.SIGKILL)
    process.communicate()
    assert not (log / "3").exists()


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        yield from map(int, task.read_text().split())


def test_ctrl_c_while_spark_starts_leaves_no_process_and_no_lock_behind(source: Path, tmp_path: Path) -> None:
    # Where the tests run in the background of a shell, their children would be told to ignore Ctrl-C.
    heard = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {COMMAND[-1]}"
    command = [*COMMAND[:-1], heard, "run", str(PIPELINES / "readings"), "--set", f"source.storage_path={source}"]
    command += ["--warehouse", str(tmp_path / "warehouse"), "--memory", "1024"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr is not None
        for line in started.stderr:
            if "starting Spark" in line:
                break
        time.sleep(2)
        started.send_signal(signal.SIGINT)
        words = started.stderr.read()
    assert started.returncode == 130, words
    after = run("readings", source, tmp_path / "warehouse")
    assert after.returncode == 0, after.stderr
