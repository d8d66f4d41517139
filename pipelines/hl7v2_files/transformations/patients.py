"""Patients, their appointments and charges."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame

from connector_lib.flows.runtime import active_session
from connector_lib.tables import hl7v2


def received() -> DataFrame:
    return active_session().readStream.table("received")


@dp.table(comment="One row an ADT message")
def adt() -> DataFrame:
    return hl7v2.adt(received())


@dp.table(comment="One row an SIU message")
def appointments() -> DataFrame:
    return hl7v2.appointments(received())


@dp.table(comment="One row an AIS, AIG, AIL, AIP")
def appointment_resources() -> DataFrame:
    return hl7v2.appointment_resources(received())


@dp.table(comment="One row an FT1 of DFT and BAR")
def charges() -> DataFrame:
    return hl7v2.charges(received())
