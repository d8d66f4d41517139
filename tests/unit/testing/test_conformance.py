"""Each check of the suite finds the connector that breaks its rule, and finds nothing in a sound one."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from connector_lib.testing.conformance import ConnectorConformance
from connector_lib.testing.conformance.spark_checks import SparkChecks
from connector_lib.testing.records_api import Paging
from connector_lib.testing.records_source import RecordsSource
from tests.unit.testing.broken_connectors import BROKEN_JOURNALS, BROKEN_RECORDS, CountsBlindly, InParts
from tests.unit.testing.conformance_runs import JournalSample, JournalSubject, failed_checks
from tests.unit.testing.journals import JournalSource
from tests.unit.testing.records_sample import RecordsSample, sample_api

_WITHOUT_MORE_TRIES = "test_a_passing_fault_is_survived"
_SOURCE_TEXTS = {
    "test_it_prints_nothing": "class Read(JournalSource):\n    def clock(self):\n        print('reading')\n"
    "        return super().clock()\n",
    "test_it_is_no_program": "class Read(JournalSource):\n    pass\n\ndef main():\n    Read({})\n",
    "test_it_swallows_no_error": "class Read(JournalSource):\n    def clock(self):\n        try:\n"
    "            return super().clock()\n        except Exception:\n            return 0\n",
}


class OnSpark(JournalSubject, SparkChecks):
    """With the session that the suite makes itself."""


def _failed_by_journal(source: type[JournalSource], folder: Path) -> dict[str, str]:
    kind = type("Sample", (JournalSample,), {"source": source, "tables": ("visits", "labs", "notes", "wards")})
    return failed_checks(lambda: kind(folder))


def _failed_by_records(source: type[RecordsSource], max_attempts: int = 2, paging: Paging = "link") -> dict[str, str]:
    with ExitStack() as apis:

        def sample() -> ConnectorConformance:
            subject = RecordsSample()
            subject.api = apis.enter_context(sample_api(subject.paging))
            subject.server = subject.api.server
            return subject

        kind = RecordsSample
        monkey = pytest.MonkeyPatch()
        with monkey.context() as patch:
            patch.setattr(kind, "source", source)
            patch.setattr(kind, "max_attempts", max_attempts)
            patch.setattr(kind, "paging", paging)
            return failed_checks(sample)


@pytest.mark.parametrize("source", [JournalSource, InParts])
def test_a_sound_connector_of_a_file_fails_no_check(source: type[JournalSource], tmp_path: Path) -> None:
    assert _failed_by_journal(source, tmp_path) == {}


@pytest.mark.parametrize("source", BROKEN_JOURNALS, ids=lambda source: source.__name__)
def test_a_broken_connector_fails_the_check_of_its_rule_and_no_other(
    source: type[JournalSource], tmp_path: Path
) -> None:
    assert list(_failed_by_journal(source, tmp_path)) == [BROKEN_JOURNALS[source]]


@pytest.mark.slow
@pytest.mark.parametrize("source", BROKEN_RECORDS, ids=lambda source: source.__name__)
def test_a_connector_that_is_broken_over_the_wire_fails_the_check_of_its_rule_and_no_other(
    source: type[RecordsSource],
) -> None:
    paging: Paging = "offset" if source is CountsBlindly else "link"
    assert list(_failed_by_records(source, paging=paging)) == [BROKEN_RECORDS[source]]


@pytest.mark.slow
@pytest.mark.parametrize("paging", ["offset", "page"])
def test_the_example_connector_fails_no_check_in_other_ways_of_paging(paging: Paging) -> None:
    assert _failed_by_records(RecordsSource, paging=paging) == {}


@pytest.mark.slow
def test_a_connector_that_tries_once_does_not_survive_a_passing_fault() -> None:
    assert list(_failed_by_records(RecordsSource, max_attempts=1)) == [_WITHOUT_MORE_TRIES]


@pytest.fixture
def written_source(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[type[JournalSource]]:
    """A connector whose module has a text that does not belong there."""
    file = tmp_path / "written_source.py"
    file.write_text(f"from tests.unit.testing.journals import JournalSource\n\n{_SOURCE_TEXTS[request.param]}")
    spec = importlib.util.spec_from_file_location("written_source", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["written_source"] = module
    spec.loader.exec_module(module)
    yield module.Read
    del sys.modules["written_source"]


@pytest.mark.parametrize(
    ("written_source", "check"), [(check, check) for check in _SOURCE_TEXTS], indirect=["written_source"]
)
def test_a_source_text_with_what_does_not_belong_there_fails_its_check_and_no_other(
    written_source: type[JournalSource], check: str, tmp_path: Path
) -> None:
    assert list(_failed_by_journal(written_source, tmp_path)) == [check]


def test_without_a_session_the_checks_on_spark_are_skipped_and_say_how_to_have_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONNECTOR_LIB_TEST_SPARK", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"set CONNECTOR_LIB_TEST_SPARK=1, or write session\(\)"):
        OnSpark(tmp_path).test_spark_follows_a_table()


def test_every_check_has_a_broken_connector() -> None:
    checks = {name for name in dir(ConnectorConformance) if name.startswith("test_")}
    found = {*BROKEN_JOURNALS.values(), *BROKEN_RECORDS.values(), *_SOURCE_TEXTS, _WITHOUT_MORE_TRIES}
    on_spark = {name for name in dir(SparkChecks) if name.startswith("test_")}
    assert checks - found - on_spark == set()
