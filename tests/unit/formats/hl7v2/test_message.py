"""One message: what ``get``, ``all``, ``walk``, ``segments`` and ``to_text`` give."""

from __future__ import annotations

import pytest

from connector_lib import parse
from connector_lib.errors import HL7Error, ParseError, PathError

HEADER = "MSH|^~\\&|LAB^1.2.3^ISO|GHH|||20260102||ORU^R01^ORU_R01|77|P|2.5"
TEXT = "\r".join(
    [
        HEADER,
        'PID|1|""|123^^^GHH&1.2&ISO^MR~456^^^XYZ||DOE^JANE^^^^^L|  |""^x| F ',
        "OBX|1|NM|GLU^Glucose||98~99||||||F",
        "OBX|2|TX|TXT||",
        "OBX|3|TX|TXT||a\\T\\b~~c^d\\F\\e",
    ]
)
message = parse(TEXT)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("MSH-1", "|"),
        ("MSH-2", "^~\\&"),
        ("MSH-1.1", "|"),
        ("MSH-2.1.1", "^~\\&"),
        ("MSH-2[2]", None),
        ("MSH-2.2", None),
        ("MSH-3", "LAB^1.2.3^ISO"),
        ("MSH-3.2", "1.2.3"),
        ("MSH-4", "GHH"),
        ("MSH-9.3", "ORU_R01"),
        ("MSH-12", "2.5"),
        ("MSH-13", None),
        ("PID-1", "1"),
        ("PID-3", "123^^^GHH&1.2&ISO^MR"),
        ("PID-3[1]", "123^^^GHH&1.2&ISO^MR"),
        ("PID-3[2]", "456^^^XYZ"),
        ("PID-3[3]", None),
        ("PID-3.1", "123"),
        ("PID-3[2].1", "456"),
        ("PID-3.2", None),
        ("PID-3.4", "GHH&1.2&ISO"),
        ("PID-3.4.1", "GHH"),
        ("PID-3.4.3", "ISO"),
        ("PID-3.4.4", None),
        ("PID-3[2].4.1", "XYZ"),
        ("PID-3[2].4.2", None),
        ("PID-3.5", "MR"),
        ("PID-3.6", None),
        ("PID-4", None),
        ("PID-5.7", "L"),
        ("PID-99", None),
        ("PID[1]-5.1", "DOE"),
        ("PID[2]-5.1", None),
        ("OBX-5", "98"),
        ("OBX-5.1.1", "98"),
        ("OBX-5.2", None),
        ("OBX-5.1.2", None),
        ("OBX[1]-5[2]", "99"),
        ("OBX[2]-5", None),
        ("OBX[3]-5", "a&b"),
        ("OBX[3]-5[2]", None),
        ("OBX[3]-5[3].2", "d|e"),
        ("OBX[3]-5[3]", "c^d\\F\\e"),
        ("OBX[4]-5", None),
        ("ZZZ-1", None),
    ],
)
def test_a_path_gives_one_value_or_none(path: str, value: str | None) -> None:
    assert message.get(path) == value


def test_delete_this_value_is_told_apart_from_not_sent() -> None:
    assert message.get("PID-2") == '""'
    assert message.get("PID-7.1") == '""'
    assert message.get("PID-4") is None
    assert ("PID", 2, '""') in [(value.segment, value.field, value.value) for value in message.walk()]


def test_blanks_are_part_of_a_value() -> None:
    assert message.get("PID-6") == "  "
    assert message.get("PID-8") == " F "
    assert parse(HEADER + "\rNTE|1||text  \r\n").get("NTE-3") == "text  "


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "PID",
            "PID-",
            "-3",
            "PID-0",
            "PID-3[0]",
            "PID-3.0",
            "PID-3.1.0",
            "PID[0]-3",
            "PID-03",
            "PID-3.1.1.1",
        ),
        *(
            "pid-3",
            "PIDX-3",
            "PI-3",
            "PID3",
            "PID.3",
            "PID-3[1",
            "PID-3[]",
            "PID-3[-1]",
            "PID-3.1[2]",
            "PID--3",
        ),
        *("PID-x", " PID-3", "PID-3 ", "PID-3\n", "PID-3[1][2]", "PID-٣", "1ID-3", "PID-3.", "PID-3[1]."),
    ],
)
def test_a_path_that_cannot_be_understood_is_an_error_that_says_so(path: str) -> None:
    for ask in (message.get, message.all):
        with pytest.raises(PathError, match="is no place in an HL7 message"):
            ask(path)


def test_errors_of_paths_and_texts_are_value_errors() -> None:
    assert issubclass(PathError, HL7Error)
    assert issubclass(ParseError, HL7Error)
    assert issubclass(HL7Error, ValueError)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("OBX-5", ["98", "99", "a&b", "c^d\\F\\e"]),
        ("OBX-5.1", ["98", "99", "a&b", "c"]),
        ("OBX-5.2", ["d|e"]),
        ("OBX[1]-5", ["98", "99"]),
        ("OBX-5[1]", ["98", "a&b"]),
        ("OBX[3]-5[3].2", ["d|e"]),
        ("OBX-1", ["1", "2", "3"]),
        ("PID-3.4.1", ["GHH", "XYZ"]),
        ("PID-2", ['""']),
        ("PID-4", []),
        ("OBX[9]-1", []),
        ("ZZZ-1", []),
        ("MSH-2", ["^~\\&"]),
    ],
)
def test_all_gives_the_values_of_all_segments_and_repetitions_in_order(path: str, values: list[str]) -> None:
    assert message.all(path) == values


def test_walk_numbers_as_hl7_does_and_leaves_out_what_is_empty() -> None:
    text = "MSH|^~\\&|LAB|\rPID|||1^a&b~^^c&&d||\\H\\|\rOBX\rPID||x"
    assert [tuple(value) for value in parse(text).walk()] == [
        (0, "MSH", 1, 1, 1, 1, "|"),
        (0, "MSH", 2, 1, 1, 1, "^~\\&"),
        (0, "MSH", 3, 1, 1, 1, "LAB"),
        (1, "PID", 3, 1, 1, 1, "1"),
        (1, "PID", 3, 1, 2, 1, "a"),
        (1, "PID", 3, 1, 2, 2, "b"),
        (1, "PID", 3, 2, 3, 1, "c"),
        (1, "PID", 3, 2, 3, 3, "d"),
        (3, "PID", 2, 1, 1, 1, "x"),
    ]


def test_walk_names_what_it_gives() -> None:
    value = list(parse(HEADER + "\rPID|||7^A&B").walk())[-1]
    assert (value.segment_index, value.segment, value.field, value.repetition, value.component) == (
        1,
        "PID",
        3,
        1,
        2,
    )
    assert (value.subcomponent, value.value) == (2, "B")


def test_segments_stand_in_order_with_their_index_name_and_text() -> None:
    assert [(segment.index, segment.name) for segment in message.segments] == [
        (0, "MSH"),
        (1, "PID"),
        (2, "OBX"),
        (3, "OBX"),
        (4, "OBX"),
    ]
    assert [segment.text for segment in message.segments] == TEXT.split("\r")


def test_a_segment_gives_fields_as_sent_and_values_unescaped() -> None:
    segment = message.segments[4]
    assert len(segment) == 5
    assert segment.field(5) == "a\\T\\b~~c^d\\F\\e"
    assert segment.field(99) == ""
    assert segment.repetitions(5) == ["a\\T\\b", "", "c^d\\F\\e"]
    assert segment.repetitions(99) == []
    assert segment.get(5) == "a&b"
    assert segment.get(5, repetition=3, component=2) == "d|e"
    assert segment.get(5, repetition=4) is None
    assert message.segments[0].field(1) == "|"
    assert message.segments[0].get(2) == "^~\\&"
    assert message.segments[0].repetitions(2) == ["^~\\&"]


def test_a_representation_shows_no_value() -> None:
    assert repr(message) == "<Message of 5 segments>"
    assert repr(message.segments[1]) == "<Segment PID at 1, 8 fields>"


@pytest.mark.parametrize("version", ["2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8.2", "2.9"])
def test_every_version_is_read_alike(version: str) -> None:
    read = parse(f"MSH|^~\\&|A||||||ADT^A01|1|P|{version}\rPID|||1~2\rZXX|a")
    assert (read.get("MSH-12"), read.all("PID-3"), read.get("ZXX-1")) == (version, ["1", "2"], "a")


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT + "\r",
        TEXT.replace("\r", "\r\n") + "\r\n\r\n",
        TEXT.replace("\r", "\n\n"),
        "\ufeff" + TEXT,
        "\x0b" + TEXT + "\r\x1c\r",
        "\r\n \n" + TEXT + " \r \r",
        "MSH|^~\\&",
        "MSH|^~\\&|\x00\x1f\x85\u2028\ud800",
    ],
)
def test_to_text_gives_back_what_was_parsed_to_the_last_character(text: str) -> None:
    read = parse(text)
    assert list(read.walk()) != []
    assert read.to_text() == text


@pytest.mark.parametrize(
    "framing", ["\ufeff{}", "\x0b{}\r\x1c\r", "\x0b{}\x1c\r", "\r\n\r\n{}\r\n \t\r\n", "{}\n", "\x0b{}\x1c"]
)
def test_framing_and_blank_lines_around_a_message_are_no_part_of_its_values(framing: str) -> None:
    assert list(parse(framing.format(TEXT)).walk()) == list(message.walk())


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "\r", "M", "MSH", "MSH|", "MSH\r", "MSH\rPID|1", "MSH^", "msh|^~\\&", "PID|1\rMSH|^~\\&"),
        *("MSHA^~\\&", "MSH ^~\\&", "MSH0", "MSH||a", "MSH|\r", "MSH|LAB|x", "MSH|^~\\& |x", "MSH|^~é|x"),
        *("FHS|^~\\&", "BHS|^~\\&|A\rMSH|^~\\&|B", "{}", "<ORU/>"),
    ],
)
def test_a_text_without_a_readable_header_is_refused_with_a_hint_and_without_its_values(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert caught.value.hint
    assert "LAB" not in str(caught.value)


@pytest.mark.parametrize(
    ("encoding_characters", "problem"),
    [
        ("^~\\&", ""),
        ("^~\\&#", ""),
        ("^", "fewer than four"),
        ("^~", "fewer than four"),
        ("^~\\", "fewer than four"),
        ("^^\\&", "twice"),
        ("^~\\\\&", "twice"),
        ("^~\\&#%", "more than five"),
    ],
)
def test_what_is_odd_about_msh_2_is_said(encoding_characters: str, problem: str) -> None:
    found = parse(f"MSH|{encoding_characters}|A").delimiters.problem
    assert problem in found
    assert bool(found) == bool(problem)


def test_a_second_header_in_the_text_is_a_segment_like_all_others() -> None:
    read = parse("MSH|^~\\&|A\rMSH|^~\\&|B")
    assert read.all("MSH-3") == ["A", "B"]
    assert read.get("MSH[2]-2") == "^~\\&"


def test_a_segment_without_fields_is_a_segment() -> None:
    read = parse("MSH|^~\\&|A\rPV1\rOBX|1")
    assert [(segment.name, len(segment)) for segment in read.segments] == [
        ("MSH", 2 + 1),
        ("PV1", 0),
        ("OBX", 1),
    ]


def test_three_capitals_alone_on_a_line_are_text_when_text_follows() -> None:
    read = parse("MSH|^~\\&|A\rNTE|1||first\rWBC\rnormal\rOBX|1")
    assert [segment.name for segment in read.segments] == ["MSH", "NTE", "OBX"]
    assert read.get("NTE-3") == "first\rWBC\rnormal"


@pytest.mark.parametrize(("repetition", "component"), [(0, 1), (-1, 1), (1, -1)])
def test_there_is_no_repetition_or_component_below_one(repetition: int, component: int) -> None:
    assert message.segments[1].get(3, repetition, component) is None


@pytest.mark.parametrize("line", ["pid|1", "PI|1", "PIDX|1", " PID|1", "PID^1", "P D|1", "1PD|1", "|PID", "ÄÖÜ|1"])
def test_a_line_that_does_not_start_with_a_segment_name_belongs_to_the_value_before_it(line: str) -> None:
    read = parse(f"MSH|^~\\&|A\rNTE|1||first\r{line}\rNTE|2")
    assert [segment.text for segment in read.segments[1:]] == [f"NTE|1||first\r{line}", "NTE|2"]


def test_bytes_are_read_in_the_character_set_that_they_declare() -> None:
    read = parse("MSH|^~\\&|||||||ACK|1|P|2.5||||||8859/15\rNTE|1||€".encode("iso8859-15"))
    assert (read.get("NTE-3"), read.charset, read.charset_problem) == ("€", "iso8859-15", "")
