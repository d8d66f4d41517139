"""A small pipeline folder, and a workspace that it can be deployed to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tests.servers.workspace.loopback.server import ADMIN, LoopbackWorkspace
from tests.servers.workspace.published_wheels import put_release

__all__ = ["DEPLOY", "FOLDER", "INGEST", "grant", "ready", "write_ingest_pipeline", "write_pipeline", "writes"]

FOLDER: Final = f"/Workspace/Users/{ADMIN}/connector_lib/clinic"
"""Where the admin's pipeline goes."""
DEPLOY: Final = "catalog: main\nschema: clinic\n"
INGEST: Final = """\
connection_name: ehr
objects:
  - table: {source_table: Patient, destination_table: patients, table_configuration: {scd_type: SCD_TYPE_2}}
  - table: {source_table: Encounter, destination_table: encounters}
"""
_SPEC: Final = """\
name: clinic
storage: file:///tmp/clinic
libraries: [{glob: {include: transformations/**}}]
configuration: {source.format: text}
"""
_TABLES: Final = """\
from pyspark import pipelines as dp
from pyspark.sql import DataFrame

from connector_lib.flows.files import read_files


@dp.table
def received() -> DataFrame:
    return read_files("/Volumes/main/raw/hl7")
"""


def write_pipeline(folder: Path, deploy: str = DEPLOY, **files: str) -> Path:
    """A pipeline of one table; ``files`` are texts by name without ``.py``, in ``transformations``."""
    (folder / "transformations").mkdir(parents=True, exist_ok=True)
    (folder / "spark-pipeline.yml").write_text(_SPEC)
    (folder / "deploy.yml").write_text(deploy)
    (folder / "transformations" / "tables.py").write_text(_TABLES)
    for name, text in files.items():
        (folder / "transformations" / f"{name}.py").write_text(text)
    return folder


def write_ingest_pipeline(folder: Path, spec: str = INGEST, deploy: str = DEPLOY) -> Path:
    """A pipeline of the tables in ``spec``."""
    write_pipeline(folder, deploy)
    (folder / "ingest.yml").write_text(spec)
    text = 'from connector_lib.flows.ingestion import ingest\n\ningest("ingest.yml")\n'
    (folder / "transformations" / "tables.py").write_text(text)
    return folder


def ready(workspace: LoopbackWorkspace, scratch: Path) -> LoopbackWorkspace:
    """The workspace with a release, the schema and the connection."""
    put_release(workspace, scratch)
    workspace.catalog.add_schema("main.clinic")
    info: dict[str, Any] = {"name": "ehr", "owner": ADMIN, "connection_type": "GENERIC_LAKEFLOW_CONNECT", "options": {}}
    workspace.securables.add("CONNECTION", "ehr", ADMIN, info)
    return workspace


def grant(workspace: LoopbackWorkspace, user: str, kind: str, name: str, *privileges: str) -> None:
    """Grants privileges, written with underlines."""
    workspace.permissions.grant(ADMIN, privileges, kind, name, user)


def writes(workspace: LoopbackWorkspace, since: int = 0) -> list[str]:
    """The requests from number ``since`` on that are no reading ones, as ``METHOD /path``."""
    asked = workspace.desk.requests[since:]
    return [f"{it.method} {it.path}" for it in asked if it.method not in ("GET", "HEAD")]
