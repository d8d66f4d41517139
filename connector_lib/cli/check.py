"""``connector-lib check``: what the files of a pipeline must not do, found without running them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector_lib.cli.workspace_options import AsJson, print_document

if TYPE_CHECKING:
    from connector_lib.project.transformation_rules import RuleBreach

__all__ = ["register"]

_HELP = """\
Look through a pipeline folder for what pipelines must not do.

Reads the files without running them, and needs neither Spark nor a workspace. Prints a line for every breach: file,
line, what is wrong, and what to write instead. Ends with 1 where there is one.

\b
Example: connector-lib check pipelines/hl7v2_files

\b
Example: connector-lib check pipelines/* --json
"""


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("check", help=_HELP)
    def check(
        pipeline_dirs: Annotated[
            list[Path],
            typer.Argument(metavar="PIPELINE_DIR", help="Folders that hold spark-pipeline.yml, one or more."),
        ],
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.project.transformation_rules import check_pipeline

        found = {folder: check_pipeline(folder) for folder in pipeline_dirs}
        number = sum(map(len, found.values()))
        if as_json:
            print_document(
                {
                    "breaches": number,
                    "pipelines": [
                        {"folder": str(folder), "breaches": [_as_document(breach) for breach in breaches]}
                        for folder, breaches in found.items()
                    ],
                }
            )
            return 1 if number else 0
        for breaches in found.values():
            for breach in breaches:
                hint = f"; {breach.hint}" if breach.hint else ""
                typer.echo(f"{_shown(breach.file)}:{breach.line}: {breach.message}{hint}")
        folders = "1 pipeline folder" if len(found) == 1 else f"{len(found)} pipeline folders"
        breached = "1 breach" if number == 1 else f"{number} breaches"
        sys.stderr.write(f"{folders} looked through: {breached if number else 'nothing to mend'}\n")
        return 1 if number else 0


def _as_document(breach: RuleBreach) -> dict[str, object]:
    return {
        "file": _shown(breach.file),
        "line": breach.line,
        "rule": breach.rule,
        "message": breach.message,
        "hint": breach.hint,
    }


def _shown(file: Path) -> str:
    """The path as one writes it where one stands; whole for a file elsewhere."""
    here = Path.cwd()
    return os.fspath(file.relative_to(here)) if file.is_relative_to(here) else os.fspath(file)
