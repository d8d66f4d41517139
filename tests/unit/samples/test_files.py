"""Sample files: every form, counted and decoded with plain Python, against what the manifest says."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2 import CHARSETS, FORMS, FileRecord, Manifest, write_files

Written = tuple[Path, Manifest]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("hl7v2")
    return folder, write_files(folder, 600, seed=3)


def text_of(folder: Path, file: FileRecord) -> str:
    charset = CHARSETS[file.charset]
    content = (folder / file.name).read_bytes()
    assert content.startswith(charset.mark)
    return content[len(charset.mark) :].decode(charset.codec)


def headers(text: str) -> list[str]:
    return [line for line in re.split(r"[\r\n\x0b]+", text) if line.startswith("MSH")]


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first = write_files(tmp_path / "a", 120, seed=9, damage=["binary-file", "cut-message"])
    second = write_files(tmp_path / "b", 120, seed=9, damage=["binary-file", "cut-message"])
    assert first == second
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    write_files(tmp_path / "a", 30, seed=1)
    write_files(tmp_path / "b", 30, seed=2)
    assert tree(tmp_path / "a").keys() == tree(tmp_path / "b").keys()
    assert not set(tree(tmp_path / "a").values()) & set(tree(tmp_path / "b").values())


def test_every_form_is_written(written: Written) -> None:
    _, manifest = written
    assert {(file.framing, file.line_end, file.charset) for file in manifest.files} == {
        (form.framing, form.line_end, form.charset) for form in FORMS
    }


def test_the_forms_cover_every_framing_line_end_and_charset() -> None:
    assert {form.framing for form in FORMS} == {"plain", "file-batch", "batch", "mllp"}
    assert {form.line_end for form in FORMS} == {"cr", "lf", "crlf", "mixed"}
    assert {form.charset for form in FORMS} == set(CHARSETS)


def test_the_folder_holds_the_files_of_the_manifest_and_nothing_else(written: Written) -> None:
    folder, manifest = written
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == {
        file.name: file.bytes for file in manifest.files
    }


def test_the_messages_in_a_file_are_those_of_the_manifest(written: Written) -> None:
    folder, manifest = written
    for file in manifest.files:
        found = headers(text_of(folder, file))
        kinds: Counter[str] = Counter()
        for header in found:
            fields = header.split(header[3])
            kinds["^".join(re.split(rf"[{re.escape(fields[1])}]", fields[8])[:2])] += 1
        assert dict(kinds) == file.kinds
        assert len(found) == file.messages
        assert (found[0].split(found[0][3])[9], found[-1].split(found[-1][3])[9]) == file.control_ids


def test_the_totals_of_the_manifest_are_those_of_its_files(written: Written) -> None:
    _, manifest = written
    assert manifest.messages == sum(manifest.families.values()) == 600
    assert manifest.unreadable == 0
    for file in manifest.files:
        assert sum(file.families.values()) == sum(file.kinds.values()) == file.messages


def test_no_control_id_is_in_two_files(written: Written) -> None:
    folder, manifest = written
    ids = [header.split(header[3])[9] for file in manifest.files for header in headers(text_of(folder, file))]
    assert len(ids) == len(set(ids)) == 600


def test_line_ends_are_those_of_the_form(written: Written) -> None:
    folder, manifest = written
    ends = {"cr": {"\r"}, "lf": {"\n"}, "crlf": {"\r\n"}, "mixed": {"\r", "\n", "\r\n"}}
    for file in manifest.files:
        # The CR that closes an MLLP block belongs to the framing.
        text = text_of(folder, file)
        if file.framing == "mllp" and file.line_end != "cr":
            text = text.replace("\x1c\r", "")
        assert set(re.findall(r"\r\n|\r|\n", text)) == ends[file.line_end]


def test_batch_trailers_count_what_is_before_them(written: Written) -> None:
    folder, manifest = written
    for file in manifest.files:
        names = [line.split("|")[:2] for line in re.split(r"[\r\n]+", text_of(folder, file)) if line]
        if file.framing in ("plain", "mllp"):
            assert not {"FHS", "BHS", "BTS", "FTS"} & {name[0] for name in names}
            continue
        batches = messages = 0
        for name, *rest in names:
            messages += name[:3] == "MSH"
            if name == "BTS":
                assert rest == [str(messages)]
                messages, batches = 0, batches + 1
        assert batches == 2
        if file.framing == "file-batch":
            assert names[0][0] == "FHS"
            assert names[-1] == ["FTS", "2"]


def test_mllp_blocks_are_closed(written: Written) -> None:
    folder, manifest = written
    for file in manifest.files:
        if file.framing != "mllp":
            continue
        content = (folder / file.name).read_bytes()
        blocks = re.findall(rb"\x0b(MSH[^\x0b\x1c]*)\x1c\r", content)
        assert len(blocks) == file.messages
        assert len(content) == sum(len(block) + 3 for block in blocks)


def test_a_number_of_files_is_kept_to(tmp_path: Path) -> None:
    manifest = write_files(tmp_path, 50, files=7)
    assert [file.messages for file in manifest.files] == [8, 7, 7, 7, 7, 7, 7]


def test_only_the_forms_asked_for_are_written(tmp_path: Path) -> None:
    manifest = write_files(tmp_path, 10, files=3, forms=FORMS[2:3])
    assert [file.name for file in manifest.files] == [f"sample-0000{n}-mllp-cr-utf-8.hl7" for n in (1, 2, 3)]


def test_fewer_messages_than_forms_make_as_many_files_as_messages(tmp_path: Path) -> None:
    assert [file.messages for file in write_files(tmp_path, 3).files] == [1, 1, 1]


def test_families_can_be_chosen(tmp_path: Path) -> None:
    assert set(write_files(tmp_path, 60, families=["SIU", "DFT"]).families) == {"SIU", "DFT"}


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        write_files(tmp_path, 5)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        write_files(tmp_path / "file", 5)


def test_overwriting_takes_away_old_sample_files_and_nothing_else(tmp_path: Path) -> None:
    write_files(tmp_path, 40, damage=["empty-file"])
    (tmp_path / "mine.hl7").write_text("mine")
    manifest = write_files(tmp_path, 4, files=2, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"mine.hl7", *(file.name for file in manifest.files)}


@pytest.mark.parametrize(("count", "files"), [(0, None), (-5, None), (3, 4), (3, 0)])
def test_numbers_that_do_not_fit_are_refused_before_anything_is_written(
    count: int, files: int | None, tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        write_files(tmp_path / "out", count, files=files)
    assert not (tmp_path / "out").exists()


def test_an_unknown_kind_of_damage_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'no-such'"):
        write_files(tmp_path / "out", 5, damage=["no-such"])
    assert not (tmp_path / "out").exists()


def test_an_unknown_family_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'XYZ'"):
        write_files(tmp_path / "out", 5, families=["XYZ"])
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_stopped_leaves_no_half_file(tmp_path: Path) -> None:
    seen: list[int] = []

    def stop(number: int) -> None:
        seen.append(number)
        if len(seen) == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, 40, files=4, progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["sample-00001-plain-cr-utf-8.hl7"]


def test_progress_counts_every_message(tmp_path: Path) -> None:
    seen: list[int] = []
    write_files(tmp_path, 40, progress=seen.append)
    assert sum(seen) == 40


def test_the_manifest_as_plain_data_survives_json(written: Written) -> None:
    _, manifest = written
    data = json.loads(json.dumps(manifest.as_dict()))
    assert data["messages"] == 600
    assert data["families"] == manifest.families
    read = [FileRecord(**{**file, "control_ids": tuple(file["control_ids"])}) for file in data["files"]]
    assert [asdict(file) for file in read] == [asdict(file) for file in manifest.files]


def test_memory_does_not_grow_with_the_size_of_a_file(tmp_path: Path) -> None:
    def peak(name: str, count: int) -> int:
        tracemalloc.start()
        write_files(tmp_path / name, count, files=1)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak("warm", 100)
    few = peak("few", 700)
    assert peak("more", 2800) < few + 1_000_000
    assert (tmp_path / "more" / "sample-00001-plain-cr-utf-8.hl7").stat().st_size > few * 2
