"""A pipeline whose updates are started and watched, as the texts about them name it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from connector_lib.deploy.workspace import Workspace

__all__ = ["WatchedPipeline", "target_option"]


def target_option(target: str | None, dev: bool) -> str:
    """What a command needs besides a folder to mean the same pipeline of it: ``" --target prod"``, ``" --dev"``.

    >>> target_option("prod", False), target_option(None, True)
    (' --target prod', ' --dev')
    """
    return (f" --target {shlex.quote(target)}" if target else "") + (" --dev" if dev else "")


@dataclass(frozen=True, slots=True)
class WatchedPipeline:
    """A pipeline of a workspace, and what its texts need.

    ``argument`` is what a command takes for it: its folder as it was typed, its name or its id. ``folder`` is its
    folder on this machine, where it has one: causes are shown with file and line in it. ``schema`` as
    ``catalog.schema`` is taken off the names of datasets. ``option`` are further options that a command needs to come
    to it, such as ``" --target prod"``.
    """

    id: str
    argument: str
    folder: Path | None = None
    schema: str = ""
    option: str = ""

    def words(self, workspace: Workspace) -> dict[str, str]:
        """The words that texts about it name commands with: ``pipeline``, ``folder``, ``option`` and ``profile``."""
        shown = shlex.quote(self.argument)
        return {
            "pipeline": shown,
            "folder": shown if self.folder is not None else "PIPELINE_DIR",
            "option": self.option + workspace.option,
            "profile": workspace.option,
        }
