"""FHIR R4 servers as a connector: a table a resource type, kept up to date by ``meta.lastUpdated``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final

from connector_lib.connector.cursor import check_fingerprint, fingerprint
from connector_lib.connector.interface import BoundedConnector, Offset, Record, TableMetadata, TableOptions, check_table
from connector_lib.connector.timestamps import timestamp_nanoseconds
from connector_lib.errors import ContractError, OffsetError, SourceError
from connector_lib.formats.fhir.bundle import Resource
from connector_lib.http import HttpClient
from connector_lib.sources.fhir.client import FHIR_JSON, FhirClient, ServerState, explain_outcome
from connector_lib.sources.fhir.export import BulkExport, ExportOrder
from connector_lib.sources.fhir.history import Deletion, deletion_bound, deletions
from connector_lib.sources.fhir.login import login
from connector_lib.sources.fhir.offsets import FULL_REFRESH, Place, place_behind, place_in
from connector_lib.sources.fhir.options import FhirOptions, FhirTableOptions, Reading, reading_of
from connector_lib.sources.fhir.records import records_of
from connector_lib.sources.fhir.search import Search, resources

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

__all__ = ["FhirSource"]

_NAME: Final = "fhir"
_SECOND: Final = 10**9
_DAY: Final = 86_400 * _SECOND
_MILLISECOND: Final = 10**6


class FhirSource(BoundedConnector):
    """A FHIR R4 server.

    ``options`` are those of :class:`~connector_lib.sources.fhir.options.FhirOptions`. ``client`` reads in place of the
    one that they describe; ``clock`` and ``sleep`` are given by tests of bulk exports.

    A record has the members of a resource that are columns, as they came, and two more: ``lastUpdated``, its
    ``meta.lastUpdated`` or 1970 where it has none, and ``resource``, the whole of it. A record of a deletion has ``id``
    and ``lastUpdated``.

    An offset is ``{"until": <instant>, "read_to": <instant>, "options": <fingerprint>}``. A run reads to the server's
    time when it is first asked for, ``read_to``; the next one begins ``lag_seconds`` before that, at ``until``. With
    ``hold_back`` the run itself ends at ``until``.

    >>> source = FhirSource({"base_url": "https://ehr.example.org/fhir", "resource_types": "Patient,Encounter"})
    >>> source.list_tables()
    ['Encounter', 'Patient']
    """

    connection_options = FhirOptions
    table_options = FhirTableOptions

    def __init__(
        self,
        options: Mapping[str, str],
        *,
        client: HttpClient | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(options)
        self._options = FhirOptions.read(options, where=f"source '{_NAME}'")
        self._client = FhirClient(_http_client(self._options) if client is None else client)
        self._clock = clock
        self._sleep = sleep

    def list_tables(self) -> list[str]:
        """The resource types of the option ``resource_types``, else all that the server says it can search."""
        if self._options.resource_types is not None:
            return sorted(self._options.resource_types)
        return list(self._server.state.capability.searchable)

    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        """The columns of a resource type: :func:`~connector_lib.sources.fhir.schemas.table_schema`."""
        # Not at the top: records can be read without Spark.
        from connector_lib.sources.fhir.schemas import table_schema

        self._reading(table_name, table_options)
        return table_schema(table_name)

    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        """``id`` is the key. How deletions are seen decides the rest."""
        deletes = self._reading(table_name, table_options).deletes
        if deletes == "snapshot":
            return {"primary_keys": ["id"], "ingestion_type": "snapshot"}
        return {
            "primary_keys": ["id"],
            "cursor_field": "lastUpdated",
            "ingestion_type": "cdc" if deletes == "none" else "cdc_with_deletes",
        }

    def latest_offset(self, table_name: str, table_options: TableOptions, start_offset: Offset | None = None) -> Offset:
        """Where a read that begins now ends; ``start_offset`` where there is nothing new."""
        reading = self._reading(table_name, table_options)
        start = self._place(table_name, start_offset, reading)
        now = self._server.now
        if start is not None and start.until > now + _DAY:
            raise OffsetError(
                f"the table '{table_name}' was read up to a time that is more than a day ahead of the server's clock",
                hint=f"it may be another server, or its clock was wrong; {FULL_REFRESH}",
            )
        end = place_behind(start, now=now, lag=self._lag, hold_back=reading.hold_back)
        if start_offset and end == start:
            return start_offset
        return end.to_offset(self._fingerprint(reading))

    def read_table_between(
        self,
        table_name: str,
        start_offset: Offset | None,
        end_offset: Offset,
        table_options: TableOptions,
        *,
        deletes: bool = False,
    ) -> Iterator[Record]:
        """What was updated, or deleted, between two offsets. A snapshot is all that there is now."""
        reading = self._reading(table_name, table_options)
        start = self._place(table_name, start_offset, reading)
        end = self._place(table_name, end_offset, reading)
        if end is None:
            raise OffsetError(f"the table '{table_name}' is to be read to its start", hint=FULL_REFRESH)
        window = _Window(table_name, reading, None if start is None else start.until, end)
        if not deletes:
            refused = reading.undated == "refuse" and reading.deletes != "snapshot"
            return records_of(self._resources(window), table_name, undated_is_refused=refused)
        if reading.deletes in ("none", "snapshot"):
            raise ContractError(
                f"the deletions of the table '{table_name}' are not read: deletes={reading.deletes}",
                hint="set deletes=history, or deletes=export",
            )
        return ({"id": deletion.id, "lastUpdated": deletion.time} for deletion in self._deletions(window))

    def check_connection(self) -> str:
        """Asks for capabilities, which needs no login, and for one resource of the first table, which does."""
        state = self._server.state
        missing = sorted(set(self.list_tables()) - set(state.capability.searchable))
        if missing:
            raise SourceError(
                f"the server does not list as searchable: {', '.join(missing)}", hint="check resource_types"
            )
        self._check_histories(state)
        tables = self.list_tables()
        if tables:
            next(self._client.pages(tables[0], [("_count", 1)], "searchset"))
        software = state.capability.software or "a FHIR server"
        return f"{software}, FHIR {state.capability.fhir_version}, {len(tables)} resource types"

    def _check_histories(self, state: ServerState) -> None:
        listed = state.capability.with_history
        if self._options.deletes != "history" or listed is None:
            return
        missing = sorted(set(self.list_tables()) - set(listed))
        if missing:
            raise SourceError(
                f"the server does not list a history of the types: {', '.join(missing)}",
                hint="set deletes=snapshot for them, in the options of the table",
            )

    @cached_property
    def _server(self) -> _Server:
        """What the server says of itself, and its time, both asked for once."""
        state = self._client.state()
        if not state.capability.fhir_version.startswith("4."):
            raise SourceError(
                "the server does not speak FHIR R4: its CapabilityStatement names another fhirVersion",
                hint="many servers have a base for each version: take that of R4",
            )
        return _Server(state, int(state.time.timestamp()) * _SECOND)

    @property
    def _lag(self) -> int:
        return round(self._options.lag_seconds * 1000) * _MILLISECOND

    def _reading(self, table_name: str, table_options: TableOptions) -> Reading:
        check_table(table_name, self.list_tables(), _NAME)
        where = f"source '{_NAME}', table '{table_name}'"
        return reading_of(self._options, FhirTableOptions.read(table_options, where=where), where=where)

    def _place(self, table_name: str, offset: Offset | None, reading: Reading) -> Place | None:
        """The place that ``offset`` is at; None for the start."""
        if not offset:
            return None
        check_fingerprint(offset, self._fingerprint(reading), table=table_name)
        place = place_in(offset, table_name)
        if reading.hold_back and place.read_to > place.until:
            raise OffsetError(
                f"the last rows of the table '{table_name}' were read before they were sure, and would come twice",
                hint=f"it was read without hold_back, which rows that are appended need; {FULL_REFRESH}",
            )
        return place

    def _fingerprint(self, reading: Reading) -> str:
        return fingerprint(
            {
                "base_url": self._client.http.base_url,
                "deletes": reading.deletes,
                "filters": reading.filters,
                "export_level": reading.export_level if reading.bulk else None,
            }
        )

    def _resources(self, window: _Window) -> Iterator[Resource]:
        reading = window.reading
        if not reading.bulk:
            return resources(self._client, window.search(self._server.state))
        if reading.deletes == "snapshot":
            return self._export.resources(replace(window.order(None), until=None))
        return self._export.resources(window.order(window.since))

    def _deletions(self, window: _Window) -> Iterator[Deletion]:
        reading = window.reading
        since = window.since
        if since is None and reading.deletes_from is not None:
            since = timestamp_nanoseconds(reading.deletes_from)
        sure = window.end.until
        if reading.deletes == "history":
            found = partial(deletions, self._client, window.table, reading.page_size)
            return found(since=since, until=window.end.read_to, sure=sure)
        # An export does not say when. As in a history, it is no later than the next run's begin: that run gives again
        # what was deleted since.
        time_text = deletion_bound(sure)
        return (Deletion(id_, time_text) for id_ in self._export.deleted_ids(window.order(since)))

    @property
    def _export(self) -> BulkExport:
        return BulkExport(
            self._client.http,
            self._file_client,
            longest=self._options.export_seconds,
            clock=self._clock,
            sleep=self._sleep,
        )

    def _file_client(self, origin: str) -> HttpClient | None:
        allowed = {url.rstrip("/") for url in self._options.export_file_origins}
        return (
            HttpClient(origin, retry=self._options.retry_policy(), pace=self._options.pace())
            if origin in allowed
            else None
        )

    def __getstate__(self) -> dict[str, Any]:
        # A copy has the same bound: it is frozen before there is a copy.
        _ = self._server
        return self.__dict__

    def __repr__(self) -> str:
        return f"FhirSource({self._client.http.base_url!r})"


@dataclass(frozen=True, slots=True)
class _Server:
    """What a server said of itself, and its time when it did, in nanoseconds from 1970 on."""

    state: ServerState
    now: int


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of a table: what was updated from ``since`` (None: everything) to before where ``end`` was read to."""

    table: str
    reading: Reading
    since: int | None
    end: Place

    def search(self, state: ServerState) -> Search:
        reading = self.reading
        if reading.deletes != "snapshot":
            return Search(
                self.table, reading.page_size, reading.paging, reading.filters, since=self.since, until=self.end.read_to
            )
        # The header has whole seconds: what was updated later than the second after it was updated since.
        started = (int(state.time.timestamp()) + 1) * _SECOND
        return Search(self.table, reading.page_size, reading.paging, reading.filters, started=started)

    def order(self, since: int | None) -> ExportOrder:
        return ExportOrder(self.table, self.reading.export_level, since, self.end.read_to, reach=self.end.until)


def _http_client(options: FhirOptions) -> HttpClient:
    return HttpClient(
        options.base_url,
        auth=login(options),
        retry=options.retry_policy(),
        pace=options.pace(),
        headers={"Accept": FHIR_JSON},
        next_link_policy=options.next_link_policy,
        # 1.50 and 1.5 are not the same measurement (http://hl7.org/fhir/R4/datatypes.html#decimal).
        decimals=True,
        explain=explain_outcome,
        secrets=options.secret_values(),
    )
