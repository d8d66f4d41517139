"""``connector-lib run``: a pipeline folder on this machine's Spark."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector_lib.errors import UsageError

if TYPE_CHECKING:
    from connector_lib.local.report import RunReport

__all__ = ["register"]

_HELP = """\
Run a pipeline folder on this machine's Spark.

Reads what is new in the sources since the last run and keeps the tables in the warehouse folder.

Example: connector-lib run pipelines/hl7v2_files --set source.storage_path=/data/hl7
"""


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("run", help=_HELP)
    def run(
        pipeline_dir: Annotated[Path, typer.Argument(help="The folder that holds spark-pipeline.yml.")],
        settings: Annotated[
            list[str] | None,
            typer.Option("--set", metavar="KEY=VALUE", help="Replace an entry of 'configuration'. May be repeated."),
        ] = None,
        full_refresh: Annotated[
            bool, typer.Option("--full-refresh", help="Empty every table and read all sources again.")
        ] = False,
        warehouse: Annotated[
            Path, typer.Option("--warehouse", metavar="DIR", help="Where tables and checkpoints are kept.")
        ] = Path("local_warehouse"),
        cores: Annotated[int | None, typer.Option(min=1, help="Processors to use. [default: all]")] = None,
        memory: Annotated[
            int | None,
            typer.Option(
                min=512,
                metavar="MIB",
                envvar="CONNECTOR_LIB_SPARK_MEMORY",
                help="Memory for Spark in MiB. [default: half of the machine's, 8192 at most]",
            ),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
        verbose: Annotated[bool, typer.Option("--verbose", help="Show Spark's own words when it fails.")] = False,
    ) -> int:
        from connector_lib.local.runner import RunSettings, run_pipeline
        from connector_lib.project.pipeline import load_pipeline_folder

        folder = load_pipeline_folder(pipeline_dir, _settings(settings or []))
        report = run_pipeline(
            folder,
            RunSettings(warehouse, full_refresh=full_refresh, cores=cores, memory_mb=memory),
        )
        if as_json:
            json.dump(report.to_json(), sys.stdout, indent=2)
            sys.stdout.write("\n")
        else:
            _print_report(report)
        return 0 if report.state == "completed" else 1


def _settings(given: list[str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for entry in given:
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set '{entry}' is not KEY=VALUE", hint="--set source.storage_path=/data/hl7")
        settings[key.strip()] = value
    return settings


def _print_report(report: RunReport) -> None:
    for dataset in report.datasets:
        print(dataset)
    for e in report.errors: print(e)
