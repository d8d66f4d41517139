"""OperationOutcomes are told without what could be a patient's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.formats.fhir.outcome import described, is_outcome, issues_of, without_values
from connector_lib.formats.fhir.resource_types import RESOURCE_TYPES
from connector_lib.formats.plain_words import PLAIN_WORDS


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Unknown search parameter 'Doe' for Patient", "Unknown search parameter '…' for Patient"),
        ("Resource Patient/4711 is not known", "Resource Patient/… is not known"),
        ("HAPI-1996: Resource was deleted at 2026-01-01T10:00:00", "HAPI-1996: Resource was deleted at …"),
        ("Jane Doe, born 1980: not authorized", "…: not authorized"),
        ("_lastUpdated is not supported", "_lastUpdated is not supported"),
        ("the request was denied for May", "the request was denied for …"),
        ("", ""),
    ],
)
def test_words_that_could_be_values_become_dots(text: str, told: str) -> None:
    assert without_values(text) == told


WORDS = st.one_of(
    st.text(max_size=8), st.sampled_from(["Unknown", "patient", "HAPI-0389", "HAPI-4711-9", "Patient/", "May"])
)


@given(st.lists(WORDS).map(" ".join))
def test_nothing_is_told_but_words_of_messages(text: str) -> None:
    told = re.sub(r"HAPI-\d{4}", "", without_values(text))
    words = {word.lower() for word in re.findall(r"\w+", told)}
    known = PLAIN_WORDS | {name.lower() for name in RESOURCE_TYPES}
    assert {word for word in words if not word.startswith("_")} <= known


def test_a_long_text_is_cut() -> None:
    assert len(without_values("error " * 1000)) <= 300


def issue(severity: str = "error", **members: Any) -> dict[str, Any]:
    return {"severity": severity, "code": "invalid", **members}


def outcome(*issues: Any) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def test_an_issue_has_severity_code_and_what_is_left_of_its_text() -> None:
    (found,) = issues_of(outcome(issue(details={"text": "search failed for Jane"})))
    assert (found.severity, found.code, found.text) == ("error", "invalid", "search failed for …")


@pytest.mark.parametrize(("severity", "fails"), [("fatal", True), ("error", True), ("warning", False)])
def test_errors_are_failures_and_warnings_are_none(severity: str, fails: bool) -> None:
    (found,) = issues_of(outcome(issue(severity)))
    assert found.is_failure is fails


@pytest.mark.parametrize("broken", [{}, {"issue": []}, {"issue": "Jane Doe"}, {"issue": [7]}])
def test_an_outcome_without_issues_is_a_failure(broken: dict[str, Any]) -> None:
    (found,) = issues_of({"resourceType": "OperationOutcome", **broken})
    assert (found.is_failure, str(found)) == (True, "error, unknown")


def test_codes_that_are_none_are_not_shown() -> None:
    (found,) = issues_of(outcome({"severity": "Jane Doe", "code": "Jane Doe", "diagnostics": {"Jane": "Doe"}}))
    assert str(found) == "error, unknown"


def test_a_line_has_the_failures_first_and_no_more_than_three() -> None:
    issues = issues_of(outcome(issue("warning"), *[issue(diagnostics="failed")] * 4))
    assert described(issues) == "; ".join(["error, invalid: failed"] * 3) + " and 2 more"


@pytest.mark.parametrize("other", [None, [], "OperationOutcome", {"resourceType": "Patient"}])
def test_other_values_are_no_outcome(other: object) -> None:
    assert not is_outcome(other)
