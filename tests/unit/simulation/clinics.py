"""Sources that are written to as a story says, each behind a real server, and what is true of them."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from pyspark.sql.types import StructType

from connector_lib.connector.interface import LakeflowConnect, Offset, Record, TableMetadata, TableOptions
from connector_lib.datasource.connect import OptionsWithoutCase, ReadRequest, SourceOptions
from connector_lib.sources.fhir.source import FhirSource
from connector_lib.testing.api_server import ApiServer
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_service import FhirBehaviour
from connector_lib.testing.fhir_store import ManualClock
from connector_lib.testing.instants import instant, instant_text
from connector_lib.testing.records_api import Paging, RecordsApi, RecordsTable
from connector_lib.testing.records_source import RecordsOptions, RecordsSource, RecordsTableOptions
from tests.auto_cdc_model import Change
from tests.unit.simulation.story import Write

__all__ = ["CallsSource", "Clinic", "FhirClinic", "RecordsClinic", "Truth", "microseconds"]

Row = Mapping[str, Any]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """Microseconds since 1970: what changes are ordered by."""
    return (time - _EPOCH) // _MICROSECOND


def _time(sequence: int) -> datetime:
    return _EPOCH + sequence * _MICROSECOND


class Truth:
    """Every change that there ever was, by key in the order of writing.

    A deletion may have a time a microsecond before its own, which is a whole number of ``unit`` microseconds.
    """

    def __init__(self, unit: int) -> None:
        self._unit = unit
        self.changes: dict[str, list[Change]] = {}

    def last(self, key: str) -> Change | None:
        """The last change of ``key``."""
        return self.changes[key][-1] if key in self.changes else None

    def rows(self) -> dict[str, str | None]:
        """What the source has now: by key the name."""
        return {key: changes[-1].name for key, changes in self.changes.items() if not changes[-1].deleted}

    def early_deletes(self) -> set[tuple[str, Change]]:
        """The deletions as a run gives them that reads them before they are sure: a microsecond before their time."""
        return {(key, _early(each)) for key, changes in self.changes.items() for each in changes if each.deleted}

    def every(self, before: int) -> set[tuple[str, Change]]:
        """All changes before that time."""
        return {(key, each) for key, changes in self.changes.items() for each in changes if self._time(each) < before}

    def shown(self, before: int) -> set[tuple[str, Change]]:
        """The changes before that time that the source shows now: of each key the last one, and all deletes."""
        return {(key, each) for key, each in self.every(before) if each.deleted or each == self.last(key)}

    def newest(self) -> int:
        """The time of the newest change, 0 without any."""
        return max((self._time(each) for changes in self.changes.values() for each in changes), default=0)

    def _time(self, change: Change) -> int:
        return -(-change.sequence // self._unit) * self._unit


def _early(deletion: Change) -> Change:
    return replace(deletion, sequence=deletion.sequence - 1)


class Clinic(ABC):
    """A source with a clock that moves as its story says.

    A change may become visible late: its time is then up to ``lag`` seconds behind the clock, which is why a run reads
    up to a time so many seconds ago. The times of one key never go back.
    """

    unit: int
    """Microseconds that its times are whole numbers of."""

    def __init__(self, lag: float) -> None:
        self.lag = lag
        self.clock = ManualClock(datetime(2026, 1, 1, 6, tzinfo=timezone.utc))
        self.truth = Truth(self.unit)
        self.last_time = 0
        self._context = ExitStack()

    def __enter__(self) -> Clinic:
        self._context.enter_context(self.running())
        return self

    def __exit__(self, *error: object) -> None:
        self._context.close()

    def columns(self) -> StructType:
        """The columns of people."""
        request = self.request()
        return request.connect().get_table_schema(request.table, request.table_options(request.table))

    def apply(self, write: Write, known_until: int | None) -> None:
        """Writes. ``known_until`` is the time up to which runs have read, None while one is reading.

        A deletion of who is not there is left out.
        """
        self.clock.advance(write.seconds)
        keys = [f"person {number}" for number in write.people]
        if write.name is None:
            keys = [key for key in keys if key in self.truth.rows()]
        if not keys:
            return
        now = self.now()
        border = now - int(self.lag * 1_000_000) if known_until is None else min(known_until, now)
        wanted = {"now": now, "with the last": self.last_time, "at the border": border, "late": border + self.unit}
        earliest = max([border, *map(self._earliest, keys)])
        time = min(max(wanted[write.when], earliest), max(now, earliest))
        time = -(-time // self.unit) * self.unit
        if write.name is None:
            for key in keys:
                self._written(key, Change(self.delete(key, time), deleted=True))
            return
        self.put(dict.fromkeys(keys, write.name), time)
        for key in keys:
            self._written(key, Change(time, write.name))

    def _written(self, key: str, change: Change) -> None:
        self.truth.changes.setdefault(key, []).append(change)
        self.last_time = change.sequence

    def _earliest(self, key: str) -> int:
        last = self.truth.last(key)
        return 0 if last is None else last.sequence + (self.unit if last.deleted and self.deletes_win_ties else 0)

    deletes_win_ties = True
    """Who is deleted and made again at one time would be gone: the source does not do that."""

    @property
    @abstractmethod
    def server(self) -> ApiServer: ...

    @abstractmethod
    def running(self) -> Any:
        """A context in which the server runs."""

    @abstractmethod
    def connection(self) -> tuple[type[LakeflowConnect], dict[str, str]]:
        """The connector, and the options of a connection to the server."""

    @abstractmethod
    def table(self, *, snapshot: bool) -> tuple[str, dict[str, str]]:
        """The table with the people and its options: as changes, or as snapshots."""

    def request(self, *, snapshot: bool = False, **own: Any) -> ReadRequest:
        """What ``lakeflow_connect`` is asked to read, with options of its ``own``."""
        connector_type, connection = self.connection()
        table, options = self.table(snapshot=snapshot)
        # Few rows: a batch comes in several pieces, between which a run can be killed.
        chosen = SourceOptions.read({"tableName": table, "batchRows": "3", **own}, where="the simulation")
        return ReadRequest(
            chosen, "the simulation", connector_type, OptionsWithoutCase(connection), OptionsWithoutCase(options)
        )

    @abstractmethod
    def now(self) -> int: ...

    @abstractmethod
    def put(self, names: Mapping[str, str], time: int) -> None: ...

    @abstractmethod
    def delete(self, key: str, time: int) -> int:
        """Deletes at ``time``, or where the API says itself when it was, then. Gives the time."""

    @abstractmethod
    def change(self, row: Row, *, deleted: bool, arrived: int) -> tuple[str, Change]:
        """The change that a row of an Arrow batch is."""


class RecordsClinic(Clinic):
    """The API of records of :mod:`connector_lib.testing`, with its example connector."""

    unit = 1

    def __init__(
        self, paging: Paging = "link", lag: float = 600.0, *, source: type[LakeflowConnect] = RecordsSource
    ) -> None:
        super().__init__(lag)
        self._source = source
        columns = {"id": "string", "name": "string", "updated": "timestamp"}
        tables = [RecordsTable("people", columns), RecordsTable("snapshot", columns, "snapshot")]
        self.api = RecordsApi(tables, paging=paging, page_size=3, now=self.clock)

    @property
    def server(self) -> ApiServer:
        return self.api.server

    def running(self) -> RecordsApi:
        return self.api

    def connection(self) -> tuple[type[LakeflowConnect], dict[str, str]]:
        return self._source, {
            "base_url": self.api.url,
            "paging": self.api.paging,
            "lag_seconds": str(self.lag),
            "max_attempts": "1",
        }

    def table(self, *, snapshot: bool) -> tuple[str, dict[str, str]]:
        return "snapshot" if snapshot else "people", {"page_size": "3"}

    def now(self) -> int:
        return microseconds(self.api.time)

    def put(self, names: Mapping[str, str], time: int) -> None:
        records = [
            {"id": key, "name": name, "updated": _written_time(_time(time), number)}
            for number, (key, name) in enumerate(names.items())
        ]
        for table in ("people", "snapshot"):
            self.api.put(table, *records)

    def delete(self, key: str, time: int) -> int:
        for table in ("snapshot", "people"):
            self.api.delete(table, key)
        return instant(self.api.deleted("people")[-1]["updated"]) // 1000

    def change(self, row: Row, *, deleted: bool, arrived: int) -> tuple[str, Change]:
        sequence = row.get("_snapshot_time") or row["updated"]
        return row["id"], Change(microseconds(sequence), row["name"], deleted, arrived)


def _written_time(time: datetime, number: int) -> str:
    """One time in several forms of writing, which are ties all the same."""
    forms = (
        instant_text(time),
        time.astimezone(timezone(timedelta(hours=2))).isoformat(),
        time.isoformat(timespec="microseconds").replace("+00:00", "000Z"),
    )
    return forms[number % len(forms)]


class CallsSource(LakeflowConnect):
    """The example connector with the five methods alone: it cannot be asked to read between two offsets."""

    connection_options = RecordsOptions
    table_options = RecordsTableOptions

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self._whole = RecordsSource(options)

    def list_tables(self) -> list[str]:
        return self._whole.list_tables()

    def get_table_schema(self, table_name: str, table_options: TableOptions) -> Any:
        return self._whole.get_table_schema(table_name, table_options)

    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        return self._whole.read_table_metadata(table_name, table_options)

    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        return self._whole.read_table(table_name, start_offset, table_options)

    def read_table_deletes(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        return self._whole.read_table_deletes(table_name, start_offset, table_options)


class FhirClinic(Clinic):
    """A FHIR server, with the connector ``fhir``. People are resources of the type Basic, a table of few columns."""

    unit = 1000
    deletes_win_ties = False

    def __init__(self, paging: str = "auto", lag: float = 600.0, *, hold_back: bool = True) -> None:
        super().__init__(lag)
        self._paging = paging
        self._hold_back = hold_back
        self.fhir = FhirServer(clock=self.clock, behaviour=FhirBehaviour(types=("Basic",)))

    @property
    def server(self) -> ApiServer:
        return self.fhir.server

    def running(self) -> FhirServer:
        return self.fhir

    def connection(self) -> tuple[type[LakeflowConnect], dict[str, str]]:
        return FhirSource, {
            "base_url": self.fhir.url,
            "resource_types": "Basic",
            "paging": self._paging,
            "lag_seconds": str(self.lag),
            "max_attempts": "1",
            "page_size": "3",
        }

    def table(self, *, snapshot: bool) -> tuple[str, dict[str, str]]:
        return "Basic", {"deletes": "snapshot" if snapshot else "history", "hold_back": f"{self._hold_back}"}

    def now(self) -> int:
        return microseconds(self.clock())

    def put(self, names: Mapping[str, str], time: int) -> None:
        for key, name in names.items():
            self.fhir.put(
                {"resourceType": "Basic", "id": key.replace(" ", "-"), "code": {"text": name}}, at=_time(time)
            )

    def delete(self, key: str, time: int) -> int:
        assert self.fhir.delete("Basic", key.replace(" ", "-"), at=_time(time))
        return time

    def change(self, row: Row, *, deleted: bool, arrived: int) -> tuple[str, Change]:
        name = None if deleted else json.loads(row["resource"])["code"]["text"]
        sequence = row.get("_snapshot_time") or row["lastUpdated"]
        return row["id"].replace("-", " "), Change(microseconds(sequence), name, deleted, arrived)

    def _written(self, key: str, change: Change) -> None:
        changes = self.truth.changes.get(key, [])
        if changes and changes[-1].deleted and changes[-1].sequence == change.sequence:
            # Made again at the time of the deletion: the connector gives the deletion a microsecond before.
            changes[-1] = Change(change.sequence - 1, deleted=True)
        super()._written(key, change)
