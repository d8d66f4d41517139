"""Bulk export: the order, the wait for it, and its files of NDJSON.

Source: FHIR Bulk Data Access 2.0, https://hl7.org/fhir/uv/bulkdata/STU2/export.html.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, Final

from connector_lib.connector.timestamps import timestamp_nanoseconds, timestamp_text
from connector_lib.errors import SourceError
from connector_lib.formats.fhir.bundle import Resource, history_entries, read_bundle
from connector_lib.formats.fhir.outcome import Issue, described, is_outcome, issues_of
from connector_lib.http import Answer, HttpClient
from connector_lib.http.body import BodyError, JsonReader
from connector_lib.http.failures import unfit_answer
from connector_lib.http.origin import Origin
from connector_lib.http.retry import retry_after
from connector_lib.sources.fhir.client import FHIR_JSON, answer_errors

__all__ = ["BulkExport", "ExportOrder"]

_NDJSON: Final = "application/fhir+ndjson"
_FIRST_WAIT: Final = 2.0
_LONGEST_WAIT: Final = 60.0
"""Seconds between two questions, where the server does not ask for more."""
_EARLIER: Final = 1_000_000_000
"""Nanoseconds. What was updated at the very instant ``_since`` may be in an export or not: it is asked for earlier."""
_TELL: Final = "run again, and tell who runs the API if it stays so; without a bulk export: deletes=history"
_CUT_FILE: Final = "what is missing would be lost: run again, and tell who runs the API if it stays so"
_READER: Final = JsonReader(decimals=True)


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """What to export: a resource type, of all (``system``), of all patients (``patient``) or of a ``group/<id>``;
    from ``since`` on (None: everything) to before ``until`` (None: all that there is when it is made), in nanoseconds
    from 1970 on. ``reach`` is the time that the export must be of, or a later one."""

    resource_type: str
    level: str
    since: int | None
    until: int | None
    reach: int


@dataclass(frozen=True, slots=True)
class BulkExport:
    """Bulk exports of one server.

    ``file_client`` gives the client, without a login, for files that are at another origin; None where none may be
    read there. ``longest`` is how many seconds an export may take. ``clock`` and ``sleep`` are given by tests.
    """

    http: HttpClient
    file_client: Callable[[str], HttpClient | None]
    longest: float
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def resources(self, order: ExportOrder) -> Iterator[Resource]:
        """The resources of an export, file by file.

        Those before ``order.since`` or from ``order.until`` on are left out; of a group also earlier ones are given,
        for a patient can join it with what was there before. Raises :class:`~connector_lib.errors.ApiError`, also where
        the server says that it left something out, or a file has less than it should.
        """
        manifest, answer = self._finished(order)
        for line in self._lines(manifest, "output", order.resource_type, answer):
            resource = _object(line, answer)
            with answer_errors(answer):
                _check_is(resource, order.resource_type)
                within = _is_within(resource, order)
            if within:
                yield resource

    def deleted_ids(self, order: ExportOrder) -> Iterator[str]:
        """The ids of the resources that an export since ``order.since`` lists as deleted."""
        manifest, answer = self._finished(order)
        for line in self._lines(manifest, "deleted", None, answer):
            with answer_errors(answer):
                page = read_bundle(_object(line, answer), "transaction")
                # One Bundle lists deletions of all types.
                of_type = [entry for entry in page.entries if _is_of_type(entry, order.resource_type)]
                found = list(history_entries(replace(page, entries=of_type), order.resource_type))
            yield from (entry.id for entry in found if entry.deleted)

    def _finished(self, order: ExportOrder) -> tuple[Mapping[str, Any], Answer]:
        """The manifest of a new export, without errors in it, and the answer that it came with."""
        answer = self._waited_for(self._ordered(order))
        with answer_errors(answer):
            manifest = answer.json()
            if not isinstance(manifest, Mapping) or "output" not in manifest:
                raise SourceError("the export ended without a list of files", hint=_TELL)
            _check_reaches(manifest, order.reach)
        issues: list[Issue] = []
        for line in self._lines(manifest, "error", None, answer):
            outcome = _object(line, answer)
            issues += [issue for issue in issues_of(outcome) if issue.is_failure] if is_outcome(outcome) else []
        if issues:
            raise unfit_answer(answer, f"the export left something out: {described(issues)}", _TELL)
        return manifest, answer

    def _ordered(self, order: ExportOrder) -> Answer:
        path = {"system": "$export", "patient": "Patient/$export"}.get(order.level)
        if path is None:
            path = f"Group/{order.level.partition('/')[2]}/$export"
        params = {"_type": order.resource_type, "_outputFormat": _NDJSON}
        if order.since is not None:
            params["_since"] = timestamp_text(order.since - _EARLIER)
        answer = self.http.get(path, params, headers={"Accept": FHIR_JSON, "Prefer": "respond-async"})
        if answer.status != 202 or not answer.headers.get("content-location"):
            raise unfit_answer(
                answer,
                f"the export was not taken as an order: the answer is {answer.status}, and names no place to ask at",
                hint="the server may have no bulk export of this kind: set bulk=false, or another export_level",
            )
        return answer

    def _waited_for(self, ordered: Answer) -> Answer:
        """The answer that comes when the export is done."""
        place = ordered.headers["content-location"]
        ends, wait = self.clock() + self.longest, _FIRST_WAIT
        answer = ordered
        while True:
            asked = retry_after(answer.headers.get("retry-after"), answer.date or datetime.now(timezone.utc))
            seconds = wait if asked is None else asked
            if self.clock() + seconds > ends:
                raise unfit_answer(
                    answer,
                    f"the export is not done after {self.longest:,.0f} s",
                    hint="give it longer by export_seconds",
                )
            self.sleep(seconds)
            answer = self.http.get(place, headers={"Accept": "application/json"})
            if answer.status != 202:
                return answer
            wait = min(2 * wait, _LONGEST_WAIT)

    def _lines(
        self, manifest: Mapping[str, Any], part: str, resource_type: str | None, answer: Answer
    ) -> Iterator[bytes]:
        """The lines of the files in one list of a manifest; with ``resource_type`` those of that type."""
        files = manifest.get(part) or []
        if not isinstance(files, list) or not all(isinstance(file, Mapping) for file in files):
            raise unfit_answer(answer, f"the list '{part}' of the export is no list of files")
        if resource_type is not None:
            if not all(isinstance(file.get("type"), str) and file["type"] for file in files):
                raise unfit_answer(
                    answer, f"a file in the list '{part}' of the export does not say of which type it is"
                )
            files = [file for file in files if file["type"] == resource_type]
        for number, file in enumerate(files, start=1):
            url = str(file.get("url", ""))
            client = self._client_for(url, manifest, answer)
            lines = 0
            for line in client.get_lines(url, headers={"Accept": _NDJSON}):
                lines += 1
                yield line
            missing = _missing(file, lines)
            if missing:
                raise unfit_answer(
                    answer, f"file {number:,} of the list '{part}' of the export {missing}", hint=_CUT_FILE
                )

    def _client_for(self, url: str, manifest: Mapping[str, Any], answer: Answer) -> HttpClient:
        origin = Origin.of(url)
        if origin is None or origin == Origin.of(self.http.base_url):
            # A file elsewhere on the server, or at no address at all, is refused by the client itself.
            return self.http
        client = self.file_client(str(origin))
        if client is None:
            return self.http
        if manifest.get("requiresAccessToken") is not False:
            raise unfit_answer(
                answer,
                f"the files of the export are at {origin}, and need the login of the FHIR server",
                hint="a login is sent to no other server: ask who runs the API for files at its own address",
            )
        return client


def _missing(file: Mapping[str, Any], lines: int) -> str | None:
    """What is wrong with a file that has so many ``lines``; None where it is whole, as far as can be told."""
    count = file.get("count")
    if count is None:
        return None if lines else "is empty, and nothing says that it should be"
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        return "has a count that is no number of lines"
    return f"has {lines:,} lines of {count:,}" if lines < count else None


def _is_within(resource: Resource, order: ExportOrder) -> bool:
    meta = resource.get("meta")
    text = meta.get("lastUpdated") if isinstance(meta, Mapping) else None
    if not isinstance(text, str):
        return True
    try:
        updated = timestamp_nanoseconds(text)
    except ValueError:
        raise SourceError(
            f"a {order.resource_type} has a meta.lastUpdated that is no instant", hint="tell who runs the API"
        ) from None
    early = order.since is not None and updated < order.since and not order.level.startswith("group/")
    late = order.until is not None and updated >= order.until
    return not early and not late


def _check_reaches(manifest: Mapping[str, Any], reach: int) -> None:
    """An export of an earlier state than what the run counts as read would lose what came between."""
    text = manifest.get("transactionTime")
    try:
        reached = timestamp_nanoseconds(text) if isinstance(text, str) else None
    except ValueError:
        reached = None
    if reached is None:
        raise SourceError("the export does not say of which time it is (transactionTime)", hint=_TELL)
    if reached < reach:
        raise SourceError(
            "the export is of an earlier time than what the run counts as read",
            hint="the server exports an older copy of its resources: set lag_seconds to more than its age",
        )


def _check_is(resource: Resource, resource_type: str) -> None:
    if resource.get("resourceType") != resource_type:
        raise SourceError(f"a file of the export that should hold {resource_type} holds something else", hint=_TELL)
    if not isinstance(resource.get("id"), str) or not resource["id"]:
        raise SourceError(f"a {resource_type} in the export has no id", hint=_TELL)


def _is_of_type(entry: Any, resource_type: str) -> bool:
    request = entry.get("request") if isinstance(entry, Mapping) else None
    url = request.get("url") if isinstance(request, Mapping) else None
    # An entry that does not say what it is of is left to be refused.
    return not isinstance(url, str) or f"/{url}".rpartition("/")[0].endswith(f"/{resource_type}")


def _object(line: bytes, answer: Answer) -> Resource:
    try:
        value = _READER.read(line, {})
    except BodyError as error:
        raise unfit_answer(answer, f"a line in a file of the export cannot be read: {error.message}") from None
    if not isinstance(value, dict):
        raise unfit_answer(answer, "a line in a file of the export is no resource")
    return value
