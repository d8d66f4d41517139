"""What local runs need of this machine, and how to get what is missing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from connector_lib.errors import ConnectorLibError, MissingRequirementError
from connector_lib.local.java import OLDEST_JAVA, find_java
from connector_lib.local.kafka_jars import are_fetched, fetched_folder
from connector_lib.local.machine import memory_of_machine_mb, sensible_memory_mb
from connector_lib.local.warehouse import check_warehouse

__all__ = ["Check", "check_machine", "require_local_extra", "require_module"]

_LEAST_FREE_DISK_MB = 1024
_LEAST_MEMORY_MB = 2048
_INSTALL_LOCAL = "pip install 'connector_lib[local]'"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. ``mend`` says what to do where ``ok`` is False; ``needed``: local runs
    fail without it.
    """

    name: str
    ok: bool
    found: str
    needed: bool = True
    mend: str = ""

    def to_json(self) -> dict[str, object]:
        """The check as JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Package:
    """A package of the ``local`` extra: from ``least`` on, and below ``below`` where that is given."""

    name: str
    module: str
    least: tuple[int, ...]
    below: tuple[int, ...] | None = None


# The ranges are those of the extra 'local' in pyproject.toml, and why they are so is said there.
_PACKAGES = (
    _Package("pyspark", "pyspark", (4, 2)),
    _Package("pandas", "pandas", (2, 2), below=(3,)),
    _Package("pyarrow", "pyarrow", (18,)),
    _Package("grpcio", "grpc", (1, 76)),
    _Package("grpcio-status", "grpc_status", (1, 76)),
    _Package("zstandard", "zstandard", (0, 25)),
)


def require_module(module: str, *, extra: str) -> None:
    """Raises :class:`~connector_lib.errors.MissingRequirementError` where ``module`` is not installed."""
    if importlib.util.find_spec(module) is None:
        raise MissingRequirementError(
            f"this command needs {module}, which is not installed",
            hint=f"pip install 'connector_lib[{extra}]'",
        )


def require_local_extra() -> None:
    """Raises :class:`~connector_lib.errors.MissingRequirementError` that names the packages that are missing
    or out of range.
    """
    wrong = [check for check in map(_check_package, _PACKAGES) if not check.ok]
    if wrong:
        raise MissingRequirementError(
            "local runs need " + "; ".join(f"{check.name}: {check.found}" for check in wrong),
            hint=_INSTALL_LOCAL,
        )


def check_machine(warehouse: Path) -> list[Check]:
    """Everything that local runs need, looked at on this machine."""
    return [
        _check_python(),
        *map(_check_package, _PACKAGES),
        _check_java(),
        _check_kafka_jars(),
        *_check_extras(),
        _check_memory(),
        _check_disk(warehouse),
        _check_loopback(),
        _check_warehouse(warehouse),
    ]


def _check_python() -> Check:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Check("python", sys.version_info >= (3, 10), version, mend="install Python 3.10 or newer")


def _check_package(package: _Package) -> Check:
    wanted = f"{_dotted(package.least)} or newer"
    if package.below is not None:
        wanted += f", below {_dotted(package.below)}"
    if importlib.util.find_spec(package.module) is None:
        return Check(package.name, False, "not installed", mend=_INSTALL_LOCAL)
    try:
        found = metadata.version(package.name)
    except metadata.PackageNotFoundError:
        return Check(package.name, False, "installed without its version", mend=_INSTALL_LOCAL)
    version = _numbers(found)
    ok = version >= package.least and (package.below is None or version < package.below)
    said = found if ok else f"{found}, needed is {wanted}"
    return Check(package.name, ok, said, mend="" if ok else _INSTALL_LOCAL)


def _check_java() -> Check:
    try:
        java = find_java()
    except MissingRequirementError as error:
        return Check("java", False, f"none of version {OLDEST_JAVA} or newer", mend=error.hint)
    origin = "from the extra 'local'" if java.bundled else "of this machine"
    return Check("java", True, f"{java.major} ({java.executable}, {origin})")


def _check_kafka_jars() -> Check:
    if not _is_there("pyspark"):
        return Check("kafka jars", False, "without pyspark no question", needed=False)
    folder = fetched_folder()
    if are_fetched(folder):
        return Check("kafka jars", True, str(folder), needed=False)
    mend = "the first run of a pipeline that reads topics fetches them (10 MB); or give them: run --jars DIR"
    return Check("kafka jars", False, "not fetched yet", needed=False, mend=mend)


def _check_extras() -> list[Check]:
    extras = {"cli": ("typer", "rich"), "kafka": ("confluent_kafka",)}
    checks = []
    for extra, modules in extras.items():
        there = all(_is_there(module) for module in modules)
        mend = "" if there else f"pip install 'connector_lib[{extra}]'"
        found = "installed" if there else "not installed"
        checks.append(Check(f"extra '{extra}'", there, found, needed=extra == "cli", mend=mend))
    return checks


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _check_memory() -> Check:
    memory = memory_of_machine_mb()
    if memory is None:
        return Check("memory", True, "unknown", needed=False)
    return Check(
        "memory",
        memory >= _LEAST_MEMORY_MB,
        f"{memory} MiB, Spark takes at most {sensible_memory_mb(memory)}",
        needed=False,
        mend="" if memory >= _LEAST_MEMORY_MB else "close other programs, or run with --memory 512",
    )


def _check_disk(warehouse: Path) -> Check:
    place = warehouse.resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free // (1024 * 1024)
    writable = os.access(place, os.W_OK)
    ok = free >= _LEAST_FREE_DISK_MB and writable
    found = f"{free} MiB free at {place}" + ("" if writable else ", not writable")
    return Check("disk", ok, found, mend="" if ok else "use another folder: --warehouse DIR")


def _check_loopback() -> Check:
    try:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(1)
    except OSError as error:
        return Check("loopback", False, f"127.0.0.1 cannot be bound: {error.strerror}", mend="allow loopback sockets")
    return Check("loopback", True, "127.0.0.1 can be bound")


def _check_warehouse(folder: Path) -> Check:
    try:
        state = check_warehouse(folder)
    except ConnectorLibError as error:
        return Check("warehouse", False, error.message, mend=error.hint)
    return Check("warehouse", True, state)


def _numbers(version: str) -> tuple[int, ...]:
    parts = []
    for part in version.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
