"""What is known of the errors that updates end with."""

from __future__ import annotations

import string

import pytest

from connector_lib.deploy.failure_text import own_error, plain_message
from connector_lib.deploy.known_failures import (
    KNOWN_FAILURES,
    OWN_FAILURES,
    Explanation,
    KnownFailure,
    explain,
    explain_own,
)
from connector_lib.deploy.update_events import Raised
from tests.servers.workspace.loopback.failure_samples import SAMPLES, Sample

ABOUT = {
    "pipeline": "fhir_api",
    "folder": "pipelines/fhir_api",
    "option": " --target eu --profile prod",
    "profile": " --profile prod",
}


def told(sample: Sample) -> Explanation | None:
    inner_first = [Raised("", message) for message in sample.messages[::-1]]
    own = next((found for found in map(own_error, inner_first) if found is not None), None)
    if own is not None:
        return explain_own(own, ABOUT)
    return explain([plain_message(raised.message) for raised in inner_first], ABOUT)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.message[-60:])
def test_a_known_failure_is_told_with_its_cause_and_what_to_do(sample: Sample) -> None:
    explained = told(sample)
    assert explained is not None
    assert explained.name == sample.known
    assert sample.tells in explained.cause
    assert sample.hints in explained.remedy
    assert explained.passes is sample.passes


def test_every_entry_of_the_tables_has_a_sample() -> None:
    without_sample = {"rule", "configuration", "unknown table", "broker", "error of connector_lib"}
    assert {known.name for known in (*KNOWN_FAILURES, *OWN_FAILURES)} == {
        *(sample.known for sample in SAMPLES),
        *without_sample,
    }


@pytest.mark.parametrize("known", [*KNOWN_FAILURES, *OWN_FAILURES], ids=lambda known: known.name)
def test_a_text_names_only_words_that_it_is_given(known: KnownFailure) -> None:
    words = {name for text in (known.cause, known.remedy) for _, name, _, _ in string.Formatter().parse(text) if name}
    assert words <= {*ABOUT, *known.pattern.groupindex}


def test_a_failure_that_needs_a_change_is_not_said_to_pass() -> None:
    passing = {known.name for known in (*KNOWN_FAILURES, *OWN_FAILURES) if known.passes}
    assert passing == {
        *("API down", "API out of reach", "concurrent change", "limit of an API", "network", "new columns"),
        *("no machines", "package index out of reach", "schema changed", "start of the cluster"),
    }


def test_a_count_of_429_rows_is_no_limit_of_an_api() -> None:
    assert explain(["wrote 429 rows and stopped"], ABOUT) is None


@pytest.mark.parametrize(
    "message",
    [
        "requests.exceptions.HTTPError: 403 Client Error: token is not in allowlist for url",
        "Source IP address is not on the allow list of the storage account",
        "RESOURCE_EXHAUSTED: gRPC message exceeds maximum size 4194304: 5000000",
        "rate limiter bean could not be created",
        "[STREAMING_CHECKPOINT_LOG_WRITE_FAILURE] Failed to write a streaming query checkpoint log entry.",
        "[DELTA_STREAMING_CHECK_COLUMN_MAPPING_NO_SNAPSHOT] Failed to obtain Delta log snapshot",
    ],
)
def test_words_like_those_of_a_known_failure_are_not_taken_for_it(message: str) -> None:
    assert explain([message], ABOUT) is None


@pytest.mark.parametrize("known", [*KNOWN_FAILURES, *OWN_FAILURES], ids=lambda known: known.name)
def test_who_is_told_to_refresh_in_full_is_told_what_is_lost(known: KnownFailure) -> None:
    advised = "full-refresh" in known.remedy or "full refresh" in known.remedy
    assert not advised or "loses what the source no longer has, such as the history of an SCD type 2" in known.remedy


def test_a_failure_that_a_start_mends_is_not_met_by_a_full_refresh() -> None:
    assert [known.name for known in KNOWN_FAILURES if known.passes and "full-refresh" in known.remedy] == []


def test_the_commands_in_a_remedy_name_the_pipeline_and_the_profile() -> None:
    explained = explain(["[NO_TABLES_IN_PIPELINE] x", "[DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE] x"], ABOUT)
    assert explained is not None
    assert "'connector-lib check pipelines/fhir_api'" in explained.remedy
    refreshed = explain(["[DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE] x"], ABOUT)
    assert refreshed is not None
    assert "'connector-lib start fhir_api --full-refresh TABLE --target eu --profile prod'" in refreshed.remedy
    unconnected = explain(["[CONNECTION_NOT_FOUND] x"], ABOUT)
    assert unconnected is not None
    assert "'connector-lib connection list --profile prod'" in unconnected.remedy


def test_a_failure_that_nobody_knows_has_no_explanation() -> None:
    assert explain(["[SOMETHING_NEW] what is this?"], ABOUT) is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("PipelineRuleError", "rule"),
        ("ConfigurationError", "configuration"),
        ("UnknownTableError", "unknown table"),
        ("BrokerError", "broker"),
        ("HL7Error", "error of connector_lib"),
    ],
)
def test_every_error_of_this_package_is_known(kind: str, name: str) -> None:
    own = own_error(Raised("", f"Traceback (most recent call last):\nconnector_lib.errors.{kind}: it is so\n  do that"))
    assert own is not None
    explained = explain_own(own, ABOUT)
    assert (explained.name, explained.cause) == (name, "it is so")
    assert explained.remedy.startswith("do that")
