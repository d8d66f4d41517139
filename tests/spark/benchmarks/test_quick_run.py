"""The benchmarks run, and say of each target whether it was reached."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from connector_lib.local.java import find_java

ROOT = Path(__file__).resolve().parents[3]
START = "import runpy, sys; sys.path.append('.'); runpy.run_module('benchmarks', run_name='__main__')"


def _missing_for_a_broker() -> bool:
    """Where servers are required, as in the checks before a change lands, nothing may be missing."""
    if os.environ.get("CONNECTOR_LIB_REQUIRE_SERVERS") == "1":
        return False
    return shutil.which("mvn") is None or find_java().bundled


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.spark
def test_a_quick_run_writes_every_figure_and_a_verdict_on_every_target(tmp_path: Path) -> None:
    out = tmp_path / "results.md"
    done = subprocess.run(
        [sys.executable, "-c", START, "--quick", "--out", str(out)],
        cwd=ROOT,
        # The session of the other tests here is a Connect session, and says so to the processes that it starts.
        env={name: value for name, value in os.environ.items() if not name.startswith("SPARK_")},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = out.read_text(encoding="utf-8")
    _, targets, *sections = text.split("\n## ")
    verdicts = [line.rsplit("|", 2)[1].strip() for line in targets.splitlines() if line.startswith("| p")]
    assert len(verdicts) == 11
    assert sum(line.startswith("| records ") for line in targets.splitlines()) == 4
    assert set(verdicts) <= {"reached", "NOT reached", "not measured"}
    titles = [section.splitlines()[0] for section in sections]
    assert [title for title in titles if not title.startswith("Parsing")] == [
        "Splitting a large file",
        "Growth",
        "Records from an API",
        "Records to Arrow",
        "Topic to tables",
        "Parse UDF",
    ]
    assert sum(title.startswith("Parsing") for title in titles) >= 3
    (events,) = [section for section in sections if section.startswith("Topic to tables")]
    if _missing_for_a_broker():
        assert "Not measured: a real Kafka broker needs" in events
    else:
        assert events.count("\n| pipelines/hl7v2_") == 2
        assert "\n| Spark's own read, nothing parsed |" in events
    assert str(ROOT) not in text
    assert all("connector_lib parse_message" in section for section in sections if "Parsing" in section)


def test_an_unknown_option_is_wrong_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-c", START, "--fast"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "--fast" in done.stderr
