"""A stream and a batch of the data source, by names of the engine alone."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession

from connector_lib.datasource.source import LakeflowConnectDataSource

spark = SparkSession.active()
spark.dataSource.register(LakeflowConnectDataSource)
CONNECTION = {"sourceName": "folder", "sourceFolder": spark.conf.get("test.source_folder")}


@dp.table
def visits() -> DataFrame:
    return spark.readStream.format("lakeflow_connect").options(**CONNECTION, tableName="visits").load()


@dp.materialized_view
def rooms() -> DataFrame:
    return spark.read.format("lakeflow_connect").options(**CONNECTION, tableName="rooms").load()
