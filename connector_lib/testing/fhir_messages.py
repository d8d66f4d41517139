"""What a FHIR server answers with: resources, Bundles, OperationOutcomes.

Source: FHIR R4, chapters "RESTful API", "Bundle" and "OperationOutcome".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from connector_lib.testing.exchange import Reply
from connector_lib.testing.fhir_store import Version, instant
from connector_lib.testing.pages import PageFormat

__all__ = ["BUNDLE_PAGES", "FHIR_JSON", "FhirRefusedError", "bundle", "json_answer", "outcome"]

FHIR_JSON: Final = "application/fhir+json;charset=utf-8"


class FhirRefusedError(Exception):
    """Ends a request with an answer that is an error."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def json_answer(status: int, content: object, headers: Mapping[str, str] | None = None) -> Reply:
    """``content`` as JSON."""
    return Reply(_compact(content), status, {"Content-Type": FHIR_JSON, **(headers or {})})


def outcome(
    status: int,
    code: str,
    diagnostics: str,
    *,
    severity: str = "error",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """An OperationOutcome with one issue; ``code`` is one of FHIR's issue types, as ``not-found``.

    >>> json.loads(outcome(404, "not-found", "no Patient/p1").body)["issue"][0]["diagnostics"]
    'no Patient/p1'
    """
    issue = {"severity": severity, "code": code, "diagnostics": diagnostics}
    return json_answer(status, {"resourceType": "OperationOutcome", "issue": [issue]}, headers)


def bundle(
    kind: str,
    base: str,
    versions: Iterable[Version],
    links: Mapping[str, str],
    *,
    total: int | None,
    time: datetime,
    dated_deletes: bool = True,
) -> Reply:
    """A Bundle of the kind ``searchset`` or ``history``. Without ``dated_deletes`` a deletion says not when it was."""
    head: dict[str, Any] = {"resourceType": "Bundle", "type": kind, "meta": {"lastUpdated": instant(time)}}
    if total is not None:
        head["total"] = total
    head["link"] = [{"relation": relation, "url": url} for relation, url in links.items()]
    entry = _search_entry if kind == "searchset" else _history_entry
    entries = b",".join(entry(base, version, dated_deletes) for version in versions)
    start = _compact(head)[:-1]
    # FHIR has no empty arrays: a Bundle without entries has no "entry".
    body = b'%b,"entry":[%b]}' % (start, entries) if entries else start + b"}"
    return Reply(body, headers={"Content-Type": FHIR_JSON})


def _compact(content: object) -> bytes:
    try:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # A half of a surrogate pair can be sent as an escape only.
        return json.dumps(content, separators=(",", ":")).encode()


def _search_entry(base: str, version: Version, _: bool) -> bytes:
    full_url = json.dumps(f"{base}/{version.reference}").encode()
    return b'{"fullUrl":%b,"resource":%b,"search":{"mode":"match"}}' % (full_url, version.text or b"null")


def _history_entry(base: str, version: Version, dated_deletes: bool) -> bytes:
    is_delete = version.method == "DELETE"
    response: dict[str, str] = {
        "status": {"POST": "201 Created", "PUT": "200 OK", "DELETE": "204 No Content"}[version.method],
        "etag": f'W/"{version.number}"',
    }
    if version.time is not None and (dated_deletes or not is_delete):
        response["lastModified"] = instant(version.time)
    url = version.resource_type if version.method == "POST" else version.reference
    rest = json.dumps({"request": {"method": version.method, "url": url}, "response": response}).encode()
    full_url = json.dumps(f"{base}/{version.reference}").encode()
    resource = b"" if version.text is None else b'"resource":%b,' % version.text
    return b'{"fullUrl":%b,%b%b' % (full_url, resource, rest[1:])


def _bundle_of(reply: Reply) -> dict[str, Any] | None:
    if not reply.body.startswith(b'{"resourceType":"Bundle","type":'):
        return None
    content: dict[str, Any] = reply.document
    return content


def _next_url(reply: Reply) -> str | None:
    content = _bundle_of(reply) or {"link": []}
    return next((link["url"] for link in content["link"] if link["relation"] == "next"), None)


def _with_next_url(reply: Reply, url: str) -> Reply:
    content = _bundle_of(reply)
    if content is None:
        return reply
    others = [link for link in content["link"] if link["relation"] != "next"]
    content["link"] = [*others, {"relation": "next", "url": url}]
    return reply.with_body(_compact(content))


def _without_entries(reply: Reply) -> Reply:
    content = _bundle_of(reply)
    if content is None:
        return reply
    content.pop("entry", None)
    return reply.with_body(_compact(content))


BUNDLE_PAGES: Final = PageFormat(find=_next_url, place=_with_next_url, empty=_without_entries)
"""Where Bundles have their next link, for faults that change it."""
