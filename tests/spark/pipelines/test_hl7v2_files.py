"""The pipeline hl7v2_files from files to tables, as its users run it: by the command, on real Spark."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connector_lib import parse, split_batch
from connector_lib.samples.hl7v2 import DAMAGES, write_files
from connector_lib.tables.hl7v2_columns import FAMILIES
from tests.spark.pipelines.comparable_rows import without_folder, without_times

if TYPE_CHECKING:
    from tests.spark.pipelines.conftest import FirstRun, LocalPipeline

pytestmark = [pytest.mark.spark, pytest.mark.slow]

ONE_ROW_A_MESSAGE_AT_LEAST = (*FAMILIES, "other_messages")


def place(row: dict[str, Any]) -> tuple[str, int]:
    return Path(row["_source_file"]).name, row["_message_index"]


def test_every_message_is_in_raw_and_every_other_piece_in_quarantine_once(first_run: FirstRun) -> None:
    messages = Counter(name for name, _ in map(place, first_run.tables["raw"]))
    pieces = Counter(name for name, _ in map(place, first_run.tables["quarantine"]))
    assert messages == Counter({file.name: file.messages for file in first_run.manifest.files if file.messages})
    assert pieces == Counter({file.name: file.unreadable for file in first_run.manifest.files if file.unreadable})
    places = [place(row) for table in ("raw", "quarantine") for row in first_run.tables[table]]
    assert len(places) == len(set(places))


def test_messages_and_pieces_of_a_file_are_counted_from_zero_without_a_gap(first_run: FirstRun) -> None:
    counted: dict[str, list[int]] = {}
    for table in ("raw", "quarantine"):
        for name, index in map(place, first_run.tables[table]):
            counted.setdefault(name, []).append(index)
    assert all(sorted(indexes) == list(range(len(indexes))) for indexes in counted.values())


def test_raw_and_quarantine_together_hold_the_text_of_every_piece(first_run: FirstRun) -> None:
    in_files = Counter(text for file in first_run.folder.iterdir() for text in split_batch(file.read_bytes()))
    messages = Counter(row["message"] for row in first_run.tables["raw"])
    assert all(text.startswith("MSH") for text in messages)
    assert len(list((in_files - messages).elements())) == len(first_run.tables["quarantine"])
    assert not messages - in_files


def test_every_message_is_in_the_table_of_its_family_and_in_no_other(first_run: FirstRun) -> None:
    found: dict[tuple[str, int], set[str]] = {}
    for table in ONE_ROW_A_MESSAGE_AT_LEAST:
        for row in first_run.tables[table]:
            found.setdefault(place(row), set()).add(table)
    assert set(found) == {place(row) for row in first_run.tables["raw"]}
    assert all(len(tables) == 1 for tables in found.values())


def test_fields_holds_every_value_of_every_message(first_run: FirstRun) -> None:
    names = ("segment_index", "segment", "field", "repetition", "component", "subcomponent", "value")
    found = Counter((*place(row), *(row[name] for name in names)) for row in first_run.tables["fields"])
    expected = Counter(
        (*place(row), *value)
        for row in first_run.tables["raw"]
        for value in parse(row["message"], row["charset"]).walk()
    )
    assert found == expected


def test_quarantine_holds_whole_bytes_and_a_reason(first_run: FirstRun) -> None:
    rows = {place(row): row for row in first_run.tables["quarantine"]}
    binary = rows["damage-binary-file.hl7", 0]
    assert binary["content"] == (first_run.folder / "damage-binary-file.hl7").read_bytes()
    for (name, _), row in rows.items():
        whole = (first_run.folder / name).read_bytes()
        assert row["reason"], name
        assert row["content"] == whole[row["_offset"] : row["_offset"] + len(row["content"])] != b"", name


def test_raw_and_quarantine_say_how_large_a_file_is(first_run: FirstRun) -> None:
    for table in ("raw", "quarantine"):
        for row in first_run.tables[table]:
            assert row["_file_size"] == (first_run.folder / place(row)[0]).stat().st_size


def test_every_file_of_a_sound_form_has_no_row_in_quarantine_and_no_finding(first_run: FirstRun) -> None:
    for table in ("quarantine", "findings"):
        assert not [row for row in first_run.tables[table] if place(row)[0].startswith("sample-")]


def test_wrong_counts_in_a_batch_are_a_finding_about_the_batch(first_run: FirstRun) -> None:
    rows = [row for row in first_run.tables["findings"] if "batch-count" in row["_source_file"]]
    assert rows
    assert {row["segment"] for row in rows} <= {"BTS", "FTS"}
    assert {row["_message_index"] for row in rows} == {None}


def test_the_report_counts_rows_and_names_the_empty_file(first_run: FirstRun) -> None:
    counts = {dataset["name"]: dataset["rows_written"] for dataset in first_run.report["datasets"]}
    assert counts == {table: len(rows) for table, rows in first_run.tables.items()}
    assert [note for note in first_run.report["notes"] if "damage-empty-file.hl7" in note]


def test_a_file_added_later_reaches_every_table_in_the_next_run(first_run: FirstRun, tmp_path: Path) -> None:
    later = write_files(tmp_path / "later", 150, seed=9, files=1)
    added = tmp_path / "later" / later.files[0].name
    added.rename(first_run.folder / "added.hl7")
    bad = (first_run.folder / "added.hl7").read_bytes() + b"\rMSH\rno message\rMSH|^~\\&|no type|||||||||9.9\r"
    (first_run.folder / "added.hl7").write_bytes(bad)

    report = first_run.pipeline.run()

    written = {dataset["name"]: dataset["rows_written"] for dataset in report["datasets"]}
    for table, rows in first_run.pipeline.tables().items():
        new = [row for row in rows if Path(row["_source_file"]).name == "added.hl7"]
        assert new, table
        assert len(new) == written[table], table
        assert without_times(rows) - without_times(new) == without_times(first_run.tables[table]), table


def children(process_id: int) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == process_id:
            yield int(entry.name)
            yield from children(int(entry.name))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds Spark's JVM by /proc")
@pytest.mark.long
@pytest.mark.parametrize("with_jvm", [False, True], ids=["the process alone", "the process and its JVM"])
def test_a_run_that_was_killed_and_run_again_leaves_the_tables_of_an_undisturbed_one(
    first_run: FirstRun, local_pipeline: type[LocalPipeline], tmp_path: Path, with_jvm: bool
) -> None:
    folder = tmp_path / "hl7 in"
    write_files(folder, 60, seed=5, damage=tuple(DAMAGES))
    pipeline = local_pipeline("hl7v2_files", f"source.storage_path={folder}", tmp_path / "warehouse")
    with subprocess.Popen(pipeline.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr is not None
        for line in started.stderr:
            # In the middle: received is there, some tables are written and some are not.
            if ": completed" in line and "received" not in line:
                break
        jvm = list(children(started.pid)) if with_jvm else []
        for process_id in (started.pid, *jvm):
            os.kill(process_id, signal.SIGKILL)
    assert started.returncode == -signal.SIGKILL

    pipeline.run()

    for table, disturbed in pipeline.tables().items():
        undisturbed = first_run.tables[table]
        assert without_times(without_folder(disturbed)) == without_times(without_folder(undisturbed)), table


CORPUS = Path(__file__).parents[4] / "shared" / "data" / "hl7v2"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/data/hl7v2, messages by others, is not there")
@pytest.mark.long
def test_every_message_of_the_public_corpus_is_accounted_for(
    local_pipeline: type[LocalPipeline], tmp_path: Path
) -> None:
    pipeline = local_pipeline("hl7v2_files", f"source.storage_path={CORPUS}", tmp_path / "warehouse")
    pipeline.run()
    raw, quarantine = (Counter(row["_source_file"] for row in pipeline.rows(table)) for table in ("raw", "quarantine"))
    for file in (path for path in CORPUS.rglob("*") if path.is_file()):
        headers = re.findall(rb"(?:\A(?:\xef\xbb\xbf)?|[\r\n])MSH\|", file.read_bytes())
        assert raw[str(file)] == len(headers), file
        # The files without any are texts such as licences, and messages that have lost their header: whole pieces.
        assert quarantine[str(file)] == (0 if headers else 1), file
