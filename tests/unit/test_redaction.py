"""Secrets are known by the names of their options, and are taken out of every text."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pyspark")

from connector_lib.flows.event_logins import jaas_text
from connector_lib.redaction import masked, secrets_in_environment, secrets_in_options

LOGIN = "kafka.sasl.jaas.config"
CONNECTION = "Endpoint=sb://x.example.net/;SharedAccessKeyName=listen;SharedAccessKey=c2VjcmV0a2V5"


@given(st.text(min_size=4), st.text())
def test_a_password_in_a_login_is_found_however_it_is_written(password: str, around: str) -> None:
    options = {LOGIN: jaas_text("Module", {"username": "lab", "password": password})}
    secrets = secrets_in_options(options)
    assert masked(password, secrets).strip("*") == ""
    assert options[LOGIN] not in masked(f"{around}{options[LOGIN]}{around}", secrets)


def test_the_user_is_no_secret() -> None:
    secrets = secrets_in_options({LOGIN: jaas_text("Module", {"username": "laboratory", "password": "hush hush"})})
    assert masked("laboratory logs in by hush hush", secrets) == "laboratory logs in by *****"


def test_the_key_of_a_connection_string_is_a_secret_by_itself() -> None:
    by_option = secrets_in_options({LOGIN: jaas_text("Module", {"username": "x", "password": CONNECTION})})
    by_variable = secrets_in_environment({"EVENTHUB_CONNECTION_STRING": CONNECTION})
    for secrets in (by_option, by_variable):
        assert masked("key c2VjcmV0a2V5, whole " + CONNECTION, secrets) == "key *****, whole *****"


@pytest.mark.parametrize(
    "name",
    ["kafka.ssl.key.password", "kafka.ssl.keystore.key", "AWS_SECRET_ACCESS_KEY", "KAFKA_PASSWORD", "api.token"],
)
def test_a_name_tells_a_secret(name: str) -> None:
    assert secrets_in_options({name: "hush hush"}) == {"hush hush"}


@pytest.mark.parametrize("name", ["kafka.bootstrap.servers", "kafka.ssl.truststore.location", "subscribe", "PATH"])
def test_other_options_stay_readable(name: str) -> None:
    assert secrets_in_options({name: "127.0.0.1:9092"}) == frozenset()


def test_of_two_secrets_the_longer_goes_first() -> None:
    assert masked("hush hush hush", {"hush", "hush hush hush"}) == "*****"


def test_an_empty_secret_leaves_a_text_as_it_is() -> None:
    assert masked("hush", {""}) == "hush"


@pytest.mark.parametrize(
    "value",
    [
        "false",
        "YES",
        "none",
        "required",
        "Disabled",
        "86400000",
        "-12345678.5",
        "bearer",
        "/tmp/token/file",
        "~/.token",
    ],
)
def test_common_words_numbers_and_paths_of_the_environment_stay_readable(value: str) -> None:
    assert secrets_in_environment({"USE_TOKEN": value}) == frozenset()


def test_a_path_of_the_working_folder_stays_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert secrets_in_environment({"CREDENTIAL_FILE": "./credentials.json"}) == frozenset()


@pytest.mark.parametrize("value", ["hush hush", "/8mZq0+2/fW1lX9aTn5", "1234-5678-90", "~" * 5000, "/" + "x" * 5000])
def test_other_values_of_the_environment_are_secrets_also_where_they_begin_as_a_path(value: str) -> None:
    assert secrets_in_environment({"KAFKA_PASSWORD": value}) == {value}


def test_an_option_of_a_query_is_a_secret_from_four_characters_on() -> None:
    assert secrets_in_options({"kafka.ssl.key.password": "true"}) == {"true"}
