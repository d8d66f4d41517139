"""Escape sequences of HL7 v2 (chapter 2, "Use of escape sequences in text fields").

====================  ==================================================================================
sequence              value
====================  ==================================================================================
``\\F\\ \\S\\ \\T\\``       field, component, subcomponent separator of the message
``\\R\\ \\E\\ \\P\\``       repetition separator, escape character, truncation character of the message
``\\Xdd..\\``           the bytes dd.., read in the character set of the message
``\\.br\\ \\.sp<n>\\``    line break, n line breaks (one when n is left out); ``\\.ce\\`` a line break too
``\\.sk<n>\\``          n blanks
``\\.in<n>\\ \\.ti<n>\\``  layout without text of its own, as ``\\.fi\\`` and ``\\.nf\\``: removed
``\\H\\ \\N\\``           start and end of highlighting: removed
``\\Cxxyy\\``           ISO 2022 escape to a single-byte set; what follows is read in it
``\\Mxxyyzz\\``         ISO 2022 escape to a multi-byte set; what follows is read in it. A set that cannot be
                      read here stays with its escape as it was sent
``\\Zxx\\``             agreed between two sites: stays as it was sent
anything else         unknown or unfinished: stays as it was sent
====================  ==================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

__all__ = ["escape", "make_unescape"]

_LAYOUT: Final = re.compile(
    r"\.(?:(?P<plain>br|ce|fi|nf)|(?P<skip>sp|sk)(?P<count>[0-9]*)|(?:in|ti)[+-]?[0-9]*)\Z", re.IGNORECASE
)
_LINE_BREAKS: Final = frozenset({"br", "sp", "ce"})
_ASCII: Final = "2842"
_JIS_ROMAN: Final = "284A"
"""ASCII but for two characters, which are separators here: the escape character stays what it is in it."""
_SINGLE_BYTE_SETS: Final = {
    _ASCII: "ascii",
    _JIS_ROMAN: "ascii",
    "2949": "shift_jis",
    "2D41": "iso8859-1",
    "2D42": "iso8859-2",
    "2D43": "iso8859-3",
    "2D44": "iso8859-4",
    "2D46": "iso8859-7",
    "2D47": "iso8859-6",
    "2D48": "iso8859-8",
    "2D4C": "iso8859-5",
    "2D4D": "iso8859-9",
}
"""Digits of ``\\Cxxyy\\`` → codec (chapter 2, "Escape sequences supporting multiple character sets"). Of
shift_jis the bytes that are one character each: ISO IR13."""
_ONE_BYTE_CODECS: Final = ("iso8859-", "cp125")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+\Z")
_STAYS: Final = re.compile(r"Z.+|[CM](?:[0-9A-Fa-f]{2}){2,3}\Z", re.DOTALL)
"""Whole sequences that are kept: their closing escape character does not open the next one."""
_LONGEST_SKIP: Final = 10_000
"""A count above this in ``\\.sp<n>\\`` or ``\\.sk<n>\\`` is no layout; the sequence stays as it was sent."""


def make_unescape(
    field: str,
    component: str,
    repetition: str,
    escape_character: str,
    subcomponent: str,
    truncation: str,
    charset: str,
) -> Callable[[str], str]:
    """The function that replaces the escape sequences of one message's values.

    ``charset`` is a Python codec name, used for the bytes of ``\\X..\\``. An empty ``escape_character`` means
    that the message has none: values come back as they are.

    >>> unescape = make_unescape("|", "^", "~", "\\\\", "&", "", "utf-8")
    >>> unescape("Smith \\\\T\\\\ Sons\\\\.br\\\\\\\\X4C6F6E646F6E\\\\ \\\\Z01\\\\")
    'Smith & Sons\\nLondon \\\\Z01\\\\'
    """
    if not escape_character:
        return str
    literal = {
        "F": field,
        "S": component,
        "T": subcomponent or "&",
        "R": repetition or "~",
        "E": escape_character,
        "P": truncation or "#",
        "H": "",
        "N": "",
    }
    mark = re.escape(escape_character)
    sequence = re.compile(f"{mark}([^{mark}]*){mark}")
    character_set_switch = re.compile(f"{mark}[CM]([0-9A-Fa-f]{{4}}(?:[0-9A-Fa-f]{{2}})?){mark}")

    def text_for(body: str) -> str | None:
        known = literal.get(body)
        if known is not None:
            return known
        if body[:1] == "X" and _HEX.match(body, 1):
            return _text_of(bytes.fromhex(body[1:]), charset)
        layout = _LAYOUT.match(body)
        if layout is not None:
            return _layout_text((layout["plain"] or layout["skip"] or "").lower(), layout["count"] or "1")
        return None

    def replace_all(value: str) -> str:
        # Not `re.sub`: an unknown `\foo\` must give its last character back: it may open the next sequence.
        pieces: list[str] = []
        position = 0
        while (match := sequence.search(value, position)) is not None:
            text = text_for(match.group(1))
            if text is None:
                kept = match.end() if _STAYS.match(match.group(1)) else match.end() - 1
                pieces.append(value[position:kept])
                position = kept
                continue
            pieces.append(value[position : match.start()])
            pieces.append(text)
            position = match.end()
        pieces.append(value[position:])
        return "".join(pieces)

    def unescape(value: str) -> str:
        if escape_character not in value:
            return value
        if character_set_switch.search(value) is None:
            return replace_all(value)
        return _decode_switches(value, character_set_switch, replace_all, charset)

    return unescape


def escape(value: str, field: str, component: str, repetition: str, escape_character: str, subcomponent: str) -> str:
    """``value`` with the separators of a message written as escape sequences, and line breaks as ``\\.br\\``.

    >>> escape("A & B | C", "|", "^", "~", "\\\\", "&")
    'A \\\\T\\\\ B \\\\F\\\\ C'
    """
    if not escape_character:
        return value
    sequences = {
        escape_character: "E",
        field: "F",
        component: "S",
        repetition: "R",
        subcomponent: "T",
        "\r\n": ".br",
        "\r": ".br",
        "\n": ".br",
    }
    sequences.pop("", None)
    found = re.compile("|".join(re.escape(text) for text in sorted(sequences, key=len, reverse=True)))
    return found.sub(lambda match: f"{escape_character}{sequences[match.group(0)]}{escape_character}", value)


def _layout_text(command: str, count: str) -> str | None:
    character = "\n" if command in _LINE_BREAKS else " " if command == "sk" else ""
    if len(count) > len(str(_LONGEST_SKIP)) or int(count) > _LONGEST_SKIP:
        return None
    return character * int(count)


def _text_of(data: bytes, charset: str) -> str:
    for name in (charset, "utf-8"):
        try:
            return data.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    return data.decode("latin-1")


def _decode_switches(value: str, switch: re.Pattern[str], replace_all: Callable[[str], str], charset: str) -> str:
    """Reads the parts behind ``\\C..\\`` and ``\\M..\\`` in the ISO 2022 character sets that these switch to.

    The hex digits are the bytes that follow ESC in ISO 2022, so `\\M2442\\` is ESC $ B. What cannot be read
    in the named set stays as it was sent.
    """
    head, *parts = switch.split(value)
    switches = [digits.upper() for digits in parts[::2]]
    texts = parts[1::2]
    sent_in = charset if charset.startswith(_ONE_BYTE_CODECS) else "ascii"
    if all(digits in _SINGLE_BYTE_SETS for digits in switches):
        try:
            # The bytes as they were sent, in the set that the escape names instead of that of the message.
            read = [
                text.encode(sent_in).decode(_SINGLE_BYTE_SETS[digits])
                for digits, text in zip(switches, texts, strict=True)
            ]
        except UnicodeError:
            return replace_all(value)
        return replace_all(head + "".join(read))
    as_iso2022 = "".join(
        "\x1b" + bytes.fromhex(_ASCII if digits == _JIS_ROMAN else digits).decode("latin-1") + text
        for digits, text in zip(switches, texts, strict=True)
    )
    for codec in ("iso2022_jp_2", "iso2022_jp_ext"):
        try:
            return replace_all(head) + replace_all(as_iso2022.encode("ascii").decode(codec))
        except UnicodeError:
            continue
    return replace_all(value)
