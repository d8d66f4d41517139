"""The forms a batch file comes in: framing, line ends, charset (HL7 v2 chapter 2, "Batch protocol"; MLLP
release 1)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from connector_lib.samples.hl7v2.people import CHARSETS

__all__ = ["BATCH", "CR", "FILE_BATCH", "FORMS", "MLLP", "PLAIN", "Form", "framed"]

PLAIN: Final = "plain"
FILE_BATCH: Final = "file-batch"
BATCH: Final = "batch"
MLLP: Final = "mllp"

CR: Final = "cr"
_LINE_ENDS: Final = {CR: ("\r",), "lf": ("\n",), "crlf": ("\r\n",), "mixed": ("\r", "\n", "\r\n")}
_BATCHES_IN_A_FILE: Final = 2

_LineEnd = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Form:
    """A form of file. ``framing`` is ``plain`` (one message behind the other), ``file-batch`` (FHS, BHS …
    BTS, FTS), ``batch`` (BHS … BTS only) or ``mllp``; ``line_end`` is ``cr``, ``lf``, ``crlf`` or
    ``mixed``; ``charset`` is a key of :data:`~connector_lib.samples.hl7v2.people.CHARSETS`.
    """

    framing: str
    line_end: str
    charset: str

    @property
    def name(self) -> str:
        """As ``mllp-cr-utf-8``."""
        return f"{self.framing}-{self.line_end}-{self.charset}"


FORMS: Final[tuple[Form, ...]] = (
    Form(PLAIN, CR, "utf-8"),
    Form(FILE_BATCH, CR, "utf-8-undeclared"),
    Form(MLLP, CR, "utf-8"),
    Form(PLAIN, "lf", "utf-8-undeclared"),
    Form(PLAIN, "crlf", "utf-8-bom"),
    Form(PLAIN, "mixed", "utf-8"),
    Form(BATCH, "lf", "8859-1"),
    Form(MLLP, CR, "8859-15"),
    Form(FILE_BATCH, "crlf", "8859-2"),
    Form(PLAIN, CR, "ascii"),
    Form(PLAIN, "lf", "iso-ir87"),
    Form(FILE_BATCH, "mixed", "8859-5"),
    Form(PLAIN, CR, "8859-7"),
    Form(BATCH, CR, "8859-9"),
    Form(MLLP, "lf", "8859-4"),
    Form(PLAIN, "crlf", "utf-16-le"),
    Form(FILE_BATCH, "lf", "utf-16-be"),
    Form(PLAIN, "mixed", "8859-3"),
    Form(PLAIN, "lf", "8859-6"),
    Form(BATCH, "crlf", "8859-8"),
    Form(PLAIN, CR, "gb18030"),
    Form(MLLP, "crlf", "ks-x-1001"),
    Form(FILE_BATCH, CR, "iso-ir87"),
    Form(PLAIN, "mixed", "ascii"),
)
"""Every framing, every line end and every charset, in the combinations that are seen together."""


def framed(form: Form, texts: Iterable[str], count: int, rng: random.Random) -> Iterator[bytes]:
    """The bytes of a file in this form, a piece at a time. ``texts`` are ``count`` messages with CR between
    segments."""
    charset = CHARSETS[form.charset]
    if charset.mark:
        yield charset.mark
    for text in _FRAMINGS[form.framing](texts, count, _line_end(form.line_end, rng)):
        yield text.encode(charset.codec)


def _line_end(name: str, rng: random.Random) -> _LineEnd:
    ends = _LINE_ENDS[name]
    if len(ends) == 1:
        end = ends[0]
        return lambda text: text if end == "\r" else text.replace("\r", end)
    return lambda text: "".join(part + rng.choice(ends) for part in text.split("\r")[:-1]) + text.rpartition("\r")[2]


def _plain(texts: Iterable[str], count: int, line_end: _LineEnd) -> Iterator[str]:
    for text in texts:
        yield line_end(f"{text}\r")


def _mllp(texts: Iterable[str], count: int, line_end: _LineEnd) -> Iterator[str]:
    # The CR behind the end block is MLLP's own, whatever the message's line ends are.
    for text in texts:
        yield "\x0b" + line_end(f"{text}\r") + "\x1c\r"


def _batch(texts: Iterable[str], count: int, line_end: _LineEnd) -> Iterator[str]:
    messages = iter(texts)
    batches = _batches(count)
    for batch in range(1, batches + 1):
        size = count // batches + (batch <= count % batches)
        header = f"BHS|^~\\&|SAMPLE_HUB|SAMPLETON|ARCHIVE|SAMPLETON|20230101||BATCH {batch}||B{batch}"
        yield line_end(f"{header}\r")
        for text in islice(messages, size):
            yield line_end(f"{text}\r")
        yield line_end(f"BTS|{size}|end of batch {batch}\r")


def _file_batch(texts: Iterable[str], count: int, line_end: _LineEnd) -> Iterator[str]:
    yield line_end("FHS|^~\\&|SAMPLE_HUB|SAMPLETON|ARCHIVE|SAMPLETON|20230101||SAMPLE FILE\r")
    yield from _batch(texts, count, line_end)
    yield line_end(f"FTS|{_batches(count)}|end of file\r")


def _batches(count: int) -> int:
    return _BATCHES_IN_A_FILE if count >= 2 * _BATCHES_IN_A_FILE else 1


_FRAMINGS: Final[dict[str, Callable[[Iterable[str], int, _LineEnd], Iterator[str]]]] = {
    PLAIN: _plain,
    MLLP: _mllp,
    BATCH: _batch,
    FILE_BATCH: _file_batch,
}
