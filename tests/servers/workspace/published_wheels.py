"""Releases in the Volume of a loopback workspace, as ``connector-lib publish`` leaves them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from tests.servers.workspace.loopback.server import LoopbackWorkspace
from tests.unit.deploy.wheels import small_wheel

__all__ = ["FOLDER", "VOLUME", "put_release", "wheel_path"]

VOLUME: Final = "shared.libraries.python_packages"
FOLDER: Final = "/Volumes/shared/libraries/python_packages/connector_lib"


def wheel_path(version: str) -> str:
    """Where the wheel of a version is."""
    return f"{FOLDER}/connector_lib-{version}-py3-none-any.whl"


def put_release(workspace: LoopbackWorkspace, scratch: Path, version: str = "0.1.0", module: str = "") -> str:
    """Puts a version there, and LATEST on it, and makes the Volume where it is not there; the path of the wheel."""
    workspace.catalog.add_volume(VOLUME)
    content = small_wheel(scratch / f"{version}-{len(module)}", version, module).path.read_bytes()
    path = wheel_path(version)
    workspace.files.write(path, content)
    checksum = f"{hashlib.sha256(content).hexdigest()}  {path.rpartition('/')[2]}\n"
    workspace.files.write(f"{path}.sha256", checksum.encode())
    workspace.files.write(f"{FOLDER}/LATEST", f"{version}\n".encode())
    return path
