"""The pipeline specs (``ingest.yml``) that a pipeline folder's transformation files read."""

from __future__ import annotations

import re
from typing import Final

from connector_lib.connector.spec import PipelineSpec
from connector_lib.project.pipeline import PipelineFolder

__all__ = ["ingest_specs", "scd_types"]

_DEFAULT_NAME: Final = "ingest.yml"
_CALL: Final = re.compile(r"""\bingest\(\s*["']([^"']+\.(?:ya?ml|json))["']""")
_DEFAULT_SCD_TYPE: Final = "SCD_TYPE_1"


def ingest_specs(folder: PipelineFolder) -> list[PipelineSpec]:
    """The specs that calls such as ``ingest("ingest.yml")`` name, and ``ingest.yml`` itself, in order of their paths.

    Raises :class:`~connector_lib.errors.SpecError` for one that is wrong.
    """
    found = {folder.root / _DEFAULT_NAME}
    for file in folder.files:
        for written in _CALL.findall(file.read_text(encoding="utf-8", errors="replace")):
            levels = [above for above in file.parents if above == folder.root or folder.root in above.parents]
            found.add(next((above / written for above in levels if (above / written).is_file()), folder.root / written))
    return [PipelineSpec.load(path) for path in sorted(found) if path.is_file()]


def scd_types(specs: list[PipelineSpec]) -> dict[str, str]:
    """How the tables are kept, by their dotted names; ``SCD_TYPE_1`` where a spec does not say.

    >>> spec = PipelineSpec.load({"connection_name": "c", "objects": [{"table": {"source_table": "users"}}]})
    >>> scd_types([spec])
    {'users': 'SCD_TYPE_1'}
    """
    return {table.dotted_name: table.scd_type or _DEFAULT_SCD_TYPE for spec in specs for table in spec.tables}
