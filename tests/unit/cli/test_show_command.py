"""``connector-lib show``: rows of a table, as a person or a program reads them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from connector_lib.cli import main

Captured = pytest.CaptureFixture[str]


def show(warehouse: Path, *arguments: str) -> int:
    return main(["show", *arguments, "--warehouse", str(warehouse)])


def test_columns_are_printed_in_the_order_that_is_asked_for(warehouse: Path, capsys: Captured) -> None:
    assert show(warehouse, "observations", "--columns", "units, value,code_text", "--limit", "1") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["units", "value", "code_text"] in lines
    assert ["mg/dL", "125", *["Cholesterol", "[Mass/volume]", "in", "Serum", "or", "Plasma"]] in lines


def test_columns_are_found_in_any_case_and_printed_once(warehouse: Path, capsys: Captured) -> None:
    assert show(warehouse, "observations", "--columns", "Value,UNITS,value", "--json", "--limit", "1") == 0
    assert list(json.loads(capsys.readouterr().out).items()) == [("value", "125"), ("units", "mg/dL")]


def test_an_unknown_column_names_the_nearest_and_all(warehouse: Path, capsys: Captured) -> None:
    assert show(warehouse, "observations", "--columns", "value,unit") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "error: the table 'observations' has no column 'unit'\n"
        "  did you mean 'units'? its columns: code_text, value, units, notes\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--columns", "value"), "--columns needs a table"),
        (("observations", "--columns", " ,"), "--columns names no column"),
        (("observation",), "did you mean 'observations'?"),
    ],
)
def test_a_question_that_makes_no_sense_is_wrong_usage(
    warehouse: Path, capsys: Captured, arguments: tuple[str, ...], words: str
) -> None:
    assert show(warehouse, *arguments) == 2
    assert words in capsys.readouterr().err


def test_a_table_without_rows_says_so(warehouse: Path, capsys: Captured) -> None:
    assert show(warehouse, "no_rows", "--columns", "value") == 0
    assert capsys.readouterr().out == "no_rows: no rows\n"


def test_it_says_how_many_rows_there_are_beyond_those_printed(warehouse: Path, capsys: Captured) -> None:
    show(warehouse, "observations", "--limit", "2", "--json")
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert captured.err == "2 of 3 rows; '--limit N' prints more\n"


def test_nothing_is_said_when_all_rows_are_printed(warehouse: Path, capsys: Captured) -> None:
    show(warehouse, "observations")
    assert capsys.readouterr().err == ""


def test_short_values_stay_whole_where_the_terminal_is_narrow(
    warehouse: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    show(warehouse, "observations", "--columns", "code_text,value,units", "--limit", "1")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 40
    row = next(line for line in lines if "Cholesterol" in line)
    assert row.split()[-2:] == ["125", "mg/dL"]
    assert "…" in row


def test_where_there_is_no_room_for_columns_a_value_has_its_own_line(
    warehouse: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    show(warehouse, "observations", "--limit", "1")
    assert capsys.readouterr().out.splitlines()[0] == "row 1"


def test_a_value_does_not_steer_the_terminal_nor_break_its_line(warehouse: Path, capsys: Captured) -> None:
    show(warehouse, "observations")
    out = capsys.readouterr().out
    assert "steers ␛[2J the terminal" in out
    assert "\x1b" not in out
    assert "\r" not in out


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_terminal_that_lacks_a_sign_gets_an_escape(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    written = io.BytesIO()
    terminal = io.TextIOWrapper(written, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert show(warehouse, "observations", "--columns", "code_text", *form) == 0
    terminal.flush()
    assert (b"Gr\\u00f6\\u00dfe" if form else b"Gr\\xf6\\xdfe") in written.getvalue()
