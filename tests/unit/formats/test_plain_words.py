"""Texts of servers are told in words that can name nobody."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.formats.plain_words import PLAIN_WORDS, plain_text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("No patient John Smith born 1980-02-30 in ward 7", "No patient … in …"),
        ("Please try again later: too many requests", "Please try again later: too many requests"),
        ("Jane Page, Ann Field", "…"),
        ("Short, Jane is not known", "… is not known"),
        ("Ärztin Öz is not known", "… is not known"),
        ("O'Brien's record can't be read", "… record can't be read"),
        ("at most 1000 records", "at most 1000 records"),
        ("error 17: 43 is more than 40", "error 17: … is more than 40"),
        ("error: 4711", "error: …"),
        ("at most 1234567 records", "at most … records"),
    ],
)
def test_a_word_that_is_not_plain_becomes_dots(text: str, told: str) -> None:
    assert plain_text(text, longest=200) == told


def test_names_that_are_given_are_kept() -> None:
    assert plain_text("page_size and mrn are wrong", names=["page_size"], longest=200) == "page_size and … are wrong"


def test_a_code_is_kept_and_the_text_begins_behind_it() -> None:
    code = re.compile(r"E\d\d")
    assert plain_text("E17: Unknown field", code=code, longest=200) == "E17: Unknown field"
    assert plain_text("E1799: Unknown field", code=code, longest=200) == "… field"


@given(st.lists(st.text(max_size=8) | st.sampled_from(["error", "Page", "limit", "12"])).map(" ".join))
def test_nothing_is_told_but_plain_words_and_short_numbers(text: str) -> None:
    words = re.findall(r"\w+", plain_text(text, longest=2000))
    assert [
        word for word in words if word.lower() not in PLAIN_WORDS and not re.fullmatch("[0-9]{1,4}|[A-Z]{2,5}", word)
    ] == []


@given(st.text(max_size=500), st.integers(2, 30))
def test_what_is_told_is_printable_and_no_longer_than_asked(text: str, longest: int) -> None:
    told = plain_text(text, longest=longest)
    assert len(told) <= longest
    assert told.isprintable()
