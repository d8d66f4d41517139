"""Bulk export of a FHIR server: an order, a wait, and files of NDJSON.

Source: FHIR Bulk Data Access 2.0, chapter "Export": kick-off, status, complete status with ``output``, ``deleted`` and
``error``, and the files.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import uuid4

from connector_lib.testing.exchange import ApiRequest, Reply
from connector_lib.testing.fhir_messages import FhirRefusedError, json_answer, outcome
from connector_lib.testing.fhir_search import SearchError, time_range
from connector_lib.testing.fhir_store import FhirStore, Version, instant

__all__ = ["BulkExports"]

_FORMATS: Final = ("application/fhir+ndjson", "application/ndjson", "ndjson")
_OUTSIDE_PATIENTS: Final = frozenset({"Location", "Organization", "Practitioner", "PractitionerRole", "Medication"})
"""Types that are in no patient's compartment: an export of all patients leaves them out."""
_NDJSON: Final = "application/fhir+ndjson"


@dataclass(slots=True)
class _Job:
    polls_left: int
    manifest: dict[str, object]
    files: dict[str, bytes] = field(default_factory=dict)


class BulkExports:
    """The exports of one server.

    What is exported is what is there when the order comes. It is ready after ``polls`` questions that are answered with
    202 and ``Retry-After: retry_after`` (seconds). A file has at most ``file_rows`` lines. ``errors`` are texts of
    OperationOutcomes in the list ``error``, as a server writes them that left something out.
    """

    def __init__(
        self,
        store: FhirStore,
        *,
        polls: int = 1,
        retry_after: str = "1",
        file_rows: int = 1000,
        errors: tuple[str, ...] = (),
    ) -> None:
        self._store = store
        self._polls = polls
        self._retry_after = retry_after
        self._file_rows = file_rows
        self._errors = errors
        self._jobs: dict[str, _Job] = {}
        self._lock = threading.Lock()

    def order(self, request: ApiRequest, base: str, *, patients_only: bool, needs_token: bool) -> Reply:
        """Takes an order and says where to ask for it."""
        if "respond-async" not in request.headers.get("prefer", ""):
            raise FhirRefusedError(outcome(400, "invalid", "$export needs the header 'Prefer: respond-async'"))
        wrong = [name for name in request.parameters if name not in ("_type", "_since", "_outputFormat")]
        if wrong:
            raise FhirRefusedError(outcome(400, "not-supported", f"$export does not know the parameter '{wrong[0]}'"))
        if (request.parameters.get("_outputFormat", _NDJSON)) not in _FORMATS:
            raise FhirRefusedError(outcome(400, "not-supported", "the only _outputFormat is application/fhir+ndjson"))
        since = self._since(request)
        asked = request.parameters.get("_type")
        types = asked.split(",") if asked else self._store.types()
        chosen = [name for name in types if not (patients_only and name in _OUTSIDE_PATIENTS)]
        number = f"{uuid4()}"
        job = _Job(
            self._polls,
            {
                "transactionTime": instant(self._store.clock()),
                "request": f"{base}{request.path}?{request.query}".rstrip("?"),
            },
        )
        job.manifest["requiresAccessToken"] = needs_token
        self._fill(job, f"{base}/$export-file/{number}", chosen, since)
        with self._lock:
            self._jobs[number] = job
        return Reply(b"", 202, {"Content-Location": f"{base}/$export-status/{number}"})

    def status(self, number: str) -> Reply:
        """202 while it works, then the list of files."""
        with self._lock:
            job = self._job(number)
            if job.polls_left > 0:
                job.polls_left -= 1
                return Reply(b"", 202, {"Retry-After": self._retry_after, "X-Progress": "in progress"})
        return json_answer(200, job.manifest, {"Content-Type": "application/json"})

    def cancel(self, number: str) -> Reply:
        """Forgets an export and its files."""
        with self._lock:
            self._job(number)
            del self._jobs[number]
        return Reply(b"", 202)

    def file(self, number: str, name: str) -> Reply:
        """One file of an export."""
        with self._lock:
            content = self._job(number).files.get(name)
        if content is None:
            raise FhirRefusedError(outcome(404, "not-found", "the export has no such file"))
        return Reply(content, headers={"Content-Type": _NDJSON})

    def _since(self, request: ApiRequest) -> datetime | None:
        text = request.parameters.get("_since")
        try:
            return time_range(text)[0] if text else None
        except SearchError as error:
            raise FhirRefusedError(outcome(400, "invalid", f"_since: {error}")) from error

    def _job(self, number: str) -> _Job:
        job = self._jobs.get(number)
        if job is None:
            raise FhirRefusedError(outcome(404, "not-found", "there is no such export"))
        return job

    def _fill(self, job: _Job, url: str, types: list[str], since: datetime | None) -> None:
        output: list[dict[str, object]] = []
        deleted: list[dict[str, object]] = []
        for resource_type in types:
            kept = [version for version in self._store.current(resource_type) if _is_behind(version, since)]
            lines = [version.text or b"" for version in kept]
            self._write(job, url, resource_type, resource_type, lines, output)
            # Deletions are told to those only who ask for what changed.
            gone = [version for version in self._store.deleted(resource_type) if since and _is_behind(version, since)]
            self._write(
                job, url, "Bundle", f"deleted-{resource_type}", [_deletion(version) for version in gone], deleted
            )
        errors: list[dict[str, object]] = []
        self._write(
            job,
            url,
            "OperationOutcome",
            "error",
            [outcome(200, "exception", text).body for text in self._errors],
            errors,
        )
        job.manifest.update(output=output, deleted=deleted, error=errors)

    def _write(
        self, job: _Job, url: str, kind: str, stem: str, lines: list[bytes], into: list[dict[str, object]]
    ) -> None:
        for start in range(0, len(lines), self._file_rows):
            part = lines[start : start + self._file_rows]
            name = f"{stem}-{start // self._file_rows + 1}.ndjson"
            job.files[name] = b"".join(line + b"\n" for line in part)
            into.append({"type": kind, "url": f"{url}/{name}", "count": len(part)})


def _is_behind(version: Version, since: datetime | None) -> bool:
    return since is None or (version.time is not None and version.time > since)


def _deletion(version: Version) -> bytes:
    entry = {"request": {"method": "DELETE", "url": version.reference}}
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}).encode()
