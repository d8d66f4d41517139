"""What ``ingest`` asks Databricks for: tables, flows, and the plans of the views between."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connector_lib.datasource.connect import READ_OPTIONS
from connector_lib.errors import ContractError, SpecError
from connector_lib.flows.ingestion import ingest

if TYPE_CHECKING:
    from tests.databricks_stand_in import DatabricksPipelines, SessionWithoutServer

CONNECTORS = Path(__file__).parents[2] / "data" / "connectors"
COLUMNS = {
    "type": "struct",
    "fields": [
        {"name": "id", "type": "long", "nullable": False, "metadata": {}},
        {"name": "at", "type": "string", "nullable": True, "metadata": {}},
    ],
}
KINDS: dict[str, dict[str, Any]] = {
    "changes": {"ingestion_type": "cdc", "primary_keys": ["id"], "cursor_field": "at"},
    "changes_and_deletes": {"ingestion_type": "cdc_with_deletes", "primary_keys": ["id"], "cursor_field": "at"},
    "nested": {"ingestion_type": "cdc", "primary_keys": ["site.id"], "cursor_field": "meta.lastUpdated"},
    "snapshots": {"ingestion_type": "snapshot", "primary_keys": ["id"]},
    "events": {"ingestion_type": "append"},
}


class Ingested:
    """What a spec came to on Databricks."""

    def __init__(self, databricks: DatabricksPipelines) -> None:
        self._databricks = databricks

    def spec(self, *tables: dict[str, Any]) -> Ingested:
        ingest({"connection_name": "clinic", "objects": [{"table": table} for table in tables]})
        return self

    def table(self, source: str, **configuration: Any) -> Ingested:
        return self.spec({"source_table": source, "table_configuration": configuration})

    def calls(self, kind: str) -> list[dict[str, Any]]:
        return self._databricks.calls_of(kind)

    def plan(self, name: str) -> Any:
        frame = self._databricks.functions[name]()
        return frame._plan.plan(None)

    @property
    def datasets(self) -> list[str]:
        return list(self._databricks.functions)


@pytest.fixture
def ingested(
    databricks: DatabricksPipelines,
    session: SessionWithoutServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Ingested:
    monkeypatch.syspath_prepend(str(CONNECTORS))
    journal = tmp_path / "journal.json"
    journal.write_text(
        json.dumps({name: {"metadata": metadata, "columns": COLUMNS} for name, metadata in KINDS.items()})
    )
    session.connections["clinic"] = {"sourceName": "journal", "file": str(journal), "password": "canary"}
    return Ingested(databricks)


def sources(message: Any) -> list[Any]:
    """Every data source that a plan reads."""
    found = []
    if message.DESCRIPTOR.name == "Read" and message.HasField("data_source"):
        found.append(message)
    for part, value in message.ListFields():
        if part.message_type is None or part.message_type.GetOptions().map_entry:
            continue
        for each in [value] if hasattr(value, "DESCRIPTOR") else value:
            found += sources(each)
    return found


def options(source: Any) -> dict[str, str]:
    return dict(source.data_source.options)


def aliases(plan: Any) -> list[str]:
    return [each.alias.name[0] for each in plan.project.expressions if each.HasField("alias")]


def test_changes_are_auto_cdc_from_a_view_over_the_stream(ingested: Ingested) -> None:
    ingested.table("changes", cluster_by="id")
    assert ingested.calls("create_streaming_table") == [{"name": "changes", "cluster_by": ["id"]}]
    assert ingested.calls("create_auto_cdc_flow") == [
        {
            "target": "changes",
            "source": "changes__source",
            "keys": ["id"],
            "sequence_by": "at",
            "stored_as_scd_type": 1,
        }
    ]
    assert ingested.datasets == ["changes__source"]


def test_the_stream_names_the_connection_and_holds_no_secret(ingested: Ingested) -> None:
    plan = ingested.table("changes", only="x").plan("changes__source")
    (source,) = sources(plan)
    assert source.is_streaming
    assert source.data_source.format == "lakeflow_connect"
    assert options(source) == {
        "databricks.connection": "clinic",
        "tableName": "changes",
        "tableConfigs": '{"changes": {"only": "x"}}',
    }
    assert "canary" not in str(plan)


def test_options_of_the_read_are_given_to_the_data_source_itself(ingested: Ingested) -> None:
    (source,) = sources(ingested.table("changes", readOnDriver=True, batch_rows=50).plan("changes__source"))
    assert options(source)["readOnDriver"] == "true"
    assert options(source)["batchRows"] == "50"
    assert options(source)["tableConfigs"] == '{"changes": {}}'


def test_beside_the_connection_stands_what_its_list_of_allowed_options_has_to_name(ingested: Ingested) -> None:
    own = {"read_on_driver": True, "RescuedDataColumn": "_rescued", "batchrows": 5, "allowEmptySnapshot": True}
    (source,) = sources(ingested.table("events", appendonly=True, only="x", **own).plan("events"))
    given = options(source)
    addressed = {"databricks.connection", "tableName", "tableConfigs"}
    assert given.keys() - addressed == set(READ_OPTIONS)
    assert given["tableConfigs"] == '{"events": {"only": "x"}}'


@pytest.mark.parametrize("table", ["changes__source", "snapshots__source", "events"])
def test_every_row_has_the_time_when_it_was_read(ingested: Ingested, table: str) -> None:
    plan = ingested.table(table.removesuffix("__source")).plan(table)
    assert aliases(plan) == ["_ingest_timestamp"]
    assert plan.project.expressions[-1].alias.expr.unresolved_function.function_name == "current_timestamp"


def test_scd_type_2_does_not_track_the_time_of_reading(ingested: Ingested) -> None:
    flow = ingested.table("changes", scd_type="SCD_TYPE_2").calls("create_auto_cdc_flow")[0]
    assert flow["stored_as_scd_type"] == 2
    assert flow["track_history_except_column_list"] == ["_ingest_timestamp", "at"]


def test_upserts_and_deletes_are_one_view_with_a_flag_and_one_flow(ingested: Ingested) -> None:
    ingested.table("changes_and_deletes")
    flow = ingested.calls("create_auto_cdc_flow")[0]
    assert flow["apply_as_deletes"].to_plan(None).expression_string.expression == "_deleted"
    assert flow["except_column_list"] == ["_deleted"]
    union = ingested.plan("changes_and_deletes__source").project.input.set_op
    branches = (union.left_input, union.right_input)
    flags = [branch.project.expressions[-1].alias for branch in branches]
    assert [(flag.name[0], flag.expr.literal.boolean) for flag in flags] == [("_deleted", False), ("_deleted", True)]
    assert ["isDeleteFlow" in options(sources(branch)[0]) for branch in branches] == [False, True]
    assert union.by_name


def test_snapshots_are_auto_cdc_from_snapshot_over_a_batch(ingested: Ingested) -> None:
    ingested.table("snapshots", cluster_by=["id"])
    assert ingested.calls("create_streaming_table") == [{"name": "snapshots", "cluster_by": ["id"]}]
    assert ingested.calls("create_auto_cdc_from_snapshot_flow") == [
        {"target": "snapshots", "source": "snapshots__source", "keys": ["id"], "stored_as_scd_type": 1}
    ]
    (source,) = sources(ingested.plan("snapshots__source"))
    assert not source.is_streaming


def test_versions_from_snapshots_do_not_track_the_time_of_reading(ingested: Ingested) -> None:
    flow = ingested.table("snapshots", scd_type="scd_type_2").calls("create_auto_cdc_from_snapshot_flow")[0]
    assert flow["stored_as_scd_type"] == 2
    assert flow["track_history_except_column_list"] == ["_ingest_timestamp"]


@pytest.mark.parametrize("table", ["events", "changes"])
def test_what_is_only_appended_is_a_streaming_table_and_nothing_else(
    ingested: Ingested, databricks: DatabricksPipelines, table: str
) -> None:
    ingested.table(table, scd_type="APPEND_ONLY")
    assert ingested.datasets == [table]
    assert [kind for kind, _, _ in databricks.calls] == ["table"]


def test_nested_keys_and_sequences_are_columns_of_the_view(ingested: Ingested) -> None:
    flow = ingested.table("nested").calls("create_auto_cdc_flow")[0]
    assert (flow["keys"], flow["sequence_by"], flow["except_column_list"]) == (["site_id"], "_sequence", ["_sequence"])
    plan = ingested.plan("nested__source")
    lifted = {
        each.alias.name[0]: each.alias.expr.expression_string.expression for each in plan.project.expressions[1:-1]
    }
    assert lifted == {"site_id": "`site`.`id`", "_sequence": "`meta`.`lastUpdated`"}


def test_a_source_table_may_be_taken_twice_each_with_its_options(ingested: Ingested) -> None:
    ingested.spec(
        {"source_table": "changes", "destination_table": "new", "table_configuration": {"only": "n"}},
        {"source_table": "changes", "destination_table": "old", "table_configuration": {"primary_keys": ["k"]}},
        {"source_table": "events"},
    )
    assert [flow["target"] for flow in ingested.calls("create_auto_cdc_flow")] == ["new", "old"]
    assert [flow["keys"] for flow in ingested.calls("create_auto_cdc_flow")] == [["id"], ["k"]]
    given = [
        json.loads(options(sources(ingested.plan(f"{name}__source"))[0])["tableConfigs"]) for name in ("new", "old")
    ]
    assert given == [{"changes": {"only": "n"}}, {"changes": {}}]


def test_a_destination_is_named_with_its_catalog_and_schema(ingested: Ingested) -> None:
    ingested.spec(
        {
            "source_table": "changes",
            "destination_catalog": "main",
            "destination_schema": "lab",
            "destination_table": "a",
        },
        {"source_table": "changes", "destination_schema": "ward", "destination_table": "a"},
    )
    assert [flow["target"] for flow in ingested.calls("create_auto_cdc_flow")] == ["`main`.`lab`.`a`", "`ward`.`a`"]
    assert ingested.datasets == ["main_lab_a__source", "ward_a__source"]


def test_each_table_has_a_view_of_its_own(ingested: Ingested) -> None:
    ingested.spec(
        {"source_table": "changes", "destination_table": "a-b"},
        {"source_table": "changes", "destination_table": "a_b"},
        {"source_table": "changes", "destination_table": "a b"},
    )
    assert ingested.datasets == ["a_b__source", "a_b__source_2", "a_b__source_3"]


def test_keys_that_nobody_names_are_an_error_before_anything_is_defined(
    ingested: Ingested, databricks: DatabricksPipelines
) -> None:
    with pytest.raises(SpecError, match=r"the table 'events' is kept by key"):
        ingested.spec(
            {"source_table": "changes"}, {"source_table": "events", "table_configuration": {"scd_type": "scd_type_1"}}
        )
    assert databricks.calls == []


def test_a_table_that_the_source_does_not_have_is_an_error(ingested: Ingested) -> None:
    with pytest.raises(ValueError, match=r"has no table 'change'(.|\n)*did you mean 'changes'"):
        ingested.table("change")


def test_metadata_without_a_row_for_a_table_is_an_error(
    ingested: Ingested, session: SessionWithoutServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(session.read), "_rows", lambda self: [])
    with pytest.raises(ContractError, match="no row for 'changes'"):
        ingested.table("changes")
