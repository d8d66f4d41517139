"""Bytes into text: byte order mark, MSH-18, UTF-8, Latin-1, in this order, and nothing lost."""

from __future__ import annotations

import codecs

import pytest

from connector_lib import parse, split_batch
from connector_lib.formats.hl7v2.charset import BYTE_ORDER_MARKS, CODECS, codec_for, declared_charset, decode

SAMPLES = {
    "8859/1": "é",
    "8859/2": "ő",
    "8859/3": "ĉ",
    "8859/4": "ķ",
    "8859/5": "Ж",
    "8859/6": "ع",
    "8859/7": "Ω",
    "8859/8": "ש",
    "8859/9": "ğ",
    "8859/15": "€",
    "ISO IR13": "ﾔ",
    "ISO IR14": "¥",
    "ISO IR87": "検",
    "ISO IR159": "佒",
    "GB 18030-2000": "检",
    "KS X 1001": "한",
    "BIG-5": "檢",
    "UNICODE UTF-8": "検",
    "UNICODE": "検",
}


def message(charset: str, value: str, separators: str = "|^~\\&") -> str:
    field = separators[0]
    return f"MSH{separators}".ljust(8) + field * 16 + charset + f"\rNTE{field}1{field}{field}{value}"


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_each_name_of_table_0211_reads_what_was_written_in_it(name: str) -> None:
    text = message(name, SAMPLES[name])
    codec = codec_for(name)
    assert codec is not None
    decoded = decode(text.encode(codec))
    assert (decoded.text, decoded.charset, decoded.problem) == (text, codec, "")


def test_every_codec_of_the_table_is_one_that_python_has() -> None:
    assert [codec for codec in CODECS.values() if codecs.lookup(codec) is None] == []


@pytest.mark.parametrize(
    "spelled", ["8859/1", "ISO-8859-1", "iso 8859-1", "ISO8859/1", "8859-1", " 8859/1 ", "8859/01"]
)
def test_senders_spellings_of_a_name_are_understood(spelled: str) -> None:
    assert codec_for(spelled) == "iso8859-1"


@pytest.mark.parametrize("separator", ["~", "\\", "+", "^", "*"])
def test_of_several_names_the_one_that_is_switched_to_within_the_text_counts(separator: str) -> None:
    assert codec_for(f"ASCII{separator}ISO IR87") == "iso2022_jp_ext"


def test_without_a_set_to_switch_to_the_first_name_counts() -> None:
    assert codec_for("8859/2~8859/5") == "iso8859-2"


def test_msh_18_is_read_with_the_separator_of_the_message() -> None:
    assert declared_charset(message("8859/7", "Ω", "$*%!@").encode("iso8859-7")) == "8859/7"


def test_the_byte_order_mark_goes_before_msh_18() -> None:
    text = message("8859/1", "é")
    decoded = decode(text.encode(), "utf-8")
    assert (decoded.text, decoded.charset, decoded.problem) == (text, "utf-8", "")


def test_a_wrong_byte_order_mark_is_said_and_msh_18_counts() -> None:
    text = message("8859/15", "€")
    decoded = decode(text.encode("iso8859-15"), "utf-8")
    assert (decoded.text, decoded.charset) == (text, "iso8859-15")
    assert decoded.problem == "the byte order mark says utf-8, which these bytes are not"


def test_msh_18_goes_before_utf_8() -> None:
    content = message("8859/1", "Ã©").encode("iso8859-1")
    assert decode(content).text.endswith("Ã©")


def test_bytes_that_the_declared_set_does_not_have_are_read_by_the_next() -> None:
    text = message("ISO IR87", "é")
    assert decode(text.encode("utf-8")).charset == "utf-8"
    assert decode(text.encode("latin-1")).charset == "iso8859-1"
    assert decode(text.encode("latin-1")).text == text
    assert decode(text.encode("latin-1")).problem == "MSH-18 says iso2022_jp_ext, which these bytes are not"


def test_without_a_declaration_utf_8_is_no_problem_and_latin_1_is_one() -> None:
    text = message("", "é")
    assert decode(text.encode()).problem == ""
    assert decode(text.encode("latin-1")).problem != ""


@pytest.mark.parametrize("byte", range(256))
def test_no_byte_is_replaced_or_dropped(byte: int) -> None:
    content = b"MSH|^~\\&|\xff" + bytes([byte]) + b"|x"
    assert decode(content).text.encode("latin-1") == content


def test_a_problem_does_not_repeat_what_the_sender_wrote() -> None:
    assert "DOE" not in decode(message("DOE^JANE", "x").encode()).problem


@pytest.mark.parametrize("before", [b"\x0b", b"\r\n", b"\n \n", b"\t"])
def test_parse_finds_the_declaration_behind_framing(before: bytes) -> None:
    found = parse(before + message("8859/15", "€").encode("iso8859-15"))
    assert (found.get("NTE-3"), found.charset, found.charset_problem) == ("€", "iso8859-15", "")


@pytest.mark.parametrize(("mark", "codec"), BYTE_ORDER_MARKS)
def test_parse_reads_bytes_by_their_own_byte_order_mark(mark: bytes, codec: str) -> None:
    found = parse(mark + message("8859/1", "€").encode(codec))
    assert (found.get("NTE-3"), found.charset) == ("€", codec)


def test_a_lone_surrogate_in_utf_16_loses_nothing() -> None:
    content = b"\xff\xfe" + message("", "x").encode("utf-16-le") + b"\x00\xd8" + "y".encode("utf-16-le")
    (text,) = split_batch(content)
    assert text.encode("latin-1") == content[2:]


def test_a_set_named_beside_ascii_reads_the_bytes_of_both() -> None:
    assert codec_for("ASCII~8859/2") == "iso8859-2"


def test_hexadecimal_bytes_of_a_decoded_text_are_in_the_set_that_msh_18_names() -> None:
    text = "MSH|^~\\&|||||||ACK|1|P|2.5||||||8859/2\rPID|1||\\XA3F3\\dz"
    assert parse(text).get("PID-3") == parse(text.encode("ascii")).get("PID-3") == "Łódz"
