"""The order of cursor values, the border between two reads, and offsets that go with their options."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_lib.connector import cursor as cursor_module
from connector_lib.connector.cursor import (
    Batch,
    Border,
    Cursor,
    CursorKind,
    batch_behind,
    check_fingerprint,
    fingerprint,
    record_digest,
    timestamp_nanoseconds,
    timestamp_text,
)
from connector_lib.connector.interface import Record
from connector_lib.connector.options import SecretStr
from connector_lib.errors import ContractError, ConversionError, OffsetError, SourceError

AT = Cursor("at", "number")
UPDATED = Cursor("meta.lastUpdated", "timestamp")


# --- order ---


@pytest.mark.parametrize(
    ("kind", "ascending"),
    [
        ("timestamp", ["2026-03-01T10:00:00+02:00", "2026-03-01T09:00:00Z"]),
        ("timestamp", ["2026-03-01T09:00:00.1Z", "2026-03-01T09:00:00.11Z"]),
        ("timestamp", ["2026-03-01T09:00:00.000000001Z", "2026-03-01T09:00:00.000000002Z"]),
        ("timestamp", ["2026", "2026-02", "2026-02-02", "2026-02-02T00:00:01"]),
        ("timestamp", ["2026-10-25T02:30:00+02:00", "2026-10-25T02:10:00+01:00"]),
        ("timestamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"]),
        ("number", ["9", "10", 11, 11.5, "11.51", Decimal("12"), "1e3"]),
        ("number", [2**63, 2**63 + 1, str(2**63 + 2)]),
        ("number", [-1, 0, "0.0000000000000000000000000000000001"]),
        ("text", ["10", "9", "Z", "a"]),
    ],
)
def test_values_are_ordered_as_what_they_are(kind: CursorKind, ascending: list[Any]) -> None:
    keys = [Cursor("at", kind).key_of(value) for value in ascending]
    assert all(one < other for one, other in itertools.pairwise(keys))


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T09:00:00Z",
        "2026-03-01T09:00:00",
        "2026-03-01 09:00:00+00:00",
        "2026-03-01T09:00",
        "2026-03-01T09:00:00.0000000009Z",
        "2026-03-01t10:00:00+0100",
        "2026-03-01T11:00:00.0+02",
        "2026-03-01T08:59:60Z",
    ],
)
def test_one_moment_may_be_written_in_many_ways(text: str) -> None:
    assert timestamp_nanoseconds(text) == timestamp_nanoseconds("2026-03-01T09:00:00Z")


def test_the_end_of_a_day_is_the_start_of_the_next() -> None:
    assert timestamp_nanoseconds("2026-12-31T24:00:00Z") == timestamp_nanoseconds("2027-01-01")


@settings(deadline=None)
@given(st.datetimes(timezones=st.sampled_from([timezone.utc, timezone(timedelta(hours=-9, minutes=-30))])))
def test_a_moment_comes_back_from_its_text(moment: datetime) -> None:
    nanoseconds = timestamp_nanoseconds(moment.isoformat())
    assert timestamp_nanoseconds(timestamp_text(nanoseconds, digits=9)) == nanoseconds
    assert nanoseconds // 1000 == (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(microseconds=1)


@settings(deadline=None)
@given(st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,12})?", fullmatch=True))
def test_the_form_of_most_apis_means_what_the_general_one_does(text: str) -> None:
    def read(written: str) -> int | None:
        try:
            return timestamp_nanoseconds(written)
        except ValueError:
            return None

    assert read(f"{text}Z") == read(f"{text}+00:00")


@settings(deadline=None)
@given(st.integers(0, 4 * 10**18), st.integers(0, 9))
def test_a_bound_is_cut_off_and_never_rounded_up(nanoseconds: int, digits: int) -> None:
    back = timestamp_nanoseconds(timestamp_text(nanoseconds, digits=digits))
    assert 0 <= nanoseconds - back < 10 ** (9 - digits)


def test_a_bound_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        timestamp_text(datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("timestamp", "2026-02-30"),
        ("timestamp", "2026-13-01"),
        ("timestamp", "2026-01-01T25:00:00Z"),
        ("timestamp", "2026-01-01T24:00:01Z"),
        ("timestamp", "2026-01-01T10:60:00Z"),
        ("timestamp", "2026-01-01T10:00:00+24:00"),
        ("timestamp", "yesterday"),
        ("timestamp", "2026-01-01T10:00:0Z"),
        ("timestamp", "2026-01-01T10:00:0"),
        ("timestamp", "2026-W01-1T10:00:00Z"),
        ("timestamp", "2026-01-01T10:00:00.Z"),
        ("timestamp", "2026-01-01T10:00:00.٣Z"),
        ("timestamp", "2026-01-01T10:00:00x5Z"),
        ("timestamp", "٢٠٢٦-01-01"),
        ("timestamp", 1767225600),
        ("timestamp", {"time": "2026"}),
        ("number", "ten"),
        ("number", "NaN"),
        ("number", "9" * 5000),
        ("number", float("inf")),
        ("number", True),
        ("number", [1]),
        ("text", 5),
    ],
)
def test_what_is_no_value_of_the_kind_is_an_error_without_the_value(kind: CursorKind, value: Any) -> None:
    with pytest.raises(
        ConversionError, match=f"the cursor 'at' has a value of the type .* that is no {kind}"
    ) as caught:
        Cursor("at", kind).key_of(value)
    assert str(value) not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("record", "value"),
    [
        ({"meta": {"lastUpdated": "2026"}}, "2026"),
        ({"meta.lastUpdated": "2025", "meta": {"lastUpdated": "2026"}}, "2025"),
        ({"meta": {"lastUpdated": None}}, None),
        ({"meta": {"lastUpdated": ""}}, None),
        ({"meta": "2026"}, None),
        ({}, None),
    ],
)
def test_a_cursor_is_found_in_a_nested_record(record: Record, value: Any) -> None:
    assert UPDATED.value(record) == value


# --- border ---


def rows(*pairs: tuple[int | None, int]) -> list[Record]:
    """Records by (cursor, id)."""
    return [{"id": number, "at": at} for at, number in pairs]


def ids(batch: Batch) -> list[int]:
    return [record["id"] for record in batch.records]


def step(page: Sequence[Record], border: Border = Border(), **options: Any) -> Batch:  # noqa: B008 - it is frozen
    options = {"first_read": border == Border(), **options}
    return batch_behind(page, border, AT, table="visits", **options)


def test_records_that_share_the_value_at_the_border_are_neither_lost_nor_doubled() -> None:
    first = step(rows((1, 1), (2, 2), (2, 3)))
    second = step(rows((2, 2), (2, 3), (2, 4), (3, 5)), first.border)
    assert ids(first) + ids(second) == [1, 2, 3, 4, 5]


def test_a_record_that_changed_within_one_tick_is_given_again() -> None:
    first = step([{"id": 1, "at": 5, "name": "A"}])
    second = step([{"id": 1, "at": 5, "name": "B"}], first.border)
    assert second.records == [{"id": 1, "at": 5, "name": "B"}]
    assert step(second.records, second.border).records == []


def test_what_makes_records_the_same_can_be_the_key_alone() -> None:
    def by_key(record: Record) -> str:
        return str(record["id"])

    first = step([{"id": 1, "at": 5, "link": "a?signature=1"}], digest=by_key)
    assert step([{"id": 1, "at": 5, "link": "a?signature=2"}], first.border, digest=by_key).records == []


def test_what_a_coarse_filter_gives_below_the_border_was_given_before() -> None:
    border = step(rows((5, 1))).border
    assert ids(step(rows((3, 8), (5, 1), (6, 2)), border, coarse_filter=True)) == [2]


@pytest.mark.parametrize("page", [rows((3, 8), (5, 1), (6, 2)), rows((3, 8), (4, 9))])
def test_a_page_that_begins_below_the_border_is_out_of_order(page: list[Record]) -> None:
    border = step(rows((1, 1), (5, 1))).border
    with pytest.raises(SourceError, match="do not come in the order of the cursor 'at'"):
        step(page, border)


def test_a_border_that_meets_nothing_new_stands_still() -> None:
    first = step(rows((1, 1), (2, 2)))
    assert step(rows((2, 2)), first.border).border == first.border
    assert step([], first.border).border == first.border


def test_values_that_are_written_otherwise_are_one_value() -> None:
    first = step([{"id": 1, "at": "10"}])
    second = step([{"id": 1, "at": "10"}, {"id": 2, "at": 10.0}], first.border)
    assert ids(second) == [2]


def test_a_border_comes_back_from_json_as_it_was() -> None:
    border = step(rows((1, 1), (2, 2), (2, 3))).border
    assert Border.from_json(json.loads(json.dumps(border.to_json()))) == border
    assert Border.from_json(json.loads(json.dumps(Border().to_json()))) == Border()
    unplaced = step(rows((None, 1))).border
    assert Border.from_json(json.loads(json.dumps(unplaced.to_json()))) == unplaced


def test_a_decimal_goes_into_an_offset_with_all_its_digits() -> None:
    border = step([{"id": 1, "at": Decimal("1.10000000000000000001")}]).border
    assert json.loads(json.dumps(border.to_json()))["value"] == "1.10000000000000000001"


@pytest.mark.parametrize("part", [{"value": 5}, {"seen": []}, {"value": 5, "seen": "ab"}, {"value": 5, "seen": [1]}])
def test_an_offset_that_holds_no_border_asks_for_a_full_refresh(part: dict[str, Any]) -> None:
    with pytest.raises(OffsetError, match="full refresh"):
        Border.from_json(part)


@settings(deadline=None)
@given(
    st.from_type(object)
    | st.dictionaries(st.sampled_from(["value", "seen"]), st.none() | st.integers() | st.lists(st.text()))
)
def test_whatever_an_offset_holds_it_is_a_border_or_an_offset_error(part: object) -> None:
    try:
        border = Border.from_json(part)
    except OffsetError:
        return
    assert border.to_json().get("value") == border.value


def test_no_key_of_a_record_is_in_an_offset() -> None:
    border = step([{"id": "patient-4711", "at": 5}]).border
    assert "4711" not in json.dumps(border.to_json())


def test_the_upper_bound_is_open_and_the_border_never_passes_it() -> None:
    first = step(rows((1, 1), (4, 2), (5, 3), (6, 4)), until=5)
    assert (ids(first), first.held_back, first.border.value) == ([1, 2], 2, 4)
    assert ids(step(rows((4, 2), (5, 3), (6, 4)), first.border, until=9)) == [3, 4]


def test_a_page_behind_the_bound_alone_moves_nothing() -> None:
    batch = step(rows((5, 1)), until=5, more=True)
    assert (batch.records, batch.held_back, batch.border) == ([], 1, Border())


def test_records_without_a_cursor_are_given_in_the_first_read_and_counted() -> None:
    batch = step(rows((None, 1), (3, 2), (None, 3)))
    assert (ids(batch), batch.without_cursor, batch.border.value) == ([1, 2, 3], 2, 3)


def test_every_page_of_the_first_read_may_have_records_without_a_cursor() -> None:
    first = step(rows((None, 1), (3, 2)))
    second = step(rows((4, 3), (None, 4)), first.border, first_read=True)
    assert (ids(second), second.without_cursor, second.border.value) == ([3, 4], 1, 4)


def test_a_first_read_of_records_without_a_cursor_alone_moves_the_offset() -> None:
    border = step(rows((None, 1), (None, 2))).border
    assert border.to_json() != Border().to_json()
    assert ids(step(rows((3, 3)), border)) == [3]
    with pytest.raises(SourceError, match="2 records of the table 'visits' have no value of the cursor 'at'"):
        step(rows((None, 1), (None, 2)), border)


def test_records_without_a_cursor_are_an_error_later() -> None:
    border = step(rows((3, 1))).border
    with pytest.raises(SourceError, match="1 records of the table 'visits' have no value of the cursor 'at'"):
        step(rows((3, 1), (None, 2)), border)


def test_records_from_the_future_are_an_error_where_the_latest_value_is_known() -> None:
    with pytest.raises(SourceError, match=r"1 records of the table 'visits' .* in the future"):
        step(rows((1, 1), (100, 2)), until=10, latest=20)
    assert step(rows((1, 1), (20, 2)), until=10, latest=20).held_back == 1


def test_records_out_of_order_are_an_error() -> None:
    with pytest.raises(SourceError, match="do not come in the order of the cursor 'at'"):
        step(rows((2, 1), (1, 2)))


def test_where_all_records_are_there_their_order_does_not_matter() -> None:
    batch = step(rows((2, 1), (1, 2), (2, 3), (1, 4)), in_order=False)
    assert (ids(batch), batch.border.value) == ([1, 2, 3, 4], 2)
    assert len(batch.border.seen) == 2


def test_more_ties_than_a_page_holds_are_an_error_rather_than_the_end() -> None:
    border = step(rows((2, 1), (2, 2))).border
    with pytest.raises(SourceError, match="more records with one value of the cursor 'at' than a page holds"):
        step(rows((2, 1), (2, 2)), border, more=True)


def test_a_border_holds_no_more_ties_than_an_offset_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursor_module, "MAX_TIES", 3)
    assert len(step(rows(*[(2, number) for number in range(3)])).border.seen) == 3
    with pytest.raises(SourceError, match="more than 3 records"):
        step(rows(*[(2, number) for number in range(4)]))


def test_a_record_is_the_same_whatever_the_order_of_its_fields() -> None:
    assert record_digest({"a": 1, "b": [Decimal("1.5")]}) == record_digest({"b": [Decimal("1.5")], "a": 1})
    assert record_digest({"a": 1}) != record_digest({"a": "1"})
    assert record_digest({"a": "\ud800"}) != record_digest({"a": "\ud801"})


@settings(deadline=None, max_examples=200)
@given(
    changes=st.lists(st.lists(st.integers(0, 2), max_size=25), min_size=1, max_size=5),
    page_size=st.integers(1, 6),
    coarse=st.booleans(),
)
def test_reads_between_changes_give_every_record_once(changes: list[list[int]], page_size: int, coarse: bool) -> None:
    """An API that filters by the cursor, closed below, and pages: records with few distinct values, more arrive
    between reads (never below what a read has passed), and a read stops in the midst of ties."""
    table: list[Record] = []
    got: list[int] = []
    border, newest = Border(), 0
    for arriving in changes:
        for advance in arriving:
            newest += advance
            table.append({"id": len(table), "at": newest})
        while True:
            since = border.value if border.value is not None else 0
            since -= since % 3 if coarse else 0
            found = [record for record in table if record["at"] >= since]
            ties = len(border.seen) + sum(since <= record["at"] < (border.value or 0) for record in table)
            batch = step(found[: page_size + ties], border, coarse_filter=coarse)
            if not batch.records:
                break
            got += ids(batch)
            border = Border.from_json(json.loads(json.dumps(batch.border.to_json())))
    assert sorted(got) == list(range(len(table)))


# --- offsets and options ---


def test_an_offset_goes_with_the_options_that_it_was_made_with() -> None:
    made_with = fingerprint({"deletes": "history", "resource_types": ["Patient"]})
    again = fingerprint({"resource_types": ["Patient"], "deletes": "history"})
    check_fingerprint({"until": 5, "options": made_with}, again, table="visits")


@pytest.mark.parametrize("start", [None, {}])
def test_the_start_goes_with_all_options(start: dict[str, Any] | None) -> None:
    check_fingerprint(start, fingerprint({"deletes": "history"}), table="visits")


@pytest.mark.parametrize(
    ("then", "now", "named"),
    [
        ({"deletes": "none", "profile": "a"}, {"deletes": "history", "profile": "a"}, "deletes"),
        ({"deletes": "none"}, {"deletes": "none", "profile": "a"}, "profile"),
        ({"deletes": "none", "profile": None}, {"deletes": "x", "profile": "a"}, "deletes, profile"),
        ({}, {"deletes": "none"}, "deletes"),
    ],
)
def test_changed_options_are_named_and_ask_for_a_full_refresh(
    then: dict[str, Any], now: dict[str, Any], named: str
) -> None:
    with pytest.raises(OffsetError, match=rf"other values of the options: {named}\n.*full refresh") as caught:
        check_fingerprint({"until": 5, "options": fingerprint(then)}, fingerprint(now), table="visits")
    assert "history" not in str(caught.value)


@pytest.mark.parametrize("offset", [{"until": 5}, {"until": 5, "options": None}, {"until": 5, "options": {"a": 1}}])
def test_an_offset_from_elsewhere_asks_for_a_full_refresh(offset: dict[str, Any]) -> None:
    with pytest.raises(OffsetError, match="full refresh"):
        check_fingerprint(offset, fingerprint({"deletes": "none"}), table="visits")


def test_a_secret_is_never_a_part_of_an_offset() -> None:
    with pytest.raises(ContractError, match="the option 'token' cannot be part of an offset"):
        fingerprint({"token": SecretStr("hush hush")})
