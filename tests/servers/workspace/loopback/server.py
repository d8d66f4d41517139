"""A Databricks workspace on loopback, as far as ``databricks-sdk`` asks it: state, permissions, and faults on demand.

>>> with LoopbackWorkspace() as workspace:
...     workspace.url, workspace.token
('http://127.0.0.1:…', 'token-of-ann')
"""

from __future__ import annotations

from types import TracebackType
from typing import Final

from connector_lib.testing.exchange import Reply
from connector_lib.testing.wire import Listener
from tests.servers.workspace.loopback.catalog import Catalog
from tests.servers.workspace.loopback.connections import Connections
from tests.servers.workspace.loopback.core import Call, Desk, Handler
from tests.servers.workspace.loopback.files import Files
from tests.servers.workspace.loopback.permissions import Permissions
from tests.servers.workspace.loopback.pipelines import Pipelines
from tests.servers.workspace.loopback.securables import Securables
from tests.servers.workspace.loopback.statements import Statements
from tests.servers.workspace.loopback.updates import Updates
from tests.servers.workspace.loopback.workspace_files import WorkspaceFiles

__all__ = ["ADMIN", "ANN", "BOB", "LoopbackWorkspace"]

ADMIN: Final = "admin@example.com"
ANN: Final = "ann@example.com"
BOB: Final = "bob@example.com"


class LoopbackWorkspace:
    """The workspace, a context manager. ``desk`` takes the faults and has the log of requests.

    Three users log in with the tokens ``token-of-admin`` (owns the metastore), ``token-of-ann`` and ``token-of-bob``;
    ``user`` says whose token ``token`` is.
    """

    def __init__(self, user: str = ADMIN) -> None:
        self.user = user
        self.desk = Desk({self.token_of(name): name for name in (ADMIN, ANN, BOB)})
        self.securables = Securables()
        self.files = Files(self.securables)
        self.catalog = Catalog(self.securables, self.files)
        self.permissions = Permissions(self.securables, (ADMIN, ANN, BOB))
        self.statements = Statements(self.permissions)
        self.connections = Connections(self.securables)
        self.desk.add([self.permissions, self.statements, self.connections])
        self.groups: dict[str, list[str]] = {}
        self.desk.add([_Users(self.groups), self.files, self.catalog])
        self.pipelines = Pipelines(self)
        self.workspace_files = WorkspaceFiles(self)
        self.desk.add([self.pipelines, self.workspace_files])
        self.updates = Updates(self)
        self.desk.add([self.updates])
        self._listener = Listener(self.desk.answer, 0)

    @staticmethod
    def token_of(user: str) -> str:
        """The token that ``user`` logs in with."""
        return f"token-of-{user.partition('@')[0]}"

    @property
    def url(self) -> str:
        """The host, as ``DATABRICKS_HOST`` takes it."""
        return f"http://127.0.0.1:{self._listener.port}"

    @property
    def token(self) -> str:
        """The token of :attr:`user`, as ``DATABRICKS_TOKEN`` takes it."""
        return self.token_of(self.user)

    def __enter__(self) -> LoopbackWorkspace:
        self._listener.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.stop()
        if self.desk.errors and error is None:
            raise self.desk.errors[0]


class _Users:
    """Who is asking, and the groups that they belong to."""

    def __init__(self, groups: dict[str, list[str]]) -> None:
        self._groups = groups

    @property
    def routes(self) -> dict[str, Handler]:
        return {"GET /api/2.0/preview/scim/v2/Me": self._me}

    def _me(self, call: Call) -> Reply:
        groups = [{"display": group, "value": group} for group in self._groups.get(call.user, ())]
        name = call.user.partition("@")[0]
        return Reply.json({"id": "1", "userName": call.user, "displayName": name, "groups": groups})
