"""The counts of BTS and FTS, and envelope segments without their partner."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.formats.hl7v2.split import split
from connector_lib.validators import EnvelopeCheck, Finding

MESSAGE = "MSH|^~\\&|LAB||||||ACK|1|P|2.5\rMSA|AA|1"
FILE_HEADER, BATCH_HEADER = "FHS|^~\\&|LAB", "BHS|^~\\&|LAB"


def findings(*segments: str, encoding: str = "utf-8") -> list[Finding]:
    check = EnvelopeCheck()
    data = "\r".join(segments).encode(encoding)
    return [finding for piece in split(data) for finding in check.piece(piece)] + check.end()


def found(*segments: str, encoding: str = "utf-8") -> list[tuple[str, str]]:
    return [(finding.code, finding.position) for finding in findings(*segments, encoding=encoding)]


@pytest.mark.parametrize(
    "segments",
    [
        (),
        (MESSAGE,),
        (MESSAGE, MESSAGE),
        (BATCH_HEADER, MESSAGE, "BTS|1"),
        (BATCH_HEADER, MESSAGE, MESSAGE, "BTS|2|all of them"),
        (BATCH_HEADER, MESSAGE, "BTS"),
        (BATCH_HEADER, MESSAGE, "BTS|"),
        (BATCH_HEADER, MESSAGE, 'BTS|""'),
        (BATCH_HEADER, "BTS|0"),
        (BATCH_HEADER, MESSAGE, "BTS|001 "),
        (FILE_HEADER, BATCH_HEADER, MESSAGE, "BTS|1", BATCH_HEADER, MESSAGE, MESSAGE, "BTS|2", "FTS|2"),
        (FILE_HEADER, MESSAGE, "FTS|1"),
        (FILE_HEADER, MESSAGE, "FTS|0"),
        (FILE_HEADER, "FTS"),
        (FILE_HEADER, BATCH_HEADER, MESSAGE, "BTS|1", "FTS|1", FILE_HEADER, BATCH_HEADER, "BTS|0", "FTS|1"),
        (BATCH_HEADER, MESSAGE, "BTS|1", MESSAGE),
    ],
)
def test_an_envelope_in_order_has_no_findings(segments: tuple[str, ...]) -> None:
    assert found(*segments) == []


def test_a_wrong_count_of_messages_is_an_error() -> None:
    assert findings(MESSAGE, BATCH_HEADER, MESSAGE, "BTS|3") == [
        Finding("batch-count", "error", "BTS", 2, "BTS-1", "BTS-1 says that the batch has 3 messages; counted: 1")
    ]


def test_a_wrong_count_of_batches_is_an_error() -> None:
    segments = (FILE_HEADER, BATCH_HEADER, MESSAGE, "BTS|1", BATCH_HEADER, MESSAGE, "BTS|1", "FTS|1")
    assert [(finding.code, finding.severity, finding.position) for finding in findings(*segments)] == [
        ("file-count", "error", "FTS-1")
    ]


def test_each_batch_is_counted_for_itself() -> None:
    assert found(BATCH_HEADER, MESSAGE, MESSAGE, "BTS|2", BATCH_HEADER, MESSAGE, "BTS|3") == [
        ("batch-count", "BTS[2]-1")
    ]


def test_unreadable_text_is_no_message_of_the_batch() -> None:
    assert found(BATCH_HEADER, "lost words", MESSAGE, "BTS|1") == []
    assert found(BATCH_HEADER, "lost words", MESSAGE, "BTS|2") == [("batch-count", "BTS-1")]


def test_the_place_counts_messages_and_unreadable_pieces() -> None:
    segments = ("lost words", BATCH_HEADER, MESSAGE, "BTS|7")
    assert [finding.segment_index for finding in findings(*segments)] == [2]


@pytest.mark.parametrize("count", ["two", "-1", "1.0", "1^2", "9" * 5000])
def test_a_count_that_is_no_number_is_a_warning_without_its_text(count: str) -> None:
    reported = findings(BATCH_HEADER, MESSAGE, f"BTS|{count}")
    assert [(finding.code, finding.severity, finding.position) for finding in reported] == [
        ("count-form", "warning", "BTS-1")
    ]
    assert count not in reported[0].text.replace("BTS-1", "")


def test_separators_of_a_trailer_of_its_own_are_understood() -> None:
    assert found("BHS$!?*$LAB", MESSAGE, "BTS$2$") == [("batch-count", "BTS-1")]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_counts_are_read_in_the_encoding_of_the_file(encoding: str) -> None:
    assert found(BATCH_HEADER, MESSAGE, "BTS|1", encoding=encoding) == []
    assert found(BATCH_HEADER, MESSAGE, "BTS|2", encoding=encoding) == [("batch-count", "BTS-1")]


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ((BATCH_HEADER, MESSAGE), [("batch-not-closed", "BHS")]),
        ((MESSAGE, "BTS|1"), [("batch-not-opened", "BTS")]),
        ((FILE_HEADER, MESSAGE), [("file-not-closed", "FHS")]),
        ((MESSAGE, "FTS|1"), [("file-not-opened", "FTS")]),
        ((FILE_HEADER, BATCH_HEADER, MESSAGE), [("batch-not-closed", "BHS"), ("file-not-closed", "FHS")]),
        ((FILE_HEADER, BATCH_HEADER, MESSAGE, "FTS|1"), [("batch-not-closed", "BHS")]),
        ((BATCH_HEADER, MESSAGE, BATCH_HEADER, MESSAGE, "BTS|1"), [("batch-not-closed", "BHS")]),
        ((FILE_HEADER, MESSAGE, FILE_HEADER, MESSAGE, "FTS|1"), [("file-not-closed", "FHS")]),
    ],
)
def test_a_segment_without_its_partner_is_a_warning(segments: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    reported = findings(*segments)
    assert [(finding.code, finding.position) for finding in reported] == expected
    assert {finding.severity for finding in reported} == {"warning"}


@given(st.lists(st.integers(min_value=0, max_value=4), max_size=5))
def test_right_counts_are_never_reported(sizes: list[int]) -> None:
    segments = [FILE_HEADER]
    for size in sizes:
        segments += [BATCH_HEADER, *[MESSAGE] * size, f"BTS|{size}"]
    assert found(*segments, f"FTS|{len(sizes)}") == []


@given(st.lists(st.sampled_from([MESSAGE, BATCH_HEADER, FILE_HEADER, "BTS|1", "FTS|x", "words", "BTS", "FTS|"])))
def test_segments_in_any_order_are_followed(segments: list[str]) -> None:
    for finding in findings(*segments):
        assert finding.segment in ("FHS", "BHS", "BTS", "FTS")
        assert finding.position.startswith(finding.segment)
