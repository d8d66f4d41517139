from __future__ import annotations

from threading import Thread
from typing import Any

import pytest

from connector_lib.errors import ConfigurationError
from connector_lib.flows.runtime import (
    SourceFolder,
    on_databricks,
    record_source,
    recording_sources,
    secret,
    setting,
    streaming_table,
    trigger_interval,
)

INBOX = SourceFolder("/data/in", "*.hl7")
ARCHIVE = SourceFolder("/data/archive")


@pytest.mark.parametrize(("version", "answer"), [("17.3", True), ("client.4.1", True), ("", False), (None, False)])
def test_only_a_databricks_runtime_names_its_version(
    version: str | None, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION", raising=False)
    if version is not None:
        monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", version)
    assert on_databricks() is answer


def test_folders_are_recorded_once_and_in_order() -> None:
    with recording_sources() as folders:
        for folder in (INBOX, ARCHIVE, INBOX):
            record_source(folder)
    assert folders == [INBOX, ARCHIVE]


def test_nothing_is_recorded_outside_of_the_block() -> None:
    with recording_sources() as folders:
        pass
    record_source(INBOX)
    assert folders == []


def test_the_innermost_block_records() -> None:
    with recording_sources() as outer:
        with recording_sources() as inner:
            record_source(INBOX)
        record_source(ARCHIVE)
    assert (outer, inner) == ([ARCHIVE], [INBOX])


def test_a_block_that_fails_records_no_longer() -> None:
    with pytest.raises(ZeroDivisionError), recording_sources() as folders:
        raise ZeroDivisionError
    record_source(INBOX)
    assert folders == []


def test_two_runs_side_by_side_do_not_see_each_others_folders() -> None:
    with recording_sources() as folders:
        other = Thread(target=record_source, args=(INBOX,))
        other.start()
        other.join()
    assert folders == []


@pytest.mark.usefixtures("without_server")
def test_a_table_of_the_pipeline_is_read_as_a_stream_by_its_name() -> None:
    frame: Any = streaming_table("received")
    read = frame._plan.plan(None).read
    assert (read.is_streaming, read.named_table.unparsed_identifier) == (True, "received")


class TestHiddenSettings:
    """Settings of which Spark shows stars, since their name or value looks like a secret."""

    STARS = "*********(redacted)"

    def test_one_counts_as_absent_and_the_log_says_so(
        self, settings: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        settings["kafka.topic"] = self.STARS
        assert setting("kafka.topic", "hl7") == "hl7"
        assert caplog.messages == [
            "the setting 'kafka.topic' is hidden by spark.redaction.regex of this compute: it counts as missing"
        ]

    @pytest.mark.parametrize("value", [None, "", STARS])
    def test_the_second_name_takes_its_place(
        self, value: str | None, settings: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        settings |= {"my.scope": "hl7"} if value is None else {"my.scope": "hl7", "my.secretScope": value}
        assert setting("my.secretScope", second_name="my.scope") == "hl7"
        assert caplog.messages == []

    def test_a_default_is_for_both_names(self, settings: dict[str, str]) -> None:
        settings["my.secretKey"] = self.STARS
        assert setting("my.secretKey", "key", second_name="my.scopeEntry") == "key"
        assert setting("my.secretKey", second_name="my.scopeEntry") is None


class TestSecrets:
    """Where a secret comes from, and that it goes nowhere else."""

    VALUE = "canary-8d1f"

    def test_on_databricks_it_is_the_value_of_a_secret_scope(self, secrets: dict[tuple[str, str], str]) -> None:
        secrets["hl7", "password"] = self.VALUE
        found = secret("hl7", "password", "KAFKA_PASSWORD", option="kafka.secretScope")
        assert found.get_secret_value() == self.VALUE

    def test_elsewhere_it_is_the_value_of_a_variable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KAFKA_PASSWORD", self.VALUE)
        found = secret(None, "password", "KAFKA_PASSWORD", option="kafka.secretScope")
        assert found.get_secret_value() == self.VALUE

    def test_a_line_end_behind_it_is_no_part_of_it(
        self, secrets: dict[tuple[str, str], str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        secrets["hl7", "password"] = f" {self.VALUE} \r\n"
        assert secret("hl7", "password", "P", option="o").get_secret_value() == f" {self.VALUE} "
        monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION")
        monkeypatch.setenv("P", f" {self.VALUE} \n")
        assert secret(None, "password", "P", option="o").get_secret_value() == f" {self.VALUE} "

    def test_it_does_not_show_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KAFKA_PASSWORD", self.VALUE)
        found = secret(None, "password", "KAFKA_PASSWORD", option="kafka.secretScope")
        assert self.VALUE not in f"{found} {found!r} {[found]}"

    @pytest.mark.parametrize("value", [None, "", "\n"])
    def test_a_missing_variable_is_named_with_the_secret_that_it_stands_for(
        self, value: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("KAFKA_PASSWORD", raising=False)
        if value is not None:
            monkeypatch.setenv("KAFKA_PASSWORD", value)
        with pytest.raises(ConfigurationError) as caught:
            secret("hl7", "password", "KAFKA_PASSWORD", option="kafka.secretScope")
        for name in ("KAFKA_PASSWORD", "'password'", "'kafka.secretScope'"):
            assert name in caught.value.message

    @pytest.mark.parametrize("value", [None, ""])
    def test_a_missing_secret_is_named_with_its_scope_and_setting(
        self, value: str | None, secrets: dict[tuple[str, str], str]
    ) -> None:
        if value is not None:
            secrets["hl7", "password"] = value
        with pytest.raises(ConfigurationError) as caught:
            secret("hl7", "password", "KAFKA_PASSWORD", option="kafka.secretScope")
        for name in ("the secret 'password' of the scope 'hl7'", "'kafka.secretScope'"):
            assert name in caught.value.message
        assert "databricks secrets put-secret hl7 password" in caught.value.hint
        assert "KAFKA_PASSWORD" in caught.value.hint

    def test_a_missing_scope_is_named_by_its_setting(self, secrets: dict[tuple[str, str], str]) -> None:
        with pytest.raises(ConfigurationError, match=r"the setting 'kafka\.secretScope' is missing"):
            secret(None, "password", "KAFKA_PASSWORD", option="kafka.secretScope")

    def test_both_settings_of_a_scope_are_named(self, secrets: dict[tuple[str, str], str]) -> None:
        with pytest.raises(ConfigurationError, match=r"setting 'kafka\.secretScope' or 'kafka\.scope'"):
            secret("hl7", "password", "P", option="kafka.secretScope", second_option="kafka.scope")


class TestTriggerInterval:
    """How often a continuous pipeline on Databricks looks for new data."""

    def test_on_databricks_it_is_a_setting_of_the_table(self, databricks: Any, settings: dict[str, str]) -> None:
        settings["trigger.interval"] = "10 seconds"
        assert trigger_interval() == {"pipelines.trigger.interval": "10 seconds"}

    @pytest.mark.usefixtures("databricks", "settings")
    def test_without_the_setting_databricks_takes_its_own(self) -> None:
        assert trigger_interval() == {}

    def test_elsewhere_it_is_ignored_and_said_so(
        self, settings: dict[str, str], caplog: pytest.LogCaptureFixture
    ) -> None:
        settings["trigger.interval"] = "1 hour"
        assert trigger_interval() == {}
        assert caplog.messages == [
            "the setting 'trigger.interval' is for continuous pipelines on Databricks: it has no effect on this run"
        ]

    @pytest.mark.parametrize("value", ["10", "10s", "0 seconds", "ten seconds", "10 fortnights"])
    def test_another_form_is_refused_on_both_sides(self, value: str, settings: dict[str, str]) -> None:
        settings["trigger.interval"] = value
        with pytest.raises(ConfigurationError, match=r"'trigger\.interval' must be a number and a unit"):
            trigger_interval()
