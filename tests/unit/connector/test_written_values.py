"""Values of a file become text as their author wrote them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_lib.connector.written_values import option_text, read_mapping
from connector_lib.errors import ConfigurationError, SpecError


def read(tmp_path: Path, text: str, name: str = "file.yml") -> dict[str, Any]:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return read_mapping(file)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("0123", "0123"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("no", "no"),
        ("ON", "ON"),
        ("2026-03-01", "2026-03-01"),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        ("1.10", "1.10"),
        ("1e5", "1e5"),
        ("-7", "-7"),
        ("true", "true"),
        ("True", "true"),
        ("'5'", "5"),
        ("'null'", "null"),
        (".inf", ".inf"),
        ("=", "="),
        ("null", None),
        ("~", None),
        ("", None),
        ("''", ""),
        ("[1, 2.50, a, no]", '[1, 2.5, "a", "no"]'),
        ("{a: [true]}", '{"a": [true]}'),
        ("Größe", "Größe"),
        ("[Größe]", '["Größe"]'),
    ],
)
def test_a_value_is_the_text_that_was_written(tmp_path: Path, written: str, text: str | None) -> None:
    assert option_text(read(tmp_path, f"key: {written}\n")["key"]) == text


@settings(deadline=None)
@given(st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3) | st.booleans() | st.text())
def test_a_value_of_json_is_the_text_that_was_written(value: Any) -> None:
    written = str(value) if isinstance(value, Decimal) else json.dumps(value)
    parsed = json.loads(written, parse_float=Decimal)
    assert option_text(parsed) == (value if isinstance(value, str) else written)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "file.yml"
    file.write_bytes(b"\xef\xbb\xbfkey: value\n")
    assert read_mapping(file) == {"key": "value"}


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    assert read(tmp_path, "a: &a {x: 1}\nb:\n  <<: *a\n  y: 2\n")["b"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("f.yml", "a: 1\nb:\n  c: 1\n  c: 2\n", "line 4, column 3: the key 'c' is given twice"),
        ("f.json", '{"a": {"c": 1, "c": 2}}', "the key 'c' is given twice"),
        ("f.yml", "a: [1\n", "not valid YAML"),
        ("f.yml", "a: b: c\n", "line 1, column 5: not valid YAML"),
        ("f.yml", "a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        ("f.yml", "a: \x07\n", "not valid YAML"),
        ("f.json", '{"a": 1', "line 1, column 8: not valid JSON"),
        ("f.json", '{"a": NaN}', "not valid JSON"),
        ("f.yml", "- a\n", "must hold keys"),
        ("f.yml", "", "must hold keys"),
        ("f.json", "[]", "must hold keys"),
    ],
)
def test_a_wrong_file_is_named_with_the_place(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text, name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert words in str(caught.value)


def test_a_file_that_is_not_utf8_or_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file.yml"
    file.write_bytes(b"key: \xff\xfe\n")
    with pytest.raises(ConfigurationError, match="is not UTF-8"):
        read_mapping(file)
    with pytest.raises(SpecError, match="cannot be read: No such file"):
        read_mapping(tmp_path / "none.yml", SpecError)


def test_an_error_shows_no_value(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, "token: hush hush\nother: [hush\n")
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None
