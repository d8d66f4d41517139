"""Catalogs, schemas and volumes of Unity Catalog: create, get, list, update, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from connector_lib.testing.exchange import Reply
from tests.servers.workspace.loopback.core import ApiRefusal, Call, Handler
from tests.servers.workspace.loopback.files import Files
from tests.servers.workspace.loopback.securables import Securable, Securables

__all__ = ["Catalog", "refuse_unknown_fields"]

_PAGE: Final = 3
_UPDATES: Final = {
    "CATALOG": {"comment", "enable_predictive_optimization", "isolation_mode", "options", "owner", "properties"},
    "SCHEMA": {"comment", "enable_predictive_optimization", "owner", "properties"},
    "VOLUME": {"comment", "owner"},
}


def refuse_unknown_fields(
    body: Mapping[str, Any], known: AbstractSet[str], required: AbstractSet[str] = frozenset()
) -> None:
    """Raises ApiRefusal 400 where ``body`` has a field that is not in ``known`` or lacks one of ``required``."""
    unknown = sorted(body.keys() - known)
    missing = sorted(required - body.keys())
    if unknown or missing:
        words = f"unknown fields: {', '.join(unknown)}" if unknown else f"missing fields: {', '.join(missing)}"
        raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"The request is invalid, {words}.")


class Catalog:
    """The part of the workspace that has the three levels of Unity Catalog.

    Tests lay the ground with :meth:`add_schema` and :meth:`add_volume`, which make what is above as well.
    """

    def __init__(self, securables: Securables, files: Files) -> None:
        self.securables = securables
        self.files = files

    def add_schema(self, name: str, owner: str = "admin@example.com") -> Securable:
        """The schema ``catalog.schema`` and its catalog, made where they are not there."""
        catalog, _, schema = name.partition(".")
        if self.securables.find("CATALOG", catalog) is None:
            self._add("CATALOG", catalog, owner, {"name": catalog})
        return self.securables.find("SCHEMA", name) or self._add(
            "SCHEMA", name, owner, {"name": schema, "catalog_name": catalog}
        )

    def add_volume(self, name: str, owner: str = "admin@example.com") -> Securable:
        """The volume ``catalog.schema.volume`` and what is above it, made where they are not there."""
        catalog, schema, volume = name.split(".")
        self.add_schema(f"{catalog}.{schema}", owner)
        info = {"name": volume, "catalog_name": catalog, "schema_name": schema, "volume_type": "MANAGED"}
        return self.securables.find("VOLUME", name) or self._add("VOLUME", name, owner, info)

    @property
    def routes(self) -> dict[str, Handler]:
        """The handlers by method and path."""
        found: dict[str, Handler] = {}
        for plural, kind, create, may_see in (
            ("catalogs", "CATALOG", self._create_catalog, self._require_catalog),
            ("schemas", "SCHEMA", self._create_schema, self._require_schema),
            ("volumes", "VOLUME", self._create_volume, self._require_volume),
        ):
            address = f"/api/2.1/unity-catalog/{plural}"
            found |= {
                f"POST {address}": create,
                f"GET {address}": self._lister(plural, kind, may_see),
                f"GET {address}/{{name}}": self._getter(kind, may_see),
                f"PATCH {address}/{{name}}": self._updater(kind),
                f"DELETE {address}/{{name}}": self._remover(kind),
            }
        return found

    def _create_catalog(self, call: Call) -> Reply:
        known = {"comment", "custom_max_retention_hours", "managed_encryption_settings", "name", "options"}
        refuse_unknown_fields(call.body, known | {"properties", "storage_root"}, {"name"})
        self.securables.require(call.user, "CREATE_CATALOG", "METASTORE", "metastore")
        return Reply.json(self._add("CATALOG", call.body["name"], call.user, call.body).info)

    def _create_schema(self, call: Call) -> Reply:
        known = {"catalog_name", "comment", "custom_max_retention_hours", "name", "properties", "storage_root"}
        refuse_unknown_fields(call.body, known, {"catalog_name", "name"})
        catalog = call.body["catalog_name"]
        self._require_catalog(call.user, catalog)
        self.securables.require(call.user, "CREATE_SCHEMA", "CATALOG", catalog)
        return Reply.json(self._add("SCHEMA", f"{catalog}.{call.body['name']}", call.user, call.body).info)

    def _create_volume(self, call: Call) -> Reply:
        required = {"catalog_name", "name", "schema_name", "volume_type"}
        refuse_unknown_fields(call.body, required | {"comment", "storage_location"}, required)
        schema = f"{call.body['catalog_name']}.{call.body['schema_name']}"
        self._require_schema(call.user, schema)
        self.securables.require(call.user, "CREATE_VOLUME", "SCHEMA", schema)
        return Reply.json(self._add("VOLUME", f"{schema}.{call.body['name']}", call.user, call.body).info)

    def _add(self, kind: str, name: str, owner: str, info: dict[str, Any]) -> Securable:
        names = {key: value.lower() for key, value in info.items() if key == "name" or key.endswith("_name")}
        made = {"created_by": owner, "full_name": name.lower(), "owner": owner, "metastore_id": "metastore-1"}
        return self.securables.add(kind, name, owner, {**info, **names, **made})

    def _require_catalog(self, user: str, name: str) -> None:
        self.securables.require(user, "USE_CATALOG", "CATALOG", name)

    def _require_schema(self, user: str, name: str) -> None:
        self._require_catalog(user, name.partition(".")[0])
        self.securables.require(user, "USE_SCHEMA", "SCHEMA", name)

    def _require_volume(self, user: str, name: str) -> None:
        self._require_schema(user, name.rpartition(".")[0])
        self.securables.require(user, "READ_VOLUME", "VOLUME", name)

    def _getter(self, kind: str, may_see: Callable[[str, str], None]) -> Handler:
        def get(call: Call) -> Reply:
            securable = self.securables.get(kind, call.parts["name"])
            may_see(call.user, securable.name)
            return Reply.json(securable.info)

        return get

    def _lister(self, plural: str, kind: str, may_see: Callable[[str, str], None]) -> Handler:
        def visible(call: Call, name: str) -> bool:
            try:
                may_see(call.user, name)
            except ApiRefusal:
                return False
            return True

        def page(call: Call) -> Reply:
            above = [call.parameters[key] for key in ("catalog_name", "schema_name") if key in call.parameters]
            if above:
                self.securables.get("CATALOG" if len(above) == 1 else "SCHEMA", ".".join(above))
            start = int(call.parameters.get("page_token") or 0)
            all_of_them = self.securables.of_kind(kind, ".".join(above))
            shown = [it.info for it in all_of_them[start : start + _PAGE] if visible(call, it.name)]
            more = {"next_page_token": str(start + _PAGE)} if start + _PAGE < len(all_of_them) else {}
            # A page without entries has no list at all, and may still have one that follows.
            return Reply.json(({plural: shown} if shown else {}) | more)

        return page

    def _updater(self, kind: str) -> Handler:
        def update(call: Call) -> Reply:
            refuse_unknown_fields(call.body, _UPDATES[kind])
            securable = self._owned(call.user, kind, call.parts["name"])
            securable.info |= call.body
            securable.owner = securable.info["owner"]
            return Reply.json(securable.info)

        return update

    def _remover(self, kind: str) -> Handler:
        def remove(call: Call) -> Reply:
            securable = self._owned(call.user, kind, call.parts["name"])
            below = ("SCHEMA", "VOLUME", "TABLE")
            inside = [it for kind_below in below for it in self.securables.of_kind(kind_below, securable.name)]
            if inside and call.parameters.get("force") != "true":
                raise ApiRefusal(400, "BAD_REQUEST", f"{kind.capitalize()} '{securable.name}' is not empty.")
            for it in [securable, *inside]:
                self.securables.remove(it)
                if it.kind == "VOLUME":
                    self.files.forget_volume(it.name)
            return Reply.json({})

        return remove

    def _owned(self, user: str, kind: str, name: str) -> Securable:
        securable = self.securables.get(kind, name)
        if not any(level.owner == user for level in self.securables.above(securable)):
            raise ApiRefusal(403, "PERMISSION_DENIED", f"User is not an owner of {kind.capitalize()} '{name}'.")
        return securable
