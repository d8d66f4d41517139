"""``connector-lib merge``: a connector in one Python file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connector_lib.cli.workspace_options import AsJson, print_document, say

__all__ = ["register"]

_HELP = """\
Write a source, with all that it needs, into one Python file: for a workspace that cannot install wheels.

\b
Example: connector-lib merge fhir --out pipelines/fhir/transformations

A pipeline imports register_lakeflow_source from the file and calls it with its Spark session; then the format
"lakeflow_connect" reads the source. The comment at the top of the file names the packages that have to be there.
The file is made anew each time, and the same source gives the same file.
"""


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("merge", help=_HELP, short_help="Write a source with all that it needs into one Python file.")
    def merge(
        source: Annotated[str, typer.Argument(metavar="SOURCE", help="The source, as 'connector-lib sources' has it.")],
        out: Annotated[
            Path,
            typer.Option(
                "--out", metavar="FILE", help="The file; or a folder, for _generated_SOURCE_python_source.py."
            ),
        ],
        include: Annotated[
            list[str] | None,
            typer.Option(
                "--include",
                metavar="PACKAGE",
                help="Merge this package as well: one that the source imports and the workspace does not have. May be "
                "given several times.",
            ),
        ] = None,
        as_json: AsJson = False,
    ) -> None:
        from connector_lib.deploy.single_file.merging import merge_source, merged_file_name
        from connector_lib.deploy.single_file.writing import single_file_path, write_single_file

        # What is wrong with it is said at once, and not after all the work.
        single_file_path(source, out)
        merged = merge_source(source, include or ())
        file = write_single_file(merged, out)
        if as_json:
            print_document(
                {
                    "file": f"{file}",
                    "source": merged.source,
                    "sha256": merged.sha256,
                    "bytes": len(merged.text.encode()),
                    "modules": list(merged.modules),
                    "needs": [one.line for one in merged.requirements if not one.later],
                    "sometimes": [one.line for one in merged.requirements if one.later],
                }
            )
            return
        typer.echo(f"{file}")
        needed = ", ".join(one.line for one in merged.requirements if not one.later)
        say(f"{len(merged.modules)} modules, {len(merged.text.encode()):,} bytes; needs {needed or 'no package'}")
        say(f"in a pipeline: from {file.stem} import register_lakeflow_source")
        if file.name != merged_file_name(source):
            say(f"other tools look for {merged_file_name(source)}")
