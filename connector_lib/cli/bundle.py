"""``connector-lib bundle``: a pipeline folder as a Databricks asset bundle."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Final

import typer

from connector_lib.cli.workspace_options import AsJson, print_document, say
from connector_lib.errors import UsageError

__all__ = ["register"]

_HELP = """\
Write a pipeline folder as a Databricks asset bundle.

The bundle has the targets dev and prod, the wheel as a pinned dependency, a job, and a README that says how to deploy
it. Nothing is asked of a workspace.

\b
Example: connector-lib bundle pipelines/hl7v2_files --out bundle \\
    --catalog main --schema clinic --wheel 0.1.0
"""
_DAILY: Final = "0 0 3 * * ?"


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("bundle", help=_HELP)
    def bundle(
        pipeline_dir: Annotated[
            Path, typer.Argument(metavar="PIPELINE_DIR", help="The folder that holds spark-pipeline.yml.")
        ],
        out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to write: new, or of a bundle.")],
        wheel: Annotated[
            str | None,
            typer.Option(
                "--wheel",
                metavar="VERSION",
                help="The version of connector_lib, or its path in a Volume; without it that of deploy.yml, or this.",
            ),
        ] = None,
        volume: Annotated[
            str | None,
            typer.Option("--volume", metavar="CATALOG.SCHEMA.VOLUME", help="The Volume that has the wheels."),
        ] = None,
        catalog: Annotated[
            str | None, typer.Option("--catalog", metavar="NAME", help="The catalog of the tables, in every target.")
        ] = None,
        schema: Annotated[
            str | None, typer.Option("--schema", metavar="NAME", help="The schema of the tables, in every target.")
        ] = None,
        schedule: Annotated[
            str, typer.Option("--schedule", metavar="CRON", help="When the job runs, as a Quartz cron expression.")
        ] = _DAILY,
        timezone: Annotated[
            str, typer.Option("--timezone", metavar="NAME", help="The time zone of the schedule.")
        ] = "UTC",
        force: Annotated[
            bool, typer.Option("--force", help="Overwrite files that others wrote, or that were changed by hand.")
        ] = False,
        as_json: AsJson = False,
    ) -> int:
        from connector_lib.deploy.bundle import BundleOptions, build_bundle
        from connector_lib.deploy.bundle_folder import write_bundle
        from connector_lib.deploy.workspace import require_deploy_extra
        from connector_lib.project.pipeline import load_pipeline_folder
        from connector_lib.project.transformation_rules import check_pipeline

        require_deploy_extra()
        breaches = check_pipeline(pipeline_dir)
        for breach in breaches:
            say(f"{breach}")
        if breaches:
            say("error: nothing is written: the pipeline folder breaks the rules above")
            return 1
        folder = load_pipeline_folder(pipeline_dir)
        if out.absolute().is_relative_to(folder.root):
            raise UsageError(f"'{out}' is inside the pipeline folder", hint="name a folder outside of it with --out")
        overrides = {"catalog": catalog, "schema": schema}
        options = BundleOptions(wheel, volume, _schedule(schedule), timezone, overrides)
        made = build_bundle(folder, options)
        written = write_bundle(made.files, out, force=force)
        if as_json:
            print_document(
                {
                    "folder": str(out),
                    "targets": made.targets,
                    "files": [{"path": entry.path, "state": entry.state} for entry in written],
                }
            )
        else:
            for entry in written:
                typer.echo(f"{entry.state:9} {out / entry.path}")
        say(f"next: cd {shlex.quote(str(out))} && databricks bundle validate --strict; README.md goes on from there")
        return 0


def _schedule(written: str) -> str:
    """A Quartz cron expression has six fields or seven; one of the shell has five."""
    if len(written.split()) not in (6, 7):
        raise UsageError(
            f"--schedule '{written}' is no Quartz cron expression",
            hint="seconds minutes hours day month weekday, such as '0 0 3 * * ?' for three o'clock every day",
        )
    return " ".join(written.split())
