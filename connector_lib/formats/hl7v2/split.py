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
from typing import BinaryIO, Final, Literal

from connector_lib.formats.hl7v2.charset import BYTE_ORDER_MARKS

__all__ = ["Piece", "split", "split_stream"]

_CHUNK: Final = 1 << 20
_LOOK_AHEAD: Final = 16
"""More bytes than the longest thing that the pattern looks at."""
_BLANK: Final = b" \t\r\n\x0b\x1c\x1a"
_LINE: Final = re.compile(rb"[^\r\n]*")
_END_OF_FILE: Final = (b"\r\x1a", b"\n\x1a")
"""Ctrl-Z behind the last line, which some systems end a file with."""

_BOUNDARY: Final = (
    rb"[\r\n\x0b\x1c](?:"
    rb"(?:\xef\xbb\xbf)?(?=(?:(?P<message>MSH)|(?P<envelope>[FB](?:HS|TS)))(?:[!-/:-@\[-`{-~\r\n]|%(end)s))"
    rb"|(?P<frame_end>(?<=\x1c)(?=[\r\n\x0b]|%(end)s)))"
)
"""A line end, or a block start or end of MLLP, and what stands behind it. One set of characters comes first:
the regular expression engine then skips to the next of them."""
_NOWHERE: Final = rb"(?!)"
_WITHIN: Final = re.compile(_BOUNDARY % {b"end": _NOWHERE})
_AT_END: Final = re.compile(_BOUNDARY % {b"end": rb"\Z"})


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

    kind: Literal["message", "unreadable", "envelope"]
    index: int
    offset: int
    content: bytes
    charset: str


def split(data: bytes | str) -> Iterator[Piece]:
    """The pieces of a whole file or text. A ``str`` is taken apart as its UTF-8 bytes.

    >>> [piece.kind for piece in split(b"BHS|^~\\\\&|LAB\\rMSH|^~\\\\&|LAB\\rPID|1\\rBTS|1\\r")]
    ['envelope', 'message', 'envelope']
    """
    if isinstance(data, str):
        text = data.removeprefix("\ufeff").encode("utf-8", "surrogatepass")
        return _split_chunks(iter((text,)), "utf-8", 0)
    return split_stream(io.BytesIO(data))


def split_stream(stream: BinaryIO) -> Iterator[Piece]:
    """The pieces of a binary file object, read a mebibyte at a time.

    >>> import io
    >>> [piece.offset for piece in split_stream(io.BytesIO(b"MSH|^~\\\\&|A\\rMSH|^~\\\\&|B\\r"))]
    [0, 11]
    """
    first = _start_of(stream)
    mark, codec = _byte_order_mark(first)
    chunks = _chunks(first[len(mark) :], stream)
    if codec.startswith(("utf-16", "utf-32")):
        return _split_wide(chunks, codec)
    return _split_chunks(chunks, codec, len(mark))


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


def _split_wide(chunks: Iterator[bytes], codec: str) -> Iterator[Piece]:
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
    for piece in _split_chunks(as_utf8(), codec, 0):
        content = piece.content.decode("utf-8", "surrogatepass").encode(codec, "surrogatepass")
        yield replace(piece, content=content)
        index = piece.index + (piece.kind != "envelope")
        offset = piece.offset + len(piece.content)
    # A file cut in the middle of a character: its last bytes are no text either.
    if cut := decoder.getstate()[0] + b"".join(no_text):
        yield Piece("unreadable", index, offset, cut, codec)


def _split_chunks(chunks: Iterator[bytes], charset: str, base: int) -> Iterator[Piece]:
    # The line end put before the first byte lets one pattern find a header there too.
    buffer, offset = bytearray(b"\r"), base - 1
    kind, start, searched, index = "unreadable", 1, 0, 0
    for chunk in chain(chunks, (None,)):
        if chunk is not None:
            buffer += chunk
        limit = len(buffer) + 1 if chunk is None else len(buffer) - _LOOK_AHEAD
        pattern = _AT_END if chunk is None else _WITHIN
        matches = pattern.finditer(buffer, searched)
        boundaries = [(found.start(), found.end(), found.lastgroup) for found in matches]
        if chunk is None:
            boundaries.append((len(buffer), len(buffer), "end"))
        for end, next_start, name in boundaries:
            if end >= limit:
                break
            for piece in _pieces_of(kind, index, offset + start, bytes(buffer[start:end]), charset):
                yield piece
                index = piece.index + (piece.kind != "envelope")
            kind, start = name if name in ("message", "envelope") else "unreadable", next_start
        searched = max(searched, limit)
        done = min(start, searched)
        del buffer[:done]
        offset, start, searched = offset + done, start - done, searched - done


def _pieces_of(kind: str, index: int, offset: int, content: bytes, charset: str) -> Iterator[Piece]:
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
