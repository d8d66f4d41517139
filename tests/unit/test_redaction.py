"""Secrets are known by the names of their options, and are taken out of every text."""

from __future__ import annotations

import base64
import json
import logging
import pickle
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("pyspark")

from connector_lib.flows.event_logins import jaas_text
from connector_lib.redaction import (
    Secrets,
    SecretsFilter,
    masked,
    masked_logs,
    secrets_in_environment,
    secrets_in_headers,
    secrets_in_options,
)

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


@pytest.mark.parametrize("name", ["Authorization", "proxy-authorization", "X-Api-Key", "Cookie", "X-Auth", "X-Token"])
def test_a_header_tells_a_secret_by_its_name(name: str) -> None:
    assert secrets_in_headers({name: "hush hush", "Accept": "application/json", "X-Short-Key": "abc"}) == {"hush hush"}


SECRET_TEXT = st.text(st.characters(codec="utf-8"), min_size=4, max_size=30)
FORMS = (
    lambda value: value,
    lambda value: quote(value, safe=""),
    lambda value: quote(value, safe="").lower() if value == value.lower() else quote(value, safe=""),
    lambda value: quote(value),
    quote_plus,
    lambda value: json.dumps(value)[1:-1],
    lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    lambda value: repr(value)[1:-1],
)


@given(SECRET_TEXT, st.sampled_from(FORMS))
def test_each_form_of_a_secret_is_masked(value: str, form: object) -> None:
    assert callable(form)
    assert Secrets({value}).masked(f"<{form(value)}>") == "<*****>"


@given(SECRET_TEXT, st.binary(max_size=5), st.binary(max_size=5), st.booleans())
def test_a_secret_within_base_64_is_masked_whatever_stands_around_it(
    value: str, before: bytes, behind: bytes, url_safe: bool
) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    text = encode(before + value.encode() + behind).decode()
    shown = Secrets({value}).masked(text)
    assert "*****" in shown
    # What is left has no more than the letters that the neighbours have a part in.
    left = shown.replace("*****", "")
    assert len(left) <= len(encode(before)) + len(encode(behind)) + 4


def test_a_secret_that_is_a_part_of_another_leaves_nothing_of_it() -> None:
    assert Secrets({"hush", "hush hush hush"}).masked("hush hush hush, hush") == "*****, *****"


def test_secrets_shorter_than_four_letters_are_left_in() -> None:
    assert not Secrets({"", "abc"})
    assert Secrets({"", "abc"}).masked("abc") == "abc"


def test_secrets_are_joined_compared_and_pickled_and_never_shown() -> None:
    both = Secrets({"first one"}) | Secrets({"second one"})
    assert both == Secrets({"first one", "second one"})
    assert hash(both) == hash(pickle.loads(pickle.dumps(both)))
    assert both.masked("first one, second one") == "*****, *****"
    assert repr(both) == "Secrets(2)"
    assert f"{both}" == "Secrets(2)"
    assert both != {"first one", "second one"}


class Lines(logging.Handler):
    """Keeps what a formatter makes of each record."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    log = logging.getLogger("connector_lib.tests")
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


def test_a_filter_masks_message_arguments_and_trace_of_a_record(lines: Lines) -> None:
    lines.addFilter(SecretsFilter(lambda: Secrets({"hush hush"})))
    log = logging.getLogger("connector_lib.tests")
    log.warning("the key is %s of %d", "hush hush", 7)
    try:
        raise ValueError("hush hush is wrong")
    except ValueError:
        log.exception("it failed", extra={"url": "/x?key=hush%20hush"})
    assert lines.lines[0] == "the key is ***** of 7"
    assert lines.lines[1].startswith("it failed\nTraceback")
    assert lines.lines[1].endswith("ValueError: ***** is wrong")
    assert "hush" not in "".join(lines.lines).replace('ValueError("hush hush is wrong")', "")


def test_a_filter_masks_the_source_line_in_a_trace_as_well(lines: Lines) -> None:
    lines.addFilter(SecretsFilter(lambda: Secrets({"hush hush"})))
    try:
        raise ValueError("hush hush")
    except ValueError:
        logging.getLogger("connector_lib.tests").exception("it failed")
    assert "hush" not in lines.lines[0]


def test_logs_are_masked_while_a_block_runs_and_by_the_secrets_of_that_moment(lines: Lines) -> None:
    log = logging.getLogger("connector_lib.tests")
    known: list[str] = []
    with masked_logs(lambda: Secrets(known), log.name):
        log.warning("token one")
        known.append("token one")
        log.warning("token one")
    log.warning("token one")
    assert lines.lines == ["token one", "*****", "token one"]
    assert log.filters == []
