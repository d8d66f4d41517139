"""Short ways to convert one column, for the tests of converters."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyspark.sql.types import DataType, StructField, StructType

from connector_lib.datasource.converters import Converter, compile_converter

__all__ = ["array_of_one_column", "one_column", "values_of"]


def one_column(data_type: DataType, *, nullable: bool = True) -> Converter:
    """A converter for one column ``x``."""
    return compile_converter(StructType([StructField("x", data_type, nullable)]))


def array_of_one_column(data_type: DataType, *values: Any) -> pa.Array:
    """The values as a column of the type."""
    return one_column(data_type).to_batch([{"x": value} for value in values]).column(0)


def values_of(data_type: DataType, *values: Any) -> list[Any]:
    """The values as a column of the type, back in Python."""
    back: list[Any] = array_of_one_column(data_type, *values).to_pylist()
    return back
