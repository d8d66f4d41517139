"""``connector-lib grants``: the SQL of what users, publishers and pipelines need, printed or carried out."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_lib.cli.workspace_options import AsJson, Profile, print_document, say

if TYPE_CHECKING:
    from connector_lib.deploy.grant_statements import Grant

__all__ = ["register"]

_HELP = """\
Print the SQL that grants what is needed: to users reading the wheel and the tables, to publishers writing the wheel, to
a pipeline what its runs need.

Someone who owns the things, or has MANAGE on them, runs it; or --apply runs it through a SQL warehouse. Running it
again changes nothing.

\b
Example: connector-lib grants --principal 'data engineers'

\b
Example: connector-lib grants --role pipeline \\
    --principal 8a1f7c2e-0000-0000-0000-000000000000 \\
    --schema main.fhir --connection fhir --apply --warehouse 1234567890abcdef
"""


class _RoleName(str, Enum):
    """Who is to be granted something."""

    user = "user"
    publisher = "publisher"
    pipeline = "pipeline"


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""

    @app.command("grants", help=_HELP, short_help="Print or carry out the grants that are needed.")
    def grants(
        principal: Annotated[
            list[str],
            typer.Option(
                "--principal",
                metavar="NAME",
                help="A user's e-mail address, a group, or a service principal's application id. May be repeated.",
            ),
        ],
        role: Annotated[_RoleName, typer.Option("--role", help="What they are.")] = _RoleName.user,
        volume: Annotated[
            str | None,
            typer.Option(
                "--volume",
                metavar="CATALOG.SCHEMA.VOLUME",
                help="The Volume of the wheel; shared.libraries.python_packages without it.",
            ),
        ] = None,
        catalog: Annotated[
            str | None, typer.Option("--catalog", metavar="CATALOG", help="The catalog of the tables.")
        ] = None,
        schema: Annotated[
            str | None, typer.Option("--schema", metavar="[CATALOG.]SCHEMA", help="The schema of the tables.")
        ] = None,
        connection: Annotated[
            list[str] | None,
            typer.Option("--connection", metavar="NAME", help="A connection. May be repeated."),
        ] = None,
        reads: Annotated[
            list[str] | None,
            typer.Option(
                "--reads",
                metavar="CATALOG.SCHEMA[.TABLE]",
                help="A schema or table that is read besides. May be repeated.",
            ),
        ] = None,
        files: Annotated[
            list[str] | None,
            typer.Option(
                "--files", metavar="CATALOG.SCHEMA.VOLUME", help="A Volume whose files are read. May be repeated."
            ),
        ] = None,
        may_create: Annotated[
            bool,
            typer.Option(
                "--may-create", help="Also what making the schema, the Volume or a connection needs, by the role."
            ),
        ] = False,
        apply: Annotated[bool, typer.Option("--apply", help="Run the statements, one after the other.")] = False,
        warehouse: Annotated[
            str | None,
            typer.Option(
                "--warehouse",
                metavar="ID",
                envvar="DATABRICKS_WAREHOUSE_ID",
                help="The SQL warehouse that --apply runs them in.",
            ),
        ] = None,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> None:
        from connector_lib.deploy.grant_statements import GrantRequest, grants_for
        from connector_lib.deploy.volume_files import DEFAULT_VOLUME
        from connector_lib.errors import UsageError

        if apply and not warehouse:
            raise UsageError("--apply needs a SQL warehouse", hint="--warehouse ID; its page in the workspace names it")
        needed = grants_for(
            GrantRequest(
                principal,
                role.value,
                volume or DEFAULT_VOLUME,
                catalog,
                schema,
                connection or (),
                reads or (),
                files or (),
                may_create,
            )
        )
        if apply:
            _apply(needed, str(warehouse), profile, as_json)
        elif as_json:
            print_document([_described(grant) for grant in needed])
        else:
            for grant in needed:
                typer.echo(f"{grant.statement};")
        if role is _RoleName.user and schema is None and not reads:
            say("note: no table can be read by this; --schema CATALOG.SCHEMA adds those of a schema")


def _apply(needed: list[Grant], warehouse: str, profile: str | None, as_json: bool) -> None:
    """Runs the statements up to the first that fails, and says which are done."""
    from connector_lib.deploy.sql_statements import run_statement
    from connector_lib.deploy.workspace import open_workspace
    from connector_lib.errors import WorkspaceError

    workspace = open_workspace(profile)
    done: list[Grant] = []
    try:
        for grant in needed:
            run_statement(workspace, warehouse, grant.statement)
            done.append(grant)
            if not as_json:
                typer.echo(f"done  {grant.statement}")
    except WorkspaceError as error:
        left = len(needed) - len(done)
        say(f"{len(done)} of {len(needed)} grants are done, {left} are left; running it again does no harm")
        if as_json:
            states = ["done"] * len(done) + ["failed"] + ["left"] * (left - 1)
            print_document([_described(grant) | {"state": it} for grant, it in zip(needed, states, strict=True)])
        raise error
    if as_json:
        print_document([_described(grant) | {"state": "done"} for grant in needed])
    say(f"{len(done)} grants are done")


def _described(grant: Grant) -> dict[str, Any]:
    return {
        "privileges": list(grant.privileges),
        "kind": grant.kind,
        "name": ".".join(grant.name),
        "principal": grant.principal,
        "statement": grant.statement,
    }
