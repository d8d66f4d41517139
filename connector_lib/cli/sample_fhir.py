"""``connector-lib sample fhir``: synthetic FHIR resources, as files or from a server on loopback."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from connector_lib.cli.sample_serving import free_port_or_said_so, serve_until_stopped, serve_while_running
from connector_lib.errors import UsageError

if TYPE_CHECKING:
    from connector_lib.testing.fhir_store import FhirStore

__all__ = ["FHIR_HELP", "fhir"]

_BASE_URL_VARIABLE: Final = "FHIR_BASE_URL"
_PORT: Final = 8480
_NOON: Final = timedelta(hours=12)
_REST_OF_DAY: Final = timedelta(hours=11, minutes=59)

FHIR_HELP: Final = f"""Write synthetic FHIR R4 resources, or serve them as a FHIR API.

\b
Example: connector-lib sample fhir --patients 50 --out fhir_in

\b
Example: connector-lib sample fhir --serve

\b
Example: connector-lib sample fhir --serve --days 2 -- \\
    connector-lib run pipelines/fhir_api

The same options give the same resources. --days says how many days have passed: on each, some patients are seen,
move or leave, and some observations are corrected or deleted. --out writes what is there at the end as NDJSON, a file
a type.

--serve answers on 127.0.0.1, with searches, histories and bulk exports; its clock stands in the afternoon of the last
day. Words behind -- are a command that runs while the server does, and ends it; the server's address is in its
environment variable {_BASE_URL_VARIABLE}. Without a command the address is printed, and Ctrl-C ends the server. A
pipeline goes on where it was only at the same address, and so at the same --port.
"""


def fhir(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="With --serve: what runs meanwhile.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the files; made when it is not there. Either this or --serve.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the resources on this machine.")] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help=f"With --serve: {_PORT} when left out; 0 takes a free one.")
    ] = None,
    patients: Annotated[int, typer.Option(min=0, help="How many patients; each has about 24 resources.")] = 20,
    seed: Annotated[int, typer.Option(help="Another seed gives other resources.")] = 0,
    days: Annotated[int, typer.Option(min=1, help="How many days have passed.")] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the sample files of an earlier run in that folder.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --out: print how many resources of each type there are, as JSON.")
    ] = False,
) -> None:
    """Writes or serves synthetic FHIR resources."""
    if (out is None) == (not serve):
        raise UsageError(
            "either --out or --serve says where the resources go" + (", not both" if serve else ""),
            hint="--out fhir_in, or --serve",
        )
    if out is not None:
        if port is not None or command:
            raise UsageError(
                f"{'--port' if port is not None else 'a command'} goes with --serve, not with --out",
                hint="leave it out, or serve the resources",
            )
        _write(out, patients, seed, days, overwrite, as_json)
        return
    if overwrite or as_json:
        raise UsageError(
            f"{'--overwrite' if overwrite else '--json'} goes with --out, not with --serve", hint="leave it out"
        )
    _serve(patients, seed, days, _PORT if port is None else port, command or [])


def sample_clock(days: int, monotonic: Callable[[], float] = time.monotonic) -> Callable[[], datetime]:
    """A clock that starts at noon of day ``days``, behind all of its changes, and never reaches the next day.

    >>> sample_clock(2, lambda: 5.0)().isoformat()
    '2026-01-02T12:00:00+00:00'
    """
    from connector_lib.samples.fhir import FIRST_DAY

    noon = FIRST_DAY + timedelta(days=days - 1) + _NOON
    begin = monotonic()
    return lambda: noon + min(timedelta(seconds=monotonic() - begin), _REST_OF_DAY)


def sample_store(patients: int, seed: int, days: int, clock: Callable[[], datetime]) -> FhirStore:
    """All writes and deletes of the sample days, in a store that a server can answer from."""
    from connector_lib.samples.fhir import sample_changes
    from connector_lib.testing.fhir_store import FhirStore

    store = FhirStore(clock=clock)
    for change in sample_changes(patients, seed, days=days):
        if change.resource is None:
            store.delete(change.resource_type, change.id, at=change.time)
        else:
            store.put(change.resource, at=change.time)
    return store


def _write(out: Path, patients: int, seed: int, days: int, overwrite: bool, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from connector_lib.cli.output import data_console
    from connector_lib.samples.fhir import write_ndjson

    terminal = Console(stderr=True)
    with terminal.status(f"writing {patients:,} patients") if terminal.is_terminal else nullcontext():
        counts = write_ndjson(out, patients, seed, days=days, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps(counts))
        return
    table = Table("resource type", "resources")
    table.columns[1].justify = "right"
    for kind, number in counts.items():
        table.add_row(kind, f"{number:,}")
    console = data_console()
    console.print(table)
    console.print(f"{sum(counts.values()):,} resources in {out}", soft_wrap=True)


def _serve(patients: int, seed: int, days: int, port: int, command: list[str]) -> None:
    from connector_lib.testing.fhir_server import FhirServer

    store = sample_store(patients, seed, days, sample_clock(days))
    with free_port_or_said_so(port):
        server = FhirServer(store, port=port)
    with server:
        if command:
            raise typer.Exit(serve_while_running(command, _BASE_URL_VARIABLE, server.url))
        serve_until_stopped(server.url, f"{patients:,} patients on day {days}")
