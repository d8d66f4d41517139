from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

spark = SparkSession.active()


@dp.table
def lines() -> DataFrame:
    return spark.readStream.format("text").load(spark.conf.get("source.storage_path"))


@dp.table
def numbers() -> DataFrame:
    return spark.readStream.table("lines").select(F.col("value").cast("int").alias("number"))


@dp.materialized_view
def total() -> DataFrame:
    return spark.read.table("numbers").agg(F.sum("number").alias("total"))
