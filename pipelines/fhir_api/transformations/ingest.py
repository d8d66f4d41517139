"""The tables that ``ingest.yml`` lists."""

from connector_lib.flows.ingestion import ingest

ingest("ingest.yml")
