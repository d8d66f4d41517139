"""What ``auto_cdc`` asks Databricks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from connector_lib.flows.cdc import auto_cdc

if TYPE_CHECKING:
    from tests.databricks_stand_in import DatabricksPipelines

pytestmark = pytest.mark.usefixtures("without_server")


def flow_of(databricks: DatabricksPipelines, **arguments: Any) -> dict[str, Any]:
    auto_cdc("main.lab.patients", "patient_changes", **{"keys": ["id"], "sequence_by": "at", **arguments})
    return databricks.calls_of("create_auto_cdc_flow")[0]


def expression(column: Any) -> str:
    text: str = column.to_plan(None).expression_string.expression
    return text


def test_it_is_one_streaming_table_and_one_flow_and_nothing_else(databricks: DatabricksPipelines) -> None:
    flow = flow_of(databricks, comment="Everybody", cluster_by=["id"], table_properties={"quality": "silver"})
    assert databricks.calls == [
        (
            "create_streaming_table",
            {
                "name": "main.lab.patients",
                "comment": "Everybody",
                "cluster_by": ["id"],
                "table_properties": {"quality": "silver"},
            },
            "main.lab.patients",
        ),
        ("create_auto_cdc_flow", flow, "main.lab.patients"),
    ]
    assert flow == {
        "target": "main.lab.patients",
        "source": "patient_changes",
        "keys": ["id"],
        "sequence_by": "at",
        "stored_as_scd_type": 1,
    }


def test_deletes_are_a_condition(databricks: DatabricksPipelines) -> None:
    assert expression(flow_of(databricks, apply_as_deletes="op = 'D'")["apply_as_deletes"]) == "op = 'D'"


def test_a_sequence_of_several_columns_is_a_struct(databricks: DatabricksPipelines) -> None:
    sequence = flow_of(databricks, sequence_by=["at", "number"])["sequence_by"].to_plan(None).unresolved_function
    assert sequence.function_name == "struct"
    assert [part.unresolved_attribute.unparsed_identifier for part in sequence.arguments] == ["at", "number"]


def test_the_sequence_makes_no_version(databricks: DatabricksPipelines) -> None:
    assert flow_of(databricks, scd_type=2)["track_history_except_column_list"] == ["at"]


def test_a_sequence_that_the_table_does_not_have_is_not_named_again(databricks: DatabricksPipelines) -> None:
    flow = flow_of(databricks, scd_type=2, except_column_list=["at", "op"])
    assert flow["except_column_list"] == ["at", "op"]
    assert "track_history_except_column_list" not in flow


def test_columns_that_never_make_a_version_are_named(databricks: DatabricksPipelines) -> None:
    flow = flow_of(databricks, scd_type=2, track_history_except_column_list=["_ingest_timestamp"])
    assert flow["track_history_except_column_list"] == ["_ingest_timestamp", "at"]


def test_columns_that_make_a_version_are_named(databricks: DatabricksPipelines) -> None:
    flow = flow_of(databricks, scd_type=2, track_history_column_list=["name"])
    assert flow["track_history_column_list"] == ["name"]
    assert "track_history_except_column_list" not in flow


def test_a_name_with_a_dot_keeps_its_backticks(databricks: DatabricksPipelines) -> None:
    assert flow_of(databricks, keys=["`a.b`"])["keys"] == ["`a.b`"]
