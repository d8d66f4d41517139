"""SQL text to statements: what they define, what they read, and what they write.

Enough of the grammar for the rules: comments and texts are told from words, and names are read where the grammar of
pipelines has them. Source: https://docs.databricks.com/aws/en/ldp/developer/sql-ref, and the grammar of Spark 4.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

__all__ = ["Statement", "StatementKind", "Word", "calls_function", "statements", "tables_read"]

_TOKEN: Final = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
      | (?P<name>`(?:[^`]|``)*`)
      | (?P<word>[^\W\d]\w*|\d[\w.]*)
      | (?P<space>\s+)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_BEFORE_TABLE: Final = {"FROM", "JOIN"}
_ENDS_FROM: Final = {
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "UNION",
    "SELECT",
    "ON",
    "USING",
    "WINDOW",
    "QUALIFY",
}
_WRITES: Final = {"INSERT", "MERGE", "UPDATE", "DELETE", "TRUNCATE", "DROP", "ALTER", "COPY", "REPLACE"}

StatementKind = Literal["table", "view", "flow", "write", "other"]


@dataclass(frozen=True, slots=True)
class Word:
    """A word, a name in backticks or a sign; ``line`` counts from 1. Texts and comments are none."""

    text: str
    line: int
    quoted: bool = False

    @property
    def upper(self) -> str:
        """The word as a keyword; empty for a name in backticks."""
        return "" if self.quoted else self.text.upper()


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement. ``kind`` says what it is, ``name`` what it defines or writes, as written, empty where
    it is computed; ``has_flow`` whether rows
    flow into it by this statement; ``words`` are all of it."""

    kind: StatementKind
    name: str
    has_flow: bool
    words: tuple[Word, ...]

    @property
    def line(self) -> int:
        """The line of its first word."""
        return self.words[0].line


def statements(text: str) -> Iterator[Statement]:
    """The statements of ``text``, in order.

    >>> [(found.kind, found.name) for found in statements("CREATE STREAMING TABLE a; SELECT 1 -- b")]
    [('table', 'a'), ('other', '')]
    """
    current: list[Word] = []
    for word in _words(text):
        if word.text != ";" or word.quoted:
            current.append(word)
        elif current:
            yield _statement(tuple(current))
            current = []
    if current:
        yield _statement(tuple(current))


def tables_read(text: str) -> frozenset[str]:
    """The names, as written, of the tables that the SQL ``text`` reads; names of its own (``WITH a AS``) are none.

    >>> sorted(tables_read("WITH a AS (SELECT * FROM STREAM(b)) SELECT * FROM a JOIN c.d ON true"))
    ['b', 'c.d']
    """
    return _tables(list(_words(text)))


def calls_function(text: str, function: str) -> int | None:
    """The line, from 1, on which the SQL ``text`` calls ``function``; None where it does not."""
    words = list(_words(text))
    for word, after in pairwise(words):
        if word.upper == function.upper() and after.text == "(":
            return word.line
    return None


def _words(text: str) -> Iterator[Word]:
    line = 1
    for token in _TOKEN.finditer(text):
        if token.lastgroup in ("name", "word", "sign"):
            yield Word(token[0], line, quoted=token.lastgroup == "name")
        line += token[0].count("\n")


def _statement(words: tuple[Word, ...]) -> Statement:
    keywords = [word.upper for word in words]
    first = keywords[0]
    if first == "CREATE":
        return _create(words, keywords)
    if first in _WRITES:
        return Statement("write", "", False, words)
    if keywords[:3] == ["APPLY", "CHANGES", "INTO"] or keywords[:3] == ["AUTO", "CDC", "INTO"]:
        return Statement("flow", _name_at(words, 3)[0], True, words)
    return Statement("other", "", False, words)


def _create(words: tuple[Word, ...], keywords: list[str]) -> Statement:
    place = next((place for place, word in enumerate(keywords) if word in ("TABLE", "VIEW", "FLOW", "FUNCTION")), None)
    if place is None or place > 6:
        return Statement("other", "", False, words)
    before = set(keywords[1:place])
    after = place + 1
    if keywords[after : after + 3] == ["IF", "NOT", "EXISTS"]:
        after += 3
    name, end = _name_at(words, after)
    if keywords[place] == "FLOW":
        target = next((spot for spot in range(end, len(words)) if keywords[spot] == "INTO"), None)
        if target is None:
            return Statement("other", "", False, words)
        skipped = target + 2 if keywords[target + 1 : target + 2] == ["ONCE"] else target + 1
        return Statement("flow", _name_at(words, skipped)[0], True, words)
    if keywords[place] == "VIEW":
        return Statement("table" if "MATERIALIZED" in before else "view", name, True, words)
    if keywords[place] == "TABLE" and before & {"STREAMING", "LIVE"}:
        return Statement("table", name, _has_query(keywords[end:]), words)
    return Statement("write" if keywords[place] == "TABLE" else "other", name, False, words)


def _has_query(keywords: list[str]) -> bool:
    """Whether a query follows, outside of the brackets of columns and properties."""
    depth = 0
    for keyword in keywords:
        depth += (keyword == "(") - (keyword == ")")
        if depth == 0 and keyword in ("AS", "FLOW", "SELECT"):
            return True
    return False


def _name_at(words: tuple[Word, ...] | list[Word], place: int) -> tuple[str, int]:
    """The dotted name that begins at ``place``, and the place behind it; an empty one where it is computed, as by
    ``${catalog}`` or ``IDENTIFIER(…)``."""
    parts: list[str] = []
    while place < len(words):
        if not _is_name(words[place]):
            return "", place + 1
        parts.append(words[place].text)
        behind = words[place + 1].text if place + 1 < len(words) else ""
        if parts == ["IDENTIFIER"] and behind == "(":
            return "", place + 1
        if behind != "." or place + 2 >= len(words):
            return ".".join(parts), place + 1
        place += 2
    return "", place


def _is_name(word: Word) -> bool:
    return word.quoted or word.text.isidentifier()


def _tables(words: list[Word]) -> frozenset[str]:
    own = {
        word.text.strip("`").lower()
        for word, second, third in zip(words, words[1:], words[2:], strict=False)
        if second.upper == "AS" and third.text == "("
    }
    found: set[str] = set()
    expected = False
    place = 0
    while place < len(words):
        word = words[place]
        if word.upper in _BEFORE_TABLE:
            expected = True
        elif word.upper in _ENDS_FROM:
            expected = False
        elif expected and word.upper == "STREAM":
            # STREAM(name) and STREAM name alike.
            place += words[place + 1 : place + 2] != [] and words[place + 1].text == "("
        elif expected and _is_name(word):
            name, end = _name_at(words, place)
            is_function = end < len(words) and words[end].text == "("
            if name and not is_function and name.strip("`").lower() not in own:
                found.add(name)
            # A comma leads to another table, past an alias.
            while end < len(words) and _is_name(words[end]):
                if words[end].upper in _BEFORE_TABLE | _ENDS_FROM:
                    break
                end += 1
            expected = end < len(words) and words[end].text == ","
            place = end
            if expected:
                place += 1
            continue
        elif word.text == "(":
            expected = False
        place += 1
    return frozenset(found)
