"""What a pipeline file calls where Databricks and open-source Spark differ; the file itself stays the same.

``runtime``       where it runs, and the settings it was given
``files``         new files of a folder as a stream
``expectations``  rules for rows: warn, drop, fail, quarantine
"""

from connector_lib.flows.expectations import expect, keep_valid, only_invalid
from connector_lib.flows.files import read_files
from connector_lib.flows.runtime import (
    SourceFolder,
    int_setting,
    on_databricks,
    recording_sources,
    required_setting,
    setting,
)

__all__ = [
    "SourceFolder",
    "expect",
    "int_setting",
    "keep_valid",
    "on_databricks",
    "only_invalid",
    "read_files",
    "recording_sources",
    "required_setting",
    "setting",
]
