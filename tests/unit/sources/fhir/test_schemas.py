"""The columns of a resource type's table, and that resources fit them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql.types import ArrayType, DataType, StringType, StructField, StructType

import connector_lib.sources.fhir as fhir
from connector_lib.datasource.converters import compile_converter
from connector_lib.formats.fhir.elements import RESOURCES
from connector_lib.sources.fhir.records import records_of
from connector_lib.sources.fhir.schemas import table_schema
from tests.unit.sources.fhir.conftest import complete_patient

SYNTHEA = Path(__file__).resolve().parents[5] / "shared" / "data" / "fhir" / "synthea_ndjson"


@pytest.mark.parametrize("resource_type", [*RESOURCES, "Basic"])
def test_every_table_has_key_time_and_the_whole_resource(resource_type: str) -> None:
    schema = table_schema(resource_type)
    assert [schema[name].dataType.simpleString() for name in ("id", "lastUpdated", "resource")] == [
        "string",
        "timestamp",
        "string",
    ]
    assert (schema["id"].nullable, schema["lastUpdated"].nullable, schema["resource"].nullable) == (False, False, True)


@pytest.mark.parametrize("resource_type", RESOURCES)
def test_no_two_columns_differ_by_case_at_most(resource_type: str) -> None:
    for struct in structs(table_schema(resource_type)):
        names = [name.casefold() for name in struct.fieldNames()]
        assert len(set(names)) == len(names)


def test_the_page_of_the_source_lists_the_types_with_columns_of_their_own() -> None:
    text = (Path(fhir.__file__).parent / "README.md").read_text(encoding="utf-8")
    listed = text.partition("Types with columns of their own: ")[2].partition(".")[0]
    assert listed.replace("\n", " ").split(", ") == sorted(RESOURCES)
    assert f"for the {len(RESOURCES)} types below" in text


def test_partial_dates_are_kept_as_text() -> None:
    row = converted("Patient", complete_patient())
    assert row["birthDate"] == "1980-02"


def test_a_complete_patient_fits_its_columns() -> None:
    row = converted("Patient", complete_patient())
    assert [name for name, value in row.items() if value is None] == []
    assert row["identifier"][0]["assigner"]["identifier"]["value"] == "A"
    assert row["multipleBirthInteger"] == 2


def test_the_whole_resource_is_in_a_column_with_what_has_none() -> None:
    extension = [{"url": "http://example.org/e", "valueDecimal": Decimal("1.50")}]
    row = converted("Patient", {**complete_patient(), "extension": extension})
    assert '"extension":[{"url":"http://example.org/e","valueDecimal":1.50}]' in row["resource"]
    assert json.loads(row["resource"])["name"] == complete_patient()["name"]


@pytest.mark.parametrize("resource_type", ["Patient", "Basic"])
def test_nothing_of_a_record_is_without_a_column_to_be_rescued(resource_type: str) -> None:
    schema = StructType([*table_schema(resource_type).fields, StructField("_rescued", StringType())])
    text = {"status": "generated", "div": "<div>Sample</div>"}
    resource = {**complete_patient(), "resourceType": resource_type, "text": text, "implicitRules": "http://a.example"}
    records = list(records_of([resource], resource_type, undated_is_refused=False))
    (row,) = compile_converter(schema, rescued_column="_rescued").to_batch(records).to_pylist()
    assert row["_rescued"] is None
    assert json.loads(row["resource"]) == resource


def test_a_deletion_fits_the_columns() -> None:
    deletion = {"id": "p1", "lastUpdated": "2026-03-01T00:00:05.000000Z"}
    (row,) = compile_converter(table_schema("Patient")).to_batch([deletion]).to_pylist()
    assert {name: value for name, value in row.items() if value is not None}.keys() == {"id", "lastUpdated"}


@pytest.mark.skipif(not SYNTHEA.is_dir(), reason="the Synthea samples are not there")
@pytest.mark.parametrize("resource_type", sorted(path.name.partition(".")[0] for path in SYNTHEA.glob("*.ndjson")))
def test_synthetic_patients_of_synthea_fit_their_columns(resource_type: str) -> None:
    lines = (SYNTHEA / f"{resource_type}.000.ndjson").read_bytes().splitlines()
    resources = [json.loads(line) for line in lines if line.strip()]
    records = list(records_of(resources, resource_type, undated_is_refused=False))
    batch = compile_converter(table_schema(resource_type)).to_batch(records)
    rows = batch.to_pylist()
    assert [json.loads(row["resource"]) for row in rows] == resources
    for name in set(batch.schema.names) - {"lastUpdated", "resource"}:
        assert [row[name] is None for row in rows] == [name not in resource for resource in resources]


def converted(resource_type: str, resource: dict[str, Any]) -> dict[str, Any]:
    resource = {**resource, "meta": {"lastUpdated": "2026-03-01T00:00:00Z"}}
    records = list(records_of([resource], resource_type, undated_is_refused=True))
    (row,) = compile_converter(table_schema(resource_type)).to_batch(records).to_pylist()
    assert isinstance(row, dict)
    return row


def structs(kind: DataType) -> Iterator[StructType]:
    if isinstance(kind, ArrayType):
        yield from structs(kind.elementType)
    if isinstance(kind, StructType):
        yield kind
        for field in kind.fields:
            yield from structs(field.dataType)
