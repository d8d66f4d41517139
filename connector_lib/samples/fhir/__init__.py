"""Synthetic FHIR R4 resources, all of it made from a seed.

================================  ===================================================================
:func:`sample_resources`          what is there after a number of days, resource by resource
:func:`sample_changes`            every write and delete of those days, in the order of time
:func:`write_ndjson`              files of NDJSON, one a resource type; gives how many there are of each
``RESOURCE_TYPES``                which types there are
``FIRST_DAY``                     when the first day begins
================================  ===================================================================
"""

from __future__ import annotations

from connector_lib.samples.fhir.days import FIRST_DAY, Change, sample_changes, sample_resources
from connector_lib.samples.fhir.files import write_ndjson
from connector_lib.samples.fhir.resources import RESOURCE_TYPES, Resource

__all__ = [
    "FIRST_DAY",
    "RESOURCE_TYPES",
    "Change",
    "Resource",
    "sample_changes",
    "sample_resources",
    "write_ndjson",
]
