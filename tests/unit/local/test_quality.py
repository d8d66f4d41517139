"""Counts of quality rules: streams add up, queries stand for themselves."""

from __future__ import annotations

from connector_lib.local.quality import ObservedQuality
from connector_lib.local.report import QualityCount

DECLARED = {"lines": ["rows", "warn:has a value: or so"]}
ONE = '{"quality:lines": {"rows": 3, "warn:has a value: or so": 1}, "mine": {"rows": 9}}'


def count(checked: int | None, failed: int | None) -> tuple[QualityCount, ...]:
    return (QualityCount("lines", "has a value: or so", "warn", checked, failed),)


def test_micro_batches_add_up() -> None:
    quality = ObservedQuality()
    quality.add_batch(ONE)
    quality.add_batch(ONE)
    assert quality.counts(DECLARED) == count(6, 2)


def test_a_query_that_is_heard_of_twice_counts_once() -> None:
    quality = ObservedQuality()
    quality.put_query(ONE)
    quality.put_query(ONE)
    assert quality.counts(DECLARED) == count(3, 1)


def test_what_was_not_observed_is_not_zero() -> None:
    assert ObservedQuality().counts(DECLARED) == count(None, None)


def test_a_stream_without_new_rows_has_checked_none() -> None:
    assert ObservedQuality().counts(DECLARED, idle=frozenset({"lines"})) == count(0, 0)


def test_a_view_that_several_datasets_read_is_not_counted() -> None:
    quality = ObservedQuality()
    quality.add_batch(ONE)
    assert quality.counts(DECLARED, shared=frozenset({"lines"})) == count(None, None)
