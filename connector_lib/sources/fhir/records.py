"""From a resource to the record of a table.

The members that are columns stay as they came; what has no column is in ``resource`` only, which holds all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from connector_lib.connector.interface import Record
from connector_lib.errors import SourceError
from connector_lib.formats.fhir.bundle import Resource
from connector_lib.formats.fhir.elements import elements_of
from connector_lib.sources.fhir.search import last_updated

__all__ = ["records_of"]

_COLUMNS: Final = ("id", "meta", "language")
"""Members that are columns of every table."""
_NEVER_UPDATED: Final = "1970-01-01T00:00:00Z"
"""``lastUpdated`` of a resource that has none: it was written before anything that has one."""


def records_of(resources: Iterable[Resource], resource_type: str, *, undated_is_refused: bool) -> Iterator[Record]:
    """The records of ``resources``, which are all of one type.

    Raises SourceError for a resource without ``meta.lastUpdated`` where ``undated_is_refused``.

    >>> patient = {"resourceType": "Patient", "id": "p1", "gender": "female", "extension": []}
    >>> [record] = records_of([patient], "Patient", undated_is_refused=False)
    >>> list(record), record["lastUpdated"], record["resource"] == patient
    (['id', 'gender', 'lastUpdated', 'resource'], '1970-01-01T00:00:00Z', True)
    """
    columns = [*_COLUMNS, *(element.name for element in elements_of(resource_type))]
    for resource in resources:
        time_text = last_updated(resource)
        if time_text is None and undated_is_refused:
            raise SourceError(
                f"a {resource_type} has no meta.lastUpdated, so that changes of it cannot be seen",
                hint="set deletes=snapshot, which reads all resources in each run; or undated=accept, where resources "
                "without it are never made, changed or deleted after the first run",
            )
        record = {name: resource[name] for name in columns if name in resource}
        record["lastUpdated"] = time_text or _NEVER_UPDATED
        record["resource"] = resource
        yield record
