"""Reads the files that Firehose wrote below ``s3.kinesis.path``, takes them apart, and parses each message once."""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame

from connector_lib.flows.files import read_files
from connector_lib.flows.runtime import int_setting, required_setting, setting, trigger_interval
from connector_lib.tables import hl7v2


@dp.table(
    comment="Every message, and every piece of a file that is none, with its reason", spark_conf=trigger_interval()
)
def received() -> DataFrame:
    files = read_files(
        required_setting("s3.kinesis.path"),
        pattern=setting("source.file_pattern"),
        max_file_bytes=int_setting("source.max_file_bytes", 256 * 1024 * 1024),
        notifications=setting("s3.kinesis.notifications", ""),
        option="s3.kinesis.path",
    )
    # Firehose puts records one behind the other, by default without a line end between them.
    return hl7v2.received(files, run_together=True)
