"""Spark's classes as the JVM holds them in memory, in a file: a start takes half the time with it.

Most of a small run is the JVM loading and checking some 20,000 classes. A class data sharing archive (JEP 350) holds
them ready to be mapped into memory. The JVM writes it when it ends (``-XX:ArchiveClassesAtExit``), once for an
installation of Spark and Java, about 250 MB, and it passes over one that fits neither its build nor the jars.

No run ends because of it: where its folder cannot be used, a start is as slow as before.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from connector_lib.local.java import JavaRuntime

__all__ = ["ClassArchive", "class_archive"]

_SUFFIX = ".jsa"
_UNUSED_SECONDS = 30 * 24 * 3600
"""After so long without a run an archive belongs to an installation that is no longer there."""


@dataclass(frozen=True, slots=True)
class ClassArchive:
    """The archive at ``path``; ``partial`` is where a JVM that ends writes a new one."""

    path: Path
    partial: Path

    @property
    def is_there(self) -> bool:
        """Whether it has been written, and may be read."""
        return os.access(self.path, os.R_OK) and self.path.is_file()

    def options(self) -> tuple[str, ...]:
        """What the JVM is told: to use the archive, or to write it where there is none. Nothing where it cannot be
        written.
        """
        if self.is_there:
            # That of another user may be read, and not be marked as used.
            with contextlib.suppress(OSError):
                os.utime(self.path)
            return (f"-XX:SharedArchiveFile='{self.path}'",)
        folder = self.path.parent
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        return (self._to_write,) if os.access(folder, os.W_OK | os.X_OK) and folder.is_dir() else ()

    def is_written_with(self, options: tuple[str, ...]) -> bool:
        """Whether a JVM that was told ``options`` writes the archive when it ends."""
        return self._to_write in options

    @property
    def _to_write(self) -> str:
        return f"-XX:ArchiveClassesAtExit='{self.partial}'"

    def keep(self, now: Callable[[], float] = time.time) -> None:
        """Puts what a JVM has written into its place, and removes archives that no run uses any more."""
        with contextlib.suppress(OSError):
            self.partial.replace(self.path)
            for file in self.path.parent.glob(f"*{_SUFFIX}*"):
                # Another run may be removing it too, and another user's may not be removed.
                with contextlib.suppress(OSError):
                    if now() - file.stat().st_mtime > _UNUSED_SECONDS:
                        file.unlink()

    def discard(self) -> None:
        """Removes what a JVM wrote that was ended before it was done."""
        with contextlib.suppress(OSError):
            self.partial.unlink()


def class_archive(java: JavaRuntime, spark_jars: Path, folder: Path) -> ClassArchive | None:
    """The archive in ``folder`` for this Java and the jars in ``spark_jars``. None for a Java that lacks the archive of
    its own classes, which ours would stand on, as small runtimes do.
    """
    if not (java.home / "lib" / "server" / "classes.jsa").is_file():
        return None
    installation = (java.home, (java.home / "lib" / "modules").stat().st_mtime_ns, spark_jars)
    of_jars = spark_jars.stat().st_mtime_ns
    digest = hashlib.sha256(repr((*map(str, installation), of_jars)).encode()).hexdigest()[:16]
    path = folder / f"spark-classes-{digest}{_SUFFIX}"
    return ClassArchive(path, path.with_name(f"{path.name}.{os.getpid()}"))
