"""The pipeline hl7v2_kafka from a topic to tables, as its users run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connector_lib import parse
from connector_lib.local.tables import find_table, read_rows
from connector_lib.local.warehouse import existing_warehouse
from connector_lib.samples.hl7v2 import DAMAGES
from connector_lib.samples.hl7v2.values import sample_values
from connector_lib.tables.hl7v2 import TABLES

if TYPE_CHECKING:
    from tools.kafka.broker import KafkaBroker, Listener

pytestmark = pytest.mark.slow

PIPELINES = Path(__file__).parents[2] / "pipelines"
COMMAND = [sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())"]
ALL_ROWS = 10_000_000
HEADERS = {"from": b"here", "binary": b"\x00\xff"}
ONE_MESSAGE = "plain-cr-utf-8"
"""The form of a value that is one message."""
PLACE = ("kafka_topic", "kafka_partition", "kafka_offset", "_message_index")


def settings(values: Mapping[str, object]) -> list[str]:
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]


class Topic:
    """A topic of three partitions, a warehouse for what is read of it, and all that was sent to it."""

    def __init__(self, kafka: KafkaBroker, folder: Path) -> None:
        self.kafka = kafka
        self.name = kafka.create_topic(partitions=3)
        self.warehouse = folder / "warehouse"
        self.folder = folder
        self.sent: list[dict[str, Any]] = []
        self.shown: list[str] = []
        self.runs: list[dict[str, int]] = []
        self._by_place: dict[tuple[int, int], dict[str, Any]] = {}

    def sent_at(self, row: dict[str, Any]) -> dict[str, Any]:
        """What is known of the record that a row came from."""
        at = row["kafka_partition"], row["kafka_offset"]
        if len(self._by_place) != len(self.sent):
            self._by_place = {(value["partition"], value["offset"]): value for value in self.sent}
        return self._by_place[at]

    def damaged(self, row: dict[str, Any]) -> bool:
        """Whether the record that a row came from was sent damaged."""
        return bool(self.sent_at(row)["damage"])

    def send_command(self, manifest: Path, *arguments: object) -> list[str]:
        target = ["--kafka", self.kafka.plaintext.servers, "--topic", self.name, "--manifest", str(manifest)]
        return [*COMMAND, "sample", "hl7v2", *target, *map(str, arguments)]

    def send(self, *arguments: object) -> None:
        manifest = self.folder / f"sent-{len(list(self.folder.glob('sent-*')))}.jsonl"
        done = subprocess.run(self.send_command(manifest, *arguments), capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        self.sent += [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]

    def send_with_headers(self, *values: bytes | None) -> None:
        for value in values:
            key = f"header-{len(self.sent)}"
            [(partition, offset)] = self.kafka.produce(self.name, [value], keys=[key.encode()], headers=HEADERS)
            known = {"partition": partition, "offset": offset, "key": key, "form": "", "damage": "", "headers": True}
            readable = value is not None
            self.sent.append(
                known | {"bytes": value and len(value), "messages": +readable, "unreadable": +(not readable)}
            )

    def run_command(self, listener: Listener, **more: object) -> list[str]:
        login = {"kafka.user": listener.user, "kafka.security.protocol": "SASL_PLAINTEXT"} if listener.user else {}
        values = {"kafka.servers": listener.servers, "kafka.topic": self.name, **login, **more}
        where = ["--warehouse", str(self.warehouse), "--jars", str(self.kafka.spark_jars), "--json"]
        return [*COMMAND, "run", str(PIPELINES / "hl7v2_kafka"), *settings(values), *where]

    def run(self, listener: Listener, **more: object) -> dict[str, int]:
        """New rows by table."""
        return self.run_to_the_end(self.run_command(listener, **more), KAFKA_PASSWORD=listener.password)

    def run_to_the_end(self, command: list[str], **variables: str) -> dict[str, int]:
        done = subprocess.run(command, capture_output=True, text=True, timeout=500, env={**os.environ, **variables})
        self.shown += [done.stdout, done.stderr]
        assert done.returncode == 0, done.stderr
        written = {dataset["name"]: dataset["rows_written"] for dataset in json.loads(done.stdout)["datasets"]}
        self.runs.append({name.rpartition(".")[2]: rows for name, rows in written.items()})
        return self.runs[-1]

    def rows(self, table: str, database: str = "hl7v2_kafka") -> list[dict[str, Any]]:
        stored = find_table(existing_warehouse(self.warehouse), f"{database}.{table}")
        rows: list[dict[str, Any]] = read_rows(stored, ALL_ROWS).to_pylist()
        return rows

    def expect_each_message_once(self) -> None:
        raw, quarantine = self.rows("raw"), self.rows("quarantine")
        assert _by_record(raw) == _by_record(self.sent, "messages")
        assert _by_record(quarantine) == _by_record(self.sent, "unreadable")
        places = [tuple(row[name] for name in PLACE) for row in raw + quarantine]
        assert len(places) == len(set(places))
        assert {place[0] for place in places} == {self.name}

    def expect_no_secret_anywhere(self) -> None:
        assert not self.kafka.files_with_secret(self.folder)
        assert not [text for text in self.shown if self.kafka.secret_key in text]


def _by_record(rows: list[dict[str, Any]], number: str = "") -> Counter[tuple[int, int]]:
    partition, offset = ("partition", "offset") if number else ("kafka_partition", "kafka_offset")
    found: Counter[tuple[int, int]] = Counter()
    for row in rows:
        found[row[partition], row[offset]] += row[number] if number else 1
    return +found


@pytest.fixture(scope="module")
def topic(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topic]:
    """Ten thousand messages through both listeners, in two runs; the second also meets all kinds of values."""
    topic = Topic(kafka, tmp_path_factory.mktemp("topic"))
    topic.send("--messages", 7000, "--seed", 1)
    topic.run(kafka.plaintext)
    topic.send("--messages", 1500, "--seed", 2)
    topic.send("--messages", 1000, "--seed", 3, "--messages-per-value", 7, "--form", "batch-lf-8859-1")
    topic.send("--messages", 500, "--seed", 4, "--form", "mllp-cr-utf-8", "--tombstones", 20, "--damage", "all")
    topic.send_with_headers(b"MSH|^~\\&|LAB||||20260102030405||ADT^A01|H1|P|2.5\rPID|1||12\r", None)
    topic.run(kafka.sasl_plaintext)
    yield topic
    topic.expect_no_secret_anywhere()


def test_ten_thousand_messages_of_three_partitions_arrive_once_through_both_listeners(topic: Topic) -> None:
    assert len({value["partition"] for value in topic.sent}) == 3
    assert sum(value["messages"] for value in topic.sent) >= 10_000
    topic.expect_each_message_once()


def test_the_second_run_writes_only_what_was_sent_since_the_first(topic: Topic) -> None:
    first, second = topic.runs
    assert (first["raw"], first["quarantine"]) == (7000, 0)
    assert first["raw"] + second["raw"] == sum(value["messages"] for value in topic.sent)


def test_raw_holds_each_message_as_it_was_sent(topic: Topic) -> None:
    records = {(r.partition, r.offset): r.value for r in topic.kafka.records(topic.name)}
    single = [row for row in topic.rows("raw") if topic.sent_at(row)["form"] == ONE_MESSAGE and not topic.damaged(row)]
    assert len(single) == 8500
    for row in single:
        value = records[row["kafka_partition"], row["kafka_offset"]]
        assert value is not None
        assert row["message"] == value.decode().removesuffix("\r")


def test_raw_carries_key_and_time_of_the_record(topic: Topic) -> None:
    for row in topic.rows("raw"):
        assert row["kafka_key"].decode() == topic.sent_at(row)["key"]
        assert row["kafka_timestamp"] is not None


def test_raw_and_quarantine_carry_the_headers_of_the_record(topic: Topic) -> None:
    rows = [row for table in ("raw", "quarantine") for row in topic.rows(table) if "headers" in topic.sent_at(row)]
    assert len(rows) == 2
    for row in rows:
        assert {header["key"]: header["value"] for header in row["kafka_headers"]} == HEADERS


def test_a_tombstone_is_one_quarantine_row_that_says_so(topic: Topic) -> None:
    rows = [row for row in topic.rows("quarantine") if "tombstone" in row["reason"]]
    tombstones = [value for value in topic.sent if value["bytes"] is None]
    assert len(rows) == len(tombstones) == 21
    assert all(row["content"] is None and row["_message_index"] == 0 for row in rows)


def test_what_cannot_be_read_is_in_quarantine_with_its_bytes_and_place(topic: Topic) -> None:
    records = {(r.partition, r.offset): r.value for r in topic.kafka.records(topic.name)}
    rows = [row for row in topic.rows("quarantine") if row["content"] is not None]
    assert {topic.sent_at(row)["damage"] for row in rows} >= {"binary-file"}
    for row in rows:
        value = records[row["kafka_partition"], row["kafka_offset"]] or b""
        assert row["content"] == value[row["_offset"] : row["_offset"] + len(row["content"])] != b""


def test_every_table_knows_topic_partition_offset_and_position(topic: Topic) -> None:
    known = {tuple(row[name] for name in PLACE) for table in ("raw", "quarantine") for row in topic.rows(table)}
    for table in TABLES:
        rows = topic.rows(table.name)
        assert rows, table.name
        places = {tuple(row[name] for name in PLACE) for row in rows if row["_message_index"] is not None}
        assert places <= known, table.name


def test_fields_holds_every_value_of_every_message(topic: Topic) -> None:
    expected = sum(len(list(parse(row["message"], row["charset"]).walk())) for row in topic.rows("raw"))
    assert len(topic.rows("fields")) == expected


@contextmanager
def messages_keep_coming(topic: Topic) -> Iterator[None]:
    """For the time of the ``with`` block, forty messages about three times a second."""
    done = threading.Event()

    def send() -> None:
        for seed in count(start=100):
            values = list(sample_values(40, seed))
            places = topic.kafka.produce(topic.name, [value.value for value in values])
            for value, (partition, offset) in zip(values, places, strict=True):
                known = {"partition": partition, "offset": offset, "key": value.key, "bytes": value.bytes}
                topic.sent.append(known | {"form": value.form, "damage": "", "messages": 1, "unreadable": 0})
            if done.wait(0.3):
                return

    sending = threading.Thread(target=send)
    sending.start()
    try:
        yield
    finally:
        done.set()
        sending.join()


@pytest.mark.long
def test_a_killed_run_goes_on_where_it_was_while_messages_keep_coming(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic = Topic(kafka, tmp_path)
    topic.send("--messages", 2000, "--seed", 1)
    command = topic.run_command(kafka.sasl_plaintext, maxOffsetsPerTrigger=300)
    batches = topic.warehouse / "tables"
    environment = {**os.environ, "KAFKA_PASSWORD": kafka.sasl_plaintext.password}
    with (
        messages_keep_coming(topic),
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as started,
    ):
        while started.poll() is None and len(list(batches.glob("*/received/_spark_metadata/[0-9]*"))) < 2:
            threading.Event().wait(0.05)
        assert started.poll() is None, "the run was over before it could be killed"
        os.kill(started.pid, signal.SIGKILL)
    topic.expect_no_secret_anywhere()

    written = topic.run(kafka.sasl_plaintext)

    assert 0 < written["received"] < len(topic.sent), "some batches are from before the kill, some from after it"
    topic.expect_each_message_once()
    topic.expect_no_secret_anywhere()


@pytest.mark.long
def test_a_run_takes_what_was_there_when_it_began_and_the_next_takes_the_rest(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    topic = Topic(kafka, tmp_path)
    topic.send("--messages", 300, "--seed", 1)
    with messages_keep_coming(topic):
        first = topic.run(kafka.plaintext)
    second = topic.run(kafka.plaintext)
    assert 300 < first["raw"] < len(topic.sent)
    assert first["raw"] + second["raw"] == len(topic.sent)
    topic.expect_each_message_once()


def test_every_kind_of_damage_was_sent(topic: Topic) -> None:
    assert {value["damage"] for value in topic.sent} == {"", *DAMAGES}
