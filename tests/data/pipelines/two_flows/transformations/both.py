from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession

spark = SparkSession.active()
dp.create_streaming_table("both")


def lines() -> DataFrame:
    return spark.readStream.format("text").load(spark.conf.get("source.storage_path"))


@dp.append_flow(target="both")
def first() -> DataFrame:
    return lines()


@dp.append_flow(target="both")
def second() -> DataFrame:
    return lines()
