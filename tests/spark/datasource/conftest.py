"""The data source in the shared session, and a folder that stands for the system it reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from connector_lib.datasource.source import LakeflowConnectDataSource

CONNECTORS = Path(__file__).parents[2] / "data" / "connectors"


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


@pytest.fixture(scope="module")
def source(spark: SparkSession) -> None:
    session: Any = spark
    session.dataSource.register(LakeflowConnectDataSource)


@pytest.fixture
def folder(source: None, tmp_path: Path) -> Folder:
    (tmp_path / "folder").mkdir()
    return Folder(tmp_path / "folder")


class Query:
    """A streaming query that is run again and again: what it wrote is in a folder, where it is in a checkpoint."""

    def __init__(self, spark: SparkSession, folder: Path, **options: Any) -> None:
        self.spark = spark
        self.folder = folder
        self.options = {name: str(value) for name, value in options.items()}

    def run(self, **changed: Any) -> None:
        stream = self.frame(**changed).writeStream.trigger(availableNow=True)
        query = stream.option("checkpointLocation", str(self.folder / "checkpoint")).start(str(self.folder / "rows"))
        query.awaitTermination()

    def frame(self, **changed: Any) -> DataFrame:
        options = {**self.options, **{name: str(value) for name, value in changed.items()}}
        return self.spark.readStream.format("lakeflow_connect").options(**options).load()

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        return sorted(map(tuple, self.spark.read.parquet(str(self.folder / "rows")).select(*columns).collect()))
