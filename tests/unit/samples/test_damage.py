"""Damaged sample files: each one has the damage that its name says, looked at byte by byte."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest

from connector_lib.samples.hl7v2 import DAMAGES, FileRecord, write_files

SEGMENT = re.compile(rb"[A-Z][A-Z0-9]{2}\|")
Files = dict[str, tuple[bytes, FileRecord]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("damaged")
    manifest = write_files(folder, 0, seed=4, damage=list(DAMAGES), segment_bytes=50_000)
    return {file.damage: ((folder / file.name).read_bytes(), file) for file in manifest.files}


def lines(content: bytes, name: bytes = b"") -> list[bytes]:
    return [line for line in re.split(rb"[\r\n\x0b]+", content) if line and line.startswith(name)]


def fields(content: bytes, name: bytes, number: int) -> list[bytes]:
    return [(line.split(b"|") + [b""] * 30)[number] for line in lines(content, name)]


def test_every_kind_is_a_file_named_after_it(files: Files) -> None:
    assert list(files) == list(DAMAGES)
    assert all(file.name == f"damage-{kind}.hl7" for kind, (_, file) in files.items())


def test_there_are_twenty_four_kinds() -> None:
    assert len(DAMAGES) == 24


@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_the_manifest_counts_the_readable_headers(kind: str, files: Files) -> None:
    content, file = files[kind]
    readable = [
        line for line in lines(content, b"MSH") if re.match(rb"MSH\|\^[^|]*\|SAMPLE|MSH\|\^[^|]*\|[A-Z_]+\|", line)
    ]
    assert len(readable) == file.messages
    assert sum(file.families.values()) == file.messages


def test_empty_file(files: Files) -> None:
    assert files["empty-file"][0] == b""
    assert files["empty-file"][1].unreadable == 0


def test_binary_file(files: Files) -> None:
    content, file = files["binary-file"]
    assert b"MSH" not in content
    assert b"\0" in content
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")
    assert (file.messages, file.unreadable) == (0, 1)


def test_cut_message(files: Files) -> None:
    content, _ = files["cut-message"]
    inside = content.index(b"\rMSH", content.index(b"\rMSH") + 1)
    before = content[:inside].rpartition(b"\r")[2]
    assert before.startswith(b"OBX|")
    assert before.count(b"|") < 5
    assert content.rpartition(b"\r")[2].startswith(b"PID|")


def test_wrong_batch_counts(files: Files) -> None:
    content, _ = files["wrong-batch-counts"]
    assert fields(content, b"BTS", 1) == [b"5", b"0"]
    assert fields(content, b"FTS", 1) == [b"3"]
    assert len(lines(content, b"BHS")) == 2


def test_two_character_msh(files: Files) -> None:
    content, file = files["two-character-msh"]
    assert content.startswith(b"MS\rPID|")
    assert (file.messages, file.unreadable) == (2, 1)


def test_short_encoding_characters(files: Files) -> None:
    content, file = files["short-encoding-characters"]
    assert fields(content, b"MSH", 1) == [b"^~\\&", b"^~", b""]
    assert (file.messages, file.unreadable) == (2, 1)


@pytest.mark.parametrize(
    ("kind", "number", "value"),
    [("missing-message-type", 8, b""), ("missing-control-id", 9, b""), ("unknown-version", 11, b"9.9")],
)
def test_damaged_header_fields(kind: str, number: int, value: bytes, files: Files) -> None:
    values = fields(files[kind][0], b"MSH", number)
    assert len(values) == 3
    assert [each == value for each in values] == [False, True, False]


def test_invalid_timestamps(files: Files) -> None:
    content, _ = files["invalid-timestamps"]
    assert fields(content, b"MSH", 6)[1] == b"20231345"
    assert fields(content, b"PID", 7)[1] == b"31.02.1980"
    assert b"2023-02-01T10:00:00Z" in fields(content, b"OBR", 7)
    assert fields(content, b"OBX", 14).count(b"yesterday") == 1


def test_non_numeric_value(files: Files) -> None:
    numbers = [line.split(b"|")[5] for line in lines(files["non-numeric-value"][0], b"OBX") if b"|NM|" in line]
    assert [value for value in numbers if not re.fullmatch(rb"\d+(\.\d+)?", value)] == [b"12,5 approx"]


def test_unordered_set_ids(files: Files) -> None:
    ids = [int(value) for value in fields(files["unordered-set-ids"][0], b"OBX", 1)]
    assert any(ids[index : index + 3] == [7, 3, 3] for index in range(len(ids)))


def test_huge_segment_has_the_size_asked_for(files: Files) -> None:
    content, file = files["huge-segment"]
    longest = max(content.split(b"\r"), key=len)
    assert longest.startswith(b"OBX|")
    # With the line ends before and behind it.
    assert len(longest) + 2 == 50_000
    assert file.bytes == len(content)


def test_a_huge_segment_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    tracemalloc.start()
    write_files(tmp_path, 0, damage=["huge-segment"], segment_bytes=100_000_000)
    top = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert top < 8_000_000
    assert (tmp_path / "damage-huge-segment.hl7").stat().st_size > 100_000_000


def test_invalid_bytes(files: Files) -> None:
    first, second, third = (part for part in re.split(rb"(?:^|\r)(?=MSH\|)", files["invalid-bytes"][0]) if part)
    assert b"|UNICODE UTF-8" in first.split(b"\r")[0]
    with pytest.raises(UnicodeDecodeError):
        first.decode("utf-8")
    assert b"|ASCII" in second.split(b"\r")[0]
    assert not second.isascii()
    assert third.isascii()


def test_unknown_charset(files: Files) -> None:
    content, _ = files["unknown-charset"]
    assert [value for value in fields(content, b"MSH", 17) if value.strip()].count(b"SAMPLE-9999") == 1
    assert not content.isascii()


def test_text_before_message(files: Files) -> None:
    content, file = files["text-before-message"]
    assert content.index(b"MSH|") > 0
    assert content.startswith(b"Exported")
    assert file.unreadable == 1


def test_text_after_batch(files: Files) -> None:
    content, file = files["text-after-batch"]
    assert re.search(rb"\rBTS\|3\r[a-z][^\r]*\rFTS\|1\r\Z", content)
    assert file.unreadable == 1


def test_msh_in_value(files: Files) -> None:
    content, _ = files["msh-in-value"]
    assert content.count(b"MSH") > 3
    assert len(lines(content, b"MSH")) == 3


def test_line_break_in_value(files: Files) -> None:
    content, _ = files["line-break-in-value"]
    for line_break in (b"\n", b"\r", b"\r\n"):
        assert b"first line" + line_break + b"second line" in content
    assert sum(SEGMENT.match(line) is None for line in lines(content)) == 6


def test_dangling_escape(files: Files) -> None:
    notes = lines(files["dangling-escape"][0], b"NTE|9|")
    assert notes == [b"NTE|9|L|C:\\temp and \\F\\ then \\X0\\ and \\"]


def test_control_characters(files: Files) -> None:
    content, _ = files["control-characters"]
    assert all(bytes([number]) in content for number in (0x00, 0x07, 0x0B, 0x1B, 0x1C, 0x7F))


def test_blank_lines(files: Files) -> None:
    content, _ = files["blank-lines"]
    assert content.startswith(b"\r\n\r\nMSH|")
    assert b"\r\r" in content
    assert b"\r\n \t\r\n" in content


def test_mllp_without_end(files: Files) -> None:
    content, _ = files["mllp-without-end"]
    assert content.count(b"\x0bMSH|") == 3
    assert content.count(b"\x1c\r") == 1


def test_cut_character(files: Files) -> None:
    content, _ = files["cut-character"]
    with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
        content.decode("utf-8")
    assert content[:-1].decode("utf-8").endswith("caf")
