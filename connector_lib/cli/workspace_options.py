"""What the commands that ask a Databricks workspace take alike."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

__all__ = ["AsJson", "Profile", "print_document", "say"]

Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        metavar="NAME",
        envvar="DATABRICKS_CONFIG_PROFILE",
        help="The profile of ~/.databrickscfg to log in with; the environment's login without it.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]


def print_document(document: Any) -> None:
    """Prints a result as one JSON document."""
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def say(text: str) -> None:
    """A line about what is being done, on the error stream."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
