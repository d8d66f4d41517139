"""What a finding is, and which ones there are: codes, severities and sentences as data.

==============  ==============================================================================================
severity        meaning
==============  ==============================================================================================
error           a part of the message cannot be identified, attributed or counted, or contradicts what it
                says it is; whoever uses the data has to know
warning         the standard says otherwise, or a value will be missing from a typed column; the rest is
                usable
information     unusual and harmless
==============  ==============================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["CODES", "Finding", "FindingKind", "Severity"]

Severity = Literal["error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a message or with the batch envelope of a file.

    ``code`` is a key of :data:`CODES`, ``text`` a plain sentence. ``segment`` is the segment's name and
    ``segment_index`` its place in the message, from 0. ``position`` is a path as :meth:`Message.get
    <connector_lib.formats.hl7v2.message.Message.get>` takes it, or the
    segment alone where a whole one is meant: ``PID-3``, ``OBX[3]-5[2]``, ``OBX[3]``.

    For a segment of a batch envelope, which stands in no message, ``segment_index`` is the number of messages
    and unreadable pieces before it in the file.

    No attribute holds a value of the message: names and positions only, and the counts in BTS-1 and FTS-1.
    """

    code: str
    severity: Severity
    segment: str
    segment_index: int
    position: str
    text: str


@dataclass(frozen=True, slots=True)
class FindingKind:
    """What all findings of a code have in common. ``sentence`` is a format string; no value goes into it."""

    severity: Severity
    sentence: str


CODES: Final[dict[str, FindingKind]] = {
    # a file
    "unreadable": FindingKind("error", "the piece at byte {place} is no message ({reason})"),
    "no-message": FindingKind("error", "there is no message in the file"),
    # the message as a whole
    "required-segment-missing": FindingKind(
        "error", "a message of this type needs a segment {name}, which is not there"
    ),
    "expected-segment-missing": FindingKind(
        "warning", "a message of this type has a segment {name}; here it is not there"
    ),
    "header-alone": FindingKind("error", "the message is a header and nothing else"),
    "second-header": FindingKind(
        "error", "there is a second MSH segment in the message; two messages were joined, or not taken apart"
    ),
    "envelope-in-message": FindingKind(
        "error", "a segment of a batch envelope stands inside the message; the file was not taken apart"
    ),
    "segment-unknown": FindingKind(
        "warning",
        "the segment is not in HL7 v2 and its name does not start with Z, as those of a site's own do",
    ),
    "line-break-in-value": FindingKind(
        "warning",
        "a line that is no segment was read as part of this segment; a value holds a raw line break",
    ),
    "control-character": FindingKind(
        "warning", "a value holds a control character, such as NUL, at which another system may end the text"
    ),
    "character-set": FindingKind("warning", "{problem}"),
    "replacement-character": FindingKind(
        "warning",
        "a value holds a replacement character (U+FFFD): something was lost before the text came here",
    ),
    # fields of the header
    "encoding-characters": FindingKind("warning", "{problem}"),
    "message-type-form": FindingKind(
        "warning", "the message type and its event are three capital letters or digits each, as in ADT^A01"
    ),
    "version-unknown": FindingKind("warning", "the version is not one of {versions}"),
    "processing-id-unknown": FindingKind("warning", "the processing id is not one of P, T and D (HL7 table 0103)"),
    # fields
    "required-field-missing": FindingKind("error", "{field}, the {title}, is required and was not sent"),
    "expected-field-missing": FindingKind(
        "warning", "{field}, the {title}, is required by the standard and was not sent"
    ),
    "time-form": FindingKind(
        "warning", "{field} is not of the form YYYY[MM[DD[HH[MM[SS[.SSSS]]]]]][+/-ZZZZ] of a date or time"
    ),
    "time-not-in-calendar": FindingKind("warning", "{field} has the form of a date or time that does not exist"),
    "time-too-precise": FindingKind(
        "information", "{field} has more than the four decimals of a second that HL7 allows"
    ),
    "date-with-time": FindingKind("information", "{field} is a date by the standard and was sent with a time"),
    "set-id-form": FindingKind("warning", "{field}, the set id, is not a whole number from 0"),
    "set-id-order": FindingKind(
        "warning", "{field}, the set id, is not greater than the one before it within the same group"
    ),
    "set-id-gap": FindingKind("information", "{field}, the set id, leaves out a number after the one before it"),
    # observations
    "value-type-missing": FindingKind("warning", "there is a value in OBX-5, and OBX-2 does not say of which type"),
    "value-type-unknown": FindingKind("warning", "OBX-2 is not a value type of HL7 table 0125"),
    "value-not-numeric": FindingKind("error", "OBX-2 says NM (a number), and the value is none"),
    "value-not-a-time": FindingKind("error", "OBX-2 says {type} (a date or time), and the value is none"),
    # batch envelope
    "batch-count": FindingKind("error", "BTS-1 says that the batch has {said} messages; counted: {found}"),
    "file-count": FindingKind("error", "FTS-1 says that the file has {said} batches; counted: {found}"),
    "count-form": FindingKind("warning", "{field} is a count and was not sent as a whole number"),
    "batch-not-closed": FindingKind("warning", "the batch has a header (BHS) and no trailer (BTS)"),
    "batch-not-opened": FindingKind("warning", "the batch has a trailer (BTS) and no header (BHS)"),
    "file-not-closed": FindingKind("warning", "the file has a header (FHS) and no trailer (FTS)"),
    "file-not-opened": FindingKind("warning", "the file has a trailer (FTS) and no header (FHS)"),
}
"""Code → severity and sentence. Codes are stable: what is stored by code stays readable."""
