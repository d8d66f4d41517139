"""Runs a pipeline folder on this machine's Spark, and reads the tables that it made."""
