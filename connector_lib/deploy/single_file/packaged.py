"""Data files beside modules, read through ``importlib.resources.files``, carried in the one file."""

from __future__ import annotations

import ast
import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from connector_lib.deploy.single_file.calls import external_calls
from connector_lib.deploy.single_file.modules import refusal
from connector_lib.deploy.single_file.program import ModuleNames, Program

__all__ = ["PACKAGED_FILES", "FileRequest", "file_requests", "packaged_files_module"]

PACKAGED_FILES: Final = "connector_lib.packaged_files"
"""The module that has them, which is nowhere but in the one file."""
_FILES: Final = "importlib.resources.files"
_LARGEST: Final = 1024 * 1024
_NOT_DATA: Final = frozenset({".py", ".pyc", ".pyi", ".so", ".pyd"})
_MODULE: Final = '''\
"""Data files, as importlib.resources.files gives them."""

from __future__ import annotations

import base64
import io
import zipfile

_PACKAGED: dict[str, dict[str, str]] = {
%s}
"""Package -> path -> content in base64."""


def packaged_files(package: str) -> zipfile.Path:
    """The data files of a package: a folder that has ``joinpath``, ``/``, ``read_text``, ``iterdir``."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, content in _PACKAGED[package].items():
            archive.writestr(path, base64.b64decode(content))
    return zipfile.Path(zipfile.ZipFile(data))
'''


@dataclass(frozen=True, slots=True, eq=False)
class FileRequest:
    """A call of ``importlib.resources.files``, and the package that it is about."""

    call: ast.Call
    package: str


def file_requests(program: Program, names: ModuleNames) -> list[FileRequest]:
    """The calls of a module that ask for files of what is merged.

    Raises ConfigurationError where the text does not show which package is meant.
    """
    found = []
    for call, full in external_calls(names):
        if full != _FILES:
            continue
        package = _package(names, call)
        if package is None:
            raise refusal(
                names.source,
                call,
                "importlib.resources.files of a package that the text does not name",
                'write the package as text: files("package.name")',
            )
        if program.finder.is_merged(package):
            found.append(FileRequest(call, package))
    return found


def packaged_files_module(program: Program, packages: Iterable[str]) -> str:
    """The text of the module :data:`PACKAGED_FILES`, with the files of ``packages``."""
    written = []
    for package in sorted(set(packages)):
        written.append(f"    {package!r}: {{\n")
        written.extend(f"        {path!r}: (\n{_content(data)}        ),\n" for path, data in _files(program, package))
        written.append("    },\n")
    return _MODULE % "".join(written)


def _package(names: ModuleNames, call: ast.Call) -> str | None:
    if not call.args and not call.keywords:
        return names.source.package
    if len(call.args) != 1 or call.keywords:
        return None
    argument = call.args[0]
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    if isinstance(argument, ast.Name) and argument.id in ("__package__", "__name__"):
        return names.source.package
    return None


def _files(program: Program, package: str) -> Iterator[tuple[str, bytes]]:
    names = program.names(package)
    if names is None or names.source.folder is None:
        return
    folder = names.source.folder
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "__pycache__")) for part in file.relative_to(folder).parts)
        if not file.is_file() or file.suffix in _NOT_DATA or hidden:
            continue
        if file.stat().st_size > _LARGEST:
            raise refusal(
                names.source,
                names.source.tree,
                f"the data file {file.name} of {package} is larger than {_LARGEST:,} bytes",
                "a file for a workspace has to stay small: read it from a Volume",
            )
        yield file.relative_to(folder).as_posix(), file.read_bytes()


def _content(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    lines = [text[start : start + 96] for start in range(0, len(text), 96)] or [""]
    return "".join(f'            "{line}"\n' for line in lines)
