"""Streaming tables and the checkpoints of the flows that write them: whether they belong together.

Spark counts the batches of a flow in its checkpoint, and a Parquet table keeps the numbers of the batches that it has.
Where the two disagree, Spark takes a new batch for one that is there already and passes over its rows without an error
(seen on 4.3.0). So they are compared before anything is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector_lib.errors import WarehouseError

__all__ = ["START_AFRESH", "Writer", "check_streaming_tables", "check_writer", "remove_unfinished"]

START_AFRESH: Final = "delete the whole folder to start afresh (every source is then read again), or put the part back"
_BATCH_FILE: Final = re.compile(r"(\d+)(\.compact)?")


@dataclass(frozen=True, slots=True)
class Writer:
    """The flow ``flow`` of ``pipeline``, which writes the streaming table ``table`` of ``database``. Names are spelled
    as in the pipeline, since so are the folders of its checkpoint.
    """

    pipeline: str
    database: str
    table: str
    flow: str

    def location(self, tables: Path) -> Path:
        """The folder of the table; the metastore keeps names in lower case."""
        database = self.database.lower()
        return (tables if database == "default" else tables / f"{database}.db") / self.table.lower()


def remove_unfinished(checkpoints: Path) -> None:
    """Removes the files that a killed run was writing in the folder ``checkpoints``: they have not got their name yet,
    and nobody reads them.

    Before a flow's first batch Spark asks for empty folders there, and one of these would make it refuse the flow for
    good (``STATE_STORE_CHECKPOINT_LOCATION_NOT_EMPTY``, seen on 4.3.0).
    """
    for pattern in (".*.tmp", "..*.tmp.crc"):
        for file in checkpoints.rglob(pattern):
            file.unlink(missing_ok=True)


def check_streaming_tables(tables: Path, checkpoints: Mapping[str, Path]) -> None:
    """Compares the log of every table in the folder ``tables`` with the checkpoint of its flow; ``checkpoints`` has the
    folder of each pipeline by its name.

    Raises :class:`~connector_lib.errors.WarehouseError` where one of the two is missing or older than the other.
    """
    with_checkpoint: set[Path] = set()
    for writer, checkpoint in _newest_checkpoints(checkpoints):
        location = writer.location(tables)
        with_checkpoint.add(location)
        _check_streaming_table(tables, location, checkpoint)
    for log in (*tables.glob("*/_spark_metadata"), *tables.glob("*.db/*/_spark_metadata")):
        if log.parent not in with_checkpoint and _newest_batch(log) >= 0:
            lost = log.parent.relative_to(tables)
            raise WarehouseError(
                f"the table '{lost}' in '{tables.parent}' has lost its checkpoint. New rows would be passed over",
                hint=START_AFRESH,
            )


def check_writer(writer: Writer, tables: Path, checkpoints: Mapping[str, Path]) -> None:
    """Raises :class:`~connector_lib.errors.WarehouseError` where ``writer`` is about to write a table that another flow
    has written: its own batches would be counted from 0 again, and passed over. The arguments are those of
    :func:`check_streaming_tables`.
    """
    location = writer.location(tables)
    others = [found for found, _ in _newest_checkpoints(checkpoints) if found.location(tables) == location]
    if not others or writer in others:
        return
    other = others[0]
    if other.pipeline != writer.pipeline:
        raise WarehouseError(
            f"the table '{writer.table}' in '{tables.parent}' belongs to the pipeline '{other.pipeline}'."
            f" New rows of '{writer.pipeline}' would be passed over",
            hint="give each a folder of its own (--warehouse DIR), or a 'database:' in its spark-pipeline.yml",
        )
    raise WarehouseError(
        f"the table '{writer.table}' in '{tables.parent}' was written by the flow '{other.flow}' as '{other.table}',"
        f" and now by '{writer.flow}' as '{writer.table}'. New rows would be passed over",
        hint="spell both as before, or give the table a new name: it then gets every row of its sources",
    )


def _newest_checkpoints(checkpoints: Mapping[str, Path]) -> Iterator[tuple[Writer, Path]]:
    # Spark lays them out as _checkpoints/<catalog>/<database>/<table>/<flow>/<version>, one version a full refresh
    # (org.apache.spark.sql.pipelines.graph.SystemMetadata).
    for pipeline, folder in checkpoints.items():
        for flow in folder.glob("_checkpoints/*/*/*/*"):
            versions = [path for path in flow.iterdir() if path.name.isdigit()]
            if versions:
                database, table = flow.parent.parent.name, flow.parent.name
                newest = max(versions, key=lambda path: int(path.name))
                yield Writer(pipeline, database, table, flow.name), newest


def _check_streaming_table(tables: Path, location: Path, checkpoint: Path) -> None:
    """A batch is planned in ``offsets``, then written to the table's log, then noted in ``commits``."""
    planned = _newest_batch(checkpoint / "offsets")
    finished = _newest_batch(checkpoint / "commits")
    written = _newest_batch(location / "_spark_metadata")
    table = location.relative_to(tables)
    if finished > written:
        raise WarehouseError(
            f"the table '{table}' in '{tables.parent}' has lost rows: its checkpoint has {finished + 1} finished"
            f" batches, its folder {written + 1}",
            hint=START_AFRESH,
        )
    if written > planned:
        raise WarehouseError(
            f"the checkpoint of the table '{table}' in '{tables.parent}' is older than the table: it has"
            f" {planned + 1} batches, the table {written + 1}. New rows would be passed over",
            hint=START_AFRESH,
        )


def _newest_batch(log: Path) -> int:
    names: Iterable[str] = [path.name for path in log.iterdir()] if log.is_dir() else []
    return max((int(found[1]) for found in map(_BATCH_FILE.fullmatch, names) if found), default=-1)
