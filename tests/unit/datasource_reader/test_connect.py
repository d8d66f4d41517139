"""From the options of a read to the connector, its options and those of its tables."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pyspark.sql.datasource import CaseInsensitiveDict

from connector_lib.connector.options import PLATFORM_OPTIONS
from connector_lib.datasource.connect import READ_OPTIONS, OptionsWithoutCase, ReadRequest, SourceOptions
from connector_lib.errors import ConfigurationError, OptionError
from tests.folder_system import Folder


def request(**options: object) -> ReadRequest:
    return ReadRequest.of(CaseInsensitiveDict({name: str(value) for name, value in options.items()}))


@pytest.fixture
def connections(tmp_path: Path, folder: Folder) -> Path:
    file = tmp_path / "connections.yml"
    file.write_text(
        "connections:\n"
        f"  plain: {{source: folder, options: {{sourceFolder: {folder.path}}}}}\n"
        "  declaring:\n"
        "    source: folder_declaring\n"
        f"    options: {{source_folder: {folder.path}, token: '${{WARD_TOKEN}}'}}\n"
    )
    return file


def test_what_every_connector_passes_over_has_all_options_of_the_data_source_and_no_other() -> None:
    of_a_spec = {"scd_type", "primary_keys", "sequence_by", "cluster_by"}
    of_unity_catalog = {"databricks.connection", "externalOptionsAllowList"}
    own = {option.name for option in SourceOptions.fields()}
    assert own == PLATFORM_OPTIONS - of_a_spec - of_unity_catalog


def test_without_a_connection_the_options_of_the_read_are_those_of_the_connection(folder: Folder) -> None:
    asked = request(sourceName="folder", sourceFolder=folder.path, tableName="visits", batchRows=5)
    assert dict(asked.connection_options) == {"sourcefolder": str(folder.path)}


def test_a_connector_that_does_not_say_whose_an_option_is_gets_it_for_its_tables_too(folder: Folder) -> None:
    asked = request(
        sourceName="folder",
        sourceFolder=folder.path,
        tableName="visits",
        pageSize=3,
        tableConfigs='{"log": {"pageSize": 4}}',
    )
    assert asked.table_options("visits")["pageSize"] == "3"
    assert asked.table_options("log")["pageSize"] == "4"


def test_an_option_that_a_connector_reads_in_camel_case_is_found(folder: Folder) -> None:
    asked = request(sourceName="folder", sourceFolder=folder.path, tableName="visits")
    assert asked.connect().list_tables() == ["visits", "log", "rooms"]


def test_what_the_connector_declares_for_tables_goes_to_the_table(folder: Folder) -> None:
    asked = request(sourceName="folder_declaring", source_folder=folder.path, tableName="visits", page_size=3)
    assert dict(asked.connection_options) == {"source_folder": str(folder.path)}
    assert asked.table_options("visits") == {"page_size": "3"}


def test_what_databricks_puts_there_is_not_for_the_connector(folder: Folder) -> None:
    asked = request(
        **{"databricks.connection": "ward", "sourceName": "folder_declaring", "source_folder": folder.path},
        tableName="visits",
    )
    assert dict(asked.connection_options) == {"source_folder": str(folder.path)}


def test_a_connection_of_the_file_brings_its_source_and_its_options(connections: Path, folder: Folder) -> None:
    asked = request(connectionName="plain", connectionsFile=connections, tableName="visits")
    assert asked.connector_type.__name__ == "CallsSource"
    assert asked.connection_options["sourceFolder"] == str(folder.path)


def test_beside_a_connection_of_the_file_options_are_those_of_the_table(connections: Path) -> None:
    asked = request(connectionName="plain", connectionsFile=connections, tableName="visits", pageSize=3)
    assert asked.table_options("visits")["pageSize"] == "3"
    assert "pageSize" not in asked.connection_options


def test_table_configs_are_options_of_their_table_as_text(connections: Path) -> None:
    asked = request(
        connectionName="plain",
        connectionsFile=connections,
        tableName="visits",
        tableConfigs='{"visits": {"pageSize": 3, "deep": {"a": [1]}, "on": true, "none": null},'
        ' "log": {"pageSize": "4"}}',
    )
    assert asked.table_options("visits") == {"pageSize": "3", "deep": '{"a": [1]}', "on": "true"}
    assert asked.table_options("log") == {"pageSize": "4"}
    assert asked.table_options("rooms") == {}


def test_an_option_of_a_table_that_is_given_in_two_places_is_refused(connections: Path) -> None:
    asked = request(
        connectionName="plain",
        connectionsFile=connections,
        tableName="visits",
        pageSize=3,
        tableConfigs='{"visits": {"page_size": 4}}',
    )
    with pytest.raises(OptionError, match="table 'visits': the option 'pagesize' is given twice"):
        asked.table_options("visits")


def test_a_wrong_option_of_the_connection_is_refused_before_anything_is_read(folder: Folder) -> None:
    asked = request(sourceName="folder_declaring", source_foldr=folder.path, tableName="visits")
    with pytest.raises(
        OptionError, match=r"source 'folder_declaring': there is no option 'source_foldr'\n.*'source_folder'"
    ):
        asked.connect()


def test_a_wrong_option_of_a_table_is_refused_before_anything_is_read(connections: Path, folder: Folder) -> None:
    asked = request(
        sourceName="folder_declaring",
        source_folder=folder.path,
        tableName="visits",
        tableConfigs='{"visits": {"pagesise": 4}}',
    )
    with pytest.raises(OptionError, match=r"table 'visits': there is no option 'pagesise'\n.*'page_size'"):
        asked.table_options("visits")


class TestRowsThatAreOnlyAppended:
    """A connector that reads the last rows twice has to be told to hold them back."""

    def test_a_connector_that_can_hold_them_back_is_told_to(self) -> None:
        assert of_fhir(appendOnly=True).table_options("Patient") == {"hold_back": "true"}
        assert of_fhir(appendOnly=True, HOLDBACK=True).table_options("Patient") == {"holdback": "True"}

    def test_it_is_not_where_keys_decide(self) -> None:
        assert of_fhir().table_options("Patient") == {}

    def test_one_that_knows_no_such_option_is_left_alone(self, folder: Folder) -> None:
        asked = request(
            sourceName="folder_declaring", source_folder=folder.path, tableName="visits", appendOnly=True, page_size=3
        )
        assert asked.table_options("visits") == {"page_size": "3"}

    def test_to_ask_for_both_is_refused(self) -> None:
        with pytest.raises(OptionError, match=r"hold_back=false does not go with rows.*\n.*leave 'hold_back' out"):
            of_fhir(appendOnly=True, hold_back=False).table_options("Patient")


def of_fhir(**options: object) -> ReadRequest:
    return request(sourceName="fhir", base_url="http://127.0.0.1:9", tableName="Patient", **options)


def test_the_options_of_a_read_are_options_of_the_data_source() -> None:
    assert {*READ_OPTIONS} <= {field.name for field in SourceOptions.fields()}


def test_a_secret_is_in_no_option_of_spark(connections: Path, monkeypatch: pytest.MonkeyPatch, folder: Folder) -> None:
    monkeypatch.setenv("WARD_TOKEN", "hush")
    options = CaseInsensitiveDict(
        {"connectionName": "declaring", "connectionsFile": str(connections), "tableName": "visits"}
    )
    assert "hush" not in str(options)
    assert ReadRequest.of(options).connection_options["token"] == "hush"


def test_a_read_without_a_table_is_refused() -> None:
    with pytest.raises(OptionError, match="the option 'tableName' is missing"):
        request(sourceName="folder")


def test_a_read_that_names_neither_connection_nor_source_is_told_of_both() -> None:
    with pytest.raises(OptionError, match=r"does not say what to read from\n.*connectionName.*sourceName"):
        request(tableName="visits")


def test_an_unknown_source_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"no source 'foldr'\n.*did you mean 'folder'"):
        request(sourceName="foldr", tableName="visits")


def test_an_unknown_connection_is_named(connections: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"no connection 'plan'\n.*'plain'"):
        request(connectionName="plan", connectionsFile=connections, tableName="visits")


def test_options_survive_pickling() -> None:
    options = pickle.loads(pickle.dumps(OptionsWithoutCase({"baseurl": "x"})))
    assert options["BaseUrl"] == "x"
    assert options.get("other", "y") == "y"
    with pytest.raises(KeyError):
        options["other"]
