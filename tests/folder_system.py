"""The folder that stands for a system which the connectors in ``tests/data/connectors`` read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

__all__ = ["CONNECTORS", "Folder"]

CONNECTORS: Final = Path(__file__).parent / "data" / "connectors"


class Folder:
    """The folder of the connectors in ``tests/data/connectors``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, table: str, rows: list[dict[str, Any]], deleted: list[dict[str, Any]] | None = None) -> None:
        (self.path / f"{table}.json").write_text(json.dumps({"rows": rows, "deleted": deleted or []}))

    def asked(self, what: str) -> list[dict[str, Any]]:
        file = self.path / "asked.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [line for line in lines if line["asked"] == what]
