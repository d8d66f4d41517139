"""HL7 v2: from bytes to messages to records.

===================  ==================================================================
:mod:`.split`        a file or text of any size into messages
:mod:`.charset`      bytes into text, by byte order mark, MSH-18, UTF-8, Latin-1
:mod:`.message`      one message: segments, fields, values, all of them by ``walk``; its separators are in
                     :mod:`.delimiters`, the places that it is asked for in :mod:`.paths`
:mod:`.escapes`      escape sequences
:mod:`.groups`       which segment belongs to which
:mod:`.records`      plain names and nested lists, by the tables of :mod:`.record_types`
:mod:`.rules`        what is wrong with a message
:mod:`.reading`      files and messages as the plain tuples that tables are made of
===================  ==================================================================
"""

from __future__ import annotations

from connector_lib.formats.hl7v2.charset import decode
from connector_lib.formats.hl7v2.message import FieldValue, Message, Segment, parse
from connector_lib.formats.hl7v2.records import flat_record
from connector_lib.formats.hl7v2.split import split

__all__ = ["FieldValue", "Message", "Segment", "parse", "parse_message", "split_batch"]


def split_batch(data: bytes | str) -> list[str]:
    """The messages in a file, in order, without the batch envelope (FHS, BHS, BTS, FTS) and framing.

    Text that belongs to no message, such as what stands before the first MSH, is an element too, in its place:
    :func:`parse` refuses it, so that it cannot get lost. Bytes are decoded message by message; see
    :mod:`connector_lib.formats.hl7v2.charset`.

    >>> split_batch("BHS|^~\\\\&|LAB\\rMSH|^~\\\\&|A\\rPID|1\\rMSH|^~\\\\&|B\\rBTS|2\\r")
    ['MSH|^~\\\\&|A\\rPID|1', 'MSH|^~\\\\&|B']
    """
    if isinstance(data, str):
        return [piece.content.decode("utf-8", "surrogatepass") for piece in split(data) if piece.kind != "envelope"]
    return [decode(piece.content, piece.charset).text for piece in split(data) if piece.kind != "envelope"]


def parse_message(text: str | bytes) -> dict[str, str]:
    """One message as a flat record: scalar values under plain names, nested structures as JSON text.

    A value that was not sent has no key; HL7's "delete this value" is two quote characters. The names are those of
    :data:`connector_lib.formats.hl7v2.record_types.SCALARS` and ``NESTED``; ``connector_lib.get_schema(name)`` is
    the Spark type of a nested one.

    Raises :class:`~connector_lib.errors.ParseError` when there is no readable MSH segment.

    >>> record = parse_message("MSH|^~\\\\&|LAB||||||ORU^R01|77\\rOBX|1|NM|GLU||98")
    >>> record["message_control_id"], record["observations"][:14]
    ('77', '[{"segment":"O')
    """
    return flat_record(parse(text))
