"""Reads the event hub ``eventhub.name``, takes its events apart, and parses each message once."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame

from connector_lib.flows.event_logins import event_hubs_login
from connector_lib.flows.events import read_event_hubs, stream_options
from connector_lib.flows.runtime import required_setting, setting, trigger_interval
from connector_lib.tables import hl7v2

LOGIN = event_hubs_login()


@dp.table(comment="Every message, and every event that is none, with its reason", spark_conf=trigger_interval())
def received() -> DataFrame:
    return hl7v2.received(
        read_event_hubs(
            required_setting("eventhub.namespace"),
            required_setting("eventhub.name"),
            login=LOGIN,
            servers=setting("eventhub.servers"),
            options=stream_options(),
        )
    )
