"""The connector of :class:`~connector_lib.testing.records_api.RecordsApi`: an example of a whole one.

>>> from connector_lib.testing.records_api import RecordsApi, RecordsTable
>>> with RecordsApi([RecordsTable("visits", {"id": "string", "updated": "timestamp"})]) as api:
...     api.put("visits", {"id": "1"}, {"id": "2"})
...     source = RecordsSource({"base_url": api.url})
...     records, offset = source.read_table("visits", None, {})
...     [record["id"] for record in records]
['1', '2']

How it keeps the contract:

- The upper bound is the time that the API tells at the first call. A read is the window from the last bound (with it)
  to this one (without it), so that records of one time are in one window, all of them.
- Links and tokens stand for a place in the order of times and keys. A record that changes while pages are read leaves
  the window and is in the next one. With ``offset`` and ``page`` it would move the rows behind it over the border of a
  page, and so would one that is deleted. A changed ``total`` shows that; where as many records came as went, the last
  record of the page before does, which is asked for again and has to be where it was. Either is an error. With
  ``page`` this takes a request of its own, behind that of the page.
- An offset keeps which API it was made with: an offset of another one is worth nothing.
- A record without a time, or with one that lies a day and more ahead of the API's, would be missed: an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

from connector_lib.connector.cursor import check_fingerprint, fingerprint, timestamp_nanoseconds, timestamp_text
from connector_lib.connector.interface import BoundedConnector, Offset, Record, TableMetadata, TableOptions, check_table
from connector_lib.connector.options import Field, HttpOptions, Options, SecretStr
from connector_lib.errors import ApiError, OptionError, PagingError, SourceError
from connector_lib.http.auth import (
    Auth,
    BasicAuth,
    BearerAuth,
    HeaderKeyAuth,
    NoAuth,
    OAuth2ClientCredentials,
)
from connector_lib.http.client import HttpClient
from connector_lib.http.messages import Params
from connector_lib.http.paging import (
    LinkHeaderPaginator,
    NextLinkPaginator,
    OffsetPaginator,
    Page,
    PageNumberPaginator,
    Paginator,
    TokenPaginator,
)

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

__all__ = ["RecordsOptions", "RecordsSource", "RecordsTableOptions"]

Paging: TypeAlias = Literal["link", "token", "link_header", "offset", "page"]
_COUNTED: Final = frozenset({"offset", "page"})
"""Paging in which the client counts, so that records which move are missed or doubled."""
_AHEAD: Final = timedelta(days=1)
"""How far a record's time may lie ahead of the API's clock."""


class RecordsOptions(HttpOptions):
    """Options of a connection to an API of records."""

    base_url: str = Field(description="Where the API is, such as https://records.example.org/api/v1")
    auth_type: Literal["none", "basic", "bearer", "header", "client_credentials"] = Field(
        "none", description="How to log in"
    )
    user: str | None = Field(None, description="User, or client id, for the login by 'basic' or 'client_credentials'")
    secret: SecretStr | None = Field(None, description="Password, token, key or client secret, as auth_type needs it")
    paging: Paging = Field("link", description="How an answer of the API leads to the next page")
    max_pages: int = Field(100_000, ge=1, description="Pages in one read of a table; more are an error")
    lag_seconds: float = Field(
        0, ge=0, description="How far behind the API's clock a read ends, for an API that shows a record some time late"
    )


class RecordsTableOptions(Options):
    """Options of one table."""

    page_size: int = Field(100, ge=1, le=10_000, description="Records asked for at once")


class RecordsSource(BoundedConnector):
    """Reads a :class:`~connector_lib.testing.records_api.RecordsApi`."""

    connection_options: ClassVar[type[Any] | None] = RecordsOptions
    table_options: ClassVar[type[Any] | None] = RecordsTableOptions

    def __init__(self, options: Mapping[str, str], *, client: HttpClient | None = None) -> None:
        super().__init__(options)
        self._chosen = RecordsOptions.read(options, where="records")
        self._client = client or _client(self._chosen)
        self._told: dict[str, Any] | None = None

    def check_connection(self) -> str:
        """The API's name and how many tables it has."""
        return f"{self._root['name']} API with {len(self._root['tables'])} tables"

    def list_tables(self) -> list[str]:
        """The tables that the API tells of."""
        return [table["name"] for table in self._root["tables"]]

    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        """The columns as the API tells them."""
        from pyspark.sql.types import StructType

        return StructType.fromJson({"type": "struct", "fields": self._table(table_name)["columns"]})

    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        """Key, cursor and ingestion type as the API tells them."""
        table = self._table(table_name)
        metadata: TableMetadata = {"primary_keys": [table["key"]], "ingestion_type": table["ingestion_type"]}
        if table["ingestion_type"] != "snapshot":
            metadata["cursor_field"] = table["cursor"]
        return metadata

    def latest_offset(self, table_name: str, table_options: TableOptions, start_offset: Offset | None = None) -> Offset:
        """The bound of this connector, ``start_offset`` where that is not behind it."""
        self._table(table_name)
        check_fingerprint(start_offset, self._fingerprint, table=table_name)
        start = start_offset or {}
        if "until" in start and not _before(start["until"], self._bound):
            return start
        return {"until": self._bound, "options": self._fingerprint}

    def read_table_between(
        self,
        table_name: str,
        start_offset: Offset | None,
        end_offset: Offset,
        table_options: TableOptions,
        *,
        deletes: bool = False,
    ) -> Iterator[Record]:
        """The records, or the deletes, of a window; all records for a snapshot."""
        table = self._table(table_name)
        for offset in (start_offset, end_offset):
            check_fingerprint(offset, self._fingerprint, table=table_name)
        page_size = RecordsTableOptions.read(table_options, where=f"table '{table_name}'").page_size
        path = f"tables/{table_name}/deleted" if deletes else f"tables/{table_name}"
        if table["ingestion_type"] == "snapshot":
            return self._records(table, path, {"limit": page_size})
        since = (start_offset or {}).get("until")
        return self._incremental(table, path, {"limit": page_size, "since": since, "until": end_offset["until"]})

    def _incremental(self, table: dict[str, Any], path: str, window: dict[str, Any]) -> Iterator[Record]:
        cursor = table["cursor"]
        self._refuse_future(table, path)
        for record in self._records(table, path, window):
            if record.get(cursor) is None:
                raise SourceError(
                    f"a record of the table '{table['name']}' has no value of the cursor '{cursor}'",
                    hint="whether it is new cannot be told; read the table as a snapshot",
                )
            yield record

    def _refuse_future(self, table: dict[str, Any], path: str) -> None:
        ahead = timestamp_nanoseconds(self._root["time"]) + int(_AHEAD.total_seconds()) * 1_000_000_000
        beyond: Params = {"limit": 1, "since": timestamp_text(ahead, digits=6)}
        page = self._client.get_json(path, beyond)
        if any(record.get(table["cursor"]) is not None for record in _items(page)):
            raise SourceError(
                f"a record of the table '{table['name']}' has a value of the cursor '{table['cursor']}' in the future",
                hint="correct it in the source: until its time has come, no read by this cursor would give it",
            )

    def _records(self, table: dict[str, Any], path: str, params: dict[str, Any]) -> Iterator[Record]:
        if self._chosen.paging in _COUNTED:
            yield from self._counted(table, path, params)
            return
        before: list[Record] = []
        for page in self._pages(path, params):
            items = _items(page.data)
            if items and items == before:
                raise _page_again(table["name"], page)
            before = items
            yield from items

    def _counted(self, table: dict[str, Any], path: str, params: dict[str, Any]) -> Iterator[Record]:
        name, key = table["name"], table["key"]
        total = given = 0
        before: list[Record] = []
        for page in self._pages(path, params):
            items = _items(page.data)
            if items and (items == before or (len(before) > 1 and items[: len(before)] == before)):
                raise _page_again(name, page)
            if page.number > 1 and _total(page.data) != total:
                raise _moved(name)
            total = _total(page.data)
            if before and items:
                again = items[:1] if self._chosen.paging == "offset" else self._record_number(given, path, params)
                if [record.get(key) for record in again] != [before[-1].get(key)]:
                    raise _moved(name)
            fresh = items[1:] if before and self._chosen.paging == "offset" else items
            before = items
            given += len(fresh)
            yield from fresh
        if given != total:
            raise _moved(name)

    def _record_number(self, number: int, path: str, params: dict[str, Any]) -> list[Record]:
        """The record of that number, from 1 on, as a list: the page of it where a page holds one."""
        return _items(self._client.get_json(path, {**params, "limit": 1, "page": number}))

    def _pages(self, path: str, params: dict[str, Any]) -> Iterator[Page]:
        paginator = _paginator(self._chosen.paging, params["limit"])
        return self._client.pages(paginator, path, params, max_pages=self._chosen.max_pages)

    @property
    def _root(self) -> dict[str, Any]:
        # Asked for once: the time in it is the upper bound of everything that this connector reads.
        if self._told is None:
            self._told = _checked_root(self._client.get_json(""))
        return self._told

    @property
    def _fingerprint(self) -> str:
        # What decides which records there are. The size of a page does not; an option that filters them would.
        return fingerprint({"base_url": self._chosen.base_url.rstrip("/")})

    @property
    def _bound(self) -> str:
        at = timestamp_nanoseconds(self._root["time"]) - int(self._chosen.lag_seconds * 1_000_000_000)
        return timestamp_text(at, digits=6)

    def _table(self, name: str) -> dict[str, Any]:
        tables: dict[str, dict[str, Any]] = {table["name"]: table for table in self._root["tables"]}
        check_table(name, list(tables), "records")
        return tables[name]


def _client(chosen: RecordsOptions) -> HttpClient:
    return HttpClient(
        chosen.base_url,
        auth=_login(chosen),
        retry=chosen.retry_policy(),
        next_link_policy=chosen.next_link_policy,
        secrets=chosen.secret_values(),
    )


def _login(chosen: RecordsOptions) -> Auth:
    if chosen.auth_type == "none":
        return NoAuth()
    secret = "" if chosen.secret is None else chosen.secret.get_secret_value()
    if not secret:
        raise OptionError(f"records: auth_type '{chosen.auth_type}' needs a secret", hint="give the option 'secret'")
    if chosen.auth_type == "bearer":
        return BearerAuth(secret)
    if chosen.auth_type == "header":
        return HeaderKeyAuth("X-Api-Key", secret)
    if not chosen.user:
        raise OptionError(f"records: auth_type '{chosen.auth_type}' needs a user", hint="give the option 'user'")
    if chosen.auth_type == "basic":
        return BasicAuth(chosen.user, secret)
    return OAuth2ClientCredentials(f"{chosen.base_url.rstrip('/')}/token", chosen.user, secret)


def _paginator(paging: Paging, page_size: int) -> Paginator:
    if paging == "link_header":
        return LinkHeaderPaginator()
    if paging == "token":
        return TokenPaginator(_next, "token")
    if paging == "offset":
        return OffsetPaginator(_items, page_size, total=_total, overlap=True)
    if paging == "page":
        # Without a number of pages: the API may give shorter pages than were asked for, and then there are more.
        return PageNumberPaginator(_items, size=page_size, size_parameter="limit")
    return NextLinkPaginator(_next)


def _items(page: Any) -> list[Record]:
    items = page.get("items") if isinstance(page, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ApiError("a page of the API has no list of records", hint="an error inside of an answer with 200?")
    return items


def _total(page: Any) -> int:
    total = page.get("total") if isinstance(page, dict) else None
    if not isinstance(total, int):
        raise ApiError("a page of the API does not tell how many records there are")
    return total


def _next(page: Any) -> Any:
    # A page without records leads nowhere, whatever its link says: _items refuses it.
    _items(page)
    return page.get("next")


def _page_again(table: str, page: Page) -> PagingError:
    return PagingError(f"page {page.number:,} of the table '{table}' is the page before it again")


def _moved(table: str) -> SourceError:
    return SourceError(
        f"the table '{table}' changed while its pages were counted, so that records moved over the border of a page",
        hint="read it again; the API's paging by links or tokens does not have this fault",
    )


def _checked_root(told: Any) -> dict[str, Any]:
    tables = told.get("tables") if isinstance(told, dict) else None
    if not isinstance(tables, list) or not isinstance(told.get("time"), str):
        raise ApiError("the API does not tell its tables and its time", hint="check base_url: this may be another API")
    return dict(told)


def _before(one: str, other: str) -> bool:
    return timestamp_nanoseconds(one) < timestamp_nanoseconds(other)
