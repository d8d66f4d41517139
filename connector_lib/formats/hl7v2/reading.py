"""What a pipeline keeps of a file and of a message, as plain tuples. Nothing here raises on bad input: what cannot be
read comes back whole, with its reason."""

from __future__ import annotations

from typing import Final, NamedTuple

from connector_lib.errors import ParseError
from connector_lib.formats.compression import decompressed
from connector_lib.formats.hl7v2.charset import decode
from connector_lib.formats.hl7v2.findings import CODES
from connector_lib.formats.hl7v2.message import Message, parse
from connector_lib.formats.hl7v2.records import LONGEST_JSON, flat_record
from connector_lib.formats.hl7v2.rules import EnvelopeCheck, Finding, validate_message
from connector_lib.formats.hl7v2.split import Piece, split

__all__ = [
    "FindingTuple",
    "PieceTuple",
    "ReadMessage",
    "ReadPiece",
    "fields_or_none",
    "parsed_or_error",
    "pieces_of",
    "read_message",
    "read_piece",
]

FieldTuple = tuple[int, str, int, int, int, int, str]
FindingTuple = tuple[str, str, "str | None", "int | None", "str | None", str]
"""code, severity, segment, segment index, position, text."""

_LARGEST_GROWTH: Final = 12
"""How many times as long the JSON of a text can be at most: six for ``\\u00XX``, twice since OBX-5 stands there
twice."""
_OUTSIDE: Final = "text outside every message: no MSH segment before it"


class ReadPiece(NamedTuple):
    """A part of a file, decoded and parsed. ``reason`` says why ``message`` is None; it is empty when there is one."""

    piece: Piece
    message: Message | None
    reason: str
    charset: str
    charset_problem: str


class PieceTuple(NamedTuple):
    """One part of a file. ``reason`` is None for a message that has a readable header; ``content`` are the bytes of
    what has none. A piece with neither message nor reason is a batch segment with findings."""

    message_index: int | None
    offset: int
    message: str | None
    charset: str | None
    charset_problem: str
    reason: str | None
    content: bytes | None
    findings: list[FindingTuple]


class ReadMessage(NamedTuple):
    """A message's record, all its values with their places, and what is wrong with it; or the reason why there is
    none."""

    parsed: dict[str, str] | None
    fields: list[FieldTuple]
    findings: list[FindingTuple]
    reason: str | None


def pieces_of(content: bytes, *, run_together: bool = False) -> list[PieceTuple]:
    """A whole file in pieces: messages, what is none, and batch segments that have findings.

    A file compressed with gzip is read as what it holds, and ``offset`` counts in that; one that cannot be decompressed
    is one piece. ``run_together`` is as in :func:`~connector_lib.formats.hl7v2.split.split`.

    >>> [(piece.message_index, piece.reason) for piece in pieces_of(b"hello\\rMSH|^~\\\\&|LAB\\r")]
    [(0, 'text outside every message: no MSH segment before it'), (1, None)]
    """
    try:
        content = decompressed(content)
    except ParseError as error:
        return [PieceTuple(0, 0, None, None, "", error.message, content, [])]
    envelope = EnvelopeCheck()
    pieces: list[PieceTuple] = []
    for piece in split(content, run_together=run_together):
        findings = [_finding_tuple(finding) for finding in envelope.piece(piece)]
        if piece.kind == "envelope":
            pieces += [PieceTuple(None, piece.offset, None, None, "", None, None, findings)] if findings else []
            continue
        pieces.append(_piece_tuple(piece, findings))
    at_end = [_finding_tuple(finding) for finding in envelope.end()]
    if content and not any(piece.message_index is not None for piece in pieces):
        at_end.append(("no-message", CODES["no-message"].severity, None, None, None, CODES["no-message"].sentence))
    if at_end:
        pieces.append(PieceTuple(None, len(content), None, None, "", None, None, at_end))
    return pieces


def read_piece(piece: Piece) -> ReadPiece:
    """The message in a piece that :func:`~connector_lib.formats.hl7v2.split.split` gave, or the reason why there is
    none. ``piece`` is no envelope segment.

    >>> [read_piece(piece).reason for piece in split(b"hello\\rMSH|^~\\\\&|LAB\\r")]
    ['text outside every message: no MSH segment before it', '']
    """
    decoded = decode(piece.content, piece.charset)
    if piece.kind != "message":
        return ReadPiece(piece, None, _OUTSIDE, decoded.charset, decoded.problem)
    try:
        message = parse(decoded.text, decoded.charset)
    except ParseError as error:
        return ReadPiece(piece, None, error.message, decoded.charset, decoded.problem)
    message.charset_problem = decoded.problem
    return ReadPiece(piece, message, "", decoded.charset, decoded.problem)


def _piece_tuple(piece: Piece, findings: list[FindingTuple]) -> PieceTuple:
    _, message, reason, charset, charset_problem = read_piece(piece)
    kept = piece.content if message is None or _may_be_too_long(piece.content) else None
    text = None if message is None else message.text
    return PieceTuple(piece.index, piece.offset, text, charset, charset_problem, reason or None, kept, findings)


def _may_be_too_long(content: bytes) -> bool:
    """Whether the JSON of a message could be too long for ``from_json``: its bytes are kept then, beside its text.

    A segment may be repeated in the records of all others, as the order is in its observations.
    """
    segments = content.count(b"\r") + content.count(b"\n") + 1
    return len(content) * segments * _LARGEST_GROWTH > LONGEST_JSON


def read_message(text: str, charset: str = "utf-8", charset_problem: str = "") -> ReadMessage:
    """Everything that the tables hold of one message, from parsing it once.

    >>> read_message("MSH|^~\\\\&|LAB||||||ACK|1|P|2.5").parsed["message_type"]
    'ACK'
    """
    try:
        message = parse(text, charset)
    except ParseError as error:
        return ReadMessage(None, [], [], error.message)
    message.charset_problem = charset_problem
    parsed = flat_record(message)
    too_long = [name for name, value in parsed.items() if len(value) > LONGEST_JSON]
    if too_long:
        names = " and ".join(too_long)
        reason = f"{names} of this message: longer than the {LONGEST_JSON:,} characters that from_json takes"
        return ReadMessage(None, [], [], reason)
    findings = [_finding_tuple(finding) for finding in validate_message(message)]
    return ReadMessage(parsed, list(message.walk_tuples()), findings, None)


def parsed_or_error(text: str) -> dict[str, str]:
    """The record of a message; for a text that is none, a record of the reason under ``parse_error``."""
    try:
        return flat_record(parse(text))
    except ParseError as error:
        return {"parse_error": error.message}


def fields_or_none(text: str) -> list[FieldTuple]:
    """The values of a message with their places; none for a text that is no message."""
    try:
        return list(parse(text).walk_tuples())
    except ParseError:
        return []


def _finding_tuple(finding: Finding) -> FindingTuple:
    return (
        finding.code,
        finding.severity,
        finding.segment or None,
        finding.segment_index,
        finding.position or None,
        finding.text,
    )
