"""A small API of records with its tables in memory, for tests of connectors and of what is built on them.

It pages in five ways, filters by time, has a feed of deletes, logins, a limit of requests, and tables that change
while they are read. Its faults are those of :class:`~connector_lib.testing.api_server.ApiServer`, in ``server``.

>>> import urllib.request
>>> with RecordsApi([RecordsTable("visits", {"id": "string", "updated": "timestamp"})]) as api:
...     api.put("visits", {"id": "1", "updated": "2026-01-01T00:00:00Z"})
...     urllib.request.urlopen(f"{api.url}/tables/visits?limit=5").read()
b'{"items": [{"id": "1", "updated": "2026-01-01T00:00:00Z"}], "next": null, "count": 1, "total": 1}'

What it answers below its base path, everything as JSON:

``GET /``                      ``{"name", "time", "tables"}``: the server's time, and what each table is
``GET /tables/NAME``           ``{"items", "next", "count", "total"}``; parameters ``since`` (from that time on),
                               ``until`` (before that time), ``limit``, and what its way of paging needs
``GET /tables/NAME/deleted``   the same for deletes: key and time of each
``POST /token``                a token for a client's id and secret (RFC 6749 section 4.4)

Records come in the order of their times and keys. A window always has the records that have no time. ``total`` is how
many records are in the window now, ``count`` how many of them are on this page.
"""

from __future__ import annotations

import base64
import bisect
import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Literal, TypeAlias
from urllib.parse import urlencode

from connector_lib.connector.interface import IngestionType, Record
from connector_lib.testing.api_server import ApiRequest, ApiServer, Reply, ServedApi
from connector_lib.testing.instants import instant, instant_text
from connector_lib.testing.logins import Login
from connector_lib.testing.pages import PageFormat, header_pages, json_pages

__all__ = ["Paging", "RecordsApi", "RecordsTable"]

Paging: TypeAlias = Literal["link", "token", "link_header", "offset", "page"]
"""How an answer leads to the next page: a link or a token in the body, a link in the header ``Link``, or counted by
the client: records to pass over (``offset``), or pages (``page``, the first is 1)."""
Kind: TypeAlias = Literal["records", "deleted"]

_FIRST_TIME = datetime.min.replace(tzinfo=timezone.utc)
_BASE_PATH = "/api/v1"


@dataclass(frozen=True, slots=True)
class RecordsTable:
    """What a table is: its columns, by name the type as in the JSON form of a Spark schema, and how it is followed.

    ``key`` and ``cursor`` name columns; a table without a cursor can be read as a snapshot only.
    """

    name: str
    columns: Mapping[str, Any]
    ingestion_type: IngestionType = "cdc_with_deletes"
    key: str = "id"
    cursor: str | None = "updated"

    def described(self) -> dict[str, Any]:
        """The table as the API tells it."""
        columns = [
            {"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in self.columns.items()
        ]
        return {
            "name": self.name,
            "columns": columns,
            "ingestion_type": self.ingestion_type,
            "key": self.key,
            "cursor": self.cursor,
        }


@dataclass(slots=True)
class _Rows:
    table: RecordsTable
    records: dict[Any, Record] = field(default_factory=dict)
    deleted: list[Record] = field(default_factory=list)
    version: int = 0


@dataclass(frozen=True, slots=True)
class _Window:
    """The records of a request in their order, and what they are ordered by."""

    asked: tuple[Any, ...]
    records: list[Record]
    places: list[list[Any]]


class RecordsApi(ServedApi):
    """The API, a context manager. Its tables can be changed at any time, from any thread.

    ``page_size`` is the most records on a page. ``ordered=False`` gives records in no order that means anything.
    ``rate`` is the most requests in a second; more get 429 with ``Retry-After: 1``. ``now`` gives the server's time,
    which never stands still: two calls are at least a microsecond apart. ``port`` 0 takes a free one.
    """

    def __init__(
        self,
        tables: Sequence[RecordsTable],
        *,
        paging: Paging = "link",
        page_size: int = 100,
        ordered: bool = True,
        login: Login | None = None,
        rate: int | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        port: int = 0,
    ) -> None:
        self.paging = paging
        self.page_size = page_size
        self._ordered = ordered
        self._login = login or Login()
        self._rate = rate
        self._now = now
        self._last = _FIRST_TIME
        self._lock = threading.RLock()
        self._rows = {table.name: _Rows(table) for table in tables}
        self._tokens_of = 0
        self._second = (0, 0)
        self._window: _Window | None = None
        self.server = ApiServer(
            {"/": self._guarded(self._root), "/token": self._token, "/tables/*": self._guarded(self._page)},
            base_path=_BASE_PATH,
            pages=_FORMATS.get(paging),
            now=lambda: self.time,
            port=port,
        )

    @property
    def time(self) -> datetime:
        """The server's time; later each time."""
        with self._lock:
            self._last = max(self._now(), self._last + timedelta(microseconds=1))
            return self._last

    def put(self, table: str, *records: Record) -> None:
        """Inserts records, or replaces those of the same key. Those without a time of their own all get the same one,
        the server's."""
        rows = self._rows[table]
        with self._lock:
            now = instant_text(self.time)
            for record in records:
                stamped = dict(record)
                if rows.table.cursor:
                    stamped.setdefault(rows.table.cursor, now)
                rows.records[record[rows.table.key]] = stamped
            rows.version += 1

    def delete(self, table: str, *keys: Any) -> None:
        """Deletes the records of these keys. Raises KeyError for one that is not there."""
        rows = self._rows[table]
        with self._lock:
            now = instant_text(self.time)
            for key in keys:
                del rows.records[key]
                rows.deleted.append({rows.table.key: key, rows.table.cursor or "deleted": now})
            rows.version += 1

    def rows(self, table: str) -> list[Record]:
        """The records that a table has now."""
        with self._lock:
            return [dict(record) for record in self._rows[table].records.values()]

    def deleted(self, table: str) -> list[Record]:
        """The feed of deletes of a table, from its beginning."""
        with self._lock:
            return [dict(record) for record in self._rows[table].deleted]

    def expire_tokens(self) -> None:
        """From now on, links and tokens given out before are answered with 410."""
        with self._lock:
            self._tokens_of += 1

    def _guarded(self, route: Callable[[ApiRequest], Reply]) -> Callable[[ApiRequest], Reply]:
        def guarded(request: ApiRequest) -> Reply:
            with self._lock:
                if self._rate is not None and not self._within_rate(self._rate):
                    return _error(429, "too many requests", {"Retry-After": "1"})
                if not self._login.allows(request):
                    return _error(401, "log in first", {"WWW-Authenticate": "Bearer"})
                return route(request)

        return guarded

    def _within_rate(self, rate: int) -> bool:
        second = int(self.time.timestamp())
        seen = self._second[1] + 1 if self._second[0] == second else 1
        self._second = (second, seen)
        return seen <= rate

    def _token(self, request: ApiRequest) -> Reply:
        return self._login.token(request)

    def _root(self, _: ApiRequest) -> Reply:
        tables = [rows.table.described() for rows in self._rows.values()]
        return Reply.json({"name": "records", "time": instant_text(self.time), "tables": tables})

    def _page(self, request: ApiRequest) -> Reply:
        _, _, name, *rest = request.path.split("/")
        if name not in self._rows or rest not in ([], ["deleted"]):
            return _error(404, "no such table")
        given = request.parameters
        try:
            token = _read_token(given["token"]) if "token" in given else None
            if token is not None and token["of"] != self._tokens_of:
                return _error(410, "the token has expired")
            limit = min(int(given.get("limit", self.page_size)), self.page_size)
            window = self._windowed(self._rows[name], "deleted" if rest else "records", given)
            start = self._start(window, given, token, limit)
        except ValueError:
            return _error(400, "a parameter cannot be read")
        if limit < 1 or start < 0:
            return _error(400, "a parameter is out of its range")
        return self._listed(request, window, start, limit)

    def _windowed(self, rows: _Rows, kind: Kind, given: Mapping[str, str]) -> _Window:
        since, until = given.get("since"), given.get("until")
        asked = (rows.table.name, rows.version, kind, since, until)
        if self._window is not None and self._window.asked == asked:
            return self._window
        from_on = instant(since) if since else None
        before = instant(until) if until else None
        cursor = rows.table.cursor or "deleted"
        every = rows.records.values() if kind == "records" else rows.deleted
        placed = []
        for record in every:
            time = record.get(cursor)
            at = instant(time) if time is not None else None
            if at is not None and ((from_on is not None and at < from_on) or (before is not None and at >= before)):
                continue
            placed.append(([*self._place(rows.table, record, at)], record))
        placed.sort(key=lambda pair: pair[0])
        self._window = _Window(asked, [record for _, record in placed], [place for place, _ in placed])
        return self._window

    def _place(self, table: RecordsTable, record: Record, at: int | None) -> tuple[int, str]:
        key = json.dumps(record[table.key])
        if not self._ordered:
            return 0, hashlib.sha256(f"{key} {at}".encode()).hexdigest()
        # Snapshots by key alone: a record that changes while it is read keeps its place.
        return (-1 if at is None or table.ingestion_type == "snapshot" else at), key

    def _start(self, window: _Window, given: Mapping[str, str], token: Record | None, limit: int) -> int:
        if token is not None:
            return bisect.bisect_right(window.places, token["after"])
        if self.paging == "offset":
            return int(given.get("offset", "0"))
        return (int(given.get("page", "1")) - 1) * limit if self.paging == "page" else 0

    def _listed(self, request: ApiRequest, window: _Window, start: int, limit: int) -> Reply:
        items = window.records[start : start + limit]
        more = start + limit < len(window.records)
        document: dict[str, Any] = {"items": items, "next": None, "count": len(items), "total": len(window.records)}
        headers = {}
        if more and self.paging in _FORMATS:
            token = _token_text({"of": self._tokens_of, "after": window.places[start + limit - 1]})
            link = f"{self.server.origin}{request.target.partition('?')[0]}?" + urlencode(
                {**request.parameters, "token": token}
            )
            if self.paging == "link_header":
                headers = {"Link": f'<{link}>; rel="next"'}
            else:
                document["next"] = token if self.paging == "token" else link
        return Reply.json(document, headers=headers)


_FORMATS: Mapping[str, PageFormat] = {
    "link": json_pages("items", "next"),
    "token": json_pages("items", "next", token=True),
    "link_header": header_pages("items"),
}


def _token_text(content: Record) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


def _read_token(text: str) -> Record:
    # What follows ~ is another name of the same page.
    content: Record = json.loads(base64.urlsafe_b64decode(text.partition("~")[0]))
    return content


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply.json({"error": {"code": str(status), "message": message}}, status, headers)
