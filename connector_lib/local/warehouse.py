"""The folder that holds what local runs keep: tables, metastore, checkpoints, state of sources, the journal of runs.

Tables, metastore and checkpoints belong together. A checkpoint that is missing while its table is there makes Spark
take new files for old ones and pass over them without an error; a table that is missing while its checkpoint is there
stays without its old rows. So every part carries the warehouse's identity, and every streaming table's log is compared
with its checkpoint before a run starts. The state of a source is looked after by that source: a stream whose checkpoint
names a state that is not there ends with an error.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import quote

from connector_lib.errors import UsageError, WarehouseError
from connector_lib.local.checkpoints import START_AFRESH, Writer, check_streaming_tables, check_writer

__all__ = ["Warehouse", "check_warehouse", "existing_warehouse", "open_warehouse"]

_IDENTITY_FILE = "warehouse.json"
_PART_FILE = ".warehouse_id"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class _Identity:
    id: str
    location: str
    complete: bool
    """False until Spark has made the metastore: what was begun before that holds nothing and is made again.
    """
    format: int = _FORMAT
    pipelines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Warehouse:
    """The paths of a warehouse folder, all absolute. Made by :func:`open_warehouse`."""

    root: Path
    id: str

    @property
    def tables(self) -> Path:
        """The tables: ``<table>/`` of the database ``default``, ``<database>.db/<table>/`` of the others."""
        return self.root / "tables"

    @property
    def metastore(self) -> Path:
        """The folder above the Derby database."""
        return self.root / "metastore"

    @property
    def checkpoints(self) -> Path:
        """The checkpoints, one folder a pipeline."""
        return self.root / "checkpoints"

    @property
    def scratch(self) -> Path:
        """What a run may throw away."""
        return self.root / "scratch"

    @property
    def spark_log(self) -> Path:
        """What Spark and its Python workers wrote to the console during the last run."""
        return self.root / "spark.log"

    @property
    def journal(self) -> Path:
        """The journal of runs."""
        return self.root / "runs.jsonl"

    def checkpoints_of(self, pipeline: str) -> Path:
        """The folder of the checkpoints of ``pipeline``."""
        return self.checkpoints / _folder_name(pipeline)

    def source_state_of(self, pipeline: str) -> Path:
        """The folder in which the sources of ``pipeline`` keep what they have to remember until the next run. It is
        there once one of them has something."""
        return self.root / "source_state" / _folder_name(pipeline)

    def check_writer(self, writer: Writer) -> None:
        """Raises :class:`~connector_lib.errors.WarehouseError` where another flow, of this pipeline or another, has
        written the table of ``writer``: Spark would pass over the new rows.
        """
        pipelines = _read_identity(self.root).pipelines
        check_writer(writer, self.tables, {pipeline: self.checkpoints_of(pipeline) for pipeline in pipelines})

    def mark_complete(self) -> None:
        """Says that the metastore has been made. To be called once Spark has opened it."""
        identity = _read_identity(self.root)
        if not identity.complete:
            _write_part_id(self.metastore / "derby", self.id)
            _write_identity(self.root, replace(identity, complete=True))

    def add_pipeline(self, pipeline: str) -> Path:
        """The checkpoint folder of ``pipeline``, made where the warehouse has not seen it before."""
        folder = self.checkpoints_of(pipeline)
        identity = _read_identity(self.root)
        if pipeline in identity.pipelines:
            _check_part(self.root, folder, self.id)
            return folder
        if not folder.exists():
            folder.mkdir(parents=True)
            _write_part_id(folder, self.id)
        _write_identity(self.root, replace(identity, pipelines=(*identity.pipelines, pipeline)))
        return folder


def _folder_name(pipeline: str) -> str:
    escaped = quote(pipeline, safe="").replace("%", "=")
    return escaped if escaped.strip(".") else escaped.replace(".", "=2E")


def existing_warehouse(folder: Path) -> Warehouse:
    """The warehouse in ``folder`` for a reader, without a check of its parts.

    Raises :class:`~connector_lib.errors.UsageError` where there is none.
    """
    root = folder.resolve()
    if not (root / _IDENTITY_FILE).exists():
        raise UsageError(
            f"there is no warehouse in '{folder}'",
            hint="run a pipeline first, or give its folder: --warehouse DIR",
        )
    return Warehouse(root, _read_identity(root).id)


def open_warehouse(folder: Path) -> Warehouse:
    """The warehouse in ``folder``, which is made where it is missing or empty. The caller holds its lock.

    Raises :class:`~connector_lib.errors.WarehouseError` where the folder holds other things, a part is
    missing or belongs to another warehouse, the folder was moved, or a table and its checkpoint do not belong
    together.
    """
    root = folder.resolve()
    _refuse_path(root)
    if not (root / _IDENTITY_FILE).exists():
        return _create(root)
    identity = _read_identity(root)
    _check_origin(root, identity)
    warehouse = Warehouse(root, identity.id)
    if not identity.complete:
        shutil.rmtree(warehouse.metastore, ignore_errors=True)
        _make_parts(warehouse)
        return warehouse
    _check_parts(warehouse, identity)
    return warehouse


def check_warehouse(folder: Path) -> str:
    """In a few words what ``folder`` holds as a warehouse. Changes nothing.

    Raises :class:`~connector_lib.errors.WarehouseError` where a run would refuse it, other than for being in
    use.
    """
    root = folder.resolve()
    _refuse_path(root)
    if not (root / _IDENTITY_FILE).exists():
        _refuse_others(root)
        return f"none yet at {root}; the first run makes it"
    identity = _read_identity(root)
    _check_origin(root, identity)
    if not identity.complete:
        return f"begun at {root}, without tables"
    _check_parts(Warehouse(root, identity.id), identity)
    return f"{root}, pipelines: {', '.join(identity.pipelines) or 'none'}"


def _check_origin(root: Path, identity: _Identity) -> None:
    if identity.format != _FORMAT:
        raise WarehouseError(
            f"the warehouse '{root}' was made by another version of connector_lib (format {identity.format})",
            hint="use that version, or another folder: --warehouse DIR",
        )
    if identity.location != str(root):
        raise WarehouseError(
            f"the warehouse '{root}' was made at '{identity.location}' and moved or copied from there;"
            " Spark keeps absolute paths in its tables",
            hint="move it back, or use another folder: --warehouse DIR (every source is then read again)",
        )


def _check_parts(warehouse: Warehouse, identity: _Identity) -> None:
    root = warehouse.root
    for part in (warehouse.tables, warehouse.metastore / "derby", warehouse.checkpoints):
        _check_part(root, part, identity.id)
    checkpoints = {pipeline: warehouse.checkpoints_of(pipeline) for pipeline in identity.pipelines}
    for folder in checkpoints.values():
        _check_part(root, folder, identity.id)
    check_streaming_tables(warehouse.tables, checkpoints)


def _create(root: Path) -> Warehouse:
    _refuse_others(root)
    # The tables hold what the messages hold: they are for the eyes of who runs this.
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    warehouse = Warehouse(root, str(uuid.uuid4()))
    # Patients' data must not get into a repository by 'git add .'.
    (root / ".gitignore").write_text("*\n", encoding="utf-8")
    _write_identity(root, _Identity(warehouse.id, str(root), complete=False))
    _make_parts(warehouse)
    return warehouse


# What java.net.URI escapes. Spark 4.3 takes the escaped path of a checkpoint for the path itself: it writes
# the checkpoint beside the warehouse, and a full refresh does not find it and passes over every row.
_ESCAPED_IN_URI = re.compile(r"""[\s%"<>#?\[\]^`{|}\\]""")


def _refuse_path(root: Path) -> None:
    found = _ESCAPED_IN_URI.search(str(root))
    if found:
        raise WarehouseError(
            f"the path of the warehouse '{root}' holds {found[0]!r}: Spark would write its checkpoints elsewhere",
            hint="use a folder whose path has no blank and none of % # ? [ ] { } | ^: --warehouse DIR",
        )


def _refuse_others(root: Path) -> None:
    others = [path.name for path in root.iterdir() if path.name not in _OWN_NAMES] if root.exists() else []
    if others:
        raise WarehouseError(
            f"'{root}' is no warehouse: it holds '{sorted(others)[0]}' and has no {_IDENTITY_FILE}",
            hint="give an empty or new folder: --warehouse DIR",
        )


_OWN_NAMES = frozenset({"lock", ".gitignore", "spark.log"})


def _make_parts(warehouse: Warehouse) -> None:
    for part in (warehouse.tables, warehouse.checkpoints):
        part.mkdir(exist_ok=True)
        _write_part_id(part, warehouse.id)
    # Derby makes its own folder in it, and refuses one that is there.
    warehouse.metastore.mkdir(exist_ok=True)


def _write_part_id(part: Path, identity: str) -> None:
    (part / _PART_FILE).write_text(identity + "\n", encoding="utf-8")


def _check_part(root: Path, part: Path, identity: str) -> None:
    name = part.relative_to(root)
    if not part.is_dir():
        raise WarehouseError(f"the warehouse '{root}' has lost its part '{name}'", hint=START_AFRESH)
    try:
        found = (part / _PART_FILE).read_text(encoding="utf-8").strip()
    except OSError:
        raise WarehouseError(
            f"the part '{name}' of the warehouse '{root}' was made by somebody else", hint=START_AFRESH
        ) from None
    if found != identity:
        raise WarehouseError(
            f"the part '{name}' of the warehouse '{root}' belongs to another warehouse", hint=START_AFRESH
        )


def _read_identity(root: Path) -> _Identity:
    try:
        content = json.loads((root / _IDENTITY_FILE).read_text(encoding="utf-8"))
        return _Identity(**{**content, "pipelines": tuple(content["pipelines"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WarehouseError(f"the warehouse '{root}' has an unreadable {_IDENTITY_FILE}", hint=START_AFRESH) from error


def _write_identity(root: Path, identity: _Identity) -> None:
    partial = root / f"{_IDENTITY_FILE}.partial"
    partial.write_text(json.dumps(asdict(identity), indent=2) + "\n", encoding="utf-8")
    partial.replace(root / _IDENTITY_FILE)
