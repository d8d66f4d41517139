"""The clinic API as a source of connector_lib."""
