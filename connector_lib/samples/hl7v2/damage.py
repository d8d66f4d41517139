"""Files with the kinds of damage that real files have. All but the damage named is valid.

Every file is known by construction: how many messages in it have a readable MSH segment, and how many
pieces have none.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2.composer import random_source
from connector_lib.samples.hl7v2.forms import CR, FILE_BATCH, MLLP, PLAIN
from connector_lib.samples.hl7v2.kinds import Kind
from connector_lib.samples.hl7v2.messages import SampleMessage, sample_messages

__all__ = ["DAMAGES", "HUGE_SEGMENT", "Damage", "DamagedFile", "damaged_file"]

HUGE_SEGMENT: Final = "huge-segment"
_CHUNK: Final = 1 << 20
_MOST_TRIED: Final = 1000


@dataclass(frozen=True, slots=True)
class DamagedFile:
    """``content`` in pieces; how many messages have a readable MSH, how many pieces have none, and which
    kinds the messages were made as."""

    content: Iterable[bytes]
    readable: int
    unreadable: int
    kinds: tuple[Kind, ...]
    control_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Content:
    """What a kind of damage makes of three messages. ``used`` are those of the three that can still be
    read."""

    chunks: Iterable[bytes]
    used: tuple[int, ...] = (0, 1, 2)
    unreadable: int = 0


_Texts = Sequence[str]


@dataclass(frozen=True, slots=True)
class Damage:
    """A kind of damage. ``make`` gets three messages with CR between segments, a source of chance and a
    size in bytes."""

    description: str
    make: Callable[[_Texts, random.Random, int], _Content]
    framing: str = PLAIN
    line_end: str = CR
    charset: str = "ascii"


def damaged_file(name: str, seed: int, first: int, segment_bytes: int) -> DamagedFile:
    """The file for the kind of damage ``name``. Its messages are numbered from ``first``; ``segment_bytes``
    is the size of the segment in ``huge-segment``.

    Raises :class:`~connector_lib.errors.UsageError` for an unknown kind.
    """
    if name not in DAMAGES:
        raise UsageError(f"there is no kind of damage {name!r}", hint=f"kinds: {', '.join(DAMAGES)}")
    results = sample_messages(_MOST_TRIED, seed, families=["ORU"], charset="ascii", first=first, prefix="D")
    made = list(islice(filter(_is_plain, results), 3))
    content = DAMAGES[name].make([message.text for message in made], random_source(f"{seed} {name}"), segment_bytes)
    used = tuple(made[index] for index in content.used)
    return DamagedFile(
        content.chunks,
        len(used),
        content.unreadable,
        tuple(message.kind for message in used),
        tuple(message.control_id for message in used),
    )


def _is_plain(message: SampleMessage) -> bool:
    """Whether its lines can be changed as text: default separators, MSH-18, numbers, no large value."""
    return (
        message.standard_separators
        and message.version >= "2.3.1"
        and "|NM|" in message.text
        and "|ED|" not in message.text
    )


def _lines(texts: _Texts) -> bytes:
    return "".join(f"{text}\r" for text in texts).encode("ascii")


def _with_field(text: str, segment: str, number: int, value: str) -> str:
    """The first segment of that name with another value in field ``number`` (as HL7 counts, also in MSH)."""
    lines = text.split("\r")
    index = next(index for index, line in enumerate(lines) if line.startswith(segment))
    fields = lines[index].split("|")
    position = number - 1 if segment == "MSH" else number
    fields.extend([""] * (position + 1 - len(fields)))
    fields[position] = value
    lines[index] = "|".join(fields)
    return "\r".join(lines)


def _second(change: Callable[[str], str]) -> Callable[[_Texts, random.Random, int], _Content]:
    """Damage to the second of three messages that leaves its header readable."""

    def make(texts: _Texts, rng: random.Random, size: int) -> _Content:
        return _Content([_lines([texts[0], change(texts[1]), texts[2]])])

    return make


def _field(segment: str, number: int, value: str) -> Callable[[_Texts, random.Random, int], _Content]:
    return _second(lambda text: _with_field(text, segment, number, value))


def _empty(texts: _Texts, rng: random.Random, size: int) -> _Content:
    return _Content([], used=())


def _binary(texts: _Texts, rng: random.Random, size: int) -> _Content:
    # Without the MLLP end byte, so that it is one piece for every reader.
    noise = b"\x89SAMPLE\r\n\x1a\n\x00" + rng.randbytes(4096).translate(None, b"\x1c")
    return _Content([noise], used=(), unreadable=1)


def _cut(texts: _Texts, rng: random.Random, size: int) -> _Content:
    in_a_segment = texts[1].index("|NM|") + 9
    return _Content(
        [
            _lines([texts[0], texts[1][:in_a_segment]]),
            texts[2][: texts[2].index("\rPID") + 12].encode("ascii"),
        ]
    )


def _wrong_counts(texts: _Texts, rng: random.Random, size: int) -> _Content:
    return _Content(
        [
            b"FHS|^~\\&|SAMPLE_HUB\rBHS|^~\\&|SAMPLE_HUB\r",
            _lines(texts[:2]),
            b"BTS|5\rBHS|^~\\&|SAMPLE_HUB\r",
            _lines(texts[2:]),
            b"BTS|0|none\rFTS|3\r",
        ]
    )


def _two_character_msh(texts: _Texts, rng: random.Random, size: int) -> _Content:
    rest = texts[0].partition("\r")[2]
    return _Content([_lines([f"MS\r{rest}", *texts[1:]])], used=(1, 2), unreadable=1)


def _short_encoding_characters(texts: _Texts, rng: random.Random, size: int) -> _Content:
    # The second has two encoding characters and still reads; the third has none and does not.
    return _Content(
        [_lines([texts[0], _with_field(texts[1], "MSH", 2, "^~"), _with_field(texts[2], "MSH", 2, "")])],
        used=(0, 1),
        unreadable=1,
    )


def _invalid_timestamps(text: str) -> str:
    changed = _with_field(_with_field(text, "MSH", 7, "20231345"), "PID", 7, "31.02.1980")
    return _with_field(_with_field(changed, "OBR", 7, "2023-02-01T10:00:00Z"), "OBX", 14, "yesterday")


def _unordered_set_ids(text: str) -> str:
    numbers = iter((7, 3, 3))
    lines = text.split("\r")
    for index, line in enumerate(lines):
        if line.startswith("OBX|") and (number := next(numbers, None)) is not None:
            lines[index] = f"OBX|{number}|{line.split('|', 2)[2]}"
    return "\r".join(lines)


def _huge(texts: _Texts, rng: random.Random, size: int) -> _Content:
    def chunks() -> Iterator[bytes]:
        yield _lines([texts[0]])
        yield texts[1].encode("ascii")
        set_id = int(texts[1].rpartition("\rOBX|")[2].partition("|")[0]) + 1
        start = b"\rOBX|%d|ED|SAMHUGE^Huge document^99SAM||SAMPLE^Application^PDF^Base64^" % set_id
        end = b"||||||F\r"
        yield start
        left = max(size - len(start) - len(end), 0)
        block = base64.b64encode(rng.randbytes(_CHUNK * 3 // 4))
        while left:
            yield block[:left]
            left -= min(left, len(block))
        yield end
        yield _lines([texts[2]])

    return _Content(chunks())


def _invalid_bytes(texts: _Texts, rng: random.Random, size: int) -> _Content:
    utf8 = (
        _with_field(texts[0], "MSH", 18, "UNICODE UTF-8").encode("ascii").replace(b"\rPID|1|", b"\rPID|1|\xe9\xff", 1)
    )
    ascii_ = texts[1].encode("ascii").replace(b"\rPID|1|", b"\rPID|1|caf\xe9", 1)
    return _Content([utf8, b"\r", ascii_, b"\r", _lines(texts[2:])])


def _unknown_charset(texts: _Texts, rng: random.Random, size: int) -> _Content:
    changed = _with_field(texts[1], "MSH", 18, "SAMPLE-9999").replace("\rPID|1|", "\rPID|1|é", 1)
    return _Content([_lines(texts[:1]), changed.encode("utf-8"), b"\r", _lines(texts[2:])])


def _text_before(texts: _Texts, rng: random.Random, size: int) -> _Content:
    return _Content([b"Exported by a sample system\rPID|1||lost^^^SAMPLETON^MR\r", _lines(texts)], unreadable=1)


def _text_after(texts: _Texts, rng: random.Random, size: int) -> _Content:
    return _Content(
        [
            b"FHS|^~\\&|SAMPLE_HUB\rBHS|^~\\&|SAMPLE_HUB\r",
            _lines(texts),
            b"BTS|3\rtransfer complete, 3 records\rFTS|1\r",
        ],
        unreadable=1,
    )


def _raw_line_break(texts: _Texts, rng: random.Random, size: int) -> _Content:
    def note(text: str, line_break: str) -> str:
        return f"{text}\rNTE|9|L|first line{line_break}second line, still the note{line_break}{line_break}last line"

    return _Content([_lines([note(texts[0], "\n"), note(texts[1], "\r"), note(texts[2], "\r\n")])])


def _blank_lines(texts: _Texts, rng: random.Random, size: int) -> _Content:
    spaced = [texts[0].replace("\r", "\r\r", 2), texts[1].replace("\r", "\r\n \t\r\n", 1), texts[2]]
    return _Content([b"\r\n\r\n", _lines([f"{text}\r\n\r\n\r" for text in spaced])])


def _mllp_without_end(texts: _Texts, rng: random.Random, size: int) -> _Content:
    first, second, third = (text.encode("ascii") for text in texts)
    return _Content([b"\x0b", first, b"\r\x0b", second, b"\r\x1c\r\x0b", third, b"\r"])


def _cut_character(texts: _Texts, rng: random.Random, size: int) -> _Content:
    declared = _with_field(texts[2], "MSH", 18, "UNICODE UTF-8")
    whole = f"{declared}\rNTE|9|L|the last word is caf\u00e9".encode()
    return _Content([_lines(texts[:2]), whole[:-1]])


def _control_characters(text: str) -> str:
    return f"{text}\rNTE|9|L|null \x00 bell \x07 escape \x1b start \x0b end \x1c delete \x7f."


def _not_a_number(text: str) -> str:
    lines = text.split("\r")
    index = next(index for index, line in enumerate(lines) if line.startswith("OBX|") and "|NM|" in line)
    fields = lines[index].split("|")
    fields[5] = "12,5 approx"
    lines[index] = "|".join(fields)
    return "\r".join(lines)


DAMAGES: Final[dict[str, Damage]] = {
    "empty-file": Damage("a file of no bytes", _empty),
    "binary-file": Damage("no text at all", _binary),
    "cut-message": Damage("a message that ends within a segment: once before another message, once at the end", _cut),
    "wrong-batch-counts": Damage("BTS-1 and FTS-1 do not say how many there are", _wrong_counts, FILE_BATCH),
    "two-character-msh": Damage("a header line that is only MS", _two_character_msh),
    "short-encoding-characters": Damage("MSH-2 with two characters, and with none", _short_encoding_characters),
    "missing-message-type": Damage("MSH-9 is empty", _field("MSH", 9, "")),
    "missing-control-id": Damage("MSH-10 is empty", _field("MSH", 10, "")),
    "unknown-version": Damage("MSH-12 names a version that does not exist", _field("MSH", 12, "9.9")),
    "invalid-timestamps": Damage("MSH-7, PID-7, OBR-7 and OBX-14 are no HL7 time stamps", _second(_invalid_timestamps)),
    "non-numeric-value": Damage("OBX-5 under type NM is no number", _second(_not_a_number)),
    "unordered-set-ids": Damage("OBX-1 jumps and repeats", _second(_unordered_set_ids)),
    HUGE_SEGMENT: Damage("one OBX as large as the option says", _huge),
    "invalid-bytes": Damage("bytes that the charset of MSH-18 does not have", _invalid_bytes, charset="utf-8"),
    "unknown-charset": Damage("MSH-18 names no known charset", _unknown_charset, charset="utf-8"),
    "text-before-message": Damage("text before the first MSH", _text_before),
    "text-after-batch": Damage("text behind BTS", _text_after, FILE_BATCH),
    "msh-in-value": Damage(
        "MSH inside a value",
        _second(lambda text: f"{text}\rNTE|9|L|MSH\rNTE|10|L|it began MSH|^~\\&|LAB, then MSH again"),
    ),
    "line-break-in-value": Damage("a raw line break inside a value", _raw_line_break, line_end="mixed"),
    "dangling-escape": Damage(
        "an escape character that nothing closes",
        _second(lambda text: f"{text}\rNTE|9|L|C:\\temp and \\F\\ then \\X0\\ and \\"),
    ),
    "control-characters": Damage("lone control characters inside a value", _second(_control_characters)),
    "blank-lines": Damage("blank lines between segments and messages", _blank_lines, line_end="mixed"),
    "mllp-without-end": Damage("MLLP blocks without their end", _mllp_without_end, MLLP),
    "cut-character": Damage("UTF-8 that ends in the middle of a character", _cut_character, charset="utf-8"),
}
"""Name, as files and options use it → kind of damage."""
