"""The securables of Unity Catalog: who owns them, and who may do what with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from tests.servers.workspace.loopback.core import ApiRefusal

__all__ = ["ACCOUNT_USERS", "Securable", "Securables"]

ACCOUNT_USERS: Final = "account users"
"""The group that everybody belongs to."""
_ALL: Final = "ALL_PRIVILEGES"


@dataclass(slots=True)
class Securable:
    """A catalog, schema, volume, table or connection. ``kind`` in upper case, ``name`` in full, in lower case;
    ``info`` is what the API answers about it; ``grants`` are privileges by principal."""

    kind: str
    name: str
    owner: str
    info: dict[str, Any] = field(default_factory=dict)
    grants: dict[str, set[str]] = field(default_factory=dict)


class Securables:
    """All securables of a workspace. A privilege on a catalog or schema holds for what is in it."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], Securable] = {}
        self.metastore = self.add("METASTORE", "metastore", "admin@example.com")

    def add(self, kind: str, name: str, owner: str, info: dict[str, Any] | None = None) -> Securable:
        """A new securable. Raises ApiRefusal 409 where it is there."""
        if self.find(kind, name) is not None:
            code = f"{kind}_ALREADY_EXISTS"
            raise ApiRefusal(409, code, f"{kind.capitalize()} '{name}' already exists")
        securable = Securable(kind, name.lower(), owner, info or {})
        self._all[kind, securable.name] = securable
        return securable

    def find(self, kind: str, name: str) -> Securable | None:
        """The securable, or None."""
        return self._all.get((kind.upper(), name.lower()))

    def get(self, kind: str, name: str) -> Securable:
        """The securable. Raises ApiRefusal 404 where it is not there."""
        found = self.find(kind, name)
        if found is None:
            raise ApiRefusal(404, f"{kind.upper()}_DOES_NOT_EXIST", f"{kind.capitalize()} '{name}' does not exist.")
        return found

    def remove(self, securable: Securable) -> None:
        """Takes it away."""
        del self._all[securable.kind, securable.name]

    def of_kind(self, kind: str, inside: str = "") -> list[Securable]:
        """All of a kind by name; only those inside the catalog or schema ``inside`` where it is given."""
        prefix = f"{inside.lower()}." if inside else ""
        found = [it for it in self._all.values() if it.kind == kind and it.name.startswith(prefix)]
        return sorted(found, key=lambda it: it.name)

    def above(self, securable: Securable) -> Iterator[Securable]:
        """The securable itself, its schema, its catalog, the metastore: as far as they are."""
        yield securable
        names = securable.name.split(".")
        if securable.kind not in ("CONNECTION", "METASTORE"):
            if len(names) == 3:
                yield self.get("SCHEMA", ".".join(names[:2]))
            if len(names) >= 2:
                yield self.get("CATALOG", names[0])
        if securable is not self.metastore:
            yield self.metastore

    def privileges(self, user: str, securable: Securable) -> set[str]:
        """What ``user`` may do with it, by themselves and by the group of all; owners may do everything."""
        granted: set[str] = set()
        for level in self.above(securable):
            if level.owner == user:
                granted.add(_ALL)
            granted |= level.grants.get(user, set()) | level.grants.get(ACCOUNT_USERS, set())
        return granted

    def allows(self, user: str, privilege: str, kind: str, name: str) -> bool:
        """Whether ``user`` has ``privilege`` (written with underlines) on the securable."""
        return bool(self.privileges(user, self.get(kind, name)) & {privilege, _ALL})

    def require(self, user: str, privilege: str, kind: str, name: str) -> None:
        """Raises ApiRefusal 403 where :meth:`allows` says no."""
        if not self.allows(user, privilege, kind, name):
            words = privilege.replace("_", " ")
            raise ApiRefusal(403, "PERMISSION_DENIED", f"User does not have {words} on {kind.capitalize()} '{name}'.")
