"""What a CapabilityStatement says."""

from __future__ import annotations

from typing import Any

import pytest

from connector_lib.errors import SourceError
from connector_lib.formats.fhir.capability import read_capability


def statement(*resources: dict[str, Any], **members: Any) -> dict[str, Any]:
    rest = [{"mode": "server", "resource": list(resources)}]
    return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest, **members}


def resource(name: str, *codes: str) -> dict[str, Any]:
    return {"type": name, "interaction": [{"code": code} for code in codes]}


def test_searchable_types_are_those_with_search_or_without_a_list_of_interactions() -> None:
    found = read_capability(
        statement(resource("Patient", "read", "search-type"), resource("Basic"), resource("Goal", "read"))
    )
    assert found.searchable == ("Basic", "Patient")


def test_types_with_a_history_are_told() -> None:
    found = read_capability(statement(resource("Patient", "search-type", "history-type"), resource("Basic", "read")))
    assert found.with_history == ("Patient",)


def test_nothing_is_known_of_histories_where_no_interactions_are_listed() -> None:
    assert read_capability(statement(resource("Patient"))).with_history is None


def test_what_a_server_can_do_as_a_client_does_not_count() -> None:
    found = read_capability(statement(rest=[{"mode": "client", "resource": [resource("Patient")]}]))
    assert found.searchable == ()


def test_software_and_version_are_named() -> None:
    found = read_capability(statement(software={"name": "HAPI FHIR Server", "version": "7.2.0"}))
    assert (found.software, found.fhir_version) == ("HAPI FHIR Server 7.2.0", "4.0.1")


@pytest.mark.parametrize("members", [{"rest": None}, {"rest": [7]}, {"rest": [{"resource": "Patient"}]}])
def test_a_statement_that_lists_nothing_has_no_types(members: dict[str, Any]) -> None:
    assert read_capability(statement(**members)).searchable == ()


@pytest.mark.parametrize("body", [None, [], "", {"resourceType": "Patient"}])
def test_what_is_no_statement_is_an_error(body: object) -> None:
    with pytest.raises(SourceError, match="no CapabilityStatement"):
        read_capability(body)


def test_an_outcome_in_its_place_is_an_error_that_tells_it() -> None:
    issue = {"severity": "fatal", "code": "login"}
    with pytest.raises(SourceError, match="fatal, login"):
        read_capability({"resourceType": "OperationOutcome", "issue": [issue]})
