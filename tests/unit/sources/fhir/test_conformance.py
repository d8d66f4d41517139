"""The source passes the checks that every connector has to pass: by history, as a snapshot, and without deletes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import pytest

from connector_lib.connector.interface import Record, TableOptions
from connector_lib.http import BearerAuth
from connector_lib.sources.fhir.source import FhirSource
from connector_lib.testing.conformance import ConnectorConformance
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_store import ManualClock
from connector_lib.testing.logins import Login
from tests.unit.sources.fhir.conftest import START, complete_patient, hasty_client, source_of

# Some four hundred checks, each with a server of its own: about half a minute in all.
pytestmark = pytest.mark.slow

MEBIBYTE = 1024 * 1024
SECRET = "open sesame/& 4711"


class TestFhirSource(ConnectorConformance):
    secrets = (SECRET,)
    tables: ClassVar[Sequence[str]] = ("Patient", "Flag", "Goal")
    table_options: ClassVar[Mapping[str, TableOptions]] = {
        "Patient": {"page_size": "4", "deletes": "history"},
        "Flag": {"page_size": "4", "undated": "accept"},
        "Goal": {"page_size": "4", "deletes": "snapshot"},
    }

    @pytest.fixture(autouse=True)
    def sample(self) -> Iterator[None]:
        self.clock = ManualClock(START)
        with FhirServer(clock=self.clock, login=Login("bearer", secret=SECRET)) as self.fhir:
            self.server = self.fhir.server
            for number in range(15):
                # Several share a time, also over the borders of pages.
                self.clock.advance(0 if number % 5 else 1)
                for table in self.tables:
                    self.fhir.put({"resourceType": table, "id": f"r{number}", "language": "en"})
            self.fhir.put(complete_patient())
            for number in (3, 7):
                self.fhir.delete("Patient", f"r{number}")
            self.fhir.put({"resourceType": "Flag", "id": "undated", "language": "de"}, stamped=False)
            self.clock.advance(2)
            yield

    def connector(self) -> FhirSource:
        client = hasty_client(self.fhir.url, BearerAuth(SECRET), timeout=0.2, max_body_bytes=MEBIBYTE)
        return source_of(self.fhir, client, auth_type="bearer", token=SECRET)

    def expected(self, table: str) -> Sequence[Record]:
        resources = [version.resource for version in self.fhir.store.current(table) if version.resource]
        return [
            {
                **{name: value for name, value in one.items() if name != "resourceType"},
                "lastUpdated": one["meta"].get("lastUpdated", "1970-01-01T00:00:00Z"),
                "resource": one,
            }
            for one in resources
        ]

    def expected_deletes(self, table: str) -> Sequence[Record]:
        return [{"id": version.id} for version in self.fhir.store.deleted(table)]

    def change(self, table: str) -> None:
        self.fhir.put({"resourceType": table, "language": "fr"})
        living = [version.id for version in self.fhir.store.current(table)]
        self.fhir.put({"resourceType": table, "id": living[1], "language": "it"})
        self.fhir.delete(table, living[0])
        self.clock.advance(2)


class TestFhirSourceByBulkExport(TestFhirSource):
    tables = ("Patient",)
    table_options: ClassVar[Mapping[str, TableOptions]] = {
        "Patient": {"bulk": "true", "deletes": "export", "deletes_from": "2026-02-01T00:00:00Z"},
    }
