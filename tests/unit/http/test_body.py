"""Bodies in memory: gzip by pieces, and JSON that is read strictly."""

from __future__ import annotations

import gzip
import json
import pickle
import tracemalloc
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_lib.http.body import BodyError, JsonReader, is_json, received

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)


class Pieces:
    """A body on the wire, in pieces of a given size."""

    def __init__(self, content: bytes, size: int) -> None:
        self._content = content
        self._size = size

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        size = min(self._size, amt or self._size)
        piece, self._content = self._content[:size], self._content[size:]
        return piece


def read(content: bytes, size: int = 1000, encoding: str = "gzip", limit: int = 10_000_000) -> bytes:
    headers = {"content-encoding": encoding} if encoding else {}
    return b"".join(received(Pieces(content, size), headers, limit=limit, clock=lambda: 0.0, until=1.0))


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4), st.integers(1, 300), st.booleans())
def test_gzip_in_pieces_of_any_size_and_several_members(parts: list[bytes], size: int, padded: bool) -> None:
    packed = b"".join(map(gzip.compress, parts)) + b"\0" * (7 if padded else 0)
    assert read(packed, size) == b"".join(parts)


@given(st.binary(min_size=1, max_size=300), st.integers(1, 300), st.data())
def test_gzip_that_is_cut_anywhere_is_an_error(content: bytes, size: int, data: st.DataObject) -> None:
    packed = gzip.compress(content)
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(BodyError, match="cut short"):
        read(packed[:cut], size)


@given(st.binary(max_size=300), st.integers(1, 400))
def test_the_limit_counts_what_comes_out(content: bytes, limit: int) -> None:
    if len(content) <= limit:
        assert read(gzip.compress(content), limit=limit) == content
    else:
        with pytest.raises(BodyError, match=f"holds more than {limit} bytes, decompressed"):
            read(gzip.compress(content), limit=limit)


def test_gzip_that_ends_with_the_connection_before_it_began_is_cut() -> None:
    with pytest.raises(BodyError, match="cut short"):
        read(b"")
    headers = {"content-encoding": "gzip", "content-length": "0"}
    assert list(received(Pieces(b"", 1), headers, limit=1, clock=lambda: 0.0, until=1.0)) == []


def test_gzip_within_gzip_is_unpacked_as_often_as_it_says() -> None:
    assert read(gzip.compress(gzip.compress(b"text")), encoding="gzip, x-gzip") == b"text"


def test_memory_stays_small_while_a_large_body_comes_in() -> None:
    packed = gzip.compress(b" " * 100_000_000, 1)
    raw = Pieces(packed, 65536)
    tracemalloc.start()
    count = sum(map(len, received(raw, {"content-encoding": "gzip"}, limit=10**9, clock=lambda: 0.0, until=1.0)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, peak < 3_000_000) == (100_000_000, True)


@settings(max_examples=50)
@given(JSON_VALUES)
def test_what_json_writes_is_read_back(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert JsonReader().read(text.encode("utf-8", "surrogatepass" if text.isascii() else "strict"), {}) == value


def test_numbers_keep_their_digits_as_decimals_where_that_is_asked_for() -> None:
    body = b'{"a": 0.1000, "b": 1e400, "c": 12345678901234567890.123456789, "d": 7}'
    value = JsonReader(decimals=True).read(body, {})
    assert {name: str(number) for name, number in value.items()} == {
        "a": "0.1000",
        "b": "1E+400",
        "c": "12345678901234567890.123456789",
        "d": "7",
    }
    assert [type(number) for number in value.values()] == [Decimal, Decimal, Decimal, int]


@pytest.mark.parametrize(
    "body", [b'{"a": 1, "b": 2, "a": 1}', b'[{"x": {"a": null, "a": null}}]', b'{"a": 1, "\\u0061": 2}']
)
def test_a_name_that_is_there_twice_is_an_error(body: bytes) -> None:
    with pytest.raises(BodyError, match="a name twice"):
        JsonReader().read(body, {})


NAMES = st.sampled_from(["a", "b", 'a": ', "\\", '"', ":", "a b", " :", "\\u0061", ""])
BLANKS = st.sampled_from(["", " ", "\n\t", "\r "])


@st.composite
def objects(draw: st.DrawFn, depth: int = 0) -> tuple[str, bool]:
    """An object as JSON text, with blanks wherever they may be, and whether one in it has a name twice."""
    names = draw(st.lists(NAMES, max_size=4))
    members, twice = [], len(set(names)) < len(names)
    for name in names:
        kind = draw(st.integers(0, 2 if depth < 2 else 1))
        value, inner = json.dumps(draw(NAMES)), False
        if kind == 1:
            value = f"[{value}{draw(BLANKS)},{value}]"
        elif kind == 2:
            value, inner = draw(objects(depth + 1))
        members.append(f"{draw(BLANKS)}{json.dumps(name)}{draw(BLANKS)}:{draw(BLANKS)}{value}{draw(BLANKS)}")
        twice = twice or inner
    return f"{{{','.join(members)}}}", twice


@given(objects())
def test_exactly_those_texts_are_refused_in_which_an_object_has_a_name_twice(given_: tuple[str, bool]) -> None:
    text, twice = given_
    if twice:
        with pytest.raises(BodyError, match="a name twice"):
            JsonReader().read(text.encode(), {})
    else:
        assert JsonReader().read(text.encode(), {}) == json.loads(text)


def test_a_number_of_too_many_digits_is_an_error_in_words() -> None:
    with pytest.raises(BodyError, match="a number in the JSON text has too many digits"):
        JsonReader().read(b"[" + b"9" * 5000 + b"]", {})


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("application/json; charset=ISO-8859-1", '"Dö"'.encode("latin-1"), "Dö"),
        ('application/json; charset="windows-1252"', '"€"'.encode("cp1252"), "€"),
        ("application/json; charset=ISO-8859-1", '"Dö"'.encode(), "Dö"),
        ("application/json; charset=utf-8", '"Dö"'.encode(), "Dö"),
        ("application/json", '"Dö"'.encode(), "Dö"),
    ],
)
def test_text_is_utf_8_or_what_the_header_says(content_type: str, body: bytes, text: str) -> None:
    assert JsonReader().read(body, {"content-type": content_type}) == text


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", "x; charset=no-such"])
def test_text_that_is_neither_is_an_error(content_type: str) -> None:
    with pytest.raises(BodyError, match="the body is not UTF-8: byte 2 of 4"):
        JsonReader().read(b'"D\xf6"', {"content-type": content_type})


@pytest.mark.parametrize("body", [b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xf4\x90\x80\x80"'])
def test_utf_8_is_read_strictly(body: bytes) -> None:
    with pytest.raises(BodyError, match="not UTF-8"):
        JsonReader().read(body, {})


@given(st.binary(max_size=60))
def test_bytes_that_are_no_json_are_an_error_that_shows_none_of_them(body: bytes) -> None:
    # Nothing makes this an object: the text before has a comma too many.
    with pytest.raises(BodyError) as error:
        JsonReader().read(b'{"name": "Doe, Jane",, ' + body, {})
    assert "Doe" not in error.value.message
    assert error.value.__suppress_context__


@pytest.mark.parametrize(
    ("kind", "is_so"),
    [
        ("application/json", True),
        ("Application/FHIR+JSON; charset=utf-8", True),
        ("text/json", True),
        ("application/x-ndjson", False),
        ("text/html", False),
        ("", False),
    ],
)
def test_what_says_that_it_is_json(kind: str, is_so: bool) -> None:
    assert is_json({"content-type": kind}) is is_so


def test_a_reader_pickles() -> None:
    copy = pickle.loads(pickle.dumps(JsonReader(decimals=True)))
    assert copy.read(b"0.1", {}) == Decimal("0.1")
