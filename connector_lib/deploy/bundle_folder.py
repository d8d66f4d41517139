"""Writing a bundle into a folder, over nothing that somebody else wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from connector_lib.errors import UsageError

__all__ = ["WrittenFile", "write_bundle"]

_RECORD: Final = ".connector_lib_bundle.json"
_HALF_WRITTEN: Final = ".connector_lib_bundle.tmp"
_NOT_OURS: Final = {".git", ".databricks", _HALF_WRITTEN}
"""What may lie in the folder of a bundle besides: what git and the Databricks CLI keep there."""
_MOST_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of a bundle, by its path in the folder, and what was done with it."""

    path: str
    state: Literal["created", "updated", "unchanged", "removed"]


def write_bundle(files: Mapping[str, bytes], folder: Path, *, force: bool = False) -> list[WrittenFile]:
    """Writes ``files``, bytes by path, into ``folder``; it is made where it is not there.

    A record in the folder says what was written, so that a file changed by hand since then is told from an own one.
    Files that an earlier bundle had and this one has not are removed. Killed at any moment and called again, it comes
    to the same end.

    Raises UsageError, before anything is written, where the folder holds files of others, or ones changed by hand;
    with ``force`` they are overwritten where ``files`` has them, and left alone otherwise.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"'{folder}' is a file", hint="name a folder with --out")
    known = _read_record(folder)
    if not force:
        _refuse_files_of_others(files, folder, known)
    stale = sorted(path for path in known.keys() - files.keys() if _digest_of(folder, path) in known[path])
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    folder.mkdir(parents=True, exist_ok=True)
    # Old and new, until all is written: whoever was killed in between finds no changes by hand.
    both = {path: sorted({*known.get(path, ()), digest}) for path, digest in digests.items()}
    _write(folder, _RECORD, _as_json({**{path: sorted(known[path]) for path in stale}, **both}))
    done: list[WrittenFile] = []
    for path, content in sorted(files.items()):
        before = _digest_of(folder, path)
        if before != digests[path]:
            _write(folder, path, content)
        done.append(
            WrittenFile(path, "created" if before is None else "unchanged" if before == digests[path] else "updated")
        )
    for path in stale:
        (folder / path).unlink()
        _remove_empty(folder, (folder / path).parent)
        done.append(WrittenFile(path, "removed"))
    _write(folder, _RECORD, _as_json({path: [digest] for path, digest in digests.items()}))
    return sorted(done, key=lambda entry: entry.path)


def _refuse_files_of_others(files: Mapping[str, bytes], folder: Path, known: Mapping[str, frozenset[str]]) -> None:
    if not known and folder.is_dir():
        others = sorted(path.name for path in folder.iterdir() if path.name not in _NOT_OURS)
        if others:
            raise UsageError(
                f"'{folder}' holds files that are no bundle of 'connector-lib bundle': {_listed(others)}",
                hint="name a new folder with --out, or overwrite with --force",
            )
    changed = [path for path, digests in known.items() if _digest_of(folder, path) not in (None, *digests)]
    added = [path for path in files.keys() - known.keys() if known and _digest_of(folder, path) is not None]
    if changed or added:
        raise UsageError(
            f"'{folder}': files were changed since the bundle was written: {_listed(sorted([*changed, *added]))}",
            hint="keep what you changed in the pipeline folder or its deploy.yml, then overwrite with --force",
        )


def _read_record(folder: Path) -> dict[str, frozenset[str]]:
    file = folder / _RECORD
    if not file.is_file():
        return {}
    try:
        files = json.loads(file.read_text(encoding="utf-8"))["files"]
        record = {str(path): frozenset(map(str, digests)) for path, digests in files.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"'{file}' cannot be read", hint="delete it, and overwrite with --force") from None
    if any(PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts for path in record):
        raise UsageError(f"'{file}' names files outside of its folder", hint="delete it, and overwrite with --force")
    return record


def _digest_of(folder: Path, path: str) -> str | None:
    file = folder / path
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def _write(folder: Path, path: str, content: bytes) -> None:
    """Whole or not at all."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    half = folder / _HALF_WRITTEN
    half.write_bytes(content)
    half.replace(target)


def _remove_empty(root: Path, folder: Path) -> None:
    while folder != root and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _as_json(record: Mapping[str, list[str]]) -> bytes:
    return (json.dumps({"files": record}, indent=2, sort_keys=True) + "\n").encode()


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
