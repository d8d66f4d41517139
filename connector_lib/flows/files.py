"""New files of a folder as a stream: Auto Loader on Databricks, Spark's file stream elsewhere.

What holds on both sides:

- One row a file, with its bytes. Subfolders count. Files and folders whose name starts with ``.`` or ``_``,
  and names that end in ``._COPYING_``, are left out; so a sender can write ``_adt.hl7`` and rename it when
  it is complete. (A name that starts with ``_`` and holds a ``=`` is read.) An empty file gives no row.
- **A file is read once, by its path.** What is written to the same path later is not read again, neither by
  Spark's file stream nor by Auto Loader (``cloudFiles.allowOverwrites`` is off, since it would give the
  first content's rows a second time). Send new content under a new name.
- No file is passed over for its age. Spark's file stream by default forgets files that are more than seven
  days older than the newest one it has seen (``maxFileAge``), and then a late copy with an old timestamp is
  lost.
- A file that cannot be read ends the run with an error: it is not skipped.

What differs: a file that is removed after it was found and before it was read. Auto Loader ends the run with
an error. Spark's file stream goes on without it and gives no error (4.3.0; ``ignoreMissingFiles`` has no say
in it); put back under its old name, it is not read. So move files away only between runs.

On a local file system a colon in a file's name ends the run: Hadoop cannot open such a file.

Sources: https://spark.apache.org/docs/latest/streaming/apis-on-dataframes-and-datasets.html (file source),
https://spark.apache.org/docs/latest/sql-data-sources-binaryFile.html,
https://docs.databricks.com/aws/en/ingestion/cloud-object-storage/auto-loader/options,
https://docs.databricks.com/aws/en/ingestion/cloud-object-storage/auto-loader/file-notification-mode.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from connector_lib.errors import ConfigurationError
from connector_lib.flows.runtime import SourceFolder, active_session, on_databricks, record_source

__all__ = ["is_pattern", "local_path", "read_files", "require_path"]

_SCHEMAS = {
    "binaryFile": "path string, modificationTime timestamp, length bigint, content binary",
    "text": "value string",
}
_NOTIFICATIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "": {},
    "managed": {"cloudFiles.useManagedFileEvents": "true"},
    # Databricks does not want backfills together with managed file events, which lists the folder by itself.
    "classic": {"cloudFiles.useNotifications": "true", "cloudFiles.backfillInterval": "1 day"},
}
_TOO_LARGE = (
    "%s bytes: more than a file may have. Split it, or raise source.max_file_bytes and send it under a new name"
)
_GLOB_CHARACTERS = re.compile(r"[*?\[\]{}]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


def read_files(
    path: str,
    *,
    format: str = "binaryFile",
    pattern: str | None = None,
    max_file_bytes: int = 256 * 1024 * 1024,
    max_bytes_per_batch: int = 1024 * 1024 * 1024,
    notifications: str = "",
    option: str = "source.storage_path",
) -> DataFrame:
    """New files below the folder ``path`` as a stream, one row a file.

    Columns, the same on both runtimes and for both formats:

    - ``_place`` struct, what names the row's origin for good: ``_source_file`` string, the path as a person reads
      and opens it, nothing in it percent-encoded
    - ``_about`` struct, what else is known of it: ``_file_size`` bigint, bytes, when the file was found
    - ``content`` binary: its bytes; NULL for a file above ``max_file_bytes``, of which no byte is read
    - ``problem`` string: why there is no content, else NULL

    Parameters
    ----------
    path : a folder. Locally a path (relative to the pipeline folder) or a ``file:`` URI; on Databricks a
        ``/Volumes/…`` path or a cloud storage URI. Not a pattern: subfolders are read anyway.
    format : ``binaryFile`` gives the bytes as they are. ``text`` reads the file as one UTF-8 text, and so
        destroys bytes that are not UTF-8; take it only where something else in the pipeline asks for it.
    pattern : a glob for file names, such as ``*.hl7`` or ``*.{hl7,txt}``; None takes every file.
    max_file_bytes : a whole file is one row in memory, so larger ones come without content, and the
        pipeline says what becomes of them.
    max_bytes_per_batch : bytes of new files that one micro-batch takes (at least one file): what a run
        that was killed has to do again.
    notifications : how Auto Loader learns of new files. Empty: it lists the folder. ``managed``: file events of the
        external location (``cloudFiles.useManagedFileEvents``, which Databricks recommends). ``classic``: a queue of
        the stream's own (``cloudFiles.useNotifications``); since such notifications may get lost, the folder is
        listed once a day as well (``cloudFiles.backfillInterval``). Elsewhere the folder is listed in any case.
    option : the setting that ``path`` came from; errors name it.

    Raises :class:`~connector_lib.errors.ConfigurationError`, naming ``option`` and the path, where the
    folder does not exist (seen locally only; on Databricks the flow itself fails) or ``path`` is a file, a
    pattern or blank.

    ::

        @dp.table
        def received():
            files = read_files(required_setting("source.storage_path"), pattern="*.hl7")
            return files.select("_place.*", split(F.col("content")))
    """
    if format not in _SCHEMAS:
        raise ConfigurationError(f"unknown format '{format}' for files", hint="take 'binaryFile' or 'text'")
    if max_file_bytes < 1 or max_bytes_per_batch < 1:
        raise ConfigurationError("the size limits 'max_file_bytes' and 'max_bytes_per_batch' must be 1 byte or more")
    if notifications not in _NOTIFICATIONS:
        raise ConfigurationError(
            f"unknown notifications '{notifications}' for files", hint="take 'managed' or 'classic', or leave it empty"
        )
    folder = _folder(path, option)
    record_source(SourceFolder(folder, pattern))

    fits = F.col("_metadata.file_size") <= max_file_bytes
    if format == "binaryFile":
        # The first half leaves files out before they are opened, the second is pushed into the binary
        # reader: it looks at the size once more when it opens a file, and then reads no byte of one that is
        # too large.
        fits = fits & (F.col("length") <= max_file_bytes)
    # Two branches, because Spark reads `content` of every file of a branch that selects it, even inside a
    # CASE. The second one is binaryFile in any case: `text` reads a file even when only its name is asked
    # for.
    source = partial(_source, pattern=pattern, max_bytes_per_batch=max_bytes_per_batch, notifications=notifications)
    small = _stream(folder, source(format), _SCHEMAS[format]).where(fits)
    large = _stream(folder, source("binaryFile"), _SCHEMAS["binaryFile"]).where(~fits)
    with_content = small.select(*_origin(format), _content(format), F.lit(None).cast("string").alias("problem"))
    return with_content.union(
        large.select(*_origin("binaryFile"), F.lit(None).cast("binary").alias("content"), _too_large())
    )


def _stream(folder: str, source: tuple[str, dict[str, str]], schema: str) -> DataFrame:
    name, options = source
    return active_session().readStream.format(name).options(**options).schema(schema).load(folder)


def _origin(format: str) -> list[Column]:
    # `path` of binaryFile is the plain path. `_metadata.file_path` is a URI with some characters
    # percent-encoded, where a plus sign stands for itself.
    uri = F.col("_metadata.file_path")
    decoded = F.coalesce(F.try_url_decode(F.replace(uri, F.lit("+"), F.lit("%2B"))), uri)
    plain = F.col("path") if format == "binaryFile" else decoded
    file = F.regexp_replace(plain, "^(file:/+|dbfs:/+(?=Volumes/))", "/")
    return [
        F.struct(file.alias("_source_file")).alias("_place"),
        F.struct(F.col("_metadata.file_size").alias("_file_size")).alias("_about"),
    ]


def _content(format: str) -> Column:
    return F.col("content") if format == "binaryFile" else F.col("value").cast("binary").alias("content")


def _too_large() -> Column:
    return F.format_string(_TOO_LARGE, F.format_number("_metadata.file_size", 0)).alias("problem")


def _source(
    format: str, *, pattern: str | None, max_bytes_per_batch: int, notifications: str
) -> tuple[str, dict[str, str]]:
    """The streaming source's name and its options."""
    options = {"recursiveFileLookup": "true", "ignoreMissingFiles": "false", "ignoreCorruptFiles": "false"}
    if pattern is not None:
        options["pathGlobFilter"] = pattern
    if format == "text":
        options["wholetext"] = "true"
    if not on_databricks():
        # Spark's file stream takes a limit in files or in bytes, not both. 36,500 days: no file is too old.
        return format, options | {"maxBytesPerTrigger": str(max_bytes_per_batch), "maxFileAge": "36500d"}
    return "cloudFiles", {
        **options,
        **_NOTIFICATIONS[notifications],
        "cloudFiles.format": format,
        "cloudFiles.maxBytesPerTrigger": f"{max_bytes_per_batch}b",
        "cloudFiles.includeExistingFiles": "true",
        "cloudFiles.allowOverwrites": "false",
        # The schema is given; nothing is inferred, and no partition column is made of folder names such as
        # year=2026.
        "cloudFiles.schemaEvolutionMode": "none",
        "cloudFiles.partitionColumns": "",
    }


def _folder(path: str, option: str) -> str:
    """``path`` as Spark takes it: absolute if it is a local one, for the JVM has another working
    directory."""
    if not path.strip():
        raise ConfigurationError(f"the setting '{option}' is empty", hint="give the folder that holds the files")
    if is_pattern(path):
        raise ConfigurationError(
            f"'{option}' must be a folder, not a pattern: {path}",
            hint="name the folder above (subfolders are read too), and without * ? [ ] { } in its name",
        )
    if on_databricks():
        return path
    here = local_path(path)
    if here is None:
        return path
    folder = Path(os.path.normpath(here.absolute()))
    require_path(folder, option)
    if not folder.is_dir():
        raise ConfigurationError(f"'{option}' must be a folder, and this is a file: {folder}", hint=_hint(option))
    return str(folder)


def is_pattern(path: str) -> bool:
    """Whether Spark takes ``path`` for a pattern of names (Hadoop's globs) and not for one name.

    >>> is_pattern("/data/2026-*"), is_pattern("/data/2026")
    (True, False)
    """
    return _GLOB_CHARACTERS.search(path) is not None


def local_path(location: str) -> Path | None:
    """The path that ``location`` names on this machine: a path, or a ``file:`` URI. None for a URI of somewhere else.

    >>> local_path("file:///data/hl7%20in"), local_path("in"), local_path("s3://bucket/in")
    (PosixPath('/data/hl7 in'), PosixPath('in'), None)
    """
    if location.startswith("file:"):
        return Path(unquote(urlsplit(location).path))
    return None if _SCHEME.match(location) else Path(location)


def require_path(path: Path, option: str) -> None:
    """Raises :class:`~connector_lib.errors.ConfigurationError` that names ``option``, where there is no ``path``."""
    if not path.exists():
        raise ConfigurationError(f"the folder of '{option}' does not exist: {path}", hint=_hint(option))


def _hint(option: str) -> str:
    return (
        f"correct '{option}' under 'configuration:' in spark-pipeline.yml (relative to that file's folder),"
        f" or give '--set {option}=<folder>' to connector-lib run (relative to where you are)"
    )
