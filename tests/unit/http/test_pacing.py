"""Requests at the pace of the API."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.errors import ApiError, OptionError
from connector_lib.http import Pace, RetryPolicy
from connector_lib.http.pacing import TokenBucket
from tests.unit.http.conftest import MakeClient, ManualTime, Wire, reply


@given(
    st.floats(0.1, 100.0),
    st.integers(1, 10),
    st.lists(st.floats(0.0, 5.0), min_size=1, max_size=60),
)
def test_no_second_has_more_requests_than_the_pace_and_one_burst(rate: float, burst: int, pauses: list[float]) -> None:
    time = ManualTime()
    bucket = TokenBucket(Pace(rate, burst), time.clock)
    sent: list[float] = []
    for pause in pauses:
        time.seconds += pause
        time.sleep(bucket.reserve())
        sent.append(time.seconds)
    for number, start in enumerate(sent):
        within = [at for at in sent[number:] if at < start + 1.0 - 1e-6]
        assert len(within) <= rate + burst


def test_a_long_rest_gives_one_burst_and_no_more() -> None:
    time = ManualTime()
    bucket = TokenBucket(Pace(10, burst=3), time.clock)
    time.seconds += 1000.0
    assert [bucket.reserve() for _ in range(5)] == [0.0, 0.0, 0.0, pytest.approx(0.1), pytest.approx(0.2)]


def test_a_client_waits_for_its_turn(wire: Wire, make_client: MakeClient, time_given: ManualTime) -> None:
    wire.replies(reply([]))
    client = make_client(pace=Pace(4, burst=2))
    for _ in range(4):
        client.get("records")
    assert time_given.slept == [0.25, 0.25]


def test_a_second_try_waits_for_its_turn_as_well(wire: Wire, make_client: MakeClient, time_given: ManualTime) -> None:
    wire.replies(reply(status=503), reply([]))
    make_client(pace=Pace(0.2)).get("records")
    assert time_given.slept == [1.0, 4.0]


def test_a_turn_behind_the_deadline_is_an_error_without_a_wait(
    wire: Wire, make_client: MakeClient, time_given: ManualTime
) -> None:
    wire.replies(reply([]))
    client = make_client(pace=Pace(0.1), retry=RetryPolicy(deadline=5.0))
    client.get("records")
    with pytest.raises(ApiError, match="the deadline of 5 s for the whole read is reached"):
        client.get("records")
    assert time_given.slept == []


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 1), (float("nan"), 1), (1, 0)])
def test_a_pace_that_is_none_is_refused(rate: float, burst: int) -> None:
    with pytest.raises(OptionError, match="is none"):
        Pace(rate, burst)
