"""A login that gives no token any more: said in words, with what to do, and for its workspace alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.servers.workspace.conftest import Command
from tests.servers.workspace.loopback.server import LoopbackWorkspace

_SIZE_OF_THE_VENDORS_CLI = 1024 * 1024 + 1
"""A smaller program is none: the SDK takes it for the command line that was before it."""
_SESSION_ENDED = "Error: the refresh token is invalid $REFRESH_TOKEN\\nrun databricks auth login"


@pytest.fixture
def session_ends(workspace: LoopbackWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile ``ends`` whose login is the vendor's command line: it gives one token, which has expired, and then no
    other; and a profile ``stays``."""
    token = json.dumps({"access_token": workspace.token, "token_type": "Bearer", "expiry": "2020-01-01T00:00:00Z"})
    given = tmp_path / "given"
    program = tmp_path / "bin/databricks"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
case "$*" in *version*) echo '{{"Version": "0.290.0"}}'; exit 0;; esac
if [ -f {given} ]; then printf "{_SESSION_ENDED}" >&2; exit 1; fi
touch {given}
echo '{token}'
exit 0
#{"-" * _SIZE_OF_THE_VENDORS_CLI}
"""
    )
    program.chmod(0o755)
    profiles = tmp_path / "databrickscfg"
    profiles.write_text(
        f"[ends]\nhost = {workspace.url}\nauth_type = databricks-cli\n"
        f"[stays]\nhost = {workspace.url}\ntoken = {workspace.token}\n"
    )
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(profiles))
    monkeypatch.delenv("DATABRICKS_HOST")
    monkeypatch.delenv("DATABRICKS_TOKEN")


def test_a_session_that_ends_in_the_middle_of_a_command_is_told_with_the_way_to_log_in(
    workspace: LoopbackWorkspace, session_ends: None, command: Command
) -> None:
    ended = command("status", "clinic", "--profile", "ends")
    assert ended.code == 1
    assert "the login gives no token: " in ended.err
    assert "the refresh token is invalid run databricks auth login\n" in ended.err
    assert "log in with 'databricks auth login --host https://<workspace>'" in ended.err
    assert "bug" not in ended.err


def test_a_session_that_ends_keeps_no_other_workspace_from_its_answer(
    workspace: LoopbackWorkspace, session_ends: None, command: Command
) -> None:
    workspace.catalog.add_volume("shared.libraries.python_packages")
    ended = command("releases", "--profile", "ends", "--profile", "stays", "--json")
    assert ended.code == 1
    assert "the login gives no token" in ended.err
    assert "stays" in ended.out


def test_what_the_login_says_is_shown_without_secrets(
    workspace: LoopbackWorkspace, session_ends: None, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REFRESH_TOKEN", "hush-hush-hush")
    ended = command("status", "clinic", "--profile", "ends")
    assert "the refresh token is invalid ***** run databricks auth login" in ended.err
    assert "hush" not in ended.err + ended.out
