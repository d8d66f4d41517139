"""Which files of a pipeline folder go to the workspace: those that its pipeline needs, and none that holds a secret."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connector_lib.connector.written_values import read_mapping
from connector_lib.deploy.secret_check import known_secrets, refuse_secrets_in_file, without_common_words
from connector_lib.errors import ConfigurationError, did_you_mean
from connector_lib.project.deployment import DEPLOY_FILE
from connector_lib.project.pipeline import PipelineFolder
from connector_lib.redaction import Secrets, secrets_in_options

__all__ = ["FileLeftOut", "files_left_out", "files_to_deploy"]

_SUFFIXES: Final = (".py", ".sql", ".yml", ".yaml", ".json", ".csv", ".txt")
_LARGEST: Final = 10 * 1024 * 1024
"""Bytes of one import, in base 64 as it is sent (Workspace API, "Import a workspace object", ``content``)."""
_LARGEST_FILE: Final = _LARGEST // 4 * 3
_NOT_DEPLOYED: Final = (DEPLOY_FILE, "connections.yml", "connections.yaml", "connections.json")
_FOLDERS_LEFT_OUT: Final = ("tests", "local_warehouse", "node_modules", "venv", "build", "dist")
_SILENT: Final = ("__pycache__", "LICENSE", *_NOT_DEPLOYED)
"""What nobody would look for in the workspace, besides names that begin with a dot."""


@dataclass(frozen=True, slots=True)
class FileLeftOut:
    """A file or folder that stays here: its ``path`` below the pipeline folder, folders with ``/`` at the end."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class _Sorted:
    deployed: Mapping[str, Path]
    left_out: tuple[FileLeftOut, ...]


def files_to_deploy(folder: PipelineFolder, upload_anyway: Sequence[str] = ()) -> dict[str, bytes]:
    """The bytes of the files by their path below the folder, with ``/``, in order of their names.

    These are the transformation files, and beside them modules, SQL, specs and small data: ``.py``, ``.sql``,
    ``.yml``, ``.json``, ``.csv``, ``.txt``. Not what begins with a dot, ``deploy.yml``, files of connections under any
    name, tests, and the folder of local runs: see :func:`files_left_out`. Folders that are links are not entered.

    ``upload_anyway`` are paths of files that may go although they look as if they held a secret.

    Raises ConfigurationError that names a file that is too large for the workspace, is a link to a place outside of the
    folder, or holds a secret: the value of an environment variable or of an option of a connection whose name tells
    one, a private key, a token of a known shape, or in YAML and JSON a literal value under the name of a secret.
    """
    paths = _sorted_out(folder).deployed
    _check_exceptions(folder, upload_anyway, paths)
    contents: dict[str, bytes] = {}
    for name, path in sorted(paths.items()):
        _require_inside(folder, name, path)
        contents[name] = path.read_bytes()
        if len(contents[name]) > _LARGEST_FILE:
            raise ConfigurationError(
                f"{path}: has {len(contents[name]):,} bytes, and a file of the workspace may have {_LARGEST_FILE:,}",
                hint="keep data in a Volume, or move the file out of the pipeline folder",
            )
    known = {**known_secrets(), **_secrets_of_connections(folder.root)}
    for name, content in contents.items():
        if name not in upload_anyway:
            refuse_secrets_in_file(name, content, f"{folder.root / name}", known)
    return contents


def files_left_out(folder: PipelineFolder) -> tuple[FileLeftOut, ...]:
    """What of the folder does not go to the workspace, and why, in order of the paths. Without what begins with a dot,
    ``deploy.yml``, ``connections.yml``, texts such as README and licence, and what Python keeps for itself."""
    return _sorted_out(folder).left_out


def _sorted_out(folder: PipelineFolder) -> _Sorted:
    deployed = {_name(folder, path): path for path in folder.files}
    left_out: list[FileLeftOut] = []
    for path, why in _walk(folder.root):
        name = _name(folder, path)
        if not why and path.is_dir():
            # A link: the folder that it leads to goes under its own name, if it is one of these at all.
            _require_inside(folder, name, path)
            why = "is a link to a folder, which is not followed: copy what the pipeline needs"
        if not why:
            deployed[name] = path
        elif not any(it == name or it.startswith(f"{name}/") for it in deployed):
            left_out.append(FileLeftOut(f"{name}/" if path.is_dir() else name, why))
    return _Sorted(deployed, tuple(sorted(left_out, key=lambda it: it.path)))


def _name(folder: PipelineFolder, path: Path) -> str:
    return path.relative_to(folder.root).as_posix()


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    """The files, and folders that are not entered, with why they are left out: empty for those that go."""
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in _SILENT or path.suffix == ".md":
            continue
        why = _why_folder_stays(path) if path.is_dir() else _why_file_stays(path)
        if why or not path.is_dir() or path.is_symlink():
            yield path, why
        else:
            yield from _walk(path)


def _why_folder_stays(path: Path) -> str:
    if path.name in _FOLDERS_LEFT_OUT:
        return f"folders called '{path.name}' are for this machine: rename it, if the pipeline needs it"
    if (path / "warehouse.json").is_file() or (path / "metastore_db").is_dir():
        return "is the folder of local runs"
    return ""


def _why_file_stays(path: Path) -> str:
    if path.suffix not in _SUFFIXES:
        return f"only {', '.join(_SUFFIXES)} are uploaded: keep data in a Volume"
    if not path.is_file():
        return "is no file, or a link to nothing"
    if _holds_connections(path):
        return "is a file of connections, which are in Unity Catalog"
    return ""


def _require_inside(folder: PipelineFolder, name: str, path: Path) -> None:
    if ".." not in Path(name).parts and path.resolve().is_relative_to(folder.root):
        return
    raise ConfigurationError(
        f"{path}: is outside of the pipeline folder, or a link that leads out of it: only what is in it is deployed",
        hint="copy what the pipeline needs into the folder, or take the link out; what is called with a dot at the"
        " beginning stays here",
    )


def _check_exceptions(folder: PipelineFolder, upload_anyway: Sequence[str], paths: Mapping[str, Path]) -> None:
    for name in upload_anyway:
        if name not in paths:
            raise ConfigurationError(
                f"{folder.root / DEPLOY_FILE}: 'upload_anyway' names '{name}', which is no file that is uploaded",
                hint=f"{did_you_mean(name, paths)}paths are below the folder, such as 'transformations/tables.py'",
            )


def _holds_connections(path: Path) -> bool:
    """Whether it is a file of connections under another name."""
    if path.suffix not in (".yml", ".yaml", ".json"):
        return False
    try:
        connections = read_mapping(path).get("connections")
    except ConfigurationError:
        # Not a mapping, or broken: whoever reads it in the pipeline says so.
        return False
    entries: list[Any] = list(connections.values()) if isinstance(connections, dict) else []
    return any(isinstance(entry, dict) and entry.keys() & {"source", "options"} for entry in entries)


def _secrets_of_connections(root: Path) -> dict[str, Secrets]:
    found: dict[str, Secrets] = {}
    for path in sorted(root.iterdir()):
        if not (path.is_file() and _holds_connections(path)):
            continue
        for name, connection in read_mapping(path)["connections"].items():
            options = connection.get("options") if isinstance(connection, dict) else None
            texts = {key: it for key, it in (options or {}).items() if isinstance(it, str) and "${" not in it}
            secrets = without_common_words(secrets_in_options(texts))
            if secrets:
                found[f"the connection '{name}' in {path.name}"] = Secrets(secrets)
    return found
