"""What stays, what comes and what goes in the settings of a pipeline."""

from __future__ import annotations

from connector_lib.deploy.settings_changes import (
    SettingChange,
    kept_settings,
    merge_settings,
    setting_changes,
    setting_keys,
)


def test_what_somebody_set_in_the_workspace_stays() -> None:
    current = {"name": "p", "budget_policy_id": "b", "configuration": {"theirs": "1", "ours": "1"}}
    merged = merge_settings(current, {"name": "p", "configuration": {"ours": "2"}}, [])
    assert merged == {"name": "p", "budget_policy_id": "b", "configuration": {"theirs": "1", "ours": "2"}}


def test_what_the_files_said_last_time_and_no_longer_say_goes() -> None:
    current = {"channel": "PREVIEW", "configuration": {"old": "1", "theirs": "1"}, "tags": {"old": "1"}}
    spoken = setting_keys({"channel": "PREVIEW", "configuration": {"old": "1"}, "tags": {"old": "1"}})
    assert merge_settings(current, {"configuration": {"new": "1"}}, spoken) == {
        "configuration": {"theirs": "1", "new": "1"},
        "tags": {},
    }


def test_whom_it_runs_as_stays_when_nobody_speaks_of_it_any_more() -> None:
    current = {"run_as": {"user_name": "ann"}}
    assert merge_settings(current, {}, ["run_as"]) == current


def test_other_packages_of_the_environment_are_replaced_and_its_version_stays() -> None:
    current = {"environment": {"dependencies": ["old.whl"], "environment_version": "3"}}
    merged = merge_settings(current, {"environment": {"dependencies": ["new.whl"]}}, [])
    assert merged == {"environment": {"dependencies": ["new.whl"], "environment_version": "3"}}


def test_clusters_go_when_it_becomes_serverless_and_the_older_name_of_the_schema_with_it() -> None:
    current = {"clusters": [{"num_workers": 1}], "target": "old", "serverless": False}
    assert merge_settings(current, {"serverless": True, "schema": "new"}, []) == {"serverless": True, "schema": "new"}


def test_merging_twice_changes_nothing_more() -> None:
    wanted = {"name": "p", "serverless": True, "configuration": {"a": "1"}}
    once = merge_settings({"configuration": {"b": "2"}}, wanted, ["configuration.c"])
    assert merge_settings(once, wanted, setting_keys(wanted)) == once


def test_changes_are_told_key_by_key() -> None:
    before = {"name": "p", "configuration": {"a": "1", "b": "2"}}
    after = {"name": "q", "configuration": {"a": "1", "c": "3"}}
    assert setting_changes(before, after) == [
        SettingChange("configuration.b", "2", None),
        SettingChange("configuration.c", None, "3"),
        SettingChange("name", "p", "q"),
    ]


def test_absent_empty_and_false_are_the_same() -> None:
    assert setting_changes({"continuous": False, "tags": {}}, {"notifications": []}) == []


def test_a_secret_that_somebody_wrote_into_the_settings_is_not_shown() -> None:
    before = {"configuration": {"kafka.password": "canary"}, "clusters": [{"spark_conf": {"x.secret": "canary"}}]}
    shown = setting_changes(before, {})
    assert "canary" not in str(shown)
    assert {change.key for change in shown} == {"clusters", "configuration.kafka.password"}


def test_what_is_kept_is_named_without_what_the_service_fills_in() -> None:
    current = {"id": "1", "channel": "CURRENT", "photon": True, "name": "p", "configuration": {"theirs": "1"}}
    wanted = {"name": "p"}
    assert kept_settings(current, wanted, merge_settings(current, wanted, [])) == ("configuration.theirs",)
