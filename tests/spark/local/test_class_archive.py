"""The archive of Spark's classes that a first run leaves for the next ones, made and used by real JVMs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from connector_lib.local.class_archive import class_archive
from connector_lib.local.installed_jars import installed_jars
from connector_lib.local.java import find_java

PIPELINES = Path(__file__).parents[2] / "data" / "pipelines"
COMMAND = [sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())"]

pytestmark = [
    pytest.mark.long,
    pytest.mark.spark,
    pytest.mark.slow,
    pytest.mark.skipif(
        class_archive(find_java(), installed_jars(), Path()) is None,
        reason="this Java has no archive of its own classes, on which that of Spark's stands",
    ),
]


def run(pipeline: str, folder: Path, *, java_options: str = "") -> subprocess.CompletedProcess[str]:
    source = folder / "source"
    source.mkdir(exist_ok=True)
    (source / f"{len(list(source.iterdir()))}.txt").write_text("ann,1\n")
    arguments = ["--set", f"source.storage_path={source}", "--warehouse", str(folder / "warehouse"), "--memory", "1024"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "JAVA_TOOL_OPTIONS": java_options}
    return subprocess.run(
        [*COMMAND, "run", str(PIPELINES / pipeline), *arguments],
        capture_output=True,
        text=True,
        timeout=400,
        env=environment,
    )


def kept(folder: Path) -> list[Path]:
    return list((folder / "cache" / "connector_lib").glob("*"))


def test_the_first_run_keeps_an_archive_that_the_second_starts_from(tmp_path: Path) -> None:
    first = run("readings", tmp_path)
    assert first.returncode == 0, first.stderr
    assert "keeping Spark's classes" in first.stderr
    [archive] = kept(tmp_path)
    assert archive.stat().st_size > 50_000_000

    # With this option the JVM does not start without the archive that it was told to use.
    second = run("readings", tmp_path, java_options="-Xshare:on")
    assert second.returncode == 0, second.stderr
    assert "keeping" not in second.stderr
    assert kept(tmp_path) == [archive]


def test_a_run_that_failed_leaves_no_archive(tmp_path: Path) -> None:
    failed = run("broken", tmp_path)
    assert failed.returncode == 1, failed.stderr
    assert kept(tmp_path) == []
