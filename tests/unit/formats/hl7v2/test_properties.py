"""What holds for every message, tried on random ones."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from connector_lib import parse, parse_message, split_batch
from connector_lib.formats.hl7v2.charset import decode
from connector_lib.formats.hl7v2.escapes import escape, make_unescape
from connector_lib.formats.hl7v2.groups import groups, parents
from connector_lib.formats.hl7v2.message import Message
from connector_lib.formats.hl7v2.record_types import NESTED, SCALARS
from connector_lib.formats.hl7v2.records import nested_records
from connector_lib.formats.hl7v2.split import Piece, split, split_stream

SEPARATORS = "|^~\\&#!$%*+,-./:;<=>?@[]`{}()'\""
NAMES = sorted(
    {
        *SCALARS,
        *(name for record_type in NESTED.values() for name in record_type.columns),
        "ZXX",
        "Z01",
        "ACC",
    }
)

separators = st.permutations(SEPARATORS).flatmap(
    lambda each: st.sampled_from([4, 5]).map(lambda n: "".join(each[: n + 1]))
)
values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12)
"""Any text on one line, control characters and all."""


@dataclass
class Written:
    """A message made of known values."""

    separators: str
    places: dict[tuple[int, str, int, int, int, int], str] = field(default_factory=dict)
    text: str = ""


@st.composite
def messages(draw: st.DrawFn) -> Written:
    """Segments of random names, fields, repetitions, components and subcomponents, values escaped."""
    marks = draw(separators)
    written = Written(marks)
    between_fields, between_components, between_repetitions = marks[0], marks[1], marks[2]
    between_subcomponents = marks[4]
    names = ["MSH", *draw(st.lists(st.sampled_from(NAMES).filter(lambda name: name != "MSH"), max_size=6))]
    nested = st.lists(
        st.lists(st.lists(values, min_size=1, max_size=2), min_size=1, max_size=3), min_size=1, max_size=2
    )
    lines = []
    for index, name in enumerate(names):
        fields = []
        start = 3 if name == "MSH" else 1
        for number, repetitions in enumerate(draw(st.lists(nested, max_size=5)), start=start):
            texts = []
            for repetition, components in enumerate(repetitions, start=1):
                parts = []
                for component, subcomponents in enumerate(components, start=1):
                    for subcomponent, value in enumerate(subcomponents, start=1):
                        if value:
                            written.places[index, name, number, repetition, component, subcomponent] = value
                    parts.append(between_subcomponents.join(escape(value, *marks[:5]) for value in subcomponents))
                texts.append(between_components.join(parts))
            fields.append(between_repetitions.join(texts))
        head = [f"MSH{between_fields}{marks[1:]}"] if name == "MSH" else [name]
        lines.append(between_fields.join(head + fields))
    written.places[0, "MSH", 1, 1, 1, 1] = between_fields
    written.places[0, "MSH", 2, 1, 1, 1] = marks[1:]
    written.text = "\r".join(lines)
    return written


raw_lines = st.tuples(
    st.sampled_from(NAMES), st.text(st.sampled_from('|^~\\&TFE.brX41Z"é \x1c\x0b\u2028\t'), max_size=30)
)


@st.composite
def raw_messages(draw: st.DrawFn) -> str:
    """Text as senders send it: any number of separators anywhere, escapes whole and broken."""
    lines = [f"{name}|{text}" for name, text in draw(st.lists(raw_lines, max_size=8)) if name != "MSH"]
    return "\r".join(["MSH|^~\\&|" + draw(values), *lines])


def inside(text: str) -> str:
    """A message that ends and starts nothing by the control characters in it."""
    return text.replace("\x1c", "").replace("\x0b", "").replace("\x1a", "")


def path_of(occurrence: int, place: tuple[int, str, int, int, int, int]) -> str:
    _, name, number, repetition, component, subcomponent = place
    return f"{name}[{occurrence}]-{number}[{repetition}].{component}.{subcomponent}"


def occurrences(message: Message) -> list[int]:
    """For each segment which one of its name it is, from 1."""
    names = [segment.name for segment in message.segments]
    return [names[: index + 1].count(name) for index, name in enumerate(names)]


# A block end of MLLP behind the last value is framing.
written_messages = messages().filter(lambda written: not written.text.endswith("\x1c"))


@given(written_messages)
def test_walk_finds_exactly_the_values_that_were_put_in(written: Written) -> None:
    assert {tuple(value[:6]): value[6] for value in parse(written.text).walk()} == written.places


@given(written_messages)
def test_get_finds_each_value_where_it_was_put(written: Written) -> None:
    message = parse(written.text)
    of = occurrences(message)
    assert {place: message.get(path_of(of[place[0]], place)) for place in written.places} == written.places


@given(raw_messages())
def test_get_and_walk_agree(text: str) -> None:
    message = parse(text)
    of = occurrences(message)
    for index, name, number, repetition, component, subcomponent, value in message.walk():
        place = (index, name, number, repetition, component, subcomponent)
        assert message.get(path_of(of[index], place)) == value
        assert message.segments[index].get(number, repetition, component, subcomponent) == value


@given(raw_messages())
def test_all_gives_what_get_gives_for_every_repetition(text: str) -> None:
    message = parse(text)
    of = occurrences(message)
    for name in {segment.name for segment in message.segments}:
        found = [
            message.get(f"{name}[{of[segment.index]}]-3[{repetition}]")
            for segment in message.segments
            if segment.name == name
            for repetition in range(1, max(1, len(segment.repetitions(3))) + 1)
        ]
        assert message.all(f"{name}-3") == [value for value in found if value is not None]


@given(
    raw_messages(),
    st.sampled_from(["", "\r", "\r\n", "\n\n", " \r"]),
    st.sampled_from(["", "\ufeff", "\x0b", "\r\n"]),
)
def test_every_message_survives_parse_and_to_text(text: str, after: str, before: str) -> None:
    message = parse(before + text + after)
    list(message.walk())
    assert message.to_text() == before + text + after


@given(st.text(), st.sampled_from(["", "\x0b", "\ufeff"]))
def test_any_text_behind_a_header_survives_parse_and_to_text(text: str, before: str) -> None:
    message = parse(f"{before}MSH|^~\\&|{text}")
    assert len(list(message.walk())) >= 2
    assert message.to_text() == f"{before}MSH|^~\\&|{text}"
    parse_message(f"{before}MSH|^~\\&|{text}")


@given(raw_messages().map(inside))
def test_the_segments_joined_again_are_the_message(text: str) -> None:
    message = parse(text)
    assert "\r".join(segment.text for segment in message.segments) == text.rstrip("\r")


@given(separators, values)
def test_escaping_and_unescaping_gives_the_value_back(marks: str, value: str) -> None:
    sent = escape(value, *marks[:5])
    assert not set(sent) & {marks[0], marks[1], marks[2], marks[4]}
    unescape = make_unescape(marks[0], marks[1], marks[2], marks[3], marks[4], marks[5:], "utf-8")
    assert unescape(sent) == value


@given(
    st.text(st.sampled_from("\\FSTREPXHNZCM.brskpin0123456789ABCDEF é"), max_size=60),
    st.sampled_from(["utf-8", "ascii"]),
)
def test_unescaping_never_fails(value: str, charset: str) -> None:
    assert isinstance(make_unescape("|", "^", "~", "\\", "&", "", charset)(value), str)


@given(raw_messages())
def test_bytes_and_text_are_read_alike(text: str) -> None:
    assert list(parse(text.encode()).walk()) == list(parse(text).walk())
    assert parse_message(text.encode()) == parse_message(text)
    assert split_batch(text.encode()) == split_batch(text)


ENVELOPES = ["", "BHS|^~\\&|LAB", "BTS|2", "FHS|^~\\&", "FTS|1"]


@given(
    st.lists(raw_messages().map(inside), min_size=1, max_size=5),
    st.sampled_from(["\r", "\n", "\r\n", "\n\r\n"]),
    st.sampled_from([("", ""), ("\x0b", "\r\x1c\r"), ("\x0b", "\x1c\r\n"), ("", "\r\n \r\n"), ("\x0b", "\r")]),
    st.lists(st.sampled_from(ENVELOPES), min_size=5, max_size=5),
    st.booleans(),
)
def test_messages_joined_in_any_framing_come_back(
    texts: list[str], end: str, frame: tuple[str, str], envelopes: list[str], marked: bool
) -> None:
    texts = [text.rstrip("\r").replace("\r", end) for text in texts]
    joined = "\ufeff" * marked
    for text, envelope in zip(texts, envelopes, strict=False):
        joined += (envelope + end) * bool(envelope) + frame[0] + text + (frame[1] or end)
    assert split_batch(joined) == texts
    assert split_batch(joined.encode()) == texts


HEADERS = [b"MSH", b"MSH|^~\\&|A\r", b"\x0bMSH|", b"FHS|", b"BHS", b"BTS|1", b"FTS\r", b"PID|1"]
MARKS = [
    b"|",
    b"^~\\&",
    b"\r",
    b"\n",
    b"\r\n",
    b"\x0b",
    b"\x1c",
    b"\x1a",
    b" ",
    b"x",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
]
fragments = st.sampled_from([*HEADERS, *MARKS, b"\x00", b"\xe9"])
debris = st.one_of(st.lists(fragments, max_size=25).map(b"".join), st.binary(max_size=40))


class SlowStream(io.BytesIO):
    """Gives as many bytes a read as its list of sizes says, then one at a time."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        super().__init__(content)
        self._sizes = iter(sizes)

    def read(self, size: int | None = -1) -> bytes:
        return super().read(next(self._sizes, 1))


@given(debris, st.lists(st.integers(1, 30), max_size=20))
def test_how_a_stream_is_read_never_changes_the_pieces(data: bytes, sizes: list[int]) -> None:
    assert list(split_stream(SlowStream(data, sizes))) == list(split(data))


@given(
    debris,
    st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]),
    st.lists(st.integers(1, 9), max_size=9),
)
def test_wide_characters_are_never_lost(data: bytes, codec: str, sizes: list[int]) -> None:
    marked = "\ufeff".encode(codec) + data
    pieces = list(split(marked))
    assert list(split_stream(SlowStream(marked, sizes))) == pieces
    assert not_in_pieces(data, pieces).strip(b"\x00 \t\r\n\x0b\x1c\x1a\xff\xfe") == b""


def not_in_pieces(data: bytes, pieces: list[Piece]) -> bytes:
    """What is left of the data when the pieces are taken out, one behind the other."""
    left = b""
    for piece in pieces:
        before, found, data = data.partition(piece.content)
        assert found == piece.content
        left += before
    return left + data


@given(
    debris.filter(lambda data: not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff", b"M\x00", b"\x00M")))
)
def test_nothing_but_framing_line_ends_and_blanks_stands_outside_the_pieces(data: bytes) -> None:
    pieces = list(split(data))
    position = 0
    outside = b""
    for piece in pieces:
        assert data[piece.offset :].startswith(piece.content)
        assert piece.offset >= position
        outside += data[position : piece.offset]
        position = piece.offset + len(piece.content)
    outside += data[position:]
    assert outside.replace(b"\xef\xbb\xbf", b"").strip(b" \t\r\n\x0b\x1c\x1a") == b""


@given(debris)
def test_pieces_are_numbered_without_gaps(data: bytes) -> None:
    assert [piece.index for piece in split(data) if piece.kind != "envelope"] == list(range(len(split_batch(data))))


@given(st.binary(max_size=60), st.sampled_from(["", "utf-8", "utf-16-le", "utf-32-be"]))
def test_decoding_never_fails_and_says_how(data: bytes, marked: str) -> None:
    decoded = decode(data, marked)
    assert "\ufffd" not in decoded.text or "\ufffd".encode(decoded.charset) in data
    assert decoded.text.encode(decoded.charset) in data or data.startswith((b"\x0b", b"\r"))


@given(st.lists(st.sampled_from(NAMES), max_size=30))
def test_a_segment_belongs_to_an_earlier_one_or_to_none(names: list[str]) -> None:
    assert all(-1 <= owner < index for index, owner in enumerate(parents(names)))


@given(raw_messages())
def test_the_tree_of_groups_holds_every_segment_once(text: str) -> None:
    message = parse(text)
    left, seen = list(groups(message)), []
    while left:
        group = left.pop()
        seen.append(group.segment.index)
        left += group.children
    assert sorted(seen) == list(range(len(message.segments)))


@given(st.one_of(raw_messages(), messages().map(lambda written: written.text)))
def test_nested_json_is_the_nested_records(text: str) -> None:
    flat = parse_message(text)
    nested = nested_records(parse(text))
    assert {name: json.loads(flat[name]) for name in NESTED if name in flat} == nested
    assert all(value for value in flat.values())


@given(st.one_of(raw_messages(), messages().map(lambda written: written.text)))
def test_scalars_are_what_get_gives(text: str) -> None:
    message, flat = parse(text), parse_message(text)
    for segment, columns in SCALARS.items():
        for name, number, component in columns:
            if name != "patient_id":
                assert flat.get(name) == message.get(f"{segment}-{number}" + f".{component}.1" * bool(component)), name


@given(st.one_of(raw_messages(), messages().map(lambda written: written.text)))
def test_observations_are_what_get_gives(text: str) -> None:
    message = parse(text)
    found = nested_records(message).get("observations", [])
    assert [record["segment_index"] for record in found] == [
        str(segment.index) for segment in message.segments if segment.name == "OBX"
    ]
    for number, record in enumerate(found, start=1):
        for name, position, component in NESTED["observations"].columns["OBX"]:
            expected = message.get(f"OBX[{number}]-{position}" + f".{component}.1" * bool(component))
            assert record.get(name) == expected, name
