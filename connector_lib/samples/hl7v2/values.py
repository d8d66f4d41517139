"""Sample messages as the values of a topic: one message in each, or several in any form that files have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2.composer import random_source
from connector_lib.samples.hl7v2.damage import DAMAGES, damaged_file
from connector_lib.samples.hl7v2.forms import CR, PLAIN, Form, framed
from connector_lib.samples.hl7v2.kinds import kinds_of
from connector_lib.samples.hl7v2.messages import SampleMessage, sample_messages

__all__ = ["ONE_MESSAGE", "SEGMENT_BYTES_IN_A_VALUE", "SampleValue", "number_of_values", "sample_values"]

ONE_MESSAGE: Final = Form(PLAIN, CR, "utf-8")
"""A message and nothing else, in UTF-8."""
SEGMENT_BYTES_IN_A_VALUE: Final = 512 * 1024
"""Size of the segment in the damage ``huge-segment``: brokers take a little less than 1 MiB by default
(Apache Kafka's broker setting ``message.max.bytes``)."""


@dataclass(frozen=True, slots=True)
class SampleValue:
    """A key and a value, and what is in the value by construction.

    ``value`` is None for a tombstone. ``key`` is MSH-10 of the first message in the value; a tombstone has
    the key of a value before it; the key of a damaged value is ``damage-KIND``. ``form`` is the name of the
    form, empty for a tombstone, and ``damage`` the kind of damage, empty for a valid value. ``messages`` are
    the messages with a readable MSH segment, ``unreadable`` the pieces without one, which belong into
    quarantine; a value that holds no piece at all, a tombstone too, is one such piece. ``families`` counts
    the messages by MSH-9.1, ``control_ids`` are their MSH-10, in order, both as they were made, before any
    damage.
    """

    key: str
    value: bytes | None
    form: str
    messages: int
    unreadable: int
    families: dict[str, int]
    control_ids: tuple[str, ...]
    damage: str = ""

    @property
    def bytes(self) -> int:
        """Length of the value."""
        return len(self.value or b"")


def number_of_values(count: int, messages_per_value: int = 1, damage: Sequence[str] = (), tombstones: int = 0) -> int:
    """How many values :func:`sample_values` makes.

    >>> number_of_values(10, 4, ["empty-file"], tombstones=2)
    6
    """
    return -(-count // messages_per_value) + len(set(damage)) + tombstones


def sample_values(
    count: int,
    seed: int = 0,
    *,
    forms: Iterable[Form] = (ONE_MESSAGE,),
    families: Iterable[str] | None = None,
    messages_per_value: int = 1,
    damage: Sequence[str] = (),
    tombstones: int = 0,
    segment_bytes: int = SEGMENT_BYTES_IN_A_VALUE,
) -> Iterator[SampleValue]:
    """Yields values with ``count`` valid messages, ``messages_per_value`` in each (the last may have fewer).

    The values take turns in ``forms``. ``tombstones`` of them have no value; they are spread among the others.
    At the end comes one value for each kind of ``damage``, keys of
    :data:`~connector_lib.samples.hl7v2.damage.DAMAGES`; what is in it does not count towards ``count``.
    The same arguments give the same keys and bytes.

    Raises :class:`~connector_lib.errors.UsageError` for wrong arguments, before the first value.

    >>> values = list(sample_values(2, seed=1, tombstones=1, families=["ADT"]))
    >>> [(value.key, value.messages, value.value is None) for value in values]
    [('S00000000', 1, False), ('S00000001', 1, False), ('S00000001', 0, True)]
    """
    chosen = tuple(forms)
    wanted = None if families is None else tuple(families)
    kinds_of(wanted)
    _check(count, chosen, messages_per_value, damage, tombstones, segment_bytes)
    kinds = tuple(dict.fromkeys(damage))
    return _values(count, seed, chosen, wanted, messages_per_value, kinds, tombstones, segment_bytes)


def _check(
    count: int, forms: Sequence[Form], per_value: int, damage: Sequence[str], tombstones: int, segment_bytes: int
) -> None:
    for number, least, what in (
        (count, 0, "messages"),
        (per_value, 1, "messages in a value"),
        (tombstones, 0, "tombstones"),
        (segment_bytes, 1, "bytes in a segment"),
    ):
        if number < least:
            raise UsageError(f"{number} {what} cannot be made", hint=f"give {least} or more")
    if count == 0 and not damage and not tombstones:
        raise UsageError("0 messages make no sample", hint="give 1 or more, or ask for damaged values or tombstones")
    if not forms:
        raise UsageError("no form of value was named", hint="leave it out for one message in UTF-8")
    for name in damage:
        if name not in DAMAGES:
            raise UsageError(f"there is no kind of damage {name!r}", hint=f"kinds: {', '.join(DAMAGES)}")


def _values(
    count: int,
    seed: int,
    forms: Sequence[Form],
    families: Sequence[str] | None,
    per_value: int,
    damage: Sequence[str],
    tombstones: int,
    segment_bytes: int,
) -> Iterator[SampleValue]:
    number = number_of_values(count, per_value)
    streams = list(_streams(count, per_value, seed, forms, families))
    made = 0
    for index in range(number):
        form = forms[index % len(forms)]
        value = _valid(form, list(islice(streams[index % len(forms)], per_value)), seed, index)
        yield value
        due = tombstones * (index + 1) // number
        yield from (_tombstone(value.key) for _ in range(made, due))
        made = due
    yield from (_tombstone(f"tombstone-{position}") for position in range(made, tombstones))
    for position, kind in enumerate(damage):
        yield _damaged(kind, seed, 1000 * position, segment_bytes)


def _streams(
    count: int, per_value: int, seed: int, forms: Sequence[Form], families: Sequence[str] | None
) -> Iterator[Iterator[SampleMessage]]:
    """The messages of each form. Their numbers are neighbours, so that no control id comes twice."""
    number = number_of_values(count, per_value)
    first = 0
    for index, form in enumerate(forms):
        size = len(range(index, number, len(forms))) * per_value
        if number and (number - 1) % len(forms) == index:
            size -= number * per_value - count
        yield sample_messages(size, seed, families=families, charset=form.charset, first=first)
        first += size


def _valid(form: Form, made: Sequence[SampleMessage], seed: int, index: int) -> SampleValue:
    chance = random_source(f"{seed} value {index}")
    return SampleValue(
        key=made[0].control_id,
        value=b"".join(framed(form, [message.text for message in made], len(made), chance)),
        form=form.name,
        messages=len(made),
        unreadable=0,
        families=dict(sorted(Counter(message.kind.message_type for message in made).items())),
        control_ids=tuple(message.control_id for message in made),
    )


def _tombstone(key: str) -> SampleValue:
    return SampleValue(key, None, form="", messages=0, unreadable=1, families={}, control_ids=())


def _damaged(kind: str, seed: int, first: int, segment_bytes: int) -> SampleValue:
    damage = DAMAGES[kind]
    made = damaged_file(kind, seed, first, segment_bytes)
    return SampleValue(
        key=f"damage-{kind}",
        value=b"".join(made.content),
        form=Form(damage.framing, damage.line_end, damage.charset).name,
        messages=made.readable,
        unreadable=made.unreadable if made.readable else max(made.unreadable, 1),
        families=dict(sorted(Counter(kind.message_type for kind in made.kinds).items())),
        control_ids=made.control_ids,
        damage=kind,
    )
