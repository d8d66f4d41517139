"""Checks of what a connector makes of an API that fails."""

from __future__ import annotations

import base64
import functools
import itertools
import logging
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import quote, quote_plus

import pytest

from connector_lib.connector.interface import LakeflowConnect, Offset, Record, TableMetadata
from connector_lib.connector.reading import read_all
from connector_lib.testing.api_server import ApiServer
from connector_lib.testing.conformance.subject import Subject, value_at
from connector_lib.testing.faults import FAULTS, Fault, fault

__all__ = ["Place", "WireChecks"]

Place: TypeAlias = Literal["once", "from the middle on", "from the start on"]
"""Which requests of a read get a fault: the one in the middle, that and all behind it, or all."""

_PLACES: Final[tuple[Place, ...]] = ("once", "from the middle on", "from the start on")
_PASSING: Final = ("429, Retry-After in seconds", "503", "reset within the body", "truncated JSON")
"""Faults that are gone at the next try, and that every API has once in a while."""
_TELLING: Final = ("401", "403", "500", "reset within the body", "truncated JSON", "redirect to another host")


@dataclass(frozen=True, slots=True)
class _Reading:
    """A read of the sample, and the number of requests that it takes."""

    table: str
    deletes: bool
    expected: Counter[object]
    requests: int


class WireChecks(Subject):
    """Each fault ends with the whole table or with an error, never with less."""

    @pytest.mark.parametrize("place", _PLACES)
    @pytest.mark.parametrize("name", FAULTS)
    def test_a_fault_ends_with_the_whole_table_or_an_error(self, name: str, place: Place) -> None:
        """For a snapshot, a table that is followed, and deletes; and nothing is asked of another host."""
        server = self._server(FAULTS[name])
        for reading in self._readings():
            with _played(server, FAULTS[name], place, reading.requests):
                records = self._outcome(self.connector(), reading)
                astray = server.astray
            assert not astray, f"'{reading.table}': a link led the connector to a host or path that it must not ask"
            if isinstance(records, Exception):
                continue
            given = self._counted(records, reading.table)
            less = (reading.expected - given).total()
            more = (given - reading.expected).total()
            assert (less, more) == (0, 0), (
                f"'{reading.table}'{' (deletes)' if reading.deletes else ''}: without an error {less} of "
                f"{reading.expected.total()} records are missing, and {more} come that should not, or twice"
            )

    @pytest.mark.parametrize("name", _PASSING)
    def test_a_passing_fault_is_survived(self, name: str) -> None:
        """One that is gone at the next try ends no read."""
        server = self._server(FAULTS[name])
        for reading in self._readings():
            with _played(server, FAULTS[name], "once", reading.requests):
                records = self._outcome(self.connector(), reading)
            assert not isinstance(records, Exception), (
                f"'{reading.table}': one '{name}' ends the read with {type(records).__name__}"
            )
            assert self._counted(records, reading.table) == reading.expected, (
                f"'{reading.table}': other records are read"
            )

    def test_a_table_that_changes_while_it_is_read_loses_nothing(self) -> None:
        """A record that comes, changes or goes moves those behind it: over the border of a page, where pages are
        counted. The run ends with an error, or has all that did not change; the next one has the rest."""
        server = self._server()
        for table in self.checked_tables("cdc", "cdc_with_deletes", "append"):
            metadata = self.metadata(self.connector(), table)
            server.reset()
            self.read(self.connector(), table)
            middle = len(server.requests) // 2 + 1
            before = self._versions(metadata, self.expected(table))
            connector = self.connector()
            server.reset()
            server.before(functools.partial(self.change, table), at=middle)
            given: set[object] = set()
            offset: Offset = {}
            if (first := self._read_or_none(connector, table)) is not None:
                records, offset = first
                given = self._versions(metadata, records)
                lost = (before & self._versions(metadata, self.expected(table))) - given
                assert not lost, f"'{table}': {len(lost)} records that did not change are missing, without an error"
            server.reset()
            later, _ = self.read(self.connector(), table, offset)
            lost = self._versions(metadata, self.expected(table)) - given - self._versions(metadata, later)
            assert not lost, f"'{table}': {len(lost)} records are missing after the next run"

    def test_no_error_and_no_log_shows_a_secret(self) -> None:
        """Not plain, not URL-encoded, not in base64; not when the API itself repeats it."""
        if not self.secrets:
            pytest.skip("the sample's connector has no secret: name them in secrets")
        repeated = '{"error": "denied for ' + " and ".join(self.secrets) + '"}'
        telling = [fault(name) for name in _TELLING]
        telling += [
            Fault(
                f"{status} that repeats the login", status, (("Content-Type", "application/json"),), repeated.encode()
            )
            for status in (200, 400, 401, 403, 503)
        ]
        server = self._server(*telling)
        for reading in self._readings():
            for played, place in itertools.product(telling, _PLACES[1:]):
                with _collected_logs() as logged, _played(server, played, place, reading.requests):
                    outcome = self._outcome(self.connector(), reading)
                error = "".join(traceback.format_exception(outcome)) if isinstance(outcome, Exception) else ""
                for where, text in (("error", error), ("log", "\n".join(logged))):
                    assert not any(form in text for secret in self.secrets for form in _forms(secret)), (
                        f"'{reading.table}': the {where} of '{played.name}' shows a secret"
                    )

    # What the checks of this class share.

    def _server(self, *faults: Fault) -> ApiServer:
        if self.server is None:
            pytest.skip("no server to fail on demand: give server")
        if self.server.pages is None and any(one.needs_pages for one in faults):
            pytest.skip("the server does not know its API's next links: give it pages=")
        return self.server

    def _readings(self) -> Iterator[_Reading]:
        """The first snapshot, the first table that is followed, and the first deletes."""
        connector = self.connector()
        kinds = {table: self.metadata(connector, table)["ingestion_type"] for table in self.checked_tables()}
        snapshots = [table for table, kind in kinds.items() if kind == "snapshot"]
        followed = [table for table, kind in kinds.items() if kind != "snapshot"]
        deleted = [table for table, kind in kinds.items() if kind == "cdc_with_deletes"]
        yield from (self._reading(table, deletes=False) for table in (*snapshots[:1], *followed[:1]))
        yield from (self._reading(table, deletes=True) for table in deleted[:1])

    def _reading(self, table: str, *, deletes: bool) -> _Reading:
        assert self.server is not None
        self.server.reset()
        # The first read of a connector, with what it has to ask for before it begins.
        records, _ = self.read(self.connector(), table, deletes=deletes)
        requests = len(self.server.requests)
        return _Reading(table, deletes, self._counted(records, table), requests)

    def _outcome(self, connector: LakeflowConnect, reading: _Reading) -> list[Record] | Exception:
        try:
            return list(read_all(connector, reading.table, self.options(reading.table), deletes=reading.deletes))
        except Exception as error:  # noqa: BLE001 - that there is one is what is asked
            return error

    def _read_or_none(self, connector: LakeflowConnect, table: str) -> tuple[list[Record], Offset] | None:
        try:
            return self.read(connector, table)
        except Exception:  # noqa: BLE001 - an error is as good as everything
            return None

    def _versions(self, metadata: TableMetadata, records: Sequence[Record]) -> set[object]:
        """Records by what they are and when they changed."""
        cursor = metadata["cursor_field"]
        return {(self.key(metadata, record) or repr(record), repr(value_at(record, cursor))) for record in records}

    def _counted(self, records: list[Record], table: str) -> Counter[object]:
        metadata = self.metadata(self.connector(), table)
        return Counter(self.key(metadata, record) or repr(record) for record in records)


@contextmanager
def _played(server: ApiServer, played: Fault, place: Place, requests: int) -> Iterator[None]:
    at = 1 if place == "from the start on" else requests // 2 + 1
    with server.failing(played, at=at, times=1 if place == "once" else None):
        yield


@contextmanager
def _collected_logs() -> Iterator[list[str]]:
    """Every record that any logger makes, at every level."""
    logged: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(self.format(record))

    collector, root = Collector(), logging.getLogger()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    try:
        yield logged
    finally:
        root.removeHandler(collector)
        root.setLevel(level)


def _forms(secret: str) -> set[str]:
    plain = secret.encode()
    return {secret, quote(secret, safe=""), quote_plus(secret), base64.b64encode(plain).decode().rstrip("=")}
