"""One batch a file, each slow enough for a test to end the run in the middle."""

import time

from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

spark = SparkSession.active()
PAUSE = float(spark.conf.get("test.pause_seconds", "0") or 0)


@F.udf("string")
def slowly(value: str) -> str:
    time.sleep(PAUSE)
    return value


@dp.table
def lines() -> DataFrame:
    files = spark.readStream.format("text").option("maxFilesPerTrigger", 1)
    return files.load(spark.conf.get("source.storage_path")).select(slowly("value").alias("value"))


@dp.table
def copies() -> DataFrame:
    return spark.readStream.table("lines").select("value")


@dp.materialized_view
def number() -> DataFrame:
    return spark.read.table("copies").agg(F.count("value").alias("number"))
