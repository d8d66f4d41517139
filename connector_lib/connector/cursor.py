"""How far an incremental read came: the order of cursor values, and what lies at the border between two reads.

A cursor is the field by which a source tells what changed: a time, a number, a text. Three things go wrong with it,
and each has its part here:

- **Order.** ``"9"`` is below ``"10"``, and ``10:00+02:00`` before ``09:00Z``: :class:`Cursor` compares values as what
  they are.
- **Ties.** Records with the same cursor value lie on both sides of the place where a read stopped. A read that goes
  on *behind* that value loses some, one that goes on *at* it doubles some. :class:`Border` goes on at it, and knows
  which records it has given.
- **Changed options.** An offset is worth something only with the options that it was made with:
  :func:`fingerprint`.

The upper bound of a read is the connector's: it freezes a time, a number or a text when it is made, and gives it as
``until``. Everything here is pure: no clock, no state.
"""

from __future__ import annotations

import hashlib
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, TypeAlias

from connector_lib.connector.interface import Offset, Record
from connector_lib.connector.timestamps import timestamp_nanoseconds, timestamp_text
from connector_lib.errors import ContractError, ConversionError, OffsetError, SourceError

__all__ = [
    "MAX_TIES",
    "Batch",
    "Border",
    "Cursor",
    "CursorKind",
    "batch_behind",
    "check_fingerprint",
    "fingerprint",
    "record_digest",
    "timestamp_nanoseconds",
    "timestamp_text",
]

CursorKind: TypeAlias = Literal["timestamp", "number", "text"]
CursorKey: TypeAlias = Any
"""Numbers, or text: what values of one cursor are compared by."""

MAX_TIES: Final = 10_000
"""How many records with one cursor value a border can hold, each some 20 bytes of the offset."""

_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The field that says when a record changed, and what its values are.

    ``name`` is the field, nested with dots (``meta.lastUpdated``). ``kind`` is what its values are:

    - ``timestamp``: ISO 8601 text with any zone (without one, it counts as UTC), to the nanosecond; dates and the
      partial dates of FHIR (``2026-11``) count as their first moment;
    - ``number``: numbers, or numbers as text;
    - ``text``: text, by code points.

    >>> updated = Cursor("meta.lastUpdated", "timestamp")
    >>> updated.key({"meta": {"lastUpdated": "2026-03-01T10:00:00+02:00"}}) < updated.key_of("2026-03-01T09:00Z")
    True
    """

    name: str
    kind: CursorKind
    _path: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_path", tuple(self.name.split(".")))

    def value(self, record: Record) -> Any:
        """The cursor of ``record`` as it was sent; None where it has none, or an empty text."""
        found: Any = record.get(self.name)
        if found is None:
            found = record
            for part in self._path:
                found = found.get(part) if isinstance(found, dict) else None
        return None if found == "" else found

    def key(self, record: Record) -> CursorKey | None:
        """What the cursor of ``record`` is compared by; None where it has none. Raises ConversionError."""
        value = self.value(record)
        return None if value is None else self.key_of(value)

    def key_of(self, value: Any) -> CursorKey:
        """What a cursor value is compared by. Raises ConversionError, which never shows the value."""
        try:
            return _KEYS[self.kind](value)
        except (ValueError, InvalidOperation):
            # Without the cause: it shows the value.
            raise ConversionError(
                f"the cursor '{self.name}' has a value of the type {type(value).__name__} that is no {self.kind}"
            ) from None


@dataclass(frozen=True, slots=True)
class Border:
    """Where a read stopped: at a cursor value, some of whose records it has given.

    ``value`` is the cursor value as the source sent it, None where there was none yet; ``seen`` holds a digest of every
    record with this value that was given. Digests, since an offset lies in a checkpoint, where no patient's number
    has a place. ``unplaced`` tells the border of a read whose records had no cursor value, none of them, from the one
    before the first read: an offset has to move where records were given.
    """

    value: Any = None
    seen: frozenset[str] = field(default_factory=frozenset)
    unplaced: bool = False

    def to_json(self) -> dict[str, Any]:
        """The border as a part of an offset; ``{}`` before the first read."""
        return {} if self.value is None and not self.unplaced else {"value": self.value, "seen": sorted(self.seen)}

    @classmethod
    def from_json(cls, part: Any) -> Border:
        """The border that :meth:`to_json` wrote. Raises OffsetError where it is none.

        >>> Border.from_json({"value": 5, "seen": []}).value
        5
        """
        if part is None or part == {}:
            return cls()
        if part == {"value": None, "seen": []}:
            return cls(unplaced=True)
        value, seen = (part.get("value"), part.get("seen")) if isinstance(part, dict) else (None, None)
        if value is None or not isinstance(seen, list) or not all(isinstance(one, str) for one in seen):
            raise OffsetError(
                "the offset does not say where a read stopped", hint="a full refresh of the table starts it anew"
            )
        return cls(value, frozenset(seen))


@dataclass(frozen=True, slots=True)
class Batch:
    """The records of a page that are new, and the border behind them.

    ``without_cursor`` is how many of ``records`` have no cursor value, ``held_back`` how many of the page were left
    for a later read since they lie at or behind its upper bound.
    """

    records: list[Record]
    border: Border
    without_cursor: int = 0
    held_back: int = 0


def record_digest(record: Mapping[str, Any]) -> str:
    """A digest of a whole record: the same record again gives the same one, a changed one another.

    Of the whole record and not of its key: where the cursor counts seconds, a record may change twice in one.
    """
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def batch_behind(
    records: Sequence[Record],
    border: Border,
    cursor: Cursor,
    *,
    table: str,
    first_read: bool,
    until: Any = None,
    latest: Any = None,
    in_order: bool = True,
    coarse_filter: bool = False,
    more: bool = False,
    digest: Callable[[Record], str] = record_digest,
) -> Batch:
    """What of a page that was asked for from ``border.value`` on, this value included, was not given yet.

    ``records``       the page, as many as fit into memory at once
    ``first_read``    the read began at the start of the table: True for each of its pages, until it has come to its end
    ``until``         the upper bound of this read, a cursor value; the border never passes it. Records at or behind it
                      are held back: the next read, which has a later bound, gives them
    ``latest``        the latest cursor value that a record can have, such as the API's clock and an hour more. One that
                      lies behind it is an error: held back, it would be missing until its time has come
    ``in_order``      the API gives records in the order of the cursor, which is checked within a page and from page to
                      page; False where ``records`` are all that there is behind the border
    ``coarse_filter`` the API filters by less than the cursor, such as by day, and gives records below the border again.
                      They are passed over, so that an order that is kept within pages only goes unseen
    ``more``          there are more records behind this page
    ``digest``        what makes two records at the border the same one, of the whole record where nothing is given

    Records without a cursor value are given in the first read, which asks for everything; later they can neither be
    placed nor told from the old ones, and are an error.

    Raises ConversionError for cursor values that are no such, SourceError for records out of order, in the future,
    without a cursor, or where more records share one value than a page, or a border, can hold.

    >>> page = [{"id": 1, "at": 5}, {"id": 2, "at": 7}]
    >>> first = batch_behind(page, Border(), Cursor("at", "number"), table="visits", first_read=True)
    >>> page = [{"id": 2, "at": 7}, {"id": 3, "at": 7}]
    >>> batch_behind(page, first.border, Cursor("at", "number"), table="visits", first_read=False).records
    [{'id': 3, 'at': 7}]
    """
    start = None if border.value is None else cursor.key_of(border.value)
    bound = None if until is None else cursor.key_of(until)
    keys = [cursor.key(record) for record in records]
    placed = [key for key in keys if key is not None]
    without_cursor = len(keys) - len(placed)
    if without_cursor and not first_read:
        raise _without_cursor(table, cursor, without_cursor)
    if in_order:
        _check_order(placed if start is None or coarse_filter else [start, *placed], table, cursor)
    if latest is not None:
        _check_not_later(placed, cursor.key_of(latest), table, cursor)

    new: list[Record] = []
    ties: list[Record] = []
    last_value, last_key, held_back = border.value, start, 0
    for record, key in zip(records, keys, strict=True):
        if key is None:
            new.append(record)
            continue
        if bound is not None and key >= bound:
            held_back += 1
            continue
        if start is not None and (key < start or (key == start and digest(record) in border.seen)):
            continue
        new.append(record)
        if last_key is None or key > last_key:
            last_value, last_key, ties = cursor.value(record), key, []
        if key == last_key:
            ties.append(record)
    seen = frozenset(map(digest, ties)) | (border.seen if last_key == start else frozenset())

    if len(seen) > MAX_TIES:
        raise SourceError(
            f"more than {MAX_TIES:,} records of the table '{table}' have one value of the cursor '{cursor.name}'",
            hint="a read cannot stop among them; read them in one batch, or the table as a snapshot",
        )
    if more and not new and not held_back:
        raise SourceError(
            f"the table '{table}' has more records with one value of the cursor '{cursor.name}' than a page holds",
            hint="ask for larger pages",
        )
    unplaced = last_key is None and (border.unplaced or bool(new))
    return Batch(new, Border(_as_json(last_value), seen, unplaced), without_cursor, held_back)


def fingerprint(options: Mapping[str, Any]) -> str:
    """What an offset keeps of the options that it was made with: text that names them, without their values.

    ``options`` are those that decide which records there are, and no others: a changed password is no reason to read
    a table anew. Raises ContractError for a secret.

    >>> fingerprint({"deletes": "history", "profile": None})
    'deletes=bb36ccae,profile=74234e98'
    """
    return ",".join(f"{name}={_short_digest(name, options[name])}" for name in sorted(options))


def check_fingerprint(offset: Offset | None, expected: str, *, table: str, key: str = "options") -> None:
    """Refuses an ``offset`` that was made with other options than ``expected``, what :func:`fingerprint` gave for
    today's. The fingerprint of the offset stands under ``key``; the start, None or ``{}``, goes with all options.

    Raises OffsetError that names the options that differ.

    >>> check_fingerprint({"until": 5, "options": "deletes=1"}, "deletes=2", table="visits")
    Traceback (most recent call last):
    connector_lib.errors.OffsetError: the table 'visits' was read with other values of the options: deletes
      a full refresh of the table reads it anew with today's; or set them back
    """
    if not offset or offset.get(key) == expected:
        return
    then, now = _by_name(offset.get(key)), _by_name(expected)
    differing = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    raise OffsetError(
        f"the table '{table}' was read with other values of the options: {', '.join(differing)}",
        hint="a full refresh of the table reads it anew with today's; or set them back",
    )


def _number_key(value: Any) -> CursorKey:
    if isinstance(value, bool):
        raise ValueError("a truth value")
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if _INTEGER.fullmatch(text) else Decimal(text)
    if isinstance(value, int):
        return value
    if isinstance(value, (float, Decimal)) and Decimal(value).is_finite():
        return value
    raise ValueError("no number")


def _timestamp_key(value: Any) -> CursorKey:
    if not isinstance(value, str):
        raise ValueError("no text")
    return timestamp_nanoseconds(value)


def _text_key(value: Any) -> CursorKey:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value


_KEYS: Final[Mapping[CursorKind, Callable[[Any], CursorKey]]] = {
    "timestamp": _timestamp_key,
    "number": _number_key,
    "text": _text_key,
}


def _as_json(value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def _check_order(keys: Sequence[CursorKey], table: str, cursor: Cursor) -> None:
    if any(map(operator.lt, keys[1:], keys)):
        raise SourceError(
            f"the records of the table '{table}' do not come in the order of the cursor '{cursor.name}'",
            hint="ask the API to sort by it, and to give what is behind the border only; where it cannot sort, read to "
            "the end before the border is set",
        )


def _check_not_later(keys: Sequence[CursorKey], latest: CursorKey, table: str, cursor: Cursor) -> None:
    count = sum(key > latest for key in keys)
    if count:
        raise SourceError(
            f"{count:,} records of the table '{table}' have a value of the cursor '{cursor.name}' in the future",
            hint="correct them in the source: until their time has come, no read by this cursor would give them",
        )


def _without_cursor(table: str, cursor: Cursor, count: int) -> SourceError:
    return SourceError(
        f"{count:,} records of the table '{table}' have no value of the cursor '{cursor.name}'",
        hint="whether they are new cannot be told; read the table as a snapshot, or by another cursor",
    )


def _short_digest(name: str, value: Any) -> str:
    try:
        text = json.dumps(value, sort_keys=True)
    except TypeError:
        # A secret lands here too, and a checkpoint is no place for what a guess could be checked against.
        raise ContractError(f"the option '{name}' cannot be part of an offset: it is no JSON value") from None
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _by_name(text: object) -> dict[str, str]:
    pairs = filter(None, text.split(",")) if isinstance(text, str) else ()
    return {name: digest for name, _, digest in (pair.partition("=") for pair in pairs)}
