"""Releases of the wheel in a Volume: published once and never overwritten, listed, found by version.

In the folder ``connector_lib`` of a Volume are, for every version, the wheel and beside it ``<wheel>.sha256``, which is
written when the wheel was downloaded again and compared: a wheel without it is an upload that was never finished, and
may be replaced. ``LATEST`` names the version that ``@latest`` stands for; it is written last.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from connector_lib.deploy.volume_files import (
    DEFAULT_VOLUME,
    VolumeName,
    download_file,
    file_size,
    make_volume,
    read_text,
    require_volume,
    upload_bytes,
    upload_file,
)
from connector_lib.deploy.wheel import DISTRIBUTION, PACKAGE, Wheel, read_wheel, wheel_name
from connector_lib.deploy.wheel_building import where_version_is_written
from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import ReleaseError, UsageError, WorkspaceError

__all__ = [
    "DEFAULT_VOLUME",
    "LATEST",
    "Published",
    "Release",
    "VolumeName",
    "folder_of",
    "latest_version",
    "list_releases",
    "parse_version",
    "path_of",
    "publish_wheel",
    "resolve_wheel",
    "set_latest",
    "version_of",
]

LATEST: Final = "@latest"
_SHOWN: Final = 10
_CHECKSUM: Final = re.compile(r"([0-9a-f]{64})  (\S+)\n")


@dataclass(frozen=True, slots=True)
class Published:
    """What :func:`publish_wheel` did. ``uploaded``: the wheel was not there before; ``latest``: it is LATEST now."""

    path: str
    version: str
    uploaded: bool
    latest: bool


@dataclass(frozen=True, slots=True)
class Release:
    """A version in a Volume. ``size`` in bytes. ``state``: ``unfinished`` where its upload never came to its end."""

    version: str
    path: str
    size: int
    is_latest: bool
    state: Literal["published", "unfinished"]


def folder_of(volume: VolumeName) -> str:
    """The folder of the Volume that the releases are in.

    >>> folder_of(VolumeName.parse("shared.libraries.python_packages"))
    '/Volumes/shared/libraries/python_packages/connector_lib'
    """
    return f"{volume.path}/{PACKAGE}"


def path_of(volume: VolumeName, version: str) -> str:
    """Where the wheel of a version is."""
    return f"{folder_of(volume)}/{wheel_name(version)}"


def version_of(name: str) -> str | None:
    """The version of a wheel of this package by its file name; None for every other file.

    >>> version_of("connector_lib-0.1.0-py3-none-any.whl")
    '0.1.0'
    """
    try:
        _, version, _, _ = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return None
    return str(version) if name == wheel_name(str(version)) else None


def publish_wheel(
    workspace: Workspace,
    wheel: Wheel,
    volume: VolumeName,
    *,
    create: bool = False,
    latest: bool | None = None,
    say: Callable[[str], None],
) -> Published:
    """Uploads the wheel and downloads it again to compare; asked again it goes on where it was interrupted.

    ``create`` makes the Volume, its schema and its catalog where they are missing. ``latest``: True makes the version
    LATEST, False leaves LATEST as it is, None makes it LATEST where it is a final release and not older than the one
    that is. ``say`` is told each step.

    Raises ReleaseError where the version is there with other contents, or did not arrive as it was sent;
    WorkspaceError where the workspace refuses or fails.
    """
    if create:
        make_volume(workspace, volume, say=say)
    else:
        require_volume(workspace, volume)
    path = path_of(volume, wheel.version)
    recorded = _recorded_checksum(workspace, path)
    with TemporaryDirectory() as folder:
        checksum, uploaded = _bring(workspace, wheel, path, recorded, Path(folder), say)
    if recorded is None:
        upload_bytes(workspace, f"{checksum}  {posixpath.basename(path)}\n".encode(), _checksum_path(path))
    is_latest = _move_latest(workspace, volume, wheel.version, latest, say)
    return Published(path, wheel.version, uploaded, is_latest)


def set_latest(workspace: Workspace, volume: VolumeName, version: str) -> Release:
    """Makes a version that is published LATEST, an older one too.

    Raises ReleaseError where it is not there or unfinished, UsageError where it is no version, WorkspaceError.
    """
    version = str(parse_version(version))
    path = resolve_wheel(workspace, volume, version)
    _write_latest(workspace, volume, version)
    return Release(version, path, file_size(workspace, path) or 0, is_latest=True, state="published")


def latest_version(workspace: Workspace, volume: VolumeName) -> str | None:
    """The version that LATEST names; None where there is no such file, or it was written in part only.

    Raises WorkspaceError.
    """
    text = read_text(workspace, f"{folder_of(volume)}/LATEST") or ""
    # Without the end of its line it may be the first part of another version.
    return str(Version(text.strip())) if text.endswith("\n") and _is_version(text.strip()) else None


def list_releases(workspace: Workspace, volume: VolumeName, also: Iterable[str] = ()) -> list[Release]:
    """The versions in the Volume, the newest first as PEP 440 orders them; none where nothing was published.

    The listing of a folder may lag behind: LATEST and the versions ``also`` are asked for by name where it lacks them.
    Raises WorkspaceError where the Volume is not there or may not be read.
    """
    folder = folder_of(volume)
    sizes: dict[str, int] = {}
    try:
        with workspace.asking(f"list {folder}"):
            for entry in workspace.client.files.list_directory_contents(folder):
                sizes[entry.name or ""] = entry.file_size or 0
    except WorkspaceError as error:
        if error.status != 404:
            raise
        require_volume(workspace, volume)
    latest = latest_version(workspace, volume)
    for name in {wheel_name(version) for version in [*also, latest] if version} - sizes.keys():
        size = file_size(workspace, f"{folder}/{name}")
        if size is not None:
            sizes[name] = size
    found = [_release(workspace, volume, name, sizes, latest) for name in sizes if version_of(name) is not None]
    return sorted(found, key=lambda it: Version(it.version), reverse=True)


def resolve_wheel(workspace: Workspace, volume: VolumeName, wanted: str) -> str:
    """The path of the wheel ``wanted``: ``@latest``, a version such as ``0.1.0``, or ``/Volumes/….whl`` as it is.

    Raises UsageError where it is none of these or a wheel of another project, ReleaseError where it is not there or its
    upload was never finished, WorkspaceError.
    """
    if wanted.startswith("/Volumes/") and wanted.endswith(".whl"):
        _refuse_other_project(wanted)
        if file_size(workspace, wanted) is None:
            raise ReleaseError(f"{workspace.host}: there is no wheel {wanted}", hint=_publish_hint(workspace, volume))
        return wanted
    if wanted == LATEST:
        version = latest_version(workspace, volume)
        if version is None:
            require_volume(workspace, volume)
            raise ReleaseError(
                f"{workspace.host}: {folder_of(volume)}/LATEST names no version: {_there_are(workspace, volume)}",
                hint=_publish_hint(workspace, volume),
            )
    else:
        version = str(parse_version(wanted))
    path = path_of(volume, version)
    if file_size(workspace, path) is None:
        require_volume(workspace, volume)
        raise ReleaseError(
            f"{workspace.host}: version {version} is not in {volume}: {_there_are(workspace, volume)}",
            hint=_other_version_hint(workspace, volume, version),
        )
    if file_size(workspace, _checksum_path(path)) is None:
        raise ReleaseError(
            f"{workspace.host}: the upload of version {version} to {volume} was never finished",
            hint=f"publish it again: {_publish_hint(workspace, volume)}",
        )
    return path


def _refuse_other_project(path: str) -> None:
    name = posixpath.basename(path)
    try:
        is_ours = parse_wheel_filename(name)[0] == DISTRIBUTION
    except InvalidWheelFilename:
        is_ours = False
    if not is_ours:
        raise UsageError(
            f"{path} is not named as a wheel of {DISTRIBUTION}",
            hint=f"'wheel' is one such as {wheel_name('0.1.0')}; other packages go under 'dependencies' of deploy.yml",
        )


def parse_version(text: str) -> Version:
    """A version as PEP 440 has it. Raises UsageError."""
    try:
        return Version(text)
    except InvalidVersion:
        raise UsageError(
            f"'{text}' is not a version", hint=f"give one such as 0.1.0, or {LATEST}, or a path /Volumes/….whl"
        ) from None


def _bring(
    workspace: Workspace,
    wheel: Wheel,
    path: str,
    recorded: str | None,
    folder: Path,
    say: Callable[[str], None],
) -> tuple[str, bool]:
    """Has the wheel at ``path``; the SHA-256 of what is there at the end, and whether it was uploaded.

    ``recorded`` is the checksum beside it, which says for ever what the version holds.
    """
    arrived = folder / wheel_name(wheel.version)
    tried = False
    for _ in range(2):
        there = download_file(workspace, path, arrived)
        # Of an upload that was cut off no part can be installed, so nobody can have had the version from it.
        contents = _contents(arrived) if there else None
        if there and recorded in (None, there) and contents == wheel.contents:
            return there, tried
        if recorded not in (None, wheel.sha256) or (recorded is None and contents):
            raise ReleaseError(
                f"{workspace.host}: version {wheel.version} is in {posixpath.dirname(path)} with other contents,"
                " and a version is never overwritten",
                hint=f"raise the version: __version__ in {where_version_is_written()}",
            )
        say(f"{workspace.host}: uploading {posixpath.basename(path)} ({wheel.size / 1e6:.1f} MB)")
        tried = True
        if upload_file(workspace, wheel.path, path, overwrite=there is not None):
            _verify(workspace, wheel, path, arrived)
            return wheel.sha256, True
        # Somebody else was quicker; or ours arrived, and only the answer that says so was lost.
    raise ReleaseError(
        f"{workspace.host}: somebody else is publishing version {wheel.version} at this moment",
        hint="run the same command again when they are done",
    )


def _contents(path: Path) -> str | None:
    """What identifies the contents of the wheel at ``path``; None where it is no whole wheel."""
    try:
        return read_wheel(path).contents
    except ReleaseError:
        return None


def _verify(workspace: Workspace, wheel: Wheel, path: str, arrived: Path) -> None:
    checksum = download_file(workspace, path, arrived)
    if checksum != wheel.sha256:
        size = arrived.stat().st_size if checksum else 0
        raise ReleaseError(
            f"{workspace.host}: what arrived at {path} is not what was sent ({size} of {wheel.size} bytes)",
            hint="run the same command again: it replaces an upload that was not finished",
        )


def _checksum_path(path: str) -> str:
    return f"{path}.sha256"


def _recorded_checksum(workspace: Workspace, path: str) -> str | None:
    match = _CHECKSUM.fullmatch(read_text(workspace, _checksum_path(path)) or "")
    return match.group(1) if match else None


def _move_latest(
    workspace: Workspace, volume: VolumeName, version: str, wanted: bool | None, say: Callable[[str], None]
) -> bool:
    current = latest_version(workspace, volume)
    if current == version:
        return True
    if wanted is None:
        wanted = _follows(version, current)
        if not wanted and current is not None:
            say(f"{workspace.host}: LATEST stays at {current}; --latest {version} would set it")
    if wanted:
        _write_latest(workspace, volume, version)
    return wanted


def _follows(version: str, current: str | None) -> bool:
    """Whether a version becomes LATEST by itself: a final release that is newer, as an installer would choose."""
    new = Version(version)
    return not new.is_prerelease and (current is None or new > Version(current))


def _write_latest(workspace: Workspace, volume: VolumeName, version: str) -> None:
    upload_bytes(workspace, f"{version}\n".encode(), f"{folder_of(volume)}/LATEST")


def _release(workspace: Workspace, volume: VolumeName, name: str, sizes: dict[str, int], latest: str | None) -> Release:
    version = version_of(name) or ""
    path = f"{folder_of(volume)}/{name}"
    verified = f"{name}.sha256" in sizes or file_size(workspace, _checksum_path(path)) is not None
    state: Literal["published", "unfinished"] = "published" if verified else "unfinished"
    return Release(version, path, sizes[name], version == latest, state)


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _there_are(workspace: Workspace, volume: VolumeName) -> str:
    found = [it.version for it in list_releases(workspace, volume) if it.state == "published"]
    return f"there are {', '.join(found[:_SHOWN])}" if found else "nothing is published there"


def _other_version_hint(workspace: Workspace, volume: VolumeName, version: str) -> str:
    found = [it.version for it in list_releases(workspace, volume) if it.state == "published"]
    given = f"give one of {', '.join(found[:_SHOWN])}, or " if found else ""
    return f"{given}publish version {version} from its own sources: {_publish_hint(workspace, volume)} there"


def _publish_hint(workspace: Workspace, volume: VolumeName) -> str:
    option = "" if str(volume) == DEFAULT_VOLUME else f" --volume {volume}"
    return f"'connector-lib publish{option}{workspace.option}'"
