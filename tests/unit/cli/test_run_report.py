"""What ``connector-lib run`` prints at its end, on a terminal of 80 columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_lib.cli.options import DEFAULT_WAREHOUSE
from connector_lib.cli.run import _print_report
from connector_lib.local.report import DatasetResult, QualityCount, RunReport

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def report(*datasets: DatasetResult, quality: tuple[QualityCount, ...] = ()) -> RunReport:
    return RunReport("hl7v2_files", "/w", "completed", 12.5, datasets, quality, ("a note [1]",), (), ())


def dataset(name: str = "adt", kind: str = "streaming table", state: str = "completed") -> DatasetResult:
    return DatasetResult(name, kind, 7_000_000, 123_456_789, 1234.5, state)


def rows_of(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_names_and_states_stay_whole_in_eighty_columns(capsys: Captured) -> None:
    name = "immunization_message_resources"
    _print_report(report(dataset(name, "materialized view", "not started"), dataset()), DEFAULT_WAREHOUSE)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "not started" in out
    assert "…" not in out
    assert "".join(row[0] for row in rows_of(out) if row and row[0] in name) == name


def test_the_kind_is_told_where_there_is_more_than_one(capsys: Captured) -> None:
    _print_report(report(dataset("a"), dataset("b", "materialized view")), DEFAULT_WAREHOUSE)
    found = rows_of(capsys.readouterr().out)
    assert ["a", "stream", "7,000,000", "123,456,789", "1234.5", "completed"] in found
    assert ["b", "view", "7,000,000", "123,456,789", "1234.5", "completed"] in found


def test_the_kind_is_left_out_where_all_are_the_same(capsys: Captured) -> None:
    _print_report(report(dataset("a"), dataset("b")), DEFAULT_WAREHOUSE)
    assert ["a", "7,000,000", "123,456,789", "1234.5", "completed"] in rows_of(capsys.readouterr().out)


def test_names_with_brackets_are_printed_as_they_are(capsys: Captured) -> None:
    counts = (QualityCount("adt", "[bold]is sent", "warn", 3, None),)
    _print_report(report(dataset(), quality=counts), DEFAULT_WAREHOUSE)
    out = capsys.readouterr().out
    assert ["adt", "[bold]is", "sent", "warn", "3", "-"] in rows_of(out)
    assert "note: a note [1]" in out


def test_the_way_to_the_rows_names_the_warehouse_that_was_given(capsys: Captured) -> None:
    _print_report(report(dataset()), Path("my tables"))
    assert "'connector-lib show TABLE --warehouse 'my tables'' prints" in capsys.readouterr().out
    _print_report(report(dataset()), DEFAULT_WAREHOUSE)
    assert "'connector-lib show TABLE' prints" in capsys.readouterr().out
