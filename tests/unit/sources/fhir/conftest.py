"""A FHIR server on loopback whose clock stands still, and a source that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any, Protocol, TypeAlias

import pytest

from connector_lib.connector.interface import Offset
from connector_lib.connector.reading import read_steps
from connector_lib.connector.timestamps import timestamp_nanoseconds
from connector_lib.http import Auth, HttpClient, RetryPolicy
from connector_lib.sources.fhir.client import FHIR_JSON, explain_outcome
from connector_lib.sources.fhir.source import FhirSource
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_service import FhirBehaviour
from connector_lib.testing.fhir_store import ManualClock

START = datetime(2026, 3, 1, tzinfo=timezone.utc)

Rows: TypeAlias = list[dict[str, Any]]
StartServer: TypeAlias = Callable[..., FhirServer]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def start_server(clock: ManualClock) -> Iterator[StartServer]:
    """Starts a server that behaves as asked for; it ends with the test."""
    started: list[FhirServer] = []

    def start(**options: Any) -> FhirServer:
        behaviour = options.pop("behaviour", FhirBehaviour(types=("Patient", "Observation")))
        server = FhirServer(behaviour=behaviour, clock=clock, **options)
        started.append(server.__enter__())
        return server

    yield start
    for server in started:
        server.__exit__(None, None, None)


@pytest.fixture
def server(start_server: StartServer) -> FhirServer:
    return start_server()


class HasUrl(Protocol):
    """A server."""

    @property
    def url(self) -> str: ...


def source_of(server: HasUrl, client: HttpClient | None = None, /, **options: str) -> FhirSource:
    """A source that reads without a lag, and tries once."""
    chosen = {"base_url": server.url, "lag_seconds": "0", "max_attempts": "1", **options}
    return FhirSource(chosen, client=client, sleep=_no_sleep)


def patient(number: int | str, **members: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": f"p{number}", **members}


def complete_patient() -> dict[str, Any]:
    """A patient with every element that the table has a column for. Synthetic."""
    return patient(
        "complete",
        language="en",
        identifier=[{"system": "urn:oid:1.2.3", "value": "4711", "assigner": {"identifier": {"value": "A"}}}],
        active=True,
        name=[{"family": "Sample", "given": ["Ada", "B."]}],
        telecom=[{"system": "phone", "value": "555-0100", "rank": 1}],
        gender="female",
        birthDate="1980-02",
        deceasedBoolean=False,
        deceasedDateTime="2026-01-01",
        address=[{"line": ["1 Main St"], "city": "Sampletown"}],
        maritalStatus={"coding": [{"code": "M"}]},
        multipleBirthBoolean=True,
        multipleBirthInteger=2,
        contact=[{"name": {"family": "Kin"}}],
        communication=[{"language": {"text": "English"}, "preferred": True}],
        generalPractitioner=[{"reference": "Practitioner/1"}],
        managingOrganization={"reference": "Organization/1"},
        link=[{"other": {"reference": "Patient/2"}, "type": "seealso"}],
    )


def read(
    source: FhirSource, table: str = "Patient", start: Offset | None = None, *, deletes: bool = False, **options: str
) -> tuple[Rows, Offset]:
    """All records behind ``start``, and the offset behind them."""
    rows: Rows = []
    end: Offset = start or {}
    for step in read_steps(source, table, options, start, deletes=deletes):
        rows.extend(step.records)
        end = step.end
    return rows, end


def applied(changes: Rows, deletions: Rows) -> set[str]:
    """The ids that are there when all was applied in the order of ``lastUpdated``, a deletion behind a change."""
    events = [(timestamp_nanoseconds(row["lastUpdated"]), 0, row["id"]) for row in changes]
    events += [(timestamp_nanoseconds(row["lastUpdated"]), 1, row["id"]) for row in deletions]
    living: set[str] = set()
    for _, deleted, key in sorted(events):
        living.discard(key) if deleted else living.add(key)
    return living


def ids(rows: Rows) -> list[str]:
    return [row["id"] for row in rows]


def hasty_client(url: str, auth: Auth | None = None, *, timeout: float = 10.0, **options: Any) -> HttpClient:
    """As the source makes it, but that it does not wait before it tries again."""
    return HttpClient(
        url,
        auth=auth,
        retry=RetryPolicy(timeout=timeout),
        headers={"Accept": FHIR_JSON},
        decimals=True,
        explain=explain_outcome,
        sleep=_no_sleep,
        **options,
    )


def _no_sleep(seconds: float) -> None:
    pass
