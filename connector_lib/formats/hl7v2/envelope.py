"""The batch envelope of a file: its counts, and whether each of its segments has its partner (chapter 2,
"Batch protocol")."""

from __future__ import annotations

import re
from typing import Final

from connector_lib.formats.hl7v2.findings import CODES, Finding
from connector_lib.formats.hl7v2.split import Piece

__all__ = ["EnvelopeCheck"]

_COUNT: Final = re.compile(r"\d{1,18}", re.ASCII)


class EnvelopeCheck:
    """Follows the pieces of one file, in the order of :func:`~connector_lib.formats.hl7v2.split.split`.

    A file without an envelope is in order. Nothing is kept but counts.

    >>> from connector_lib.formats.hl7v2.split import split
    >>> check = EnvelopeCheck()
    >>> data = b"BHS|^~\\\\&|LAB\\rMSH|^~\\\\&|LAB\\rBTS|2\\r"
    >>> [finding.text for piece in split(data) for finding in check.piece(piece)] + check.end()
    ['BTS-1 says that the batch has 2 messages; counted: 1']
    """

    __slots__ = ("_batches", "_in_batch", "_in_file", "_messages", "_occurrences", "_pieces")

    def __init__(self) -> None:
        self._messages = self._batches = self._pieces = 0
        self._in_batch = self._in_file = False
        self._occurrences: dict[str, int] = {}

    def piece(self, piece: Piece) -> list[Finding]:
        """What is wrong with the envelope as far as this piece."""
        if piece.kind != "envelope":
            self._pieces = piece.index + 1
            self._messages += piece.kind == "message"
            return []
        text = piece.content.decode(piece.charset or "latin-1", "replace")
        name = text[:3]
        if name in ("FHS", "BHS"):
            # What the header before it left open is named by that one's number.
            findings = self._file_header() if name == "FHS" else self._batch_header()
            self._occurrences[name] = self._occurrences.get(name, 0) + 1
            return findings
        self._occurrences[name] = self._occurrences.get(name, 0) + 1
        # Separators may be of any kind; the count is the first field.
        count = text[4:].split(text[3], 1)[0] if len(text) > 4 else ""
        return self._batch_trailer(count) if name == "BTS" else self._file_trailer(count)

    def end(self) -> list[Finding]:
        """What is wrong with the envelope now that the file has ended."""
        findings = self._close_batch()
        if self._in_file:
            findings.append(self._finding("file-not-closed", "FHS"))
        return findings

    def _file_header(self) -> list[Finding]:
        findings = self.end()
        self._messages = self._batches = 0
        self._in_file = True
        return findings

    def _batch_header(self) -> list[Finding]:
        findings = self._close_batch()
        self._messages = 0
        self._batches += 1
        self._in_batch = True
        return findings

    def _batch_trailer(self, count: str) -> list[Finding]:
        findings: list[Finding] = []
        if not self._in_batch:
            findings.append(self._finding("batch-not-opened", "BTS"))
            self._batches += 1
        findings += self._compare("batch-count", "BTS", count, {self._messages})
        self._messages = 0
        self._in_batch = False
        return findings

    def _file_trailer(self, count: str) -> list[Finding]:
        findings = self._close_batch()
        if not self._in_file:
            findings.append(self._finding("file-not-opened", "FTS"))
        # Messages that stand in the file without BHS and BTS may be counted as a batch, or not.
        is_one_batch = self._batches == 0
        findings += self._compare("file-count", "FTS", count, {0, 1} if is_one_batch else {self._batches})
        self._messages = self._batches = 0
        self._in_file = False
        return findings

    def _close_batch(self) -> list[Finding]:
        if not self._in_batch:
            return []
        self._in_batch = False
        return [self._finding("batch-not-closed", "BHS")]

    def _compare(self, code: str, name: str, count: str, right: set[int]) -> list[Finding]:
        count = count.strip(" ")
        if not count or count == '""':
            return []
        if _COUNT.fullmatch(count) is None:
            return [self._finding("count-form", name, field=f"{name}-1")]
        if int(count) in right:
            return []
        return [self._finding(code, name, said=str(int(count)), found=str(min(right)))]

    def _finding(self, code: str, name: str, **parts: str) -> Finding:
        kind = CODES[code]
        occurrence = self._occurrences[name]
        place = name if occurrence == 1 else f"{name}[{occurrence}]"
        position = f"{place}-1" if name in ("BTS", "FTS") and parts else place
        return Finding(code, kind.severity, name, self._pieces, position, kind.sentence.format(**parts))
