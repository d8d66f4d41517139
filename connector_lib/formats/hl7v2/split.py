"""A file or text of any size, taken apart into messages (chapter 2, "Batch protocol", and appendix C, MLLP).

A message starts where a segment named MSH starts: at the beginning, behind a line end, or behind an MLLP
start block; so ``MSH`` inside a value starts nothing. It ends where the next one starts, at a batch segment
(FHS, BHS, BTS, FTS), at an MLLP end block, or at the end of the data. Text that belongs to no message is a
piece of its own and not dropped.

Nothing is decoded here. Memory is bounded by the largest piece.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import BinaryIO, Final, Literal, NamedTuple

from connector_lib.formats.hl7v2.charset import BYTE_ORDER_MARKS

__all__ = ["Piece", "split", "split_stream"]

Kind = Literal["message", "unreadable", "envelope"]

_CHUNK: Final = 1 << 20
_LOOK_AHEAD: Final = 16
"""More bytes than the longest thing that the pattern looks at."""
_LOOK_BEHIND: Final = 4
"""As many bytes as it looks back at: a line end, or a byte order mark and one letter."""
_BLANK: Final = b" \t\r\n\x0b\x1c\x1a"
_LINE: Final = re.compile(rb"[^\r\n]*")
_END_OF_FILE: Final = (b"\r\x1a", b"\n\x1a")
"""Ctrl-Z behind the last line, which some systems end a file with."""

_PUNCTUATION: Final = rb"[!-/:-@\[-`{-~]"
_AFTER_LINE_END: Final = (
    rb"(?:\xef\xbb\xbf)?(?=(?:(?P<message>MSH)|(?P<envelope>[FB](?:HS|TS)))(?:%(punctuation)s|[\r\n]|%(end)s))"
    rb"|(?P<frame_end>(?<=\x1c)(?=[\r\n\x0b]|%(end)s))"
)
_SEPARATORS: Final = (
    rb"(?P<%(prefix)s_separator>%(punctuation)s)(?!(?P<%(prefix)s_same>.)(?P=%(prefix)s_same))"
    rb"(?:(?!(?P=%(prefix)s_separator))%(punctuation)s){1,5}(?:(?P=%(prefix)s_separator)|[\r\n])"
)
"""A field separator, encoding characters, and the separator again, or the end of the line."""
_WITHIN_LINE: Final = (
    rb"(?<![\r\n\x0b\x1c].)(?:"
    rb"(?<=\xef)\xbb\xbf(?=(?:MSH|[FB]HS)%(marked)s)(?:(?=M)(?P<marked_message>)|(?P<marked_envelope>))"
    rb"|(?<!\xef\xbb\xbf.)(?=(?:(?<=M)SH|(?<=[FB])HS)%(plain)s)(?:(?<=M)(?P<plain_message>)|(?P<plain_envelope>)))"
)
"""A header in the middle of a line, behind its first letter or the first byte of its byte order mark."""
_KINDS: Final[dict[str | None, Kind]] = {
    **dict.fromkeys(("message", "plain_message", "marked_message"), "message"),
    **dict.fromkeys(("envelope", "plain_envelope", "marked_envelope"), "envelope"),
}
"""What begins behind a boundary; behind all others nothing that is known."""


class _Boundaries(NamedTuple):
    """What tells pieces apart: ``within`` the data, and ``at_end``, when no more of it is to come."""

    within: re.Pattern[bytes]
    at_end: re.Pattern[bytes]


def _boundaries(starts: bytes, pattern: bytes) -> _Boundaries:
    """A line end, or a block start or end of MLLP, and what stands behind it. One set of characters comes first: the
    regular expression engine then skips to the next of them."""

    def compiled(end: bytes) -> re.Pattern[bytes]:
        known = {b"punctuation": _PUNCTUATION, b"end": end}
        marked, plain = (_SEPARATORS % {**known, b"prefix": prefix} for prefix in (b"marked", b"plain"))
        return re.compile(starts + pattern % {**known, b"marked": marked, b"plain": plain})

    return _Boundaries(compiled(rb"(?!)"), compiled(rb"\Z"))


_AT_LINE_STARTS: Final = _boundaries(rb"[\r\n\x0b\x1c]", rb"(?:" + _AFTER_LINE_END + rb")")
_RUN_TOGETHER: Final = _boundaries(
    rb"[\r\n\x0b\x1c\xefMFB]",
    rb"(?:(?<=[\r\n\x0b\x1c])(?:" + _AFTER_LINE_END + rb")|(?<=[\xefMFB])" + _WITHIN_LINE + rb")",
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file.

    ``kind`` is ``message``, ``unreadable`` (text outside every message) or ``envelope`` (one batch segment).
    ``index`` counts messages and unreadable pieces from 0, in their order in the file; for an envelope
    segment it is the number of those before it. ``offset`` is the piece's first byte in the file (in the
    UTF-8 form of a text, of UTF-16 and of UTF-32). ``content`` is its bytes: of a message without the line
    ends and framing around it, of an unreadable piece all. ``charset`` is the codec that the file's first
    bytes show, empty when they show none.
    """

    kind: Kind
    index: int
    offset: int
    content: bytes
    charset: str


def split(data: bytes | str, *, run_together: bool = False) -> Iterator[Piece]:
    """The pieces of a whole file or text. A ``str`` is taken apart as its UTF-8 bytes.

    With ``run_together`` a message or batch may also start in the middle of a line, where a segment name, a field
    separator, encoding characters and the same separator, or a line end, stand (``MSH|^~\\&|``): so Firehose writes
    records that do not end in a line end. Inside a value the separator would be an escape sequence.

    >>> [piece.kind for piece in split(b"BHS|^~\\\\&|LAB\\rMSH|^~\\\\&|LAB\\rPID|1\\rBTS|1\\r")]
    ['envelope', 'message', 'envelope']
    """
    if isinstance(data, str):
        text = data.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
        return _split_chunks(iter((text,)), "utf-8", 0, _RUN_TOGETHER if run_together else _AT_LINE_STARTS)
    return split_stream(io.BytesIO(data), run_together=run_together)


def split_stream(stream: BinaryIO, *, run_together: bool = False) -> Iterator[Piece]:
    """The pieces of a binary file object, read a mebibyte at a time; ``run_together`` as in :func:`split`.

    >>> import io
    >>> [piece.offset for piece in split_stream(io.BytesIO(b"MSH|^~\\\\&|A\\rMSH|^~\\\\&|B\\r"))]
    [0, 11]
    """
    first = _start_of(stream)
    mark, codec = _byte_order_mark(first)
    chunks = _chunks(first[len(mark) :], stream)
    boundaries = _RUN_TOGETHER if run_together else _AT_LINE_STARTS
    if codec.startswith(("utf-16", "utf-32")):
        return _split_wide(chunks, codec, boundaries)
    return _split_chunks(chunks, codec, len(mark), boundaries)


def _start_of(stream: BinaryIO) -> bytes:
    """The first chunk, long enough to know the charset by: one read of a pipe may give a single byte."""
    first = b""
    while len(first) < _LOOK_AHEAD and (chunk := stream.read(_CHUNK)):
        first += chunk
    return first


def _chunks(first: bytes, stream: BinaryIO) -> Iterator[bytes]:
    yield first
    while chunk := stream.read(_CHUNK):
        yield chunk


def _byte_order_mark(start: bytes) -> tuple[bytes, str]:
    for mark, codec in BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return mark, codec
    for codec in ("utf-16-le", "utf-16-be"):
        if start.startswith(tuple(header.encode(codec) for header in ("MSH", "FHS", "BHS"))):
            return b"", codec
    return b"", ""


def _split_wide(chunks: Iterator[bytes], codec: str, boundaries: _Boundaries) -> Iterator[Piece]:
    """UTF-16 and UTF-32: taken apart as UTF-8, given back in the bytes that they came in."""
    decoder = codecs.getincrementaldecoder(codec)("surrogatepass")
    no_text: list[bytes] = []

    def as_utf8() -> Iterator[bytes]:
        for chunk in chunks:
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError as error:
                # No character has this number. What follows is not known to be text any more.
                decoder.reset()
                text = decoder.decode(error.object[: error.start])
                no_text.extend((error.object[error.start :], *chunks))
            yield text.encode("utf-8", "surrogatepass")

    index = offset = 0
    for piece in _split_chunks(as_utf8(), codec, 0, boundaries):
        content = piece.content.decode("utf-8", "surrogatepass").encode(codec, "surrogatepass")
        yield replace(piece, content=content)
        index = piece.index + (piece.kind != "envelope")
        offset = piece.offset + len(piece.content)
    # A file cut in the middle of a character: its last bytes are no text either.
    if cut := decoder.getstate()[0] + b"".join(no_text):
        yield Piece("unreadable", index, offset, cut, codec)


def _split_chunks(chunks: Iterator[bytes], charset: str, base: int, boundaries: _Boundaries) -> Iterator[Piece]:
    # The line end put before the first byte lets one pattern find a header there too.
    buffer, offset = bytearray(b"\r"), base - 1
    kind: Kind = "unreadable"
    start, searched, index = 1, 0, 0
    for chunk in chain(chunks, (None,)):
        if chunk is not None:
            buffer += chunk
        limit = len(buffer) + 1 if chunk is None else len(buffer) - _LOOK_AHEAD
        pattern = boundaries.at_end if chunk is None else boundaries.within
        matches = pattern.finditer(buffer, searched)
        found = [(match.start(), _next_start(match), match.lastgroup) for match in matches]
        if chunk is None:
            found.append((len(buffer), len(buffer), "end"))
        for end, next_start, name in found:
            if end >= limit:
                break
            for piece in _pieces_of(kind, index, offset + start, bytes(buffer[start:end]), charset):
                yield piece
                index = piece.index + (piece.kind != "envelope")
            kind, start = _KINDS.get(name, "unreadable"), next_start
        searched = max(searched, limit)
        done = max(min(start, searched) - _LOOK_BEHIND, 0)
        del buffer[:done]
        offset, start, searched = offset + done, start - done, searched - done


def _next_start(match: re.Match[bytes]) -> int:
    # Behind a plain header's first letter the match is one byte into it.
    return match.start() if match.lastgroup in ("plain_message", "plain_envelope") else match.end()


def _pieces_of(kind: Kind, index: int, offset: int, content: bytes, charset: str) -> Iterator[Piece]:
    if kind == "message":
        if content.endswith(_END_OF_FILE):
            content = content[:-1]
        yield Piece("message", index, offset, _without_blank_lines(content), charset)
        return
    if kind == "envelope":
        line = _LINE.match(content)
        assert line is not None
        yield Piece("envelope", index, offset, line.group(), charset)
        offset, content = offset + line.end(), content[line.end() :]
    if content.strip(_BLANK):
        yield Piece("unreadable", index, offset, content, charset)


def _without_blank_lines(content: bytes) -> bytes:
    """Without the line ends and blank lines behind the last value; blanks that end that value stay."""
    last_line = _LINE.match(content, len(content.rstrip(b" \t\r\n")))
    assert last_line is not None
    return content[: last_line.end()]
