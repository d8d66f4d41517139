"""What a deployment leaves written beside the files, and what holds while one is under way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.deploy.deployment_record import DeploymentRecord
from connector_lib.deploy.workspace_files import DeployedFiles, FileChanges, compare_files, sha256
from connector_lib.errors import WorkspaceError

WORDS = st.text(min_size=1, max_size=8)
SETTLED = st.builds(
    DeploymentRecord,
    pipeline=WORDS,
    files=st.dictionaries(WORDS, st.lists(WORDS, min_size=1, max_size=2).map(tuple), max_size=4),
    settings=st.sets(WORDS, max_size=4).map(lambda keys: tuple(sorted(keys))),
    scd_types=st.dictionaries(WORDS, WORDS, max_size=3),
    target=st.none() | st.text(max_size=8),
)
REFRESHING = st.builds(
    replace, SETTLED, refresh_update=WORDS, refreshing=st.dictionaries(WORDS, WORDS, min_size=1, max_size=3)
)
RECORDS = SETTLED | REFRESHING


@given(RECORDS)
def test_what_is_written_is_read_again(record: DeploymentRecord) -> None:
    assert DeploymentRecord.parse(record.to_bytes(), "x") == record


@given(RECORDS, RECORDS)
def test_on_the_way_the_files_and_settings_of_both_are_known(old: DeploymentRecord, new: DeploymentRecord) -> None:
    between = old.before(new)
    for record in (old, new):
        assert all(set(hashes) <= set(between.files[path]) for path, hashes in record.files.items())
        assert set(record.settings) <= set(between.settings)
    assert between.scd_types == old.scd_types
    assert (between.refresh_update, between.refreshing) == (old.refresh_update, old.refreshing)
    assert (between.pipeline, between.target) == (old.pipeline, new.target)
    assert between.before(new) == between


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": 1}', b'{"format": 1, "files": 3}', b"\xff"])
def test_something_else_under_the_name_is_an_error(content: bytes) -> None:
    with pytest.raises(WorkspaceError, match="record: is not the record of a deployment"):
        DeploymentRecord.parse(content, "record")


def test_a_record_of_another_format_says_so() -> None:
    with pytest.raises(WorkspaceError, match="another version of connector_lib"):
        DeploymentRecord.parse(b'{"format": 2}', "record")


def there(contents: dict[str, bytes], uploaded: dict[str, bytes]) -> DeployedFiles:
    record = DeploymentRecord("p", {path: (sha256(content),) for path, content in uploaded.items()})
    return DeployedFiles(contents, (), frozenset(), record)


def test_files_are_compared_by_their_bytes() -> None:
    changes = compare_files({"a": b"1", "b": b"2", "c": b"3"}, there({"a": b"1", "b": b"1"}, {"a": b"1", "b": b"1"}))
    assert changes == FileChanges(upload=("b", "c"), same=("a",))


def test_only_what_was_uploaded_once_is_removed() -> None:
    # Others are not even read.
    assert compare_files({}, there({"a": b"1"}, {"a": b"1"})).remove == ("a",)


def test_a_change_by_hand_is_told_from_one_here() -> None:
    changes = compare_files({"a": b"2"}, there({"a": b"by hand", "b": b"by hand"}, {"a": b"1", "b": b"1"}))
    assert (changes.by_hand, changes.foreign) == (("a", "b"), ())


def test_a_file_that_is_in_the_way_and_was_not_uploaded_is_foreign() -> None:
    assert compare_files({"a": b"2"}, there({"a": b"1"}, {})).foreign == ("a",)
    assert compare_files({"a": b"1"}, there({"a": b"1"}, {})).foreign == ()
