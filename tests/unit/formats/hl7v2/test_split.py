"""Taking a file apart: pieces, their order and places, streams, memory."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib import split_batch
from connector_lib.formats.hl7v2.split import Piece, split, split_stream

A, B = b"MSH|^~\\&|A\rPID|1", b"MSH|^~\\&|B\rPID|2"


class SlowStream(io.BytesIO):
    """A file object that gives at most ``size`` bytes a read, as pipes and sockets do."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self._size = size

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._size if size is None or size < 0 else min(size, self._size))


class Generated(io.BytesIO):
    """A file object over chunks that are made while it is read, so that they take no memory beforehand."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks

    def read(self, size: int | None = -1) -> bytes:
        return next(self._chunks, b"")


def shown(data: bytes | str) -> list[tuple[str, int, int, bytes]]:
    return [(piece.kind, piece.index, piece.offset, piece.content) for piece in split(data)]


def test_pieces_are_numbered_in_their_order_and_envelope_segments_are_not_counted() -> None:
    data = b"junk\rFHS|^~\\&\rBHS|^~\\&\r" + A + b"\rBTS|1\rlost\r" + B + b"\rFTS|1\r"
    assert [(kind, index) for kind, index, _, _ in shown(data)] == [
        ("unreadable", 0),
        ("envelope", 1),
        ("envelope", 1),
        ("message", 1),
        ("envelope", 2),
        ("unreadable", 2),
        ("message", 3),
        ("envelope", 4),
    ]


@pytest.mark.parametrize("before", [b"", b"junk\r\n", b"\xef\xbb\xbf", b"\r\n\r\n", b"BHS|^~\\&\r\n", b"\x0b"])
def test_the_offset_of_a_piece_is_where_its_content_starts_in_the_file(before: bytes) -> None:
    data = before + A + b"\r\n\x1c\r" + B
    assert [data[piece.offset :].startswith(piece.content) for piece in split(data)] == [True] * len(list(split(data)))


def test_the_offset_in_a_text_is_that_of_its_utf_8_form() -> None:
    text = "é\rMSH|^~\\&|é\rMSH|^~\\&|b"
    assert [text.encode()[offset:].startswith(content) for _, _, offset, content in shown(text)] == [True] * 3


@pytest.mark.parametrize("data", [b"MSH|^~\\&", b"MSH|^~\\&|A", b"MSH", "MSH|^~\\&|A", b"FHS|a", b"\x0bMSH|^\x1c\r"])
def test_a_file_shorter_than_any_read_ahead_is_read(data: bytes | str) -> None:
    assert "unreadable" not in [kind for kind, *_ in shown(data)]
    assert len(shown(data)) == 1


@pytest.mark.parametrize("data", [b"", b"\r\n", b" \t\r\n\r", b"\x0b\x1c\r", b"\xef\xbb\xbf", "", "\ufeff"])
def test_nothing_but_blanks_and_framing_is_no_piece(data: bytes | str) -> None:
    assert shown(data) == []


@pytest.mark.parametrize("name", ["FHS", "BHS", "BTS", "FTS"])
def test_a_batch_segment_ends_the_message_before_it(name: str) -> None:
    assert split_batch(A + b"\r" + name.encode() + b"|1\r" + B) == [A.decode(), B.decode()]


@pytest.mark.parametrize(
    "line", ["BTS is due", "FHSX|1", "bts|1", " BTS|1", "BTS1|2", "MSHA|1", "msh|^~\\&", " MSH|^~\\&"]
)
def test_a_line_that_only_looks_like_a_header_belongs_to_the_message(line: str) -> None:
    data = A + b"\r" + line.encode()
    assert shown(data) == [("message", 0, 0, data)]


def test_a_byte_order_mark_in_front_of_a_later_message_is_taken_off() -> None:
    assert split_batch(b"\xef\xbb\xbf" + A + b"\r\xef\xbb\xbf" + B) == [A.decode(), B.decode()]


def test_the_end_byte_of_mllp_inside_a_value_ends_nothing() -> None:
    data = A + b"|a\x1cb"
    assert shown(data) == [("message", 0, 0, data)]


def test_every_kind_of_line_end_between_messages_is_taken_off_and_blanks_of_the_last_value_stay() -> None:
    assert split_batch(A + b"|x  \r\n\r\n \t\r" + B + b" \n\n \n ") == [A.decode() + "|x  ", B.decode() + " "]


def covered(data: bytes, pieces: list[Piece]) -> bytes:
    """What stands in no piece."""
    left, position = b"", 0
    for piece in pieces:
        left += data[position : piece.offset]
        position = piece.offset + len(piece.content)
    return left + data[position:]


@pytest.mark.parametrize(
    "data",
    [
        b"junk " + A + b"\rjunk\r\x1c\rmore\x0bMSH|^~\\&|x\x1c\rmore\rBTS|1\r\nmore\n\r" + B + b"\x1c",
        b"\x00\x01\x1c\r\x02\x0b\x03\x1c\x0bMSH",
        A + b"\x1a\x1a\r\n\x1a",
    ],
)
def test_only_framing_line_ends_and_blanks_stand_outside_the_pieces(data: bytes) -> None:
    assert covered(data, list(split(data))).strip(b" \t\r\n\x0b\x1c\x1a") == b""


@pytest.mark.parametrize("size", [1, 2, 3, 7, 16, 17, 64])
def test_a_stream_that_gives_a_few_bytes_a_read_gives_the_same_pieces(size: int) -> None:
    data = (
        b"\xef\xbb\xbfjunk\rFHS|^~\\&\rBHS|^~\\&\r\n" + A + b"\r\n\xef\xbb\xbf" + B + b"\rBTS|2\rafter\r\x0b"
        b"MSH|^~\\&|C\r\x1c\rfoo\x0bMSH|^~\\&|D\x1c"
    )
    assert list(split_stream(SlowStream(data, size))) == list(split(data))


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_a_byte_order_mark_that_comes_a_byte_at_a_time_is_known(codec: str) -> None:
    data = "MSH|^~\\&|ü𝄞\rMSH|^~\\&|€".encode(codec)
    assert list(split_stream(SlowStream(data, 1))) == list(split(data))
    assert split_batch(data) == ["MSH|^~\\&|ü𝄞", "MSH|^~\\&|€"]


@pytest.mark.parametrize("chunk", range(1, 40))
def test_a_header_across_the_border_of_two_reads_is_found(chunk: int) -> None:
    data = b"\x0b" + A + b"\r\x1c\r\x0b" + B + b"\x1c\r\nBTS|2\r\n\xef\xbb\xbf" + A
    pieces = split_stream(SlowStream(data, chunk))
    assert [piece.content for piece in pieces if piece.kind == "message"] == [A, B, A]


def test_the_last_bytes_of_a_utf_16_file_that_are_no_character_are_kept() -> None:
    *_, last = split("MSH|^~\\&|A".encode("utf-16") + b"x")
    assert (last.kind, last.index, last.content) == ("unreadable", 1, b"x")


def test_what_follows_an_impossible_character_of_utf_32_is_kept() -> None:
    start = b"\xff\xfe\x00\x00" + "MSH|^~\\&|A".encode("utf-32-le")
    first, rest = split(start + b"\xff" * 6 + "\rMSH|^~\\&|B".encode("utf-32-le"))
    assert first.content.decode("utf-32-le") == "MSH|^~\\&|A"
    assert (rest.kind, rest.content) == ("unreadable", b"\xff" * 6 + "\rMSH|^~\\&|B".encode("utf-32-le"))


def test_memory_holds_a_few_chunks_and_not_the_file() -> None:
    message = (
        b"MSH|^~\\&|LAB\rPID|1||4711\r" + b"OBX|1|TX|C||some text of a rather long line of a rather long report\r" * 500
    )
    chunk = message[1000:] + message * 29 + message[:1000]
    tracemalloc.start()
    try:
        count = sum(1 for _ in split_stream(Generated(repeat(chunk, 60))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 1 + 30 * 60
    assert peak < 8 << 20


def test_memory_holds_a_large_message_only_a_few_times() -> None:
    size = 16 << 20
    chunks = chain([b"MSH|^~\\&|LAB\rOBX|1|ED|C||"], repeat(b"QUJD" * (1 << 18), size >> 20), [b"\r" + A])
    tracemalloc.start()
    try:
        lengths = [len(piece.content) for piece in split_stream(Generated(chunks))]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lengths[0] > size
    assert peak < 4 * size


@pytest.mark.parametrize(
    "between", [b"", b"\r", b"\n", b"\r\n", b"|"], ids=["nothing", "CR", "LF", "CRLF", "separator"]
)
def test_messages_that_run_together_are_told_apart(between: bytes) -> None:
    pieces = list(split(between.join([A, B, A]), run_together=True))
    assert [piece.content for piece in pieces] == [
        content + (between if between == b"|" and end < 2 else b"") for end, content in enumerate([A, B, A])
    ]
    step = len(A + between)
    assert [piece.offset for piece in pieces] == [0, step, 2 * step]


def test_messages_that_run_together_are_told_apart_in_utf_16_too() -> None:
    pieces = list(split((A + B).decode().encode("utf-16"), run_together=True))
    assert [piece.content.decode("utf-16-le").encode() for piece in pieces] == [A, B]


def test_a_batch_may_follow_a_message_without_a_line_end() -> None:
    batch = b"BHS|^~\\&|LAB\r" + B + b"\rBTS|1"
    kinds = [(piece.kind, piece.content) for piece in split(A + batch + A, run_together=True)]
    assert kinds[:3] == [("message", A), ("envelope", b"BHS|^~\\&|LAB"), ("message", B)]
    assert kinds[3:] == [("envelope", b"BTS|1"), ("message", A)]


@pytest.mark.parametrize(
    "text", [b"MSH", b"MSH|", b"MSH||||||", b"MSHA^~\\&A", b"see MSH-9", b"MSH|^~x", b"MSH^~\\&|", b"|MSH|^^^|"]
)
def test_only_a_whole_header_starts_a_message_in_the_middle_of_a_line(text: bytes) -> None:
    assert [piece.content for piece in split(A + text, run_together=True)] == [A + text]


@pytest.mark.parametrize("size", [1, 7, 16, 33])
def test_messages_that_run_together_are_told_apart_wherever_a_chunk_ends(size: int) -> None:
    pieces = split_stream(SlowStream((A + B) * 5, size), run_together=True)
    assert [piece.content for piece in pieces] == [A, B] * 5


def test_a_header_in_the_middle_of_a_line_starts_nothing_where_messages_do_not_run_together() -> None:
    assert [piece.content for piece in split(A + B)] == [A + B]


@pytest.mark.parametrize(
    "header", [b"MSH|^|", b"MSH|^~|", b"MSH|^~\\&|", b"MSH|^~\\&#|", b"MSH|^~\\&\rPID|1", b"MSH$%~\\&$"]
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a byte order mark"])
def test_every_header_that_the_parser_reads_starts_a_message_that_runs_together(header: bytes, mark: bytes) -> None:
    together = A + mark + header + mark + header
    assert [piece.content for piece in split(together, run_together=True)] == [A, header, header]


@given(
    st.lists(
        st.sampled_from([A, B, b"\xef\xbb\xbf" + A, A + b"\r", B + b"\r\n", b"MSH|^|", b"MSH|^~\\&\r"]), min_size=1
    )
)
def test_any_messages_run_together_are_as_many_messages(records: list[bytes]) -> None:
    pieces = list(split(b"".join(records), run_together=True))
    expected = [record.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n") for record in records]
    assert [piece.content for piece in pieces] == expected
