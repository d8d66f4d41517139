"""The checks that every connector has to pass, on a sample of the API.

``RecordsApi`` answers as the clinic API does. Where your API is another one, write its answers
as functions and give them to ``connector_lib.testing.api_server.ApiServer``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector_lib.cli.skeleton.clinic_connector.source import TABLES, ClinicSource
from connector_lib.connector.interface import LakeflowConnect, Record
from connector_lib.http import BearerAuth, HttpClient, RetryPolicy
from connector_lib.testing.conformance import ConnectorConformance
from connector_lib.testing.logins import Login
from connector_lib.testing.records_api import RecordsApi, RecordsTable

TOKEN = "not-a-real-token+/="  # noqa: S105 - the sample API takes it


def no_wait(seconds: float) -> None:
    """In place of time.sleep."""


class TestClinic(ConnectorConformance):
    """Small pages, and records that share a time over the border of a page."""

    secrets = (TOKEN,)
    table_options = {table: {"page_size": "3"} for table in TABLES}  # noqa: RUF012

    @pytest.fixture(autouse=True)
    def sample(self) -> Iterator[None]:
        """The API, with some records."""
        tables = [
            RecordsTable("visits", {}, "cdc_with_deletes"),
            RecordsTable("wards", {}, "snapshot", cursor=None),
        ]
        with RecordsApi(tables, login=Login("bearer", secret=TOKEN)) as self.api:
            self.server = self.api.server
            self.api.put("visits", *map(visit, range(14)))
            self.api.put("visits", visit(14))
            self.api.put("visits", visit(15))
            self.api.delete("visits", "v2", "v5")
            self.api.put("wards", *({"id": f"w{number}", "name": f"Ward {number}", "beds": 20} for number in range(16)))
            yield

    def connector(self) -> LakeflowConnect:
        """A new connector: with small limits, and no waits before it tries again, so that faults take no time."""
        client = HttpClient(
            self.api.url,
            auth=BearerAuth(TOKEN),
            retry=RetryPolicy(timeout=0.3),
            max_body_bytes=1_000_000,
            sleep=no_wait,
        )
        return ClinicSource({"base_url": self.api.url, "token": TOKEN, "max_pages": "50"}, client=client)

    def expected(self, table: str) -> list[Record]:
        """What is in the API."""
        return self.api.rows(table)

    def expected_deletes(self, table: str) -> list[Record]:
        """What was deleted in it."""
        return self.api.deleted(table)

    def change(self, table: str) -> None:
        """A new record, a changed one, and a deleted one."""
        number = len(self.api.rows(table)) + len(self.api.deleted(table))
        self.api.put(table, visit(number))
        self.api.put(table, {**visit(15), "minutes": number})
        self.api.delete(table, self.api.rows(table)[0]["id"])


def visit(number: int) -> Record:
    """A record of the table ``visits``, without the time that the API gives it."""
    return {
        "id": f"v{number}",
        "ward": f"w{number % 7}",
        "reason": "check-up",
        "minutes": 10 + number,
        "cost": 12.5,
        "patient": {"number": f"p{number}", "name": f"Sample {number}"},
    }
