"""Orders, results, vaccinations and documents."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame

from connector_lib.flows.runtime import active_session
from connector_lib.tables import hl7v2


def received() -> DataFrame:
    return active_session().readStream.table("received")


@dp.table(comment="One row an order of ORM, OML, RDE and others")
def orders() -> DataFrame:
    return hl7v2.orders(received())


@dp.table(comment="One row a report of ORU")
def reports() -> DataFrame:
    return hl7v2.reports(received())


@dp.table(comment="One row an OBX, with its order")
def observations() -> DataFrame:
    return hl7v2.observations(received())


@dp.table(comment="One row a VXU message")
def immunization_messages() -> DataFrame:
    return hl7v2.immunization_messages(received())


@dp.table(comment="One row an RXA")
def vaccinations() -> DataFrame:
    return hl7v2.vaccinations(received())


@dp.table(comment="One row a TXA of MDM")
def documents() -> DataFrame:
    return hl7v2.documents(received())
