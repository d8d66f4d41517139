"""The Spark data source ``lakeflow_connect``: the tables of every connector, as batches and as streams.

``source``            the data source, as Spark knows it
``single_file``       the data source of a connector that is one file
``connect``           from the options of a read to the connector
``batch``             a whole table
``stream``            what is new since the last run
``snapshot_changes``  what changed between two snapshots, as a stream
``snapshot_state``    what the last snapshot was
``snapshot_keys``     what tells its rows apart
``metadata_table``    how tables are kept up to date, as a table
``partitions``        what a worker is asked to read
``batches``           records as Arrow batches
``converters``        records as Arrow columns

>>> from connector_lib.datasource.source import LakeflowConnectDataSource
>>> spark.dataSource.register(LakeflowConnectDataSource)  # doctest: +SKIP
>>> spark.read.format("lakeflow_connect").options(
...     connectionName="clinic", tableName="patients"
... ).load()  # doctest: +SKIP
"""
