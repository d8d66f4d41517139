"""The separators of one message: MSH-1 and MSH-2 (chapter 2, "Message delimiters")."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from connector_lib.errors import ParseError
from connector_lib.formats.hl7v2.charset import codec_for
from connector_lib.formats.hl7v2.escapes import make_unescape

__all__ = ["Delimiters", "delimiters_of"]

_NOT_A_SEPARATOR: Final = re.compile(r"[\w\s]")
_HEADER_LIMIT: Final = 4096
"""Characters of a message that the encoding characters are looked for in."""
# fmt: off
_FREQUENT_SEGMENTS: Final = (
    "MSH", "EVN", "PID", "PD1", "NK1", "PV1", "PV2", "MRG", "ROL", "PRT", "AL1", "IAM", "DG1", "DRG", "PR1",
    "GT1", "IN1", "IN2", "IN3", "ACC", "MSA", "ERR", "ORC", "OBR", "OBX", "NTE", "SPM", "TQ1", "TQ2", "RXO",
    "RXE", "RXD", "RXG", "RXA", "RXR", "RXC", "SCH", "RGS", "AIS", "AIG", "AIL", "AIP", "TXA", "FT1",
)
# fmt: on


@dataclass(frozen=True, slots=True, eq=False)
class Delimiters:
    """The separators of one message, from MSH-1 and MSH-2; empty where the message has none.

    Messages with the same separators share one object, which other modules remember things by: so it is
    compared by identity. ``problem`` says in words what is odd about MSH-2; empty when nothing is.
    """

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    truncation: str
    problem: str
    unescape: Callable[[str], str]
    between_segments: re.Pattern[str]
    segment_start: re.Pattern[str]
    known_starts: frozenset[str]

    def is_composite(self, text: str) -> bool:
        """Whether a field repetition has components or subcomponents."""
        return bool((self.component and self.component in text) or (self.subcomponent and self.subcomponent in text))


def delimiters_of(header: str, charset: str | None) -> tuple[Delimiters, str]:
    """The separators of a message that starts with ``MSH``, and the codec of the bytes in its ``\\\\X..\\\\`` escapes:
    ``charset`` if given, else the set that MSH-18 names, else UTF-8.

    Raises :class:`~connector_lib.errors.ParseError` when MSH-1 or MSH-2 cannot be separators.

    >>> delimiters_of("MSH|^~\\\\&|LAB", None)[0].subcomponent
    '&'
    """
    separator = header[3:4]
    if not separator or _NOT_A_SEPARATOR.match(separator):
        raise ParseError("MSH is not followed by a field separator", hint="a message starts as in MSH|^~\\&|")
    end = header.find(separator, 4, _HEADER_LIMIT)
    encoding_characters = _first_line(header[4 : end if end >= 0 else _HEADER_LIMIT])
    if charset is None:
        escape = encoding_characters[2:3]
        # Looking for one character costs next to nothing, and most messages have no escape sequence.
        has_bytes = escape and header.find(escape, end) >= 0 and f"{escape}X" in header
        charset = _charset_named_in(header, separator) if end >= 0 and has_bytes else "utf-8"
    return _delimiters(separator, encoding_characters, charset), charset


def _charset_named_in(header: str, separator: str) -> str:
    fields = _first_line(header).split(separator)
    # MSH-1 is the separator itself, so MSH-18 is fields[17].
    return (codec_for(fields[17]) if len(fields) > 17 else None) or "utf-8"


def _first_line(text: str) -> str:
    return text.partition("\r")[0].partition("\n")[0]


@lru_cache(maxsize=256)
def _delimiters(field: str, encoding_characters: str, charset: str) -> Delimiters:
    if not encoding_characters:
        raise ParseError(
            "MSH-2, the encoding characters, is empty",
            hint="a message starts as in MSH|^~\\&|; ask the sender",
        )
    if any(_NOT_A_SEPARATOR.match(character) for character in encoding_characters):
        raise ParseError(
            "MSH-2 holds letters, digits or blanks instead of encoding characters",
            hint="a message starts as in MSH|^~\\&|; ask the sender",
        )
    # A character that stands there twice, or more of them than the standard has, means nothing the second
    # time.
    seen = {field}
    used: list[str] = []
    for character in encoding_characters[:5]:
        used.append("" if character in seen else character)
        seen.add(character)
    component, repetition, escape, subcomponent, truncation = (used + [""] * 5)[:5]
    problem = ""
    if len(encoding_characters) > 5:
        problem = "MSH-2 has more than five encoding characters"
    elif "" in used:
        problem = "MSH-2 names a character twice"
    elif len(encoding_characters) < 4:
        problem = "MSH-2 has fewer than four encoding characters"
    name, separator = r"[A-Z][A-Z0-9]{2}", re.escape(field)
    # Three capitals alone on a line are a segment without fields, unless text follows: then they are text
    # too.
    segment_start = rf"{name}(?:{separator}|[\r\n]*\Z|(?=[\r\n]+{name}(?:{separator}|[\r\n]|\Z)))"
    return Delimiters(
        field,
        component,
        repetition,
        escape,
        subcomponent,
        truncation,
        problem,
        make_unescape(field, component, repetition, escape, subcomponent, truncation, charset),
        re.compile(rf"[\r\n](?={segment_start})"),
        re.compile(segment_start),
        frozenset(name + field for name in _FREQUENT_SEGMENTS),
    )
