"""How a table is kept, by what its source says and what its spec says."""

from __future__ import annotations

from typing import Any

import pytest

from connector_lib.connector.interface import TableMetadata
from connector_lib.connector.spec import TableSpec
from connector_lib.errors import ContractError, SpecError
from connector_lib.flows.ingestion_plan import TablePlan, plan_table

CDC: TableMetadata = {"primary_keys": ["id"], "cursor_field": "at", "ingestion_type": "cdc"}
WITH_DELETES: TableMetadata = {"primary_keys": ["id"], "cursor_field": "at", "ingestion_type": "cdc_with_deletes"}
SNAPSHOT: TableMetadata = {"primary_keys": ["id"], "ingestion_type": "snapshot"}
APPEND: TableMetadata = {"ingestion_type": "append"}


def plan(metadata: TableMetadata, **spec: Any) -> TablePlan:
    return plan_table(TableSpec("Patient", "patients", **spec), metadata)


def kept(found: TablePlan) -> tuple[str, int, tuple[str, ...], str | None]:
    return found.keeping, found.scd_type, found.keys, found.sequence


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (CDC, ("changes", 1, ("id",), "at")),
        (WITH_DELETES, ("changes and deletes", 1, ("id",), "at")),
        (SNAPSHOT, ("snapshots", 1, ("id",), None)),
        (APPEND, ("appended", 1, (), None)),
    ],
    ids=lambda value: value["ingestion_type"] if isinstance(value, dict) else "",
)
def test_without_a_word_in_the_spec_the_source_decides(metadata: TableMetadata, expected: tuple[Any, ...]) -> None:
    assert kept(plan(metadata)) == expected


@pytest.mark.parametrize("metadata", [CDC, WITH_DELETES, SNAPSHOT], ids=lambda value: value["ingestion_type"])
def test_scd_type_2_keeps_versions(metadata: TableMetadata) -> None:
    assert plan(metadata, scd_type="SCD_TYPE_2").scd_type == 2


@pytest.mark.parametrize("metadata", [CDC, WITH_DELETES, APPEND], ids=lambda value: value["ingestion_type"])
def test_append_only_keeps_every_record(metadata: TableMetadata) -> None:
    assert kept(plan(metadata, scd_type="APPEND_ONLY")) == ("appended", 1, (), None)


def test_append_only_of_snapshots_is_refused() -> None:
    with pytest.raises(SpecError, match=r"the table 'patients': the source gives the whole table each time"):
        plan(SNAPSHOT, scd_type="APPEND_ONLY")


def test_keys_and_sequence_of_the_spec_count_before_those_of_the_source() -> None:
    found = plan(CDC, primary_keys=("site", "number"), sequence_by="version")
    assert (found.keys, found.sequence) == (("site", "number"), "version")


def test_an_appended_table_with_an_scd_type_is_kept_by_its_changes() -> None:
    found = plan(APPEND, scd_type="SCD_TYPE_1", primary_keys=("id",), sequence_by="at")
    assert kept(found) == ("changes", 1, ("id",), "at")


@pytest.mark.parametrize("metadata", [{**CDC, "primary_keys": []}, {"ingestion_type": "snapshot"}])
def test_a_table_without_keys_is_refused_by_name(metadata: TableMetadata) -> None:
    with pytest.raises(SpecError, match=r"the table 'patients' is kept by key(.|\n)*'primary_keys'"):
        plan(metadata)


@pytest.mark.parametrize("cursor", [None, ""])
def test_changes_without_a_sequence_are_refused_by_name(cursor: Any) -> None:
    with pytest.raises(SpecError, match=r"the table 'patients' is made of changes(.|\n)*'sequence_by'"):
        plan({**CDC, "cursor_field": cursor})


def test_a_sequence_for_snapshots_is_refused() -> None:
    with pytest.raises(SpecError, match=r"'sequence_by' is for changes"):
        plan(SNAPSHOT, sequence_by="at")


@pytest.mark.parametrize("said", [None, "cdc_with_delete", ["cdc"]])
def test_an_unknown_ingestion_type_is_an_error(said: Any) -> None:
    with pytest.raises(ContractError, match=r"table 'Patient' that its ingestion type is"):
        plan({**CDC, "ingestion_type": said})
