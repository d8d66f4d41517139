"""From a source to one Python file with all that it needs."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from connector_lib import __version__
from connector_lib.connector.registry import SourceEntry, source_names
from connector_lib.deploy.single_file.assembly import assemble
from connector_lib.deploy.single_file.checks import faults_of
from connector_lib.deploy.single_file.requirements import Requirement, requirements_of
from connector_lib.errors import ConfigurationError, UsageError, did_you_mean

__all__ = ["SingleFile", "merge_source", "merged_file_name"]

_OWN: Final = "connector_lib"
_REGISTRY: Final = "connector_lib.connector.registry"
_ENTRY: Final = "connector_lib.registration"
_WIDTH: Final = 120
_SENT: Final = "connector_lib.datasource.single_file"
_ASKED_BY_NAME: Final = ((_SENT, "prepare_to_be_sent"), (_SENT, "data_source_of"))
"""What a worker asks the module for."""

_REGISTRY_TEXT: Final = '''\
"""The sources of this file: one."""

from __future__ import annotations

from connector_lib.connector.interface import LakeflowConnect
from connector_lib.errors import ConfigurationError

__all__ = ["load_source"]


def load_source(name: str) -> type[LakeflowConnect]:
    """The class of the source of this file. Raises ConfigurationError for another name."""
    from {module} import {attribute}

    if name != {name!r}:
        raise ConfigurationError(f"there is no source '{{name}}'", hint="this file has the source {name} and no other")
    return {attribute}
'''
_ENTRY_TEXT: Final = '''\
"""What a pipeline calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector_lib.datasource.single_file import register_single_file
from {module} import {attribute}

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def register_lakeflow_source(spark: SparkSession, format_name: str = "lakeflow_connect") -> None:
    """Makes the source {name} known to Spark. In a pipeline with two such files each needs a format name of its own.

    ::

        from {file} import register_lakeflow_source

        register_lakeflow_source(spark)
        spark.read.format("lakeflow_connect").option("tableName", "...").options(...).load()
    """
    register_single_file(spark, "{name}", format_name)
'''


@dataclass(frozen=True, slots=True)
class SingleFile:
    """The one file: its ``name`` as a module, its ``text``, and what it was made of.

    ``sha256`` is that of everything below the header, which names it.
    """

    source: str
    name: str
    text: str = field(repr=False)
    sha256: str
    modules: tuple[str, ...]
    requirements: tuple[Requirement, ...]


def merged_file_name(source: str) -> str:
    """What the file of a source is called, and its module without ``.py``.

    >>> merged_file_name("fhir")
    '_generated_fhir_python_source.py'
    """
    return f"_generated_{source}_python_source.py"


def merge_source(source: str, include: Iterable[str] = ()) -> SingleFile:
    """The source ``source``, as ``connector-lib sources`` lists it, with the data source of Spark, in one file.

    Merged are ``connector_lib``, the package of the source, and the packages that ``include`` names; what they import
    of others stays an import. The same source gives the same text.

    Raises UsageError for a name that no source has, ConfigurationError with file and line for what one file cannot do.
    """
    entry = _entry(source)
    module, _, attribute = entry.location.partition(":")
    if not attribute.isidentifier():
        raise ConfigurationError(
            f"the source '{source}' is not a class of a module: {entry.location}",
            hint="let its entry point name the module and the class, as clinic_connector.source:ClinicSource",
        )
    name = merged_file_name(source).removesuffix(".py")
    words = {"module": module, "attribute": attribute, "name": source, "file": name}
    packages = frozenset({_OWN, module.partition(".")[0], *include})
    merged = assemble(
        packages,
        [_ENTRY],
        [(module, attribute), (_ENTRY, "register_lakeflow_source")],
        title=f"The source {source} and the data source of Spark that reads it, in one file.",
        replaced={_REGISTRY: _REGISTRY_TEXT.format(**words), _ENTRY: _ENTRY_TEXT.format(**words)},
        keep=_ASKED_BY_NAME,
    )
    digest = hashlib.sha256(merged.text.encode()).hexdigest()
    requirements = tuple(requirements_of(merged.program))
    text = _header(entry, digest, requirements) + merged.text
    faults = faults_of(name, text, packages)
    if faults:
        raise ConfigurationError(
            f"the source '{source}' does not stand in one file: {'; '.join(faults[:5])}",
            hint="its modules use names that they do not bind, or that are known at run time only",
        )
    return SingleFile(source, name, text, digest, tuple(merged.program.order), requirements)


def _entry(source: str) -> SourceEntry:
    entries = source_names()
    for entry in entries:
        if entry.name == source:
            return entry
    names = [entry.name for entry in entries]
    raise UsageError(f"there is no source '{source}'", hint=f"{did_you_mean(source, names)}sources: {', '.join(names)}")


def _header(entry: SourceEntry, digest: str, requirements: Iterable[Requirement]) -> str:
    needed = [one.line for one in requirements if not one.later]
    later = [one.line for one in requirements if one.later]
    from_where = "" if entry.origin == "own" else f", with the source of {entry.distribution}"
    lines = [
        f"GENERATED by `connector-lib merge {entry.name}`: change the connector and merge it again, not this file.",
        "",
        f"source:    {entry.name} ({entry.location})",
        f"made of:   connector_lib {__version__}{from_where}",
        f"SHA-256:   {digest} (of all below this comment)",
        f"needs:     {', '.join(needed) or 'nothing'}",
        *([f"sometimes: {', '.join(later)}"] if later else []),
        "           and Python 3.10 or later, and pyspark 4 with pyarrow, which a pipeline has",
    ]
    wrapped = [
        part
        for line in lines
        for part in textwrap.wrap(line, _WIDTH - 2, subsequent_indent=" " * 11, break_long_words=False) or [""]
    ]
    return "".join(f"# {line}".rstrip() + "\n" for line in (*wrapped, "ruff: noqa"))
