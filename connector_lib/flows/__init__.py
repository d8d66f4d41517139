"""What a pipeline file calls where Databricks and open-source Spark differ; the file itself stays the same.

``runtime``         where it runs, the settings and secrets it was given, the tables it reads
``files``           new files of a folder as a stream
``events``          records of Kafka and Azure Event Hubs as a stream
``event_options``   which options such a stream takes, and what their values have to be
``event_logins``    how such a stream logs in
``expectations``    rules for rows: warn, drop, fail, quarantine
``cdc``             tables kept up to date by changes: SCD type 1 and 2
``change_log``      how such a table is computed where no catalog can merge
``ingestion``       the tables of a connection, as a pipeline spec lists them
``ingestion_plan``  how such a table is kept
``source_access``   how a pipeline reaches a connection, on Databricks and elsewhere
``pipeline_files``  files that lie beside a pipeline
``local_run``       what a run on this machine tells the files of a pipeline

``ingest`` is loaded when it is asked for: pipelines that read no connection need no connector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector_lib.flows.cdc import auto_cdc
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

if TYPE_CHECKING:
    from connector_lib.flows.ingestion import ingest

__all__ = [
    "SourceFolder",
    "auto_cdc",
    "event_hubs_login",
    "expect",
    "ingest",
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


def __getattr__(name: str) -> object:
    if name != "ingest":
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from connector_lib.flows.ingestion import ingest

    return ingest
