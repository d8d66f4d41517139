"""Reads the tables of a warehouse without Spark, in a fraction of a second.

A streaming table's folder holds files that do not belong to it, left by interrupted runs; the ones that do
are listed in its ``_spark_metadata`` (Spark's ``FileStreamSinkLog``: one JSON file a batch, each tenth one
``.compact`` with all before it). The files of a materialized view are all that its folder holds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pyarrow as pa
import pyarrow.dataset as ds

from connector_lib.errors import UsageError, WarehouseError, did_you_mean
from connector_lib.local.warehouse import Warehouse

__all__ = ["StoredTable", "count_rows", "find_table", "read_rows", "stored_tables", "table_of"]

_LOG_VERSION = "v1"


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table of a warehouse: its name as ``connector-lib show`` takes it, its folder, and whether it
    streams.
    """

    name: str
    folder: Path
    streaming: bool


def stored_tables(warehouse: Warehouse) -> list[StoredTable]:
    """The tables of ``warehouse``, by name; those of a database but ``default`` as ``database.table``."""
    found = []
    for folder in _folders(warehouse.tables):
        if folder.suffix != ".db":
            found.append(_stored(warehouse, "default", folder.name, folder))
            continue
        found.extend(
            _stored(warehouse, folder.stem, table.name, table, prefix=f"{folder.stem}.") for table in _folders(folder)
        )
    return sorted(found, key=lambda table: table.name)


def find_table(warehouse: Warehouse, name: str) -> StoredTable:
    """The table called ``name`` in any case, with or without its catalog and ``default``.

    Raises :class:`~connector_lib.errors.UsageError` that names the nearest table and those that are there.
    """
    tables = stored_tables(warehouse)
    wanted = name.lower().removeprefix("spark_catalog.").removeprefix("default.")
    for table in tables:
        if table.name.lower() == wanted:
            return table
    names = [table.name for table in tables]
    there = f"tables there: {', '.join(names)}" if names else "there is no table in it yet"
    raise UsageError(f"there is no table '{name}' in '{warehouse.root}'", hint=f"{did_you_mean(wanted, names)}{there}")


def read_rows(table: StoredTable, limit: int) -> pa.Table:
    """The first ``limit`` rows of ``table``, in no particular order, with all of its columns.

    Raises :class:`~connector_lib.errors.WarehouseError` where the table is not of Parquet files, or one is
    missing.
    """
    source = _open(table)
    if source is None:
        return pa.table({})
    # A column that was added later is not in the older files.
    schema = pa.unify_schemas(
        [source.schema, *(fragment.physical_schema for fragment in source.get_fragments())],
        promote_options="permissive",
    )
    return source.replace_schema(schema).head(limit)


def count_rows(table: StoredTable) -> int:
    """The number of rows of ``table``, from the footers of its files.

    Raises :class:`~connector_lib.errors.WarehouseError` as :func:`read_rows` does.
    """
    source = _open(table)
    return 0 if source is None else int(source.count_rows())


def table_of(warehouse: Warehouse, database: str, name: str) -> StoredTable | None:
    """The table ``name`` of ``database`` (both in any case), None where the warehouse does not have it."""
    wanted = name.lower() if database == "default" else f"{database}.{name}".lower()
    return next((table for table in stored_tables(warehouse) if table.name.lower() == wanted), None)


def _open(table: StoredTable) -> ds.Dataset | None:
    files = _committed_files(table) if table.streaming else _all_files(table.folder)
    if not files:
        return None
    others = [path.name for path in files if path.suffix != ".parquet"]
    if others:
        raise WarehouseError(f"the table '{table.name}' is not made of Parquet files ('{others[0]}')")
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise WarehouseError(
            f"the table '{table.name}' has lost {len(missing)} of its {len(files)} files, such as '{missing[0]}'",
            hint="run its pipeline with --full-refresh",
        )
    return ds.dataset(
        [str(path) for path in files],
        format="parquet",
        partitioning=ds.partitioning(flavor="hive"),
        partition_base_dir=str(table.folder),
    )


def _stored(warehouse: Warehouse, database: str, table: str, folder: Path, prefix: str = "") -> StoredTable:
    # The metastore writes names in lower case, the checkpoints as the pipeline has them.
    flows = warehouse.checkpoints.glob("*/_checkpoints/*/*/*")
    named = ((flow.parent.name.lower(), flow.name.lower()) for flow in flows)
    streaming = (folder / "_spark_metadata").is_dir() or (database.lower(), table.lower()) in named
    return StoredTable(prefix + table, folder, streaming)


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        yield from (path for path in sorted(parent.iterdir()) if path.is_dir() and path.name[0] not in "._")


def _all_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part[0] in "._" for part in path.relative_to(folder).parts)
    )


def _committed_files(table: StoredTable) -> list[Path]:
    log = table.folder / "_spark_metadata"
    batches: dict[int, Path] = {}
    newest_compact = -1
    for path in log.iterdir() if log.is_dir() else ():
        name = path.name.removesuffix(".compact")
        if not name.isdigit():
            continue
        if path.name.endswith(".compact"):
            newest_compact = max(newest_compact, int(name))
            batches[int(name)] = path
        else:
            batches.setdefault(int(name), path)
    files: dict[str, None] = {}
    for number in sorted(batches):
        if number >= newest_compact:
            _apply(table, batches[number], files)
    return [_path(uri) for uri in files]


def _apply(table: StoredTable, batch: Path, files: dict[str, None]) -> None:
    version, *entries = batch.read_text(encoding="utf-8").splitlines()
    if version != _LOG_VERSION:
        raise WarehouseError(f"the table '{table.name}' has a log of an unknown version ('{version}')")
    for entry in entries:
        values: dict[str, Any] = json.loads(entry)
        if values["action"] == "delete":
            files.pop(values["path"], None)
        else:
            files[values["path"]] = None


def _path(uri: str) -> Path:
    return Path(unquote(urlparse(uri).path))
