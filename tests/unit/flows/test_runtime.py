from __future__ import annotations

from threading import Thread

import pytest

from connector_lib.flows.runtime import SourceFolder, on_databricks, record_source, recording_sources

INBOX = SourceFolder("/data/in", "*.hl7")
ARCHIVE = SourceFolder("/data/archive")


@pytest.mark.parametrize(("version", "answer"), [("17.3", True), ("client.4.1", True), ("", False), (None, False)])
def test_only_a_databricks_runtime_names_its_version(
    version: str | None, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION", raising=False)
    if version is not None:
        monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", version)
    assert on_databricks() is answer


def test_folders_are_recorded_once_and_in_order() -> None:
    with recording_sources() as folders:
        for folder in (INBOX, ARCHIVE, INBOX):
            record_source(folder)
    assert folders == [INBOX, ARCHIVE]


def test_nothing_is_recorded_outside_of_the_block() -> None:
    with recording_sources() as folders:
        pass
    record_source(INBOX)
    assert folders == []


def test_the_innermost_block_records() -> None:
    with recording_sources() as outer:
        with recording_sources() as inner:
            record_source(INBOX)
        record_source(ARCHIVE)
    assert (outer, inner) == ([ARCHIVE], [INBOX])


def test_a_block_that_fails_records_no_longer() -> None:
    with pytest.raises(ZeroDivisionError), recording_sources() as folders:
        raise ZeroDivisionError
    record_source(INBOX)
    assert folders == []


def test_two_runs_side_by_side_do_not_see_each_others_folders() -> None:
    with recording_sources() as folders:
        other = Thread(target=record_source, args=(INBOX,))
        other.start()
        other.join()
    assert folders == []
