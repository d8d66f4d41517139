"""The pipeline folders as Databricks meets them: their files are run, and the queries that they define make plans."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from connector_lib.tables.hl7v2 import TABLES

if TYPE_CHECKING:
    from tests.databricks_stand_in import DatabricksPipelines

PIPELINES = Path(__file__).parents[3] / "pipelines"
SECRET = "Endpoint=sb://lab/;SharedAccessKey=canary"
GIVEN = {
    "hl7v2_files": {"source.storage_path": "/Volumes/main/hl7/in"},
    "hl7v2_kafka": {"kafka.servers": "kafka:9092", "kafka.topic": "hl7", "kafka.user": "u", "kafka.secretScope": "hl7"},
    "hl7v2_event_hubs": {"eventhub.namespace": "lab", "eventhub.name": "hl7", "eventhub.secretScope": "hl7"},
    "hl7v2_kinesis": {"s3.kinesis.path": "s3://bucket/hl7"},
}
SOURCES = {
    "hl7v2_files": "cloudFiles",
    "hl7v2_kafka": "kafka",
    "hl7v2_event_hubs": "kafka",
    "hl7v2_kinesis": "cloudFiles",
}


@pytest.fixture(params=GIVEN)
def pipeline(
    request: pytest.FixtureRequest,
    databricks: DatabricksPipelines,
    settings: dict[str, str],
    secrets: dict[tuple[str, str], str],
) -> str:
    """The name of a pipeline whose files have been run."""
    name = str(request.param)
    secrets["hl7", "kafka-password"] = secrets["hl7", "eventhub-connection-string"] = SECRET
    settings |= spec(name)["configuration"] | GIVEN[name] | {"trigger.interval": "10 seconds"}
    for file in sorted((PIPELINES / name / "transformations").glob("*.py")):
        runpy.run_path(str(file))
    return name


def spec(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((PIPELINES / name / "spark-pipeline.yml").read_text(encoding="utf-8"))
    return content


def plans(databricks: DatabricksPipelines) -> dict[str, Any]:
    frames = {name: function() for name, function in databricks.functions.items()}
    return {name: frame._plan.plan(None) for name, frame in frames.items()}


def reads(message: Any) -> list[Any]:
    """Every ``read`` in a plan."""
    found = [message.read] if message.DESCRIPTOR.name == "Relation" and message.HasField("read") else []
    for part, value in message.ListFields():
        if part.message_type is None or part.message_type.GetOptions().map_entry:
            continue
        for each in [value] if hasattr(value, "DESCRIPTOR") else value:
            found += reads(each)
    return found


def test_every_table_is_defined_under_its_name(pipeline: str, databricks: DatabricksPipelines) -> None:
    assert list(databricks.functions) == ["received", *(table.name for table in TABLES)]


def test_received_reads_the_source_and_all_others_read_received(pipeline: str, databricks: DatabricksPipelines) -> None:
    made = plans(databricks)
    assert {read.data_source.format for read in reads(made.pop("received"))} == {SOURCES[pipeline]}
    for plan in made.values():
        assert [read.named_table.unparsed_identifier for read in reads(plan)] == ["received"]


def test_each_name_has_a_query_of_its_own(pipeline: str, databricks: DatabricksPipelines) -> None:
    made = [str(plan) for plan in plans(databricks).values()]
    assert len(set(made)) == len(made)


def test_an_interval_is_told_to_the_table_that_reads_the_source(pipeline: str, databricks: DatabricksPipelines) -> None:
    asked = {name for name, conf in databricks.spark_conf.items() if conf}
    assert asked == (set() if pipeline == "hl7v2_files" else {"received"})


def test_no_secret_is_in_the_configuration(pipeline: str, settings: dict[str, str]) -> None:
    assert "canary" not in str(settings)


def test_the_tables_of_two_pipelines_never_have_one_name() -> None:
    databases = [spec(name).get("database", "default") for name in GIVEN]
    assert len(set(databases)) == len(databases)


def test_the_files_behind_the_source_are_the_same_in_every_pipeline() -> None:
    files = {(PIPELINES / name / "transformations" / "tables.py").read_bytes() for name in GIVEN}
    assert len(files) == 1
