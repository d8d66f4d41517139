"""Checks of a connector in a real run of Spark."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from connector_lib.connector.interface import LakeflowConnect, Record
from connector_lib.testing.conformance.subject import Subject

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.datasource import DataSource

__all__ = ["SparkChecks"]

_FORMAT: Final = "lakeflow_connect_sample"
_ASKED_FOR: Final = "CONNECTOR_LIB_TEST_SPARK"
_LONGEST: Final = 120
"""Seconds for a run of the sample as a stream."""


class SparkChecks(Subject):
    """The sample through the data source ``lakeflow_connect``. Its workers are other processes: they have to find the
    connector's module, so its package is installed, or on the PYTHONPATH that Spark was started with."""

    def session(self) -> SparkSession:
        """The Spark session to use: one with its own JVM, where the environment asks for it. A test suite that has a
        session writes this method."""
        pytest.importorskip("pyspark", reason="there is no Spark here: pip install 'connector_lib[local]'")
        if not os.environ.get(_ASKED_FOR):
            pytest.skip(f"a run of Spark takes its time: set {_ASKED_FOR}=1, or write session()")
        if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
            pytest.skip("there is no Java here: set JAVA_HOME, or write session()")
        from pyspark.sql import SparkSession

        # Else workers are run by whatever 'python3' is on the path.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        session: SparkSession = SparkSession.builder.master("local[1]").appName("conformance").getOrCreate()
        return session

    def test_spark_reads_the_whole_table(self) -> None:
        """A batch read of each table has every record, each value as the schema says."""
        spark = self._prepared()
        for table in self.checked_tables():
            rows = self._rows(self._read(spark, table), table)
            expected = self._converted(table, self.expected(table))
            assert rows == expected, _difference(table, rows, expected)

    def test_spark_follows_a_table(self) -> None:
        """A stream goes on where its last run ended, and has every record then."""
        spark = self._prepared()
        for table in self.checked_tables("cdc", "cdc_with_deletes", "append")[:1]:
            with tempfile.TemporaryDirectory() as folder:
                first = self._streamed(spark, table, Path(folder))
                expected = self._converted(table, self.expected(table))
                assert first == expected, _difference(table, first, expected)
                self.change(table)
                both = self._streamed(spark, table, Path(folder))
                expected = self._converted(table, self.expected(table))
                lost = (expected - both).total()
                assert not lost, f"'{table}': the second run misses {lost} of {expected.total()} records"
                again = (both - first - expected).total()
                assert not again, f"'{table}': the second run gives {again} records again"

    # What the checks of this class share.

    def _prepared(self) -> SparkSession:
        spark = self.session()
        connector: Any = self.connector()
        options = getattr(connector, "options", None)
        if not isinstance(options, Mapping):
            pytest.skip(f"{type(connector).__name__} does not keep its options, so that no other can be made")
        spark.dataSource.register(_data_source(type(connector), dict(options), self.table_options))
        return spark

    def _read(self, spark: SparkSession, table: str) -> DataFrame:
        return spark.read.format(_FORMAT).option("tableName", table).load()

    def _streamed(self, spark: SparkSession, table: str, folder: Path) -> Counter[str]:
        """All rows that a stream has written after one more run."""
        stream = spark.readStream.format(_FORMAT).option("tableName", table).load().writeStream.format("parquet")
        query = stream.options(path=str(folder / "rows"), checkpointLocation=str(folder / "checkpoint")).trigger(
            availableNow=True
        )
        started = query.start()
        assert started.awaitTermination(_LONGEST), f"'{table}': the run does not end in {_LONGEST} s"
        error = started.exception()
        assert error is None, f"'{table}': the run fails"
        return self._rows(spark.read.parquet(str(folder / "rows")), table)

    def _rows(self, frame: DataFrame, table: str) -> Counter[str]:
        rows = frame.toArrow().cast(self._converter(table).arrow_schema).to_pylist()
        return Counter(map(repr, rows))

    def _converted(self, table: str, records: Any) -> Counter[str]:
        given: list[Record] = list(records)
        return Counter(map(repr, self._converter(table).to_batch(given).to_pylist()))

    def _converter(self, table: str) -> Any:
        from connector_lib.datasource.converters import compile_converter

        return compile_converter(self.connector().get_table_schema(table, self.options(table)))


def _difference(table: str, rows: Counter[str], expected: Counter[str]) -> str:
    return (
        f"'{table}': of {expected.total()} records {(expected - rows).total()} are missing or other ones, "
        f"and {(rows - expected).total()} rows come that should not, or twice"
    )


def _data_source(
    connector_type: type[LakeflowConnect], options: dict[str, str], table_options: Mapping[str, Mapping[str, str]]
) -> type[DataSource]:
    """The data source with this connector, which need not be registered as a source. Workers import its module."""
    from pyspark.sql.datasource import DataSource, DataSourceReader, DataSourceStreamReader
    from pyspark.sql.types import StructType

    from connector_lib.datasource.batch import TableReader
    from connector_lib.datasource.connect import OptionsWithoutCase, ReadRequest, SourceOptions
    from connector_lib.datasource.stream import TableStreamReader

    def request_for(given: Mapping[str, str]) -> ReadRequest:
        own = SourceOptions.read(given, where="the sample")
        of_table = OptionsWithoutCase(table_options.get(own.table_name, {}))
        return ReadRequest(own, "the sample", connector_type, OptionsWithoutCase(options), of_table)

    class SampleDataSource(DataSource):
        @classmethod
        def name(cls) -> str:
            return _FORMAT

        def schema(self) -> StructType:
            request = request_for(self.options)
            return request.connect().get_table_schema(request.table, request.table_options(request.table))

        def reader(self, schema: StructType) -> DataSourceReader:
            return TableReader(request_for(self.options), schema)

        def streamReader(self, schema: StructType) -> DataSourceStreamReader:  # noqa: N802 - Spark's name
            return TableStreamReader(request_for(self.options), schema)

    return SampleDataSource
