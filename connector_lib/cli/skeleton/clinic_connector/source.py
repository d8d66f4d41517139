"""The clinic API as tables.

What the API answers below ``base_url``, everything as JSON:

- ``GET /`` gives ``{"time": …}``, the API's own time;
- ``GET /tables/NAME?since=…&until=…&limit=…`` gives ``{"items": […], "next": …}``: the records that changed from
  ``since`` on and before ``until``, a page of them, and the address of the next page, null on the last;
- ``GET /tables/NAME/deleted?…`` gives the same for deleted records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from connector_lib.connector.cursor import check_fingerprint, fingerprint, timestamp_nanoseconds
from connector_lib.connector.interface import BoundedConnector, Offset, Record, TableMetadata, TableOptions, check_table
from connector_lib.connector.options import Field, HttpOptions, Options, SecretStr
from connector_lib.errors import ApiError, PagingError, SourceError
from connector_lib.http import BearerAuth, HttpClient, NextLinkPaginator, NoAuth

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

__all__ = ["ClinicOptions", "ClinicSource", "ClinicTableOptions"]

TABLES: dict[str, TableMetadata] = {
    "visits": {"primary_keys": ["id"], "cursor_field": "updated", "ingestion_type": "cdc_with_deletes"},
    "wards": {"primary_keys": ["id"], "ingestion_type": "snapshot"},
}


class ClinicOptions(HttpOptions):
    """What a connection may be given."""

    base_url: str = Field(description="Where the API is, as https://clinic.example.org/api/v1")
    token: SecretStr | None = Field(None, description="Token for the login; none where the API asks for none")
    max_pages: int = Field(100_000, ge=1, description="Pages in one read of a table; more are an error")


class ClinicTableOptions(Options):
    """What a table may be given."""

    page_size: int = Field(100, ge=1, le=1000, description="Records a page")


class ClinicSource(BoundedConnector):
    """Reads the clinic API.

    ``options`` are those of :class:`ClinicOptions`.
    ``client`` reads in place of the one that they describe.
    """

    connection_options = ClinicOptions
    table_options = ClinicTableOptions

    def __init__(self, options: Mapping[str, str], *, client: HttpClient | None = None) -> None:
        super().__init__(options)
        chosen = ClinicOptions.read(options, where="source 'clinic'")
        self._max_pages = chosen.max_pages
        # What decides which records there are; an option of a table that filters them belongs here
        # too. An offset that was made with other values asks for a full refresh.
        self._made_with = fingerprint({"base_url": chosen.base_url.rstrip("/")})
        self._client = client or HttpClient(
            chosen.base_url,
            auth=NoAuth() if chosen.token is None else BearerAuth(chosen.token.get_secret_value()),
            retry=chosen.retry_policy(),
            pace=chosen.pace(),
            next_link_policy=chosen.next_link_policy,
        )

    def check_connection(self) -> str:
        """The time of the API, which shows that it answers."""
        return f"the API answers; its time is {self._bound}"

    def list_tables(self) -> list[str]:
        """The tables of :data:`TABLES`."""
        return list(TABLES)

    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        """The columns of a table."""
        # Not at the top: records can be read without Spark.
        from connector_lib.cli.skeleton.clinic_connector.schemas import SCHEMAS

        check_table(table_name, list(TABLES), "clinic")
        return SCHEMAS[table_name]

    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        """How a table is kept up to date."""
        check_table(table_name, list(TABLES), "clinic")
        return TABLES[table_name]

    def latest_offset(self, table_name: str, table_options: TableOptions, start_offset: Offset | None = None) -> Offset:
        """Where a read that begins now will end; ``start_offset`` where nothing is new."""
        check_table(table_name, list(TABLES), "clinic")
        check_fingerprint(start_offset, self._made_with, table=table_name)
        start = start_offset or {}
        if start and timestamp_nanoseconds(self._bound) <= timestamp_nanoseconds(start["until"]):
            return start
        return {"until": self._bound, "options": self._made_with}

    def read_table_between(
        self,
        table_name: str,
        start_offset: Offset | None,
        end_offset: Offset,
        table_options: TableOptions,
        *,
        deletes: bool = False,
    ) -> Iterator[Record]:
        """The records, or the deletes, of a window.

        It is closed below and open above: records of one time are in one window, all of them.
        """
        check_table(table_name, list(TABLES), "clinic")
        for offset in (start_offset, end_offset):
            check_fingerprint(offset, self._made_with, table=table_name)
        chosen = ClinicTableOptions.read(table_options, where=f"table '{table_name}'")
        path = f"tables/{table_name}/deleted" if deletes else f"tables/{table_name}"
        cursor = TABLES[table_name].get("cursor_field")
        if cursor is None:
            return self._records(path, {"limit": chosen.page_size})
        window = {"limit": chosen.page_size, "until": end_offset["until"]}
        if start_offset:
            window["since"] = start_offset["until"]
        return _with_cursor(self._records(path, window), table_name, cursor)

    def _records(self, path: str, params: Mapping[str, Any]) -> Iterator[Record]:
        before: list[Record] = []
        for page in self._client.pages(NextLinkPaginator(_next), path, params, max_pages=self._max_pages):
            items = _items(page.data)
            if items and items == before:
                raise PagingError(f"{path}: page {page.number:,} is the page before it again")
            before = items
            yield from items

    @cached_property
    def _bound(self) -> str:
        # Asked for once: up to this time everything is read, and what changes meanwhile comes in the next run.
        root = self._client.get_json("")
        time = root.get("time") if isinstance(root, dict) else None
        if not isinstance(time, str):
            raise ApiError("the API does not tell its time", hint="check base_url: this may be another API")
        return time


def _items(page: Any) -> list[Record]:
    """The records of a page. An API can answer 200 and mean an error: what is no page is one."""
    items = page.get("items") if isinstance(page, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ApiError("an answer of the API has no list of records in 'items'")
    return items


def _next(page: Any) -> Any:
    """The address of the next page."""
    _items(page)
    return page.get("next")


def _with_cursor(records: Iterator[Record], table_name: str, cursor: str) -> Iterator[Record]:
    for record in records:
        if record.get(cursor) is None:
            raise SourceError(
                f"a record of the table '{table_name}' has no '{cursor}'",
                hint="whether it is new cannot be told; read the table as a snapshot",
            )
        yield record
