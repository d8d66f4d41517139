"""What becomes of each fault: of a snapshot, of a table that is followed, of one that is followed with its deletes.

A cell is ``whole`` where the target is the source, ``error`` where the read ends with one, and begins with ``LOST``
where it is neither. Those must not be.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from pyspark.sql.types import StringType, StructField

from connector_lib.connector.interface import Offset, Record
from connector_lib.connector.reading import read_steps
from connector_lib.datasource.converters import compile_converter
from connector_lib.errors import ConnectorLibError
from connector_lib.http.auth import OAuth2ClientCredentials
from connector_lib.http.client import HttpClient
from connector_lib.http.retry import RetryPolicy
from connector_lib.testing.faults import FAULTS, Fault
from connector_lib.testing.instants import instant
from connector_lib.testing.logins import Login
from connector_lib.testing.records_api import Paging, RecordsApi, RecordsTable
from connector_lib.testing.records_source import RecordsSource
from tests.unit.testing.records_sample import SECRET, no_wait

Kind: TypeAlias = Literal["snapshot", "cdc", "deletes"]
KINDS: tuple[Kind, ...] = ("snapshot", "cdc", "deletes")
TYPES: Mapping[Kind, Any] = {"snapshot": "snapshot", "cdc": "cdc", "deletes": "cdc_with_deletes"}
COLUMNS = {"id": "string", "updated": "timestamp", "ward": "string"}
RESCUED = "_rescued_data"


@dataclass(frozen=True, slots=True)
class Row:
    """A fault and its outcomes, in the order of :data:`KINDS`; ``says`` is the error's message."""

    name: str
    once: tuple[str, ...]
    stays: tuple[str, ...] = ()
    says: str = ""


# Over the wire.


def wire_rows() -> Iterator[Row]:
    """Each fault of the table, once in the middle of a read, and from there on."""
    with ExitStack() as open_apis:
        apis = {kind: open_apis.enter_context(_api(kind)) for kind in KINDS}
        for name, fault in FAULTS.items():
            played = dataclasses.replace(fault, pause=0.02)
            once = [_wire_outcome(apis[kind], kind, played, times=1) for kind in KINDS]
            stays = [_wire_outcome(apis[kind], kind, played, times=None) for kind in KINDS]
            says = next((said for _, said in (*stays, *once) if said), "")
            yield Row(name, tuple(cell for cell, _ in once), tuple(cell for cell, _ in stays), says)


def _wire_outcome(api: RecordsApi, kind: Kind, fault: Fault, times: int | None) -> tuple[str, str]:
    expected = _counted(api.deleted("table") if kind == "deletes" else api.rows("table"))
    # Behind the login, the tables and for some the records of the future: a page that has others before and after it.
    middle = 5
    # Where connections are refused for a moment, the next try has to wait for longer than that.
    sleep = _brief_wait if fault.delivery == "refused" else no_wait
    with api.server.failing(fault, at=middle, times=times):
        try:
            given = _counted(_read(_source(api, sleep=sleep), deletes=kind == "deletes")[0])
        except ConnectorLibError as error:
            return "error" if not api.server.astray else "LOST: it asked elsewhere", _said(error)
        astray = api.server.astray
    if astray:
        return "LOST: it asked elsewhere", ""
    return "whole" if given == expected else f"LOST {(expected - given).total()}", ""


def _counted(records: list[Record]) -> Counter[tuple[str, str]]:
    return Counter((record["id"], record["updated"]) for record in records)


def _said(error: ConnectorLibError) -> str:
    text = re.sub(r"(GET|POST) http://[^/ ]+\S*?(, page [\d,]+)?: ", "", error.message)
    text = re.sub(r"http://(127\.0\.0\.1|localhost):\d+", "http://…", text)
    return re.sub(r"tables/table(/deleted)?", "…", text.replace("the table 'table'", "the table"))


# In the data, and while pages are read.


@dataclass(frozen=True, slots=True)
class Situation:
    """Something about the source. ``arrange`` happens before it is read, ``meanwhile`` before its third page, in the
    first run; a second run follows that has nothing to disturb it.
    """

    name: str
    arrange: Callable[[RecordsApi], object] = field(default=lambda api: None)
    meanwhile: Callable[[RecordsApi], object] | None = None
    paging: Paging = "link"
    ordered: bool = True
    columns: Mapping[str, Any] = field(default_factory=lambda: COLUMNS)
    rescued: bool = False
    seconds_a_request: float = 0.0


def _put(**values: Any) -> Callable[[RecordsApi], object]:
    return lambda api: api.put("table", {"id": "odd", "ward": "north", **values})


def _update(api: RecordsApi) -> None:
    # One that was read, one on the next page, and one behind.
    api.put(
        "table", *({"id": f"north {number}", "ward": "moved"} for number in (0, 5)), {"id": "alone", "ward": "moved"}
    )


def _delete(api: RecordsApi) -> None:
    api.delete("table", "north 0", "south 6")


def _insert(api: RecordsApi) -> None:
    api.put("table", {"id": "a first", "ward": "new"}, {"id": "z last", "ward": "new"})


def _delete_and_insert(api: RecordsApi) -> None:
    api.delete("table", "north 0")
    api.put("table", {"id": "z last", "ward": "new"})


def _times(*texts: str) -> Callable[[RecordsApi], object]:
    def put(api: RecordsApi) -> None:
        for number, text in enumerate(texts):
            api.put("table", {"id": f"time {number}", "updated": text, "ward": "north"})

    return put


def _with(column: str, kind: Any) -> Mapping[str, Any]:
    return {**COLUMNS, column: kind}


_ODD_NAMES = ("a.b", "a b", "a`b", "Größe", "\N{STETHOSCOPE}", "select")
_CHANGES: tuple[tuple[str, Callable[[RecordsApi], object]], ...] = (
    ("updated", _update),
    ("deleted", _delete),
    ("inserted", _insert),
    ("deleted before and inserted behind", _delete_and_insert),
)
SITUATIONS: tuple[Situation, ...] = (
    *(
        Situation(f"records {what} while pages are read, by {paging}", meanwhile=change, paging=paging)
        for paging in ("link", "token", "link_header", "offset", "page")
        for what, change in _CHANGES
    ),
    Situation("token expired", meanwhile=RecordsApi.expire_tokens, paging="token"),
    Situation("answers too slow for the deadline of the read", seconds_a_request=10),
    Situation("equal cursors over the border of a page"),
    Situation("cursor null", _put(updated=None)),
    Situation("cursor in the future", _put(updated="2999-01-01T00:00:00Z")),
    Situation("cursors in no order", ordered=False),
    Situation(
        "cursors in several time zones, over a change to summer time",
        _times(
            "2026-03-29T01:59:59+01:00",
            "2026-03-29T03:00:00+02:00",
            "2026-03-28T20:00:00-05:00",
            "2026-03-29T01:00:00Z",
            "2026-03-29T06:29:59+05:30",
        ),
    ),
    Situation(
        "cursors of milliseconds, microseconds and nanoseconds",
        _times(
            "2026-01-01T00:00:00.001Z",
            "2026-01-01T00:00:00.001001Z",
            "2026-01-01T00:00:00.001001001Z",
            "2026-01-01T00:00:00.001001002Z",
            "2026-01-01T00:00:00Z",
        ),
    ),
    Situation("new field", _put(height="2 m")),
    Situation("new field, with rescuedDataColumn", _put(height="2 m"), rescued=True),
    Situation("field removed", lambda api: api.put("table", {"id": "odd"})),
    Situation("field of another type", _put(beds="many"), columns=_with("beds", "long")),
    Situation(
        "field of another type, with rescuedDataColumn", _put(beds="many"), columns=_with("beds", "long"), rescued=True
    ),
    Situation("record of 10 MB", _put(ward="x" * 10_000_000)),
    Situation("whole number over 2^63 for a long", _put(beds=2**63), columns=_with("beds", "long")),
    Situation("whole number over 2^63 for a decimal", _put(beds=2**63), columns=_with("beds", "decimal(38,0)")),
    Situation("NaN in a record", _put(beds=float("nan")), columns=_with("beds", "double")),
    Situation("lone surrogate in a text", _put(ward="\ud83d")),
    Situation(
        "names of columns with dots, blanks, backticks, umlauts, emoji, or of SQL",
        _put(**dict.fromkeys(_ODD_NAMES, "here")),
        columns={**COLUMNS, **dict.fromkeys(_ODD_NAMES, "string")},
    ),
)


def situation_rows() -> Iterator[Row]:
    """Each situation of the source."""
    for situation in SITUATIONS:
        outcomes = [_situation_outcome(situation, kind) for kind in KINDS]
        says = next((said for _, said in outcomes if said), "")
        yield Row(situation.name, tuple(cell for cell, _ in outcomes), says=says)


def _situation_outcome(situation: Situation, kind: Kind) -> tuple[str, str]:
    with _api(kind, situation) as api:
        situation.arrange(api)
        before = _by_key(api.rows("table"))
        target: dict[str, Record] = {}
        error = ""
        offsets: dict[bool, Offset] = {}
        try:
            with _disturbed(api, situation):
                _run(api, situation, kind, target, offsets)
            unchanged = {key: row for key, row in before.items() if _by_key(api.rows("table")).get(key) == row}
            lost = sum(key not in target for key in unchanged)
            if lost:
                return f"LOST {lost} in the first run", ""
        except ConnectorLibError as caught:
            error = _said(caught)
            target, offsets = {}, {}
        try:
            _run(api, dataclasses.replace(situation, seconds_a_request=0), kind, target, offsets)
        except ConnectorLibError as caught:
            return "error", _said(caught)
        if kind == "cdc":
            # Without its deletes, what was deleted stays in such a table.
            target = {key: row for key, row in target.items() if key not in _by_key(api.deleted("table"))}
        difference = _difference(target, _by_key(api.rows("table")), situation)
        if difference:
            return difference, error
    return ("error, then whole", error) if error else ("whole", "")


@contextmanager
def _disturbed(api: RecordsApi, situation: Situation) -> Iterator[None]:
    change = situation.meanwhile
    if change is not None:
        api.server.before(lambda: change(api), path="/tables/table", at=3)
    yield
    api.server.reset()


def _run(
    api: RecordsApi, situation: Situation, kind: Kind, target: dict[str, Record], offsets: dict[bool, Offset]
) -> None:
    """One run into the target, as SCD type 1 has it: the latest of a key counts, and a delete takes it away."""
    source = _source(api, situation.paging, situation.seconds_a_request)
    schema = source.get_table_schema("table", {})
    if situation.rescued:
        schema = schema.add(StructField(RESCUED, StringType()))
    converter = compile_converter(schema, rescued_column=RESCUED if situation.rescued else None)
    events: list[tuple[int, bool, Record, Record]] = []
    for deletes in (False, True) if kind == "deletes" else (False,):
        records, offsets[deletes] = _read(source, offsets.get(deletes), deletes=deletes)
        rows = converter.to_batch(records).to_pylist()
        # A snapshot has the order of its run only.
        times = [instant(record["updated"]) if kind != "snapshot" else 0 for record in records]
        events.extend(zip(times, itertools.repeat(deletes), records, rows, strict=False))
    if kind == "snapshot":
        target.clear()
    for _, deleted, record, row in sorted(events, key=lambda event: (event[0], event[1])):
        if deleted:
            target.pop(record["id"], None)
        else:
            target[record["id"]] = row


def _difference(target: dict[str, Record], source: dict[str, Record], situation: Situation) -> str:
    if target.keys() != source.keys():
        return f"LOST {len(source.keys() - target.keys())}, {len(target.keys() - source.keys())} too many"
    left_out: set[str] = set()
    for key, sent in source.items():
        row = target[key]
        for name, value in sent.items():
            if _same(value, row.get(name)):
                continue
            if situation.rescued and f'"{name}"' in str(row[RESCUED]):
                continue
            if name not in situation.columns:
                left_out.add(name)
                continue
            return f"LOST the value of '{name}'"
    return "whole, but for the field" if left_out else ""


def _same(sent: Any, stored: Any) -> bool:
    if isinstance(stored, datetime):
        # Spark's timestamps have microseconds.
        since = stored - datetime.fromisoformat("1970-01-01T00:00:00+00:00")
        return (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds == instant(sent) // 1000
    return bool(sent == stored)


def _by_key(records: list[Record]) -> dict[str, Record]:
    return {record["id"]: record for record in records}


# What both share.


@contextmanager
def _api(kind: Kind, situation: Situation | None = None) -> Iterator[RecordsApi]:
    """Fifteen records in four pages, seven of them with one time; and nine deletes, six with one time."""
    chosen = situation or Situation("")
    table = RecordsTable("table", chosen.columns, TYPES[kind])
    login = Login("client_credentials", secret=SECRET)
    with RecordsApi([table], paging=chosen.paging, ordered=chosen.ordered, login=login) as api:
        for ward in ("north", "south"):
            api.put("table", *({"id": f"{ward} {number}", "ward": ward} for number in range(7)))
        api.put("table", {"id": "alone", "ward": "north"})
        if kind == "deletes":
            api.put("table", *({"id": f"gone {number}", "ward": "west"} for number in range(9)))
            api.delete("table", *(f"gone {number}" for number in range(6)))
            api.delete("table", *(f"gone {number}" for number in range(6, 9)))
        yield api


def _brief_wait(seconds: float) -> None:
    time.sleep(seconds / 5)


def _source(
    api: RecordsApi,
    paging: Paging = "link",
    seconds_a_request: float = 0.0,
    sleep: Callable[[float], None] = no_wait,
) -> RecordsSource:
    ticks = itertools.count(0.0, seconds_a_request)
    slow: dict[str, Any] = {"clock": lambda: next(ticks)} if seconds_a_request else {}
    retry = RetryPolicy(timeout=1000 if slow else 0.5, max_attempts=2, deadline=60 if slow else None)
    auth = OAuth2ClientCredentials(f"{api.url}/token", "reader", SECRET)
    client = HttpClient(api.url, auth=auth, retry=retry, max_body_bytes=16 * 2**20, sleep=sleep, **slow)
    return RecordsSource({"base_url": api.url, "paging": paging, "max_pages": "50"}, client=client)


def _read(source: RecordsSource, start: Offset | None = None, *, deletes: bool) -> tuple[list[Record], Offset]:
    records: list[Record] = []
    end = start or {}
    for step in read_steps(source, "table", {"page_size": "4"}, start, deletes=deletes):
        records.extend(step.records)
        end = step.end
    return records, end
