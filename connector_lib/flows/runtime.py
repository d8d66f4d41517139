"""Where a pipeline file runs, and the settings that it was given.

The only module that asks where it runs: everything that differs between Databricks and open-source Spark is
chosen by :func:`on_databricks`. Settings are the entries of ``configuration:`` in ``spark-pipeline.yml``
(the pipeline's *Configuration* on Databricks); Spark hands them to pipeline files through ``spark.conf``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import overload

from pyspark.sql import SparkSession

from connector_lib.errors import ConfigurationError

__all__ = [
    "SourceFolder",
    "active_session",
    "int_setting",
    "on_databricks",
    "record_source",
    "recording_sources",
    "required_setting",
    "setting",
]


def on_databricks() -> bool:
    """True inside a Databricks runtime, which sets ``DATABRICKS_RUNTIME_VERSION``; nothing else does.

    >>> on_databricks()
    False
    """
    return bool(os.environ.get("DATABRICKS_RUNTIME_VERSION"))


def active_session() -> SparkSession:
    """The session of the running pipeline, at module level and inside query functions alike."""
    return SparkSession.active()


@overload
def setting(name: str, default: str) -> str: ...
@overload
def setting(name: str, default: None = None) -> str | None: ...
def setting(name: str, default: str | None = None) -> str | None:
    """The value of ``name`` in the pipeline's ``configuration``, or ``default`` where it is absent or blank.

    Works at module level of a pipeline file and inside its query functions. Every value is a string, as it
    is in Spark's configuration; blanks around it are removed.

    ::

        pattern = setting("source.file_pattern", "*.hl7")
    """
    value = active_session().conf.get(name, None)
    return default if value is None or not value.strip() else value.strip()


def required_setting(name: str) -> str:
    """The value of ``name`` in the pipeline's ``configuration``.

    Raises :class:`~connector_lib.errors.ConfigurationError` that names the key, where it is absent or blank.

    ::

        folder = required_setting("source.storage_path")
    """
    value = setting(name)
    if value is None:
        raise ConfigurationError(f"the setting '{name}' is missing", hint=_where_to_write(name))
    return value


def int_setting(name: str, default: int) -> int:
    """The whole number under ``name`` in the pipeline's ``configuration``, or ``default`` where it is absent.

    Raises :class:`~connector_lib.errors.ConfigurationError` that names the key, where the value is no whole
    number.

    ::

        limit = int_setting("source.max_file_bytes", 256 * 1024 * 1024)
    """
    value = setting(name)
    if value is None:
        return default
    try:
        return int(value)
    except ValueError:
        raise ConfigurationError(
            f"the setting '{name}' must be a whole number, not '{value}'", hint=_where_to_write(name)
        ) from None


def _where_to_write(name: str) -> str:
    return (
        f"write '{name}: <value>' under 'configuration:' in spark-pipeline.yml,"
        f" or give '--set {name}=<value>' to connector-lib run"
    )


@dataclass(frozen=True, slots=True)
class SourceFolder:
    """A folder that a pipeline reads: an absolute local path or a URI, and the pattern of the file names, if
    any."""

    path: str
    pattern: str | None = None


_recorded: ContextVar[list[SourceFolder] | None] = ContextVar("recorded_source_folders", default=None)


@contextmanager
def recording_sources() -> Iterator[list[SourceFolder]]:
    """Gives a list to which every folder is added that is read by a definition registered inside the
    ``with`` block.

    A local run uses it to look for files that Spark shows no row for (empty ones). Blocks may be nested; the
    innermost records. Outside of a block nothing is recorded.

    >>> with recording_sources() as folders:
    ...     record_source(SourceFolder("/data/in", "*.hl7"))
    >>> folders
    [SourceFolder(path='/data/in', pattern='*.hl7')]
    """
    folders: list[SourceFolder] = []
    token = _recorded.set(folders)
    try:
        yield folders
    finally:
        _recorded.reset(token)


def record_source(folder: SourceFolder) -> None:
    """Adds ``folder`` to the list of the surrounding :func:`recording_sources`, once; without one it does
    nothing."""
    folders = _recorded.get()
    if folders is not None and folder not in folders:
        folders.append(folder)
