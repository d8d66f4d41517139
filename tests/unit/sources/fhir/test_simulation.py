"""Runs that follow a server through inserts, updates, deletes, ties, late commits and crashes have what it has."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector_lib.connector.interface import Offset
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_service import FhirBehaviour
from connector_lib.testing.fhir_store import ManualClock
from tests.unit.sources.fhir.conftest import START, Rows, applied, patient, read, source_of

LAG = 2

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 6), st.integers(0, LAG - 1)),
        st.tuples(st.just("delete"), st.integers(0, 6), st.just(0)),
        st.tuples(st.just("wait"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("run"), st.sampled_from([1, 2, 5]), st.integers(0, 4)),
    ),
    max_size=40,
)


@pytest.mark.parametrize("dated", [True, False], ids=["dated deletes", "undated deletes"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_what_was_read_is_what_is_there(dated: bool, steps: list[tuple[str, int, int]]) -> None:
    clock = ManualClock(START)
    behaviour = FhirBehaviour(types=("Patient",), dated_deletes=dated)
    with FhirServer(clock=clock, behaviour=behaviour) as server:
        follower = Follower(server)
        for action, number, more in steps:
            if action == "put" and not living(server, number):
                server.put(patient(number))
            elif action == "put":
                # Shown now, and written a little earlier: it was committed late.
                last = server.store.versions("Patient", f"p{number}")[-1].time
                assert last is not None
                server.put(patient(number), at=max(last, clock() - timedelta(seconds=more)))
            elif action == "delete":
                server.delete("Patient", f"p{number}")
            elif action == "wait":
                clock.advance(number)
            else:
                follower.run(page_size=number, crash_behind=more)
        clock.advance(LAG + 1)
        follower.run(page_size=2, crash_behind=0)
        follower.run(page_size=2, crash_behind=0)
        assert applied(follower.changes, follower.deletions) == {one.id for one in server.store.current("Patient")}
        newest = {row["id"]: row["meta"]["versionId"] for row in follower.changes}
        for version in server.store.current("Patient"):
            assert newest[version.id] == f"{version.number}"


def living(server: FhirServer, number: int) -> bool:
    return any(version.id == f"p{number}" for version in server.store.current("Patient"))


class Follower:
    """What a pipeline keeps: the changes of all runs that were committed, and the offsets behind them."""

    def __init__(self, server: FhirServer) -> None:
        self._server = server
        self.changes: Rows = []
        self.deletions: Rows = []
        self._offsets: dict[bool, Offset | None] = {False: None, True: None}

    def run(self, *, page_size: int, crash_behind: int) -> None:
        """Reads changes, then deletions. A crash behind so many records commits nothing of that part; 0 is none."""
        options: dict[str, Any] = {"deletes": "history", "page_size": f"{page_size}", "lag_seconds": f"{LAG}"}
        for deletes, kept in ((False, self.changes), (True, self.deletions)):
            rows, offset = read(source_of(self._server, **options), start=self._offsets[deletes], deletes=deletes)
            if crash_behind and len(rows) >= crash_behind:
                return
            kept.extend(rows)
            self._offsets[deletes] = offset
