"""The options of ``connector-lib sample hl7v2 --kafka``; no server is asked for anything."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from connector_lib.cli import main
from connector_lib.cli.sample_kafka import kafka_options, sending_progress
from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2 import Delivery
from connector_lib.samples.hl7v2.values import sample_values

TO_TOPIC = ["--kafka", "127.0.0.1:1", "--topic", "hl7"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "either --out or --kafka says where the messages go"),
        ([*TO_TOPIC, "--out", "x"], "either --out or --kafka says where the messages go, not both"),
        (["--kafka", "127.0.0.1:1"], "--kafka needs --topic"),
        (["--out", "x", "--topic", "hl7"], "--topic goes with --kafka, not with --out"),
        (["--out", "x", "--kafka-option", "a=b"], "--kafka-option goes with --kafka, not with --out"),
        (["--out", "x", "--tombstones", "1"], "--tombstones goes with --kafka, not with --out"),
        (["--out", "x", "--messages-per-value", "2"], "--messages-per-value goes with --kafka, not with --out"),
        (["--out", "x", "--timeout", "2"], "--timeout goes with --kafka, not with --out"),
        ([*TO_TOPIC, "--files", "2"], "--files goes with --out, not with --kafka"),
        ([*TO_TOPIC, "--overwrite"], "--overwrite goes with --out, not with --kafka"),
        ([*TO_TOPIC, "--messages", "0"], "0 messages make no sample"),
        ([*TO_TOPIC, "--damage", "coffee"], "there is no kind of damage 'coffee'"),
        ([*TO_TOPIC, "--family", "XYZ"], "XYZ"),
        ([*TO_TOPIC, "--form", "scroll"], "there is no form 'scroll' of files or values"),
        ([*TO_TOPIC, "--kafka-option", "acks=1"], "the Kafka option acks cannot be given"),
        ([*TO_TOPIC, "--kafka-option", "bootstrap.servers=x:1"], "the Kafka option bootstrap.servers cannot be given"),
        ([*TO_TOPIC, "--kafka-option", "no.such.option=1"], 'No such configuration property: "no.such.option"'),
    ],
)
def test_wrong_options_are_a_wrong_usage_that_is_named(
    arguments: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sample", "hl7v2", *arguments]) == 2
    assert complaint in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_missing_client_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    assert main(["sample", "hl7v2", *TO_TOPIC]) == 1
    said = capsys.readouterr().err
    assert "confluent-kafka" in said
    assert "pip install 'connector_lib[kafka]'" in said


def test_variables_of_the_environment_are_put_in_and_are_secrets() -> None:
    given = ["sasl.username=$ConnectionString", "sasl.password=${HUB}", "ssl.ca.location=${DIR}/ca=1.pem", "a.b="]
    options = kafka_options(given, {"HUB": "Endpoint=sb://x/;Key=y", "DIR": "/certs"})
    assert options.values == {
        "sasl.username": "$ConnectionString",
        "sasl.password": "Endpoint=sb://x/;Key=y",
        "ssl.ca.location": "/certs/ca=1.pem",
        "a.b": "",
    }
    assert options.secrets == ("Endpoint=sb://x/;Key=y", "/certs")
    assert "Endpoint" not in repr(options)


@pytest.mark.parametrize(
    "key",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.keystore.password",
        "ssl.key.pem",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.jaas.config",
    ],
)
def test_a_secret_in_an_argument_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(UsageError, match=rf"--kafka-option {key} is a secret") as refused:
        kafka_options([f"{key}=hush-hush"], {})
    assert "hush-hush" not in str(refused.value)
    assert f"'{key}=${{VARIABLE}}'" in refused.value.hint


@pytest.mark.parametrize("environment", [{}, {"HUB": ""}])
def test_a_variable_that_is_not_set_is_named(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"sasl\.password wants the environment variable HUB"):
        kafka_options(["sasl.password=${HUB}"], environment)


@pytest.mark.parametrize("entry", ["sasl.password", "=hush-hush", " =hush-hush", "hush-hush"])
def test_an_option_without_key_or_value_is_not_shown_either(entry: str) -> None:
    with pytest.raises(UsageError, match="--kafka-option number 2 is not KEY=VALUE") as refused:
        kafka_options(["a=b", entry], {})
    assert "hush-hush" not in str(refused.value)


def test_a_secret_in_the_words_of_the_client_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUB", "hush-hush")
    assert main(["sample", "hl7v2", *TO_TOPIC, "--kafka-option", "security.protocol=${HUB}"]) == 2
    said = capsys.readouterr().err
    assert "security.protocol" in said
    assert "hush-hush" not in said


def test_progress_without_a_terminal_is_a_line_every_five_seconds() -> None:
    times = iter([0.0, 1.0, 4.9, 5.5, 6.0, 11.0])
    stream = io.StringIO()
    with sending_progress(stream, 5, lambda: next(times)) as confirmed:
        for value in sample_values(5):
            confirmed(Delivery(value, 0, 0))
    assert stream.getvalue().splitlines() == [
        "  5.5 s  3 of 5 values confirmed, 1 messages/s",
        " 11.0 s  5 of 5 values confirmed, 0 messages/s",
    ]
