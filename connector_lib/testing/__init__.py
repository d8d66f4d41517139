"""What an author of a connector tests it with.

- :mod:`~connector_lib.testing.conformance`: the checks that every connector has to pass, to subclass with pytest.
- :mod:`~connector_lib.testing.api_server`: an API on loopback, its routes Python functions, which fails on demand.
- :mod:`~connector_lib.testing.faults`: what an API can do wrong over the wire, as a table.
- :mod:`~connector_lib.testing.records_api`: a small API of records, its tables in memory, built on that server.
- :mod:`~connector_lib.testing.records_source`: the connector that reads it: an example of a whole one.
"""
