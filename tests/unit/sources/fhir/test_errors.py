"""What is wrong with an answer is an error that says where, and shows nothing of a patient."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from connector_lib.errors import ApiError, SourceError
from connector_lib.testing.api_server import ApiRequest, ApiServer, Reply
from connector_lib.testing.fhir_server import FhirServer
from connector_lib.testing.fhir_service import FhirBehaviour
from connector_lib.testing.fhir_store import ManualClock
from tests.unit.sources.fhir.conftest import START, StartServer, ids, patient, read, source_of
from tests.unit.sources.fhir.live_server import CAPABILITIES

DATED = {"lastUpdated": "2026-03-01T00:00:00Z"}


def outcome(severity: str, diagnostics: str) -> dict[str, Any]:
    issue = {"severity": severity, "code": "processing", "diagnostics": diagnostics}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def searchset(*resources: dict[str, Any], **members: Any) -> dict[str, Any]:
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, **members}


def read_from(answer: Any, capabilities: dict[str, Any] = CAPABILITIES, status: int = 200) -> list[str]:
    """The ids that come from a server that answers each search with ``answer``."""
    respond: Callable[[ApiRequest], Reply] = lambda _: Reply.json(answer, status)  # noqa: E731
    routes = {"/metadata": lambda _: Reply.json(capabilities), "*": respond}
    with ApiServer(routes, base_path="/fhir", now=lambda: START + timedelta(days=1)) as api:
        source = source_of(api, resource_types="Patient")
        return ids(read(source)[0])


@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_an_operation_outcome_is_an_error_whatever_its_status(status: int) -> None:
    answer = outcome("error", "HAPI-0524: Unknown search parameter 'Doe' for resource type Patient")
    with pytest.raises(ApiError, match="/fhir/Patient: ") as caught:
        read_from(answer, status=status)
    assert "error, processing: HAPI-0524: Unknown search parameter '…' for resource type Patient" in str(caught.value)
    assert "Doe" not in str(caught.value)
    assert caught.value.status == status


def test_an_outcome_among_the_resources_that_says_something_was_left_out_is_an_error() -> None:
    with pytest.raises(ApiError, match="left something out: error, processing: access denied"):
        read_from(searchset(patient(1), outcome("error", "access denied")))


def test_a_warning_among_the_resources_is_passed_over() -> None:
    assert read_from(searchset(patient(1, meta=DATED), outcome("warning", "slow"))) == ["p1"]


def test_resources_that_were_only_included_are_no_rows() -> None:
    answer = searchset(patient(1, meta=DATED))
    answer["entry"].append({"resource": {"resourceType": "Basic", "id": "b1"}, "search": {"mode": "include"}})
    assert read_from(answer) == ["p1"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (searchset({"resourceType": "Basic", "id": "b1"}), "entry 0 of a search for Patient is a resource of the type"),
        (searchset({"resourceType": "Patient"}), "entry 0 of a searchset has a resource without an id"),
        (searchset(patient(1), entry=[{"fullUrl": "Patient/p1"}]), "entry 0 of a searchset has no resource"),
        (searchset(patient(1), entry={}), "whose 'entry' is no list"),
        (searchset(type="batch"), "a Bundle of another type"),
        (patient(1), "a resource of the type 'Patient' came in place of a Bundle"),
        ({"message": "hello"}, "JSON that is no FHIR resource came in place of a Bundle"),
        (["hello"], "JSON that is no FHIR resource came in place of a Bundle"),
        (searchset(patient(1, meta={"lastUpdated": "now"})), "a meta.lastUpdated that is no instant"),
    ],
)
def test_an_answer_that_is_no_page_of_resources_is_an_error(answer: Any, message: str) -> None:
    with pytest.raises(ApiError, match=message):
        read_from(answer)


def test_a_page_that_comes_again_under_another_link_is_an_error() -> None:
    pages = iter(range(1000))

    def endless(request: ApiRequest) -> Reply:
        link = {"relation": "next", "url": f"Patient?page={next(pages)}"}
        return Reply.json(searchset(patient(1, meta=DATED), link=[link]))

    with ApiServer({"/metadata": lambda _: Reply.json(CAPABILITIES), "*": endless}, base_path="/fhir") as api:
        source = source_of(api, resource_types="Patient")
        with pytest.raises(ApiError, match="page 2 is the same as the one before"):
            read(source)


def test_empty_pages_without_an_end_are_an_error() -> None:
    pages = iter(range(1000))

    def endless(request: ApiRequest) -> Reply:
        return Reply.json(searchset(link=[{"relation": "next", "url": f"Patient?page={next(pages)}"}]))

    with ApiServer({"/metadata": lambda _: Reply.json(CAPABILITIES), "*": endless}, base_path="/fhir") as api:
        source = source_of(api, resource_types="Patient")
        with pytest.raises(ApiError, match="201 pages one after the other are empty"):
            read(source)


def test_a_server_of_another_fhir_version_is_refused() -> None:
    with pytest.raises(SourceError, match="does not speak FHIR R4"):
        read_from(searchset(), {**CAPABILITIES, "fhirVersion": "5.0.0"})


def test_what_is_no_capability_statement_is_refused() -> None:
    with pytest.raises(ApiError, match="what came is no CapabilityStatement"):
        read_from(searchset(), {"resourceType": "Patient"})


def test_no_error_shows_a_search_parameter_or_a_patient(server: FhirServer, clock: ManualClock) -> None:
    server.put(patient(1, name=[{"family": "Doe"}]))
    clock.advance(1)
    with pytest.raises(ApiError) as caught:
        read(source_of(server), search="no-such-parameter=Doe")
    assert "unknown search parameter 'no-such-parameter' for Patient" in str(caught.value)
    assert "Doe" not in str(caught.value)


def test_check_connection_tells_what_answers(server: FhirServer) -> None:
    assert source_of(server).check_connection() == "connector_lib FHIR server for tests 1, FHIR 4.0.1, 2 resource types"


def test_check_connection_names_types_without_the_history_that_is_asked_for(start_server: StartServer) -> None:
    server = start_server(behaviour=FhirBehaviour(types=("Patient",), history=False))
    assert "1 resource types" in source_of(server).check_connection()
    with pytest.raises(SourceError, match="does not list a history of the types: Patient"):
        source_of(server, deletes="history").check_connection()


def test_check_connection_names_tables_that_the_server_has_not(server: FhirServer) -> None:
    with pytest.raises(SourceError, match="does not list as searchable: Goal"):
        source_of(server, resource_types="Patient,Goal").check_connection()
