"""What was deleted, from the history of a resource type.

A history has every version of every resource of the type, the newest first, and says with an entry without a resource
that one was deleted. Source: FHIR R4, http://hl7.org/fhir/R4/http.html#history.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connector_lib.connector.timestamps import timestamp_nanoseconds, timestamp_text
from connector_lib.errors import ApiError, SourceError
from connector_lib.formats.fhir.bundle import HistoryEntry, history_entries
from connector_lib.sources.fhir.client import FhirClient, Query, answer_errors

__all__ = ["Deletion", "deletion_bound", "deletions"]

_MICROSECOND: Final = 1000
"""The finest that a Spark timestamp can tell apart, in nanoseconds."""
_MOST_NEWER: Final = 100_000
"""Ids that are kept of what came before in a history, the last ones."""
_NO_HISTORY: Final = frozenset({400, 404, 405, 422, 501})
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Deletion:
    """A resource that was deleted: its id, and when, as an instant."""

    id: str
    time: str


def deletions(
    client: FhirClient, resource_type: str, page_size: int, *, since: int | None, until: int, sure: int
) -> Iterator[Deletion]:
    """The deletions from ``since`` (None: ever) to before ``until``, all in nanoseconds from 1970 on. ``sure`` is where
    the next read begins, at or before ``until``.

    Servers often do not say when a resource was deleted. It was not later than the entry that came before it, so that
    time is taken, but never one from ``sure`` on: the version that made the resource again may not be committed yet,
    and must win. So a deletion at the head of the history counts as one right before ``sure``.

    A deletion is earlier than the version that made the resource again: where it shares its time, it is given a
    microsecond before, so that the version wins. So is every deletion from ``sure`` on, since such a version may not be
    committed yet. The next read gives what was deleted from ``sure`` on again, with the time that is known then.

    Raises :class:`~connector_lib.errors.ApiError`.
    """
    query: list[tuple[str, str | int]] = [("_count", page_size)]
    if since is not None:
        query.append(("_since", timestamp_text(since)))
    latest = sure - _MICROSECOND
    moment = None
    newer: dict[str, int] = {}
    for entry, told in _entries(client, resource_type, query):
        if told is None and not entry.deleted:
            continue
        moment = min(moment or latest, latest) if told is None else told
        # Of the same resource, which need not be the neighbour: a server may list in the order of commits what has the
        # times of transactions.
        made_again = newer.get(entry.id)
        time = moment if told is not None or made_again is None else min(moment, made_again)
        outside = told is not None and (told >= until or (since is not None and told < since))
        if entry.deleted and not outside:
            at = time if made_again is None or time < made_again else made_again - _MICROSECOND
            if made_again is None and told is not None and told >= sure:
                at -= _MICROSECOND
            yield Deletion(entry.id, timestamp_text(at, digits=6))
        newer[entry.id] = time if made_again is None else min(time, made_again)
        if len(newer) > _MOST_NEWER:
            del newer[next(iter(newer))]


def deletion_bound(sure: int) -> str:
    """The instant of a deletion of which nothing is known, in a read behind which the next one begins at ``sure``."""
    return timestamp_text(sure - _MICROSECOND, digits=6)


def _entries(client: FhirClient, resource_type: str, query: Query) -> Iterator[tuple[HistoryEntry, int | None]]:
    path = f"{resource_type}/_history"
    pages = client.pages(path, query, "history")
    while True:
        try:
            fetched = next(pages, None)
        except ApiError as error:
            raise _with_hint(error, resource_type) from error
        if fetched is None:
            return
        page, answer = fetched
        with answer_errors(answer):
            entries = [(entry, _nanoseconds(entry, resource_type)) for entry in history_entries(page, resource_type)]
        yield from entries


def _nanoseconds(entry: HistoryEntry, resource_type: str) -> int | None:
    if entry.time is None:
        return None
    try:
        return timestamp_nanoseconds(entry.time)
    except ValueError:
        raise SourceError(
            f"the history of {resource_type} has a time that is no instant", hint="tell who runs the API"
        ) from None


def _with_hint(error: ApiError, resource_type: str) -> ApiError:
    if error.status in _NO_HISTORY:
        hint = f"the server may have no history of the type {resource_type}: then set deletes=snapshot"
    elif error.status == _GONE:
        hint = "the server forgot the history while its pages were read: run again, with a larger page_size"
    else:
        return error
    return ApiError(error.message, hint=hint, status=error.status, request_id=error.request_id)
