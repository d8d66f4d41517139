"""Names of Unity Catalog's objects: taken apart, checked, and quoted for SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from connector_lib.errors import UsageError

__all__ = ["object_name", "quoted_identifier", "quoted_name", "split_name"]

_PART: Final = re.compile(r"`(?P<quoted>(?:[^`]|``)+)`|(?P<plain>[^`.][^.]*)", re.DOTALL)
_FORBIDDEN: Final = re.compile(r"[\x00-\x20./\x7f-\x9f]")
"""What no name of an object may hold; and it has 255 characters at most (Databricks SQL reference, "Names")."""
_LONGEST: Final = 255


def quoted_identifier(name: str) -> str:
    """``name`` as SQL takes any name, also of a user or a group: in backticks, with those in it doubled (Databricks SQL
    reference, "Identifiers").

    Raises UsageError for an empty name.

    >>> quoted_identifier("data-engineers")
    '`data-engineers`'
    >>> quoted_identifier("it`s")
    '`it``s`'
    """
    if not name:
        raise UsageError("an empty name cannot be quoted for SQL")
    return f"`{name.replace('`', '``')}`"


def quoted_name(parts: Sequence[str]) -> str:
    """The full name of an object for SQL.

    >>> quoted_name(("main", "hl7"))
    '`main`.`hl7`'
    """
    return ".".join(map(quoted_identifier, parts))


def split_name(text: str) -> tuple[str, ...]:
    """The parts of a full name, which may be quoted. Raises UsageError where it cannot be taken apart.

    >>> split_name("main.`hl7-raw`.adt")
    ('main', 'hl7-raw', 'adt')
    """
    parts: list[str] = []
    place = 0
    while (match := _PART.match(text, place)) is not None:
        parts.append(match["plain"] or match["quoted"].replace("``", "`"))
        place = match.end()
        if place == len(text):
            return tuple(parts)
        if text[place] != ".":
            break
        place += 1
    raise UsageError(f"'{text}' is no full name of an object", hint="parts with dots between them, as main.hl7.adt")


def object_name(text: str, what: str, *forms: str) -> tuple[str, ...]:
    """The parts of the full name ``text``, which has as many as one of ``forms`` has, such as ``CATALOG.SCHEMA``.

    ``what`` begins the message, such as ``--schema``. Raises UsageError where it has another number of parts, or one
    that no object can be called.

    >>> object_name("main.hl7", "--schema", "CATALOG.SCHEMA")
    ('main', 'hl7')
    >>> object_name("hl7", "--schema", "CATALOG.SCHEMA")
    Traceback (most recent call last):
    connector_lib.errors.UsageError: --schema: 'hl7' is not CATALOG.SCHEMA
    """
    try:
        parts = split_name(text)
    except UsageError:
        parts = ()
    if len(parts) not in {form.count(".") + 1 for form in forms}:
        raise UsageError(f"{what}: '{text}' is not {' or '.join(forms)}")
    for part in parts:
        if _FORBIDDEN.search(part) or len(part) > _LONGEST:
            raise UsageError(
                f"{what}: '{text}': nothing can be called '{part[:_LONGEST]}'",
                hint=f"a name has at most {_LONGEST} characters, and no space, slash, dot or control character",
            )
    return parts
