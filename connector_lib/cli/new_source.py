"""``connector-lib new-source``: the skeleton of a connector, which works as it is."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Final

import typer

from connector_lib import __version__
from connector_lib.errors import UsageError

__all__ = ["register", "skeleton_files"]

_SKELETON: Final = "connector_lib.cli.skeleton"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_LONGEST_NAME: Final = 20
_PLACES: Final = {
    "README.md": "README.md",
    "connections.yml": "connections.yml",
    "ingest.yml": "pipelines/clinic/ingest.yml",
    "spark-pipeline.yml": "pipelines/clinic/spark-pipeline.yml",
    "clinic_connector/__init__.py": "clinic_connector/__init__.py",
    "clinic_connector/connector_spec.yaml": "clinic_connector/connector_spec.yaml",
    "clinic_connector/schemas.py": "clinic_connector/schemas.py",
    "clinic_connector/source.py": "clinic_connector/source.py",
    "tests/__init__.py": "tests/__init__.py",
    "tests/test_conformance.py": "tests/test_conformance.py",
}
"""File of the skeleton → where it goes."""
_TRANSFORMATION: Final = '''\
"""The tables that ``ingest.yml`` lists."""

from connector_lib.flows.ingestion import ingest

ingest("ingest.yml")
'''
_PYPROJECT: Final = f"""\
[build-system]
requires = ["setuptools>=70"]
build-backend = "setuptools.build_meta"

[project]
name = "clinic-connector"
version = "0.1.0"
description = "The clinic API as a source of connector_lib"
readme = "README.md"
requires-python = ">=3.10"
dependencies = ["connector-lib>={__version__}"]

[project.optional-dependencies]
dev = ["connector-lib[local]", "pytest>=8"]

[project.entry-points."connector_lib.sources"]
clinic = "clinic_connector.source:ClinicSource"

[tool.setuptools]
packages = ["clinic_connector"]

[tool.setuptools.package-data]
clinic_connector = ["*.yaml"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"""

_HELP = """\
Write the skeleton of a connector: a package that works, with tests that pass.

\b
Example: connector-lib new-source clinic

The package goes into the folder NAME_connector, or --into. As it is, it reads the API of
'connector-lib sample records'. Change it until it reads yours: docs/write_a_connector.md leads through it.
"""


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("new-source", help=_HELP)
    def new_source(
        name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the source: small letters, digits, _.")],
        into: Annotated[
            Path | None, typer.Option("--into", metavar="DIR", help="The folder to write; new, or empty.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the paths of the files as JSON.")] = False,
    ) -> None:
        _check_name(name)
        folder = into or Path(f"{name}_connector")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is there already, and not empty", hint="name another folder with --into")
        written = [folder / path for path, _ in _write(folder, name)]
        if as_json:
            typer.echo(json.dumps([f"{path}" for path in written]))
            return
        for path in written:
            typer.echo(f"{path}")
        typer.echo(f"next: cd {folder} && pip install --editable '.[dev]' && pytest", err=True)


def skeleton_files(name: str) -> Iterator[tuple[str, str]]:
    """Path and text of every file of the connector ``name``, in order of their paths.

    >>> [path for path, _ in skeleton_files("lab")][:3]
    ['README.md', 'connections.yml', 'lab_connector/__init__.py']
    """
    root: Traversable = files(_SKELETON)
    texts = {place: root.joinpath(path).read_text(encoding="utf-8") for path, place in _PLACES.items()}
    texts["tests/test_conformance.py"] = _with_own_imports_last(texts["tests/test_conformance.py"])
    texts["pipelines/clinic/transformations/ingest.py"] = _TRANSFORMATION
    texts["pyproject.toml"] = _PYPROJECT
    named = {_named(place, name): _named(text, name) for place, text in texts.items()}
    yield from sorted(named.items())


def _with_own_imports_last(text: str) -> str:
    """The imports as they are sorted where the source is the project, and connector_lib is a package that it uses."""
    own = re.findall(rf"^from {re.escape(_SKELETON)}\..*\n", text, re.MULTILINE)
    others = re.sub(rf"^from {re.escape(_SKELETON)}\..*\n", "", text, flags=re.MULTILINE)
    *_, last = re.finditer(r"^from connector_lib\..*\n", others, re.MULTILINE)
    joined = others[: last.end()] + "\n" + "".join(own) + others[last.end() :]
    return joined.replace("import pytest\n\n", "import pytest\n", 1)


def _named(text: str, name: str) -> str:
    """``text`` with the name of the source in the place of "clinic"."""
    title = "".join(part.capitalize() for part in name.split("_"))
    own = text.replace(f"{_SKELETON}.", "").replace("clinic-connector", f"{name.replace('_', '-')}-connector")
    return own.replace("clinic", name).replace("Clinic", title).replace("CLINIC", name.upper())


def _write(folder: Path, name: str) -> Iterator[tuple[str, str]]:
    for path, text in skeleton_files(name):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
        yield path, text


def _check_name(name: str) -> None:
    from connector_lib.connector.registry import source_names

    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME or keyword.iskeyword(name):
        raise UsageError(
            f"'{name}' is no name for a source",
            hint=f"small letters, digits and single underscores, a letter first, {_LONGEST_NAME} at most: lab_results",
        )
    taken = next((entry for entry in source_names() if entry.name == name), None)
    if taken is not None:
        raise UsageError(f"there is a source '{name}' already, in {taken.distribution}", hint="give yours another name")
