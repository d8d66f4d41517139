"""Messages by others, against what the reference implementation (HAPI v2 2.5.1) reads in them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from connector_lib import parse, split_batch
from connector_lib.formats.hl7v2.charset import decode
from connector_lib.formats.hl7v2.message import Message
from connector_lib.formats.hl7v2.split import split

SHARED: Final = Path(__file__).resolve().parents[5] / "shared" / "data"
EXPECTED: Final = SHARED / "hl7v2_expected"
NAMES: Final = sorted(str(path.relative_to(EXPECTED))[:-5] for path in EXPECTED.rglob("*.json"))
CORPUS: Final = sorted(
    str(path.relative_to(SHARED / "hl7v2"))
    for path in (SHARED / "hl7v2").rglob("*")
    if path.suffix.lower() in (".hl7", ".txt") and path.stem not in ("LICENSE", "SOURCE")
)

OTHER_READING: Final = {
    "linuxforhealth/sample_unix.hl7": "MSH-2 is ^~\\\\&: the escape character stands where the subcomponent "
    "separator belongs. HAPI splits at it; here it escapes, and the message has no subcomponents.",
    "linuxforhealth/sample_win.hl7": "MSH-2 is ^~\\\\&, as in sample_unix.hl7.",
}
"""File → why it is not read as HAPI reads it."""

WITHOUT_HEADER: Final = {
    "phdi/FileSingleMessageInvalidSegments.hl7",
    "phdi/tests__assets__harmonization__FileSingleMessageInvalidSegments.hl7",
}
"""Files whose segments are named AAA, BBB, …"""

RAW_IN_HAPI: Final = re.compile(r"\\(?:(?P<break>\.br)|(?P<highlight>[HN])|X(?P<hex>(?:[0-9A-F]{2})+))\\")
"""The escape sequences that HAPI leaves as they are and that the corpus has."""


def unescaped(value: str) -> str:
    def text_for(match: re.Match[str]) -> str:
        if match["hex"]:
            return bytes.fromhex(match["hex"]).decode("ascii")
        return "\n" if match["break"] else ""

    return RAW_IN_HAPI.sub(text_for, value)


def messages_of(name: str) -> list[Message]:
    pieces = [piece for piece in split((SHARED / "hl7v2" / name).read_bytes()) if piece.kind == "message"]
    decoded = [decode(piece.content, piece.charset) for piece in pieces]
    return [parse(each.text, each.charset) for each in decoded]


def expected_of(name: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = json.loads((EXPECTED / f"{name}.json").read_text("utf-8"))["messages"]
    return messages


needs_corpus = pytest.mark.skipif(not NAMES, reason=f"no corpus of messages in {SHARED}")


@needs_corpus
@pytest.mark.parametrize("name", [name for name in NAMES if name not in OTHER_READING] or ["corpus"])
def test_walk_finds_what_the_reference_implementation_finds(name: str) -> None:
    expected = expected_of(name)
    messages = messages_of(name)
    assert len(messages) == len(expected)
    for message, theirs in zip(messages, expected, strict=True):
        assert theirs["ok"], "the corpus has no message that HAPI rejects; its reason has to be looked at"
        found = [list(value) for value in message.walk()]
        assert found == [[*place, unescaped(value)] for *place, value in theirs["fields"]]


@needs_corpus
@pytest.mark.parametrize("name", sorted(OTHER_READING))
def test_a_doubled_escape_character_in_msh_2_is_read_once(name: str) -> None:
    for message, theirs in zip(messages_of(name), expected_of(name), strict=True):
        assert message.get("MSH-2") == "^~\\\\&"
        assert message.delimiters.subcomponent == ""
        assert message.delimiters.problem == "MSH-2 names a character twice"
        # What HAPI does not split at the escape character is the same.
        hapis = {(*place, value) for *place, value in theirs["fields"]}
        split_by_hapi = {place[:5] for place in hapis if place[5] > 1}
        assert {place for place in hapis if place[:5] not in split_by_hapi} <= set(message.walk())
        assert {place for place in message.walk() if "\\" not in place.value} <= hapis


@needs_corpus
@pytest.mark.parametrize("name", CORPUS or ["corpus"])
def test_every_message_survives_split_and_parse(name: str) -> None:
    content = (SHARED / "hl7v2" / name).read_bytes()
    texts = split_batch(content)
    assert texts
    if name in WITHOUT_HEADER:
        assert [piece.kind for piece in split(content)] == ["unreadable"]
    else:
        assert [parse(text).to_text() for text in texts] == texts
    lines = [line for text in texts for line in re.split(r"[\r\n]+", text) if line.strip()]
    whole = decode(content.removeprefix(b"\xef\xbb\xbf")).text
    sent = [line.removeprefix("\ufeff") for line in re.split(r"[\r\n]+", whole) if line.strip("\ufeff \t")]
    assert lines == [line for line in sent if not re.match("[FB](?:HS|TS)", line)]
