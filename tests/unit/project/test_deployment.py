"""What ``deploy.yml`` may say, how targets and the command line go on top of it, and the words for what it may not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connector_lib.errors import ConfigurationError, UsageError
from connector_lib.project.deployment import Deployment, Permission, developer_suffix, load_deployment
from connector_lib.project.pipeline import PipelineFolder, load_pipeline_folder

SPEC = """\
name: clinic
storage: file:///tmp/clinic
database: clinic
configuration:
  source.storage_path: ""
libraries:
  - glob: {include: transformations/**}
"""


@pytest.fixture
def folder(tmp_path: Path) -> PipelineFolder:
    (tmp_path / "transformations").mkdir()
    (tmp_path / "transformations" / "tables.py").write_text('path = setting("source.file_pattern")\n')
    (tmp_path / "spark-pipeline.yml").write_text(SPEC)
    return load_pipeline_folder(tmp_path)


def load(
    folder: PipelineFolder,
    text: str,
    target: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    developer: str | None = None,
) -> Deployment:
    (folder.root / "deploy.yml").write_text(text)
    return load_deployment(folder, target, overrides, developer=developer)


def refused(folder: PipelineFolder, text: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as error:
        load(folder, text)
    assert str(folder.root / "deploy.yml") in error.value.message
    return error.value


def test_without_the_file_name_and_schema_are_those_of_the_pipeline(folder: PipelineFolder) -> None:
    deployment = load_deployment(folder)
    assert (deployment.name, deployment.schema, deployment.catalog) == ("clinic", "clinic", None)
    assert (deployment.wheel, deployment.volume) == ("@latest", "shared.libraries.python_packages")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("# a comment\n\ncatlog: main\n", " line 3, column 1: unknown key 'catlog'"),
        ("catalog: main\ntargets:\n  dev: {}\n  prod:\n    shema: a\n", " line 5, column 5: unknown key"),
        ("permissions:\n  - level: CAN_VIEW\n  - level: CAN_LOOK\n", " line 3, column 5: 'permissions.1.level'"),
        ("permissions:\n  - group_name: all\n", " line 2, column 5: the key 'permissions.0.level' is missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(folder: PipelineFolder, text: str, place: str) -> None:
    assert f"deploy.yml{place}" in refused(folder, text).message


def test_an_empty_file_says_nothing(folder: PipelineFolder) -> None:
    assert load(folder, "\n") == load_deployment(folder)


def test_a_target_goes_on_top_of_what_is_for_all(folder: PipelineFolder) -> None:
    text = "catalog: main\nserverless: false\ntargets: {prod: {catalog: prod, channel: PREVIEW}, dev: }\n"
    prod, dev = load(folder, text, "prod"), load(folder, text, "dev")
    assert (prod.catalog, prod.serverless, prod.channel) == ("prod", False, "PREVIEW")
    assert (dev.catalog, dev.serverless, dev.channel) == ("main", False, None)


def test_the_command_line_goes_on_top_of_the_target(folder: PipelineFolder) -> None:
    deployment = load(folder, "targets: {prod: {catalog: prod, schema: a}}", "prod", {"catalog": "x", "schema": None})
    assert (deployment.catalog, deployment.schema) == ("x", "a")


def test_configuration_and_tags_are_joined_key_by_key(folder: PipelineFolder) -> None:
    text = """\
configuration: {source.storage_path: /a, source.file_pattern: x}
tags: {team: lab}
targets: {prod: {configuration: {source.storage_path: /b}, tags: {stage: prod}}}
"""
    deployment = load(folder, text, "prod", {"configuration": {"spark.sql.ansi.enabled": "true"}})
    assert deployment.configuration == {
        "source.storage_path": "/b",
        "source.file_pattern": "x",
        "spark.sql.ansi.enabled": "true",
    }
    assert deployment.tags == {"team": "lab", "stage": "prod"}


def test_values_of_settings_are_text_as_they_were_written(folder: PipelineFolder) -> None:
    text = "wheel: 1.10\nenvironment_version: 4\nconfiguration: {source.file_pattern: 0123, spark.x: true}\n"
    deployment = load(folder, text)
    assert (deployment.wheel, deployment.environment_version) == ("1.10", "4")
    assert deployment.configuration == {"source.file_pattern": "0123", "spark.x": "true"}


def test_permissions_and_run_as_name_one_principal_each(folder: PipelineFolder) -> None:
    text = "run_as: {service_principal_name: abc}\npermissions: [{group_name: lab, level: CAN_RUN}]\n"
    deployment = load(folder, text)
    assert deployment.run_as == {"service_principal_name": "abc"}
    assert deployment.permissions == (Permission("group_name", "lab", "CAN_RUN"),)


@pytest.mark.parametrize(
    "text", ["run_as: {}", "run_as: {user_name: a, group_name: b}", "permissions: [{level: CAN_RUN}]"]
)
def test_none_or_two_principals_are_an_error(folder: PipelineFolder, text: str) -> None:
    assert "must name one of user_name, group_name, service_principal_name" in refused(folder, text).message


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ("catlog: main", "catlog", "catalog"),
        ("targets: {prod: {schem: x}}", "targets.prod.schem", "schema"),
        ("permissions: [{grp_name: x, level: CAN_RUN}]", "permissions.0.grp_name", "group_name"),
        ("notifications: [{alert: [on-update-failure]}]", "notifications.0.alert", "alerts"),
        ("targets: {prod: {run_as: {user: x}}}", "targets.prod.run_as.user", "user_name"),
        ("target: {prod: {}}", "target", "targets"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(folder: PipelineFolder, text: str, key: str, near: str) -> None:
    error = refused(folder, text)
    assert error.message.endswith(f"unknown key '{key}'")
    assert error.hint.startswith(f"did you mean '{near}'?")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("serverless: 'yes'", "'serverless': input should be a valid boolean"),
        ("permissions: [{group_name: x, level: CAN_READ}]", "'permissions.0.level': input should be 'CAN_VIEW'"),
        ("channel: beta", "'channel': input should be 'CURRENT' or 'PREVIEW'"),
        ("workspace_folder: pipelines", "'workspace_folder': must be a folder of the workspace"),
        ("workspace_folder: /Shared/{name}", "'workspace_folder': may hold '{user}' and no other braces"),
        ("workspace_folder: /Shared/../Users/bob", "'workspace_folder': may hold '{user}' and no other braces"),
        ("[1, 2]", "must hold keys with values"),
        ("catalog: main\ncatalog: other", "line 2, column 1: the key 'catalog' is given twice"),
        ("catalog: [", "not valid YAML"),
        ("serverless: true\nphoton: false", "'photon: false' needs 'serverless: false'"),
        ("settings: {clusters: [{num_workers: 1}]}", "'settings.clusters' needs 'serverless: false'"),
        ("configuration: {source.path: /a}", "'configuration': the pipeline 'clinic' has no setting 'source.path'"),
        ("dependencies: ['--index-url https://me:hush@host/simple']", "'dependencies': an address in it holds a login"),
        ("dependencies: ['--index-url https://hush@host/simple']", "'dependencies': an address in it holds a login"),
        ("dependencies: ['x @ git+https://hush@host/a/b']", "'dependencies': an address in it holds a login"),
        ("targets: {prod: {upload_anyway: [a.csv]}}", "unknown key 'targets.prod.upload_anyway'"),
        ("upload_anyway: a.csv", "'upload_anyway': input should be a valid list"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_file(folder: PipelineFolder, text: str, words: str) -> None:
    error = refused(folder, text)
    assert words in error.message
    assert "hush" not in str(error)


def test_a_file_under_the_other_ending_is_not_passed_over(folder: PipelineFolder) -> None:
    (folder.root / "deploy.yaml").write_text("catalog: main\n")
    with pytest.raises(ConfigurationError, match=r"deploy\.yaml: is not read"):
        load_deployment(folder)


def test_a_target_that_is_not_there_is_wrong_usage_and_names_the_nearest(folder: PipelineFolder) -> None:
    with pytest.raises(UsageError) as error:
        load(folder, "targets: {prod: {}, dev: {}}", "prd")
    assert error.value.hint == "did you mean 'prod'? targets: dev, prod"


def test_a_setting_of_the_command_line_that_nothing_asks_for_is_wrong_usage(folder: PipelineFolder) -> None:
    with pytest.raises(UsageError, match=r"has no setting 'source\.storage_pth'"):
        load_deployment(folder, None, {"configuration": {"source.storage_pth": "/a"}})


@pytest.mark.parametrize(
    "setting", ["spark.hadoop.fs.s3a.secret.key", "spark.x.password", "spark.connectionString", "connector.token"]
)
def test_a_secret_in_a_setting_is_refused_and_not_shown(folder: PipelineFolder, setting: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(folder, f"configuration: {{{setting}: hush-hush-canary}}")
    assert f"'{setting}' holds a secret" in error.value.message
    assert "canary" not in str(error.value)


@pytest.mark.parametrize("value", ["Hush12!", "h", "12345678", "0", "/hush", "required"])
def test_a_secret_of_any_length_and_kind_is_refused(folder: PipelineFolder, value: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(folder, f"configuration: {{spark.kafka.password: '{value}'}}")
    assert "'spark.kafka.password' holds a secret" in error.value.message


def test_a_setting_whose_address_holds_a_login_is_refused_under_any_name(folder: PipelineFolder) -> None:
    with pytest.raises(ConfigurationError, match=r"'spark\.jdbc' holds a secret") as error:
        load(folder, "configuration: {spark.jdbc: 'jdbc:postgresql://lab:canary@host/db'}")
    assert "canary" not in str(error.value)


@pytest.mark.parametrize(
    "line", ["x @ https://host/x-1.0.whl", "x @ git+https://host/a/b@v1", "x @ git+ssh://git@host/a/b", "a==1"]
)
def test_an_address_without_a_login_may_be_a_dependency(folder: PipelineFolder, line: str) -> None:
    assert load(folder, f"dependencies: ['{line}']").dependencies == (line,)


def test_files_that_may_go_anyway_are_named_for_all_targets(folder: PipelineFolder) -> None:
    text = "upload_anyway: [a.csv]\ntargets: {prod: {catalog: prod}}\n"
    assert load(folder, text, "prod").upload_anyway == ("a.csv",)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("spark.useTokens", "true"),
        ("spark.x.credentials.enabled", "false"),
        ("spark.hadoop.fs.s3a.aws.credentials.provider", "org.example.Provider"),
        ("spark.x.token.renewal.ms", "1000"),
        ("spark.x.password.file", "/Volumes/main/a/b"),
        ("spark.x.tokenType", "Bearer"),
        ("spark.x.password", "{{secrets/lab/kafka}}"),
        ("spark.kafka.secretScope", "clinic-secrets"),
        ("spark.databricks.serviceCredential", "hl7-reader"),
        ("spark.oauth.token.endpoint", "https://login.example.com/token"),
    ],
)
def test_where_a_secret_is_kept_may_be_said(folder: PipelineFolder, setting: str, value: str) -> None:
    assert load(folder, f"configuration: {{{setting}: '{value}'}}").configuration == {setting: value}


def test_the_folder_is_the_users_own_unless_one_is_named(folder: PipelineFolder) -> None:
    user = "ann@example.com"
    assert load_deployment(folder).folder_of(user) == f"/Workspace/Users/{user}/connector_lib/clinic"
    assert load(folder, "workspace_folder: /Shared/clinic/").folder_of(user) == "/Workspace/Shared/clinic"
    named = load(folder, "workspace_folder: /Workspace/Users/{user}/x")
    assert named.folder_of(user) == f"/Workspace/Users/{user}/x"


def test_a_developer_without_a_letter_of_ascii_has_a_suffix_of_their_own() -> None:
    first, second = (developer_suffix(f"{name}@example.com") for name in ("李雷", "韓梅梅"))
    assert first != second
    assert first.startswith("_dev_")
    assert len(first) == len("_dev_") + 8


def test_two_developers_have_names_schemas_and_folders_of_their_own(folder: PipelineFolder) -> None:
    text = "catalog: main\nworkspace_folder: /Workspace/Shared/clinic\n"
    ann, bob = (load(folder, text, developer=f"{user}@example.com") for user in ("ann.lee", "bob"))
    assert (ann.name, ann.schema, ann.development) == ("clinic_dev_ann_lee", "clinic_dev_ann_lee", True)
    assert ann.folder_of("") == "/Workspace/Shared/clinic_dev_ann_lee"
    assert (bob.name, bob.schema, bob.folder_of("")) == (
        "clinic_dev_bob",
        "clinic_dev_bob",
        "/Workspace/Shared/clinic_dev_bob",
    )


def test_what_the_dev_target_or_the_command_line_names_is_taken_as_it_is(folder: PipelineFolder) -> None:
    text = "targets: {dev: {catalog: dev, schema: shared_dev}}\n"
    deployment = load(folder, text, None, {"name": "mine"}, developer="ann@example.com")
    assert (deployment.target, deployment.catalog) == ("dev", "dev")
    assert (deployment.schema, deployment.name) == ("shared_dev", "mine")
