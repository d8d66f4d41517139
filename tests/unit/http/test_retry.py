"""How long is waited, and which options make no sense."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.errors import OptionError
from connector_lib.http.retry import RetryPolicy, http_date, retry_after

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"first_wait": -1.0},
        {"longest_wait": float("nan")},
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"deadline": 0.0},
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"^{next(iter(options))} is "):
        RetryPolicy(**options)


def test_waits_double_up_to_the_longest_with_up_to_a_quarter_more() -> None:
    policy = RetryPolicy(longest_wait=10.0)
    assert [policy.backoff(attempt, 0.0) for attempt in (1, 2, 3, 4, 5, 10_000)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert policy.backoff(2, 1.0) == 2.5


@given(st.integers(0, 7_000_000_000), st.integers(0, 100_000))
def test_a_date_asks_for_the_seconds_until_it(since_1970: int, seconds: int) -> None:
    now = datetime.fromtimestamp(since_1970, timezone.utc)
    text = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
    assert retry_after(text, now) == seconds


def test_a_date_that_is_past_asks_for_no_wait() -> None:
    assert retry_after("Thu, 01 Jan 2026 11:59:00 GMT", NOON) == 0.0


@pytest.mark.parametrize(
    "date",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_all_three_forms_of_dates_are_read(date: str) -> None:
    assert http_date(date) == datetime(1994, 11, 6, 8, 49, 37, tzinfo=timezone.utc)


@given(st.text())
def test_any_text_is_a_wait_or_none(text: str) -> None:
    wait = retry_after(text, NOON)
    assert wait is None or wait >= 0


@pytest.mark.parametrize("text", ["", "soon", "-1", "+1", "1e3", "٣", "0x10", "nan", "inf", "Thu, 99 Jan 2026"])
def test_what_cannot_be_read_asks_for_nothing(text: str) -> None:
    assert retry_after(text, NOON) is None
