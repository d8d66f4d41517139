"""The checks on Spark: the example connector passes them, and one that works in its own process only does not."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest
from pyspark.sql import SparkSession

from connector_lib.connector.interface import LakeflowConnect, Record
from connector_lib.testing.conformance.spark_checks import SparkChecks
from tests.unit.testing.records_sample import RecordsSubject, sample_api

pytestmark = pytest.mark.spark
CONNECTORS = Path(__file__).parents[2] / "data" / "connectors"


class TestRecordsSourceOnSpark(RecordsSubject, SparkChecks):
    # One of four: a run of Spark takes its time.
    tables: ClassVar[Sequence[str]] = ("visits",)

    @pytest.fixture(autouse=True)
    def sample(self, spark: SparkSession) -> Iterator[None]:
        self.spark = spark
        with sample_api() as self.api:
            yield

    def session(self) -> SparkSession:
        return self.spark


class Forgetful(SparkChecks):
    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.module = importlib.import_module("forgetful_connector")

    def session(self) -> SparkSession:
        return self.spark

    def connector(self) -> LakeflowConnect:
        made: LakeflowConnect = self.module.ForgetfulSource({})
        return made

    def expected(self, table: str) -> list[Record]:
        records: list[Record] = self.module.RECORDS
        return records


@pytest.fixture
def forgetful(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> Forgetful:
    monkeypatch.syspath_prepend(str(CONNECTORS))
    return Forgetful(spark)


def test_a_connector_that_loses_records_in_workers_fails_the_check_of_a_batch(forgetful: Forgetful) -> None:
    with pytest.raises(AssertionError, match="of 10 records 5 are missing"):
        forgetful.test_spark_reads_the_whole_table()


def test_a_connector_that_loses_records_in_workers_fails_the_check_of_a_stream(forgetful: Forgetful) -> None:
    with pytest.raises(AssertionError, match="of 10 records 5 are missing"):
        forgetful.test_spark_follows_a_table()
