"""Pipelines: create, get, list, edit, delete, and their permissions. Settings with unknown fields are refused.

What the SDK's own dataclasses would drop on the way in is unknown: the real service ignores it, and a misspelt setting
would be one that nobody ever sees.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from connector_lib.testing.exchange import Reply
from tests.servers.workspace.loopback.core import ApiRefusal, Call, Handler

if TYPE_CHECKING:
    from tests.servers.workspace.loopback.server import LoopbackWorkspace

__all__ = ["HeldPipeline", "Pipelines"]

_PAGE: Final = 2
"""Pipelines in a page, however many were asked for: few, so that readers have to turn pages."""
_LEVELS: Final = ("CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER")
_BESIDE_SPEC: Final = {
    "POST": {"allow_duplicate_names", "dry_run", "parameters", "run_as"},
    "PUT": {"allow_duplicate_names", "expected_last_modified", "parameters", "run_as", "pipeline_id"},
}


@dataclass(slots=True)
class HeldPipeline:
    """A pipeline. ``spec`` is what the API answers as its settings; ``grants`` are permission levels by principal;
    ``latest_updates`` are as the API answers them, the newest first."""

    id: str
    creator: str
    spec: dict[str, Any]
    run_as: dict[str, str] | None = None
    state: str = "IDLE"
    health: str = "HEALTHY"
    last_modified: int = 0
    latest_updates: list[dict[str, Any]] = field(default_factory=list)
    grants: dict[str, str] = field(default_factory=dict)

    @property
    def run_as_user(self) -> str:
        """Who the pipeline runs as."""
        return next(iter((self.run_as or {}).values()), self.creator)


class Pipelines:
    """All pipelines of the workspace, by id in ``all``, in the order of their making. ``untold_groups`` are those that
    a user belongs to by another group: they count, and the answer about the login does not name them."""

    def __init__(self, workspace: LoopbackWorkspace) -> None:
        self.all: dict[str, HeldPipeline] = {}
        self.untold_groups: dict[str, list[str]] = {}
        self._securables = workspace.securables
        self._groups = workspace.groups
        self._clock = 1_700_000_000_000
        self._made = 0

    @property
    def routes(self) -> dict[str, Handler]:
        """The handlers by method and path."""
        return {
            "POST /api/2.0/pipelines": self._create,
            "GET /api/2.0/pipelines": self._list,
            "GET /api/2.0/pipelines/{pipeline_id}": self._get,
            "PUT /api/2.0/pipelines/{pipeline_id}": self._edit,
            "DELETE /api/2.0/pipelines/{pipeline_id}": self._delete,
            "GET /api/2.0/permissions/pipelines/{pipeline_id}": self._permissions,
            "PATCH /api/2.0/permissions/pipelines/{pipeline_id}": self._update_permissions,
        }

    def put(self, name: str, creator: str, **settings: Any) -> HeldPipeline:
        """Makes a pipeline, as somebody does by hand."""
        return self._add(creator, {"name": name, **settings}, None)

    def named(self, name: str) -> HeldPipeline:
        """The only pipeline of that name."""
        (found,) = [it for it in self.all.values() if it.spec["name"] == name]
        return found

    def level(self, user: str, pipeline: HeldPipeline) -> str | None:
        """What ``user`` may do with it; None where they may not see it."""
        if user in (pipeline.creator, self._securables.metastore.owner):
            return "IS_OWNER"
        groups = ["users", *self._groups.get(user, ()), *self.untold_groups.get(user, ())]
        held = [pipeline.grants[who] for who in (user, *groups) if who in pipeline.grants]
        return max(held, key=_LEVELS.index, default=None)

    def get(self, pipeline_id: str) -> HeldPipeline:
        """The pipeline. Raises ApiRefusal 404 where it is not there."""
        if pipeline_id not in self.all:
            raise ApiRefusal(404, "RESOURCE_DOES_NOT_EXIST", f"The specified pipeline {pipeline_id} was not found.")
        return self.all[pipeline_id]

    def require(self, user: str, level: str, pipeline_id: str) -> HeldPipeline:
        """The pipeline. Raises ApiRefusal 403 where ``user`` has less than ``level`` on it."""
        pipeline = self.get(pipeline_id)
        held = self.level(user, pipeline)
        if held is None or _LEVELS.index(held) < _LEVELS.index(level):
            words = {"CAN_VIEW": "View", "CAN_RUN": "Run", "CAN_MANAGE": "Manage", "IS_OWNER": "Owner"}[level]
            raise ApiRefusal(
                403, "PERMISSION_DENIED", f"{user} does not have {words} permissions on pipeline {pipeline_id}."
            )
        return pipeline

    def _create(self, call: Call) -> Reply:
        body = call.body
        _refuse_unknown(body, _BESIDE_SPEC["POST"])
        self._require_free_name(body, None)
        if body.get("dry_run"):
            return Reply.json({"effective_settings": _spec_of(body)})
        return Reply.json({"pipeline_id": self._add(call.user, _spec_of(body), body.get("run_as")).id})

    def _add(self, creator: str, spec: dict[str, Any], run_as: dict[str, str] | None) -> HeldPipeline:
        self._made += 1
        pipeline_id = str(uuid.UUID(int=0x5EED_0000 + self._made))
        pipeline = HeldPipeline(pipeline_id, creator, _with_defaults(spec, pipeline_id), run_as)
        pipeline.last_modified = self._now()
        self.all[pipeline_id] = pipeline
        return pipeline

    def _list(self, call: Call) -> Reply:
        seen = [it for it in self.all.values() if self.level(call.user, it) is not None]
        written = call.parameters.get("filter")
        if written is not None:
            pattern = re.fullmatch(r"name LIKE '((?:[^'])*)'", written)
            if pattern is None:
                raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"Unsupported filter: {written}")
            wanted = re.compile("".join({"%": ".*", "_": "."}.get(it, re.escape(it)) for it in pattern[1]))
            seen = [it for it in seen if wanted.fullmatch(it.spec["name"])]
        start = int(call.parameters.get("page_token", "0"))
        if int(call.parameters.get("max_results", "25")) > 100:
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", "max_results must be at most 100")
        page = [_short_info(it) for it in seen[start : start + _PAGE]]
        more = {"next_page_token": str(start + _PAGE)} if start + _PAGE < len(seen) else {}
        return Reply.json({"statuses": page, **more})

    def _get(self, call: Call) -> Reply:
        pipeline = self.require(call.user, "CAN_VIEW", call.parts["pipeline_id"])
        run_as = {"run_as": pipeline.run_as} if pipeline.run_as else {}
        return Reply.json(
            {
                **_short_info(pipeline),
                "spec": pipeline.spec,
                "last_modified": pipeline.last_modified,
                "cause": "",
                **run_as,
            }
        )

    def _edit(self, call: Call) -> Reply:
        pipeline = self.require(call.user, "CAN_MANAGE", call.parts["pipeline_id"])
        body = call.body
        _refuse_unknown(body, _BESIDE_SPEC["PUT"], already=pipeline.spec)
        self._require_free_name(body, pipeline)
        expected = body.get("expected_last_modified")
        if expected is not None and expected < pipeline.last_modified:
            raise ApiRefusal(409, "RESOURCE_CONFLICT", "The pipeline settings were modified after the expected time.")
        pipeline.spec = _with_defaults(_spec_of(body), pipeline.id)
        pipeline.run_as = body.get("run_as", pipeline.run_as)
        pipeline.last_modified = self._now()
        return Reply.json({})

    def _delete(self, call: Call) -> Reply:
        pipeline = self.require(call.user, "CAN_MANAGE", call.parts["pipeline_id"])
        del self.all[pipeline.id]
        if call.parameters.get("cascade", "true") == "true":
            for table in self._securables.of_kind("TABLE"):
                if table.info.get("pipeline_id") == pipeline.id:
                    self._securables.remove(table)
        return Reply.json({})

    def _permissions(self, call: Call) -> Reply:
        return self._acl(self.require(call.user, "CAN_MANAGE", call.parts["pipeline_id"]))

    def _update_permissions(self, call: Call) -> Reply:
        pipeline = self.require(call.user, "CAN_MANAGE", call.parts["pipeline_id"])
        for entry in call.body["access_control_list"]:
            level = entry["permission_level"]
            if level not in _LEVELS:
                raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"Unknown permission level {level}")
            (principal,) = (entry[key] for key in entry if key != "permission_level")
            # Names of users are kept in lower case, however they were written.
            pipeline.grants[principal.lower() if "@" in principal else principal] = level
        return self._acl(pipeline)

    def _acl(self, pipeline: HeldPipeline) -> Reply:
        held = [(pipeline.creator, "IS_OWNER"), *pipeline.grants.items()]
        entries = [
            {_kind_of(who): who, "all_permissions": [{"permission_level": level, "inherited": False}]}
            for who, level in held
        ]
        admins = {"group_name": "admins", "all_permissions": [{"permission_level": "CAN_MANAGE", "inherited": True}]}
        return Reply.json(
            {
                "object_id": f"/pipelines/{pipeline.id}",
                "object_type": "pipelines",
                "access_control_list": [*entries, admins],
            }
        )

    def _require_free_name(self, body: dict[str, Any], own: HeldPipeline | None) -> None:
        if body.get("allow_duplicate_names"):
            return
        if any(it.spec["name"] == body["name"] for it in self.all.values() if it is not own):
            raise ApiRefusal(
                409,
                "RESOURCE_CONFLICT",
                f"The pipeline name '{body['name']}' is already used by another pipeline. This check can be skipped by"
                " setting `allow_duplicate_names = true` in the request.",
            )

    def _now(self) -> int:
        self._clock += 1000
        return self._clock


def _kind_of(principal: str) -> str:
    if "@" in principal:
        return "user_name"
    return "service_principal_name" if re.fullmatch(r"[0-9a-f-]{36}", principal) else "group_name"


def _short_info(pipeline: HeldPipeline) -> dict[str, Any]:
    return {
        "pipeline_id": pipeline.id,
        "name": pipeline.spec["name"],
        "state": pipeline.state,
        "health": pipeline.health,
        "creator_user_name": pipeline.creator,
        "run_as_user_name": pipeline.run_as_user,
        "latest_updates": pipeline.latest_updates[:5],
    }


def _spec_of(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in _BESIDE_SPEC["POST"] | _BESIDE_SPEC["PUT"]}


def _with_defaults(spec: dict[str, Any], pipeline_id: str) -> dict[str, Any]:
    """The settings as the API answers them: with fields that nobody sent."""
    defaults: dict[str, Any] = {"continuous": False, "development": False, "channel": "CURRENT", "edition": "ADVANCED"}
    if spec.get("serverless"):
        defaults["photon"] = True
    # The last two are answered, and are no fields of the SDK.
    return {**defaults, **spec, "id": pipeline_id, "data_sampling": False, "pipeline_type": "WORKSPACE"}


def _refuse_unknown(body: dict[str, Any], beside: set[str], already: dict[str, Any] | None = None) -> None:
    """Raises ApiRefusal for fields that the SDK would lose, but for those that the service itself has answered."""
    from databricks.sdk.service.pipelines import PipelineSpec, RunAs

    for key in body.keys() & beside:
        if key == "run_as":
            _refuse_lost(body[key], RunAs.from_dict(body[key]).as_dict(), "run_as.")
    spec = {key: value for key, value in body.items() if key not in beside}
    for key, value in (already or {}).items():
        if spec.get(key) == value:
            del spec[key]
    for key in ("name", "libraries"):
        if already is None and key not in spec:
            raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", f"'{key}' must be given")
    if "schema" in body and "target" in body:
        raise ApiRefusal(400, "INVALID_PARAMETER_VALUE", "Only one of 'schema' and 'target' may be given.")
    if any(not isinstance(value, str) for value in body.get("configuration", {}).values()):
        raise ApiRefusal(400, "MALFORMED_REQUEST", "configuration: values must be strings")
    _refuse_lost(spec, PipelineSpec.from_dict(spec).as_dict(), "")


def _refuse_lost(sent: Any, kept: Any, where: str) -> None:
    if isinstance(sent, dict) and isinstance(kept, dict):
        for key, value in sent.items():
            if key not in kept and value not in ({}, []):
                raise ApiRefusal(400, "UNKNOWN_FIELD", f"Unknown field '{where}{key}'")
            _refuse_lost(value, kept.get(key, value), f"{where}{key}.")
    elif isinstance(sent, list) and isinstance(kept, list):
        for number, (one, other) in enumerate(zip(sent, kept, strict=True)):
            _refuse_lost(one, other, f"{where}{number}.")
    elif sent != kept:
        raise ApiRefusal(400, "MALFORMED_REQUEST", f"'{where.rstrip('.')}' cannot be read")
