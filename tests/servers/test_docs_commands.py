"""The commands of docs/kafka.md and docs/event_hubs.md, with a real broker in the place of the reader's.

What is changed of them: the address, a listener with a login instead of Azure, and Spark's jars from a folder.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tools.kafka.broker import KafkaBroker

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())"]
TOPIC = "hl7"
LOCAL_ADDRESS = "127.0.0.1:9092"


def commands(page: str) -> list[list[str]]:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    lines = [
        line
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]
    # Those for a workspace are run in tests/servers/workspace.
    return [shlex.split(line) for line in lines if re.match("connector-lib (?!deploy )", line)]


def run(command: list[str], folder: Path, **variables: str) -> str:
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [*COMMAND, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def with_jars(command: list[str], kafka: KafkaBroker) -> list[str]:
    return [*command, "--jars", str(kafka.spark_jars)] if command[1] == "run" else command


@pytest.fixture
def folder(kafka: KafkaBroker, tmp_path: Path) -> Path:
    kafka.create_topic(name=TOPIC)
    (tmp_path / "pipelines").symlink_to(ROOT / "pipelines")
    return tmp_path


@pytest.fixture(autouse=True)
def no_topic_is_left(kafka: KafkaBroker, folder: Path) -> Iterator[None]:
    yield
    kafka.delete_topic(TOPIC)


def test_the_commands_for_kafka_send_read_and_show_messages(kafka: KafkaBroker, folder: Path) -> None:
    shown = []
    for command in commands("kafka"):
        there = [part.replace(LOCAL_ADDRESS, kafka.plaintext.servers) for part in command]
        shown.append(run(with_jars(there, kafka), folder))
    sent, ran, observations, quarantine = shown
    assert "200 messages" in sent
    assert "hl7v2_kafka: completed" in ran
    assert "kafka_offset" in observations
    assert quarantine == ""


@pytest.mark.long
def test_the_commands_for_event_hubs_log_in_with_a_connection_string(kafka: KafkaBroker, folder: Path) -> None:
    send = ["connector-lib", "sample", "hl7v2", "--messages", "100", "--kafka", kafka.plaintext.servers]
    run([*send, "--topic", TOPIC], folder)
    in_azure, show, in_emulator = commands("event_hubs")
    login = {"EVENTHUB_CONNECTION_STRING": kafka.secret}
    address = ["--set", f"eventhub.servers={kafka.sasl_plaintext.servers}"]
    protocol = ["--set", "kafka.security.protocol=SASL_PLAINTEXT"]

    first = json.loads(run([*with_jars(in_azure, kafka), *address, *protocol, "--json"], folder, **login))
    rows = run(show, folder)
    there = [part.replace(LOCAL_ADDRESS, kafka.sasl_plaintext.servers) for part in in_emulator]
    second = json.loads(run([*with_jars(there, kafka), "--json"], folder, **login))

    written = [
        {dataset["name"].rpartition(".")[2]: dataset["rows_written"] for dataset in report["datasets"]}
        for report in (first, second)
    ]
    assert [(report["raw"], report["quarantine"]) for report in written] == [(100, 0), (0, 0)]
    assert "kafka_offset" in rows
    assert not kafka.files_with_secret(folder)
    assert kafka.secret_key not in json.dumps([first, second])
