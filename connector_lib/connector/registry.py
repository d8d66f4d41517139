"""Sources by name: our own, and those of other packages.

Another package adds a source by an entry point (Python Packaging User Guide, "Entry points specification")::

    [project.entry-points."connector_lib.sources"]
    clinic = "clinic_connector.source:ClinicSource"
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import sys
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Final, Literal, cast

from connector_lib.connector.interface import LakeflowConnect
from connector_lib.errors import ConfigurationError, ContractError, MissingRequirementError, did_you_mean

__all__ = ["ENTRY_POINT_GROUP", "SourceEntry", "load_source", "source_names"]

ENTRY_POINT_GROUP: Final = "connector_lib.sources"

_OWN: Final = {"fhir": "connector_lib.sources.fhir.source:FhirSource"}
_METHODS: Final = ("list_tables", "get_table_schema", "read_table_metadata", "read_table")
"""``read_table_deletes`` is needed by tables that have deletes, and by no others."""


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """A source that is installed. ``distribution`` is the package that brings it, with its version; ``location`` the
    class, as ``module:Class``."""

    name: str
    origin: Literal["own", "third party"]
    distribution: str
    location: str


def source_names() -> list[SourceEntry]:
    """The sources that are installed, by name. Raises ConfigurationError where two have one name.

    >>> next(entry.location for entry in source_names() if entry.name == "fhir")
    'connector_lib.sources.fhir.source:FhirSource'
    """
    entries = sorted(_all_entries(), key=lambda entry: (entry.name, entry.location))
    for entry, after in itertools.pairwise(entries):
        if entry.name == after.name:
            raise _twice(entry.name, [entry, after])
    return entries


def load_source(name: str) -> type[LakeflowConnect]:
    """The class of the source ``name``, which is made with the options of a connection.

    Raises ConfigurationError for a name that none or two have, MissingRequirementError where the source needs a
    package that is not installed, and ContractError where it is no connector.

    >>> load_source("fihr")
    Traceback (most recent call last):
    connector_lib.errors.ConfigurationError: there is no source 'fihr'
      did you mean 'fhir'? sources: fhir
    """
    entries = _all_entries()
    found = [entry for entry in entries if entry.name == name]
    if len(found) > 1:
        raise _twice(name, found)
    if not found:
        known = sorted({entry.name for entry in entries})
        raise ConfigurationError(
            f"there is no source '{name}'", hint=f"{did_you_mean(name, known)}sources: {', '.join(known)}"
        )
    return _checked_class(_load(found[0]), found[0])


def _all_entries() -> tuple[SourceEntry, ...]:
    # Every read asks. A package that is installed meanwhile changes the time of the folder that it comes into.
    return _entries_on(tuple((folder, _changed(folder)) for folder in sys.path))


def _changed(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(maxsize=1)
def _entries_on(path: tuple[tuple[str, int], ...]) -> tuple[SourceEntry, ...]:
    """The sources of the packages on ``sys.path``, which is ``path`` with the time of each folder's last change."""
    own = [SourceEntry(name, "own", _our_distribution(), location) for name, location in _OWN.items()]
    # A set: one package can be found twice on sys.path, installed and as a working copy.
    others = {
        SourceEntry(point.name, "third party", _distribution(point), point.value)
        for point in entry_points(group=ENTRY_POINT_GROUP)
    }
    return (*own, *others)


def _our_distribution() -> str:
    try:
        return f"connector-lib {version('connector-lib')}"
    except PackageNotFoundError:
        # A folder on sys.path that was never installed, as workspace files are.
        return "connector-lib"


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else "unknown"


def _twice(name: str, entries: list[SourceEntry]) -> ConfigurationError:
    packages = " and ".join(f"{entry.distribution} ({entry.location})" for entry in entries)
    return ConfigurationError(
        f"the source '{name}' is brought by two packages: {packages}", hint="uninstall one of them"
    )


def _load(entry: SourceEntry) -> object:
    module_name, _, attribute = entry.location.partition(":")
    try:
        found: object = importlib.import_module(module_name)
        for part in filter(None, attribute.split(".")):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        raise MissingRequirementError(
            f"the source '{entry.name}' of {entry.distribution} needs the module '{error.name}', which is not there",
            hint="pip install 'connector_lib[local]'"
            if (error.name or "").startswith("pyspark")
            else "install what its package asks for",
        ) from error
    except (ImportError, AttributeError) as error:
        raise ContractError(
            f"the source '{entry.name}' of {entry.distribution} cannot be loaded from '{entry.location}'",
            hint="its entry point has to be 'module:Class', and the module one that can be imported",
        ) from error
    return found


def _checked_class(found: object, entry: SourceEntry) -> type[LakeflowConnect]:
    where = f"the source '{entry.name}' ({entry.location} of {entry.distribution})"
    if not inspect.isclass(found):
        raise ContractError(f"{where} is no class", hint="the entry point has to name the class of the connector")
    abstract: frozenset[str] = getattr(found, "__abstractmethods__", frozenset())
    missing = [name for name in _METHODS if not callable(getattr(found, name, None)) or name in abstract]
    missing += sorted(abstract.difference(_METHODS))
    if missing:
        raise ContractError(
            f"{where} is no connector: it has no {', '.join(missing)}",
            hint="what a connector has stands in connector_lib.connector.interface",
        )
    return cast("type[LakeflowConnect]", found)
