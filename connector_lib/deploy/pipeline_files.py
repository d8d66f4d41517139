"""Which files of a pipeline folder go to the workspace: those that its pipeline needs, and none that holds a secret."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from connector_lib.connector.written_values import read_mapping
from connector_lib.errors import ConfigurationError
from connector_lib.project.deployment import DEPLOY_FILE
from connector_lib.project.pipeline import PipelineFolder
from connector_lib.redaction import Secrets, secrets_in_environment, secrets_in_options

__all__ = ["files_to_deploy", "refuse_secrets"]

_SUFFIXES: Final = (".py", ".sql", ".yml", ".yaml", ".json", ".csv", ".txt")
_LARGEST: Final = 10 * 1024 * 1024
"""Bytes that the workspace takes in one file (Workspace API, "Import a workspace object")."""
_NOT_DEPLOYED: Final = (DEPLOY_FILE, "connections.yml", "connections.yaml", "connections.json")
_FOLDERS_LEFT_OUT: Final = ("__pycache__", "tests", "local_warehouse", "node_modules", "venv", "build", "dist")


def files_to_deploy(folder: PipelineFolder) -> dict[str, bytes]:
    """The bytes of the files by their path below the folder, with ``/``, in order of their names.

    These are the transformation files, and beside them modules, SQL, specs and small data: ``.py``, ``.sql``,
    ``.yml``, ``.json``, ``.csv``, ``.txt``. Not what begins with a dot, ``deploy.yml``, files of connections under any
    name, tests, and the folder of local runs.

    Raises ConfigurationError that names a file that is too large for the workspace, or holds a secret: the value of an
    environment variable or of an option of a connection whose name tells one.
    """
    paths = {path.relative_to(folder.root).as_posix(): path for path in (*_walk(folder.root), *folder.files)}
    contents: dict[str, bytes] = {}
    for name, path in sorted(paths.items()):
        if path not in folder.files and _holds_connections(path):
            continue
        contents[name] = path.read_bytes()
        if len(contents[name]) > _LARGEST:
            raise ConfigurationError(
                f"{path}: has {len(contents[name]):,} bytes, and a file of the workspace may have {_LARGEST:,}",
                hint="keep data in a Volume, or move the file out of the pipeline folder",
            )
    known = _secrets_of_connections(folder.root)
    for name, content in contents.items():
        refuse_secrets(content.decode("utf-8", errors="replace"), f"{folder.root / name}", known)
    return contents


def refuse_secrets(text: str, where: str, known: Mapping[str, Secrets] | None = None) -> None:
    """Raises ConfigurationError where ``text`` holds the value of a secret of the environment or of ``known``, which
    are secrets by the words for where they come from. It names where, and shows no value."""
    for origin, secrets in (*_secrets_of_environment(), *(known or {}).items()):
        if secrets.masked(text) != text:
            raise ConfigurationError(
                f"{where}: holds the secret of {origin}, and would be readable in the workspace",
                hint="take it out: secrets live in the connection of Unity Catalog, or in a secret scope",
            )


def _walk(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in _FOLDERS_LEFT_OUT or path.name in _NOT_DEPLOYED:
            continue
        if path.is_dir() and not _is_warehouse(path):
            yield from _walk(path)
        elif path.is_file() and path.suffix in _SUFFIXES:
            yield path


def _is_warehouse(path: Path) -> bool:
    """Whether it is the folder of local runs, whatever its name."""
    return (path / "warehouse.json").is_file() or (path / "metastore_db").is_dir()


def _holds_connections(path: Path) -> bool:
    """Whether it is a file of connections under another name."""
    if path.suffix not in (".yml", ".yaml", ".json"):
        return False
    try:
        return "connections" in read_mapping(path)
    except ConfigurationError:
        # Not a mapping, or broken: whoever reads it in the pipeline says so.
        return False


def _secrets_of_environment() -> Iterator[tuple[str, Secrets]]:
    for name, value in sorted(os.environ.items()):
        found = secrets_in_environment({name: value})
        if found:
            yield f"the environment variable {name}", Secrets(found)


def _secrets_of_connections(root: Path) -> dict[str, Secrets]:
    found: dict[str, Secrets] = {}
    for path in sorted(root.iterdir()):
        if not (path.is_file() and _holds_connections(path)):
            continue
        connections = read_mapping(path)["connections"]
        for name, connection in connections.items() if isinstance(connections, dict) else ():
            options = connection.get("options") if isinstance(connection, dict) else None
            texts = {key: it for key, it in (options or {}).items() if isinstance(it, str) and "${" not in it}
            secrets = secrets_in_options(texts)
            if secrets:
                found[f"the connection '{name}' in {path.name}"] = Secrets(secrets)
    return found
