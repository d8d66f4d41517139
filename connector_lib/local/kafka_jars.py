"""The jars by which Spark reads topics: whether a pipeline needs them, and where they are had from."""

from __future__ import annotations

import ast
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from connector_lib.errors import MissingRequirementError, UsageError
from connector_lib.local.cache_folder import cache_folder
from connector_lib.local.ivy import Module, fetch_jars, versions_up_to
from connector_lib.local.java import JavaRuntime

__all__ = ["are_fetched", "fetched_folder", "jars_in", "kafka_jars", "reads_topics"]

_READERS: Final = frozenset({"read_kafka", "read_event_hubs"})


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the jars: its module, a class that tells it, and the oldest version that is known to work here.

    Without ``oldest`` the version is the one that the connector asks for.
    """

    organisation: str
    name: str
    a_class: str
    oldest: tuple[int, int] | None = None


# Tried on Spark 4.3.0: connector 4.2.0 with token provider 4.0.0 and 4.2.0, kafka-clients 3.9.2, commons-pool2 2.13.1.
_PARTS: Final = (
    _Part(
        *("org.apache.spark", "spark-sql-kafka-0-10_2.13", "org/apache/spark/sql/kafka010/KafkaSourceProvider.class"),
        oldest=(4, 2),
    ),
    _Part(
        *("org.apache.spark", "spark-token-provider-kafka-0-10_2.13"),
        "org/apache/spark/kafka010/KafkaConfigUpdater.class",
        oldest=(4, 0),
    ),
    _Part("org.apache.kafka", "kafka-clients", "org/apache/kafka/clients/consumer/KafkaConsumer.class"),
    _Part("org.apache.commons", "commons-pool2", "org/apache/commons/pool2/impl/GenericKeyedObjectPool.class"),
)


def reads_topics(files: Iterable[Path]) -> bool:
    """True where one of the Python ``files`` names ``read_kafka`` or ``read_event_hubs``, or the format ``kafka``.

    What a function of another package reads is not seen; the jars are then given by ``--jars``.
    """
    return any(file.suffix == ".py" and any(map(_names_topics, ast.walk(_tree(file)))) for file in files)


def _tree(file: Path) -> ast.AST:
    return ast.parse(file.read_bytes(), filename=str(file))


def _names_topics(node: ast.AST) -> bool:
    match node:
        case ast.alias(name=name) | ast.Attribute(attr=name) | ast.Name(id=name) if name in _READERS:
            return True
        case ast.Call(func=ast.Attribute(attr="format"), args=[ast.Constant(value=str(name))]):
            return name.lower() == "kafka"
        case ast.keyword(arg="format", value=ast.Constant(value=str(name))):
            return name.lower() == "kafka"
    return False


def jars_in(folder: Path, *, for_topics: bool) -> tuple[Path, ...]:
    """All jars of ``folder``, absolute and sorted; ``for_topics``: those that Spark needs to read topics among them.

    Raises :class:`~connector_lib.errors.UsageError` where the folder or a jar is missing, twice there, or no jar.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UsageError(f"--jars {folder}: the folder {what}", hint="give a folder that holds jars")
    jars = tuple(sorted(folder.resolve().glob("*.jar")))
    if not jars:
        raise UsageError(f"--jars {folder}: the folder holds no jar (*.jar)", hint=_WHICH if for_topics else "")
    holders = _holders(jars)
    for name, found in holders.items():
        if len(found) > 1:
            raise UsageError(
                f"--jars {folder}: {name} is there {len(found)} times: {', '.join(jar.name for jar in found)}",
                hint="keep the one that fits Spark here",
            )
    missing = [name for name, found in holders.items() if not found]
    if for_topics and missing:
        raise UsageError(f"--jars {folder}: {_list(missing)} missing, which Spark needs to read topics", hint=_WHICH)
    return jars


def _holders(jars: Iterable[Path]) -> dict[str, list[Path]]:
    """For each part, the jars that are it."""
    entries = {jar: _entries(jar) for jar in jars}
    return {part.name: [jar for jar, names in entries.items() if part.a_class in names] for part in _PARTS}


def _entries(jar: Path) -> frozenset[str]:
    try:
        with zipfile.ZipFile(jar) as archive:
            return frozenset(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"--jars: {jar} is not a jar: {error}", hint="copy or download it again") from None


_WHICH: Final = "Spark reads topics by " + ", ".join(part.name for part in _PARTS)


def _list(names: list[str]) -> str:
    return f"{', '.join(names)} {'is' if len(names) == 1 else 'are'}"


def fetched_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the jars for the installed Spark are kept once they were fetched."""
    return cache_folder(environment) / f"kafka-for-spark-{metadata.version('pyspark')}"


def are_fetched(folder: Path) -> bool:
    """True where ``folder`` holds all the jars, and none is damaged."""
    try:
        return all(_holders(folder.glob("*.jar")).values())
    except UsageError:
        return False


def kafka_jars(java: JavaRuntime, folder: Path) -> tuple[Path, ...]:
    """The jars by which the installed Spark reads topics, from ``folder``, or from a Maven repository into it.

    Connector and token provider are the newest published ones that are not newer than Spark. Raises
    :class:`~connector_lib.errors.MissingRequirementError` that names the jars, where they cannot be had.
    """
    if not are_fetched(folder):
        _fetch(java, folder)
    return tuple(sorted(folder.glob("*.jar")))


def _fetch(java: JavaRuntime, folder: Path) -> None:
    installed = metadata.version("pyspark")
    numbers = re.match(r"(\d+)\.(\d+)\.(\d+)", installed)
    assert numbers is not None
    version = (int(numbers[1]), int(numbers[2]), int(numbers[3]))
    modules = [
        Module(part.organisation, part.name, versions_up_to(version, part.oldest) if part.oldest else None)
        for part in _PARTS
    ]
    try:
        fetch_jars(modules, folder, java, are_fetched)
    except (OSError, MissingRequirementError) as error:
        reason = error.message if isinstance(error, MissingRequirementError) else f"{folder}: {error.strerror}"
        seen = f"; {error.hint}" if isinstance(error, MissingRequirementError) and error.hint else ""
        raise MissingRequirementError(
            f"Spark {installed} reads topics by jars that are not here and could not be fetched: {reason}",
            hint=f"put {_coordinates(installed)} into a folder and give it: --jars DIR{seen}",
        ) from None


def _coordinates(installed: str) -> str:
    """The jars as Maven names them; an older connector is better than none, so a version is only a wish."""
    of_spark = [f"{part.organisation}:{part.name}:{installed}" for part in _PARTS if part.oldest]
    others = [f"{part.organisation}:{part.name}" for part in _PARTS if not part.oldest]
    return f"{', '.join(of_spark)}, and what the first asks for of {' and '.join(others)},"
