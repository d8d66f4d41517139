"""What is shown of an exception, and what is not."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.deploy.failure_text import Place, own_error, place_in, plain_message, shown_message
from connector_lib.deploy.known_failures import explain
from connector_lib.deploy.update_events import Frame, Raised
from tests.servers.workspace.loopback.failure_samples import SAMPLES, Sample, from_notebook, from_worker


def shown(message: str, *names: str) -> str:
    return shown_message(Raised("", message), names=names)


@pytest.mark.parametrize("sample", [it for it in SAMPLES if it.hides], ids=lambda sample: sample.known)
def test_a_value_of_a_row_is_not_shown(sample: Sample) -> None:
    assert sample.hides in sample.message
    assert sample.hides not in shown(sample.message)


@given(st.text("abcdefgh XYZ0123456789", min_size=4).map(str.strip).filter(lambda text: len(text) > 3))
def test_whatever_stands_between_quotes_is_not_shown(value: str) -> None:
    told = shown(f'[CAST_INVALID_INPUT] The value \'{value}\' of the type "STRING" cannot be cast to "DATE"')
    assert told == '[CAST_INVALID_INPUT] The value … of the type "STRING" cannot be cast to "DATE"'


@given(st.text(min_size=1))
def test_a_message_of_any_kind_is_told_in_one_line(text: str) -> None:
    told = shown(text)
    assert "\n" not in told
    assert len(told) <= 400


def test_a_path_is_shown_as_far_as_its_volume_or_bucket_and_whole_where_it_is_a_source_file() -> None:
    assert shown("Path does not exist: /Volumes/main/raw/hl7/Anna Meyerhoff.hl7") == (
        "Path does not exist: /Volumes/main/raw/hl7/…"
    )
    assert shown("cannot list s3://landing/Meyerhoff") == "cannot list s3://landing/…"
    assert shown("cannot run /Workspace/p/transformations/ingest.py") == (
        "cannot run /Workspace/p/transformations/ingest.py"
    )


def test_the_name_of_a_dataset_stays() -> None:
    assert (
        shown("Failed to resolve flow 'patients' of 'Meyerhoff'.", "patients")
        == "Failed to resolve flow 'patients' of …."
    )


def test_an_error_of_this_package_is_shown_as_it_was_written() -> None:
    message = from_worker("connector_lib.errors.ApiError: GET https://ehr/Patient: 429 Too Many Requests\n  slow down")
    assert shown(message) == "GET https://ehr/Patient: 429 Too Many Requests"
    own = own_error(Raised("", message))
    assert own is not None
    assert (own.kind, own.hint) == ("ApiError", "slow down")


def test_the_error_that_was_raised_last_is_the_one_that_counts() -> None:
    message = from_worker(
        "connector_lib.errors.ApiError: first\n\nDuring handling of the above exception, another one occurred:\n\n"
        "Traceback (most recent call last):\nconnector_lib.errors.OffsetError: second"
    )
    assert shown(message) == "second"


def test_an_error_that_is_known_by_its_class_alone_is_one_of_this_package() -> None:
    own = own_error(Raised("connector_lib.errors.SpecError", "ingest.yml: wrong\n  correct it"))
    assert own is not None
    assert (own.kind, own.message, own.hint) == ("SpecError", "ingest.yml: wrong", "correct it")


def test_of_another_exception_of_python_only_plain_words_are_shown() -> None:
    told = shown(from_worker("ValueError: could not convert string to float: Meyerhoff"))
    assert told == "ValueError: could not … string to …"


def test_the_wrapping_of_a_notebook_and_its_colours_are_left_out() -> None:
    assert (
        shown(from_notebook("ModuleNotFoundError: No module named 'jwt'"))
        == "ModuleNotFoundError: No module named 'jwt'"
    )


def test_a_secret_is_starred_out() -> None:
    raised = Raised("", "connector_lib.errors.OptionError: the token hush-hush-hush is refused")
    assert shown_message(raised, secrets={"hush-hush-hush"}) == "the token ***** is refused"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = tmp_path / "fhir_api" / "transformations"
    files.mkdir(parents=True)
    (files / "ingest.py").touch()
    return tmp_path / "fhir_api"


def test_a_line_of_the_workspace_is_one_of_the_folder_here(folder: Path) -> None:
    message = from_notebook(
        "NameError: name 'x' is not defined", "/Workspace/Users/a@b.c/p/transformations/ingest.py", 5
    )
    assert place_in([Raised("", message)], folder) == Place(str(folder / "transformations/ingest.py"), 5)


def test_without_the_folder_the_line_is_one_of_the_workspace() -> None:
    message = from_notebook(
        "NameError: name 'x' is not defined", "/Workspace/Users/a@b.c/p/transformations/ingest.py", 5
    )
    assert str(place_in([Raised("", message)], None)) == "/Workspace/Users/a@b.c/p/transformations/ingest.py:5"


def test_frames_of_a_stack_name_the_line_too(folder: Path) -> None:
    frames = (Frame("Executor.scala", 12), Frame("ingest.py", 9))
    assert place_in([Raised("", "it failed", frames)], folder) == Place(str(folder / "transformations/ingest.py"), 9)


def test_a_stack_of_installed_packages_alone_names_no_line(folder: Path) -> None:
    message = from_worker("connector_lib.errors.ApiError: it failed")
    assert place_in([Raised("", message)], folder) is None


@pytest.mark.parametrize(
    "repeated",
    ["a", "pip ", "  at a.B(C.scala:1)\n", "AnsiResult(", "AnsiResult( ", "'a ", "{ [ ", "/Volumes/a/b", "x.", "1234 "],
)
def test_a_huge_message_is_read_in_no_time(repeated: str) -> None:
    began = time.process_time()
    raised = Raised("", repeated * 100_000)
    assert len(shown_message(raised)) <= 400
    assert place_in([raised], None) is None
    assert explain([plain_message(raised.message)], {"pipeline": "", "folder": "", "option": ""}) is None
    assert time.process_time() - began < 2
