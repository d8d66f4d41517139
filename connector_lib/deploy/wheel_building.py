"""The wheel to publish: the one that is given, one built of a source tree, or the installed package packed again."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

from packaging.version import Version

import connector_lib
from connector_lib.deploy.wheel import (
    DISTRIBUTION,
    PACKAGE,
    VERSION_FILE,
    Wheel,
    read_wheel,
    record_hash,
    with_version,
    write_wheel,
)
from connector_lib.errors import ReleaseError

__all__ = ["build_dev_wheel", "find_or_build_wheel", "where_version_is_written"]

_BUILD_FOLDERS: Final = frozenset({PACKAGE, "tools"})
"""The folders of a source tree that a build reads."""
_METADATA_FILES: Final = frozenset({"METADATA", "WHEEL", "entry_points.txt", "top_level.txt"})
"""What of the ``.dist-info`` folder came from the wheel; installers write files of their own beside it."""
_TAIL: Final = 15
_GIVE_ONE: Final = "give a wheel with --wheel; 'make wheel' in the source tree builds one into dist/"


def find_or_build_wheel(given: Path | None, folder: Path, *, say: Callable[[str], None]) -> Wheel:
    """The wheel ``given``; without one, that of the source tree which the current folder or this package is in; where
    there is none, the installed package packed again.

    A wheel that is made is written into ``folder``. ``say`` is told what takes a moment. Raises ReleaseError where the
    given one is no wheel of this package, where the build fails, or where the installed files were changed.
    """
    if given is not None:
        return read_wheel(given)
    tree = _source_tree()
    if tree is None:
        say(f"packing the installed {DISTRIBUTION} again as a wheel")
        return _pack_installation(folder)
    say(f"building the wheel of {tree}")
    return _build(tree, folder)


def build_dev_wheel(folder: Path, *, say: Callable[[str], None]) -> Wheel:
    """A wheel of what is there now, for trying out: its version is ``<version>.dev0+<hash of the contents>``, so the
    same sources have the same version, and other ones another. PEP 440 sorts it before the release.

    Written into ``folder``. Raises ReleaseError like :func:`find_or_build_wheel`.
    """
    release_folder = folder / "release"
    release_folder.mkdir()
    wheel = find_or_build_wheel(None, release_folder, say=say)
    return with_version(wheel, _dev_version(wheel), folder)


def where_version_is_written() -> str:
    """The file that a new version is written into."""
    tree = _source_tree()
    return str(tree / VERSION_FILE) if tree else f"{VERSION_FILE} of the source tree"


def _dev_version(wheel: Wheel) -> str:
    version = Version(wheel.version)
    if version.is_devrelease and version.local:
        # The installed package is such a build: packed again it is the same one.
        return wheel.version
    public = version.public if version.is_devrelease else f"{version.public}.dev0"
    # A letter in front: a local version that is all digits would be read as a number, and lose its leading zeros.
    return f"{public}+h{wheel.contents[:12]}"


def _source_tree() -> Path | None:
    """The folder of this project's ``pyproject.toml``, at or above the current folder or beside this package."""
    here = Path.cwd()
    for folder in (here, *here.parents, Path(connector_lib.__file__).resolve().parent.parent):
        project = folder / "pyproject.toml"
        if (folder / VERSION_FILE).is_file() and project.is_file():
            text = project.read_text(encoding="utf-8", errors="replace")
            if re.search(rf'^name = "{DISTRIBUTION}"$', text, re.MULTILINE):
                return folder
    return None


def _build(tree: Path, folder: Path) -> Wheel:
    with TemporaryDirectory() as scratch:
        # Of a copy: a build leaves folders beside the sources, and another one may be going on there.
        copy = Path(scratch) / "sources"
        top = str(tree)

        def left_out(place: str, names: list[str]) -> set[str]:
            folders = {name for name in names if (Path(place) / name).is_dir()}
            return folders - _BUILD_FOLDERS if place == top else folders & {"__pycache__"}

        shutil.copytree(top, copy, ignore=left_out)
        _run(_build_command(copy, folder), copy)
    built = sorted(folder.glob("*.whl"))
    if len(built) != 1:
        raise ReleaseError(f"the build of {tree} left {len(built)} wheels", hint=_GIVE_ONE)
    return read_wheel(built[0])


def _build_command(copy: Path, folder: Path) -> list[str]:
    """The build by the setuptools that pyproject.toml pins: the one of this Python where it is that one, else one that
    pip fetches. Another version would name itself in the wheel, and give other bytes."""
    pinned = re.search(r'"setuptools==([^"]+)"', (copy / "pyproject.toml").read_text(encoding="utf-8"))
    if pinned and _installed_version("setuptools") == pinned.group(1):
        return [sys.executable, "setup.py", "-q", "bdist_wheel", "-d", str(folder)]
    return [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-cache-dir", "-w", str(folder), "."]


def _installed_version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _run(command: list[str], folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        tail = "\n".join(f"  {line}" for line in done.stdout.strip().splitlines()[-_TAIL:])
        raise ReleaseError(f"the wheel could not be built; the build ends with\n{tail}", hint=_GIVE_ONE)


def _pack_installation(folder: Path) -> Wheel:
    """The installed package as the wheel that it came from, by the RECORD that its installer keeps."""
    try:
        installed = importlib.metadata.distribution(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        raise ReleaseError(f"{DISTRIBUTION} is not installed as a package here", hint=_GIVE_ONE) from None
    files: dict[str, bytes] = {}
    for entry in installed.files or []:
        if not _came_in_the_wheel(entry):
            continue
        path = Path(str(installed.locate_file(entry)))
        if not path.is_file():
            raise ReleaseError(f"{path} of the installed {DISTRIBUTION} is gone", hint=_GIVE_ONE)
        files[entry.as_posix()] = path.read_bytes()
        recorded = entry.hash
        if recorded and f"{recorded.mode}={recorded.value}" != record_hash(files[entry.as_posix()]):
            raise ReleaseError(
                f"{path} was changed after {DISTRIBUTION} was installed",
                hint="install it again with 'pip install --force-reinstall', or give a wheel with --wheel",
            )
    if VERSION_FILE not in files:
        raise ReleaseError(f"{DISTRIBUTION} is installed as a link to its sources, which are gone", hint=_GIVE_ONE)
    return write_wheel(files, str(Version(installed.version)), folder)


def _came_in_the_wheel(entry: PurePosixPath) -> bool:
    if "__pycache__" in entry.parts:
        return False
    if entry.parts[0] == PACKAGE:
        return True
    return entry.parts[0].endswith(".dist-info") and (entry.name in _METADATA_FILES or "licenses" in entry.parts)
