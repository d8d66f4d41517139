"""The files of a pipeline folder, read and checked. Nothing here needs Spark."""
