"""A small and hard sample of the API of records, and how its connector is made for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from connector_lib.connector.interface import LakeflowConnect, Record, TableOptions
from connector_lib.http.auth import BearerAuth
from connector_lib.http.client import HttpClient
from connector_lib.http.retry import RetryPolicy
from connector_lib.testing.conformance import ConnectorConformance
from connector_lib.testing.conformance.subject import Subject
from connector_lib.testing.logins import Login
from connector_lib.testing.records_api import Paging, RecordsApi, RecordsTable
from connector_lib.testing.records_source import RecordsSource

SECRET = "hush+hush=hush"
COLUMNS = {"id": "string", "updated": "timestamp", "ward": "string"}
TABLES = (
    RecordsTable("visits", COLUMNS),
    RecordsTable("labs", COLUMNS, "cdc"),
    RecordsTable("notes", COLUMNS, "append"),
    RecordsTable("wards", COLUMNS, "snapshot"),
)


def no_wait(seconds: float) -> None:
    """In place of time.sleep."""


def sample_api(paging: Paging = "link") -> RecordsApi:
    """Fifteen records a table, seven of them with one time: over the border of a page of four."""
    api = RecordsApi(TABLES, paging=paging, login=Login("bearer", secret=SECRET))
    for table in TABLES:
        for ward in ("north", "south"):
            api.put(table.name, *({"id": f"{ward} {number}", "ward": ward} for number in range(7)))
        api.put(table.name, {"id": "alone", "ward": "north"})
        # Together longer than a page, so that deletes are paged as well.
        if table.ingestion_type == "cdc_with_deletes":
            api.put(table.name, *({"id": f"gone {number}", "ward": "west"} for number in range(9)))
            api.delete(table.name, *(f"gone {number}" for number in range(6)))
            api.delete(table.name, *(f"gone {number}" for number in range(6, 9)))
    return api


class RecordsSubject(Subject):
    """The example connector and its sample. A test class adds the API, by a fixture."""

    secrets: ClassVar[Sequence[str]] = (SECRET,)
    table_options: ClassVar[dict[str, TableOptions]] = {table.name: {"page_size": "4"} for table in TABLES}
    source: ClassVar[type[RecordsSource]] = RecordsSource
    max_attempts: ClassVar[int] = 2
    paging: ClassVar[Paging] = "link"
    api: RecordsApi

    def connector(self) -> LakeflowConnect:
        options = {"base_url": self.api.url, "auth_type": "bearer", "secret": SECRET, "max_pages": "50"}
        options["paging"] = self.paging
        # A time-out that a busy machine does not reach; slow bodies and silence cost it each time.
        retry = RetryPolicy(timeout=0.4, max_attempts=self.max_attempts)
        client = HttpClient(self.api.url, auth=BearerAuth(SECRET), retry=retry, max_body_bytes=2**20, sleep=no_wait)
        return self.source(options, client=client)

    def expected(self, table: str) -> list[Record]:
        return self.api.rows(table)

    def expected_deletes(self, table: str) -> list[Record]:
        return self.api.deleted(table)

    def change(self, table: str) -> None:
        rows = self.api.rows(table)
        self.api.put(table, {"id": f"new {len(rows)}", "ward": "east"})
        if table == "notes":
            return
        self.api.put(table, {"id": "alone", "ward": f"moved {len(rows)}"})
        if table == "visits":
            self.api.delete(table, rows[0]["id"])


class RecordsSample(RecordsSubject, ConnectorConformance):
    """All checks but those on Spark, which are in tests/spark/testing."""

    def session(self) -> Any:
        pytest.skip("no Spark in tests/unit")
