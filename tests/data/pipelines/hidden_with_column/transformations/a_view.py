from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

spark = SparkSession.active()


def with_length(rows: DataFrame) -> DataFrame:
    return rows.withColumn("length", F.length("value"))


@dp.materialized_view
def lengths() -> DataFrame:
    return with_length(spark.sql("SELECT value FROM lines AS l"))
