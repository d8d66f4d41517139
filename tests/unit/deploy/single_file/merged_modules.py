"""Merged files, imported as a pipeline imports them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from connector_lib.cli.new_source import skeleton_files
from connector_lib.deploy.single_file.merging import SingleFile

__all__ = ["NoWheel", "imported", "installed_clinic", "without_connector_lib"]


class NoWheel:
    """Finds no module of connector_lib."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        if name.partition(".")[0] == "connector_lib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextmanager
def without_connector_lib() -> Iterator[None]:
    """Within, importing connector_lib fails as where it is not installed."""
    there = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "connector_lib"}
    for name in there:
        del sys.modules[name]
    hook = NoWheel()
    sys.meta_path.insert(0, hook)
    try:
        yield
    finally:
        sys.meta_path.remove(hook)
        sys.modules.update(there)


def imported(merged: SingleFile, folder: Path) -> ModuleType:
    """The module of a merged file. It stays in ``sys.modules``, as pickles of its classes need it."""
    file = folder / f"{merged.name}.py"
    file.write_text(merged.text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(merged.name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[merged.name] = module
    with without_connector_lib():
        spec.loader.exec_module(module)
    return module


def installed_clinic(folder: Path) -> None:
    """Installs the connector that ``connector-lib new-source clinic`` writes: a package with an entry point."""
    for path, text in skeleton_files("clinic"):
        if path.startswith("clinic_connector/"):
            file = folder / path
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8")
    metadata = folder / "clinic_connector-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: clinic-connector\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[connector_lib.sources]\nclinic = clinic_connector.source:ClinicSource\n"
    )
