"""FHIR search: which resources match the parameters of a query, and in which order they come.

Source: FHIR R4, chapter "Search" (3.1.1): prefixes and ranges of dates, tokens, references, strings, ``_sort``. The
names and paths of parameters are those of the standard's table of search parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final, Literal, TypeAlias

from connector_lib.testing.fhir_store import Version

__all__ = ["COMMON_PARAMETERS", "PARAMETERS", "SearchError", "SearchParameter", "parameters_of", "search", "time_range"]

Kind: TypeAlias = Literal["token", "reference", "date", "string", "uri"]
TimeRange: TypeAlias = tuple[datetime, datetime]
"""From a time to the first time that is behind it."""


class SearchError(Exception):
    """A query that the server refuses: its text is what the OperationOutcome says."""


@dataclass(frozen=True, slots=True)
class SearchParameter:
    """A search parameter: its kind, and where its values are in a resource."""

    kind: Kind
    paths: tuple[str, ...]


def _parameter(kind: Kind, *paths: str) -> SearchParameter:
    return SearchParameter(kind, paths)


_OF_A_PATIENT: Final = {
    "patient": _parameter("reference", "subject", "patient"),
    "subject": _parameter("reference", "subject"),
    "encounter": _parameter("reference", "encounter"),
    "status": _parameter("token", "status"),
    "identifier": _parameter("token", "identifier"),
}
_NAMED: Final = {
    "identifier": _parameter("token", "identifier"),
    "name": _parameter("string", "name", "name.text", "name.family", "name.given"),
    "active": _parameter("token", "active"),
}
COMMON_PARAMETERS: Final[dict[str, SearchParameter]] = {
    "_id": _parameter("token", "id"),
    "_lastUpdated": _parameter("date", "meta.lastUpdated"),
    "_profile": _parameter("uri", "meta.profile"),
    "_tag": _parameter("token", "meta.tag"),
}
"""What every type can be searched by."""
PARAMETERS: Final[dict[str, dict[str, SearchParameter]]] = {
    "AllergyIntolerance": {
        **_OF_A_PATIENT,
        "code": _parameter("token", "code"),
        "clinical-status": _parameter("token", "clinicalStatus"),
    },
    "Condition": {
        **_OF_A_PATIENT,
        "code": _parameter("token", "code"),
        "category": _parameter("token", "category"),
        "clinical-status": _parameter("token", "clinicalStatus"),
        "onset-date": _parameter("date", "onsetDateTime", "onsetPeriod"),
    },
    "DiagnosticReport": {
        **_OF_A_PATIENT,
        "code": _parameter("token", "code"),
        "category": _parameter("token", "category"),
        "date": _parameter("date", "effectiveDateTime", "effectivePeriod"),
    },
    "Encounter": {
        **_OF_A_PATIENT,
        "class": _parameter("token", "class"),
        "type": _parameter("token", "type"),
        "date": _parameter("date", "period"),
    },
    "Immunization": {
        **_OF_A_PATIENT,
        "vaccine-code": _parameter("token", "vaccineCode"),
        "date": _parameter("date", "occurrenceDateTime"),
    },
    "Location": dict(_NAMED),
    "MedicationRequest": {
        **_OF_A_PATIENT,
        "code": _parameter("token", "medicationCodeableConcept"),
        "intent": _parameter("token", "intent"),
        "authoredon": _parameter("date", "authoredOn"),
    },
    "Observation": {
        **_OF_A_PATIENT,
        "code": _parameter("token", "code"),
        "category": _parameter("token", "category"),
        "date": _parameter("date", "effectiveDateTime", "effectivePeriod", "effectiveInstant"),
    },
    "Organization": dict(_NAMED),
    "Patient": {
        **_NAMED,
        "family": _parameter("string", "name.family"),
        "given": _parameter("string", "name.given"),
        "gender": _parameter("token", "gender"),
        "birthdate": _parameter("date", "birthDate"),
    },
    "Practitioner": {
        **_NAMED,
        "family": _parameter("string", "name.family"),
        "given": _parameter("string", "name.given"),
    },
    "Procedure": {
        **_OF_A_PATIENT,
        "code": _parameter("token", "code"),
        "date": _parameter("date", "performedDateTime", "performedPeriod"),
    },
}
"""Resource type → parameter name → parameter. A type that is not here has the common ones."""

_PREFIXES: Final = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
_TIME: Final = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?)?)?)?"
)
_COMMA: Final = re.compile(r"(?<!\\),")
_MILLISECOND: Final = timedelta(milliseconds=1)
_LEAST: Final = datetime.min.replace(tzinfo=timezone.utc)
_MOST: Final = datetime.max.replace(tzinfo=timezone.utc)


def parameters_of(resource_type: str) -> dict[str, SearchParameter]:
    """All parameters that a type can be searched by."""
    return {**COMMON_PARAMETERS, **PARAMETERS.get(resource_type, {})}


def search(
    resource_type: str, versions: Iterable[Version], query: Sequence[tuple[str, str]], sort: str | None = None
) -> list[Version]:
    """Those of ``versions`` that match all of ``query``, in the order ``sort`` (``_lastUpdated``, ``-_id``, …).

    A parameter that is named again has to match as well; values with a comma between are alternatives. A resource
    without ``lastUpdated`` matches no ``_lastUpdated``, and comes first in its order.

    Raises :class:`SearchError` for a parameter, modifier, value or order that is not known.
    """
    known = parameters_of(resource_type)
    found = list(versions)
    for name, value in query:
        base, _, modifier = name.partition(":")
        if base not in known:
            raise SearchError(f"unknown search parameter '{base}' for {resource_type}; known are {', '.join(known)}")
        if modifier and not (modifier == "exact" and known[base].kind == "string"):
            raise SearchError(f"the modifier '{modifier}' of '{base}' is not supported")
        alternatives = [_Alternative(known[base], base, part, modifier) for part in _COMMA.split(value)]
        found = [version for version in found if any(matches(version) for matches in alternatives)]
    return _sorted(found, sort) if sort else found


def time_range(text: str) -> TimeRange:
    """What a date, dateTime or instant covers; a time without a zone is in UTC.

    >>> [time.isoformat() for time in time_range("2026-02")]
    ['2026-02-01T00:00:00+00:00', '2026-03-01T00:00:00+00:00']
    >>> [time.isoformat() for time in time_range("2026-02-03T04:05:06.7+01:00")]
    ['2026-02-03T03:05:06.700000+00:00', '2026-02-03T03:05:06.701000+00:00']
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise SearchError("a date is not in the form that FHIR gives it; note that '+' is '%2B' in an address")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        start = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "").ljust(6, "0")[:6]),
            tzinfo=_zone(zone),
        ).astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise SearchError("a date has a month, day or time that there is not") from error
    if month is None:
        return start, start.replace(year=start.year + 1)
    if day is None:
        return start, start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    if hour is None:
        return start, start + timedelta(days=1)
    if second is None:
        return start, start + timedelta(minutes=1)
    if fraction is None:
        return start, start + timedelta(seconds=1)
    return start, start + timedelta(milliseconds=1)


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return timezone.utc
    sign = -1 if text.startswith("-") else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[4:6])))


class _Alternative:
    """One value that a parameter may have; called with a version of a resource, says whether it has it."""

    __slots__ = ("_exact", "_is_time_of_version", "_kind", "_paths", "_prefix", "_range", "_text")

    def __init__(self, parameter: SearchParameter, name: str, value: str, modifier: str) -> None:
        self._kind = parameter.kind
        self._paths = [path.split(".") for path in parameter.paths]
        self._is_time_of_version = name == "_lastUpdated"
        self._exact = modifier == "exact"
        self._text = value.replace("\\,", ",")
        if name == "patient" and "/" not in self._text:
            self._text = f"Patient/{self._text}"
        if self._kind == "date":
            self._prefix = value[:2] if value[:2] in _PREFIXES else "eq"
            self._range = time_range(value[2:] if value[:2] in _PREFIXES else value)

    def __call__(self, version: Version) -> bool:
        if self._is_time_of_version:
            # The same as meta.lastUpdated, without reading its text for every resource.
            return version.time is not None and _compare(
                self._prefix, (version.time, version.time + _MILLISECOND), self._range
            )
        found = (value for path in self._paths for value in _values(version.resource, path))
        return any(self._matches(value) for value in found)

    def _matches(self, value: object) -> bool:
        if self._kind == "date":
            found = _range_of(value)
            return found is not None and _compare(self._prefix, found, self._range)
        if self._kind == "token":
            return any(_is_token(self._text, system, code) for system, code in _tokens(value))
        if self._kind == "reference":
            reference = value.get("reference") if isinstance(value, dict) else None
            return isinstance(reference, str) and (reference == self._text or reference.endswith(f"/{self._text}"))
        if not isinstance(value, str):
            return False
        if self._kind == "uri" or self._exact:
            return value == self._text
        return value.casefold().startswith(self._text.casefold())


def _values(node: object, path: Sequence[str]) -> Iterator[object]:
    if isinstance(node, list):
        for item in node:
            yield from _values(item, path)
    elif not path:
        yield node
    elif isinstance(node, dict) and path[0] in node:
        yield from _values(node[path[0]], path[1:])


def _tokens(value: object) -> Iterator[tuple[str, str]]:
    """System and code of a code, boolean, Coding, Identifier or CodeableConcept."""
    if isinstance(value, bool):
        yield "", str(value).lower()
    elif isinstance(value, str):
        yield "", value
    elif isinstance(value, dict):
        for coding in value.get("coding", [value]):
            yield str(coding.get("system", "")), str(coding.get("code", coding.get("value", "")))


def _is_token(wanted: str, system: str, code: str) -> bool:
    wanted_system, bar, wanted_code = wanted.rpartition("|")
    if not bar:
        return wanted_code == code
    return wanted_system == system and wanted_code in ("", code)


def _range_of(value: object) -> TimeRange | None:
    if isinstance(value, str):
        return time_range(value)
    if isinstance(value, dict) and ("start" in value or "end" in value):
        low = time_range(value["start"])[0] if "start" in value else _LEAST
        return low, time_range(value["end"])[1] if "end" in value else _MOST
    return None


def _compare(prefix: str, found: TimeRange, wanted: TimeRange) -> bool:
    """FHIR R4, 3.1.1.4.5: the range of the resource's value is compared with that of the query."""
    equal = wanted[0] <= found[0] and found[1] <= wanted[1]
    if prefix in ("eq", "ne"):
        return equal == (prefix == "eq")
    if prefix == "sa":
        return found[0] >= wanted[1]
    if prefix == "eb":
        return found[1] <= wanted[0]
    beyond = found[1] > wanted[1] if prefix in ("gt", "ge") else found[0] < wanted[0]
    return beyond or (equal and prefix in ("ge", "le"))


def _sorted(versions: list[Version], sort: str) -> list[Version]:
    ordered = versions
    for part in reversed(sort.split(",")):
        name = part.removeprefix("-")
        if name == "_lastUpdated":
            ordered = sorted(ordered, key=lambda version: version.time or _LEAST, reverse=part.startswith("-"))
        elif name == "_id":
            ordered = sorted(ordered, key=lambda version: version.id, reverse=part.startswith("-"))
        else:
            raise SearchError(f"sorting by '{name}' is not supported; _lastUpdated and _id are")
    return ordered
