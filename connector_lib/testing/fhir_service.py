"""What a FHIR server answers, without the network: a request in, an answer out.

Sources: FHIR R4, chapters "RESTful API" (read, vread, create, update, delete, search, history, capabilities, paging),
"Search" and "CapabilityStatement"; Bulk Data Access 2.0. Where the standard leaves a choice, it is that of HAPI FHIR:
next links are opaque tokens at the server's base, and an unknown parameter is an error.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

from connector_lib.errors import UsageError
from connector_lib.testing.exchange import ApiRequest, Reply
from connector_lib.testing.fhir_export import BulkExports
from connector_lib.testing.fhir_logins import SmartLogin
from connector_lib.testing.fhir_messages import FHIR_JSON, FhirRefusedError, bundle, json_answer, outcome
from connector_lib.testing.fhir_search import SearchError, parameters_of, search, time_range
from connector_lib.testing.fhir_store import FhirStore, Version, instant
from connector_lib.testing.logins import Login

__all__ = ["FhirBehaviour", "FhirService"]

_RESULT_PARAMETERS: Final = ("_count", "_sort", "_summary", "_total", "_format")
_PAGES_KEPT: Final = 200
"""Searches whose next pages are kept; the oldest is forgotten first."""
_WELL_KNOWN: Final = "/.well-known/smart-configuration"
_TOKEN: Final = "/auth/token"  # noqa: S105 - where tokens are given
_CHALLENGES: Final = {"basic": 'Basic realm="fhir"', "header": "ApiKey"}
"""The header WWW-Authenticate by form of login; Bearer for the others."""


@dataclass(frozen=True, slots=True)
class FhirBehaviour:
    """In what servers differ.

    - ``types``: resource types that there are besides those of the resources.
    - ``page_size`` and ``max_page_size``: entries of a page when ``_count`` is left out, and at most.
    - ``page_lifetime``: seconds until a next link answers 410; None keeps it.
    - ``page_links``: ``base`` puts the token of a next link at the server's base as HAPI FHIR does, ``type`` below the
      resource type.
    - ``public_url``: the base that links name, where it is not the one that was asked, as behind a proxy.
    - ``history``: whether there are histories of types. ``dated_deletes``: whether a deletion in one says when it was.
    - ``export``: whether there is ``$export``; ``export_polls`` questions are answered with 202 and
      ``Retry-After: export_retry_after``; ``export_file_rows`` lines a file; ``export_errors`` texts in its error list.
    """

    types: tuple[str, ...] = ()
    page_size: int = 20
    max_page_size: int = 1000
    page_lifetime: float | None = None
    page_links: Literal["base", "type"] = "base"
    public_url: str | None = None
    history: bool = True
    dated_deletes: bool = True
    export: bool = True
    export_polls: int = 1
    export_retry_after: str = "1"
    export_file_rows: int = 1000
    export_errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Result:
    """What a first page found, for the pages behind it: references of a search, versions of a history."""

    kind: Literal["searchset", "history"]
    resource_type: str
    found: tuple[Version, ...]
    size: int
    total: int | None
    self_url: str
    made: datetime


class FhirService:
    """Answers requests from a store.

    ``base`` is the address of the server as clients know it.
    """

    def __init__(self, store: FhirStore, login: Login, behaviour: FhirBehaviour, base: str) -> None:
        self.store = store
        self._login = login
        self._behaviour = behaviour
        self._base = (behaviour.public_url or base).rstrip("/")
        self._token_url = f"{base.rstrip('/')}{_TOKEN}"
        self._results: OrderedDict[str, _Result] = OrderedDict()
        self._lock = threading.Lock()
        self._exports = BulkExports(
            store,
            polls=behaviour.export_polls,
            retry_after=behaviour.export_retry_after,
            file_rows=behaviour.export_file_rows,
            errors=behaviour.export_errors,
        )

    def answer(self, request: ApiRequest) -> Reply:
        """The answer to ``request``; errors are OperationOutcomes."""
        try:
            return self._open_answer(request) or self._answer(request)
        except FhirRefusedError as refusal:
            return refusal.reply
        except SearchError as error:
            return outcome(400, "invalid", f"{error}")

    def expire_pages(self) -> None:
        """Makes every next link that was given answer 410."""
        with self._lock:
            self._results.clear()

    def _open_answer(self, request: ApiRequest) -> Reply | None:
        """What everybody may ask: capabilities, SMART's addresses, and tokens."""
        if request.method == "GET" and request.path == "/metadata":
            return json_answer(200, self._capabilities())
        if request.method == "GET" and request.path == _WELL_KNOWN and isinstance(self._login, SmartLogin):
            return Reply.json(self._login.configuration(self._token_url))
        if request.method == "POST" and request.path == _TOKEN:
            return self._login.token(request)
        return None

    def _answer(self, request: ApiRequest) -> Reply:
        if not self._login.allows(request):
            challenge = {"WWW-Authenticate": _CHALLENGES.get(self._login.form, "Bearer")}
            raise FhirRefusedError(outcome(401, "login", "the login is missing, wrong or has ended", headers=challenge))
        parts = [part for part in request.path.split("/") if part]
        if request.method == "GET":
            return self._get(request, parts)
        return self._change(request, parts)

    def _get(self, request: ApiRequest, parts: list[str]) -> Reply:
        token = request.parameters.get("_getpages")
        if token is not None and len(parts) <= 1:
            return self._next_page(token, request.parameters.get("_getpagesoffset", ""))
        if self._behaviour.export and parts in (["$export"], ["Patient", "$export"]):
            needs_token = self._login.form != "none"
            return self._exports.order(request, self._base, patients_only=len(parts) == 2, needs_token=needs_token)
        match parts:
            case ["$export-status", number]:
                return self._exports.status(number)
            case ["$export-file", number, name]:
                return self._exports.file(number, name)
            case [resource_type] if self._known(resource_type):
                return self._search(request, resource_type)
            case [resource_type, "_history"] if self._known(resource_type):
                return self._history(request, resource_type)
            case [resource_type, resource_id] if self._known(resource_type):
                return self._read(resource_type, resource_id, None)
            case [resource_type, resource_id, "_history", number] if self._known(resource_type):
                return self._read(resource_type, resource_id, number)
        raise FhirRefusedError(outcome(404, "not-found", f"unknown address '{request.path}'"))

    def _change(self, request: ApiRequest, parts: list[str]) -> Reply:
        match (request.method, parts):
            case ("DELETE", ["$export-status", number]):
                return self._exports.cancel(number)
            case ("DELETE", [resource_type, resource_id]):
                self.store.delete(resource_type, resource_id)
                return Reply(b"", 204)
            case ("PUT", [resource_type, resource_id]):
                return self._written(request.body, resource_type, resource_id)
            case ("POST", [resource_type]):
                return self._written(request.body, resource_type, None)
        raise FhirRefusedError(outcome(405, "not-supported", f"{request.method} is not supported here"))

    def _known(self, resource_type: str) -> bool:
        return resource_type in self._types()

    def _types(self) -> list[str]:
        return sorted({*self.store.types(), *self._behaviour.types})

    def _written(self, body: bytes, resource_type: str, resource_id: str | None) -> Reply:
        try:
            resource = json.loads(body)
        except ValueError as error:
            raise FhirRefusedError(outcome(400, "structure", "the body is no JSON")) from error
        if not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
            raise FhirRefusedError(outcome(400, "invalid", f"the body is no {resource_type}"))
        if resource_id is None:
            resource.pop("id", None)
        elif resource.get("id") != resource_id:
            raise FhirRefusedError(outcome(400, "invalid", "the id in the body is not the one in the address"))
        try:
            version = self.store.put(resource)
        except UsageError as error:
            raise FhirRefusedError(outcome(400, "invalid", error.message)) from error
        status = 201 if version.method == "POST" else 200
        location = f"{self._base}/{version.reference}/_history/{version.number}"
        headers = {"Content-Type": FHIR_JSON, "Location": location, "ETag": f'W/"{version.number}"'}
        return Reply(version.text or b"", status, headers)

    def _read(self, resource_type: str, resource_id: str, number: str | None) -> Reply:
        versions = self.store.versions(resource_type, resource_id)
        if number is not None:
            versions = [version for version in versions if f"{version.number}" == number]
        if not versions:
            raise FhirRefusedError(outcome(404, "not-found", f"there is no such {resource_type}"))
        version = versions[-1]
        if version.text is None:
            raise FhirRefusedError(outcome(410, "deleted", f"this {resource_type} was deleted"))
        return Reply(version.text, headers={"Content-Type": FHIR_JSON, "ETag": f'W/"{version.number}"'})

    def _search(self, request: ApiRequest, resource_type: str) -> Reply:
        query = parse_qsl(request.query, keep_blank_values=True)
        filters = [(name, value) for name, value in query if name not in _RESULT_PARAMETERS]
        found = search(resource_type, self.store.current(resource_type), filters, request.parameters.get("_sort"))
        self_url = self._self_url(request)
        if request.parameters.get("_summary") == "count":
            return bundle("searchset", self._base, (), {"self": self_url}, total=len(found), time=self.store.clock())
        size = self._size(request)
        result = _Result("searchset", resource_type, tuple(found), size, len(found), self_url, self.store.clock())
        return self._page(result, None, 0)

    def _history(self, request: ApiRequest, resource_type: str) -> Reply:
        if not self._behaviour.history:
            raise FhirRefusedError(outcome(400, "not-supported", f"{resource_type} has no type-level history"))
        wrong = [name for name in request.parameters if name not in ("_since", "_count", "_format")]
        if wrong:
            raise SearchError(f"_history does not know the parameter '{wrong[0]}'")
        since = request.parameters.get("_since")
        bound = time_range(since)[0] if since else None
        # "At or after the given instant" (FHIR R4, 3.1.0.9); what has no time is always told.
        found = tuple(
            version
            for version in self.store.history(resource_type)
            if bound is None or version.time is None or version.time >= bound
        )
        result = _Result(
            "history",
            resource_type,
            found,
            self._size(request),
            len(found),
            self._self_url(request),
            self.store.clock(),
        )
        return self._page(result, None, 0)

    def _size(self, request: ApiRequest) -> int:
        text = request.parameters.get("_count")
        if text is None:
            return self._behaviour.page_size
        if not text.isdecimal() or int(text) == 0:
            raise SearchError("_count is not a whole number above 0")
        return min(int(text), self._behaviour.max_page_size)

    def _self_url(self, request: ApiRequest) -> str:
        return f"{self._base}{request.path}?{request.query}".rstrip("?")

    def _next_page(self, token: str, offset: str) -> Reply:
        with self._lock:
            result = self._results.get(token)
        lifetime = self._behaviour.page_lifetime
        now = self.store.clock()
        if result is None or (lifetime is not None and now - result.made > timedelta(seconds=lifetime)):
            raise FhirRefusedError(outcome(410, "expired", "the search of this page is not kept any more"))
        if not offset.isdecimal():
            raise SearchError("_getpagesoffset is not a whole number")
        return self._page(result, token, int(offset))

    def _page(self, result: _Result, token: str | None, start: int) -> Reply:
        links = {"self": result.self_url}
        stop = start + result.size
        if stop < len(result.found):
            token = token or self._keep(result)
            place = self._base if self._behaviour.page_links == "base" else f"{self._base}/{result.resource_type}"
            query = {"_getpages": token, "_getpagesoffset": stop, "_count": result.size}
            links["next"] = f"{place}?{urlencode(query)}"
        page = result.found[start:stop]
        return bundle(
            result.kind,
            self._base,
            self._as_of_now(page) if result.kind == "searchset" and start else page,
            links,
            total=result.total,
            time=self.store.clock(),
            dated_deletes=self._behaviour.dated_deletes,
        )

    def _as_of_now(self, page: tuple[Version, ...]) -> tuple[Version, ...]:
        """A search keeps the references that it found. The resources of a later page are those of now: a changed one is
        the changed one, a deleted one is missing, and a page may be empty."""
        newest = [self.store.versions(version.resource_type, version.id)[-1] for version in page]
        return tuple(version for version in newest if version.resource is not None)

    def _keep(self, result: _Result) -> str:
        token = f"{uuid4()}"
        with self._lock:
            self._results[token] = result
            while len(self._results) > _PAGES_KEPT:
                self._results.popitem(last=False)
        return token

    def _capabilities(self) -> dict[str, Any]:
        interactions = ["read", "vread", "create", "update", "delete", "search-type"]
        if self._behaviour.history:
            interactions.append("history-type")
        rest: dict[str, Any] = {
            "mode": "server",
            "resource": [
                {
                    "type": resource_type,
                    "interaction": [{"code": code} for code in interactions],
                    "versioning": "versioned",
                    "searchParam": [
                        {"name": name, "type": parameter.kind}
                        for name, parameter in parameters_of(resource_type).items()
                    ],
                }
                for resource_type in self._types()
            ],
        }
        if self._behaviour.export:
            definition = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"
            rest["operation"] = [{"name": "export", "definition": definition}]
        return {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": instant(self.store.clock()),
            "kind": "instance",
            "software": {"name": "connector_lib FHIR server for tests", "version": "1"},
            "implementation": {"description": "synthetic data", "url": self._base},
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json"],
            "rest": [rest],
        }
