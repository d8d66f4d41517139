"""A table for every entry of the variable TEST_TOPICS: its name, and the options of Spark's Kafka source."""

import json
import logging
import os

from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession

logging.getLogger("connector_lib.flows").warning("the setting 'x' has no effect here")


def define(name: str, options: dict[str, str]) -> None:
    @dp.table(name=name)
    def records() -> DataFrame:
        stream = SparkSession.active().readStream.format("kafka").options(startingOffsets="earliest", **options).load()
        return stream.selectExpr("topic", "partition", "offset", "octet_length(value) AS bytes")


for name, options in json.loads(os.environ["TEST_TOPICS"]).items():
    define(name, options)
