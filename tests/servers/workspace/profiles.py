"""Profiles of ``~/.databrickscfg`` for tests that log in to several workspaces."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.servers.workspace.loopback.server import LoopbackWorkspace

__all__ = ["write_profiles"]


def write_profiles(
    monkeypatch: pytest.MonkeyPatch, folder: Path, workspaces: Mapping[str, tuple[LoopbackWorkspace, str]]
) -> None:
    """Profiles by name, each of a workspace and of the user who logs in; nobody is logged in by the environment."""
    texts = [
        f"[{name}]\nhost = {workspace.url}\ntoken = {workspace.token_of(user)}\n"
        for name, (workspace, user) in workspaces.items()
    ]
    path = folder / "databrickscfg"
    path.write_text("\n".join(texts), encoding="utf-8")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
    monkeypatch.delenv("DATABRICKS_HOST", raising=False)
    monkeypatch.delenv("DATABRICKS_TOKEN", raising=False)
