"""A profile that is asked for counts, or the command says why it would not."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector_lib.deploy.login_profiles import require_profile_counts
from connector_lib.errors import WorkspaceError

PROFILES = """\
[DEFAULT]
host = https://first.example.org
token = dapi-first

[prod]
host = https://prod.example.org/
auth_type = databricks-cli
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "databrickscfg"
    path.write_text(PROFILES)
    return str(path)


@pytest.mark.parametrize("profile", ["prod", "DEFAULT"])
def test_a_profile_counts_where_the_environment_says_nothing(file: str, profile: str) -> None:
    require_profile_counts(profile, {"DATABRICKS_CONFIG_FILE": file})


def test_a_variable_that_says_the_same_is_no_objection(file: str) -> None:
    same = {"DATABRICKS_CONFIG_FILE": file, "DATABRICKS_HOST": "https://prod.example.org"}
    require_profile_counts("prod", same)


def test_variables_of_another_workspace_are_named_and_their_values_are_not(file: str) -> None:
    other = {
        "DATABRICKS_CONFIG_FILE": file,
        "DATABRICKS_HOST": "https://other.example.org",
        "DATABRICKS_TOKEN": "dapi-hush",
    }
    with pytest.raises(WorkspaceError) as raised:
        require_profile_counts("prod", other)
    said = str(raised.value)
    assert "the profile 'prod' would not count" in said
    assert "unset DATABRICKS_HOST DATABRICKS_TOKEN" in said
    assert "hush" not in said


def test_what_is_no_login_in_the_environment_is_left_alone(file: str) -> None:
    require_profile_counts("prod", {"DATABRICKS_CONFIG_FILE": file, "DATABRICKS_RUNTIME_VERSION": "16.4"})


def test_a_profile_that_is_not_there_is_said_with_those_that_are(file: str) -> None:
    with pytest.raises(WorkspaceError, match=r"no profile 'prd'[^\n]*\n  profiles: DEFAULT, prod; "):
        require_profile_counts("prd", {"DATABRICKS_CONFIG_FILE": file})


def test_without_a_file_there_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="profiles: none"):
        require_profile_counts("prod", {"DATABRICKS_CONFIG_FILE": str(tmp_path / "missing")})


def test_a_file_that_cannot_be_read_as_profiles_is_named(tmp_path: Path) -> None:
    file = tmp_path / "databrickscfg"
    file.write_text("token = dapi-hush\n")
    with pytest.raises(WorkspaceError, match="is not a file of profiles") as raised:
        require_profile_counts("prod", {"DATABRICKS_CONFIG_FILE": str(file)})
    assert "hush" not in str(raised.value)


def test_a_way_of_logging_in_that_the_environment_asks_for_would_not_be_the_profiles(file: str) -> None:
    other = {"DATABRICKS_CONFIG_FILE": file, "DATABRICKS_AUTH_TYPE": "azure-cli", "ARM_CLIENT_ID": "of another program"}
    with pytest.raises(WorkspaceError, match="unset DATABRICKS_AUTH_TYPE;"):
        require_profile_counts("prod", other)
