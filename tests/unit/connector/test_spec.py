"""A pipeline spec says which tables there are; every wrong one is refused with its place."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_lib.connector.spec import PipelineSpec, TableSpec, quoted_name, spec_json_schema
from connector_lib.errors import SpecError


def spec(*tables: dict[str, Any]) -> PipelineSpec:
    return PipelineSpec.load({"connection_name": "clinic", "objects": [{"table": table} for table in tables]})


def configured(**configuration: Any) -> TableSpec:
    return spec({"source_table": "users", "table_configuration": configuration}).tables[0]


def refused(source: Any) -> str:
    with pytest.raises(SpecError) as caught:
        PipelineSpec.load(source)
    assert isinstance(caught.value, ValueError)
    return str(caught.value)


def test_a_table_needs_its_source_alone() -> None:
    found = spec({"source_table": "users"})
    assert found.connection_name() == "clinic"
    assert found.tables == (TableSpec("users", "users"),)
    assert found.get_full_destination_table_name("users") == "users"
    assert found.get_scd_type("users") is None
    assert found.get_primary_keys("users") is None
    assert found.get_sequence_by("users") is None
    assert found.get_cluster_by("users") is None
    assert found.get_table_configuration("users") == {}


def test_keys_for_the_table_are_taken_out_and_the_rest_is_text_for_the_source() -> None:
    found = spec(
        {
            "source_table": "users",
            "table_configuration": {
                "scd_type": "SCD_TYPE_2",
                "primary_keys": ["id"],
                "sequence_by": "updated_at",
                "cluster_by": ["site"],
                "page_size": 50,
                "ratio": 0.5,
                "active": True,
                "states": ["a", "b"],
                "search": {"status": "final"},
                "since": "2026-01-01",
            },
        }
    )
    assert found.get_table_configurations() == {
        "users": {
            "page_size": "50",
            "ratio": "0.5",
            "active": "true",
            "states": '["a", "b"]',
            "search": '{"status": "final"}',
            "since": "2026-01-01",
        }
    }
    assert (found.get_scd_type("users"), found.get_sequence_by("users")) == ("SCD_TYPE_2", "updated_at")
    assert (found.get_primary_keys("users"), found.get_cluster_by("users")) == (["id"], ["site"])


def test_null_is_not_given() -> None:
    assert configured(scd_type=None, primary_keys=None, page_size=None, sequence_by=None) == TableSpec("users", "users")
    table = {"source_table": "users", "destination_table": None, "table_configuration": None}
    assert spec(table).tables == (TableSpec("users", "users"),)


@pytest.mark.parametrize("written", ["SCD_TYPE_1", "scd_type_1", "Scd_Type_1", " scd_type_1 "])
def test_the_scd_type_may_be_written_in_any_case(written: str) -> None:
    assert configured(scd_type=written).scd_type == "SCD_TYPE_1"


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        (["id", "site"], ("id", "site")),
        ('["id", "site"]', ("id", "site")),
        ("id", ("id",)),
        ("a,b", ("a,b",)),
        ("meta.lastUpdated", ("meta.lastUpdated",)),
    ],
)
def test_primary_keys_are_a_list_a_json_array_or_one_name(written: Any, keys: tuple[str, ...]) -> None:
    assert configured(primary_keys=written).primary_keys == keys


@pytest.mark.parametrize("written", [["a", "b"], '["a", "b"]', "a,b", " a , b "])
def test_cluster_by_is_a_list_a_json_array_or_names_between_commas(written: Any) -> None:
    assert configured(cluster_by=written).cluster_by == ("a", "b")


@pytest.mark.parametrize("written", [[], "[]", [""], "", ["id", " "], '["id", 5]', "[id"])
@pytest.mark.parametrize("key", ["primary_keys", "cluster_by"])
def test_names_of_columns_that_are_none_are_refused(key: str, written: Any) -> None:
    with pytest.raises(SpecError, match=key):
        configured(**{key: written})


def test_a_destination_with_schema_and_catalog_is_in_backticks() -> None:
    table = {"source_table": "users", "destination_catalog": "c", "destination_schema": "s", "destination_table": "t"}
    assert spec(table).get_full_destination_table_name("users") == "`c`.`s`.`t`"


def test_a_schema_without_a_catalog_counts() -> None:
    table = {"source_table": "users", "destination_schema": "s"}
    assert spec(table).get_full_destination_table_name("users") == "`s`.`users`"


def test_a_catalog_without_a_schema_is_refused() -> None:
    table = {"source_table": "users", "destination_catalog": "c"}
    message = refused({"connection_name": "clinic", "objects": [{"table": table}]})
    assert "objects.0.table: a 'destination_catalog' needs a 'destination_schema'" in message


def test_a_name_that_sql_does_not_take_plain_is_in_backticks() -> None:
    assert spec({"source_table": "My Users"}).tables[0].full_name == "`My Users`"


@settings(deadline=None)
@given(st.text(min_size=1), st.text(min_size=1))
def test_two_names_are_never_one_in_sql(one: str, other: str) -> None:
    quoted = quoted_name(one)
    assert quoted[1:-1].replace("``", "`") == one
    assert "`" not in quoted[1:-1].replace("``", "")
    assert (quoted == quoted_name(other)) == (one == other)


def test_a_source_table_may_be_taken_twice_under_two_names() -> None:
    found = spec(
        {"source_table": "users", "table_configuration": {"page_size": 1}},
        {"source_table": "users", "destination_table": "users_history", "table_configuration": {"page_size": 2}},
    )
    assert found.get_table_list() == ["users", "users_history"]
    assert found.get_table_configuration("users") == {"page_size": "1"}
    assert found.get_table_configuration("users_history") == {"page_size": "2"}
    assert found.get_source_table("users_history") == "users"


def test_a_source_table_that_is_taken_twice_names_no_table() -> None:
    found = spec(
        {"source_table": "users", "destination_table": "a"}, {"source_table": "users", "destination_table": "b"}
    )
    with pytest.raises(SpecError, match=r"the table 'users' is in the pipeline spec 2 times\n  say which: a, b"):
        found.get_scd_type("users")


def test_tables_of_one_name_in_two_schemas_go_by_their_full_names() -> None:
    found = spec(
        {"source_table": "users", "destination_schema": "north", "table_configuration": {"site": "n"}},
        {"source_table": "users", "destination_schema": "south", "table_configuration": {"site": "s"}},
    )
    assert found.get_table_list() == ["north.users", "south.users"]
    assert found.get_table_configuration("South.Users") == {"site": "s"}
    assert found.get_table_configuration("`north`.`users`") == {"site": "n"}


@pytest.mark.parametrize("other", ["users", "USERS"])
def test_two_tables_with_one_destination_are_refused(other: str) -> None:
    message = refused(
        {"connection_name": "c", "objects": [{"table": {"source_table": name}} for name in ("users", other)]}
    )
    assert f"Invalid pipeline spec: two tables have the destination '{other}'" in message


def test_an_unknown_table_names_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"'user' was not found in the pipeline spec\n  did you mean 'users'"):
        spec({"source_table": "users"}).get_scd_type("user")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ([], "Spec must be a dictionary"),
        (5, "Spec must be a dictionary"),
        ({}, "the key 'connection_name' is missing"),
        ({"connection_name": "c"}, "the key 'objects' is missing"),
        ({"connection_name": "c", "objects": []}, "'objects'"),
        ({"connection_name": "", "objects": [{"table": {"source_table": "a"}}]}, "'connection_name'"),
        ({"connection_name": 5, "objects": [{"table": {"source_table": "a"}}]}, "'connection_name'"),
        ({"connection_name": "c", "objects": [5]}, "'objects.0'"),
        ({"connection_name": "c", "objects": [{"table": {}}]}, "the key 'objects.0.table.source_table' is missing"),
        ({"connection_name": "c", "objects": [{"table": {"source_table": ""}}]}, "'objects.0.table.source_table'"),
        (
            {"connection_name": "c", "objects": [{"table": {"source_table": "a", "table_configuration": []}}]},
            "'objects.0.table.table_configuration'",
        ),
    ],
)
def test_a_wrong_spec_names_the_place(source: Any, words: str) -> None:
    message = refused(source)
    assert words in message
    if isinstance(source, dict):
        assert message.startswith("Invalid pipeline spec: ")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"conection_name": "c", "objects": []}, "unknown key 'conection_name'\n  did you mean 'connection_name'?"),
        (
            {"connection_name": "c", "objects": [{"tabel": {}}]},
            "unknown key 'objects.0.tabel'\n  did you mean 'table'?",
        ),
        (
            {"connection_name": "c", "objects": [{"table": {"source_tabel": "a"}}]},
            "unknown key 'objects.0.table.source_tabel'\n  did you mean 'source_table'?",
        ),
    ],
)
def test_unknown_keys_are_refused_at_every_level(source: Any, words: str) -> None:
    assert words in refused(source)


@pytest.mark.parametrize("written", ["SCD_TYPE_3", "", "type 2"])
def test_an_unknown_scd_type_is_refused(written: str) -> None:
    with pytest.raises(SpecError, match="Invalid SCD type") as caught:
        configured(scd_type=written)
    assert "SCD_TYPE_1, SCD_TYPE_2, APPEND_ONLY" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"), [("primary_keys", 5), ("primary_keys", [5]), ("cluster_by", {"a": 1}), ("sequence_by", ["a"])]
)
def test_a_key_for_the_table_that_is_of_another_type_is_named(key: str, value: Any) -> None:
    with pytest.raises(SpecError, match=rf"'objects.0.table.table_configuration.{key}'"):
        configured(**{key: value})


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(SpecError, match="sequence_by: is empty"):
        configured(sequence_by=" ")


def test_a_value_that_is_none_of_an_option_is_named() -> None:
    with pytest.raises(SpecError, match=r"table_configuration.since: a object is no value of an option"):
        configured(since=object())


KEYS = ["connection_name", "objects", "table", "source_table", "destination_table", "table_configuration", "scd_type"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@settings(deadline=None)
@given(
    ANYTHING
    | st.fixed_dictionaries({"connection_name": st.just("c"), "objects": ANYTHING})
    | st.fixed_dictionaries(
        {
            "connection_name": st.just("c"),
            "objects": st.lists(st.fixed_dictionaries({"table": ANYTHING}), min_size=1, max_size=3),
        }
    )
)
def test_whatever_is_loaded_it_is_a_spec_or_a_spec_error(source: Any) -> None:
    if isinstance(source, str):
        return
    try:
        found = PipelineSpec.load(source)
    except SpecError:
        return
    for name, table in zip(found.get_table_list(), found.tables, strict=True):
        assert found.get_table(name) == table


YAML = """\
connection_name: clinic
objects:
  - table:
      source_table: users
      table_configuration:
        scd_type: SCD_TYPE_2
        since: 2026-03-01
        version: 1.10
        code: 0123
"""


def test_a_file_is_read_with_its_values_as_they_are_written(tmp_path: Path) -> None:
    file = tmp_path / "ingest.yml"
    file.write_text(YAML)
    expected = {"since": "2026-03-01", "version": "1.10", "code": "0123"}
    for source in (file, str(file)):
        assert PipelineSpec.load(source).get_table_configuration("users") == expected


def test_a_json_file_is_read_alike(tmp_path: Path) -> None:
    file = tmp_path / "ingest.json"
    file.write_text(
        '{"connection_name": "clinic", "objects": [{"table": {"source_table": "users", '
        '"table_configuration": {"version": 1.10}}}]}'
    )
    assert PipelineSpec.load(file).get_table_configuration("users") == {"version": "1.10"}


def test_an_error_in_a_file_names_the_file(tmp_path: Path) -> None:
    file = tmp_path / "ingest.yml"
    file.write_text("connection_name: clinic\nobjects: []\n")
    assert refused(file).startswith(f"{file}: Invalid pipeline spec: 'objects'")
    file.write_text(YAML.replace("scd_type: SCD_TYPE_2", "scd_type: SCD_TYPE_9"))
    assert str(file) in refused(file)
    assert str(tmp_path / "none.yml") in refused(tmp_path / "none.yml")


def test_the_published_json_schema_is_that_of_the_model() -> None:
    published = files("connector_lib.connector").joinpath("ingest.schema.json").read_text()
    assert json.loads(published) == spec_json_schema(), (
        "write it anew: json.dumps(spec_json_schema(), indent=2) of connector_lib.connector.spec"
    )
