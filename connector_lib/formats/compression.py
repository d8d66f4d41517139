"""Content that came compressed with gzip (RFC 1952), known by its first bytes."""

from __future__ import annotations

import zlib
from typing import Final

from connector_lib.errors import ParseError

__all__ = ["GZIP_START", "LARGEST_CONTENT", "decompressed"]

GZIP_START: Final = b"\x1f\x8b"
LARGEST_CONTENT: Final = 256 * 1024 * 1024
"""Bytes. Content is in memory whole, and a small file can hold very much of it."""
_GZIP: Final = zlib.MAX_WBITS | 16


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
    parts: list[bytes] = []
    rest, left = content, limit
    # Zeros between or behind members are padding, which gzip passes over.
    while rest := rest.lstrip(b"\x00"):
        member = zlib.decompressobj(_GZIP)
        try:
            part = member.decompress(rest, left + 1)
        except zlib.error as error:
            raise ParseError("the content is damaged gzip", hint="ask the sender for it again") from error
        left -= len(part)
        if left < 0:
            raise ParseError(f"the gzip content holds more than {limit:,} bytes", hint="split it before it is sent")
        if not member.eof:
            raise ParseError("the gzip content is cut short", hint="ask the sender for it again")
        parts.append(part)
        rest = member.unused_data
    return b"".join(parts)
