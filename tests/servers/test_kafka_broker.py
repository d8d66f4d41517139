"""The broker that the other tests of this folder use is what they take it for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from tools.kafka.broker import KafkaBroker

GUARD = Path(__file__).parents[2] / "tools" / "kafka" / "guard.py"


def test_records_come_back_through_both_listeners(kafka: KafkaBroker) -> None:
    topic = kafka.create_topic(partitions=3)
    places = kafka.produce(topic, [b"a", None, b"c", b""], keys=[b"1", b"2", None, b"4"], headers={"from": b"here"})
    assert [partition for partition, _ in places] == [0, 1, 2, 0]
    for listener in kafka.listeners.values():
        found = {
            (record.partition, record.offset): (record.key, record.value) for record in kafka.records(topic, listener)
        }
        assert [found[place] for place in places] == [(b"1", b"a"), (b"2", None), (None, b"c"), (b"4", b"")]


def test_a_topic_made_again_starts_at_offset_zero(kafka: KafkaBroker) -> None:
    topic = kafka.create_topic()
    assert kafka.produce(topic, [b"1", b"2"]) == [(0, 0), (0, 1)]
    kafka.delete_topic(topic)
    kafka.create_topic(name=topic)
    assert kafka.produce(topic, [b"3"]) == [(0, 0)]


def test_a_login_with_another_password_is_refused(kafka: KafkaBroker) -> None:
    admin = AdminClient({**kafka.sasl_plaintext.client_options, "sasl.password": "wrong", "log_level": "0"})
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=1)


def test_a_file_with_the_secret_is_found(kafka: KafkaBroker, tmp_path: Path) -> None:
    (tmp_path / "clean.log").write_text("SharedAccessKey=[hidden]")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "leak.log").write_text(f"login with {kafka.secret}!")
    assert kafka.files_with_secret(tmp_path) == [tmp_path / "deep" / "leak.log"]
    assert kafka.files_with_secret(kafka.log) == []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_the_guard_runs_ends_with_the_process_that_started_it(how: signal.Signals, tmp_path: Path) -> None:
    program = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE, start_new_session=True)\n"
        "time.sleep(60)\n"
    )
    sleeper = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    log = tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", program, GUARD, log, sys.executable, "-c", sleeper]) as starter:
        deadline = time.monotonic() + 20
        while not (log.exists() and log.read_text().strip()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        starter.send_signal(how)
    pid = int(log.read_text())
    while _is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
