"""What is taken for a secret in a file or a setting, and what is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib.deploy.secret_check import known_secrets, refuse_secrets, refuse_secrets_in_file
from connector_lib.errors import ConfigurationError
from connector_lib.redaction import Secrets

PEM = "-----BEGIN {}PRIVATE KEY-----{}MIIEcanary{}-----END PRIVATE KEY-----\n"


def refused(name: str, text: str, known: dict[str, Secrets] | None = None) -> str:
    with pytest.raises(ConfigurationError) as error:
        refuse_secrets_in_file(name, text.encode(), f"/clinic/{name}", known or {})
    assert "canary" not in str(error.value)
    assert f'upload_anyway: ["{name}"]' in error.value.hint
    return error.value.message


def passes(name: str, text: str) -> None:
    refuse_secrets_in_file(name, text.encode(), name, known_secrets())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PEM.format("", "\n", "\n"), "a private key"),
        (PEM.format("RSA ", "\r\n", "\r\n"), "a private key"),
        (PEM.format("OPENSSH ", "\n", "\n"), "a private key"),
        (f"login with dapi{'0123456789abcdef' * 2}\n", "a token of Databricks"),
        (f"ghp_{'a1' * 18}", "a token of GitHub"),
        (f"key = 'AKIA{'A1' * 8}'", "an access key of AWS"),
        (f"Endpoint=sb://x/;SharedAccessKey={'aB3+' * 10}=", "a key of Azure"),
        (f"eyJ{'a1' * 10}.eyJ{'b2' * 10}.{'c3' * 10}", "a web token"),
        ("--extra-index-url https://lab:canary-canary@pypi.corp/simple", "an address with a login"),
    ],
)
@pytest.mark.parametrize("name", ["notes.txt", "transformations/login.py", "codes.csv"])
def test_a_key_of_a_known_shape_is_refused_in_any_file(name: str, text: str, words: str) -> None:
    assert refused(name, text) == f"/clinic/{name}: holds {words}, and would be readable in the workspace"


def test_a_private_key_within_json_is_refused() -> None:
    text = json.dumps({"type": "service_account", "pem": PEM.format("", "\n", "\n")})
    assert "holds a private key" in refused("service_account.json", text)


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("secrets.yml", "client_secret: canary-x\n", "client_secret"),
        ("a.yaml", "hosts:\n  - {name: lab, password: 123456}\n", "hosts.0.password"),
        ("a.json", '{"ehr": {"apiKey": "canary-canary"}}', "ehr.apiKey"),
        ("a.json", '[{"spark.kafka.password": "hush canary"}]', "0.spark.kafka.password"),
        ("lines.json", '{"a": 1}\n{"access_token": "canary-canary"}\n', "access_token"),
        ("two.yml", "a: 1\n---\nprivate_key: !env canary-canary\n", "private_key"),
        ("bom.json", '\ufeff{"accountKey": "canary-canary"}', "accountKey"),
    ],
)
def test_a_literal_value_under_the_name_of_a_secret_is_refused(name: str, text: str, place: str) -> None:
    assert f"holds a literal value under '{place}', which is the name of a secret" in refused(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yml", "password: ${KAFKA_PASSWORD}\ntoken: '{{secrets/lab/token}}'\napi_key: <your key>\nsecret: '*****'"),
        ("a.yml", "password: ''\ntoken: null\nsecret: true\ntoken_url: https://login.example.com/token\n"),
        ("a.yml", "page_token: nextPageToken\nsecret_scope: clinical\ntoken_type: Bearer\ncredential_name: hl7-reader"),
        ("schema.json", '{"properties": {"token": {"type": "string"}, "password": {"type": "string"}}}'),
        ("columns.json", '{"password": "string", "token": "varchar", "secret": "secret"}'),
        ("loop.yml", "a: &here\n  b: *here\n"),
        ("broken.yml", "a: [\n"),
        ("broken.json", "{"),
        ("tables.py", 'if "-----BEGIN PRIVATE KEY-----" in text:\n    raise ValueError\npassword = setting("x")\n'),
        ("notes.txt", "https://user:<password>@host, https://host:8443/a@b, SharedAccessKey=<key>"),
    ],
)
def test_what_only_speaks_of_secrets_passes(name: str, text: str) -> None:
    passes(name, text)


def test_a_common_word_in_the_environment_does_not_refuse_every_file_that_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "password")
    passes("tables.py", "columns = ['user', 'password']\n")
    refuse_secrets({"configuration": {"source.column": "password"}}, "deploy.yml: the setting")


def test_a_variable_that_names_a_scope_or_an_address_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_SCOPE", "clinical-data")
    monkeypatch.setenv("TOKEN_ENDPOINT", "https://login.example.com/token")
    reference = "{{secrets/clinical-data/kafka}}"
    passes("tables.py", f"option = '{reference}'; name = 'clinical-data'; url = 'https://login.example.com/token'\n")
    refuse_secrets({"configuration": {"spark.password": reference}}, "deploy.yml: the setting")


def test_a_reference_into_a_secret_scope_is_not_the_secret_of_the_same_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "clinical-data")
    refuse_secrets({"spark.password": "{{secrets/clinical-data/kafka}}"}, "deploy.yml: the setting")


def test_a_setting_is_compared_by_its_values_and_not_by_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "source.format")
    refuse_secrets({"configuration": {"source.format": "text"}}, "deploy.yml: the setting")


@pytest.mark.parametrize(
    "settings", [{"configuration": {"spark.x": "canary-canary"}}, {"tags": {"note": "is canary-canary!"}}]
)
def test_a_setting_with_a_secret_of_the_environment_names_setting_and_variable(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, dict[str, str]]
) -> None:
    monkeypatch.setenv("EHR_TOKEN", "canary-canary")
    with pytest.raises(ConfigurationError) as error:
        refuse_secrets(settings, "deploy.yml: the setting")
    ((group, inside),) = settings.items()
    assert error.value.message.startswith(
        f"deploy.yml: the setting '{group}.{next(iter(inside))}' holds the secret of the environment variable EHR_TOKEN"
    )
    assert "'env -u EHR_TOKEN connector-lib …'" in error.value.hint
    assert "canary" not in str(error.value)


_VALUES = st.text(st.characters(codec="utf-8", exclude_characters="${}<>*[]"), min_size=9).filter(
    lambda it: len(it.strip()) > 8 and "://" not in it and it.strip(" x.…") != ""
)


@given(value=_VALUES, above=st.lists(st.sampled_from(["a", "b", 0]), max_size=4))
def test_a_secret_is_found_at_any_depth_of_json(value: str, above: list[Any]) -> None:
    document: Any = {"client_secret": value}
    for step in above:
        document = [document] if step == 0 else {step: document}
    with pytest.raises(ConfigurationError):
        refuse_secrets_in_file("a.json", json.dumps(document).encode(), "a.json", {})
