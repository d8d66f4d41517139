"""Files of Volumes: the Files API, with listings that lag behind, and uploads that are cut on their way."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import Final

from connector_lib.testing.exchange import Reply
from tests.servers.workspace.loopback.core import ApiRefusal, Call, Handler
from tests.servers.workspace.loopback.securables import Securables

__all__ = ["Files"]

_PAGE: Final = 3
_MODIFIED: Final = "Sat, 03 Jan 2026 10:00:00 GMT"
_MODIFIED_MS: Final = 1_767_434_400_000


@dataclass(slots=True)
class _Stored:
    content: bytes
    unseen: int = 0
    """Listings of its folder that still leave it out."""


@dataclass(slots=True)
class Files:
    """The files of all Volumes, by their whole path ``/Volumes/catalog/schema/volume/...``.

    ``listing_lag``: a new file is missing from that many listings of its folder; asked for by its path it is there at
    once. ``cut_uploads``: as many of the next uploads as it has entries store that many bytes only, which is what an
    interrupted upload leaves on a storage whose writes are not atomic.
    """

    securables: Securables
    listing_lag: int = 0
    cut_uploads: list[int] = field(default_factory=list)
    _files: dict[str, _Stored] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=set)

    def content(self, path: str) -> bytes:
        """What the file holds. Raises KeyError where it is not there."""
        return self._files[path].content

    def write(self, path: str, content: bytes) -> None:
        """Puts a file there, by nobody in particular."""
        self._files[path] = _Stored(content)

    def remove(self, path: str) -> None:
        """Takes a file away. Raises KeyError where it is not there."""
        del self._files[path]

    def paths(self, folder: str = "/Volumes") -> list[str]:
        """All files below ``folder``, sorted."""
        return sorted(path for path in self._files if path.startswith(folder.rstrip("/") + "/"))

    def forget_volume(self, name: str) -> None:
        """Takes away all that is in the volume ``catalog.schema.volume``."""
        root = "/Volumes/" + name.replace(".", "/")
        self._files = {path: file for path, file in self._files.items() if not path.startswith(root + "/")}
        self._folders = {path for path in self._folders if not f"{path}/".startswith(root + "/")}

    @property
    def routes(self) -> dict[str, Handler]:
        """The handlers by method and path."""
        return {
            "GET /api/2.0/fs/files{path*}": self._download,
            "HEAD /api/2.0/fs/files{path*}": self._head,
            "PUT /api/2.0/fs/files{path*}": self._upload,
            "DELETE /api/2.0/fs/files{path*}": self._delete,
            "GET /api/2.0/fs/directories{path*}": self._list,
            "HEAD /api/2.0/fs/directories{path*}": self._folder,
            "PUT /api/2.0/fs/directories{path*}": self._make_folder,
            "DELETE /api/2.0/fs/directories{path*}": self._delete_folder,
        }

    def _path(self, call: Call, privilege: str) -> str:
        """The path of the call, when its user may do that with the Volume."""
        path = posixpath.normpath(call.parts["path"])
        pieces = path.split("/")
        if pieces[:2] != ["", "Volumes"] or len(pieces) < 5:
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"The path '{path}' is not a path of a Volume.")
        catalog, schema, volume = pieces[2:5]
        self.securables.require(call.user, "USE_CATALOG", "CATALOG", catalog)
        self.securables.require(call.user, "USE_SCHEMA", "SCHEMA", f"{catalog}.{schema}")
        self.securables.require(call.user, privilege, "VOLUME", f"{catalog}.{schema}.{volume}")
        return path

    def _file(self, call: Call) -> _Stored:
        stored = self._files.get(self._path(call, "READ_VOLUME"))
        if stored is None:
            raise ApiRefusal(404, "NOT_FOUND", "The file being accessed is not found.")
        return stored

    def _download(self, call: Call) -> Reply:
        headers = {"Content-Type": "application/octet-stream", "Last-Modified": _MODIFIED}
        content = self._file(call).content
        asked = call.request.headers.get("range", "").removeprefix("bytes=")
        if not asked:
            return Reply(content, 200, headers)
        first, _, last = asked.partition("-")
        start, end = int(first), int(last) + 1 if last else len(content)
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        return Reply(content[start:end], 206, headers)

    def _head(self, call: Call) -> Reply:
        return self._download(call)

    def _upload(self, call: Call) -> Reply:
        path = self._path(call, "WRITE_VOLUME")
        if path.count("/") < 5:
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"The path '{path}' is a Volume, not a file.")
        if path in self._all_folders():
            raise ApiRefusal(409, "ALREADY_EXISTS", "A directory is at the path of the file being created.")
        if path in self._files and call.parameters.get("overwrite") == "false":
            raise ApiRefusal(409, "ALREADY_EXISTS", "The file being created already exists.")
        length = int(call.request.headers.get("content-length") or 0)
        content = call.request.body
        if len(content) < length:
            raise ApiRefusal(400, "BAD_REQUEST", "The request ended before its body did.")
        if self.cut_uploads:
            content = content[: self.cut_uploads.pop(0)]
        # An overwritten file stays in listings all the while.
        self._files[path] = _Stored(content, 0 if path in self._files else self.listing_lag)
        return Reply(b"", 204)

    def _delete(self, call: Call) -> Reply:
        path = self._path(call, "WRITE_VOLUME")
        if self._files.pop(path, None) is None:
            raise ApiRefusal(404, "NOT_FOUND", "The file being accessed is not found.")
        return Reply(b"", 204)

    def _all_folders(self) -> set[str]:
        """Folders that were made, and those that files are in."""
        volumes = {"/Volumes/" + it.name.replace(".", "/") for it in self.securables.of_kind("VOLUME")}
        found = set(volumes)
        for path in [*self._folders, *(posixpath.dirname(path) for path in self._files)]:
            while path.count("/") > 4:
                found.add(path)
                path = posixpath.dirname(path)
        return found

    def _list(self, call: Call) -> Reply:
        folder = self._existing_folder(call)
        folders = [path for path in self._all_folders() if posixpath.dirname(path) == folder]
        files = [path for path in self._files if posixpath.dirname(path) == folder]
        start = int(call.parameters.get("page_token") or 0)
        seen = sorted([*folders, *(path for path in files if self._files[path].unseen == 0)])
        if start == 0:
            for path in files:
                self._files[path].unseen = max(0, self._files[path].unseen - 1)
        size = min(_PAGE, int(call.parameters.get("page_size") or _PAGE))
        entries = [self._entry(path) for path in seen[start : start + size]]
        more = {"next_page_token": str(start + size)} if start + size < len(seen) else {}
        return Reply.json(({"contents": entries} if entries else {}) | more)

    def _entry(self, path: str) -> dict[str, object]:
        entry: dict[str, object] = {"path": path, "name": posixpath.basename(path), "last_modified": _MODIFIED_MS}
        if path in self._files:
            return entry | {"is_directory": False, "file_size": len(self._files[path].content)}
        return entry | {"is_directory": True}

    def _existing_folder(self, call: Call, privilege: str = "READ_VOLUME") -> str:
        path = self._path(call, privilege)
        if path not in self._all_folders():
            raise ApiRefusal(404, "NOT_FOUND", "The directory being accessed is not found.")
        return path

    def _folder(self, call: Call) -> Reply:
        self._existing_folder(call)
        return Reply(b"", 200)

    def _make_folder(self, call: Call) -> Reply:
        path = self._path(call, "WRITE_VOLUME")
        if path in self._files:
            raise ApiRefusal(409, "ALREADY_EXISTS", "A file is at the path of the directory being created.")
        self._folders.add(path)
        return Reply(b"", 204)

    def _delete_folder(self, call: Call) -> Reply:
        path = self._existing_folder(call, "WRITE_VOLUME")
        inside = [it for it in [*self._files, *self._all_folders()] if it.startswith(path + "/")]
        if inside:
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", "The directory is not empty.")
        self._folders.discard(path)
        return Reply(b"", 204)
