"""Reads the topic ``kafka.topic``, takes its values apart, and parses each message once."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame

from connector_lib.flows.event_logins import kafka_login
from connector_lib.flows.events import read_kafka, stream_options
from connector_lib.flows.runtime import required_setting, trigger_interval
from connector_lib.tables import hl7v2

LOGIN = kafka_login()


@dp.table(comment="Every message, and every record that is none, with its reason", spark_conf=trigger_interval())
def received() -> DataFrame:
    return hl7v2.received(
        read_kafka(
            required_setting("kafka.servers"),
            required_setting("kafka.topic"),
            login=LOGIN,
            options=stream_options(),
        )
    )
