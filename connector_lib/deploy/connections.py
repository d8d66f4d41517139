"""Connections of Unity Catalog as the workspace has them: found, listed, made, changed, taken away.

``databricks-sdk`` 0.156 gives None for a type of connection that it does not know, and the types of these are such:
what the types are of is asked of the API itself (Databricks REST API, "Connections").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from connector_lib.deploy.workspace import Workspace
from connector_lib.errors import WorkspaceError
from connector_lib.redaction import Secrets, masked_logs

__all__ = [
    "CONNECTION_TYPES",
    "WorkspaceConnection",
    "create_connection",
    "delete_connection",
    "find_connection",
    "list_connections",
    "replace_options",
]

CONNECTION_TYPES: Final = ("GENERIC_LAKEFLOW_CONNECT", "COMMUNITY")
"""The types of connections that sources of this package are read by; which one a workspace knows depends on its age."""
_API: Final = "/api/2.1/unity-catalog/connections"


@dataclass(frozen=True, slots=True)
class WorkspaceConnection:
    """A connection of Unity Catalog. ``options`` are those that the workspace shows: secrets never are, and some
    workspaces show none but ``sourceName`` and ``externalOptionsAllowList``."""

    name: str
    type: str
    owner: str
    comment: str
    options: Mapping[str, str] = field(repr=False)

    @property
    def source(self) -> str | None:
        """The source that is read through it, None where it names none."""
        return self.options.get("sourceName")

    @property
    def allow_list(self) -> tuple[str, ...]:
        """The options that a read may have beside the connection."""
        listed = self.options.get("externalOptionsAllowList", "")
        return tuple(name.strip() for name in listed.split(",") if name.strip())


def find_connection(workspace: Workspace, name: str) -> WorkspaceConnection | None:
    """The connection ``name``; None where there is none, or none that the login may see by name.

    Raises WorkspaceError, of status 403 where it is there and may not be seen.
    """
    try:
        with workspace.asking(f"read the connection '{name}'"):
            document = _do(workspace, "GET", f"{_API}/{quote(name, safe='')}")
    except WorkspaceError as error:
        if error.status == 404:
            return None
        raise
    return _connection(document)


def list_connections(workspace: Workspace) -> list[WorkspaceConnection]:
    """The connections for sources (:data:`CONNECTION_TYPES`) that the login may see, by name."""
    found: list[WorkspaceConnection] = []
    query: dict[str, Any] = {"max_results": 0}
    while True:
        with workspace.asking("list the connections"):
            page = _do(workspace, "GET", _API, query=query)
        found += map(_connection, page.get("connections", ()))
        if not page.get("next_page_token"):
            break
        query["page_token"] = page["next_page_token"]
    return sorted((it for it in found if it.type in CONNECTION_TYPES), key=lambda it: it.name)


def create_connection(
    workspace: Workspace,
    name: str,
    connection_type: str,
    options: Mapping[str, str],
    *,
    secrets: Iterable[str] = (),
) -> WorkspaceConnection:
    """Makes the connection, which was not there when it was looked for. ``secrets`` are starred out of what the
    workspace says. Raises WorkspaceError, of status 409 where the name is taken."""
    body = {"name": name, "connection_type": connection_type, "options": dict(options)}
    try:
        with _asking(workspace, f"create the connection '{name}'", secrets):
            return _connection(_do(workspace, "POST", _API, body=body))
    except WorkspaceError as error:
        if error.status == 409:
            return _made_by_us(workspace, error, body)
        if error.status != 400:
            raise
        others = " or ".join(it for it in CONNECTION_TYPES if it != connection_type)
        raise _hinted(error, f"some workspaces take another type: --type {others}") from None


def replace_options(
    workspace: Workspace, name: str, options: Mapping[str, str], *, secrets: Iterable[str] = ()
) -> None:
    """Puts ``options`` in the place of all that the connection holds: what is left out is gone, secrets among it
    (Databricks SQL reference, "ALTER CONNECTION")."""
    with _asking(workspace, f"update the connection '{name}'", secrets):
        workspace.client.connections.update(quote(name, safe=""), dict(options))


def delete_connection(workspace: Workspace, name: str) -> None:
    """Takes the connection away. Pipelines that read through it fail from then on."""
    with workspace.asking(f"delete the connection '{name}'"):
        workspace.client.connections.delete(quote(name, safe=""))


def _made_by_us(workspace: Workspace, refusal: WorkspaceError, body: Mapping[str, Any]) -> WorkspaceConnection:
    """The connection, where it is there because the answer to an earlier attempt of ours was lost."""
    there = find_connection(workspace, body["name"])
    if (
        there is not None
        and (there.owner, there.type) == (workspace.user, body["connection_type"])
        and all(there.options.get(name) == body["options"][name] for name in ("sourceName", "externalOptionsAllowList"))
    ):
        return there
    raise _hinted(refusal, "it is somebody else's, whom the login may not see the connections of: take another name")


def _hinted(error: WorkspaceError, hint: str) -> WorkspaceError:
    return WorkspaceError(error.message, hint=hint, status=error.status, error_code=error.error_code)


@contextmanager
def _asking(workspace: Workspace, what: str, secrets: Iterable[str]) -> Iterator[None]:
    """Keeps secrets out of what the workspace says, in every form that they could have there, and out of the SDK's log
    of requests, which has their bodies."""
    values = list(secrets)
    hidden = Secrets(values)
    with masked_logs(lambda: hidden, "databricks.sdk"):
        try:
            # One line is made of what the workspace says: so of a secret that has several.
            with workspace.asking(what, secrets={*values, *(" ".join(value.split()) for value in values)}):
                yield
        except WorkspaceError as error:
            raise WorkspaceError(
                hidden.masked(error.message), hint=error.hint, status=error.status, error_code=error.error_code
            ) from None


def _do(workspace: Workspace, method: str, path: str, **arguments: Any) -> dict[str, Any]:
    answer = workspace.client.api_client.do(method, path, **arguments)
    return answer if isinstance(answer, dict) else {}


def _connection(document: Mapping[str, Any]) -> WorkspaceConnection:
    return WorkspaceConnection(
        name=str(document.get("name", "")),
        type=str(document.get("connection_type", "")),
        owner=str(document.get("owner") or document.get("created_by") or ""),
        comment=str(document.get("comment") or ""),
        options={str(key): str(value) for key, value in (document.get("options") or {}).items()},
    )
