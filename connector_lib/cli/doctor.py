"""``connector-lib doctor``: what is there, what is missing, how to mend it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from connector_lib.cli.options import DEFAULT_WAREHOUSE

__all__ = ["register"]

_HELP = """\
Say what local runs need, what of it is there, and how to get the rest.

Ends with exit code 1 where something needed is missing.

Example: connector-lib doctor
"""


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("doctor", help=_HELP, short_help="Say what local runs need and how to get it.")
    def doctor(
        warehouse: Annotated[
            Path, typer.Option("--warehouse", metavar="DIR", help="The warehouse folder to look at.")
        ] = DEFAULT_WAREHOUSE,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    ) -> int:
        from connector_lib.local.requirements import check_machine

        checks = check_machine(warehouse)
        missing = [check for check in checks if check.needed and not check.ok]
        if as_json:
            document = {"ok": not missing, "checks": [check.to_json() for check in checks]}
            sys.stdout.write(json.dumps(document, indent=2) + "\n")
            return 1 if missing else 0
        for check in checks:
            sign = "ok     " if check.ok else "missing" if check.needed else "-      "
            typer.echo(f"{sign}  {check.name:<15} {check.found}")
            if check.mend and not check.ok:
                typer.echo(f"{'':<25}{check.mend}")
        typer.echo("local runs will work" if not missing else f"{len(missing)} needed for local runs is missing")
        return 1 if missing else 0
