"""What was received, message by message: as it came, what could not be read, what is wrong, every value."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame

from connector_lib.flows.runtime import active_session
from connector_lib.tables import hl7v2


def received() -> DataFrame:
    return active_session().readStream.table("received")


@dp.table(comment="One row a message, as it was received")
def raw() -> DataFrame:
    return hl7v2.raw(received())


@dp.table(comment="What could not be read, whole, with its reason")
def quarantine() -> DataFrame:
    return hl7v2.quarantine(received())


@dp.table(comment="What is wrong with messages and batches")
def findings() -> DataFrame:
    return hl7v2.findings(received())


@dp.table(comment="One row a value, with its place in the message")
def fields() -> DataFrame:
    return hl7v2.fields(received())


@dp.table(comment="One row a message whose type has no table of its own")
def other_messages() -> DataFrame:
    return hl7v2.other_messages(received())
