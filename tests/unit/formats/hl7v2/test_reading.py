"""Pieces of a file, read one by one."""

from __future__ import annotations

import gzip

from connector_lib.formats.hl7v2.reading import pieces_of, read_piece
from connector_lib.formats.hl7v2.split import split

LATIN = "MSH|^~\\&|LAB|||||||7||2.5||||||8859/1\rPID|1||1||Müller".encode("latin-1")
NO_SEPARATORS = b"MSH||LAB\rPID|1"
WRONGLY_DECLARED = "MSH|^~\\&|LAB|||||||7||2.5||||||UNICODE UTF-8\rPID|1||1||Müller".encode("latin-1")


def test_a_piece_that_is_a_message_comes_with_its_message_and_character_set() -> None:
    (piece,) = split(LATIN)
    read = read_piece(piece)
    assert read.message is not None
    assert (read.message.get("PID-5"), read.reason) == ("Müller", "")
    assert (read.charset, read.charset_problem) == ("iso8859-1", "")
    assert read.piece is piece


def test_what_is_odd_about_the_character_set_stands_in_the_message_too() -> None:
    read = read_piece(next(iter(split(WRONGLY_DECLARED))))
    assert read.message is not None
    assert read.message.charset_problem == read.charset_problem == "MSH-18 says utf-8, which these bytes are not"


def test_a_piece_that_is_no_message_comes_with_the_reason() -> None:
    outside, unreadable = map(read_piece, split(b"hello\r" + NO_SEPARATORS))
    assert outside.message is None
    assert outside.reason == "text outside every message: no MSH segment before it"
    assert unreadable.message is None
    assert unreadable.reason == "MSH-2, the encoding characters, is empty"


def test_pieces_as_plain_tuples_hold_the_text_of_a_message_or_the_bytes_of_what_is_none() -> None:
    content = b"hello\r" + NO_SEPARATORS + b"\r" + LATIN
    found = pieces_of(content)
    assert [(piece.message is None, piece.reason is None, piece.content is None) for piece in found] == [
        (True, False, False),
        (True, False, False),
        (False, True, True),
    ]
    assert found[2].message == LATIN.decode("latin-1")


def test_a_compressed_file_is_read_as_what_it_holds() -> None:
    assert pieces_of(gzip.compress(LATIN)) == pieces_of(LATIN)


def test_a_damaged_compressed_file_is_one_piece_with_its_bytes() -> None:
    damaged = gzip.compress(LATIN)[:-9]
    (piece,) = pieces_of(damaged)
    assert (piece.message, piece.reason, piece.content) == (None, "the gzip content is cut short", damaged)
