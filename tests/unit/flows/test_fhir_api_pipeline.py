"""The pipeline folder fhir_api: its files belong together, and define their tables on Databricks."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connector_lib.connector.connections import load_connection
from connector_lib.connector.registry import load_source
from connector_lib.connector.spec import PipelineSpec
from connector_lib.project.pipeline import load_pipeline_folder
from connector_lib.samples.fhir import RESOURCE_TYPES, sample_resources
from connector_lib.testing.fhir_server import FhirServer

if TYPE_CHECKING:
    from tests.databricks_stand_in import DatabricksPipelines, SessionWithoutServer

PIPELINE = Path(__file__).parents[3] / "pipelines" / "fhir_api"
TABLES = ("patients", "encounters", "observations", "conditions", "medication_requests", "immunizations")


@pytest.fixture
def server() -> Iterator[FhirServer]:
    with FhirServer(sample_resources(2, seed=1)) as server:
        yield server


@pytest.fixture
def defined(databricks: DatabricksPipelines, session: SessionWithoutServer, server: FhirServer) -> DatabricksPipelines:
    """What the files of the pipeline ask Databricks for."""
    session.connections["fhir"] = {"sourceName": "fhir", "base_url": server.url}
    for file in load_pipeline_folder(PIPELINE).files:
        runpy.run_path(str(file))
    return databricks


def test_the_spec_takes_resource_types_under_names_of_their_own() -> None:
    spec = PipelineSpec.load(PIPELINE / "ingest.yml")
    assert tuple(table.destination_table for table in spec.tables) == TABLES
    assert {table.source_table for table in spec.tables} <= set(RESOURCE_TYPES)
    assert {table.options["deletes"] for table in spec.tables} == {"history"}


def test_the_connection_of_the_spec_is_in_the_file_beside_it_and_takes_its_address_from_the_environment() -> None:
    spec = PipelineSpec.load(PIPELINE / "ingest.yml")
    environment = {"FHIR_BASE_URL": "http://127.0.0.1:1/fhir"}
    connection = load_connection(PIPELINE / "connections.yml", spec.connection, environment)
    assert connection.options == {"base_url": environment["FHIR_BASE_URL"]}
    load_source(connection.source)(connection.options)


def test_every_table_is_kept_by_auto_cdc_with_deletes(defined: DatabricksPipelines) -> None:
    flows: list[dict[str, Any]] = defined.calls_of("create_auto_cdc_flow")
    assert tuple(flow["target"] for flow in flows) == TABLES
    assert [flow["stored_as_scd_type"] for flow in flows] == [2, 1, 1, 1, 1, 1]
    assert all(flow["keys"] == ["id"] and flow["apply_as_deletes"] is not None for flow in flows)


def test_only_its_metadata_is_asked_of_the_server_before_a_run(
    defined: DatabricksPipelines, server: FhirServer
) -> None:
    assert {request.path for request in server.requests} <= {"/metadata"}
