"""Which character set a message was sent in, and how its bytes become text without a loss.

The order is: byte order mark, MSH-18, UTF-8, Latin-1. Bytes that do not fit one are read by the next, with a
finding. Latin-1 fits every byte, so no byte is ever replaced or dropped.

Names are those of HL7 table 0211 (chapter 2, MSH-18), in the spellings that senders use.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final

__all__ = ["BYTE_ORDER_MARKS", "CODECS", "DecodedText", "codec_for", "declared_charset", "decode"]

CODECS: Final[dict[str, str]] = {
    "ASCII": "ascii",
    "US-ASCII": "ascii",
    "ISO IR6": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/3": "iso8859-3",
    "8859/4": "iso8859-4",
    "8859/5": "iso8859-5",
    "8859/6": "iso8859-6",
    "8859/7": "iso8859-7",
    "8859/8": "iso8859-8",
    "8859/9": "iso8859-9",
    "8859/10": "iso8859-10",
    "8859/11": "iso8859-11",
    "8859/13": "iso8859-13",
    "8859/14": "iso8859-14",
    "8859/15": "iso8859-15",
    "8859/16": "iso8859-16",
    "ISO IR14": "iso2022_jp_ext",
    "ISO IR13": "shift_jis",
    "ISO IR87": "iso2022_jp_ext",
    "ISO IR159": "iso2022_jp_ext",
    "JIS X 0202": "iso2022_jp_ext",
    "GB 18030-2000": "gb18030",
    "GB18030": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "BIG5": "big5",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "WINDOWS-1250": "cp1250",
    "WINDOWS-1251": "cp1251",
    "WINDOWS-1252": "cp1252",
    "CP1252": "cp1252",
    "SHIFT_JIS": "shift_jis",
}
"""Name in MSH-18 (upper case) → Python codec. Not here: CNS 11643, for which Python has none, and UTF-16 and
UTF-32, which a header that could be read byte by byte is not written in (files in those are known by their
first bytes).
``iso2022_jp_ext`` reads every set that Japanese senders switch to, the half-width one (ISO IR13) included."""

BYTE_ORDER_MARKS: Final[tuple[tuple[bytes, str], ...]] = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Byte order mark → codec of what follows it. UTF-32 LE comes before UTF-16 LE, whose mark it starts with."""

_HEADER: Final = re.compile(rb"[\x0b\r\n\t ]*MSH([^\w\s])([^\r\n]*)")
_BETWEEN_NAMES: Final = re.compile(r"[^\w/. -]")
"""The repetition separator of the message, whichever that is."""
_ISO_NUMBER: Final = re.compile(r"(?:ISO[- _]?)?8859[-/ _](\d{1,2})\Z")


@dataclass(frozen=True, slots=True)
class DecodedText:
    """A text, the codec that read it, and what the sender said. ``problem`` is empty when the two agree."""

    text: str
    charset: str
    problem: str = ""


def declared_charset(content: bytes) -> str:
    """What MSH-18 says, as it was sent (first repetitions and all); empty when it says nothing.

    >>> declared_charset(b"MSH|^~\\\\&|||||||ACK|1|P|2.5||||||8859/1\\rMSA|AA|1")
    '8859/1'
    """
    header = _HEADER.match(content)
    if header is None:
        return ""
    fields = header.group(2).split(header.group(1))
    # MSH-1 is the separator itself, so fields[0] is MSH-2 and MSH-18 is fields[16].
    return fields[16].decode("latin-1").strip() if len(fields) > 16 else ""


def codec_for(name: str) -> str | None:
    """The Python codec for a name of table 0211, None when there is none. A repeated name counts by its
    richest set.

    >>> codec_for("8859/15"), codec_for("ASCII~ISO IR87"), codec_for("no such set")
    ('iso8859-15', 'iso2022_jp_ext', None)
    """
    found: list[str] = []
    for part in _BETWEEN_NAMES.split(name):
        spelled = " ".join(part.upper().split())
        number = _ISO_NUMBER.match(spelled)
        codec = CODECS.get(f"8859/{int(number.group(1))}" if number else spelled)
        if codec is not None:
            found.append(codec)
    # The first name is the default set; later ones are switched to within the text, by ISO 2022.
    switched = [codec for codec in found if codec.startswith("iso2022")]
    # Every set that is no ISO 2022 holds ASCII, so that one named beside ASCII reads the bytes of both.
    others = [codec for codec in found if codec != "ascii"]
    return next(iter(switched or others or found), None)


def decode(content: bytes, marked: str = "") -> DecodedText:
    """The text of one message's bytes. ``marked`` is the codec of the file's byte order mark, if it has one.
    Bytes that start with a byte order mark of their own are read by that.

    >>> decode("MSH|^~\\\\&|||||||ACK|1|P|2.5||||||8859/1\\rMSA|AA|é".encode("latin-1")).charset
    'iso8859-1'
    >>> decode(b"MSH|^~\\\\&|\\xe9").charset
    'iso8859-1'
    """
    for mark, codec in BYTE_ORDER_MARKS:
        if not marked and content.startswith(mark):
            marked, content = codec, content[len(mark) :]
    if marked:
        try:
            return DecodedText(content.decode(marked), marked)
        except UnicodeDecodeError:
            return _by_declaration(content, f"the byte order mark says {marked}, which these bytes are not")
    return _by_declaration(content, "")


def _by_declaration(content: bytes, problem: str) -> DecodedText:
    declared = declared_charset(content)
    codec = codec_for(declared) if declared else None
    if declared and codec is None:
        # The name is the sender's and could be anything, so it is not repeated here.
        problem = problem or "MSH-18 names a character set that is not in table 0211 or cannot be read here"
    if codec is not None:
        try:
            return DecodedText(content.decode(codec), codec, problem)
        except UnicodeDecodeError:
            problem = problem or f"MSH-18 says {codec}, which these bytes are not"
    try:
        return DecodedText(content.decode("utf-8"), "utf-8", problem)
    except UnicodeDecodeError:
        if not declared:
            problem = problem or "the message names no character set, and its bytes are not UTF-8"
        return DecodedText(content.decode("latin-1"), "iso8859-1", problem)
