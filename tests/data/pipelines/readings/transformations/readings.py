"""Readings from text files, one `name,value` a line; one stream, one view over it."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from connector_lib.flows.expectations import expect
from connector_lib.flows.runtime import SourceFolder, record_source, required_setting

spark = SparkSession.active()
folder = required_setting("source.storage_path")
record_source(SourceFolder(folder))
print("a line that a pipeline file prints")


@dp.table
@expect(warn={"has a value": "value IS NOT NULL"}, drop={"has a name": "name <> ''"})
def readings() -> DataFrame:
    parts = F.split("value", ",")
    return (
        spark.readStream.format("text")
        .load(folder)
        # Over files withColumn is harmless.
        .withColumn("name", parts[0])
        .select("name", F.expr("try_cast(split(value, ',')[1] AS int)").alias("value"))
    )


@dp.materialized_view
@expect(warn={"is positive": "value > 0"})
def highest() -> DataFrame:
    return spark.read.table("readings").groupBy("name").agg(F.max("value").alias("value"))
