"""Unity Catalog connections: options that are replaced as a whole, and secrets that are never given back."""

from __future__ import annotations

import re
from typing import Any, Final

from connector_lib.testing.exchange import Reply
from tests.servers.workspace.loopback.core import ApiRefusal, Call, Handler
from tests.servers.workspace.loopback.securables import Securable, Securables

__all__ = ["Connections"]

_TYPES: Final = frozenset(
    {
        *("GENERIC_LAKEFLOW_CONNECT", "COMMUNITY", "HTTP", "JDBC", "MYSQL", "POSTGRESQL", "SNOWFLAKE", "SQLSERVER"),
        *("SALESFORCE", "SERVICENOW", "CONFLUENCE", "GITHUB"),
    }
)
_CREATED_WITH: Final = frozenset({"name", "connection_type", "options", "comment", "properties", "read_only"})
_UPDATED_WITH: Final = frozenset({"options", "new_name", "owner", "comment"})
_PLATFORM: Final = frozenset({"sourceName", "externalOptionsAllowList"})
_PAGE: Final = 2


class Connections:
    """The connections of the metastore.

    ``hides_all``: the workspace shows none of a source's own options; otherwise it hides those of :attr:`hides`.
    ``refused`` says why the next creation or update is refused, with ``{token}`` and such standing for the options
    that were sent: some workspaces repeat what they do not like.
    """

    def __init__(self, securables: Securables) -> None:
        self._securables = securables
        self.hides_all = False
        self.hides = frozenset({"password", "token", "client_secret", "private_key", "header_value"})
        self.refused = ""

    def add(
        self,
        name: str,
        options: dict[str, str],
        connection_type: str = "GENERIC_LAKEFLOW_CONNECT",
        owner: str = "admin@example.com",
    ) -> Securable:
        """A connection that somebody made before."""
        info = {"name": name, "connection_type": connection_type, "options": dict(options)}
        return self._securables.add("CONNECTION", name, owner, info)

    def held(self, name: str) -> dict[str, str]:
        """All that the connection holds, secrets among it."""
        return dict(self._securables.get("CONNECTION", name).info["options"])

    @property
    def routes(self) -> dict[str, Handler]:
        base = "/api/2.1/unity-catalog/connections"
        return {
            f"POST {base}": self._create,
            f"GET {base}": self._list,
            f"GET {base}/{{name}}": self._get,
            f"PATCH {base}/{{name}}": self._update,
            f"DELETE {base}/{{name}}": self._delete,
        }

    def _create(self, call: Call) -> Reply:
        body = self._checked(call, _CREATED_WITH)
        self._securables.require(call.user, "CREATE_CONNECTION", "METASTORE", "metastore")
        if body.get("connection_type") not in _TYPES:
            words = f"Connection type '{body.get('connection_type')}' is not supported in this workspace."
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", words)
        if not re.fullmatch(r"[^\x00-\x20./\x7f]{1,255}", str(body.get("name", ""))):
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"'{body.get('name')}' is not a valid name")
        info = {**body, "options": dict(body["options"])}
        return self._shown(self._securables.add("CONNECTION", body["name"], call.user, info))

    def _list(self, call: Call) -> Reply:
        start = int(call.parameters.get("page_token", 0))
        seen = [it for it in self._securables.of_kind("CONNECTION") if self._sees(call.user, it)]
        # An empty page can come before the last: only the token tells the end.
        document: dict[str, Any] = {"connections": [self._document(it) for it in seen[start : start + _PAGE]]}
        if "max_results" not in call.parameters:
            return Reply.json({"connections": [self._document(it) for it in seen]})
        if start + _PAGE < len(seen):
            document["next_page_token"] = str(start + _PAGE)
        return Reply.json(document)

    def _get(self, call: Call) -> Reply:
        connection = self._securables.get("CONNECTION", call.parts["name"])
        if not self._sees(call.user, connection):
            words = f"User does not have USE CONNECTION on Connection '{connection.name}'."
            raise ApiRefusal(403, "PERMISSION_DENIED", words)
        return self._shown(connection)

    def _update(self, call: Call) -> Reply:
        connection = self._owned(call)
        body = self._checked(call, _UPDATED_WITH)
        if "options" in body:
            # ALTER CONNECTION: the new list of options takes the place of the old one.
            connection.info["options"] = dict(body["options"])
        connection.owner = body.get("owner", connection.owner)
        return self._shown(connection)

    def _delete(self, call: Call) -> Reply:
        self._securables.remove(self._owned(call))
        return Reply.json({})

    def _owned(self, call: Call) -> Securable:
        connection = self._securables.get("CONNECTION", call.parts["name"])
        if "MANAGE" not in self._securables.privileges(call.user, connection) and not self._owns(call.user, connection):
            words = f"User does not own Connection '{connection.name}' and has no MANAGE on it."
            raise ApiRefusal(403, "PERMISSION_DENIED", words)
        return connection

    def _owns(self, user: str, connection: Securable) -> bool:
        return user in (connection.owner, self._securables.metastore.owner)

    def _sees(self, user: str, connection: Securable) -> bool:
        privileges = self._securables.privileges(user, connection)
        return bool(privileges & {"USE_CONNECTION", "MANAGE", "ALL_PRIVILEGES"}) or self._owns(user, connection)

    def _checked(self, call: Call, known: frozenset[str]) -> dict[str, Any]:
        body = call.body
        unknown = sorted(set(body) - known)
        if unknown:
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"unknown fields: {', '.join(unknown)}")
        options = body.get("options", {})
        if not all(isinstance(value, str) for value in options.values()):
            raise ApiRefusal(400, "MALFORMED_REQUEST", "options are a map of strings")
        if self.refused:
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", self.refused.format(**options))
        return body

    def _shown(self, connection: Securable) -> Reply:
        return Reply.json(self._document(connection))

    def _document(self, connection: Securable) -> dict[str, Any]:
        shown = {
            name: value
            for name, value in connection.info["options"].items()
            if name in _PLATFORM or not (self.hides_all or name in self.hides)
        }
        return {
            **connection.info,
            "options": shown,
            "name": connection.name,
            "full_name": connection.name,
            "owner": connection.owner,
            "created_by": connection.owner,
            "metastore_id": self._securables.metastore.name,
            "securable_type": "CONNECTION",
        }
