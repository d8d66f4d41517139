"""Who may open a warehouse, and what the others hear."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from connector_lib.errors import WarehouseError
from connector_lib.local.lock import WarehouseLock

# Takes the lock, hands its file to a child that outlives it by a while, and waits.
HOLDER = """
import subprocess, sys, time
from pathlib import Path
from connector_lib.local.lock import WarehouseLock
with WarehouseLock(Path(sys.argv[1]), "pipeline first", now=lambda: "2026-01-01T00:00:00") as lock:
    subprocess.Popen(["sleep", sys.argv[2]], pass_fds=(lock.fd,), stdout=subprocess.DEVNULL)
    print("held", flush=True)
    time.sleep(60)
"""


def lock(path: Path, *, shared: bool = False, heard: list[str] | None = None) -> WarehouseLock:
    words = [] if heard is None else heard
    return WarehouseLock(path, "pipeline second", now=lambda: "now", on_wait=words.append, shared=shared)


def hold(path: Path, child_seconds: float) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", HOLDER, str(path), str(child_seconds)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("shared", [False, True], ids=["a run", "a reader"])
def test_hears_at_once_who_holds_it(tmp_path: Path, shared: bool) -> None:
    process = hold(tmp_path / "lock", 0)
    try:
        began = time.monotonic()
        with pytest.raises(WarehouseError) as error, lock(tmp_path / "lock", shared=shared):
            pass
        assert time.monotonic() - began < 1
        assert f"in use by process {process.pid} (pipeline first) since 2026-01-01T00:00:00" in str(error.value)
    finally:
        process.kill()
        process.communicate()


def test_waits_for_the_child_of_a_killed_holder(tmp_path: Path) -> None:
    process = hold(tmp_path / "lock", 1.5)
    process.kill()
    process.communicate()
    heard: list[str] = []
    began = time.monotonic()
    with lock(tmp_path / "lock", heard=heard):
        assert time.monotonic() - began > 0.5
    assert "still ending" in heard[0]


def test_readers_do_not_keep_each_other_away(tmp_path: Path) -> None:
    with lock(tmp_path / "lock", shared=True), lock(tmp_path / "lock", shared=True):
        pass


def test_is_free_again_after_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        with lock(tmp_path / "lock"):
            pass
