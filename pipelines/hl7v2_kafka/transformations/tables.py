"""The tables behind ``received``: one row a message, an order, an observation …, the same whatever the source."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame

from connector_lib.flows.runtime import streaming_table
from connector_lib.tables import hl7v2


def define(table: hl7v2.Table) -> None:
    @dp.table(name=table.name, comment=table.comment)
    def rows() -> DataFrame:
        return table.query(streaming_table("received"))


for table in hl7v2.TABLES:
    define(table)
