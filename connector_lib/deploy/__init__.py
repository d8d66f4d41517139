"""From this machine to Databricks: releases in a Volume, grants, connections, pipelines and their updates.

The package ``databricks-sdk`` (extra ``deploy``) is imported when a workspace is opened, and not before.
"""
