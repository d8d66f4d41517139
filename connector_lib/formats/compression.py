"""Content that came compressed with gzip (RFC 1952), known by its first bytes."""

from __future__ import annotations

import re
import zlib
from typing import Final

from connector_lib.errors import ParseError

__all__ = ["GZIP_START", "LARGEST_CONTENT", "decompressed"]

GZIP_START: Final = b"\x1f\x8b"
LARGEST_CONTENT: Final = 256 * 1024 * 1024
"""Bytes. Content is in memory whole, and a small file can hold very much of it."""
_GZIP: Final = zlib.MAX_WBITS | 16
_ZEROS: Final = re.compile(rb"\x00*")
_FIRST_CHUNK: Final = 4 * 1024
_LONGEST_CHUNK: Final = 1024 * 1024
"""Bytes handed to a member at once: what lies behind its end is copied, so that many small ones want few."""


def decompressed(content: bytes, limit: int = LARGEST_CONTENT) -> bytes:
    """What a gzip file holds: all its members, one after the other. Content that is not gzip comes back as it is.

    Raises :class:`~connector_lib.errors.ParseError` where the file is damaged or cut short, and where it holds more
    than ``limit`` bytes.

    >>> import gzip
    >>> decompressed(gzip.compress(b"MSH|") + gzip.compress(b"^~")), decompressed(b"plain")
    (b'MSH|^~', b'plain')
    """
    if not content.startswith(GZIP_START):
        return content
    view, at, left = memoryview(content), 0, limit
    parts: list[bytes] = []
    while (at := _behind_zeros(content, at)) < len(content):
        member, size = zlib.decompressobj(_GZIP), _FIRST_CHUNK
        while not member.eof and at < len(content):
            chunk = view[at : at + size]
            try:
                part = member.decompress(chunk, left + 1)
            except zlib.error as error:
                raise ParseError("the content is damaged gzip", hint="ask the sender for it again") from error
            left -= len(part)
            if left < 0:
                raise ParseError(f"the gzip content holds more than {limit:,} bytes", hint="split it before it is sent")
            parts.append(part)
            at += len(chunk) - len(member.unused_data)
            size = min(2 * size, _LONGEST_CHUNK)
        if not member.eof:
            raise ParseError("the gzip content is cut short", hint="ask the sender for it again")
    return b"".join(parts)


def _behind_zeros(content: bytes, at: int) -> int:
    """Zeros between and behind members are padding, which gzip passes over."""
    zeros = _ZEROS.match(content, at)
    assert zeros is not None
    return zeros.end()
