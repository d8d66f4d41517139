"""The tables of elements hold together."""

from __future__ import annotations

import pytest

from connector_lib.formats.fhir.elements import DATATYPES, PRIMITIVES, RESOURCES, elements_of
from connector_lib.formats.fhir.resource_types import RESOURCE_TYPES


def test_tables_are_of_resource_types_of_r4() -> None:
    assert set(RESOURCES) <= RESOURCE_TYPES
    assert len(RESOURCE_TYPES) == 146


@pytest.mark.parametrize("name", [*DATATYPES, *RESOURCES])
def test_every_type_of_an_element_is_known_and_every_name_is_there_once(name: str) -> None:
    found = elements_of(name)
    assert found
    assert {element.type for element in found} <= PRIMITIVES | DATATYPES.keys()
    assert len({element.name.casefold() for element in found}) == len(found)


@pytest.mark.parametrize("name", DATATYPES)
def test_no_type_holds_itself(name: str) -> None:
    inside, new = set(), {element.type for element in elements_of(name)}
    while new:
        inside |= new
        new = {element.type for kind in new for element in elements_of(kind)} - inside
    assert name not in inside


@pytest.mark.parametrize("name", sorted(set(DATATYPES) - {"Meta"}))
def test_every_datatype_is_used(name: str) -> None:
    assert any(element.type == name for kind in (*DATATYPES, *RESOURCES) for element in elements_of(kind))
