"""A wheel of this package: read and checked whole, written byte for byte alike, given another version.

The format is that of "Binary distribution format" (packaging.python.org, PEP 427): a zip file whose ``RECORD`` has the
SHA-256 of every file in it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.metadata import parse_email
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from connector_lib.errors import ReleaseError

__all__ = [
    "DISTRIBUTION",
    "PACKAGE",
    "VERSION_FILE",
    "Wheel",
    "read_wheel",
    "record_hash",
    "wheel_name",
    "with_version",
    "write_wheel",
]

PACKAGE: Final = "connector_lib"
DISTRIBUTION: Final = "connector-lib"
VERSION_FILE: Final = f"{PACKAGE}/__init__.py"
"""The file that the version is written in."""
_VERSION_LINE: Final = re.compile(rb'^__version__ = "([^"\n]*)"$', re.MULTILINE)
# A zip file cannot say an earlier time; wheels that setuptools builds reproducibly have it too.
_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
_AGAIN: Final = "build it again with 'make wheel', or fetch it again"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A checked wheel of this package.

    ``version`` as PEP 440 writes it; ``sha256`` of the file's ``size`` bytes, in hexadecimal; ``contents`` the SHA-256
    of the names and hashes of what is inside, the same for two wheels that differ only in how they are packed.
    """

    path: Path
    version: str
    sha256: str
    size: int
    contents: str


def wheel_name(version: str) -> str:
    """The file name of a version's wheel.

    >>> wheel_name("0.1.0")
    'connector_lib-0.1.0-py3-none-any.whl'
    """
    return f"{PACKAGE}-{version}-py3-none-any.whl"


def read_wheel(path: Path) -> Wheel:
    """The wheel at ``path``, every file in it compared with its ``RECORD``.

    Raises ReleaseError where there is no such file, it is damaged, it is a wheel of another project, or it is named
    otherwise than a wheel of its version.
    """
    if not path.is_file():
        raise ReleaseError(f"there is no wheel {path}", hint="'make wheel' builds one into dist/")
    _refuse_other_project(path)
    files = _read_files(path)
    version = _version_inside(path, files)
    if path.name != wheel_name(version):
        raise ReleaseError(
            f"{path} is a wheel of version {version}, and is named otherwise",
            hint=f"name it {wheel_name(version)}: pip reads the version from the name",
        )
    content = path.read_bytes()
    return Wheel(path, version, hashlib.sha256(content).hexdigest(), len(content), _contents_hash(files))


def write_wheel(files: Mapping[str, bytes], version: str, folder: Path) -> Wheel:
    """Writes a wheel of ``files`` into ``folder``; ``RECORD`` is made anew.

    Order, times and permission bits are those of the reproducible build, so that the same files give the same bytes
    as the wheel that they came from, as far as the same zlib packs them.
    """
    record_name = f"{PACKAGE}-{version}.dist-info/RECORD"
    inside = {name: files[name] for name in sorted(files.keys() - {record_name}, key=_place)}
    record = io.StringIO()
    writer = csv.writer(record, lineterminator="\n")
    writer.writerows((name, record_hash(content), len(content)) for name, content in inside.items())
    writer.writerow((record_name, "", ""))
    path = folder / wheel_name(version)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in inside.items():
            archive.writestr(_entry(name, 0o644), content)
        archive.writestr(_entry(record_name, 0o664), record.getvalue())
    return read_wheel(path)


def with_version(wheel: Wheel, version: str, folder: Path) -> Wheel:
    """The same wheel under another version, written into ``folder``."""
    old_info, new_info = f"{PACKAGE}-{wheel.version}.dist-info/", f"{PACKAGE}-{version}.dist-info/"
    files = {
        name.replace(old_info, new_info, 1) if name.startswith(old_info) else name: content
        for name, content in _read_files(wheel.path).items()
    }
    source, found = _VERSION_LINE.subn(f'__version__ = "{version}"'.encode(), files[VERSION_FILE])
    if found != 1:
        raise ReleaseError(f'{VERSION_FILE} in {wheel.path} has no one line __version__ = "..."', hint=_AGAIN)
    head, separator, description = files[f"{new_info}METADATA"].partition(b"\n\n")
    head = re.sub(rb"^Version: .*$", f"Version: {version}".encode(), head, count=1, flags=re.MULTILINE)
    files[VERSION_FILE] = source
    files[f"{new_info}METADATA"] = head + separator + description
    return write_wheel(files, version, folder)


def record_hash(content: bytes) -> str:
    """The hash of a file as ``RECORD`` writes it.

    >>> record_hash(b"")
    'sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'
    """
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _refuse_other_project(path: Path) -> None:
    try:
        name, *_ = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        raise ReleaseError(
            f"{path} is not named like a wheel", hint=f"a wheel of this package is named {wheel_name('<version>')}"
        ) from None
    if name != canonicalize_name(DISTRIBUTION):
        raise ReleaseError(f"{path} is a wheel of {name}, not of {DISTRIBUTION}", hint="give a wheel of this package")


def _read_files(path: Path) -> dict[str, bytes]:
    """Every file in the wheel by its name, checked against RECORD."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise ReleaseError(f"{path} is damaged: {error}", hint=_AGAIN) from None
    records = [name for name in files if re.fullmatch(r"[^/]+\.dist-info/RECORD", name)]
    if len(records) != 1:
        raise ReleaseError(f"{path} is no wheel: it has no one file RECORD", hint=_AGAIN)
    rows = csv.reader(io.StringIO(files[records[0]].decode("utf-8", "replace")))
    recorded = {row[0]: row[1] for row in rows if len(row) == 3}
    for name, content in files.items():
        if name != records[0] and recorded.get(name) != record_hash(content):
            raise ReleaseError(f"{path} is damaged: {name} is not what its RECORD says", hint=_AGAIN)
    missing = sorted(recorded.keys() - files.keys())
    if missing:
        raise ReleaseError(f"{path} is damaged: {missing[0]} of its RECORD is not in it", hint=_AGAIN)
    return files


def _version_inside(path: Path, files: Mapping[str, bytes]) -> str:
    metadata = next((content for name, content in files.items() if name.endswith(".dist-info/METADATA")), b"")
    fields, _ = parse_email(metadata)
    name = canonicalize_name(fields.get("name", ""))
    if name != DISTRIBUTION:
        raise ReleaseError(
            f"{path} is a wheel of {name or 'no project'} inside, not of {DISTRIBUTION}",
            hint="give a wheel of this package",
        )
    try:
        version = str(Version(fields.get("version", "")))
    except InvalidVersion as error:
        raise ReleaseError(f"{path}: its METADATA has no version that can be read: {error}", hint=_AGAIN) from None
    if not {VERSION_FILE, f"{PACKAGE}-{version}.dist-info/METADATA"} <= files.keys():
        raise ReleaseError(f"{path} is damaged: {VERSION_FILE} or its metadata is missing", hint=_AGAIN)
    return version


def _contents_hash(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(name for name in files if not name.endswith(".dist-info/RECORD")):
        digest.update(f"{name}\0".encode() + hashlib.sha256(files[name]).digest())
    return digest.hexdigest()


def _place(name: str) -> tuple[bool, list[str], str]:
    """Where a file stands in a wheel of setuptools: folder by folder, a folder's files first, the metadata last."""
    *folders, file = name.split("/")
    return folders[0].endswith(".dist-info"), folders, file


def _entry(name: str, permissions: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EARLIEST)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix, on whatever system it is written
    entry.external_attr = (stat.S_IFREG | permissions) << 16
    return entry
