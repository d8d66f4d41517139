"""What the last deployment of a pipeline left: a small file in the workspace folder, beside the pipeline's files.

It is written before anything else is touched, with all that is there and all that will be, and once more when the
deployment is done. So a deployment that was killed half-way knows on its next run which files are its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connector_lib.errors import WorkspaceError

__all__ = ["RECORD_FILE", "DeploymentRecord"]

RECORD_FILE: Final = ".connector_lib_deployment.json"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """``pipeline`` is the name of the pipeline whose files these are; ``files`` has the SHA-256 that each file may have
    by its path; ``settings`` are the keys, dotted, that ``deploy.yml`` and ``spark-pipeline.yml`` spoke about;
    ``scd_types`` how the tables that are there are kept. ``target`` is that of ``deploy.yml``, empty where there was
    none, None where nobody noted it. ``refresh_update`` is the id of an update that was started to read the tables of
    ``refreshing`` anew, with how they are kept once it is COMPLETED.
    """

    pipeline: str
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settings: tuple[str, ...] = ()
    scd_types: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    refresh_update: str = ""
    refreshing: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes, where: str) -> DeploymentRecord:
        """The record in ``content``; ``where`` names the file in errors. Raises WorkspaceError where it is none."""
        try:
            document = json.loads(content)
            if document["format"] != _FORMAT:
                raise WorkspaceError(
                    f"{where}: was written by another version of connector_lib (format {document['format']})",
                    hint="deploy with that version or a later one",
                )
            return cls(
                pipeline=str(document["pipeline"]),
                files={path: tuple(hashes) for path, hashes in document["files"].items()},
                settings=tuple(sorted(document["settings"])),
                scd_types=dict(document["scd_types"]),
                target=document.get("target"),
                refresh_update=str(document.get("refresh_update", "")),
                refreshing=dict(document.get("refreshing", {})),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise WorkspaceError(
                f"{where}: is not the record of a deployment that it should be",
                hint="if nobody needs it, delete it and the pipeline's files beside it, and deploy again",
            ) from None

    def to_bytes(self) -> bytes:
        """The file: the same bytes for the same record."""
        document: dict[str, Any] = {
            "format": _FORMAT,
            "written_by": "connector-lib deploy; do not edit",
            "pipeline": self.pipeline,
            "files": {path: list(hashes) for path, hashes in sorted(self.files.items())},
            "settings": sorted(self.settings),
            "scd_types": dict(sorted(self.scd_types.items())),
        }
        if self.target is not None:
            document["target"] = self.target
        if self.refresh_update:
            document["refresh_update"] = self.refresh_update
            document["refreshing"] = dict(sorted(self.refreshing.items()))
        return f"{json.dumps(document, indent=2)}\n".encode()

    def before(self, after: DeploymentRecord) -> DeploymentRecord:
        """What holds while a deployment is under way from this record to ``after``: the files and settings of both,
        and the name and the tables as they still are."""
        files = {
            path: tuple(dict.fromkeys((*self.files.get(path, ()), *after.files.get(path, ()))))
            for path in {**self.files, **after.files}
        }
        return replace(
            self,
            files=files,
            settings=tuple(sorted({*self.settings, *after.settings})),
            target=after.target,
        )
