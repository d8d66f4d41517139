"""The columns of each table.

They are nested as the records of the API are. Whole numbers are LongType, objects StructType, lists ArrayType.
"""

from __future__ import annotations

from pyspark.sql.types import DoubleType, LongType, StringType, StructField, StructType, TimestampType

__all__ = ["SCHEMAS"]

SCHEMAS = {
    "visits": StructType(
        [
            StructField("id", StringType(), nullable=False),
            StructField("updated", TimestampType(), nullable=False),
            StructField("ward", StringType()),
            StructField("reason", StringType()),
            StructField("minutes", LongType()),
            StructField("cost", DoubleType()),
            StructField(
                "patient",
                StructType([StructField("number", StringType()), StructField("name", StringType())]),
            ),
        ]
    ),
    "wards": StructType(
        [
            StructField("id", StringType(), nullable=False),
            StructField("name", StringType()),
            StructField("beds", LongType()),
        ]
    ),
}
