"""OperationOutcome: what a server says is wrong, told without what it says of a patient.

``diagnostics`` and ``details.text`` are free text of the server, and servers put values of the request or of the
resource there. So only words that can name nobody are kept: those of
:data:`~connector_lib.formats.plain_words.PLAIN_WORDS`, resource types, names of search result parameters and the
numbers of HAPI FHIR's messages. Anything else becomes ``…``.

Source: FHIR R4, http://hl7.org/fhir/R4/operationoutcome.html.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connector_lib.formats.fhir.resource_types import RESOURCE_TYPES
from connector_lib.formats.plain_words import plain_text

__all__ = ["Issue", "described", "is_outcome", "issues_of", "without_values"]

_PARAMETER_NAMES: Final = (
    "_count _format _getpages _getpagesoffset _has _id _include _lastUpdated _outputFormat _profile _revinclude _since"
    " _sort _summary _total _type $export"
)
_NAMES: Final = RESOURCE_TYPES | frozenset(_PARAMETER_NAMES.split())
_HAPI_NUMBER: Final = re.compile(r"HAPI-\d{4}", re.ASCII)
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,40}")
_LONGEST: Final = 300
_MOST_ISSUES: Final = 3
_FAILURES: Final = frozenset({"error", "fatal"})


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that a server says: ``severity`` (fatal, error, warning, information), ``code`` (FHIR's issue type, as
    ``not-found``), and ``text``, what is left of its diagnostics."""

    severity: str
    code: str
    text: str

    @property
    def is_failure(self) -> bool:
        """Whether what was asked was not done, or not wholly."""
        return self.severity in _FAILURES

    def __str__(self) -> str:
        return f"{self.severity}, {self.code}" + (f": {self.text}" if self.text else "")


def is_outcome(resource: object) -> bool:
    """Whether a JSON value is an OperationOutcome."""
    return isinstance(resource, Mapping) and resource.get("resourceType") == "OperationOutcome"


def issues_of(outcome: Mapping[str, Any], asked: Collection[str] = ()) -> tuple[Issue, ...]:
    """The issues of an OperationOutcome. One that has none is a failure of unknown reason.

    ``asked`` are names of the parameters that were asked with: they are kept in texts.

    >>> issue = {"severity": "error", "code": "invalid", "diagnostics": "Unknown search parameter 'Mary'"}
    >>> [str(one) for one in issues_of({"resourceType": "OperationOutcome", "issue": [issue]})]
    ["error, invalid: Unknown search parameter '…'"]
    """
    found = outcome.get("issue")
    issues = tuple(_issue(one, asked) for one in found if isinstance(one, Mapping)) if isinstance(found, list) else ()
    return issues or (Issue("error", "unknown", ""),)


def described(issues: Iterable[Issue]) -> str:
    """The first few issues as one line, failures before warnings."""
    ordered = sorted(issues, key=lambda issue: not issue.is_failure)
    more = f" and {len(ordered) - _MOST_ISSUES} more" if len(ordered) > _MOST_ISSUES else ""
    return "; ".join(str(issue) for issue in ordered[:_MOST_ISSUES]) + more


def without_values(text: str, asked: Collection[str] = ()) -> str:
    """``text`` with ``…`` for every word that could be a value, but for those of ``asked``.

    >>> without_values("HAPI-0389: Failed to parse date 1980-02-30 of Patient Jane Doe")
    'HAPI-0389: Failed to parse date … of Patient …'
    """
    return plain_text(text, names=_NAMES.union(asked), code=_HAPI_NUMBER, longest=_LONGEST)


def _issue(issue: Mapping[str, Any], asked: Collection[str]) -> Issue:
    details = issue.get("details")
    spoken = details.get("text") if isinstance(details, Mapping) else None
    text = issue.get("diagnostics") or spoken
    return Issue(
        severity=_code(issue.get("severity"), "error"),
        code=_code(issue.get("code"), "unknown"),
        text=without_values(text, asked) if isinstance(text, str) else "",
    )


def _code(value: object, otherwise: str) -> str:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else otherwise
