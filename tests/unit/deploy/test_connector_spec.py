"""``connector_spec.yaml`` of a source: what a connection has to hold, and what passes through it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from connector_lib.datasource.connect import READ_OPTIONS
from connector_lib.deploy.connector_spec import ALWAYS_ALLOWED, SourceTerms, source_terms
from connector_lib.errors import ConfigurationError, OptionError
from connector_lib.sources.fhir.options import FhirTableOptions

SOURCE = """\
class Plain:
    def __init__(self, options): self.options = options
    def list_tables(self): return ["visits"]
    def get_table_schema(self, table_name, table_options): raise NotImplementedError
    def read_table_metadata(self, table_name, table_options): return {"ingestion_type": "snapshot"}
    def read_table(self, table_name, start_offset, table_options): return iter(()), {}
"""
SPEC = """\
display_name: Plain
connection:
  parameters:
    - {name: baseUrl, type: string, required: true, description: Where it is, icon: house}
    - {name: page-size, type: integer, required: false, description: Records a page}
  auth_methods:
    - name: key
      parameters: [{name: api_key, type: string, required: true, description: The key}]
    - name: user
      parameters:
        - {name: username, type: string, required: true, description: The user}
        - {name: password, type: string, required: true, description: The password}
external_options_allowlist: " since, TABLE_NAME_LIST,"
"""


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], SourceTerms]:
    """A package that brings the source ``plain``, whose class does not say which options it takes."""

    def with_spec(spec: str | None) -> SourceTerms:
        folder = tmp_path / "package"
        (folder / "plain_source").mkdir(parents=True)
        (folder / "plain_source" / "__init__.py").write_text(SOURCE)
        if spec is not None:
            (folder / "plain_source" / "connector_spec.yaml").write_text(spec)
        metadata = folder / "plain_source-1.2.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: plain-source\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text("[connector_lib.sources]\nplain = plain_source:Plain\n")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, "plain_source", raising=False)
        return source_terms("plain")

    return with_spec


def test_every_option_of_a_table_of_a_read_and_of_the_data_source_passes_through_a_connection() -> None:
    of_tables = [field.name for field in FhirTableOptions.fields()]
    assert sorted(source_terms("fhir").allow_list) == sorted([*of_tables, *READ_OPTIONS, *ALWAYS_ALLOWED])


def test_a_connection_names_its_source_and_what_passes_through_it() -> None:
    held = source_terms("fhir").platform_options()
    assert held["sourceName"] == "fhir"
    assert held["externalOptionsAllowList"].endswith(",tableName,tableNameList,tableConfigs,isDeleteFlow")


def test_options_come_out_under_the_names_of_the_source_and_empty_ones_not_at_all() -> None:
    options = source_terms("fhir").checked({"BASEURL": "https://a.example/r4", "pageSize": " "}, "here")
    assert options == {"base_url": "https://a.example/r4"}


def test_an_option_of_a_read_is_none_of_a_connection() -> None:
    with pytest.raises(OptionError, match="'batchRows' is an option of a read"):
        source_terms("fhir").checked({"base_url": "https://a.example/r4", "batchRows": "5"}, "here")


@pytest.mark.parametrize(
    ("name", "secret"), [("token", True), ("Token", True), ("token_url", False), ("base_url", False), ("my_pwd", False)]
)
def test_what_is_a_secret_says_the_source(name: str, secret: bool) -> None:
    assert source_terms("fhir").is_secret(name) is secret


class TestSourceWhoseClassNamesNoOptions:
    def test_the_file_says_what_it_takes(self, plain: Callable[[str | None], SourceTerms]) -> None:
        given = {"BASE_URL": "https://a.example", "pagesize": "50", "api_key": "hush hush"}
        assert plain(SPEC).checked(given, "here") == {
            "baseUrl": "https://a.example",
            "page-size": "50",
            "api_key": "hush hush",
        }

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"api_key": "k"}, "here: the option 'baseUrl' is missing"),
            ({"baseUrl": "u", "api_key": "k", "page-size": "many"}, "'page-size': input should be a valid integer"),
            ({"baseUrl": "u", "api_key": "k", "colour": "red"}, "there is no option 'colour'"),
            ({"baseUrl": "u", "username": "ann"}, "there is nothing to log in with"),
        ],
    )
    def test_what_does_not_fit_the_file_is_refused(
        self, options: dict[str, str], words: str, plain: Callable[[str | None], SourceTerms]
    ) -> None:
        with pytest.raises(OptionError, match=words):
            plain(SPEC).checked(options, "here")

    def test_secrets_are_told_by_their_names(self, plain: Callable[[str | None], SourceTerms]) -> None:
        assert plain(SPEC).options.secret_names() == {"api_key", "password"}

    def test_a_name_in_the_allow_list_comes_once_however_it_is_written(
        self, plain: Callable[[str | None], SourceTerms]
    ) -> None:
        assert plain(SPEC).allow_list == ("since", "TABLE_NAME_LIST", "tableName", "tableConfigs", "isDeleteFlow")

    def test_a_list_may_be_written_as_one(self, plain: Callable[[str | None], SourceTerms]) -> None:
        assert plain("connection: {}\nexternal_options_allowlist: [since]\n").allow_list[0] == "since"

    def test_no_file_is_an_error_that_says_where_it_has_to_be(self, plain: Callable[[str | None], SourceTerms]) -> None:
        with pytest.raises(ConfigurationError, match=r"'plain' has no connector_spec.yaml beside plain_source"):
            plain(None)

    @pytest.mark.parametrize(
        ("spec", "place"),
        [("display_name: x\n", "connection"), ("connection: {parameters: [{type: string}]}\n", "parameters.0.name")],
    )
    def test_a_wrong_file_is_an_error_that_says_where(
        self, spec: str, place: str, plain: Callable[[str | None], SourceTerms]
    ) -> None:
        with pytest.raises(ConfigurationError, match=f"connector_spec.yaml: '.*{place}'"):
            plain(spec)
