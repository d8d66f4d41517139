"""``connector-lib sample hl7v2 --kafka`` and a real broker, which a consumer then reads."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connector_lib.cli import main
from connector_lib.samples.hl7v2 import DAMAGES, FORMS
from connector_lib.samples.hl7v2.values import sample_values

if TYPE_CHECKING:
    from tools.kafka.broker import KafkaBroker, Listener

PASSWORD = "KAFKA_TEST_PASSWORD"
LOGIN = [
    *("--kafka-option", "security.protocol=SASL_PLAINTEXT"),
    *("--kafka-option", "sasl.mechanism=PLAIN"),
    *("--kafka-option", "sasl.username=$ConnectionString"),
    *("--kafka-option", f"sasl.password=${{{PASSWORD}}}"),
]


def sample(listener: Listener, topic: str, *arguments: object) -> list[str]:
    login = LOGIN if listener.user else []
    return ["sample", "hl7v2", "--kafka", listener.servers, "--topic", topic, *login, *map(str, arguments)]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("through", ["plaintext", "sasl_plaintext"])
def test_every_message_arrives_once_through_both_listeners(
    through: str,
    kafka: KafkaBroker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    listener = kafka.listeners[through]
    monkeypatch.setenv(PASSWORD, kafka.secret)
    topic = kafka.create_topic(partitions=3)
    manifest = tmp_path / "sent.jsonl"
    assert main(sample(listener, topic, "--messages", 3000, "--seed", 5, "--manifest", manifest)) == 0
    shown = capsys.readouterr()
    assert "3,000 messages in 3,000 values" in shown.out
    assert "messages/s" in shown.out
    records = kafka.records(topic, listener)
    made = {value.key.encode(): value.value for value in sample_values(3000, 5)}
    assert len(records) == 3000
    assert {record.key: record.value for record in records} == made
    assert {record.partition for record in records} == {0, 1, 2}
    places = {(line["partition"], line["offset"]): line["key"].encode() for line in lines(manifest)}
    assert places == {(record.partition, record.offset): record.key for record in records}
    assert kafka.secret_key not in shown.out + shown.err + manifest.read_text()


def test_all_forms_damages_and_tombstones_arrive_as_the_manifest_says(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic = kafka.create_topic(partitions=2)
    manifest = tmp_path / "about" / "sent.jsonl"
    forms = [text for form in FORMS for text in ("--form", form.name)]
    arguments = ["--messages", 250, "--messages-per-value", 5, "--damage", "all", "--tombstones", 7]
    assert main(sample(kafka.plaintext, topic, *arguments, *forms, "--manifest", manifest)) == 0
    records = {(record.partition, record.offset): record for record in kafka.records(topic)}
    said = {(line["partition"], line["offset"]): line for line in lines(manifest)}
    assert said.keys() == records.keys()
    made = sample_values(250, 0, forms=FORMS, messages_per_value=5, damage=list(DAMAGES), tombstones=7)
    assert Counter(record.value for record in records.values()) == Counter(value.value for value in made)
    for place, line in said.items():
        assert records[place].key == line["key"].encode()
        value = records[place].value
        assert line["bytes"] == (None if value is None else len(value))
    assert {line["form"] for line in said.values() if line["form"] and not line["damage"]} == {f.name for f in FORMS}
    assert {line["damage"] for line in said.values()} == {"", *DAMAGES}
    assert sum(line["bytes"] is None for line in said.values()) == 7


def test_json_on_stdout_says_what_every_partition_got(kafka: KafkaBroker, capsys: pytest.CaptureFixture[str]) -> None:
    topic = kafka.create_topic(partitions=2)
    assert main(sample(kafka.plaintext, topic, "--messages", 50, "--tombstones", 1, "--json")) == 0
    data = json.loads(capsys.readouterr().out)
    expected = {"topic": topic, "values": 51, "messages": 50, "tombstones": 1, "unreadable": 1}
    assert {name: data[name] for name in expected} == expected
    assert data["messages_per_second"] > 0
    offsets = Counter(record.partition for record in kafka.records(topic))
    assert {each["partition"]: each["values"] for each in data["partitions"]} == offsets
    assert all(each["first_offset"] == 0 for each in data["partitions"])
    assert {each["partition"]: each["last_offset"] + 1 for each in data["partitions"]} == offsets


def test_a_second_run_goes_on_behind_the_first(kafka: KafkaBroker, capsys: pytest.CaptureFixture[str]) -> None:
    topic = kafka.create_topic()
    for first in (0, 10):
        assert main(sample(kafka.plaintext, topic, "--messages", 10, "--json")) == 0
        assert json.loads(capsys.readouterr().out)["partitions"][0]["first_offset"] == first


def test_a_wrong_password_names_server_and_user_and_not_the_password(
    kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PASSWORD, "wrong-as-can-be")
    topic = kafka.create_topic()
    began = time.monotonic()
    assert main(sample(kafka.sasl_plaintext, topic, "--timeout", 20)) == 1
    assert time.monotonic() - began < 10
    said = capsys.readouterr().err
    assert f"Kafka at {kafka.sasl_plaintext.servers} refused the login of user '$ConnectionString'" in said
    assert "wrong-as-can-be" not in said


def test_a_listener_that_wants_a_login_and_gets_none_is_an_error_in_bounded_time(
    kafka: KafkaBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    servers = kafka.sasl_plaintext.servers
    began = time.monotonic()
    assert main(["sample", "hl7v2", "--kafka", servers, "--topic", "hl7", "--timeout", "2"]) == 1
    assert time.monotonic() - began < 10
    said = capsys.readouterr().err
    assert f"no answer from Kafka at {servers} within 2 s" in said
    assert "security.protocol" in said


def test_a_missing_topic_is_named_and_not_made(kafka: KafkaBroker, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(sample(kafka.plaintext, "no-such-topic")) == 1
    assert f"Kafka at {kafka.plaintext.servers} has no topic 'no-such-topic'" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_named_in_bounded_time(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as silent:
        # It is bound and does not listen: every connection is refused.
        silent.bind(("127.0.0.1", 0))
        servers = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        assert main(["sample", "hl7v2", "--kafka", servers, "--topic", "hl7", "--timeout", "1"]) == 1
        assert time.monotonic() - began < 10
    said = capsys.readouterr().err
    assert f"no answer from Kafka at {servers} within 1 s" in said
    assert "Connection refused" in said


def test_a_value_that_the_client_does_not_take_ends_the_command_which_says_how_many_arrived(
    kafka: KafkaBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = kafka.create_topic()
    large = ["--damage", "huge-segment", "--segment-bytes", 3_000_000]
    assert main(sample(kafka.plaintext, topic, "--messages", 20, *large)) == 1
    said = capsys.readouterr().err
    assert "20 of 21 values are confirmed, the others are not" in said
    assert "key damage-huge-segment" in said
    assert len(kafka.records(topic)) == 20


def test_a_value_that_the_topic_does_not_take_ends_the_command_too(
    kafka: KafkaBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = kafka.create_topic(max_message_bytes=20_000)
    manifest = tmp_path / "sent.jsonl"
    alone = ["--kafka-option", "batch.num.messages=1", "--manifest", manifest]
    large = ["--damage", "huge-segment", "--segment-bytes", 30_000]
    assert main(sample(kafka.plaintext, topic, "--messages", 20, "--family", "ADT", *large, *alone)) == 1
    said = capsys.readouterr().err
    assert "20 of 21 values are confirmed, the others are not" in said
    assert "max.message.bytes" in said
    assert len(kafka.records(topic)) == len(lines(manifest)) == 20


def start_sending(listener: Listener, topic: str, manifest: Path, *arguments: object) -> subprocess.Popen[str]:
    """A command that has many messages to send and has sent some of them."""
    # Where the tests run in the background of a shell, their children would be told to ignore Ctrl-C.
    heard = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heard}; from connector_lib.cli import main; sys.exit(main())"
    asked = sample(listener, topic, "--messages", 10_000_000, "--manifest", manifest, *arguments)
    process = subprocess.Popen(
        [sys.executable, "-c", program, *asked], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (manifest.exists() and manifest.stat().st_size > 10_000):
        if time.monotonic() > deadline or process.poll() is not None:
            process.kill()
            pytest.fail(f"nothing was sent: {process.communicate()}")
        time.sleep(0.05)
    return process


def test_a_server_that_falls_silent_ends_the_command_which_says_how_many_arrived(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    topic = kafka.create_topic()
    manifest = tmp_path / "sent.jsonl"
    with start_sending(kafka.plaintext, topic, manifest, "--timeout", 2) as process:
        began = time.monotonic()
        try:
            with kafka.paused():
                _, said = process.communicate(timeout=40)
        finally:
            process.kill()
    assert process.returncode == 1
    assert time.monotonic() - began < 20
    confirmed = len(lines(manifest))
    assert f"{confirmed:,} of 10,000,000 values are confirmed, the others are not" in said
    assert f"no answer from Kafka at {kafka.plaintext.servers} within 2 s" in said


def test_after_ctrl_c_the_manifest_lists_nothing_that_is_not_there(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic = kafka.create_topic()
    manifest = tmp_path / "sent.jsonl"
    with start_sending(kafka.plaintext, topic, manifest) as process:
        try:
            process.send_signal(signal.SIGINT)
            shown, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130, said
    assert said.endswith("stopped by Ctrl-C\n")
    assert shown == ""
    stored = {(record.partition, record.offset): record.key for record in kafka.records(topic)}
    listed = {(line["partition"], line["offset"]): line["key"].encode() for line in lines(manifest)}
    assert listed
    assert listed.items() <= stored.items()
