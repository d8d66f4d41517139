"""A Unity Catalog Volume and the files in it, through the Files API.

Facts: docs.databricks.com/api/workspace/files. Asked for by its path a file is there as soon as it is written; the
listing of its folder may lag behind.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO, Final

from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import UsageError, WorkspaceError

__all__ = [
    "DEFAULT_VOLUME",
    "VolumeName",
    "download_file",
    "file_size",
    "make_volume",
    "read_text",
    "require_volume",
    "upload_bytes",
    "upload_file",
]

DEFAULT_VOLUME: Final = "shared.libraries.python_packages"
"""The Volume that releases are in where no other one is named."""
_PIECE: Final = 1 << 20
_NAME: Final = re.compile(r"[^./\s\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class VolumeName:
    """The three names of a Volume, in lower case as Unity Catalog keeps them.

    >>> VolumeName.parse("shared.libraries.python_packages").path
    '/Volumes/shared/libraries/python_packages'
    """

    catalog: str
    schema: str
    volume: str

    @classmethod
    def parse(cls, text: str) -> VolumeName:
        """Reads ``catalog.schema.volume`` or ``/Volumes/catalog/schema/volume``. Raises UsageError."""
        names = text.removeprefix("/Volumes/").rstrip("/").split("/") if text.startswith("/") else text.split(".")
        if len(names) != 3 or not all(_NAME.fullmatch(name) for name in names):
            raise UsageError(
                f"'{text}' is not the name of a Volume",
                hint="a Volume is named catalog.schema.volume, such as shared.libraries.python_packages",
            )
        return cls(*(name.lower() for name in names))

    def __str__(self) -> str:
        return f"{self.catalog}.{self.schema}.{self.volume}"

    @property
    def path(self) -> str:
        """Where its files are."""
        return f"/Volumes/{self.catalog}/{self.schema}/{self.volume}"


def require_volume(workspace: Workspace, volume: VolumeName) -> None:
    """Raises WorkspaceError where the Volume is not there, or the user may not read it."""
    if not _is_there(workspace, f"the Volume {volume}", lambda: workspace.client.volumes.read(str(volume))):
        raise WorkspaceError(
            f"{workspace.host}: there is no Volume {volume}",
            hint=f"'connector-lib publish --create --volume {volume}{workspace.option}' makes it,"
            " and its schema and catalog where they are missing",
            status=404,
        )


def make_volume(workspace: Workspace, volume: VolumeName, *, say: Callable[[str], None]) -> None:
    """Makes the Volume, its schema and its catalog where they are not there; ``say`` is told what was made.

    Raises WorkspaceError where the user may not read or make one of them.
    """
    from databricks.sdk.service.catalog import VolumeType

    client, schema = workspace.client, f"{volume.catalog}.{volume.schema}"
    levels: list[tuple[str, Callable[[], object], Callable[[], object]]] = [
        (
            f"the Volume {volume}",
            lambda: client.volumes.read(str(volume)),
            lambda: client.volumes.create(volume.catalog, volume.schema, volume.volume, VolumeType.MANAGED),
        ),
        (
            f"the schema {schema}",
            lambda: client.schemas.get(schema),
            lambda: client.schemas.create(volume.schema, volume.catalog),
        ),
        (
            f"the catalog {volume.catalog}",
            lambda: client.catalogs.get(volume.catalog),
            lambda: client.catalogs.create(volume.catalog),
        ),
    ]
    missing = list(takewhile(lambda level: not _is_there(workspace, *level[:2]), levels))
    for what, _, make in reversed(missing):
        _make(workspace, what, make, _publisher_hint(workspace, volume.path, " --may-create"))
        say(f"{workspace.host}: {what} is made")


def _is_there(workspace: Workspace, what: str, get: Callable[[], object]) -> bool:
    try:
        with workspace.asking(f"read {what}"):
            get()
    except WorkspaceError as error:
        if error.status == 404:
            return False
        raise
    return True


def _make(workspace: Workspace, what: str, make: Callable[[], object], hint: str) -> None:
    try:
        with workspace.asking(f"make {what}"):
            make()
    except WorkspaceError as error:
        if error.status == 403:
            raise WorkspaceError(error.message, hint=hint, status=403, error_code=error.error_code) from None
        # Somebody else made it just now, or a first answer was lost on its way.
        if not (error.error_code or "").endswith("ALREADY_EXISTS"):
            raise


def file_size(workspace: Workspace, path: str) -> int | None:
    """The bytes of the file at ``path``, None where there is none. Raises WorkspaceError where that cannot be asked."""
    try:
        with workspace.asking(f"read {path}"):
            return workspace.client.files.get_metadata(path).content_length or 0
    except WorkspaceError as error:
        if error.status == 404:
            return None
        raise


def download_file(workspace: Workspace, path: str, to: Path) -> str | None:
    """Writes the file at ``path`` of the Volume to ``to``, a piece at a time; its SHA-256 in hexadecimal.

    None where there is none. Raises WorkspaceError.
    """
    digest = hashlib.sha256()
    try:
        with workspace.asking(f"download {path}"), _opened(workspace, path) as contents, to.open("wb") as file:
            while piece := contents.read(_PIECE):
                digest.update(piece)
                file.write(piece)
    except WorkspaceError as error:
        if error.status == 404:
            return None
        raise
    return digest.hexdigest()


def read_text(workspace: Workspace, path: str) -> str | None:
    """The small text file at ``path``; None where there is none. Raises WorkspaceError."""
    try:
        with workspace.asking(f"read {path}"), _opened(workspace, path) as contents:
            return contents.read().decode("utf-8", "replace")
    except WorkspaceError as error:
        if error.status == 404:
            return None
        raise


def _opened(workspace: Workspace, path: str) -> BinaryIO:
    """The file's bytes by way of the workspace. ``client.files`` would ask the storage itself, which is not to be
    reached from everywhere, and waits for minutes where it is not."""
    from databricks.sdk.service.files import FilesAPI

    api = FilesAPI(workspace.client.api_client)  # type: ignore[no-untyped-call]  # only its constructor has no types
    contents = api.download(path).contents
    assert contents is not None
    return contents


def upload_file(workspace: Workspace, source: Path, path: str, *, overwrite: bool) -> bool:
    """Uploads ``source`` to ``path``; False where a file is there and ``overwrite`` is not asked for.

    Raises WorkspaceError.
    """
    with source.open("rb") as file:
        return _upload(workspace, file, path, overwrite)


def upload_bytes(workspace: Workspace, content: bytes, path: str) -> None:
    """Writes ``content`` to ``path``, over what is there. Raises WorkspaceError."""
    _upload(workspace, io.BytesIO(content), path, overwrite=True)


def _upload(workspace: Workspace, content: BinaryIO, path: str, overwrite: bool) -> bool:
    try:
        with workspace.asking(f"write {path}"):
            workspace.client.files.upload(path, content, overwrite=overwrite)
    except WorkspaceError as error:
        if error.status == 409 and not overwrite:
            return False
        if error.status == 403:
            raise WorkspaceError(
                error.message, hint=_publisher_hint(workspace, path), status=403, error_code=error.error_code
            ) from None
        raise
    return True


def _publisher_hint(workspace: Workspace, path: str, option: str = "") -> str:
    catalog, schema, volume = path.split("/")[2:5]
    return (
        f"'connector-lib grants --role publisher --principal {workspace.user} --volume {catalog}.{schema}.{volume}"
        f"{option}' prints what it takes"
    )
