"""``connector-lib connection``: the Unity Catalog connections that sources are read through."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_lib.cli.connection_options import ConnectionArgument, FromConnections, Prompts, SourceOption, Typed
from connector_lib.cli.output import visible
from connector_lib.cli.source_options import ConnectionsFile, OptionsFile, OptionTexts
from connector_lib.cli.workspace_options import AsJson, Profile, print_document, say

if TYPE_CHECKING:
    from connector_lib.deploy.connection_changes import ConnectionUpdate, OptionChange
    from connector_lib.deploy.connections import WorkspaceConnection
    from connector_lib.deploy.connector_spec import SourceTerms
    from connector_lib.deploy.workspace import Workspace

__all__ = ["register"]

_GROUP_HELP = """\
The connections of Unity Catalog that sources are read through: list, create, update, show, check, delete.

A secret is never an argument: it comes from a file, an environment variable or a prompt.

\b
Example: connector-lib connection create fhir --source fhir \\
    --option base_url=https://ehr.example.org/fhir \\
    --option auth_type=bearer --option token='${FHIR_TOKEN}'
"""
_LIST_HELP = """\
List the connections for sources that the login may see.

\b
Example: connector-lib connection list --profile prod
"""
_CREATE_HELP = """\
Create a connection, with the options that the source takes ('connector-lib sources SOURCE').

\b
Example: connector-lib connection create fhir --source fhir \\
    --option base_url=https://ehr.example.org/fhir \\
    --option auth_type=bearer --prompt token

\b
Example: connector-lib connection create fhir --from-connections
"""
_UPDATE_HELP = """\
Change options of a connection, and show what changes.

The workspace replaces all options. Those that it shows are kept; secrets it shows to nobody, so give them again. An
empty value takes an option away.

\b
Example: connector-lib connection update fhir \\
    --option page_size=500 --option token='${FHIR_TOKEN}'
"""
_SHOW_HELP = """\
Show what the workspace tells of a connection; secrets it tells to nobody.

\b
Example: connector-lib connection show fhir --json
"""
_CHECK_HELP = """\
Compare a connection with what its source needs; with options, ask the source as well.

What the workspace shows need not be given; secrets have to be. Ends with 1 where something is wrong.

\b
Example: connector-lib connection check fhir \\
    --option token='${FHIR_TOKEN}'
"""
_DELETE_HELP = """\
Delete a connection. Pipelines that read through it fail from then on.

\b
Example: connector-lib connection delete fhir --yes
"""


class _TypeName(str, Enum):
    """The types of connections that sources are read through."""

    GENERIC_LAKEFLOW_CONNECT = "GENERIC_LAKEFLOW_CONNECT"
    COMMUNITY = "COMMUNITY"


Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def register(app: typer.Typer) -> None:
    """Adds the commands to ``app``."""
    group = typer.Typer(help=_GROUP_HELP, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(group, name="connection", short_help="List, create, update, show, check, delete connections.")

    @group.command("list", help=_LIST_HELP, short_help="List the connections for sources.")
    def list_(profile: Profile = None, as_json: AsJson = False) -> None:
        _list(profile, as_json)

    @group.command("create", help=_CREATE_HELP, short_help="Create a connection.")
    def create(
        name: ConnectionArgument,
        source: SourceOption = None,
        option: OptionTexts = None,
        options: OptionsFile = None,
        prompt: Prompts = None,
        from_connections: FromConnections = False,
        connections: ConnectionsFile = None,
        type_: Annotated[
            _TypeName, typer.Option("--type", help="The type; newer workspaces call it COMMUNITY.")
        ] = _TypeName.GENERIC_LAKEFLOW_CONNECT,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> None:
        _create(
            Typed(name, source, from_connections, connections, option, options, prompt), type_.value, profile, as_json
        )

    @group.command("update", help=_UPDATE_HELP, short_help="Change options of a connection.")
    def update(
        name: ConnectionArgument,
        source: SourceOption = None,
        option: OptionTexts = None,
        options: OptionsFile = None,
        prompt: Prompts = None,
        from_connections: FromConnections = False,
        connections: ConnectionsFile = None,
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
        yes: Yes = False,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> None:
        typed = Typed(name, source, from_connections, connections, option, options, prompt)
        _update(typed, dry_run, yes, profile, as_json)

    @group.command("show", help=_SHOW_HELP, short_help="Show what the workspace tells of a connection.")
    def show(name: ConnectionArgument, profile: Profile = None, as_json: AsJson = False) -> None:
        _show(name, profile, as_json)

    @group.command("check", help=_CHECK_HELP, short_help="Compare a connection with its source, and try it.")
    def check(
        name: ConnectionArgument,
        source: SourceOption = None,
        option: OptionTexts = None,
        options: OptionsFile = None,
        prompt: Prompts = None,
        from_connections: FromConnections = False,
        connections: ConnectionsFile = None,
        profile: Profile = None,
        as_json: AsJson = False,
    ) -> None:
        _check(Typed(name, source, from_connections, connections, option, options, prompt), profile, as_json)

    @group.command("delete", help=_DELETE_HELP, short_help="Delete a connection.")
    def delete(name: ConnectionArgument, yes: Yes = False, profile: Profile = None) -> None:
        _delete(name, yes, profile)


def _list(profile: str | None, as_json: bool) -> None:
    from connector_lib.cli.rows import print_rows
    from connector_lib.deploy.connections import list_connections
    from connector_lib.deploy.workspace import open_workspace

    found = list_connections(open_workspace(profile))
    rows = [{"connection": it.name, "type": it.type, "source": it.source, "owner": it.owner} for it in found]
    if as_json:
        print_document(rows)
    else:
        print_rows("connections", ["connection", "type", "source", "owner"], rows)


def _create(typed: Typed, type_: str, profile: str | None, as_json: bool) -> None:
    from connector_lib.deploy.connection_changes import check_is_ours
    from connector_lib.deploy.connections import create_connection, find_connection
    from connector_lib.deploy.workspace import open_workspace
    from connector_lib.errors import WorkspaceError

    _check_name(typed.name)
    given = typed.given()
    terms = given.terms
    with given.wrong_usage():
        options = terms.checked(given.options, f"connection '{typed.name}'")
    workspace = open_workspace(profile)
    there = find_connection(workspace, typed.name)
    if there is not None:
        check_is_ours(workspace, there)
        mine = there.owner == workspace.user
        raise WorkspaceError(
            f"{workspace.host}: there is a connection '{there.name}' already, for the source '{there.source}'; it"
            f" belongs to {there.owner}",
            hint=f"connector-lib connection {'update' if mine else 'show'} {there.name}{workspace.option}"
            + ("" if mine else ", or take another name"),
            status=409,
        )
    created = create_connection(
        workspace,
        typed.name,
        type_,
        {**options, **terms.platform_options()},
        secrets=terms.secret_values(options),
    )
    if as_json:
        print_document(_described(created, terms))
    say(f"the connection '{created.name}' for the source '{terms.source}' is created")


def _update(typed: Typed, dry_run: bool, yes: bool, profile: str | None, as_json: bool) -> None:
    from connector_lib.deploy.connection_changes import check_is_ours, plan_update
    from connector_lib.deploy.connections import replace_options
    from connector_lib.deploy.workspace import open_workspace

    _check_name(typed.name)
    workspace = open_workspace(profile)
    there = _found(workspace, typed.name)
    check_is_ours(workspace, there)
    given = typed.given(there.source)
    terms = given.terms
    check_is_ours(workspace, there, terms.source)
    with given.wrong_usage():
        planned = plan_update(there, terms, given.options)
    goes = planned.changes_anything and not dry_run
    if not as_json:
        _print_changes(there.name, planned.changes)
    if goes:
        _confirm_forgetting(planned, yes)
        replace_options(workspace, there.name, planned.options, secrets=terms.secret_values(planned.options))
    if as_json:
        changes = [{"option": it.option, "change": it.change, "old": it.old, "new": it.new} for it in planned.changes]
        forgotten = list(planned.forgotten)
        print_document({"connection": there.name, "changes": changes, "forgotten": forgotten, "updated": goes})
    if goes:
        say(f"the connection '{there.name}' is updated")
    else:
        say("nothing is changed" if dry_run else f"the connection '{there.name}' has it all already")


def _show(name: str, profile: str | None, as_json: bool) -> None:
    from connector_lib.deploy.workspace import open_workspace

    _check_name(name)
    there = _found(open_workspace(profile), name)
    described = _described(there, _terms_if_known(there.source))
    if as_json:
        print_document(described)
        return
    for key in ("connection", "type", "source", "owner", "comment"):
        typer.echo(f"{key:<12}{visible(str(described[key] or '-'))}")
    typer.echo(f"{'allow-list':<12}{visible(', '.join(described['allow_list']) or '-')}")
    typer.echo("options")
    _print_pairs(described["options"].items())
    if not described["options"]:
        typer.echo("  none that the workspace shows")


def _check(typed: Typed, profile: str | None, as_json: bool) -> None:
    from connector_lib.deploy.connection_changes import check_is_ours, differences, filled_up, secrets_to_give
    from connector_lib.deploy.workspace import open_workspace

    _check_name(typed.name)
    workspace = open_workspace(profile)
    there = _found(workspace, typed.name)
    check_is_ours(workspace, there)
    given = typed.given(there.source)
    terms = given.terms
    problems = differences(there, terms, given.options)
    answer: str | None = None
    if typed.has_options:
        with given.wrong_usage():
            options = terms.checked(filled_up(there, terms, given.options), f"connection '{there.name}'")
        answer = _answer(terms, options)
    if as_json:
        print_document({"connection": there.name, "source": terms.source, "problems": problems, "answer": answer})
    else:
        for problem in problems:
            typer.echo(f"the connection '{there.name}': {visible(problem)}")
        if answer is not None:
            typer.echo(f"the source '{terms.source}' answers: {visible(answer)}")
    if answer is None:
        say("the source was not asked: the workspace gives no secret back; give the options to ask it")
    if problems:
        again = "".join(f" --prompt {secret}" for secret in secrets_to_give(there, terms))
        say(f"'connector-lib connection update {there.name}{again}{workspace.option}' mends the connection")
        raise typer.Exit(1)
    say(f"the connection '{there.name}' is as the source needs it")


def _answer(terms: SourceTerms, options: Mapping[str, str]) -> str:
    """What the source says to a first question. Raises SourceError for what a connector of somebody else's raises, in
    words that hold no secret."""
    from connector_lib.cli.sources import first_answer
    from connector_lib.datasource.connect import OptionsWithoutCase
    from connector_lib.errors import ConnectorLibError, SourceError
    from connector_lib.redaction import Secrets

    try:
        return first_answer(terms.connector_type(OptionsWithoutCase(options)))
    except ConnectorLibError:
        raise
    except Exception as error:  # noqa: BLE001 - any class may be a connector
        said = Secrets(terms.secret_values(options)).masked(f"{type(error).__name__}: {error}")
        raise SourceError(f"the source '{terms.source}' could not be asked: {said}") from None


def _delete(name: str, yes: bool, profile: str | None) -> None:
    from connector_lib.deploy.connection_changes import check_is_ours
    from connector_lib.deploy.connections import delete_connection
    from connector_lib.deploy.workspace import open_workspace

    _check_name(name)
    workspace = open_workspace(profile)
    there = _found(workspace, name)
    check_is_ours(workspace, there)
    _confirm(f"delete the connection '{there.name}' of {there.owner} in {workspace.host}", yes)
    delete_connection(workspace, there.name)
    say(f"the connection '{there.name}' is deleted")


def _check_name(name: str) -> None:
    from connector_lib.deploy.identifiers import object_name

    object_name(name, "NAME", "a name of a connection")


def _found(workspace: Workspace, name: str) -> WorkspaceConnection:
    """The connection. Raises WorkspaceError where it is not there."""
    from connector_lib.deploy.connections import find_connection, list_connections
    from connector_lib.errors import WorkspaceError, did_you_mean

    there = find_connection(workspace, name)
    if there is not None:
        return there
    known = [it.name for it in list_connections(workspace)]
    raise WorkspaceError(
        f"{workspace.host}: there is no connection '{name}'",
        hint=f"{did_you_mean(name, known)}connections for sources: {', '.join(known) or 'none'}",
        status=404,
    )


def _confirm_forgetting(planned: ConnectionUpdate, yes: bool) -> None:
    if planned.forgotten:
        listed = " and ".join(f"'{name}'" for name in planned.forgotten)
        _confirm(f"update without {listed}, which the connection forgets if it holds it", yes)


def _confirm(what: str, yes: bool) -> None:
    from connector_lib.errors import UsageError

    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"not done without --yes: {what}")
    if not typer.confirm(f"{what}?", err=True):
        raise typer.Abort


def _terms_if_known(source: str | None) -> SourceTerms | None:
    """What the source says of its options, where it is installed here."""
    from connector_lib.connector.registry import source_names
    from connector_lib.deploy.connector_spec import source_terms

    return source_terms(source) if source in {it.name for it in source_names()} and source is not None else None


def _described(connection: WorkspaceConnection, terms: SourceTerms | None) -> dict[str, Any]:
    """The connection as a document, without secrets even where the workspace shows them."""
    return {
        "connection": connection.name,
        "type": connection.type,
        "source": connection.source,
        "owner": connection.owner,
        "comment": connection.comment,
        "allow_list": list(connection.allow_list),
        "options": _without_secrets(connection.options, terms),
    }


def _without_secrets(options: Mapping[str, str], terms: SourceTerms | None) -> dict[str, str]:
    import re

    from connector_lib.redaction import SECRET_NAMES

    shown = {name: value for name, value in options.items() if name not in ("sourceName", "externalOptionsAllowList")}
    for name in shown:
        if terms.is_secret(name) if terms is not None else re.search(SECRET_NAMES, name):
            shown[name] = "*****"
    return shown


def _print_changes(name: str, changes: Iterable[OptionChange]) -> None:
    typer.echo(f"connection '{name}'")
    rows = []
    for it in changes:
        values = [value for value in (it.old, it.new) if value is not None]
        shown = values[:1] if it.change == "kept" else values
        rows.append((it.option, f"{it.change:<9} {' -> '.join(shown)}".rstrip()))
    _print_pairs(rows)


def _print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    listed = [(visible(name), visible(value)) for name, value in pairs]
    width = max((len(name) for name, _ in listed), default=0)
    for name, value in listed:
        typer.echo(f"  {name:<{width}}  {value}")
