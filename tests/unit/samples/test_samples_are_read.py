"""What the samples say of themselves is what the package's own splitter, parser and rules find."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from connector_lib.formats.hl7v2.reading import pieces_of, read_message
from connector_lib.samples.hl7v2 import DAMAGES, FileRecord, Manifest, write_files

EXPECTED_FINDINGS = {
    "control-characters": {"control-character"},
    "cut-message": {"required-segment-missing", "expected-field-missing"},
    "wrong-batch-counts": {"batch-count", "file-count"},
    "short-encoding-characters": {"encoding-characters"},
    "missing-message-type": {"required-field-missing"},
    "missing-control-id": {"required-field-missing"},
    "unknown-version": {"version-unknown"},
    "invalid-timestamps": {"time-not-in-calendar", "time-form"},
    "non-numeric-value": {"value-not-numeric"},
    "unordered-set-ids": {"set-id-order"},
    "invalid-bytes": {"character-set"},
    "unknown-charset": {"character-set"},
    "line-break-in-value": {"line-break-in-value"},
    "cut-character": {"character-set"},
}
"""Kind of damage → codes of findings; kinds that are not here have none."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp("hl7v2")
    return folder, write_files(folder, 1500, seed=11, damage=list(DAMAGES))


def read(folder: Path, file: FileRecord) -> tuple[list[dict[str, str]], int, set[str]]:
    """The records of a file's messages, how many pieces are none, and the codes of all findings."""
    records: list[dict[str, str]] = []
    codes: set[str] = set()
    unreadable = 0
    for piece in pieces_of((folder / file.name).read_bytes()):
        codes.update(finding[0] for finding in piece.findings)
        unreadable += piece.reason is not None
        if piece.message is None:
            continue
        found = read_message(piece.message, piece.charset or "utf-8", piece.charset_problem)
        assert found.parsed is not None
        records.append(found.parsed)
        codes.update(finding[0] for finding in found.findings)
    return records, unreadable, codes


def test_valid_files_are_read_as_they_were_made_and_without_a_finding(written: tuple[Path, Manifest]) -> None:
    folder, manifest = written
    for file in manifest.files:
        if file.damage:
            continue
        records, unreadable, codes = read(folder, file)
        assert dict(Counter(record["message_type"] for record in records)) == file.families, file.name
        assert (records[0]["message_control_id"], records[-1]["message_control_id"]) == file.control_ids, file.name
        assert unreadable == 0, file.name
        assert codes == set(), file.name


@pytest.mark.parametrize("kind", list(DAMAGES))
def test_damaged_files_are_read_and_quarantined_as_they_were_made(kind: str, written: tuple[Path, Manifest]) -> None:
    folder, manifest = written
    file = next(file for file in manifest.files if file.damage == kind)
    records, unreadable, codes = read(folder, file)
    assert (len(records), unreadable) == (file.messages, file.unreadable)
    assert codes == EXPECTED_FINDINGS.get(kind, set())
