"""Spark's own Kafka source into a table, nothing taken apart and nothing parsed."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame

from connector_lib.flows.runtime import active_session, required_setting


@dp.table(comment="Every record as Spark gives it")
def received() -> DataFrame:
    """Key, value, headers, topic, partition, offset and time of each record."""
    return (
        active_session()
        .readStream.format("kafka")
        .option("kafka.bootstrap.servers", required_setting("kafka.servers"))
        .option("subscribe", required_setting("kafka.topic"))
        .option("startingOffsets", "earliest")
        .option("includeHeaders", "true")
        .load()
    )
