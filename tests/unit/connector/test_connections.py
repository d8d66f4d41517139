"""``connections.yml``: connections by name, their secrets from the environment."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from connector_lib.connector.connections import (
    CONNECTIONS_VARIABLE,
    Connection,
    find_connections_file,
    load_connection,
)
from connector_lib.errors import ConfigurationError

TEXT = """\
connections:
  clinic:
    source: fhir
    options:
      base_url: https://fhir.clinic.example/r4
      token: ${CLINIC_TOKEN}
      page_size: ${CLINIC_PAGE_SIZE:-100}
      resource_types: [Patient, "${CLINIC_TYPE:-Encounter}"]
      version: 1.10
      proxy:
  laboratory:
    source: fhir
    options:
      token: ${LABORATORY_TOKEN}
  open:
    source: fhir
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "connections.yml"
    path.write_text(TEXT)
    return path


def written(tmp_path: Path, options: str) -> Path:
    path = tmp_path / "connections.yml"
    path.write_text(f"connections:\n  clinic:\n    source: fhir\n    options:\n      {options}\n")
    return path


def test_options_are_text_with_the_variables_filled_in(file: Path) -> None:
    connection = load_connection(file, "clinic", {"CLINIC_TOKEN": "hush hush", "CLINIC_TYPE": "Condition"})
    assert (connection.name, connection.source) == ("clinic", "fhir")
    assert connection.options == {
        "base_url": "https://fhir.clinic.example/r4",
        "token": "hush hush",
        "page_size": "100",
        "resource_types": '["Patient", "Condition"]',
        "version": "1.10",
    }


def test_a_connection_may_have_no_options(file: Path) -> None:
    assert load_connection(file, "open", {}).options == {}


def test_variables_of_other_connections_are_not_asked_for(file: Path) -> None:
    assert load_connection(file, "laboratory", {"LABORATORY_TOKEN": "x"}).options == {"token": "x"}


def test_a_missing_variable_names_file_connection_option_and_variable(file: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_connection(file, "clinic", {})
    assert str(caught.value) == (
        f"{file}: connection 'clinic', option 'token': the environment variable CLINIC_TOKEN is not set\n"
        "  set it, or write ${CLINIC_TOKEN:-default}"
    )


@pytest.mark.parametrize(
    ("written_as", "filled"),
    [
        ("${USER_NAME}", "ann"),
        ("Bearer ${USER_NAME}-${USER_NAME}", "Bearer ann-ann"),
        ("${EMPTY:-default}", "default"),
        ("${NOT_SET:-}", ""),
        ("${NOT_SET:-a b:c}", "a b:c"),
        ("$${USER_NAME}", "${USER_NAME}"),
        ("costs $5", "costs $5"),
        ("${EMPTY}", ""),
    ],
)
def test_a_reference_is_filled_in(tmp_path: Path, written_as: str, filled: str) -> None:
    file = written(tmp_path, f"value: '{written_as}'")
    assert load_connection(file, "clinic", {"USER_NAME": "ann", "EMPTY": ""}).options["value"] == filled


def test_what_a_variable_holds_is_not_filled_in_again(tmp_path: Path) -> None:
    file = written(tmp_path, "value: ${TOKEN}")
    assert load_connection(file, "clinic", {"TOKEN": "a${OTHER}b"}).options["value"] == "a${OTHER}b"


@pytest.mark.parametrize("broken", ["${", "${5}", "${USER NAME}", "${}"])
def test_a_reference_that_is_none_is_refused(tmp_path: Path, broken: str) -> None:
    with pytest.raises(ConfigurationError, match=r"option 'value': '\$\{' without a variable's name"):
        load_connection(written(tmp_path, f"value: '{broken}'"), "clinic", {})


def test_an_unknown_connection_names_the_nearest_and_all(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'clinic'") as caught:
        load_connection(file, "clinik", {})
    assert "connections: clinic, laboratory, open" in str(caught.value)


def test_no_value_is_in_a_repr(file: Path) -> None:
    connection = load_connection(file, "laboratory", {"LABORATORY_TOKEN": "hush hush"})
    assert repr(connection) == "Connection(name='laboratory', source='fhir')"
    assert pickle.loads(pickle.dumps(connection)) == connection


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("conections: {}", "unknown key 'conections'\n  did you mean 'connections'?"),
        ("connections: {clinic: {sorce: fhir}}", "unknown key 'connections.clinic.sorce'\n  did you mean 'source'?"),
        ("connections: {clinic: {options: {}}}", "the key 'connections.clinic.source' is missing"),
        ("connections: {clinic: {source: ''}}", "'connections.clinic.source'"),
        ("connections: {clinic: {source: fhir, options: [hush]}}", "'connections.clinic.options'"),
        ("connections: [hush]", "'connections'"),
        ("connections: {clinic: {source: fhir}, clinic: {source: fhir}}", "the key 'clinic' is given twice"),
    ],
)
def test_a_wrong_file_names_the_place_and_shows_no_value(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "connections.yml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_connection(file, "clinic", {})
    assert str(caught.value).startswith(str(file))
    assert words in str(caught.value)
    assert "hush" not in str(caught.value)


def test_the_file_is_that_which_is_given_then_that_of_the_variable_then_the_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("given", "named", "here"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "connections.yml").write_text("connections: {}")
    given, named = tmp_path / "given" / "connections.yml", tmp_path / "named" / "connections.yml"
    monkeypatch.chdir(tmp_path / "here")
    assert find_connections_file(given, {CONNECTIONS_VARIABLE: str(named)}) == given
    assert find_connections_file(None, {CONNECTIONS_VARIABLE: str(named)}) == named
    assert find_connections_file(None, {}) == Path("connections.yml")


def test_a_file_that_is_not_there_says_where_one_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=f"connections.yml'\n  give it by .*{CONNECTIONS_VARIABLE}"):
        find_connections_file(None, {})
    with pytest.raises(ConfigurationError, match=r"elsewhere\.yml"):
        find_connections_file(None, {CONNECTIONS_VARIABLE: "elsewhere.yml"})


def test_a_connection_holds_what_it_was_given() -> None:
    assert Connection("a", "fhir", {"x": "1"}).options == {"x": "1"}
