"""The bytes of a body, damaged as a fault says."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from connector_lib.testing.faults import BodyChange, Fault

__all__ = ["changed_body"]

_DEPTH: Final = 2000
_STEP: Final = 1024 * 1024
_BLANKS: Final = b" " * _STEP


def changed_body(body: bytes, fault: Fault) -> tuple[bytes, dict[str, str]]:
    """What is sent in place of ``body``, and the headers that go with it.

    >>> changed_body(b'{"items": []}', Fault("cut", change="cut"))
    (b'{"item', {})
    """
    if fault.change is None:
        return body, {}
    if fault.change == "gzip_bomb":
        return _bomb(fault.expands_to), {"Content-Encoding": "gzip"}
    headers = {"Content-Encoding": "gzip"} if fault.change.startswith("gzip") else {}
    return _CHANGES[fault.change](body), headers


def _cut(body: bytes) -> bytes:
    return body[: len(body) // 2] or b"{"


def _invalid_utf8(body: bytes) -> bytes:
    # Within the last text, so that one who replaces what cannot be decoded does not notice.
    before, quote, after = body.rpartition(b'"')
    return before + b"\xc3\x28" + quote + after


def _with_first_key(body: bytes, key_and_value: bytes) -> bytes:
    rest = body.lstrip()[1:].lstrip()
    return b"{" + key_and_value + (b"" if rest.startswith(b"}") else b", ") + rest


def _deep(body: bytes) -> bytes:
    return _with_first_key(body, b'"deep": ' + b"[" * _DEPTH + b"]" * _DEPTH)


def _not_a_number(body: bytes) -> bytes:
    return _with_first_key(body, b'"factor": NaN')


def _key_twice(body: bytes) -> bytes:
    # The list of records once more at the end, empty: one who takes the last has lost the page.
    document = json.loads(body)
    lists = [key for key, value in document.items() if isinstance(value, list)]
    again = json.dumps(lists[0] if lists else next(iter(document), "items")).encode()
    return body.rstrip().removesuffix(b"}") + b", " + again + b": []}"


def _gzip_cut(body: bytes) -> bytes:
    return _cut(gzip.compress(body))


def _as_it_is(body: bytes) -> bytes:
    return body


def _bomb(size: int) -> bytes:
    # A JSON text of blanks: nothing but its size gives it away. The same piece over and over: behind a full flush
    # nothing refers to what was before (RFC 1951 section 3.2.4, zlib's manual on Z_FULL_FLUSH).
    packer = zlib.compressobj(level=9, wbits=-15)
    piece = packer.compress(_BLANKS) + packer.flush(zlib.Z_FULL_FLUSH)
    times = -(-size // _STEP)
    end = zlib.compressobj(level=9, wbits=-15)
    last = end.compress(b"{}") + end.flush()
    check = 0
    for _ in range(times):
        check = zlib.crc32(_BLANKS, check)
    check = zlib.crc32(b"{}", check)
    header = b"\x1f\x8b\x08" + b"\0" * 6 + b"\xff"
    return header + piece * times + last + struct.pack("<II", check, (times * _STEP + 2) & 0xFFFFFFFF)


_CHANGES: Final[Mapping[BodyChange, Callable[[bytes], bytes]]] = MappingProxyType(
    {
        "cut": _cut,
        "invalid_utf8": _invalid_utf8,
        "bom": b"\xef\xbb\xbf".__add__,
        "deep": _deep,
        "not_a_number": _not_a_number,
        "key_twice": _key_twice,
        "gzip": gzip.compress,
        "gzip_bad": _as_it_is,
        "gzip_cut": _gzip_cut,
    }
)
