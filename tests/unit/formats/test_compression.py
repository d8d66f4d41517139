"""Content compressed with gzip."""

from __future__ import annotations

import gzip
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.errors import ParseError
from connector_lib.formats.compression import decompressed


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_all_members_of_a_gzip_file_are_read(parts: list[bytes]) -> None:
    assert decompressed(b"".join(map(gzip.compress, parts))) == b"".join(parts)


def test_what_is_not_gzip_comes_back_as_it_is() -> None:
    assert decompressed(b"MSH|^~\\&|") == b"MSH|^~\\&|"


def test_zeros_behind_a_member_are_padding() -> None:
    assert decompressed(gzip.compress(b"a") + b"\x00" * 9) == b"a"


def test_a_file_cut_short_is_refused() -> None:
    with pytest.raises(ParseError, match="cut short"):
        decompressed(gzip.compress(b"MSH" * 1000)[:-4])


@pytest.mark.parametrize("damage", [b"\x1f\x8b\xff\xff", gzip.compress(b"a") + b"rest"], ids=["header", "behind"])
def test_damage_is_refused(damage: bytes) -> None:
    with pytest.raises(ParseError, match="damaged"):
        decompressed(damage)


def test_a_wrong_checksum_is_refused() -> None:
    content = bytearray(gzip.compress(b"MSH" * 1000))
    content[-6] ^= 1
    with pytest.raises(ParseError, match="damaged"):
        decompressed(bytes(content))


def test_content_beyond_the_limit_is_refused_without_being_read_whole() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    with pytest.raises(ParseError, match="more than 1,000 bytes"):
        decompressed(bomb, 1_000)
    assert len(decompressed(bomb, 10_000_000)) == 10_000_000


def test_a_file_of_very_many_small_members_is_read_in_the_time_of_its_size() -> None:
    def seconds(members: int) -> float:
        content = gzip.compress(b"MSH|^~") * members
        started = time.process_time()
        assert len(decompressed(content)) == 6 * members
        return time.process_time() - started

    few = min(seconds(2_000) for _ in range(3))
    assert min(seconds(40_000) for _ in range(2)) < 20 * few * 4
