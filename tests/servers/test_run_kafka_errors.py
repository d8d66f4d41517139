"""``connector-lib run`` on topics of a real broker: what goes wrong is said in the user's terms, and no secret leaks.

Spark is started five times. Two runs of one pipeline have a table for each thing that can be right or wrong with a
topic; every failure is then a flow of its own.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from connector_lib.flows.events import TIME_LIMITS

if TYPE_CHECKING:
    from tools.kafka.broker import KafkaBroker

pytestmark = [pytest.mark.slow]

TOPICS = Path(__file__).parents[1] / "data" / "pipelines" / "topics"
HL7V2_KAFKA = Path(__file__).parents[2] / "pipelines" / "hl7v2_kafka"
COMMAND = [sys.executable, "-c", "import sys; from connector_lib.cli import main; sys.exit(main())"]
WRONG = "canary-that-is-no-password"
LARGE = 3_000_000


@dataclass(frozen=True)
class Run:
    """A run that has ended, with ``--json`` and ``--verbose``."""

    code: int
    stdout: str
    stderr: str
    warehouse: Path

    @property
    def report(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    def rows(self, table: str) -> int | None:
        found = next(dataset for dataset in self.report["datasets"] if dataset["name"] == table)
        rows: int | None = found["rows"]
        return rows

    def error(self, flow: str) -> str:
        found = [error for error in self.report["errors"] if f"the flow '{flow}' failed: " in error]
        assert len(found) == 1, self.report["errors"]
        error: str = found[0]
        return error


def run(pipeline: Path, warehouse: Path, *arguments: object, **environment: str) -> Run:
    command = [*COMMAND, "run", str(pipeline), "--warehouse", str(warehouse), "--json", "--verbose", "--memory", "1024"]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, **environment},
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr, warehouse)


def assert_no_secret(kafka: KafkaBroker, ended: Run, *more: Path) -> None:
    assert kafka.files_with_secret(ended.warehouse, *more) == []
    assert not [file for file in ended.warehouse.rglob("*") if file.is_file() and WRONG.encode() in file.read_bytes()]
    for said in (ended.stdout, ended.stderr):
        assert kafka.secret_key not in said
        assert WRONG not in said


@dataclass(frozen=True)
class Topics:
    """Topics for the two runs: one to log in for, one with a large record, one that is made again between them."""

    login: str
    large: str
    again: str
    warehouse: Path

    def options(self, kafka: KafkaBroker) -> dict[str, dict[str, str]]:
        plain = {**kafka.plaintext.spark_options, **TIME_LIMITS}
        return {
            "login": {**kafka.sasl_plaintext.spark_options, **TIME_LIMITS, "subscribe": self.login},
            "large": {**plain, "subscribe": self.large, "kafka.max.partition.fetch.bytes": "100000"},
            "again": {**plain, "subscribe": self.again},
        }


@pytest.fixture(scope="module")
def topics(kafka: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Topics:
    large = kafka.create_topic(max_message_bytes=2 * LARGE)
    found = Topics(kafka.create_topic(3), large, kafka.create_topic(), tmp_path_factory.mktemp("topics") / "warehouse")
    kafka.produce(found.login, [b"v%d" % number for number in range(30)])
    producer = Producer({**kafka.plaintext.client_options, "message.max.bytes": 2 * LARGE})
    for value in (b"small", b"x" * LARGE, b"small"):
        producer.produce(large, value)
    assert producer.flush(20) == 0
    kafka.produce(found.again, [b"old"] * 30)
    return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a cache")


@pytest.fixture(scope="module")
def good(kafka: KafkaBroker, topics: Topics, cache: Path) -> Run:
    options = json.dumps(topics.options(kafka))
    return run(TOPICS, topics.warehouse, XDG_CACHE_HOME=str(cache), TEST_TOPICS=options)


@pytest.fixture(scope="module")
def failed(kafka: KafkaBroker, topics: Topics, good: Run) -> Run:
    kafka.delete_topic(topics.again)
    kafka.create_topic(name=topics.again)
    kafka.produce(topics.again, [b"new"] * 5)
    kafka.produce(topics.login, [b"more"])
    options = topics.options(kafka)
    login, plain = options["login"], {**options["again"], "subscribe": topics.login}
    jaas = login["kafka.sasl.jaas.config"]
    options |= {
        "wrong_password": {**login, "kafka.sasl.jaas.config": jaas.replace(kafka.secret, WRONG)},
        "wrong_mechanism": {
            **login,
            "kafka.sasl.mechanism": "SCRAM-SHA-256",
            "kafka.sasl.jaas.config": jaas.replace("plain.Plain", "scram.Scram"),
        },
        "wrong_module": {**login, "kafka.sasl.jaas.config": f"kafkashaded.{jaas}"},
        "half_a_login": {**login, "kafka.sasl.jaas.config": jaas.rstrip('";')},
        "no_topic": {**plain, "subscribe": "nobody-made-this"},
        "login_where_nobody_logs_in": {**login, "kafka.bootstrap.servers": kafka.plaintext.servers},
        "nobody_logs_in_where_one_must": {**plain, "kafka.bootstrap.servers": kafka.sasl_plaintext.servers},
        "encrypted_where_nothing_is": {**plain, "kafka.security.protocol": "SSL"},
    }
    return run(TOPICS, topics.warehouse, "--jars", kafka.spark_jars, TEST_TOPICS=json.dumps(options))


def test_the_connector_is_fetched_once_and_kept(good: Run, cache: Path) -> None:
    assert good.code == 0, good.stderr
    assert "fetching Spark's Kafka connector" in good.stderr
    kept = sorted(jar.name.rpartition("-")[0] for jar in cache.glob("connector_lib/kafka-for-spark-*/*.jar"))
    assert kept == [
        "commons-pool2",
        "kafka-clients",
        "spark-sql-kafka-0-10_2.13",
        "spark-token-provider-kafka-0-10_2.13",
    ]


def test_records_come_by_a_login(good: Run) -> None:
    assert good.rows("login") == 30


def test_a_record_larger_than_the_consumers_limit_is_read(good: Run) -> None:
    assert good.rows("large") == 3


def test_what_the_library_warns_of_is_a_note_of_the_report(good: Run) -> None:
    assert good.report["notes"] == ["the setting 'x' has no effect here"]
    assert "has no effect" not in good.stderr


def test_a_good_run_leaves_no_secret_anywhere(kafka: KafkaBroker, good: Run, cache: Path) -> None:
    assert_no_secret(kafka, good, cache)


def test_a_failed_run_leaves_no_secret_anywhere(kafka: KafkaBroker, failed: Run) -> None:
    assert failed.code == 1
    assert "Spark's own words" in failed.stderr
    assert_no_secret(kafka, failed)


def test_flows_beside_those_that_fail_go_on(failed: Run) -> None:
    assert failed.rows("login") == 31


def test_the_slowest_failure_takes_about_a_minute(failed: Run) -> None:
    slowest = max(dataset["seconds"] for dataset in failed.report["datasets"])
    assert slowest < 90


def test_a_wrong_password_is_said_with_the_server(kafka: KafkaBroker, failed: Run) -> None:
    words = f"{kafka.sasl_plaintext.servers} ('kafka.bootstrap.servers') refuses the login by PLAIN"
    assert words in failed.error("wrong_password")


def test_a_mechanism_that_the_server_has_not_is_said_with_those_that_it_has(failed: Run) -> None:
    assert "takes no login by SCRAM-SHA-256; it takes PLAIN" in failed.error("wrong_mechanism")


def test_a_login_module_of_databricks_is_said_to_be_one(failed: Run) -> None:
    assert "PlainLoginModule is not known here\n  outside Databricks" in failed.error("wrong_module")


def test_a_login_of_the_wrong_form_is_said_without_it(failed: Run) -> None:
    assert "has not the form that Kafka reads ('kafka.sasl.jaas.config')" in failed.error("half_a_login")


def test_a_missing_topic_is_said_with_the_server(kafka: KafkaBroker, failed: Run) -> None:
    words = f"there is no topic 'nobody-made-this' ('subscribe') at {kafka.plaintext.servers}"
    assert words in failed.error("no_topic")


def test_a_wrong_security_protocol_is_said_by_its_option(kafka: KafkaBroker, failed: Run) -> None:
    assert "is a port where nobody logs in" in failed.error("login_where_nobody_logs_in")
    words = f"{kafka.sasl_plaintext.servers} ('kafka.bootstrap.servers') takes connections, and does not answer as"
    assert f"{words} Kafka does by PLAINTEXT ('kafka.security.protocol')" in failed.error(
        "nobody_logs_in_where_one_must"
    )
    assert "does not answer as Kafka does by SSL" in failed.error("encrypted_where_nothing_is")


def test_a_topic_made_again_is_said_with_what_was_lost_and_what_to_do(
    kafka: KafkaBroker, topics: Topics, failed: Run
) -> None:
    error = failed.error("again")
    assert f"the topic '{topics.again}' at {kafka.plaintext.servers} ends before the place" in error
    assert f"partition {topics.again}-0 was read up to offset 30, and ends at 5 now" in error
    assert "what came into the old topic after the last run is lost" in error
    assert "--full-refresh" in error
    assert "failOnDataLoss=false" in error
    assert failed.rows("again") == 30


def test_servers_that_nobody_runs_are_said_before_a_flow_starts(kafka: KafkaBroker, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    given = ("--set", f"kafka.servers={address}", "--set", "kafka.topic=hl7", "--jars", kafka.spark_jars)
    ended = run(HL7V2_KAFKA, tmp_path / "warehouse", *given)
    assert ended.code == 1
    assert f"error: no server of 'kafka.servers' takes a connection: {address} refuses it" in ended.stderr
    assert "running" not in ended.stderr


def test_a_wrong_password_of_the_pipeline_is_said_by_its_settings(kafka: KafkaBroker, tmp_path: Path) -> None:
    topic = kafka.create_topic()
    login = {
        "kafka.servers": kafka.sasl_plaintext.servers,
        "kafka.topic": topic,
        "kafka.user": "nobody",
        "kafka.security.protocol": "SASL_PLAINTEXT",
        "trigger.interval": "10 seconds",
    }
    given = [argument for name, value in login.items() for argument in ("--set", f"{name}={value}")]
    ended = run(HL7V2_KAFKA, tmp_path / "warehouse", *given, "--jars", kafka.spark_jars, KAFKA_PASSWORD=WRONG)
    assert ended.code == 1
    words = f"{kafka.sasl_plaintext.servers} ('kafka.servers') refuses the login by PLAIN"
    assert words in ended.error("received")
    assert any("'trigger.interval' is for continuous pipelines" in note for note in ended.report["notes"])
    assert_no_secret(kafka, ended)


def test_a_missing_password_is_said_by_its_variable(kafka: KafkaBroker, tmp_path: Path) -> None:
    given = ["--set", f"kafka.servers={kafka.sasl_plaintext.servers}", "--set", "kafka.topic=hl7"]
    environment = {"KAFKA_PASSWORD": ""}
    given += ["--set", "kafka.user=lab", "--jars", str(kafka.spark_jars)]
    ended = run(HL7V2_KAFKA, tmp_path / "warehouse", *given, **environment)
    assert ended.code == 1
    assert "received.py:" in ended.stderr
    assert "the environment variable KAFKA_PASSWORD is not set, or empty" in ended.stderr
