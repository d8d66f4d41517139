from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession

spark = SparkSession.active()


@dp.temporary_view
def lines() -> DataFrame:
    return spark.read.format("text").load(spark.conf.get("source.storage_path"))
