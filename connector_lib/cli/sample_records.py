"""``connector-lib sample records``: a small REST API with synthetic records, to write a connector for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from connector_lib.cli.sample_serving import free_port_or_said_so, serve_until_stopped, serve_while_running

if TYPE_CHECKING:
    from connector_lib.testing.records_api import RecordsTable

__all__ = ["RECORDS_HELP", "records"]

_BASE_URL_VARIABLE: Final = "RECORDS_BASE_URL"
_PORT: Final = 8080
_DELETED: Final = 10
"""One of so many visits is deleted."""

RECORDS_HELP: Final = f"""Serve a small REST API: the one that a new connector reads.

\b
Example: connector-lib sample records

\b
Example: connector-lib sample records -- \\
    sh -c 'curl ${_BASE_URL_VARIABLE}/tables/wards'

It answers on 127.0.0.1 with the tables visits and wards, page by page, with times of change and a list of what was
deleted. 'connector-lib new-source' writes a connector that reads it. Words behind -- are a command that runs while the
server does, and ends it; the server's address is in its environment variable {_BASE_URL_VARIABLE}. Without a command
the address is printed, and Ctrl-C ends the server.
"""


def records(
    command: Annotated[list[str] | None, typer.Argument(metavar="COMMAND", help="What runs meanwhile.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = _PORT,
    visits: Annotated[int, typer.Option(min=0, help="How many visits; one in ten of them is deleted.")] = 100,
    seed: Annotated[int, typer.Option(help="Another seed gives other visits.")] = 0,
) -> None:
    """Serves synthetic records."""
    from connector_lib.samples.visits import sample_visits, sample_wards
    from connector_lib.testing.records_api import RecordsApi

    with free_port_or_said_so(port):
        api = RecordsApi(_tables(), port=port)
    with api:
        api.put("wards", *sample_wards())
        made = list(sample_visits(visits, seed))
        api.put("visits", *made)
        api.delete("visits", *(visit["id"] for visit in made[_DELETED - 1 :: _DELETED]))
        if command:
            raise typer.Exit(serve_while_running(command, _BASE_URL_VARIABLE, api.url))
        serve_until_stopped(api.url, f"{len(api.rows('visits')):,} visits")


def _tables() -> tuple[RecordsTable, ...]:
    from connector_lib.testing.records_api import RecordsTable

    return (
        RecordsTable(
            "visits",
            {
                "id": "string",
                "updated": "timestamp",
                "ward": "string",
                "reason": "string",
                "minutes": "long",
                "cost": "double",
            },
        ),
        RecordsTable("wards", {"id": "string", "name": "string", "beds": "long"}, "snapshot", cursor=None),
    )
