"""Which arguments of ``auto_cdc`` fit one another."""

from __future__ import annotations

from typing import Any

import pytest

from connector_lib.errors import ConfigurationError
from connector_lib.flows.cdc import auto_cdc, cdc_is_native
from connector_lib.flows.change_log import ChangeLog, bare, table_in_sql

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no keys": ({"keys": []}, "'keys' names no column"),
    "no sequence": ({"sequence_by": []}, "'sequence_by' names no column"),
    "an empty name": ({"keys": ["id", " "]}, "'keys' holds an empty name"),
    "a key twice": ({"keys": ["id", "ID"]}, "'keys' holds the column 'ID' twice"),
    "a qualified key": ({"keys": ["changes.id"]}, "'keys' holds 'changes.id', which is no column at the top level"),
    "a name of the change log": ({"keys": ["__deleted"]}, "'keys' holds '__deleted', a name of the change log's own"),
    "another scd type": ({"scd_type": 3}, "'scd_type' is 1 or 2, not 3"),
    "an empty condition": ({"apply_as_deletes": " "}, "'apply_as_deletes' is empty"),
    "columns with and without": (
        {"column_list": ["id"], "except_column_list": ["a"]},
        "'column_list' and 'except_column_list' exclude each other",
    ),
    "tracked and not": (
        {"scd_type": 2, "track_history_column_list": ["a"], "track_history_except_column_list": ["b"]},
        "'track_history_column_list' and 'track_history_except_column_list' exclude each other",
    ),
    "history of scd type 1": ({"track_history_column_list": ["a"]}, "'track_history_…' is for SCD type 2"),
    "a key that is left out": ({"except_column_list": ["ID"]}, "the key 'id' is not among the table's columns"),
    "a key that is not listed": ({"column_list": ["a"]}, "the key 'id' is not among the table's columns"),
    "a tracked column that is left out": (
        {"scd_type": 2, "track_history_column_list": ["a"], "except_column_list": ["a"]},
        "the tracked column 'a' is not among the table's columns",
    ),
}


@pytest.mark.parametrize(("arguments", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_it_refuses(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        auto_cdc("patients", "changes", **{"keys": ["id"], "sequence_by": "at", **arguments})
    assert f"table 'patients': {words}" in str(caught.value)


def test_a_condition_of_another_kind_of_change_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="apply_as_truncates"):
        auto_cdc("patients", "changes", ["id"], "at", apply_as_truncates="true")  # type: ignore[call-arg]


@pytest.mark.parametrize(("value", "native"), [("view", False), ("native", True), ("", False)])
def test_the_setting_chooses_outside_databricks(settings: dict[str, str], value: str, native: bool) -> None:
    settings["connector.cdc"] = value
    assert cdc_is_native() is native


def test_another_value_of_the_setting_is_refused(settings: dict[str, str]) -> None:
    settings["connector.cdc"] = "nativ"
    with pytest.raises(
        ConfigurationError, match=r"'connector\.cdc' is 'view' or 'native', not 'nativ'(.|\n)*mean 'nat"
    ):
        cdc_is_native()


def test_on_databricks_it_is_always_native(databricks: object) -> None:
    assert cdc_is_native()


@pytest.mark.parametrize(
    ("target", "log"),
    [("patients", "patients__changes"), ("lab.a", "lab.a__changes"), ("`lab`.`a b`", "`lab`.`a b__changes`")],
)
def test_the_change_log_is_called_as_its_table(target: str, log: str) -> None:
    assert ChangeLog(target, "changes", ("id",), ("at",)).name == log


@pytest.mark.parametrize(
    ("name", "in_sql"), [("a", "`a`"), ("lab.a", "`lab`.`a`"), ("c.`s.1`.`t``x`", "`c`.`s.1`.`t``x`")]
)
def test_names_of_tables_are_quoted_part_by_part(name: str, in_sql: str) -> None:
    assert table_in_sql(name) == in_sql


def test_a_name_in_backticks_is_bare_without_them() -> None:
    assert (bare("`a``b`"), bare("a"), bare("`")) == ("a`b", "a", "`")
