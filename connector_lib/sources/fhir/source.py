"""FHIR R4 servers as a connector: a table a resource type, kept up to date by ``meta.lastUpdated``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from connector_lib.connector.cursor import check_fingerprint, fingerprint
from connector_lib.connector.interface import (
    LakeflowConnect,
    Offset,
    Record,
    TableMetadata,
    TableOptions,
    check_table,
)
from connector_lib.connector.timestamps import timestamp_nanoseconds, timestamp_text
from connector_lib.errors import ContractError, OffsetError, SourceError
from connector_lib.formats.fhir.bundle import Resource
from connector_lib.http import HttpClient
from connector_lib.sources.fhir.client import FHIR_JSON, FhirClient, ServerState, explain_outcome
from connector_lib.sources.fhir.export import BulkExport, ExportOrder
from connector_lib.sources.fhir.history import Deletion, deletion_bound, deletions
from connector_lib.sources.fhir.login import login
from connector_lib.sources.fhir.options import FhirOptions, FhirTableOptions, Reading, reading_of
from connector_lib.sources.fhir.search import Search, last_updated, resources

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

__all__ = ["FhirSource"]

_NAME: Final = "fhir"
_SECOND: Final = 10**9
_DAY: Final = 86_400 * _SECOND
_MILLISECOND: Final = 10**6
_NEVER_UPDATED: Final = "1970-01-01T00:00:00Z"
"""``lastUpdated`` of a resource that has none: it was written before anything that has one."""
_FULL_REFRESH: Final = "a full refresh of the table starts it anew"


class FhirSource(LakeflowConnect):
    """A FHIR R4 server.

    ``options`` are those of :class:`~connector_lib.sources.fhir.options.FhirOptions`. ``client`` reads in place of the
    one that they describe; ``clock`` and ``sleep`` are given by tests of bulk exports.

    A record is a resource as it came, with two members more: ``lastUpdated``, its ``meta.lastUpdated`` or 1970 where it
    has none, and ``resource``, the whole of it. A record of a deletion has ``id`` and ``lastUpdated``.

    An offset is ``{"until": <instant>, "options": <fingerprint>}``: everything before that instant was read. The bound
    of a connector is the server's time when it is first asked for, less ``lag_seconds``.

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

    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        """What was updated from ``start_offset`` to the bound, page by page as it is asked for."""
        end = self.latest_offset(table_name, table_options, start_offset)
        if end == start_offset:
            return iter(()), end
        return self.read_table_between(table_name, start_offset, end, table_options), end

    def read_table_deletes(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        """What was deleted from ``start_offset`` to the bound."""
        end = self.latest_offset(table_name, table_options, start_offset)
        if end == start_offset:
            return iter(()), end
        return self.read_table_between(table_name, start_offset, end, table_options, deletes=True), end

    def latest_offset(self, table_name: str, table_options: TableOptions, start_offset: Offset | None = None) -> Offset:
        """The bound; ``start_offset`` where it is not before it."""
        reading = self._reading(table_name, table_options)
        since = self._place(table_name, start_offset, reading)
        until = self._server.until
        if since is None or start_offset is None:
            return self._offset(until, reading)
        if since > until + _DAY:
            raise OffsetError(
                f"the table '{table_name}' was read up to a time that is more than a day ahead of the server's clock",
                hint=f"it may be another server, or its clock was wrong; {_FULL_REFRESH}",
            )
        return start_offset if since >= until else self._offset(until, reading)

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
        since = self._place(table_name, start_offset, reading)
        until = self._place(table_name, end_offset, reading)
        if until is None:
            raise OffsetError(f"the table '{table_name}' is to be read to its start", hint=_FULL_REFRESH)
        window = _Window(table_name, reading, since, until)
        if not deletes:
            return map(_record, self._resources(window))
        if reading.deletes in ("none", "snapshot"):
            raise ContractError(
                f"the deletions of the table '{table_name}' are not read: deletes={reading.deletes}",
                hint="set deletes=history, or deletes=export",
            )
        return (_deleted_record(table_name, deletion) for deletion in self._deletions(window))

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
        """What the server says of itself, and the bound, both asked for once."""
        state = self._client.state()
        if not state.capability.fhir_version.startswith("4."):
            raise SourceError(
                "the server does not speak FHIR R4: its CapabilityStatement names another fhirVersion",
                hint="many servers have a base for each version: take that of R4",
            )
        lag = round(self._options.lag_seconds * 1000) * _MILLISECOND
        return _Server(state, int(state.time.timestamp()) * _SECOND - lag)

    def _reading(self, table_name: str, table_options: TableOptions) -> Reading:
        check_table(table_name, self.list_tables(), _NAME)
        where = f"source '{_NAME}', table '{table_name}'"
        return reading_of(self._options, FhirTableOptions.read(table_options, where=where), where=where)

    def _place(self, table_name: str, offset: Offset | None, reading: Reading) -> int | None:
        """The time that ``offset`` is at; None for the start."""
        if not offset:
            return None
        check_fingerprint(offset, self._fingerprint(reading), table=table_name)
        try:
            return timestamp_nanoseconds(offset["until"])
        except (KeyError, TypeError, ValueError, AttributeError):
            raise OffsetError(
                f"the offset of the table '{table_name}' does not say up to when it was read", hint=_FULL_REFRESH
            ) from None

    def _offset(self, until: int, reading: Reading) -> Offset:
        return {"until": timestamp_text(until), "options": self._fingerprint(reading)}

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
        if reading.bulk:
            since = None if reading.deletes == "snapshot" else window.since
            return self._export.resources(window.order(since))
        return resources(self._client, window.search(self._server.state))

    def _deletions(self, window: _Window) -> Iterator[Deletion]:
        reading = window.reading
        since = window.since
        if since is None and reading.deletes_from is not None:
            since = timestamp_nanoseconds(reading.deletes_from)
        if reading.deletes == "history":
            return deletions(self._client, window.table, reading.page_size, since=since, until=window.until)
        # An export does not say when: the last moment before the bound comes behind all that was updated in this run.
        time_text = deletion_bound(window.until)
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
    """What a server said of itself, and the bound of the connector, in nanoseconds from 1970 on."""

    state: ServerState
    until: int


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of a table: what was updated from ``since`` (None: everything) to before ``until``."""

    table: str
    reading: Reading
    since: int | None
    until: int

    def search(self, state: ServerState) -> Search:
        reading = self.reading
        if reading.deletes != "snapshot":
            return Search(
                self.table, reading.page_size, reading.paging, reading.filters, since=self.since, until=self.until
            )
        # The header has whole seconds: what was updated later than the second after it was updated since.
        started = (int(state.time.timestamp()) + 1) * _SECOND
        return Search(self.table, reading.page_size, reading.paging, reading.filters, started=started)

    def order(self, since: int | None) -> ExportOrder:
        return ExportOrder(self.table, self.reading.export_level, since, self.until)


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


def _record(resource: Resource) -> Record:
    return {**resource, "lastUpdated": last_updated(resource) or _NEVER_UPDATED, "resource": resource}


def _deleted_record(resource_type: str, deletion: Deletion) -> Record:
    return {"resourceType": resource_type, "id": deletion.id, "lastUpdated": deletion.time}
