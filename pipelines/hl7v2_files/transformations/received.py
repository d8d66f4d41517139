"""Reads the files of ``source.storage_path``, takes them apart, and parses each message once."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame

from connector_lib.flows.files import read_files
from connector_lib.flows.runtime import int_setting, required_setting, setting
from connector_lib.tables import hl7v2


@dp.table(comment="Every message, and every piece of a file that is none, with its reason")
def received() -> DataFrame:
    return hl7v2.received(
        read_files(
            required_setting("source.storage_path"),
            format=setting("source.format", "binaryFile"),
            pattern=setting("source.file_pattern"),
            max_file_bytes=int_setting("source.max_file_bytes", 256 * 1024 * 1024),
        )
    )
