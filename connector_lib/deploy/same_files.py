"""Pipelines beside a new one that were deployed from the same files and write to the same schema: after a change of the
name in the folder, the old pipeline is still there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connector_lib.deploy.deployment_record import DeploymentRecord
from connector_lib.deploy.pipelines import find_named_pipeline
from connector_lib.deploy.workspace import Workspace
from connector_lib.deploy.workspace_files import folders_beside, read_record, sha256
from connector_lib.errors import WorkspaceError

__all__ = ["pipelines_of_same_files"]

_NAMES_IT: Final = ("spark-pipeline.yml", "spark-pipeline.yaml")
"""The files that hold the name, and differ."""
_MOST: Final = 50
"""How many folders are looked at."""


def pipelines_of_same_files(
    workspace: Workspace, folder: str, contents: Mapping[str, bytes], schema: tuple[str, str]
) -> list[str]:
    """Notes about the pipelines in the folders beside ``folder`` that were deployed from files such as ``contents``,
    bytes by path, and write to ``schema``. Raises WorkspaceError."""
    notes = []
    for beside in folders_beside(workspace, folder)[:_MOST]:
        try:
            record = read_record(workspace, beside)
            found = find_named_pipeline(workspace, record.pipeline) if record and _holds(record, contents) else None
        except WorkspaceError:
            # It is about another pipeline: what is wrong there is no reason against this one.
            continue
        if found is None or found.folder != beside:
            continue
        writes_to = (found.settings.get("catalog"), found.settings.get("schema"))
        if [str(name).casefold() for name in writes_to] == [name.casefold() for name in schema]:
            notes.append(
                f"the pipeline '{found.name}' was deployed from the same files to {beside}, and writes to"
                f" {'.'.join(schema)} too; if this is its new name: deploy with '--name {found.name}', or delete it"
                f" first ('connector-lib delete {found.name}{workspace.option}' drops its tables)"
            )
    return notes


def _holds(record: DeploymentRecord, contents: Mapping[str, bytes]) -> bool:
    there = {path: hashes for path, hashes in record.files.items() if path not in _NAMES_IT}
    here = {path: sha256(content) for path, content in contents.items() if path not in _NAMES_IT}
    return there.keys() == here.keys() and all(here[path] in hashes for path, hashes in there.items())
