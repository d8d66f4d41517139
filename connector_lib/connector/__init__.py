"""The contract between a source and the tables made from it.

``interface``       the methods of a connector, and the rules that they keep
``reading``         a table read to its end, with an eye on those rules
``options``         options of a connection and of a table: typed, compared without case
``cursor``          how far an incremental read came, and what lies at the border
``timestamps``      moments to the nanosecond
``registry``        sources by name
``spec``            which tables a pipeline takes from a connection (``ingest.yml``)
``connections``     connections outside Databricks (``connections.yml``)
``written_values``  files of options, their values as they were written
"""
