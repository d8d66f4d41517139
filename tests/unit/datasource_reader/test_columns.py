"""Which columns a read has, and the table that tells about tables."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from pyspark.sql.types import ArrayType, LongType, MapType, StringType, StructField, StructType, VarcharType

from connector_lib.datasource import source as source_module
from connector_lib.datasource.metadata_table import checked_metadata
from connector_lib.errors import ContractError, OptionError, UnknownTableError
from tests.folder_system import Folder

from .conftest import data_source, read_batch


def columns(folder: Folder, **options: Any) -> list[tuple[str, bool]]:
    schema = data_source(sourceName="folder", sourceFolder=folder.path, tableName="visits", **options).schema()
    return [(field.name, field.nullable) for field in schema.fields]


def test_the_columns_are_those_of_the_connector(folder: Folder) -> None:
    assert columns(folder) == [("id", False), ("name", False), ("seq", False)]


def test_char_and_varchar_which_arrow_does_not_have_are_strings(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_sources = importlib.import_module("folder_sources")
    coded = StructType([StructField("code", VarcharType(3), nullable=False)])
    monkeypatch.setattr(folder_sources.CallsSource, "get_table_schema", lambda *_: coded)
    schema = data_source(sourceName="folder", sourceFolder=folder.path, tableName="visits").schema()
    assert schema == StructType([StructField("code", StringType(), nullable=False)])


def test_of_what_was_deleted_every_column_may_be_null(folder: Folder) -> None:
    assert columns(folder, isDeleteFlow="true") == [("id", True), ("name", True), ("seq", True)]


def test_rescued_data_are_a_column_behind_the_others(folder: Folder) -> None:
    assert columns(folder, rescuedDataColumn="_rescued") == [
        *(("id", True), ("name", True), ("seq", True)),
        ("_rescued", True),
    ]


def test_changes_of_snapshots_have_two_columns_more(folder: Folder) -> None:
    options = {"sourceName": "folder", "sourceFolder": folder.path, "tableName": "rooms"}
    schema = data_source(**options, snapshotChanges="true").schema()
    assert schema.simpleString() == "struct<id:bigint,name:string,seq:bigint,_deleted:boolean,_snapshot_time:timestamp>"


def test_a_column_that_is_there_already_is_not_added(folder: Folder) -> None:
    with pytest.raises(OptionError, match="has a column 'NAME' already"):
        columns(folder, rescuedDataColumn="NAME")


def test_null_may_be_anywhere_within_a_column() -> None:
    name = StructType([StructField("family", StringType(), nullable=False)])
    deep = StructType([StructField("a", MapType(StringType(), ArrayType(name, False), False), nullable=False)])
    (field,) = source_module._nullable(deep).fields
    assert isinstance(field.dataType, MapType)
    assert field.dataType.valueContainsNull
    assert isinstance(field.dataType.valueType, ArrayType)
    assert field.dataType.valueType.containsNull
    assert isinstance(field.dataType.valueType.elementType, StructType)
    assert field.dataType.valueType.elementType.fields[0].nullable


def test_a_connector_that_gives_no_columns_breaks_the_contract(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_sources = importlib.import_module("folder_sources")
    monkeypatch.setattr(folder_sources.CallsSource, "get_table_schema", lambda *_: "id BIGINT")
    with pytest.raises(ContractError, match="CallsSource gave no columns of the table 'visits'"):
        columns(folder)


def test_the_metadata_of_tables_are_a_table(folder: Folder) -> None:
    options = {"sourceName": "folder", "sourceFolder": folder.path, "tableName": "_community_table_metadata"}
    rows: list[Any] = read_batch(**options, tableNameList='["visits", "log", "rooms"]')
    assert rows == [
        ("visits", ["id"], "seq", "cdc_with_deletes"),
        ("log", None, "seq", "append"),
        ("rooms", ["id"], None, "snapshot"),
    ]


def test_the_metadata_name_an_unknown_table(folder: Folder) -> None:
    options = {"sourceName": "folder", "sourceFolder": folder.path, "tableName": "_community_table_metadata"}
    with pytest.raises(UnknownTableError, match="'vists'"):
        read_batch(**options, tableNameList="vists")


def test_the_metadata_need_a_list_of_tables(folder: Folder) -> None:
    options = {"sourceName": "folder", "sourceFolder": folder.path, "tableName": "_community_table_metadata"}
    with pytest.raises(OptionError, match="needs the option tableNameList"):
        read_batch(**options)


class Saying:
    """A connector that says of its tables what it was made with."""

    def __init__(self, metadata: object) -> None:
        self.metadata = metadata

    def read_table_metadata(self, table_name: str, table_options: object) -> object:
        return self.metadata


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (None, "gave NoneType instead of a dict"),
        ({"ingestion_type": "snapshoot"}, "'snapshoot'\n.*did you mean 'snapshot'"),
        ({"primary_keys": ["id"]}, "gave the ingestion type None"),
        ({"ingestion_type": "cdc", "primary_keys": "id"}, "primary_keys that are no list"),
        ({"ingestion_type": "cdc", "cursor_field": ["seq"]}, "cursor_field that is no name"),
    ],
)
def test_metadata_that_no_table_can_have_break_the_contract(metadata: object, words: str) -> None:
    connector: Any = Saying(metadata)
    with pytest.raises(ContractError, match=words):
        checked_metadata(connector, "visits", {})


def test_columns_that_the_reader_names_are_those_that_are_read(folder: Folder) -> None:
    folder.put("visits", [{"id": 1, "name": "ann", "seq": 1}])
    source = data_source(sourceName="folder", sourceFolder=folder.path, tableName="visits")
    reader = source.reader(StructType([StructField("seq", LongType())]))
    (batch,) = reader.read(reader.partitions()[0])
    assert batch.to_pylist() == [{"seq": 1}]  # type: ignore[union-attr]
