"""Requests to a FHIR server: capabilities, and pages of Bundles. No Spark here.

Source: FHIR R4, http://hl7.org/fhir/R4/http.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from connector_lib.errors import ApiError, SourceError
from connector_lib.formats.fhir.bundle import BundlePage, next_link, read_bundle
from connector_lib.formats.fhir.capability import Capability, read_capability
from connector_lib.formats.fhir.outcome import described, is_outcome, issues_of
from connector_lib.http import Answer, HttpClient, NextLinkPaginator

__all__ = ["FHIR_JSON", "FhirClient", "Query", "ServerState", "answer_errors", "explain_outcome"]

FHIR_JSON: Final = "application/fhir+json"
Query = Sequence[tuple[str, str | int]]
"""Parameters of a request, by name and value; a name may come several times."""

_MOST_PAGES: Final = 1_000_000
_MOST_EMPTY_PAGES: Final = 200
"""Pages in a row. A page is empty where all of its resources were deleted since the search."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """What a server said of itself, and the time on its clock when it did, to the second."""

    capability: Capability
    time: datetime


@dataclass(frozen=True, slots=True)
class FhirClient:
    """Reads one FHIR server.

    >>> client = FhirClient(HttpClient("https://ehr.example.org/fhir", explain=explain_outcome))
    >>> pages = client.pages("Patient", [("_count", 100)], "searchset")
    """

    http: HttpClient

    def state(self) -> ServerState:
        """What the server says of itself, and its time.

        The time is that of the header ``Date``. An answer from a cache has an earlier one, which does no harm. Raises
        :class:`~connector_lib.errors.ApiError`.
        """
        answer = self.http.get("metadata", headers={"Accept": FHIR_JSON})
        with answer_errors(answer):
            capability = read_capability(answer.json())
            if answer.date is None:
                raise SourceError(
                    "the answer has no header 'Date' that could be read, so the time of the server is not known",
                    hint="the time of another clock would lose what the server wrote while they differ: ask who runs "
                    "the API, or the proxy before it, to let the header through",
                )
        return ServerState(capability, answer.date)

    def pages(self, path: str, query: Query, kind: str) -> Iterator[tuple[BundlePage, Answer]]:
        """The pages of Bundles of the type ``kind``, by their next links, each asked for when it is taken.

        Raises :class:`~connector_lib.errors.ApiError`, also where a page has the same entries as the one before, or
        empty ones do not come to an end.
        """
        walk = self.http.pages(
            NextLinkPaginator(next_link),
            path,
            _by_name(query),
            headers={"Accept": FHIR_JSON},
            max_pages=_MOST_PAGES,
        )
        before: list[Any] = []
        empty = 0
        for page in walk:
            with answer_errors(page.answer):
                bundle = read_bundle(page.data, kind)
                empty = 0 if bundle.entries else empty + 1
                if empty > _MOST_EMPTY_PAGES:
                    raise SourceError(f"{empty:,} pages one after the other are empty", hint=_LEADS_NOWHERE)
                if bundle.entries and bundle.entries == before:
                    raise SourceError(f"page {page.number:,} is the same as the one before", hint=_LEADS_NOWHERE)
            yield bundle, page.answer
            before = bundle.entries


_LEADS_NOWHERE: Final = "the next links of the server do not lead on: run again, and tell who runs it if it stays so"


@contextmanager
def answer_errors(answer: Answer) -> Iterator[None]:
    """Makes of what is wrong with the content of ``answer`` an error that says where it came from."""
    try:
        yield
    except ApiError:
        raise
    except SourceError as error:
        number = f" (request id {answer.request_id})" if answer.request_id else ""
        raise ApiError(
            f"{answer.request.shown}: {error.message}{number}",
            hint=error.hint,
            status=answer.status,
            request_id=answer.request_id,
        ) from None


def explain_outcome(answer: Answer) -> str | None:
    """What an OperationOutcome says that came with an error, without values; None for another body.

    The names of search parameters that were asked with are shown: they are those of the standard, or of the options.
    """
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    if not is_outcome(body):
        return None
    asked = {name.partition(":")[0] for name, _ in parse_qsl(urlsplit(answer.url).query, keep_blank_values=True)}
    return described(issues_of(body, asked))


def _by_name(query: Query) -> dict[str, Any]:
    """``query`` as the client of HTTP takes it: a list of values where a name comes several times."""
    values: dict[str, list[str | int]] = {}
    for name, value in query:
        values.setdefault(name, []).append(value)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}
