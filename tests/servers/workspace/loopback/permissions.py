"""The grants of securables: what was granted, what holds by inheritance, and changes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from connector_lib.testing.exchange import Reply
from tests.servers.workspace.loopback.core import ApiRefusal, Call, Handler
from tests.servers.workspace.loopback.securables import ACCOUNT_USERS, Securable, Securables

__all__ = ["PRIVILEGES", "Permissions"]

_PAGE: Final = 2
_SHORTEST_PAGE: Final = 150
"""The API refuses a smaller ``max_results`` but for 0."""

_OF_TABLE: Final = frozenset({"SELECT", "MODIFY", "REFRESH", "APPLY_TAG"})
_OF_VOLUME: Final = frozenset({"READ_VOLUME", "WRITE_VOLUME", "APPLY_TAG"})
_IN_SCHEMA: Final = frozenset(
    {"CREATE_TABLE", "CREATE_MATERIALIZED_VIEW", "CREATE_VOLUME", "CREATE_FUNCTION", "CREATE_MODEL", "USE_SCHEMA"}
)
_ALWAYS: Final = frozenset({"ALL_PRIVILEGES", "MANAGE", "BROWSE"})
PRIVILEGES: Final[Mapping[str, frozenset[str]]] = {
    "METASTORE": frozenset({"CREATE_CATALOG", "CREATE_CONNECTION", "CREATE_EXTERNAL_LOCATION"}),
    "CATALOG": _ALWAYS | {"USE_CATALOG", "CREATE_SCHEMA"} | _IN_SCHEMA | _OF_VOLUME | _OF_TABLE,
    "SCHEMA": _ALWAYS - {"BROWSE"} | _IN_SCHEMA | _OF_VOLUME | _OF_TABLE,
    "VOLUME": _ALWAYS - {"BROWSE"} | _OF_VOLUME,
    "TABLE": _ALWAYS - {"BROWSE"} | _OF_TABLE,
    "CONNECTION": _ALWAYS - {"BROWSE"} | {"USE_CONNECTION", "CREATE_FOREIGN_CATALOG"},
}
"""What can be granted on a securable ("Unity Catalog privileges and securable objects"): on a catalog and a schema also
what holds for the things in it."""


class Permissions:
    """Reads and changes grants. ``principals`` are those that exist: users, groups, service principals by their
    application id."""

    def __init__(self, securables: Securables, users: Iterable[str]) -> None:
        self._securables = securables
        self.principals = {*users, ACCOUNT_USERS}

    @property
    def routes(self) -> dict[str, Handler]:
        base = "/api/2.1/unity-catalog"
        return {
            f"GET {base}/metastore_summary": self._metastore,
            f"GET {base}/permissions/{{kind}}/{{name}}": self._granted,
            f"GET {base}/effective-permissions/{{kind}}/{{name}}": self._effective,
            f"PATCH {base}/permissions/{{kind}}/{{name}}": self._change,
        }

    def grant(self, asking: str, privileges: Iterable[str], kind: str, name: str, principal: str) -> None:
        """Grants as ``asking`` does. Raises ApiRefusal where they may not, or it cannot be."""
        securable = self._to_change(asking, kind, name)
        self._check(privileges, securable, principal)
        securable.grants.setdefault(principal, set()).update(privileges)

    def revoke(self, asking: str, privileges: Iterable[str], kind: str, name: str, principal: str) -> None:
        """Takes back what was granted; what was not granted is no error."""
        securable = self._to_change(asking, kind, name)
        self._check(privileges, securable, principal)
        left = securable.grants.get(principal, set()) - set(privileges)
        securable.grants.pop(principal, None)
        if left:
            securable.grants[principal] = left

    def _to_change(self, asking: str, kind: str, name: str) -> Securable:
        securable = self._securables.get(kind, name)
        owns = any(level.owner == asking for level in self._securables.above(securable))
        if not owns and "MANAGE" not in self._securables.privileges(asking, securable):
            where = f"{kind.capitalize()} '{name}'"
            raise ApiRefusal(403, "PERMISSION_DENIED", f"User does not own {where} and has no MANAGE on it.")
        return securable

    def _check(self, privileges: Iterable[str], securable: Securable, principal: str) -> None:
        if principal not in self.principals:
            raise ApiRefusal(404, "PRINCIPAL_DOES_NOT_EXIST", f"Could not find principal with name {principal}")
        for privilege in privileges:
            if privilege not in PRIVILEGES[securable.kind]:
                words = f"Privilege {privilege.replace('_', ' ')} is not applicable to this entity"
                raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"{words} [{securable.name}:{securable.kind}].")

    def _metastore(self, call: Call) -> Reply:
        metastore = self._securables.metastore
        return Reply.json({"metastore_id": metastore.name, "name": "metastore", "owner": metastore.owner})

    def _granted(self, call: Call) -> Reply:
        securable = self._securables.get(call.parts["kind"], call.parts["name"])
        assignments = [
            {"principal": principal, "privileges": sorted(privileges)}
            for principal, privileges in self._shown(call, securable)
        ]
        return Reply.json(_page(call, "privilege_assignments", assignments))

    def _effective(self, call: Call) -> Reply:
        securable = self._securables.get(call.parts["kind"], call.parts["name"])
        found: dict[str, list[dict[str, str]]] = {}
        for level in self._securables.above(securable):
            # What is granted on the metastore holds for nothing in it.
            if level is self._securables.metastore and level is not securable:
                continue
            origin = (
                {} if level is securable else {"inherited_from_type": level.kind, "inherited_from_name": level.name}
            )
            for principal, privileges in self._shown(call, level):
                found.setdefault(principal, []).extend({"privilege": it, **origin} for it in sorted(privileges))
        assignments = [{"principal": principal, "privileges": found[principal]} for principal in found]
        return Reply.json(_page(call, "privilege_assignments", assignments))

    def _shown(self, call: Call, securable: Securable) -> Iterator[tuple[str, set[str]]]:
        """The grants that ``call`` gets to see: a principal is one by its own name, groups are not looked into, and who
        does not manage the securable sees their own and those of all."""
        manages = any(level.owner == call.user for level in self._securables.above(securable))
        for principal, privileges in securable.grants.items():
            asked_for = principal == call.parameters.get("principal", principal)
            if asked_for and (manages or principal in (call.user, ACCOUNT_USERS)):
                yield principal, privileges

    def _change(self, call: Call) -> Reply:
        kind, name = call.parts["kind"].upper(), call.parts["name"]
        if set(call.body) != {"changes"}:
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"unknown fields in {sorted(call.body)}")
        for change in call.body["changes"]:
            self.grant(call.user, change.get("add", ()), kind, name, change["principal"])
            self.revoke(call.user, change.get("remove", ()), kind, name, change["principal"])
        return self._granted(call)


def _page(call: Call, key: str, entries: list[Any]) -> dict[str, Any]:
    """All entries where no ``max_results`` is asked for, otherwise one page; a page may be empty and not the last."""
    if "max_results" not in call.parameters:
        return {key: entries}
    if 0 != int(call.parameters["max_results"]) < _SHORTEST_PAGE:
        raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"max_results must be 0 or at least {_SHORTEST_PAGE}")
    token = call.parameters.get("page_token")
    if token is None and entries:
        return {key: [], "next_page_token": "0"}
    start = int(token or 0)
    page: dict[str, Any] = {key: entries[start : start + _PAGE]}
    if start + _PAGE < len(entries):
        page["next_page_token"] = str(start + _PAGE)
    return page
