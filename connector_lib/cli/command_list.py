"""The commands by name, each with its module and its line in the list of commands.

Only the module of the command that was typed is imported: the list of all, and every help, are there at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["COMMANDS", "ListedCommand"]


class ListedCommand(NamedTuple):
    """A command or a group of them: the module in this package whose ``register`` adds it, and what it does."""

    module: str
    summary: str


COMMANDS: Final[Mapping[str, ListedCommand]] = {
    "run": ListedCommand("run", "Run a pipeline folder on this machine's Spark."),
    "check": ListedCommand("check", "Name what a pipeline folder must not have."),
    "show": ListedCommand("show", "Print rows of a table that a local run made."),
    "doctor": ListedCommand("doctor", "Say what local runs need and how to get it."),
    "parse": ListedCommand("hl7v2", "Print the messages of an HL7 v2 file as JSON."),
    "validate": ListedCommand("hl7v2", "List what is wrong with HL7 v2 messages."),
    "sources": ListedCommand("sources", "List the sources that are installed."),
    "tables": ListedCommand("sources", "List the tables of a source."),
    "schema": ListedCommand("sources", "Print the columns, keys and cursor of a table."),
    "check-source": ListedCommand("sources", "Try the connection to a source."),
    "read": ListedCommand("read", "Read a table of a source, without Spark."),
    "new-source": ListedCommand("new_source", "Write the skeleton of a connector."),
    "merge": ListedCommand("merge", "Write a source with all that it needs into one Python file."),
    "sample": ListedCommand("sample", "Write synthetic data."),
    "publish": ListedCommand("publish", "Put the wheel into a Volume."),
    "releases": ListedCommand("publish", "List the versions in a Volume."),
    "install-line": ListedCommand("publish", "Print the lines that install a release."),
    "grants": ListedCommand("grants", "Print or carry out the grants that are needed."),
    "connection": ListedCommand("connection", "List, create, update, show, check, delete connections."),
    "plan": ListedCommand("deploy", "Show what 'deploy' would change, and write nothing."),
    "deploy": ListedCommand("deploy", "Bring a pipeline folder into a workspace."),
    "configure": ListedCommand("configure", "Change settings of a pipeline, and nothing else."),
    "delete": ListedCommand("configure", "Delete a pipeline, its tables and its files."),
    "bundle": ListedCommand("bundle", "Write a pipeline folder as a Databricks asset bundle."),
    "start": ListedCommand("updates", "Start an update of a pipeline, and watch it to its end."),
    "watch": ListedCommand("updates", "Watch an update to its end."),
    "status": ListedCommand("updates", "Show how a pipeline is, and its last updates."),
    "logs": ListedCommand("updates", "Print the events of an update."),
    "verify": ListedCommand("verify", "Look whether every table of a pipeline is there."),
}
