"""All that a loopback workspace holds, as a document: to compare what two ways of coming there left behind."""

from __future__ import annotations

from typing import Any

from tests.servers.workspace.loopback.server import LoopbackWorkspace

__all__ = ["workspace_state"]


def workspace_state(workspace: LoopbackWorkspace) -> dict[str, Any]:
    """Securables with their grants, files of Volumes and of the workspace, pipelines with settings and permissions.

    Without what differs from one making to the next: ids and times. Pipelines are a list, so that two of a name show.
    """
    pipelines = [
        {
            "creator": held.creator,
            "settings": {key: value for key, value in held.spec.items() if key != "id"},
            "run_as": held.run_as,
            "grants": dict(held.grants),
        }
        for held in workspace.pipelines.all.values()
    ]
    kinds = ("METASTORE", "CATALOG", "SCHEMA", "VOLUME", "TABLE", "CONNECTION")
    return {
        "securables": [
            (it.kind, it.name, it.owner, it.info, {who: sorted(granted) for who, granted in it.grants.items()})
            for kind in kinds
            for it in workspace.securables.of_kind(kind)
        ],
        "volume files": {path: workspace.files.content(path) for path in workspace.files.paths()},
        "workspace files": workspace.workspace_files.contents(),
        "pipelines": sorted(pipelines, key=repr),
    }
