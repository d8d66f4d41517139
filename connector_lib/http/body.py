"""The body of an answer: streamed, counted, decompressed and decoded, each with a limit.

A body is whole or an error. What HTTP itself tells (RFC 9112 section 8) is checked by urllib3: a length that is not
reached, a chunk that is cut. A body that ends with its connection tells nothing: there the end of the gzip stream or
the closing bracket of the JSON text is the proof.
"""

from __future__ import annotations

import codecs
import json
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, NoReturn, Protocol

__all__ = ["ACCEPTED_ENCODINGS", "BodyError", "JsonReader", "RawBody", "is_json", "received", "tells_its_end"]

ACCEPTED_ENCODINGS: Final = "gzip"
_READ_SIZE: Final = 128 * 1024
"""Bytes asked of a connection at once, and decompressed at once."""
_GZIP: Final = zlib.MAX_WBITS | 16


class BodyError(Exception):
    """A body that cannot be taken: cut, too large, damaged, too slow, or not what it should be.

    ``may_pass`` says that the next try may bring a better one.
    """

    def __init__(self, message: str, *, may_pass: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.may_pass = may_pass


class RawBody(Protocol):
    """The bytes on the wire: a ``urllib3.response.HTTPResponse``."""

    def read1(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """What is there, ``amt`` bytes at most; empty at the end."""
        ...


def received(
    raw: RawBody, headers: Mapping[str, str], *, limit: int, clock: Callable[[], float], until: float
) -> Iterator[bytes]:
    """The pieces of a body, decompressed. ``limit`` is in bytes, ``until`` a time of ``clock``.

    Raises :class:`BodyError` for a body that is too large, too slow, damaged or cut; what urllib3 raises comes as it
    is.
    """
    left = limit
    for piece in _decompressed(_wire(raw, clock, until), headers):
        left -= len(piece)
        if left < 0:
            raise BodyError(f"the body holds more than {limit:,} bytes, decompressed", may_pass=False)
        yield piece


def _wire(raw: RawBody, clock: Callable[[], float], until: float) -> Iterator[bytes]:
    while piece := raw.read1(_READ_SIZE, decode_content=False):
        yield piece
        if clock() > until:
            raise BodyError("the body took too long")


def _decompressed(wire: Iterator[bytes], headers: Mapping[str, str]) -> Iterator[bytes]:
    for name in reversed([part.strip().lower() for part in headers.get("content-encoding", "").split(",")]):
        if name in ("gzip", "x-gzip"):
            wire = _unzipped(wire, may_be_empty=_has_length(headers))
        elif name not in ("", "identity"):
            raise BodyError("the body has an encoding that was not asked for", may_pass=False)
    return wire


def _unzipped(wire: Iterator[bytes], *, may_be_empty: bool) -> Iterator[bytes]:
    """A gzip stream of one or several members (RFC 1952 section 2.2), never more than a piece of it in memory. Where
    nothing else tells the end, no member at all is one that was cut."""
    member = zlib.decompressobj(_GZIP)
    began = False
    for piece in wire:
        rest = piece
        while rest:
            if member.eof:
                # Zeros behind a member are padding.
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                member = zlib.decompressobj(_GZIP)
            try:
                plain = member.decompress(rest, _READ_SIZE)
            except zlib.error:
                raise BodyError("the body is damaged gzip") from None
            began = True
            rest = member.unused_data if member.eof else member.unconsumed_tail
            if plain:
                yield plain
    if not member.eof and (began or not may_be_empty):
        raise BodyError("the gzip body is cut short")


def tells_its_end(headers: Mapping[str, str]) -> bool:
    """Whether a body that was cut would be noticed: by its length, its last chunk, or the end of its compression."""
    return _has_length(headers) or headers.get("content-encoding", "").strip().lower() not in ("", "identity")


def _has_length(headers: Mapping[str, str]) -> bool:
    return "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether the body says of itself that it is JSON: ``application/json``, ``application/fhir+json`` and such."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in ("application/json", "text/json") or kind.endswith("+json")


class JsonReader:
    """Reads bytes as JSON (RFC 8259), more strictly than :func:`json.loads`.

    ``NaN`` and ``Infinity`` are errors, and so is an object that has a name twice: which value counts is said nowhere,
    and one of them would be lost. Whole numbers keep all their digits. Numbers with a fraction or an exponent are
    floats, which round them and make 1e400 infinite; where ``decimals`` is set they are :class:`~decimal.Decimal` and
    keep theirs as well. A byte order mark is passed over.

    >>> JsonReader().read(b'{"id": 18446744073709551616, "paid": 0.1}', {})
    {'id': 18446744073709551616, 'paid': 0.1}
    """

    __slots__ = ("decimals",)

    def __init__(self, *, decimals: bool = False) -> None:
        self.decimals = decimals

    def read(self, body: bytes, headers: Mapping[str, str]) -> Any:
        """The value of a text. Raises :class:`BodyError`, which never shows a part of it."""
        try:
            text = _text(body, headers)
        except UnicodeDecodeError as error:
            raise BodyError(f"the body is not UTF-8: byte {error.start:,} of {len(body):,}") from None
        try:
            return self._decoded(text)
        except RecursionError:
            raise BodyError("the JSON text is nested too deep", may_pass=False) from None
        except json.JSONDecodeError as error:
            raise BodyError(_what_it_is(text, headers, error)) from None
        except ValueError as error:
            raise BodyError(_number_too_long(error), may_pass=False) from None

    def _decoded(self, text: str) -> Any:
        # A hook that has the pairs of each object would take half as long again. So the members of all objects are
        # counted, here and in the text, and the pairs are looked at only where the counts differ.
        counting = _counting_members()
        next(counting)
        parse_float = Decimal if self.decimals else None
        decoder = json.JSONDecoder(object_hook=counting.send, parse_constant=_refuse_constant, parse_float=parse_float)
        value = decoder.decode(text)
        if counting.send(None) == _names_in(text):
            return value
        return json.JSONDecoder(object_pairs_hook=_object, parse_float=parse_float).decode(text)

    def __repr__(self) -> str:
        return f"JsonReader(decimals={self.decimals})"


def _counting_members() -> Generator[Any, dict[str, Any] | None, None]:
    """Gives back each object that it is sent, and for None how many members they had in all. To send to a generator
    costs less than to call a function."""
    count = 0
    members = yield
    while members is not None:
        count += len(members)
        members = yield members
    yield count


def _names_in(text: str) -> int:
    """How many names all objects in a JSON text have, one that is there twice counted twice: the quotes before a colon.

    It is too many where a string begins with a colon, and -1 where an escaped quote stands before one. It is never too
    few otherwise, so it is what a decoder counts only where no name is there twice.
    """
    bare = text.translate(_NO_BLANKS)
    return -1 if "\\" in bare and '\\":' in bare else bare.count('":')


_NO_BLANKS: Final = dict.fromkeys(map(ord, " \t\r\n"))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BodyError("an object in the JSON text has a name twice", may_pass=False)
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise BodyError(f"the JSON text has {name}, which is no JSON (RFC 8259 section 6)", may_pass=False)


def _text(body: bytes, headers: Mapping[str, str]) -> str:
    start = len(codecs.BOM_UTF8) if body.startswith(codecs.BOM_UTF8) else 0
    try:
        return str(memoryview(body)[start:], "utf-8") if start else str(body, "utf-8")
    except UnicodeDecodeError:
        declared = _declared_charset(headers)
        if declared is None:
            raise
        return body.decode(declared)


def _declared_charset(headers: Mapping[str, str]) -> str | None:
    """The charset of ``Content-Type``, where it names one that is not UTF-8 and that Python knows."""
    for part in headers.get("content-type", "").split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() != "charset":
            continue
        try:
            codec = codecs.lookup(value.strip().strip('"')).name
        except LookupError:
            return None
        return None if codec == "utf-8" else codec
    return None


def _what_it_is(text: str, headers: Mapping[str, str], error: json.JSONDecodeError) -> str:
    start = text[:200].lstrip().lower()
    if start.startswith("<"):
        kind = "an HTML page" if start.startswith(("<!doctype html", "<html")) else "XML or HTML"
        return f"the body is {kind} and not JSON"
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"the JSON text ends too early, behind {len(text):,} characters"
    kind = headers.get("content-type", "").partition(";")[0].strip()[:60] or "no type given"
    return f"the body ({kind}) is not JSON from character {error.pos:,} of {len(text):,} on"


def _number_too_long(error: ValueError) -> str:
    return "a number in the JSON text has too many digits" if "digits" in str(error) else "the body is not JSON"
