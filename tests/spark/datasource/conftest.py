"""The data source in the shared session, and a folder that stands for the system it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from connector_lib.datasource.source import LakeflowConnectDataSource
from tests.folder_system import Folder


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
