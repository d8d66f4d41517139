"""``connector-lib run``: a pipeline folder on this machine's Spark."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from connector_lib.cli.options import DEFAULT_WAREHOUSE
from connector_lib.cli.output import data_console
from connector_lib.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from connector_lib.local.report import RunReport

__all__ = ["register"]

_HELP = """\
Run a pipeline folder on this machine's Spark.

Reads what is new in the sources since the last run, and keeps the tables in the warehouse folder.

\b
Example: connector-lib run pipelines/hl7v2_files \\
    --set source.storage_path=/data/hl7

\b
Example: connector-lib run pipelines/hl7v2_kafka \\
    --set kafka.servers=127.0.0.1:9092 --set kafka.topic=hl7

\b
Example: connector-lib run pipelines/fhir_api \\
    --connections connections.yml
"""
_SHORT_KINDS: Final = {"streaming table": "stream", "materialized view": "view"}
_STOPPED: Final = """\
streaming tables keep every batch that was finished, and the next run goes on from there;
materialized views that were not finished may be empty until the next run rebuilds them
"""


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("run", help=_HELP)
    def run(
        context: typer.Context,
        pipeline_dir: Annotated[
            Path, typer.Argument(metavar="PIPELINE_DIR", help="The folder that holds spark-pipeline.yml.")
        ],
        settings: Annotated[
            list[str] | None,
            typer.Option(
                "--set", metavar="KEY=VALUE", help="Give a setting of the pipeline another value. May be repeated."
            ),
        ] = None,
        full_refresh: Annotated[
            bool, typer.Option("--full-refresh", help="Empty every table and read all sources again.")
        ] = False,
        warehouse: Annotated[
            Path, typer.Option("--warehouse", metavar="DIR", help="Where tables and checkpoints are kept.")
        ] = DEFAULT_WAREHOUSE,
        cores: Annotated[
            int | None, typer.Option("--cores", min=1, metavar="N", help="Processors to use; all without it.")
        ] = None,
        memory: Annotated[
            int | None,
            typer.Option(
                "--memory",
                min=512,
                metavar="MIB",
                envvar="CONNECTOR_LIB_SPARK_MEMORY",
                help="Memory for Spark in MiB; half of the machine's without it, 8192 at most.",
            ),
        ] = None,
        jars: Annotated[
            Path | None,
            typer.Option(
                "--jars",
                metavar="DIR",
                help="Jars for Spark. Without it a pipeline that reads topics of Kafka fetches what it needs, once.",
            ),
        ] = None,
        connections: Annotated[
            Path | None,
            typer.Option(
                "--connections",
                metavar="FILE",
                help="Connections of a pipeline that reads an API; connections.yml beside the pipeline without it.",
            ),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
        verbose: Annotated[
            bool, typer.Option("--verbose", help="Also show Spark's own words when something fails.")
        ] = False,
    ) -> int:
        from connector_lib.cli.progress import progress_on
        from connector_lib.local.requirements import require_local_extra

        require_local_extra()
        from connector_lib.local.runner import RunSettings, run_pipeline
        from connector_lib.project.pipeline import load_pipeline_folder

        if connections is not None and not connections.is_file():
            raise UsageError(f"there is no file '{connections}'", hint="--connections connections.yml")
        folder = load_pipeline_folder(pipeline_dir, _settings(settings or []))
        options = RunSettings(
            warehouse, full_refresh=full_refresh, cores=cores, memory_mb=memory, jars=jars, connections=connections
        )
        try:
            with progress_on(sys.stderr) as observer:
                report = run_pipeline(folder, options, observer)
        except KeyboardInterrupt:
            sys.stderr.write(_STOPPED)
            raise
        if as_json:
            json.dump(report.to_json(), sys.stdout, indent=2)
            sys.stdout.write("\n")
        else:
            _print_report(report, warehouse)
        for error in report.errors:
            sys.stderr.write(f"error: {error}\n")
        if report.errors and (verbose or context.find_root().params["verbose"]):
            sys.stderr.write("\n".join(["", "Spark's own words:", *report.engine_messages, ""]))
        elif report.errors:
            sys.stderr.write("  '--verbose' shows Spark's own words\n")
        return 0 if report.state == "completed" else 1


_NAMES_OF_PATHS = ("_path", ".path", ".location")


def _settings(given: list[str]) -> dict[str, str]:
    settings: dict[str, str] = {}
    for entry in given:
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"--set '{entry}' is not KEY=VALUE", hint="--set source.storage_path=/data/hl7")
        settings[key.strip()] = _absolute(value) if key.strip().endswith(_NAMES_OF_PATHS) else value
    return settings


def _absolute(path: str) -> str:
    """A path as the person at the keyboard means it: from where they are, not from the pipeline's folder."""
    is_address = "://" in path or path.startswith(("/", "file:")) or not path.strip()
    return path if is_address else str(Path(path).expanduser().absolute())


def _print_report(report: RunReport, warehouse: Path) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    console = data_console()
    title = f"{report.pipeline}: {report.state} in {report.seconds} s"
    table = Table(box=box.SIMPLE_HEAD, title=Text(title), title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
    # A long name is folded, never cut: it is what 'show' is called with.
    table.add_column("dataset", overflow="fold")
    with_kinds = len({dataset.kind for dataset in report.datasets}) > 1
    if with_kinds:
        table.add_column("kind", no_wrap=True)
    for heading in ("new rows", "all rows", "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for dataset in report.datasets:
        table.add_row(
            Text(dataset.name),
            *([_SHORT_KINDS.get(dataset.kind, dataset.kind)] if with_kinds else []),
            _number(dataset.rows_written),
            _number(dataset.rows),
            "-" if dataset.seconds is None else f"{dataset.seconds:.1f}",
            dataset.state,
        )
    console.print(table)
    if report.quality:
        console.print(_quality_table(report))
    for note in report.notes:
        console.print(f"note: {note}", soft_wrap=True)
    where = "" if warehouse == DEFAULT_WAREHOUSE else f" --warehouse {shlex.quote(str(warehouse))}"
    console.print(f"'connector-lib show TABLE{where}' prints rows of a table", soft_wrap=True)


def _quality_table(report: RunReport) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD, title="quality rules", title_justify="left", pad_edge=False, padding=(0, 1, 0, 0)
    )
    for heading in ("dataset", "rule"):
        table.add_column(heading, overflow="fold")
    table.add_column("on failure", no_wrap=True)
    for heading in ("checked", "failed"):
        table.add_column(heading, justify="right", no_wrap=True)
    for count in report.quality:
        table.add_row(
            Text(count.dataset), Text(count.rule), count.action, _number(count.checked), _number(count.failed)
        )
    return table


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
