"""One real Kafka broker on loopback, for the time of a test run or a benchmark."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it is public, says its doc

_GUARD = Path(__file__).with_name("guard.py")
_LONGEST_START = 90.0
_LONGEST_REQUEST = 20.0
_STARTS_TRIED = 3
_LOG_TAIL = 40
# A broker for a few thousand messages of one machine: it starts sooner with one collector and one compiler.
_JAVA_OPTIONS = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
USER = "$ConnectionString"
"""The user that Azure Event Hubs wants; the password is then the connection string."""

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plaintext},CONTROLLER://127.0.0.1:{controller},SASL_PLAINTEXT://127.0.0.1:{sasl}
advertised.listeners=PLAINTEXT://127.0.0.1:{plaintext},SASL_PLAINTEXT://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={login_module} required user_{user}="{password}";
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.index.size.max.bytes=1048576
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.enable=false
"""
_LOGIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"


@dataclass(frozen=True, slots=True)
class Listener:
    """An address of the broker and how to log in there: ``user`` and ``password`` are empty where nobody asks."""

    servers: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def client_options(self) -> dict[str, str]:
        """Options of confluent-kafka."""
        options = {"bootstrap.servers": self.servers}
        if self.user:
            options |= {
                "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "PLAIN",
                "sasl.username": self.user,
                "sasl.password": self.password,
            }
        return options

    @property
    def spark_options(self) -> dict[str, str]:
        """Options of Spark's own Kafka source, outside Databricks."""
        options = {"kafka.bootstrap.servers": self.servers}
        if self.user:
            options |= {
                "kafka.security.protocol": "SASL_PLAINTEXT",
                "kafka.sasl.mechanism": "PLAIN",
                "kafka.sasl.jaas.config": (
                    f'{_LOGIN_MODULE} required username="{self.user}" password="{self.password}";'
                ),
            }
        return options


@dataclass(frozen=True, slots=True)
class Stored:
    """A record as the broker has it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class KafkaBroker:
    """A running broker of Apache Kafka.

    ``plaintext`` and ``sasl_plaintext`` are its listeners, ``spark_jars`` the folder of jars that Spark needs to
    read from it, ``log`` the file with all that the broker says, ``start_seconds`` how long its start took.
    """

    plaintext: Listener
    sasl_plaintext: Listener
    spark_jars: Path
    log: Path
    start_seconds: float

    @property
    def listeners(self) -> dict[str, Listener]:
        """Both listeners by name, for tests that run through each."""
        return {"plaintext": self.plaintext, "sasl_plaintext": self.sasl_plaintext}

    @property
    def secret(self) -> str:
        """The connection string that no log, table, event or checkpoint may hold."""
        return self.sasl_plaintext.password

    @property
    def secret_key(self) -> str:
        """The part of the secret that occurs nowhere else in the world."""
        return self.secret.rpartition("SharedAccessKey=")[2]

    def create_topic(self, partitions: int = 1, name: str = "", **settings: str | int) -> str:
        """Makes a topic that takes records at once, and gives its name, which is new when left out.

        ``settings`` are those of the topic with ``_`` for ``.``: ``max_message_bytes=2000``.
        """
        topic = name or f"hl7-{uuid.uuid4().hex[:12]}"
        config = {key.replace("_", "."): str(value) for key, value in settings.items()}
        admin = self._admin()
        admin.create_topics([NewTopic(topic, partitions, replication_factor=1, config=config)])[topic].result(
            _LONGEST_REQUEST
        )

        def is_ready() -> bool:
            made = admin.list_topics(topic, timeout=_LONGEST_REQUEST).topics[topic].partitions.values()
            return [partition.leader for partition in made] == [1] * partitions

        _until(is_ready, f"the topic {topic} did not get its {partitions} partitions")
        return topic

    def delete_topic(self, topic: str) -> None:
        """Deletes a topic and waits until it is gone, so that one of that name can be made again."""
        admin = self._admin()
        admin.delete_topics([topic], operation_timeout=_LONGEST_REQUEST)[topic].result(_LONGEST_REQUEST)
        _until(
            lambda: topic not in admin.list_topics(timeout=_LONGEST_REQUEST).topics,
            f"the topic {topic} was not deleted",
        )

    def produce(
        self,
        topic: str,
        values: Iterable[bytes | None],
        *,
        keys: Sequence[bytes | None] | None = None,
        partition: int | None = None,
        headers: Mapping[str, bytes] | None = None,
    ) -> list[tuple[int, int]]:
        """Sends ``values`` and gives partition and offset of each, in their order. None is a tombstone.

        They take turns in the topic's partitions unless ``partition`` is given; ``keys`` are as many as values.
        """
        producer = Producer({**self.plaintext.client_options, "linger.ms": "0", "acks": "all"})
        number_of_partitions = len(producer.list_topics(topic, timeout=_LONGEST_REQUEST).topics[topic].partitions)
        places: dict[int, tuple[int, int]] = {}
        failures: list[KafkaError] = []
        count = 0

        def send(index: int, value: bytes | None) -> None:
            def reported(error: KafkaError | None, message: Message) -> None:
                if error is not None:
                    failures.append(error)
                    return
                stored = _stored(message)
                places[index] = (stored.partition, stored.offset)

            producer.produce(
                topic,
                value=value,
                key=None if keys is None else keys[index],
                partition=index % number_of_partitions if partition is None else partition,
                headers=dict(headers or {}),
                on_delivery=reported,
            )

        for count, value in enumerate(values, start=1):
            send(count - 1, value)
            producer.poll(0)
        producer.flush(_LONGEST_REQUEST)
        if failures or len(places) != count:
            raise RuntimeError(f"{count - len(places)} of {count} records did not reach {topic}: {failures[:1]}")
        return [places[index] for index in range(count)]

    def records(self, topic: str, listener: Listener | None = None) -> list[Stored]:
        """Everything that is in ``topic`` now, by partition and offset."""
        options = (listener or self.plaintext).client_options
        consumer = Consumer(
            {**options, "group.id": f"read-{uuid.uuid4().hex}", "enable.auto.commit": "false", "log_level": "0"}
        )
        try:
            partitions = consumer.list_topics(topic, timeout=_LONGEST_REQUEST).topics[topic].partitions
            ends = {}
            for partition in partitions:
                place = TopicPartition(topic, partition)
                low, high = consumer.get_watermark_offsets(place, timeout=_LONGEST_REQUEST)
                if high > low:
                    ends[partition] = (low, high)
            consumer.assign([TopicPartition(topic, partition, low) for partition, (low, _) in ends.items()])
            found: list[Stored] = []
            missing = sum(high - low for low, high in ends.values())
            last_progress = time.monotonic()
            while len(found) < missing:
                batch = consumer.consume(min(missing - len(found), 1000), timeout=1.0)
                if batch:
                    last_progress = time.monotonic()
                elif time.monotonic() - last_progress > _LONGEST_REQUEST:
                    raise RuntimeError(f"{topic} gave {len(found)} of {missing} records and no more")
                for message in batch:
                    error = message.error()
                    if error is not None:
                        raise KafkaException(error)
                    found.append(_stored(message))
        finally:
            consumer.close()
        return sorted(found, key=lambda record: (record.partition, record.offset))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The broker is there and says nothing for the time of the ``with`` block, as if the network were cut."""
        process = int(self.log.with_name(f"{self.log.name}.pid").read_text(encoding="ascii"))
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)
            for listener in self.listeners.values():
                AdminClient({**listener.client_options, "log_level": "0"}).list_topics(timeout=_LONGEST_REQUEST)

    def files_with_secret(self, *places: Path) -> list[Path]:
        """The files in and below ``places`` that hold the secret, as it is or as base64."""
        plain = self.secret_key.encode()
        # In base64 a text looks different by its place in the line: three ways, less the characters at its borders.
        encoded = [base64.b64encode(b" " * shift + plain)[4:-4] for shift in range(3)]
        files = (file for place in places for file in (place.rglob("*") if place.is_dir() else [place]))
        return [
            file
            for file in files
            if file.is_file() and any(part in content for content in [file.read_bytes()] for part in (plain, *encoded))
        ]

    def _admin(self) -> AdminClient:
        return AdminClient({**self.plaintext.client_options, "log_level": "0"})


class PortTakenError(RuntimeError):
    """Another process took one of the ports between their choice and the broker's start."""


@contextmanager
def running_broker(jars: Path, spark_jars: Path, java: Path, folder: Path) -> Iterator[KafkaBroker]:
    """Formats and starts a broker in ``folder``, and stops it at the end, however this process ends.

    ``jars`` are those of the broker. Raises ``RuntimeError`` with the end of its log when it does not answer in time.
    """
    began = time.monotonic()
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    password = f"Endpoint=sb://canary.example.net/;SharedAccessKeyName=canary;SharedAccessKey={key}"
    with ExitStack() as stack:
        for attempt in range(1, _STARTS_TRIED + 1):
            ports = _free_ports(3)
            plaintext = Listener(f"127.0.0.1:{ports[0]}")
            sasl = Listener(f"127.0.0.1:{ports[1]}", USER, password)
            place = folder / f"start-{attempt}"
            place.mkdir()
            try:
                log = stack.enter_context(_process(jars, java, place, ports, (plaintext, sasl)))
                break
            except PortTakenError:
                if attempt == _STARTS_TRIED:
                    raise
        yield KafkaBroker(plaintext, sasl, spark_jars, log, time.monotonic() - began)


@contextmanager
def _process(
    jars: Path, java: Path, folder: Path, ports: Sequence[int], listeners: Sequence[Listener]
) -> Iterator[Path]:
    """The broker's process, once it answers at ``listeners``; gives its log file."""
    log = folder / "broker.log"
    properties = folder / "server.properties"
    plaintext, sasl, controller = ports
    properties.touch(0o600)
    properties.write_text(
        _PROPERTIES.format(
            plaintext=plaintext,
            sasl=sasl,
            controller=controller,
            data=folder / "data",
            login_module=_LOGIN_MODULE,
            user=USER,
            password=listeners[1].password,
        ),
        encoding="utf-8",
    )
    base = [str(java), *_JAVA_OPTIONS, "-Dorg.apache.logging.log4j.level=INFO", "-cp", f"{jars}/*"]
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    formatted = subprocess.run(
        [*base, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_LONGEST_START,
        check=False,
    )
    if formatted.returncode:
        raise RuntimeError(f"the broker's storage was not formatted:\n{formatted.stdout.decode(errors='replace')}")
    guard = subprocess.Popen(
        [sys.executable, "-S", str(_GUARD), str(log), *base, "kafka.Kafka", str(properties)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        # Ctrl-C at the terminal is not for the broker: what still runs against it ends first.
        start_new_session=True,
    )
    assert guard.stdin is not None
    try:
        deadline = time.monotonic() + _LONGEST_START
        for listener in listeners:
            _wait_until_it_answers(listener, guard, log, deadline)
        yield log
    finally:
        guard.stdin.close()
        try:
            guard.wait(10)
        except subprocess.TimeoutExpired:
            guard.terminate()
            guard.wait(10)


def _wait_until_it_answers(listener: Listener, guard: subprocess.Popen[bytes], log: Path, deadline: float) -> None:
    quick = {"reconnect.backoff.ms": "50", "reconnect.backoff.max.ms": "200", "log_level": "0"}
    admin = AdminClient({**listener.client_options, **quick})
    while True:
        try:
            admin.list_topics(timeout=1)
        except KafkaException as error:
            last = error
        else:
            return
        code = guard.poll()
        if code is not None:
            text = f"the Kafka broker ended with code {code} instead of starting; the end of {log}:\n{log_tail(log)}"
            raise PortTakenError(text) if "Address already in use" in text else RuntimeError(text)
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"the Kafka broker did not answer at {listener.servers} within {_LONGEST_START:.0f} s ({last}); "
                f"the end of {log}:\n{log_tail(log)}"
            )


def log_tail(log: Path) -> str:
    """The last lines of a log file."""
    if not log.exists():
        return "(no log)"
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - 64_000, 0))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-_LOG_TAIL:])


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _stored(message: Message) -> Stored:
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    headers = message.headers() or []
    assert isinstance(headers, list)
    found = tuple((name, content.encode() if isinstance(content, str) else content) for name, content in headers)
    return Stored(partition, offset, message.key(), message.value(), found)


def _until(is_so: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + _LONGEST_REQUEST
    while not is_so():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{complaint} within {_LONGEST_REQUEST:.0f} s")
        time.sleep(0.05)
