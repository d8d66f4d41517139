"""How fast connector_lib is, beside others that do the same, on this machine and in one run: ``python -m benchmarks``.

====================  ==================================================================
:mod:`.timing`        rates of several functions, measured in turns
:mod:`.parsing`       messages a second, ours and the peers'
:mod:`.splitting`     a large file taken apart: memory and rate
:mod:`.growth`        whether ten times the messages take ten times the time
:mod:`.spark_udf`     the parse UDF beside the parser alone
:mod:`.events`        messages a second from a Kafka topic to tables
:mod:`.api_reading`   records a second from an API, beside a bare loop and dlt
:mod:`.converting`    records to Arrow batches, beside pyspark's own conversion
:mod:`.api_records`   the records of these two
:mod:`.report`        tables and targets, printed and as Markdown
====================  ==================================================================
"""
