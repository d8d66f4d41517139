"""The workspace's own files and folders: import, export, list, mkdirs, delete, and who may write where.

A path is the same with and without ``/Workspace`` before it; answers have it without, as the real ones do.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import TYPE_CHECKING, Any, Final, Literal

from connector_lib.testing.exchange import ApiRequest, Reply
from tests.servers.workspace.loopback.core import ApiRefusal, Call, Handler

if TYPE_CHECKING:
    from tests.servers.workspace.loopback.server import LoopbackWorkspace

__all__ = ["WorkspaceFiles", "WorkspaceObject"]

_LARGEST: Final = 10 * 1024 * 1024
"""Bytes of one import, in base 64 (Workspace API, "Import a workspace object": limit of ``content``)."""
_NOTEBOOK_HEADER: Final = b"# Databricks notebook source"
_LEVELS: Final = ("CAN_READ", "CAN_RUN", "CAN_EDIT", "CAN_MANAGE")


@dataclass(slots=True)
class WorkspaceObject:
    """A folder, file or notebook. ``grants`` are permission levels by user, and hold for what is below it too."""

    path: str
    kind: Literal["DIRECTORY", "FILE", "NOTEBOOK"]
    object_id: int
    content: bytes = b""
    modified_at: int = 0
    grants: dict[str, str] = field(default_factory=dict)

    @property
    def info(self) -> dict[str, Any]:
        """What the API answers about it."""
        info: dict[str, Any] = {"object_type": self.kind, "path": self.path, "object_id": self.object_id}
        if self.kind == "NOTEBOOK":
            info["language"] = "PYTHON"
        if self.kind == "FILE":
            info |= {"size": len(self.content), "created_at": 1, "modified_at": self.modified_at}
        return info


class WorkspaceFiles:
    """The tree of the workspace. Everybody has a home ``/Users/<name>`` of their own and may write to ``/Shared``.

    ``contents()`` are the bytes of all files by path; ``put`` writes one as its user would by hand.
    """

    def __init__(self, workspace: LoopbackWorkspace) -> None:
        self._all: dict[str, WorkspaceObject] = {}
        self._clock = 0
        self._admin = workspace.securables.metastore.owner
        for folder in ("/", "/Users", "/Repos"):
            self._add(folder, "DIRECTORY")
        self._add("/Shared", "DIRECTORY").grants["users"] = "CAN_MANAGE"
        for user in workspace.desk.users.values():
            self._add(f"/Users/{user}", "DIRECTORY").grants[user] = "CAN_MANAGE"

    @property
    def routes(self) -> dict[str, Handler]:
        """The handlers by method and path."""
        return {
            "POST /api/2.0/workspace/import": self._import,
            "GET /api/2.0/workspace/export": self._export,
            "GET /api/2.0/workspace/get-status": self._get_status,
            "GET /api/2.0/workspace/list": self._list,
            "POST /api/2.0/workspace/mkdirs": self._mkdirs,
            "POST /api/2.0/workspace/delete": self._delete,
            "GET /api/2.0/permissions/directories/{object_id}": self._permissions,
        }

    def contents(self, below: str = "/") -> dict[str, bytes]:
        """The bytes of the files in the folder ``below``, by their path in it."""
        prefix = _plain(below).rstrip("/") + "/"
        return {
            path.removeprefix(prefix): held.content
            for path, held in sorted(self._all.items())
            if held.kind != "DIRECTORY" and path.startswith(prefix)
        }

    def put(self, path: str, content: bytes) -> None:
        """Writes a file with the folders above it, as somebody does by hand in the workspace."""
        plain = _plain(path)
        self._make_folders(plain.rpartition("/")[0])
        self._write(plain, "FILE", content)

    def put_folder(self, path: str, grants: dict[str, str] | None = None) -> None:
        """Makes a folder and those above it; ``grants`` are permission levels by user."""
        self._make_folders(_plain(path))
        self._all[_plain(path)].grants.update(grants or {})

    def remove(self, path: str) -> None:
        """Takes a file away."""
        del self._all[_plain(path)]

    def allows(self, user: str, level: str, path: str) -> bool:
        """Whether ``user`` has the permission ``level`` on the object, by itself or by a folder above it."""
        if user == self._admin:
            return True
        held = [
            grants.get(who)
            for grants in (above.grants for above in self._above(_plain(path)))
            for who in (user, "users")
        ]
        return any(_LEVELS.index(it) >= _LEVELS.index(level) for it in held if it is not None)

    def _above(self, path: str) -> Iterator[WorkspaceObject]:
        while path:
            if path in self._all:
                yield self._all[path]
            path = path.rpartition("/")[0]
        yield self._all["/"]

    def _import(self, call: Call) -> Reply:
        form = _multipart(call.request) if "multipart" in call.request.headers["content-type"] else call.body
        unknown = form.keys() - {"path", "format", "language", "overwrite", "content"}
        if unknown:
            raise ApiRefusal(400, "MALFORMED_REQUEST", f"Could not parse request object: {sorted(unknown)}")
        path, content = _plain(form["path"]), form["content"]
        content = base64.b64decode(content) if isinstance(content, str) else content
        overwrite = str(form.get("overwrite", "false")).lower() == "true"
        path, kind = _kind_of(path, form.get("format", "SOURCE"), "language" in form, content)
        self._require_write(call.user, path)
        if len(base64.b64encode(content)) > _LARGEST:
            raise ApiRefusal(
                400, "MAX_NOTEBOOK_SIZE_EXCEEDED", f"File size imported is ({len(content)} bytes), exceeded max size"
            )
        if path.rpartition("/")[0] not in self._all:
            raise ApiRefusal(404, "RESOURCE_DOES_NOT_EXIST", f"The parent folder ({path}) does not exist.")
        held = self._all.get(path)
        if held is not None and (not overwrite or held.kind == "DIRECTORY"):
            raise ApiRefusal(400, "RESOURCE_ALREADY_EXISTS", f"Path ({path}) already exists.")
        written = self._write(path, kind, content)
        return Reply.json({"object_id": written.object_id})

    def _export(self, call: Call) -> Reply:
        held = self._readable(call)
        if held.kind == "DIRECTORY":
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", "This test exports files only.")
        if call.parameters.get("direct_download") == "true":
            return Reply(held.content, 200, {"Content-Type": "application/octet-stream"})
        return Reply.json({"content": base64.b64encode(held.content).decode(), "file_type": "py"})

    def _get_status(self, call: Call) -> Reply:
        return Reply.json(self._readable(call).info)

    def _list(self, call: Call) -> Reply:
        folder = self._readable(call)
        if folder.kind != "DIRECTORY":
            return Reply.json({"objects": [folder.info]})
        prefix = folder.path.rstrip("/") + "/"
        inside = [
            held.info
            for path, held in sorted(self._all.items())
            if path.startswith(prefix) and path != "/" and "/" not in path.removeprefix(prefix)
        ]
        # An empty folder is answered without the key.
        return Reply.json({"objects": inside} if inside else {})

    def _mkdirs(self, call: Call) -> Reply:
        path = _plain(call.body["path"])
        if path not in self._all:
            self._require_write(call.user, path)
        self._make_folders(path)
        return Reply.json({})

    def _delete(self, call: Call) -> Reply:
        path = _plain(call.body["path"])
        if path not in self._all:
            raise _no_such_path(path)
        self._require_write(call.user, path)
        below = [it for it in self._all if it.startswith(f"{path}/")]
        if below and not call.body.get("recursive", False):
            raise ApiRefusal(400, "DIRECTORY_NOT_EMPTY", f"Folder ({path}) is not empty")
        for it in (*below, path):
            del self._all[it]
        return Reply.json({})

    def _permissions(self, call: Call) -> Reply:
        wanted = int(call.parts["object_id"])
        folder = next((it for it in self._all.values() if it.object_id == wanted), None)
        if folder is None or not self.allows(call.user, "CAN_READ", folder.path):
            raise ApiRefusal(404, "RESOURCE_DOES_NOT_EXIST", f"Directory {wanted} does not exist.")
        if not self.allows(call.user, "CAN_MANAGE", folder.path):
            raise ApiRefusal(403, "PERMISSION_DENIED", f"{call.user} does not have Manage permissions on {wanted}.")
        held = {who: level for above in self._above(folder.path) for who, level in above.grants.items()}
        entries = [
            {"group_name" if who == "users" else "user_name": who, "all_permissions": [{"permission_level": level}]}
            for who, level in held.items()
        ]
        admins = {"group_name": "admins", "all_permissions": [{"permission_level": "CAN_MANAGE"}]}
        return Reply.json(
            {
                "object_id": f"/directories/{wanted}",
                "object_type": "directory",
                "access_control_list": [*entries, admins],
            }
        )

    def _readable(self, call: Call) -> WorkspaceObject:
        path = _plain(call.parameters["path"])
        held = self._all.get(path)
        # What one may not read is not there; the top folders are everybody's to see.
        if held is None or not (path.count("/") < 2 or self.allows(call.user, "CAN_READ", path)):
            raise _no_such_path(path)
        return held

    def _require_write(self, user: str, path: str) -> None:
        if not self.allows(user, "CAN_EDIT", path):
            raise ApiRefusal(403, "PERMISSION_DENIED", f"{user} does not have Edit permissions on {path}.")

    def _make_folders(self, path: str) -> None:
        parts = path.split("/")
        for count in range(2, len(parts) + 1):
            folder = "/".join(parts[:count])
            held = self._all.get(folder)
            if held is None:
                self._add(folder, "DIRECTORY")
            elif held.kind != "DIRECTORY":
                raise ApiRefusal(400, "RESOURCE_ALREADY_EXISTS", f"Path ({folder}) is a file.")

    def _write(self, path: str, kind: Literal["FILE", "NOTEBOOK"], content: bytes) -> WorkspaceObject:
        held = self._all.get(path) or self._add(path, kind)
        self._clock += 1
        held.kind, held.content, held.modified_at = kind, content, self._clock
        return held

    def _add(self, path: str, kind: Literal["DIRECTORY", "FILE", "NOTEBOOK"]) -> WorkspaceObject:
        self._clock += 1
        added = self._all[path] = WorkspaceObject(path, kind, 1000 + self._clock)
        return added


def _plain(path: str) -> str:
    if not path.startswith("/"):
        raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"Path ({path}) doesn't start with '/'")
    if not {"..", "."}.isdisjoint(path.split("/")):
        raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"Path ({path}) is not a canonical path")
    without = path.removeprefix("/Workspace") if path.startswith("/Workspace/") else path
    return without.rstrip("/") or "/"


def _no_such_path(path: str) -> ApiRefusal:
    return ApiRefusal(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")


def _kind_of(path: str, wanted: str, has_language: bool, content: bytes) -> tuple[str, Literal["FILE", "NOTEBOOK"]]:
    if wanted == "RAW":
        return path, "FILE"
    if wanted == "AUTO":
        is_notebook = path.endswith(".py") and content.startswith(_NOTEBOOK_HEADER)
        return (path.removesuffix(".py"), "NOTEBOOK") if is_notebook else (path, "FILE")
    if wanted == "SOURCE" and has_language:
        return path, "NOTEBOOK"
    raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", "The language of a notebook in SOURCE format must be given.")


def _multipart(request: ApiRequest) -> dict[str, Any]:
    """The fields of a form with files: text of fields, bytes of files."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    form: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        form[str(name)] = content if part.get_filename() is not None else content.decode()
    return form
