"""Names of Unity Catalog's objects, quoted for SQL and taken apart again."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.deploy.identifiers import object_name, quoted_identifier, quoted_name, split_name
from connector_lib.errors import UsageError

NAMES = st.text(min_size=1) | st.text(alphabet="`.a- ", min_size=1)


@given(NAMES)
def test_any_name_is_one_token_of_sql_that_says_it_again(name: str) -> None:
    quoted = quoted_identifier(name)
    # The rule of Spark's lexer: from a backtick to the next that is not one of two.
    token = re.match(r"`(?:[^`]|``)*`(?!`)", quoted)
    assert token is not None
    assert token[0] == quoted
    assert quoted[1:-1].replace("``", "`") == name


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_any_full_name_comes_back_in_its_parts(parts: list[str]) -> None:
    assert split_name(quoted_name(parts)) == tuple(parts)


def test_a_plain_full_name_needs_no_quotes_to_be_taken_apart() -> None:
    assert split_name("main.hl7.`a.b`.c") == ("main", "hl7", "a.b", "c")


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "`a", "`a`b", "a`.``"])
def test_what_is_no_full_name_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="is no full name of an object"):
        split_name(text)


@pytest.mark.parametrize("text", ["main", "main.hl7.adt", "main.", "`main", ""])
def test_a_name_with_another_number_of_parts_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match=r"--schema: '.*' is not CATALOG.SCHEMA"):
        object_name(text, "--schema", "CATALOG.SCHEMA")


@pytest.mark.parametrize("part", ["a b", "a/b", "`a.b`", "a\nb", "a\x7f", "a\x85", "x" * 256])
def test_a_name_that_no_object_can_have_is_wrong_usage(part: str) -> None:
    with pytest.raises(UsageError, match="nothing can be called"):
        object_name(f"main.{part}", "--schema", "CATALOG.SCHEMA")


def test_no_name_at_all_cannot_be_quoted() -> None:
    with pytest.raises(UsageError, match="empty name"):
        quoted_identifier("")
