"""Options of a connection and of a table."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import connector_lib.sources.fhir as fhir
from connector_lib.datasource.connect import READ_OPTIONS
from connector_lib.errors import OptionError
from connector_lib.sources.fhir.options import FhirOptions, FhirTableOptions, reading_of

BASE = {"base_url": "https://ehr.example.org/fhir"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "the option 'base_url' is missing"),
        ({**BASE, "auth_type": "bearer"}, "auth_type=bearer needs the option 'token'"),
        ({**BASE, "auth_type": "basic", "username": "lab"}, "auth_type=basic needs the option 'password'"),
        ({**BASE, "token": "x"}, "the option 'token' is for auth_type=bearer, which is none"),
        ({**BASE, "auth_type": "smart", "client_id": "lab"}, "auth_type=smart needs the option 'private_key'"),
        ({**BASE, "resource_types": "patient"}, "a resource type is a name such as MedicationRequest"),
        ({**BASE, "resource_types": "[]"}, "the list is empty"),
        ({**BASE, "lag_seconds": "-1"}, "the option 'lag_seconds'"),
        ({**BASE, "deletes_from": "last week"}, "no instant such as 2026-01-31T00:00:00Z"),
        ({**BASE, "resourcetype": "Patient"}, "there is no option 'resourcetype'"),
    ],
)
def test_wrong_options_of_a_connection_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        FhirOptions.read(options, where="connection 'ehr'")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"search": "category"}, "not of the form name=value&name=value"),
        ({"search": "_lastUpdated=ge2026"}, "'_lastUpdated' is set by the source itself"),
        ({"search": "code:in=x&_sort=date"}, "'_sort' is set by the source itself"),
        ({"page_size": "0"}, "the option 'page_size'"),
        ({"deletes": "sometimes"}, "the option 'deletes'"),
    ],
)
def test_wrong_options_of_a_table_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        FhirTableOptions.read(options, where="table 'Observation'")


def test_no_message_shows_a_secret() -> None:
    with pytest.raises(OptionError) as caught:
        FhirOptions.read({**BASE, "auth_type": "basic", "password": "hush hush"}, where="connection 'ehr'")
    assert "hush" not in str(caught.value)


def test_a_table_takes_from_the_connection_what_it_does_not_say_itself() -> None:
    connection = FhirOptions.read({**BASE, "page_size": "50", "deletes": "history"}, where="")
    table = FhirTableOptions.read({"PAGESIZE": "7", "profile": "http://example.org/a,http://example.org/b"}, where="")
    reading = reading_of(connection, table, where="")
    assert (reading.page_size, reading.deletes) == (7, "history")
    assert reading.filters == (("_profile", "http://example.org/a"), ("_profile", "http://example.org/b"))


def test_a_table_can_set_a_default_against_its_connection() -> None:
    connection = FhirOptions.read({**BASE, "deletes": "history"}, where="")
    assert reading_of(connection, FhirTableOptions.read({"deletes": "none"}, where=""), where="").deletes == "none"


class TestConnectorSpec:
    """``connector_spec.yaml`` tells the platform of the same options."""

    spec = yaml.safe_load((Path(fhir.__file__).parent / "connector_spec.yaml").read_text(encoding="utf-8"))

    def test_it_names_every_option_of_a_connection_as_the_class_has_it(self) -> None:
        told = {one["name"]: (one["type"], one["required"]) for one in self.spec["connection"]["parameters"]}
        for method in self.spec["connection"]["auth_methods"]:
            told |= {one["name"]: (one["type"], False) for one in method["parameters"]}
        fields = {field.name: (field.type, field.required) for field in FhirOptions.fields()}
        assert told == fields

    def test_its_forms_of_login_need_what_the_class_needs(self) -> None:
        for method in self.spec["connection"]["auth_methods"]:
            needed = {one["name"]: "x" for one in method["parameters"] if one["required"]}
            FhirOptions.read({**BASE, "auth_type": method["name"], **needed}, where="")
            for name in needed:
                others = {key: value for key, value in needed.items() if key != name}
                with pytest.raises(OptionError, match=f"needs the option '{name}'"):
                    FhirOptions.read({**BASE, "auth_type": method["name"], **others}, where="")

    def test_every_option_of_a_table_and_of_a_read_may_pass_through_a_connection(self) -> None:
        allowed = self.spec["external_options_allowlist"].split(",")
        assert sorted(allowed) == sorted([*READ_OPTIONS, *(field.name for field in FhirTableOptions.fields())])

    def test_it_describes_every_option(self) -> None:
        methods = self.spec["connection"]["auth_methods"]
        parameters = [*self.spec["connection"]["parameters"], *(one for each in methods for one in each["parameters"])]
        assert all(one["description"] and one["display_name"] for one in parameters)
