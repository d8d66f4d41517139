"""Sends sample messages to a topic of Apache Kafka, or of anything that speaks its protocol.

The client is confluent-kafka (extra ``kafka``); its options are those of librdkafka, CONFIGURATION.md.
"""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType, MappingProxyType
from typing import TYPE_CHECKING, Final

from connector_lib.errors import BrokerError, ConnectorLibError, MissingRequirementError, UsageError
from connector_lib.redaction import masked
from connector_lib.samples.hl7v2.forms import Form
from connector_lib.samples.hl7v2.topic_manifest import ConfirmedSoFar, Delivery, TopicManifest
from connector_lib.samples.hl7v2.values import (
    ONE_MESSAGE,
    SEGMENT_BYTES_IN_A_VALUE,
    SampleValue,
    number_of_values,
    sample_values,
)

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

__all__ = ["write_topic"]

_OURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bootstrap.servers": "the servers are named by themselves",
        "metadata.broker.list": "the servers are named by themselves",
        "acks": "every value has to be confirmed by all replicas",
        "request.required.acks": "every value has to be confirmed by all replicas",
        "delivery.timeout.ms": "the timeout says how long to wait",
        "message.timeout.ms": "the timeout says how long to wait",
    }
)
_DEFAULTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "allow.auto.create.topics": "false",
        "enable.idempotence": "true",
        "linger.ms": "20",
        # Errors come to us by call-back, and are said once.
        "log_level": "0",
        # As Java's clients have it: the same key goes to the same partition whoever sends it.
        "partitioner": "murmur2_random",
        "queue.buffering.max.kbytes": "65536",
        "reconnect.backoff.ms": "100",
        "reconnect.backoff.max.ms": "2000",
    }
)
_STEP: Final = 0.2
"""Seconds in a call of the client's; Ctrl-C is heard between calls."""
_ANSWER_STEP: Final = 2.0
_GRACE: Final = 10.0
"""Seconds after the timeout in which the client has to say what became of every value."""


def write_topic(
    servers: str,
    topic: str,
    count: int,
    seed: int = 0,
    *,
    forms: Iterable[Form] = (ONE_MESSAGE,),
    families: Iterable[str] | None = None,
    messages_per_value: int = 1,
    damage: Sequence[str] = (),
    tombstones: int = 0,
    segment_bytes: int = SEGMENT_BYTES_IN_A_VALUE,
    options: Mapping[str, str] = MappingProxyType({}),
    secrets: Collection[str] = (),
    timeout: float = 30.0,
    delivered: Callable[[Delivery], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> TopicManifest:
    """Sends ``count`` messages to ``topic`` and says what is in it, once all of it is confirmed.

    ``servers`` are ``host:port``, several with a comma between. The values are those of
    :func:`~connector_lib.samples.hl7v2.values.sample_values`. ``options`` are librdkafka's, such as
    ``security.protocol``; texts in ``secrets`` are kept out of every error. ``timeout`` is in seconds: so long
    the servers may stay without an answer, at the start and for each value. ``delivered`` is called for
    each confirmed value. Values are confirmed by all replicas (``acks=all``), in an order of their own.

    Raises :class:`~connector_lib.errors.MissingRequirementError` without confluent-kafka,
    :class:`~connector_lib.errors.UsageError` for wrong arguments and options, and
    :class:`~connector_lib.errors.BrokerError` when the servers do not answer, refuse the login, have no such
    topic, or do not confirm every value; it says how many they did confirm.

    Example::

        manifest = write_topic("127.0.0.1:9092", "hl7", 1000, seed=1)
        print(manifest.messages, "messages,", round(manifest.messages_per_second), "a second")
    """
    if importlib.util.find_spec("confluent_kafka") is None:
        raise MissingRequirementError(
            "sending to Kafka needs the package confluent-kafka, and it is not installed",
            hint="pip install 'connector_lib[kafka]'",
        )
    if timeout < 1:
        raise UsageError(f"a timeout of {timeout:g} seconds is too short", hint="give 1 or more")
    values = sample_values(
        count,
        seed,
        forms=forms,
        families=families,
        messages_per_value=messages_per_value,
        damage=damage,
        tombstones=tombstones,
        segment_bytes=segment_bytes,
    )
    total = number_of_values(count, messages_per_value, damage, tombstones)
    with _ctrl_c_noted() as ctrl_c:
        sender = _Sender(_Server(servers, topic, options, secrets, timeout), total, delivered, clock, ctrl_c)
        sender.check_topic()
        began = clock()
        sender.send(values)
        return sender.sent.manifest(seed, servers, topic, clock() - began)


@dataclass(slots=True)
class _CtrlC:
    was_pressed: bool = False


@contextlib.contextmanager
def _ctrl_c_noted() -> Iterator[_CtrlC]:
    """Ctrl-C is written down for the time of the block, and heard between two calls of the client.

    In the middle of one its KeyboardInterrupt would become a SystemError (confluent-kafka 2.16).
    """
    noted = _CtrlC()
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.was_pressed = True

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True, slots=True)
class _Server:
    servers: str
    topic: str
    options: Mapping[str, str]
    secrets: Collection[str]
    timeout: float

    def client_options(self) -> dict[str, str]:
        """Raises for options that would break what :func:`write_topic` promises."""
        for key, why in _OURS.items():
            if key in self.options:
                raise UsageError(f"the Kafka option {key} cannot be given: {why}")
        return {
            **_DEFAULTS,
            **self.options,
            "bootstrap.servers": self.servers,
            "acks": "all",
            "delivery.timeout.ms": str(int(self.timeout * 1000)),
        }

    def without_secrets(self, text: str) -> str:
        return masked(text, self.secrets)


class _Sender:
    """A producer that stops at the first value that is not confirmed."""

    def __init__(
        self,
        server: _Server,
        total: int,
        delivered: Callable[[Delivery], None] | None,
        clock: Callable[[], float],
        ctrl_c: _CtrlC,
    ) -> None:
        from confluent_kafka import KafkaException, Producer

        self.sent = ConfirmedSoFar()
        self._server = server
        self._total = total
        self._delivered = delivered
        self._clock = clock
        self._ctrl_c = ctrl_c
        self._heard = clock()
        self._last_error: KafkaError | None = None
        self._login_error: KafkaError | None = None
        self._failed: tuple[KafkaError, SampleValue] | None = None
        try:
            self._producer: Producer = Producer({**server.client_options(), "error_cb": self._note_error})
        except KafkaException as error:
            raise UsageError(
                f"the Kafka client does not take its options: {self._text(error.args[0])}",
                hint="options and their values: CONFIGURATION.md of librdkafka",
            ) from None

    def check_topic(self) -> None:
        """Asks the servers for the topic, so that what is wrong is said before anything is made."""
        from confluent_kafka import KafkaException

        deadline = self._clock() + self._server.timeout
        topic = self._server.topic
        while True:
            self._hear_ctrl_c()
            try:
                left = max(deadline - self._clock(), _STEP)
                found = self._producer.list_topics(topic, timeout=min(_ANSWER_STEP, left)).topics[topic]
            except KafkaException as error:
                self._producer.poll(0)
                if self._login_error is not None:
                    raise self._error_of(self._login_error) from None
                if self._clock() >= deadline:
                    raise self._no_answer(self._last_error or error.args[0]) from None
                continue
            if found.error is None:
                return
            if not found.error.retriable() or self._clock() >= deadline:
                raise self._error_of(found.error)
            self._producer.poll(_STEP)

    def send(self, values: Iterable[SampleValue]) -> None:
        """Sends ``values`` and returns when the last one is confirmed."""
        try:
            self._heard = self._clock()
            for value in values:
                self._hear_ctrl_c()
                self._send(value)
                if self._failed is not None:
                    break
            while len(self._producer):
                self._listen(_STEP)
        except BaseException:
            # What is queued would be waited for, and spoken about, when the client is taken down.
            self._producer.purge()
            self._producer.flush(_STEP)
            raise
        if self._failed is not None:
            raise self._failure(*self._failed)

    def _send(self, value: SampleValue) -> None:
        from confluent_kafka import KafkaError, KafkaException

        def reported(error: KafkaError | None, message: Message) -> None:
            self._heard = self._clock()
            if error is not None:
                self._failed = self._failed or (error, value)
                return
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            delivery = Delivery(value, partition, offset)
            self.sent.add(delivery)
            if self._delivered is not None:
                self._delivered(delivery)

        while self._failed is None:
            try:
                self._producer.produce(self._server.topic, value=value.value, key=value.key, on_delivery=reported)
            except BufferError:
                if not len(self._producer):
                    self._failed = (KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), value)
                self._listen(_STEP)
            except KafkaException as error:
                self._failed = (error.args[0], value)
            else:
                self._producer.poll(0)
                return

    def _listen(self, seconds: float) -> None:
        """Takes what the servers have said, and gives up when they have long been silent."""
        self._producer.poll(seconds)
        self._hear_ctrl_c()
        if self._clock() - self._heard > self._server.timeout + _GRACE:
            raise self._no_answer(self._last_error)

    def _hear_ctrl_c(self) -> None:
        if self._ctrl_c.was_pressed:
            raise KeyboardInterrupt

    def _note_error(self, error: KafkaError) -> None:
        from confluent_kafka import KafkaError as Codes

        if error.code() in (Codes._AUTHENTICATION, Codes.SASL_AUTHENTICATION_FAILED):
            self._login_error = error
        # That all servers are down follows from what was said of each.
        if error.code() != Codes._ALL_BROKERS_DOWN:
            self._last_error = error

    def _failure(self, error: KafkaError, value: SampleValue) -> ConnectorLibError:
        """What to say of the first value that was not confirmed."""
        from confluent_kafka import KafkaError as Codes

        if error.code() == Codes._MSG_TIMED_OUT:
            return self._no_answer(self._last_error)
        if error.code() == Codes.MSG_SIZE_TOO_LARGE:
            return BrokerError(
                f"{self._how_many()}: the one with the key {value.key} ({value.bytes:,} bytes), or the batch it was "
                f"sent in, is larger than topic '{self._server.topic}' at {self._server.servers} or the client takes",
                hint="send less in a value; or raise the client's option message.max.bytes and the topic's setting "
                "max.message.bytes; batch.num.messages=1 sends every value by itself",
            )
        return self._error_of(error)

    def _how_many(self) -> str:
        return f"{self.sent.values:,} of {self._total:,} values are confirmed, the others are not"

    def _no_answer(self, last: KafkaError | None) -> ConnectorLibError:
        server = self._server
        said = "" if last is None else f"; last seen: {self._text(last)}"
        start = f"no answer from Kafka at {server.servers} within {server.timeout:g} s"
        if self.sent.values:
            start = f"{self._how_many()}: {start}"
        return BrokerError(
            f"{start}{said}",
            hint="check the address, that the server runs, and the options security.protocol and sasl.*",
        )

    def _error_of(self, error: KafkaError) -> ConnectorLibError:
        from confluent_kafka import KafkaError as Codes

        server = self._server
        code = error.code()
        if code in (Codes._AUTHENTICATION, Codes.SASL_AUTHENTICATION_FAILED):
            user = server.options.get("sasl.username", "")
            return BrokerError(
                f"Kafka at {server.servers} refused the login"
                + (f" of user '{self._server.without_secrets(user)}'" if user else ""),
                hint=f"check sasl.mechanism, sasl.username and sasl.password; the client says: {self._text(error)}",
            )
        if code in (Codes.UNKNOWN_TOPIC_OR_PART, Codes._UNKNOWN_TOPIC, Codes._UNKNOWN_PARTITION):
            return BrokerError(
                f"Kafka at {server.servers} has no topic '{server.topic}'",
                hint="create it there first, or check its name; a login may also see some topics only",
            )
        if code == Codes.TOPIC_AUTHORIZATION_FAILED:
            return BrokerError(
                f"Kafka at {server.servers} does not let this login into topic '{server.topic}'",
                hint="ask for the right to describe the topic and to write to it",
            )
        start = f"{self._how_many()}: " if self.sent.values else ""
        return BrokerError(f"{start}topic '{server.topic}' at {server.servers}: {self._text(error)}")

    def _text(self, error: KafkaError) -> str:
        return self._server.without_secrets(error.str().strip())
