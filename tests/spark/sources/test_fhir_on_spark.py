"""A FHIR server read by Spark: as a batch, and as a stream that goes on where its last run ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any, ClassVar

import pytest
from pyspark.sql import SparkSession

from connector_lib.connector.interface import Record
from connector_lib.sources.fhir.source import FhirSource
from connector_lib.testing.conformance.spark_checks import SparkChecks
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_store import ManualClock

pytestmark = pytest.mark.spark


class TestFhirSourceOnSpark(SparkChecks):
    tables: ClassVar[Sequence[str]] = ("Patient",)
    table_options = {"Patient": {"page_size": "4", "deletes": "history", "undated": "accept"}}  # noqa: RUF012 - as an author writes it

    @pytest.fixture(autouse=True)
    def sample(self, spark: SparkSession) -> Iterator[None]:
        self.spark = spark
        self.clock = ManualClock(datetime(2026, 3, 1, tzinfo=timezone.utc))
        with FhirServer(clock=self.clock) as self.fhir:
            for number in range(11):
                self.clock.advance(0 if number % 5 else 1)
                self.fhir.put(patient(number))
            self.fhir.put(patient(11), stamped=False)
            self.clock.advance(2)
            yield

    def session(self) -> SparkSession:
        return self.spark

    def connector(self) -> FhirSource:
        return FhirSource({"base_url": self.fhir.url, "lag_seconds": "0"})

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

    def change(self, table: str) -> None:
        self.fhir.put(patient(20))
        self.fhir.put(patient(3))
        self.clock.advance(2)


def patient(number: int) -> dict[str, Any]:
    name = {"family": "Sample", "given": ["Ada", f"{number}."]}
    return {"resourceType": "Patient", "id": f"p{number}", "name": [name], "birthDate": "1980-02", "active": True}
