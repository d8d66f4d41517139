"""What a pipeline file calls where Databricks and open-source Spark differ; the file itself stays the same.

``runtime``         where it runs, the settings and secrets it was given, the tables it reads
``files``           new files of a folder as a stream
``events``          records of Kafka and Azure Event Hubs as a stream
``event_options``   which options such a stream takes, and what their values have to be
``event_logins``    how such a stream logs in
``expectations``    rules for rows: warn, drop, fail, quarantine
"""

from connector_lib.flows.event_logins import event_hubs_login, kafka_login
from connector_lib.flows.events import read_event_hubs, read_kafka, stream_options
from connector_lib.flows.expectations import expect, keep_valid, only_invalid
from connector_lib.flows.files import read_files
from connector_lib.flows.runtime import (
    SourceFolder,
    int_setting,
    on_databricks,
    recording_sources,
    required_setting,
    secret,
    setting,
    streaming_table,
    trigger_interval,
)

__all__ = [
    "SourceFolder",
    "event_hubs_login",
    "expect",
    "int_setting",
    "kafka_login",
    "keep_valid",
    "on_databricks",
    "only_invalid",
    "read_event_hubs",
    "read_files",
    "read_kafka",
    "recording_sources",
    "required_setting",
    "secret",
    "setting",
    "stream_options",
    "streaming_table",
    "trigger_interval",
]
