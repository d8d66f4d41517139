"""The jars of Apache Kafka's broker and of Spark's Kafka connector, copied by Maven into a folder that is kept."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from connector_lib.errors import MissingRequirementError
from connector_lib.local.java import JavaRuntime, find_java

_HERE = Path(__file__).parent
_POMS = ("pom.xml", "broker-jars/pom.xml", "spark-jars/pom.xml")
CACHE = _HERE.parents[1] / ".run" / "servers"
_LONGEST_DOWNLOAD = 400
"""Seconds. A first download takes 20; a test may take 600 in all."""


@dataclass(frozen=True, slots=True)
class KafkaJars:
    """Two folders of jars: of the broker, and of what Spark needs to read topics."""

    broker: Path
    spark: Path


def machine_java() -> JavaRuntime:
    """The machine's own Java, where Maven is too; else a ``MissingRequirementError`` with what is missing."""
    if shutil.which("mvn") is None:
        raise MissingRequirementError("a real Kafka broker needs Maven (mvn), which is not on PATH")
    java = find_java()
    if java.bundled:
        raise MissingRequirementError("a real Kafka broker needs Java 17 or newer besides Maven")
    return java


def kafka_jars(cache: Path = CACHE) -> KafkaJars:
    """The jars that the poms of this folder name, from ``cache`` or by Maven.

    The folder's name is a hash of the poms, and it has its name only when it is complete. Of several processes
    at once one asks Maven, the others wait for it.
    """
    version = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _POMS)).hexdigest()[:12]
    place = cache / f"kafka-{version}"
    jars = KafkaJars(place / "broker", place / "spark")
    if place.exists():
        return jars
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "maven.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            for left_by_a_killed_run in cache.glob("unfinished-*"):
                shutil.rmtree(left_by_a_killed_run)
            unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=cache))
            try:
                _copy_by_maven(unfinished)
                unfinished.chmod(0o755)
                unfinished.rename(place)
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
    return jars


def _copy_by_maven(folder: Path) -> None:
    command = ["mvn", "--batch-mode", "--quiet", "--file", str(_HERE / "pom.xml"), "package", f"-Djars={folder}"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LONGEST_DOWNLOAD,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = (error.output or b"").decode(errors="replace")[-2000:]
        raise RuntimeError(f"Maven did not bring the jars within {_LONGEST_DOWNLOAD} s; it said:\n{said}") from None
    if done.returncode:
        raise RuntimeError(f"Maven could not bring the jars; it said:\n{done.stdout.decode(errors='replace')[-4000:]}")
