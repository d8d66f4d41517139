"""Checks that records fit the columns that are promised for them."""

from __future__ import annotations

import pytest

from connector_lib.errors import ConversionError
from connector_lib.testing.conformance.subject import Subject

__all__ = ["ConversionChecks"]


class ConversionChecks(Subject):
    """Records and schema, without a Spark session."""

    def test_records_fit_the_schema(self) -> None:
        """Every record of the sample becomes a row."""
        pytest.importorskip("pyspark.sql.types", reason="schemas need pyspark")
        pytest.importorskip("pyarrow", reason="rows need pyarrow")
        from connector_lib.datasource.converters import compile_converter

        connector = self.connector()
        for table in self.checked_tables():
            converter = compile_converter(connector.get_table_schema(table, self.options(table)))
            records, _ = self.read(connector, table)
            try:
                rows = converter.to_batch(records).num_rows
            except ConversionError as error:
                raise AssertionError(f"'{table}': {error.message}") from error
            assert rows == len(records), f"'{table}': {len(records)} records become {rows} rows"

    def test_no_column_is_always_null(self) -> None:
        """A column that no record has is misspelt, or nested elsewhere. ``empty_columns`` names the right ones."""
        pytest.importorskip("pyspark.sql.types", reason="schemas need pyspark")
        connector = self.connector()
        for table in self.checked_tables():
            records, _ = self.read(connector, table)
            columns = connector.get_table_schema(table, self.options(table)).fieldNames()
            filled = {name for record in records for name, value in record.items() if value is not None}
            empty = [name for name in columns if name not in filled and name not in self.empty_columns.get(table, ())]
            assert not empty or not records, f"'{table}': no record has a value for {', '.join(empty)}"
