"""The folder in the workspace that a pipeline's files lie in: what is there, what differs, upload and removal.

The workspace keeps no hashes, so files are compared by their bytes: they are few and small, and a file that somebody
changed by hand is seen.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from connector_lib.deploy.deployment_record import RECORD_FILE, DeploymentRecord
from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import WorkspaceError

__all__ = [
    "DeployedFiles",
    "FileChanges",
    "compare_files",
    "folders_beside",
    "read_deployed_files",
    "read_record",
    "remove_files",
    "remove_folder_if_empty",
    "sha256",
    "upload_files",
    "write_record",
]


@dataclass(frozen=True, slots=True)
class DeployedFiles:
    """What is in the workspace folder: ``contents`` of the files that were asked for, by path; ``others`` are paths of
    files that are there and were not; ``folders`` are there; ``record`` of the last deployment, None without one."""

    contents: Mapping[str, bytes]
    others: tuple[str, ...]
    folders: frozenset[str]
    record: DeploymentRecord | None


@dataclass(frozen=True, slots=True)
class FileChanges:
    """Paths below the folder, sorted: ``upload`` are new or differ, ``remove`` were uploaded once and are no longer
    needed, ``same`` are there as they should be. ``by_hand`` are those of the first two that somebody changed in the
    workspace; ``foreign`` those that are in the way and were never uploaded from here."""

    upload: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


def sha256(content: bytes) -> str:
    """The SHA-256 of ``content`` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_deployed_files(workspace: Workspace, folder: str, wanted: Iterable[str]) -> DeployedFiles:
    """What is in ``folder``, with the bytes of the files ``wanted`` and of those in the record. An absent folder is
    an empty one."""
    objects = _listed(workspace, folder)
    files = {path for path, kind in objects.items() if kind != "DIRECTORY"}
    folders = frozenset(path for path, kind in objects.items() if kind == "DIRECTORY")
    record = None
    if RECORD_FILE in files:
        record = DeploymentRecord.parse(_download(workspace, folder, RECORD_FILE), f"{folder}/{RECORD_FILE}")
    known = set(wanted) | set(record.files if record is not None else ())
    contents = {path: _download(workspace, folder, path) for path in sorted(known & files)}
    return DeployedFiles(contents, tuple(sorted(files - known - {RECORD_FILE})), folders, record)


def folders_beside(workspace: Workspace, folder: str) -> list[str]:
    """The other folders in the one that ``folder`` is in, or would be."""
    above = folder.rpartition("/")[0]
    try:
        with workspace.asking(f"list the workspace folder {above}"):
            objects = list(workspace.client.workspace.list(_in_api(above)))
    except WorkspaceError as error:
        if error.status in (403, 404):
            return []
        raise
    kinds = {(it.path or "").rpartition("/")[2]: it.object_type for it in objects}
    paths = [
        f"{above}/{name}" for name, kind in sorted(kinds.items()) if kind is not None and kind.value == "DIRECTORY"
    ]
    return [path for path in paths if path != folder]


def read_record(workspace: Workspace, folder: str) -> DeploymentRecord | None:
    """The record of the last deployment to ``folder``; None where there was none. Raises WorkspaceError."""
    try:
        return DeploymentRecord.parse(_download(workspace, folder, RECORD_FILE), f"{folder}/{RECORD_FILE}")
    except WorkspaceError as error:
        if error.status == 404:
            return None
        raise


def compare_files(local: Mapping[str, bytes], deployed: DeployedFiles) -> FileChanges:
    """What has to be done for the folder to hold ``local``, bytes by path.

    >>> there = DeployedFiles({"a.py": b"1"}, (), frozenset(), DeploymentRecord("p", {"a.py": (sha256(b"1"),)}))
    >>> compare_files({"a.py": b"1", "b.py": b"2"}, there)
    FileChanges(upload=('b.py',), remove=(), same=('a.py',), by_hand=(), foreign=())
    """
    uploaded = deployed.record.files if deployed.record is not None else {}
    there = deployed.contents
    # A file cannot be where a folder has to be, nor a folder where a file has to be.
    folders = {str(above) for path in local for above in PurePosixPath(path).parents} - {"."}
    in_the_way = {*folders.intersection(deployed.others), *deployed.folders.intersection(local)}
    upload = tuple(path for path, content in local.items() if there.get(path) != content)
    remove = tuple(path for path in sorted(there) if path not in local)
    return FileChanges(
        upload=upload,
        remove=remove,
        same=tuple(path for path in local if path not in upload),
        by_hand=tuple(
            path
            for path in sorted((*upload, *remove))
            if path in there and path in uploaded and sha256(there[path]) not in uploaded[path]
        ),
        foreign=tuple(sorted({*in_the_way, *(path for path in upload if path in there and path not in uploaded)})),
    )


def upload_files(workspace: Workspace, folder: str, files: Mapping[str, bytes], folders: frozenset[str]) -> None:
    """Writes ``files``, bytes by path, over what is there. ``folders`` below ``folder`` are there already."""
    from databricks.sdk.service.workspace import ImportFormat

    made = set(folders)
    for path, content in files.items():
        above = path.rpartition("/")[0]
        if above not in made:
            _make_folder(workspace, f"{folder}/{above}" if above else folder)
            made.add(above)
        with workspace.asking(f"upload the file {folder}/{path}"):
            # Anything but RAW may make a notebook of it; and the SDK's upload() does not ask again after a 429.
            workspace.client.workspace.import_(
                _in_api(f"{folder}/{path}"),
                content=base64.b64encode(content).decode("ascii"),
                format=ImportFormat.RAW,
                overwrite=True,
            )


def write_record(workspace: Workspace, folder: str, record: DeploymentRecord, folders: frozenset[str]) -> None:
    """Writes the record of a deployment; ``folders`` as in :func:`upload_files`."""
    upload_files(workspace, folder, {RECORD_FILE: record.to_bytes()}, folders)


def remove_files(workspace: Workspace, folder: str, paths: Iterable[str]) -> None:
    """Removes files; one that is gone already is no error."""
    for path in paths:
        try:
            with workspace.asking(f"remove the file {folder}/{path}"):
                workspace.client.workspace.delete(_in_api(f"{folder}/{path}"))
        except WorkspaceError as error:
            if error.status != 404:
                raise


def remove_folder_if_empty(workspace: Workspace, folder: str) -> bool:
    """Removes the folder and the folders in it where no file is left in any; whether it did."""
    objects = _listed(workspace, folder)
    if not objects or any(kind != "DIRECTORY" for kind in objects.values()):
        return False
    with workspace.asking(f"remove the folder {folder}"):
        workspace.client.workspace.delete(_in_api(folder), recursive=True)
    return True


def _listed(workspace: Workspace, folder: str) -> dict[str, str]:
    """Kinds of what is in the folder, by path below it, the folder itself as ``""``; empty where it is not there."""
    found: dict[str, str] = {}
    waiting = [""]
    while waiting:
        below = waiting.pop()
        here = f"{folder}/{below}".rstrip("/")
        try:
            with workspace.asking(f"list the workspace folder {here}"):
                objects = list(workspace.client.workspace.list(_in_api(here)))
        except WorkspaceError as error:
            if error.status == 404:
                continue
            raise
        found[below] = "DIRECTORY"
        for it in objects:
            path = f"{below}/{(it.path or '').rpartition('/')[2]}".lstrip("/")
            found[path] = it.object_type.value if it.object_type is not None else ""
            if found[path] == "DIRECTORY":
                waiting.append(path)
    return found


def _download(workspace: Workspace, folder: str, path: str) -> bytes:
    from databricks.sdk.service.workspace import ExportFormat

    with (
        workspace.asking(f"read the file {folder}/{path}"),
        workspace.client.workspace.download(_in_api(f"{folder}/{path}"), format=ExportFormat.AUTO) as content,
    ):
        return content.read()


def _make_folder(workspace: Workspace, folder: str) -> None:
    try:
        with workspace.asking(f"make the workspace folder {folder}"):
            workspace.client.workspace.mkdirs(_in_api(folder))
    except WorkspaceError as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        raise WorkspaceError(
            error.message,
            hint="a file has the name of this folder, or of one above it: move it away in the workspace, or name"
            " another 'workspace_folder'",
            status=error.status,
            error_code=error.error_code,
        ) from None


def _in_api(path: str) -> str:
    """The path as the workspace API answers it: without ``/Workspace``, which the file system puts before it."""
    return path.removeprefix("/Workspace")
