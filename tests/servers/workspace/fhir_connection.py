"""A connection for the source ``fhir``, as a workspace holds it, with a secret that may be seen nowhere."""

from __future__ import annotations

from typing import Final

__all__ = ["ALLOWED", "API", "BASE", "CANARY", "HELD"]

CANARY: Final = "canary-7f3a hush hush"
API: Final = "/api/2.1/unity-catalog/connections"
ALLOWED: Final = (
    "page_size,paging,deletes,deletes_from,undated,bulk,export_level,profile,search,hold_back,readOnDriver,"
    "rescuedDataColumn,batchRows,allowEmptySnapshot,appendOnly,tableName,tableNameList,tableConfigs,isDeleteFlow"
)
BASE: Final = "base_url=https://ehr.example.org/fhir"
HELD: Final = {
    "sourceName": "fhir",
    "externalOptionsAllowList": ALLOWED,
    "base_url": "https://ehr.example.org/fhir",
    "auth_type": "bearer",
    "token": CANARY,
}
