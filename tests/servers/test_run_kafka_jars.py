"""Jars of Kafka that cannot be had: one sentence says which, and how to give them, before Spark is started."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from connector_lib.local.kafka_jars import are_fetched

if TYPE_CHECKING:
    from tools.kafka.jars import KafkaJars

PIPELINE = Path(__file__).parents[2] / "pipelines" / "hl7v2_kafka"
COMMAND = [sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())"]
# A proxy that nobody runs: whatever this machine reaches, Java reaches nothing.
NO_NETWORK = "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9"


def test_without_a_network_the_jars_that_are_needed_are_named(kafka_jars: KafkaJars, tmp_path: Path) -> None:
    given = ["--set", "kafka.servers=127.0.0.1:9092", "--set", "kafka.topic=hl7"]
    # What a user left of the folder is no reason to start without the rest.
    half = tmp_path / "connector_lib" / f"kafka-for-spark-{metadata.version('pyspark')}"
    half.mkdir(parents=True)
    (half / "kafka-clients-3.9.2.jar").write_bytes(b"")
    began = time.monotonic()
    ended = subprocess.run(
        [*COMMAND, "run", str(PIPELINE), *given, "--warehouse", str(tmp_path / "warehouse")],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "JAVA_TOOL_OPTIONS": NO_NETWORK},
        check=False,
    )
    assert ended.returncode == 1
    assert time.monotonic() - began < 60
    assert ended.stdout == ""
    error = ended.stderr[ended.stderr.index("error: ") :]
    assert "could not be fetched: the Maven repository is not reached: no network, or a proxy in between" in error
    for name in ("spark-sql-kafka-0-10_2.13", "spark-token-provider-kafka-0-10_2.13", "kafka-clients", "commons-pool2"):
        assert name in error
    assert "--jars DIR" in error
    assert "\tat " not in error
    assert not (tmp_path / "warehouse").exists()
    # What is left half-way is not taken for the jars by the next run.
    assert {path.name for path in half.parent.iterdir()} == {half.name, f"{half.name}.log"}
    assert not are_fetched(half)
