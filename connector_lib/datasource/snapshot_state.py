"""What a snapshot was, on disk, and what the next one changed.

A version of a snapshot is two files of one name in the folder of its stream:

``<name>.sqlite``           for each row the hash of its key, the hash of its columns, and the key as JSON
``<name>.changes.jsonl.gz`` the rows that are new or changed since the version before, then the keys that are gone

A row is written as it came: its members in their order, and numbers with their digits, so that ``1.50`` is ``1.50``
wherever the row goes. Only for the hash its members are sorted.

Both are written beside their names and renamed when they are complete, so that a version is there whole or not at all.
A version is compared with the one before it row by row: what is in memory are some rows, and SQLite's cache.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import re
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, Final

from connector_lib.connector.interface import Record
from connector_lib.datasource.snapshot_keys import KeyColumns
from connector_lib.errors import ContractError, OffsetError, SourceError

__all__ = ["SnapshotVersion", "remove_all_but", "write_version"]

DELETED: Final = "_deleted"
_STATE: Final = ".sqlite"
_CHANGES: Final = ".changes.jsonl.gz"
_BEING_WRITTEN: Final = ".part"
_ROWS_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class SnapshotVersion:
    """A version of a snapshot, by the ``name`` of its files in ``folder``."""

    folder: Path
    name: str

    def exists(self) -> bool:
        """Whether it is there, whole."""
        return self._state().is_file()

    def changes(self) -> Iterator[Record]:
        """The rows that were new or changed, with ``_deleted`` false; then the keys of those that were gone, with
        ``_deleted`` true. The same each time. Raises OffsetError where they are not there any more."""
        if not self.exists() or not self._changes().is_file():
            raise _gone(self)
        with gzip.open(self._changes(), "rt", encoding="ascii") as lines:
            for line in lines:
                yield _from_json(line)

    def remove(self) -> None:
        """Removes it."""
        # The state first: by it a version is known to be whole.
        for file in (self._state(), self._changes()):
            file.unlink(missing_ok=True)

    def _state(self) -> Path:
        return self.folder / f"{self.name}{_STATE}"

    def _changes(self) -> Path:
        return self.folder / f"{self.name}{_CHANGES}"


def write_version(
    version: SnapshotVersion,
    records: Iterable[Record],
    *,
    before: SnapshotVersion | None,
    table: str,
    keys: KeyColumns,
    columns: Sequence[str] | None,
) -> int:
    """Writes ``version`` from the ``records`` of the whole ``table``; gives how many changes it has since ``before``.

    ``keys`` tell its rows apart. Rows are compared by ``columns``, or by all that they have. Rows that are equal are
    one row.

    Raises OffsetError where ``before`` is not there or had other keys; SourceError for a row without a key, and for two
    rows that differ and have one key; ConversionError for a key that does not fit its column. Then there is no version.
    """
    if before is not None and not before.exists():
        raise _gone(before)
    version.folder.mkdir(parents=True, exist_ok=True)
    state, changes = _part_of(version._state()), _part_of(version._changes())
    try:
        with (
            contextlib.closing(_new_state(state, keys)) as database,
            gzip.open(changes, "wt", encoding="ascii", compresslevel=1) as lines,
        ):
            if before is not None:
                _attach(database, before, table, keys)
            rows = _Comparison(database, table, keys, columns, with_before=before is not None)
            number = 0
            for line in rows.upserts(records):
                lines.write(line)
                number += 1
            for line in rows.deletes():
                lines.write(line)
                number += 1
            database.commit()
        for written in (changes, state):
            _make_durable(written)
        # The state last: by it a version is known to be whole.
        changes.replace(version._changes())
        state.replace(version._state())
    finally:
        for left in (state, changes):
            left.unlink(missing_ok=True)
    return number


def remove_all_but(version: SnapshotVersion, stream: str) -> None:
    """Removes the versions of ``stream``, which their names begin with, and the changes of ``version``: what is left is
    what the next one is compared with."""
    for file in version.folder.glob(f"{stream}-*"):
        if file != version._state():
            file.unlink(missing_ok=True)


class _Comparison:
    """The rows of a snapshot, as they come, beside those of the version before, which is attached as ``before``."""

    def __init__(
        self,
        database: sqlite3.Connection,
        table: str,
        keys: KeyColumns,
        columns: Sequence[str] | None,
        *,
        with_before: bool,
    ) -> None:
        self._database = database
        self._table = table
        self._keys = keys
        self._columns = columns
        self._with_before = with_before

    def upserts(self, records: Iterable[Record]) -> Iterator[str]:
        """A line for each row that is new or changed."""
        left = iter(records)
        while piece := list(islice(left, _ROWS_AT_ONCE)):
            for record, key in zip(piece, self._keys.as_in_table(piece), strict=True):
                yield from self._upsert(record, _hash(_json(key)))

    def _upsert(self, record: Record, key: bytes) -> Iterator[str]:
        content = self._content(record)
        row = _hash(_sorted_json(content))
        insert = "INSERT OR IGNORE INTO rows (key, hash, key_json) VALUES (?, ?, ?)"
        if self._database.execute(insert, (key, row, _json(self._keys.as_sent(record)))).rowcount == 0:
            self._refuse_other_row(key, row)
        elif self._hash_before(key) != row:
            yield _json({**content, DELETED: False}) + "\n"

    def deletes(self) -> Iterator[str]:
        """A line for each row that is gone: its key."""
        if not self._with_before:
            return
        gone = "SELECT key_json FROM before.rows AS old WHERE NOT EXISTS (SELECT 1 FROM rows WHERE key = old.key)"
        for (text,) in self._database.execute(gone):
            yield _json({**self._keys.record(_from_json(text)), DELETED: True}) + "\n"

    def _hash_before(self, key: bytes) -> bytes | None:
        if not self._with_before:
            return None
        found = self._database.execute("SELECT hash FROM before.rows WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    def _content(self, record: Record) -> Record:
        # What is null and what is not there is the same in a table: a new column changes the rows that have it.
        names = record if self._columns is None else self._columns
        return {name: record[name] for name in names if record.get(name) is not None}

    def _refuse_other_row(self, key: bytes, row: bytes) -> None:
        (there,) = self._database.execute("SELECT hash FROM rows WHERE key = ?", (key,)).fetchone()
        if there != row:
            raise SourceError(
                f"the snapshot of the table '{self._table}' has two rows of one key that differ "
                f"(key columns: {', '.join(self._keys.names)})",
                hint="name the columns that tell its rows apart as primary_keys",
            )


def _new_state(file: Path, keys: KeyColumns) -> sqlite3.Connection:
    file.unlink(missing_ok=True)
    database = sqlite3.connect(file)
    # A file that is not complete is thrown away, so there is nothing that a journal could save.
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("CREATE TABLE about (keys TEXT NOT NULL)")
    database.execute(
        "CREATE TABLE rows (key BLOB PRIMARY KEY, hash BLOB NOT NULL, key_json TEXT NOT NULL) WITHOUT ROWID"
    )
    database.execute("INSERT INTO about VALUES (?)", (_json(keys.kind),))
    database.commit()
    return database


def _attach(database: sqlite3.Connection, before: SnapshotVersion, table: str, keys: KeyColumns) -> None:
    database.execute("ATTACH DATABASE ? AS before", (str(before._state()),))
    (had,) = database.execute("SELECT keys FROM before.about").fetchone()
    if json.loads(had) != keys.kind:
        listed = ", ".join(f"{name} {kind}" for name, kind in json.loads(had).items())
        raise OffsetError(
            f"the last snapshot of the table '{table}' had other key columns: {listed}",
            hint="run with a full refresh",
        )


def _part_of(file: Path) -> Path:
    return file.with_name(file.name + _BEING_WRITTEN)


def _make_durable(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _as_json(value: object) -> object:
    """What is no JSON, as the text that the converters read it from; a Decimal as what becomes a number of JSON."""
    if isinstance(value, Decimal):
        return f"{_DECIMAL}{value}" if value.is_finite() else float(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    raise ContractError(f"a record has a value of the type {type(value).__name__}, which is none of JSON")


_DECIMAL: Final = f"decimal-{secrets.token_hex(8)}-"
"""What marks the digits of a Decimal until they are in the JSON text: the encoder of the standard library writes none,
and one in Python takes ten times as long. No text of a source can begin with it."""
_DECIMALS: Final = re.compile(f'"{_DECIMAL}([^"]*)"')
_in_order: Final = json.JSONEncoder(default=_as_json).encode
_sorted: Final = json.JSONEncoder(default=_as_json, sort_keys=True).encode


def _json(value: object) -> str:
    return _with_decimals(_in_order(value))


def _sorted_json(value: object) -> str:
    return _with_decimals(_sorted(value))


def _with_decimals(text: str) -> str:
    """JSON with Decimals as numbers. It begins with a blank then: floats would come back as Decimals otherwise."""
    return " " + _DECIMALS.sub(r"\1", text) if _DECIMAL in text else text


def _from_json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal if text.startswith(" ") else None)


def _hash(text: str) -> bytes:
    return blake2b(text.encode("ascii"), digest_size=16).digest()


def _gone(version: SnapshotVersion) -> OffsetError:
    return OffsetError(
        f"what is known of the last snapshot is not in {version.folder} any more",
        hint="run with a full refresh; the folder belongs to the checkpoint of the stream, and has to be kept with it",
    )
