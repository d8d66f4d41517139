"""CapabilityStatement: what a server says that it can do.

Source: FHIR R4, http://hl7.org/fhir/R4/capabilitystatement.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector_lib.errors import SourceError
from connector_lib.formats.fhir.outcome import described, is_outcome, issues_of

__all__ = ["Capability", "read_capability"]


@dataclass(frozen=True, slots=True)
class Capability:
    """What a CapabilityStatement says.

    ``fhir_version`` as ``4.0.1``; ``software`` as ``HAPI FHIR Server 7.2.0``, empty where it is not told;
    ``searchable`` are the resource types that can be searched, ``with_history`` those that have a history of the type;
    None where the server tells nothing of interactions.
    """

    fhir_version: str
    software: str
    searchable: tuple[str, ...]
    with_history: tuple[str, ...] | None


def read_capability(body: object) -> Capability:
    """What the CapabilityStatement ``body`` says.

    A resource type whose interactions are not listed counts as searchable. Raises
    :class:`~connector_lib.errors.SourceError` for anything else.

    >>> patient = {"type": "Patient", "interaction": [{"code": "search-type"}, {"code": "read"}]}
    >>> rest = [{"mode": "server", "resource": [patient]}]
    >>> statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest}
    >>> read_capability(statement)
    Capability(fhir_version='4.0.1', software='', searchable=('Patient',), with_history=())
    """
    if is_outcome(body):
        assert isinstance(body, Mapping)
        raise SourceError(
            f"an OperationOutcome came in place of a CapabilityStatement: {described(issues_of(body))}",
            hint="the server refuses to tell what it has: check base_url, and ask who runs it",
        )
    if not isinstance(body, Mapping) or body.get("resourceType") != "CapabilityStatement":
        raise SourceError(
            "what came is no CapabilityStatement",
            hint="base_url has to be the base of a FHIR R4 API, as https://ehr.example.org/fhir",
        )
    types = dict(_types(body))
    listed = [codes for codes in types.values() if codes is not None]
    software = body.get("software")
    return Capability(
        fhir_version=str(body.get("fhirVersion", "")),
        software=_named(software) if isinstance(software, Mapping) else "",
        searchable=tuple(sorted(name for name, codes in types.items() if codes is None or "search-type" in codes)),
        with_history=tuple(sorted(name for name, codes in types.items() if codes and "history-type" in codes))
        if listed
        else None,
    )


def _types(statement: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str] | None]]:
    """Resource types and the codes of their interactions, None where none are listed."""
    for rest in _objects(statement.get("rest")):
        if rest.get("mode", "server") != "server":
            continue
        for resource in _objects(rest.get("resource")):
            if isinstance(resource.get("type"), str):
                codes = frozenset(str(one.get("code")) for one in _objects(resource.get("interaction")))
                yield resource["type"], codes or None


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _named(software: Mapping[str, Any]) -> str:
    return " ".join(str(software[key]) for key in ("name", "version") if isinstance(software.get(key), str))
