"""Whole files, one form each: what comes out of ``tests/data/hl7v2``."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from connector_lib import parse, split_batch
from connector_lib.errors import ParseError
from connector_lib.formats.hl7v2.charset import decode
from connector_lib.formats.hl7v2.message import Message
from connector_lib.formats.hl7v2.split import split

A = "MSH|^~\\&|LAB|GHH||||||A|P|2.5\rPID|1||A"


def messages_of(path: Path) -> list[Message]:
    pieces = [piece for piece in split(path.read_bytes()) if piece.kind == "message"]
    decoded = [decode(piece.content, piece.charset) for piece in pieces]
    return [parse(each.text, each.charset) for each in decoded]


def kinds_of(path: Path) -> str:
    """Its pieces in order, one letter each: message, unreadable, envelope."""
    return "".join(piece.kind[0] for piece in split(path.read_bytes()))


def test_every_file_is_what_the_script_beside_it_writes(files: Path) -> None:
    written = runpy.run_path(str(files / "write_files.py"))["FILES"]
    assert {path.name: path.read_bytes() for path in files.glob("*.hl7")} == written


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("ends_cr.hl7", "mm"),
        ("ends_lf.hl7", "mm"),
        ("ends_crlf.hl7", "mm"),
        ("ends_mixed.hl7", "mmm"),
        ("ends_missing_at_the_end.hl7", "mm"),
        ("blank_lines.hl7", "mm"),
        ("batch_in_file.hl7", "eemmee"),
        ("batch_two_in_file.hl7", "eemeemmee"),
        ("batch_without_file.hl7", "eme"),
        ("batch_with_wrong_count.hl7", "eme"),
        ("batch_of_nothing.hl7", "eeee"),
        ("text_after_bts.hl7", "emeu"),
        ("mllp_one_frame.hl7", "m"),
        ("mllp_several_frames.hl7", "mmm"),
        ("mllp_without_end_block.hl7", "mm"),
        ("mllp_without_line_end_behind_end_block.hl7", "mm"),
        ("mllp_junk_between_frames.hl7", "mum"),
        ("mllp_batch.hl7", "eme"),
        ("text_before_first_msh.hl7", "um"),
        ("msh_in_the_middle_of_a_line.hl7", "mm"),
        ("msh_starts_a_line_of_a_value.hl7", "mm"),
        ("line_break_in_value.hl7", "m"),
        ("other_controls_in_value.hl7", "m"),
        ("z_segments.hl7", "m"),
        ("empty.hl7", ""),
        ("only_line_ends.hl7", ""),
        ("binary.hl7", "u"),
        ("half_a_message.hl7", "mm"),
        ("msh_alone.hl7", "m"),
        ("msh_and_separator.hl7", "m"),
        ("msh_and_separators.hl7", "m"),
        ("msh_without_separators.hl7", "m"),
        ("no_msh.hl7", "u"),
        ("ctrl_z_at_the_end.hl7", "m"),
    ],
)
def test_a_file_is_taken_apart_into_its_messages_its_envelope_and_what_is_neither(
    files: Path, name: str, kinds: str
) -> None:
    assert kinds_of(files / name) == kinds


@pytest.mark.parametrize("ends", ["cr", "lf", "crlf", "mixed", "missing_at_the_end"])
def test_the_line_ends_of_a_file_make_no_difference_to_its_values(files: Path, ends: str) -> None:
    first, second = messages_of(files / f"ends_{ends}.hl7")[:2]
    assert (first.get("MSH-10"), second.get("MSH-10")) == ("1", "2")
    assert [segment.name for segment in second.segments] == ["MSH", "PID", "OBR", "OBX", "NTE"]
    assert list(second.walk())[-1].value == "fasting"


def test_blank_lines_are_no_segments(files: Path) -> None:
    assert [[segment.name for segment in message.segments] for message in messages_of(files / "blank_lines.hl7")] == [
        ["MSH", "PID"],
        ["MSH", "PID"],
    ]


@pytest.mark.parametrize(
    ("name", "charset", "problem", "family_name", "note"),
    [
        ("8859_1", "iso8859-1", "", "Müller", "für 5 £"),
        ("8859_15", "iso8859-15", "", "Œuvrard", "5 €"),
        ("iso_ir_87", "iso2022_jp_ext", "", "山田", "検査"),
        ("iso_ir_13_and_87", "iso2022_jp_ext", "", "ﾔﾏﾀﾞ", "検査"),
        ("ascii_with_utf_8_bytes", "utf-8", "MSH-18 says ascii", "Müller", "note"),
        ("ascii_with_latin_1_bytes", "iso8859-1", "MSH-18 says ascii", "Müller", "note"),
        ("undeclared_latin_1", "iso8859-1", "names no character set", "Müller", "note"),
        ("unknown", "utf-8", "cannot be read here", "Müller", "note"),
        ("utf_8_mark", "utf-8", "", "Müller", "€"),
        ("utf_8_mark_in_front_of_8859_1", "utf-8", "", "Müller", "€"),
        ("utf_16_le", "utf-16-le", "", "Müller", "€"),
        ("utf_16_be", "utf-16-be", "", "Müller", "€"),
        ("utf_16_le_without_mark", "utf-16-le", "", "Müller", "€"),
    ],
)
def test_each_character_set_gives_its_text_and_says_when_the_declared_one_was_wrong(
    files: Path, name: str, charset: str, problem: str, family_name: str, note: str
) -> None:
    (piece,) = split((files / f"charset_{name}.hl7").read_bytes())
    decoded = decode(piece.content, piece.charset)
    message = parse(decoded.text, decoded.charset)
    assert decoded.charset == charset
    assert problem in decoded.problem
    assert bool(problem) == bool(decoded.problem)
    assert (message.get("PID-5.1"), message.get("NTE-3")) == (family_name, note)


def test_each_message_of_a_file_is_read_in_its_own_character_set(files: Path) -> None:
    messages = messages_of(files / "charset_differs_by_message.hl7")
    assert [message.get("PID-5.1") for message in messages] == ["Müller", "Иванов", "Ωmega"]


@pytest.mark.parametrize("path", ["batch_in_file.hl7", "mllp_several_frames.hl7", "mllp_without_end_block.hl7"])
def test_batches_and_frames_leave_nothing_on_the_messages_in_them(files: Path, path: str) -> None:
    assert split_batch((files / path).read_bytes())[0] == A


def test_text_outside_messages_has_its_place_among_them(files: Path) -> None:
    pieces = list(split((files / "mllp_junk_between_frames.hl7").read_bytes()))
    assert [(piece.index, piece.kind) for piece in pieces] == [
        (0, "message"),
        (1, "unreadable"),
        (2, "message"),
    ]
    assert pieces[1].content.strip() == b"keep-alive"


def test_text_before_the_first_msh_is_kept_whole(files: Path) -> None:
    first, _ = split((files / "text_before_first_msh.hl7").read_bytes())
    assert first.content.strip() == b"exported 2026-01-02\r\nby the night run"


def test_a_binary_file_is_kept_to_the_last_byte(files: Path) -> None:
    content = (files / "binary.hl7").read_bytes()
    assert b"".join(piece.content for piece in split(content)) == content


def test_separators_come_from_the_header(files: Path) -> None:
    (message,) = messages_of(files / "separators_custom.hl7")
    assert message.get("MSH-9.2") == "A01"
    assert message.get("PID-3[1].2.2") == "3"
    assert message.get("PID-3[2].1") == "4"
    assert message.get("PID-5") == "O$Hara*"


def test_the_fifth_encoding_character_is_the_truncation_character(files: Path) -> None:
    (message,) = messages_of(files / "separators_five.hl7")
    assert message.delimiters.truncation == "#"
    assert message.get("NTE-3") == "#1"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("one", [(1, 1, "1"), (1, 2, "2~3&4\\F\\")]),
        ("two", [(1, 1, "1"), (1, 2, "2"), (2, 1, "3&4\\F\\")]),
        ("three", [(1, 1, "1"), (1, 2, "2"), (2, 1, "3&4|")]),
    ],
)
def test_a_separator_that_a_short_msh_2_leaves_out_separates_nothing(
    files: Path, name: str, values: list[tuple[int, int, str]]
) -> None:
    (message,) = messages_of(files / f"separators_{name}.hl7")
    found = [(v.repetition, v.component, v.value) for v in message.walk() if (v.segment, v.field) == ("PID", 3)]
    assert found == values
    assert message.delimiters.problem == "MSH-2 has fewer than four encoding characters"


def test_segments_of_a_site_are_read_as_all_others(files: Path) -> None:
    (message,) = messages_of(files / "z_segments.hl7")
    assert [segment.name for segment in message.segments] == ["MSH", "PID", "ZPI", "Z01", "ZZ9"]
    assert message.get("ZPI-2[1].2") == "b"
    assert message.get("ZPI-3") == "&"
    assert message.get("ZZ9-2") == "x"


def test_msh_inside_a_line_starts_no_message(files: Path) -> None:
    first, second = messages_of(files / "msh_in_the_middle_of_a_line.hl7")
    assert first.segments[-1].text == "NTE|1||see MSH|^~\\&|OLD and MSH"
    assert second.get("MSH-10") == "B"


def test_a_line_that_only_begins_with_the_letters_msh_starts_no_message(files: Path) -> None:
    first, _ = messages_of(files / "msh_starts_a_line_of_a_value.hl7")
    assert first.get("NTE-3") == "first line\rMSH is a segment\rMSHX"


def test_a_line_break_inside_a_value_stays_in_it(files: Path) -> None:
    (message,) = messages_of(files / "line_break_in_value.hl7")
    assert message.segments[2].text == "NTE|1||first\nsecond, with | in it\n\nfourth"
    assert message.segments[3].text == "NTE|2||next"


def test_only_cr_and_lf_end_a_segment(files: Path) -> None:
    (message,) = messages_of(files / "other_controls_in_value.hl7")
    assert message.get("NTE-3") == "a\x85b\x0cc\u2028d\x1ee\x00f"


def test_what_was_sent_of_half_a_message_is_read(files: Path) -> None:
    _, half = messages_of(files / "half_a_message.hl7")
    assert half.get("MSH-3") == "LAB"
    assert half.get("PID-1") is None


@pytest.mark.parametrize("name", ["msh_alone.hl7", "msh_and_separator.hl7", "msh_without_separators.hl7", "no_msh.hl7"])
def test_a_text_without_a_readable_header_is_an_element_that_parse_refuses(files: Path, name: str) -> None:
    (text,) = split_batch((files / name).read_bytes())
    with pytest.raises(ParseError):
        parse(text)


def test_a_header_with_separators_alone_is_a_message(files: Path) -> None:
    (message,) = messages_of(files / "msh_and_separators.hl7")
    assert [value[1:] for value in message.walk()] == [("MSH", 1, 1, 1, 1, "|"), ("MSH", 2, 1, 1, 1, "^~\\&")]


def test_ctrl_z_behind_the_last_line_is_not_part_of_the_message(files: Path) -> None:
    assert split_batch((files / "ctrl_z_at_the_end.hl7").read_bytes()) == [A]
