"""The pipeline fhir_api with some of its tables, and a server of sample days for it on loopback."""

from __future__ import annotations

import shutil
import socket
from contextlib import closing
from pathlib import Path
from typing import Final

import yaml

__all__ = ["FHIR_PIPELINE", "copy_with_tables", "free_port"]

FHIR_PIPELINE: Final = Path(__file__).parents[3] / "pipelines" / "fhir_api"


def free_port() -> str:
    """A port of this machine that nobody listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def copy_with_tables(folder: Path, *tables: str) -> Path:
    """A copy of the pipeline as ``folder`` that has these tables only: each takes its seconds."""
    shutil.copytree(FHIR_PIPELINE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    spec = yaml.safe_load((folder / "ingest.yml").read_text())
    spec["objects"] = [entry for entry in spec["objects"] if entry["table"]["destination_table"] in tables]
    assert len(spec["objects"]) == len(tables)
    (folder / "ingest.yml").write_text(yaml.safe_dump(spec))
    return folder
