"""Reads a table of a connector to its end, call by call, and holds the connector to its contract.

A source that breaks the contract loses rows, doubles them or never ends. What can be seen of that from outside ends
the read with a :class:`~connector_lib.errors.ContractError`:

- an offset that is None, no object, or does not come back from JSON as it went in;
- records together with an offset that did not move (the next run would never get behind them);
- an offset that was there before (the read would go round for ever).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from connector_lib.connector.interface import LakeflowConnect, Offset, Record, TableOptions
from connector_lib.errors import ContractError

__all__ = ["ReadStep", "offset_text", "read_all", "read_step", "read_steps", "same_offset"]

_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class ReadStep:
    """One call of ``read_table``: the ``records`` between ``start`` and ``end``, to be taken once, as they come.

    ``moved`` says whether there was anything: without it, ``records`` is empty and the table is read to its end.
    """

    start: Offset
    end: Offset
    records: Iterator[Record]
    moved: bool


def read_all(
    connector: LakeflowConnect,
    table: str,
    options: TableOptions,
    start: Offset | None = None,
    *,
    deletes: bool = False,
) -> Iterator[Record]:
    """Every record behind ``start`` up to the bound of the connector; with ``deletes`` those that were deleted.

    One record of the connector is held at a time. Raises what the connector raises, and ContractError.

    >>> class Clinic(LakeflowConnect):
    ...     def list_tables(self): return ["visits"]
    ...     def get_table_schema(self, table_name, table_options): ...
    ...     def read_table_metadata(self, table_name, table_options): return {"ingestion_type": "snapshot"}
    ...     def read_table(self, table_name, start_offset, table_options):
    ...         page = (start_offset or {}).get("page", 0)
    ...         return (iter([{"id": page}]), {"page": page + 1}) if page < 3 else (iter([]), start_offset)
    >>> list(read_all(Clinic({}), "visits", {}))
    [{'id': 0}, {'id': 1}, {'id': 2}]
    """
    for step in read_steps(connector, table, options, start, deletes=deletes):
        yield from step.records


def read_steps(
    connector: LakeflowConnect,
    table: str,
    options: TableOptions,
    start: Offset | None = None,
    *,
    deletes: bool = False,
) -> Iterator[ReadStep]:
    """The calls of ``read_table`` behind ``start`` until the offset stands still, each with its records.

    The records of a step have to be taken before the next step is asked for. The ``end`` of the last step is where a
    later read goes on. Raises what the connector raises, and ContractError.
    """
    place: Offset = {} if start is None else start
    # Brent's way of finding a circle: one offset is kept, and every so often, at twice the distance, a later one.
    # That finds every circle and needs no room for all offsets that were seen.
    kept, distance, limit = offset_text(connector, table, place), 0, 1
    while True:
        step = read_step(connector, table, options, place, deletes=deletes)
        if not step.moved:
            return
        text = offset_text(connector, table, step.end)
        if text == kept:
            raise _broken(connector, table, "came back to an offset that it had left, so that the read would never end")
        distance += 1
        if distance == limit:
            kept, distance, limit = text, 0, limit * 2
        yield step
        place = step.end


def read_step(
    connector: LakeflowConnect,
    table: str,
    options: TableOptions,
    start: Offset | None = None,
    *,
    deletes: bool = False,
) -> ReadStep:
    """One checked call of ``read_table``, or of ``read_table_deletes``. The records are not read, but for this: where
    the offset did not move, the connector is asked for one, and an error if it has it.

    Raises what the connector raises, and ContractError.
    """
    before = offset_text(connector, table, {} if start is None else start)
    method = "read_table_deletes" if deletes else "read_table"
    read = getattr(connector, method, None)
    if read is None:
        raise _broken(connector, table, f"has no {method}")
    # A copy: a connector that changes the start offset in place would seem to stand still.
    answer: Any = read(table, json.loads(before), options)
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise _broken(connector, table, f"gave {type(answer).__name__} instead of a pair of records and an offset")
    records, end = answer
    try:
        records = iter(records)
    except TypeError:
        raise _broken(connector, table, f"gave {type(records).__name__} instead of an iterator of records") from None
    moved = offset_text(connector, table, end) != before
    if not moved and next(records, _NOTHING) is not _NOTHING:
        raise _broken(connector, table, "gave records with an offset that did not move: the next read repeats them")
    return ReadStep(start=json.loads(before), end=end, records=records, moved=moved)


def offset_text(connector: object, table: str, offset: object) -> str:
    """``offset`` as JSON, equal for equal offsets. Raises ContractError where it is no JSON object.

    >>> offset_text(None, "visits", {"until": 5, "page": None})
    '{"page":null,"until":5}'
    """
    if not isinstance(offset, dict):
        raise _broken(connector, table, f"gave {_kind(offset)} as its offset instead of a JSON object")
    try:
        text = json.dumps(offset, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise _broken(connector, table, "gave an offset that cannot be written as JSON") from error
    if json.loads(text) != offset:
        raise _broken(connector, table, "gave an offset that JSON changes: keys have to be text, and sequences lists")
    return text


def same_offset(one: Offset | None, other: Offset | None) -> bool:
    """Whether two offsets are the same place; None and ``{}`` both are the start.

    >>> same_offset(None, {}), same_offset({"page": 1}, {"page": True})
    (True, False)
    """
    return json.dumps(one or {}, sort_keys=True) == json.dumps(other or {}, sort_keys=True)


def _broken(connector: object, table: str, what: str) -> ContractError:
    return ContractError(
        f"the connector {type(connector).__name__} {what} (table '{table}')",
        hint="this is a fault of the connector: its rules stand in connector_lib.connector.interface",
    )


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
