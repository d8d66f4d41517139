"""What was sent to a topic and confirmed: the facts that a test or a benchmark can hold against what it read."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from connector_lib.samples.hl7v2.values import SampleValue

__all__ = ["ConfirmedSoFar", "Delivery", "PartitionRecord", "TopicManifest"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A value that the servers have confirmed, and where it is in the topic."""

    value: SampleValue
    partition: int
    offset: int

    def as_dict(self) -> dict[str, Any]:
        """What is known of the value, as plain data for JSON; ``bytes`` is null for a tombstone."""
        value = self.value
        return {
            "partition": self.partition,
            "offset": self.offset,
            "key": value.key,
            "bytes": None if value.value is None else value.bytes,
            "form": value.form,
            "damage": value.damage,
            "messages": value.messages,
            "unreadable": value.unreadable,
            "families": value.families,
            "control_ids": list(value.control_ids),
        }


@dataclass(frozen=True, slots=True)
class PartitionRecord:
    """What one partition got, and the offsets of the first and the last of it."""

    partition: int
    values: int
    messages: int
    bytes: int
    first_offset: int
    last_offset: int


@dataclass(frozen=True, slots=True)
class TopicManifest:
    """What was sent and confirmed. ``seconds`` is the time from the first value to the last confirmation."""

    seed: int
    servers: str
    topic: str
    values: int
    tombstones: int
    messages: int
    unreadable: int
    bytes: int
    families: dict[str, int]
    seconds: float
    partitions: tuple[PartitionRecord, ...]

    @property
    def messages_per_second(self) -> float:
        """The rate of all messages."""
        return self.messages / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        data = dataclasses.asdict(self)
        return {**data, "seconds": round(self.seconds, 3), "messages_per_second": round(self.messages_per_second, 1)}


@dataclass(slots=True)
class ConfirmedSoFar:
    """The sums over all confirmed values, while it grows."""

    values: int = 0
    tombstones: int = 0
    messages: int = 0
    unreadable: int = 0
    bytes: int = 0
    families: Counter[str] = field(default_factory=Counter)
    partitions: dict[int, PartitionRecord] = field(default_factory=dict)

    def add(self, delivery: Delivery) -> None:
        """Takes one more value."""
        value, partition, offset = delivery.value, delivery.partition, delivery.offset
        self.values += 1
        self.tombstones += value.value is None
        self.messages += value.messages
        self.unreadable += value.unreadable
        self.bytes += value.bytes
        self.families.update(value.families)
        known = self.partitions.get(partition) or PartitionRecord(partition, 0, 0, 0, offset, offset)
        self.partitions[partition] = PartitionRecord(
            partition,
            known.values + 1,
            known.messages + value.messages,
            known.bytes + value.bytes,
            min(known.first_offset, offset),
            max(known.last_offset, offset),
        )

    def manifest(self, seed: int, servers: str, topic: str, seconds: float) -> TopicManifest:
        """What it has become."""
        return TopicManifest(
            seed=seed,
            servers=servers,
            topic=topic,
            values=self.values,
            tombstones=self.tombstones,
            messages=self.messages,
            unreadable=self.unreadable,
            bytes=self.bytes,
            families=dict(self.families.most_common()),
            seconds=seconds,
            partitions=tuple(record for _, record in sorted(self.partitions.items())),
        )
