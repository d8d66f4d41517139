"""Input made to be slow, large or strange: every step takes time that grows with it only, nothing is lost.

Sizes are chosen so that an honest reading takes a fraction of a second and a quadratic one minutes.
"""

from __future__ import annotations

import json

import pytest

from connector_lib import parse, parse_message, split_batch
from connector_lib.formats.hl7v2.charset import decode
from connector_lib.formats.hl7v2.escapes import escape, make_unescape
from connector_lib.formats.hl7v2.split import split

HEADER = "MSH|^~\\&|A||||||ORU^R01|1|P|2.5"
MANY = 200_000

pytestmark = pytest.mark.timeout(8)

unescape = make_unescape("|", "^", "~", "\\", "&", "#", "utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "\\" * MANY,
        "\\a" * MANY,
        "\\X" * MANY,
        "\\.br" * MANY,
        "\\E\\F" * MANY,
        "\\" + "x" * MANY,
        "\\X" + "4" * MANY,
        "\\.sp" + "9" * MANY + "\\",
        "\\C2842" * MANY,
        "\\C2842\\é" * (MANY // 10),
        "\\M2442\\" * (MANY // 10),
    ],
    ids=lambda text: text[:8],
)
def test_escape_characters_without_end_cost_time_that_grows_with_them_only(text: str) -> None:
    assert isinstance(unescape(text), str)


def test_layout_escapes_cannot_blow_a_value_up() -> None:
    assert unescape("\\.sp999999999\\") == "\\.sp999999999\\"
    assert len(unescape("\\.sk10000\\")) == 10_000


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"\r" * MANY,
            b"\n" * MANY,
            b"\x1c" * MANY,
            b"\x0b" * MANY,
            b"\x1c\r" * MANY,
            b"\x1c\x0b" * MANY,
            b" \r" * MANY,
        ),
        *(
            b"MSH\r" * MANY,
            b"BTS|\r" * MANY,
            b"MSH" * MANY,
            b"\rMS" * MANY,
            b"\r\xef\xbb\xbf" * MANY,
            b"\x00" * MANY,
        ),
        *(
            b"MSH|^~\\&|" + b"\r" * MANY + b"x",
            b"MSH|^~\\&|" + b" \r" * MANY,
            b"MSH|^~\\&|" + b" " * MANY + b"\r" * MANY,
        ),
    ],
    ids=lambda data: repr(data[:14]),
)
def test_splitting_takes_time_that_grows_with_the_file_only(data: bytes) -> None:
    pieces = list(split(data))
    assert sum(len(piece.content) for piece in pieces) <= len(data)


@pytest.mark.parametrize(
    "body",
    [
        "\r" * MANY + "x",
        "\r" * MANY + "x\rPID|1",
        "\n" * MANY + "PID|1",
        " \r" * MANY + "x",
        " \r" * MANY,
        "\r" + " " * MANY + "x",
        "x\r\r" * MANY + "PID|1",
        "|" + "\x0b" * MANY,
    ],
    ids=repr,
)
def test_line_ends_without_end_cost_time_that_grows_with_them_only(body: str) -> None:
    message = parse(HEADER + body)
    assert message.segments[0].name == "MSH"
    assert message.to_text() == HEADER + body


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("OBX|1|ST|C||" + "a~" * MANY, 1),
        ("OBX|1|ST|C||" + "a^" * MANY, 1),
        ("OBX|1|ST|C||" + "a&" * MANY, 1),
        ("OBX|1|ST|C||" + "|" * MANY, 1),
        ("OBX|1|ST|C||" + "\\F\\" * MANY, 1),
        ("OBX|1|ST|C||x", 20_000),
        ("OBX|1|ST|C||\\F\\", 20_000),
        ("NTE|1||x", 20_000),
        ("OBX|1|ST|C||x\rNTE|1||y", 10_000),
        ("ORC|NW|1", 20_000),
        ("PID|1||x", 20_000),
        ("RXA|0|1\rOBX|1|ST|C||x", 10_000),
        ("ZXX|1", 20_000),
    ],
    ids=lambda value: str(value)[:16],
)
def test_records_of_large_messages_take_time_that_grows_with_them_only(line: str, count: int) -> None:
    text = "\r".join([HEADER, *[line] * count])
    assert all(json.loads(value) for name, value in parse_message(text).items() if value.startswith("["))
    assert sum(1 for _ in parse(text).walk()) > count


def test_all_takes_time_that_grows_with_the_repetitions_only() -> None:
    assert len(parse(HEADER + "\rOBX|1|ST|C||" + "a~" * MANY).all("OBX-5")) == MANY


def test_a_segment_of_many_megabytes_is_one_value() -> None:
    value = "QUJD" * (4 << 20)
    (text,) = split_batch(f"{HEADER}\rOBX|1|ED|C||^AP^^Base64^{value}\r")
    assert parse(text).get("OBX-5.5") == value


def test_encoding_characters_without_end_are_odd_and_no_more() -> None:
    message = parse("MSH|" + "^~\\&#" * MANY + "|A")
    assert message.delimiters.problem == "MSH-2 has more than five encoding characters"
    assert message.get("MSH-3") == "A"


@pytest.mark.parametrize(
    "character",
    ["\x00", "\x85", "\x0c", "\x1e", "\x1f", "\u2028", "\u2029", "\ufeff", "\ud800", "\U0001f600"],
)
def test_a_character_that_ends_lines_elsewhere_ends_nothing_here(character: str) -> None:
    text = f"{HEADER}\rNTE|1||a{character}PID|b{character}"
    message = parse(text)
    assert [segment.name for segment in message.segments] == ["MSH", "NTE"]
    assert message.get("NTE-3") == f"a{character}PID"
    assert message.get("NTE-4") == f"b{character}"
    assert json.loads(parse_message(text)["notes"])[0]["comment"] == f"a{character}PID"


def test_a_text_with_lone_surrogates_is_taken_apart_without_loss() -> None:
    text = f"{HEADER}\rNTE|1||\ud800\udc00 \udfff"
    assert split_batch(f"{text}\r{text}\r") == [text, text]


def test_names_of_fields_without_end_are_paths_like_any() -> None:
    message = parse(HEADER)
    assert message.get("MSH-" + "9" * 300) is None
    assert message.get("MSH[" + "9" * 300 + "]-9") is None


def test_a_charset_name_without_end_is_looked_up_and_not_found() -> None:
    content = b"MSH|^~\\&" + b"|" * 16 + b"x~" * MANY + b"\xff"
    assert decode(content).charset == "iso8859-1"


def test_escaping_a_long_value_takes_time_that_grows_with_it_only() -> None:
    assert len(escape("|^~\\&\r\n" * 50_000, "|", "^", "~", "\\", "&")) == 50_000 * (5 * 3 + 5)
