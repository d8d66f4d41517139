"""What docs/ingestion.md shows is what the package takes."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from connector_lib.connector.connections import load_connection
from connector_lib.connector.spec import PipelineSpec
from connector_lib.flows.cdc import CDC_SETTING
from connector_lib.flows.source_access import CONNECTIONS_SETTING, STATE_SETTING

if TYPE_CHECKING:
    from tests.databricks_stand_in import DatabricksPipelines

PAGE = (Path(__file__).parents[3] / "docs" / "ingestion.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_spec_is_one() -> None:
    spec = PipelineSpec.load(yaml.safe_load(blocks("yaml")[0]))
    assert [(table.destination_table, table.scd_type) for table in spec.tables] == [
        ("patients", None),
        ("patient_history", "SCD_TYPE_2"),
    ]


def test_the_connections_are_some(tmp_path: Path) -> None:
    file = tmp_path / "connections.yml"
    file.write_text(blocks("yaml")[1])
    connection = load_connection(file, "clinic", {"CLINIC_TOKEN": "canary"})
    assert (connection.source, connection.options["token"]) == ("fhir", "canary")


def test_the_settings_are_those_that_are_read() -> None:
    named = set(re.findall(r"connector\.[a-z_]+\b", PAGE))
    assert named == {CDC_SETTING, CONNECTIONS_SETTING, STATE_SETTING}


@pytest.mark.usefixtures("without_server")
def test_the_code_runs(databricks: DatabricksPipelines) -> None:
    files = [ast.parse(block) for block in blocks("python")]
    assert len(files) == 2
    exec(compile(files[1], "patients.py", "exec"), {})
    assert databricks.calls_of("create_auto_cdc_flow")[0]["target"] == "patients"
    assert list(databricks.functions) == ["patient_changes"]
