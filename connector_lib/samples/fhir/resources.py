"""Builds sample resources, one function a type.

Source: FHIR R4, the chapters of the resource types, for which elements there are and which have to be there.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from connector_lib.samples.fhir.codes import (
    ALLERGENS,
    CONDITIONS,
    ENCOUNTER_CLASSES,
    LOINC,
    MEDICATIONS,
    OPERATIONS,
    REACTIONS,
    SAMPLE_CODES,
    TERMINOLOGY,
    UCUM,
    VACCINE_CODES,
    Code,
)
from connector_lib.samples.hl7v2.people import ASCII, CHARSETS, NamePool
from connector_lib.samples.hl7v2.vocabulary import PANELS, Analyte

__all__ = ["RESOURCE_TYPES", "Resource", "corrected", "moved", "past_visits", "patient", "shared_resources", "visit"]

Resource: TypeAlias = dict[str, Any]
"""One FHIR resource as JSON, without ``meta.versionId`` and ``meta.lastUpdated``, which a server sets."""

RESOURCE_TYPES: Final = (
    "AllergyIntolerance",
    "Condition",
    "DiagnosticReport",
    "Encounter",
    "Immunization",
    "Location",
    "MedicationRequest",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "Procedure",
)
_POOLS: Final = CHARSETS["utf-8"].pools
_PRACTITIONERS: Final = 8
_PLACES: Final = ("Sampleton General", "Testburg Clinic", "St Nowhere's")
_VITAL_SIGNS: Final = "85354-9"
_BLOOD_PRESSURE: Final = ("8480-6", "8462-4")


def shared_resources() -> Iterator[Resource]:
    """The organizations, locations and practitioners that all patients share."""
    for number, name in enumerate(_PLACES, 1):
        yield {"resourceType": "Organization", "id": f"org{number}", "active": True, "name": name}
    for number, name in enumerate(_PLACES, 1):
        yield {
            "resourceType": "Location",
            "id": f"loc{number}",
            "status": "active",
            "name": f"{name}, main building",
            "position": {"longitude": -100.5 - number, "latitude": 40.25 + number / 8},
            "managingOrganization": _reference("Organization", f"org{number}"),
        }
    for number in range(1, _PRACTITIONERS + 1):
        pool = _POOLS[number % len(_POOLS)]
        yield {
            "resourceType": "Practitioner",
            "id": f"doc{number}",
            "identifier": [{"system": "http://example.org/practitioners", "value": f"{9000 + number}"}],
            "active": True,
            "name": [{"family": pool.family[0], "given": [pool.given[0]], "prefix": ["Dr."]}],
        }


def patient(chance: random.Random, number: int) -> Resource:
    """The patient with this number, from 1."""
    pool = chance.choice(_POOLS) if chance.random() < 0.4 else ASCII
    resource: Resource = {
        "resourceType": "Patient",
        "id": f"pat{number}",
        "identifier": [
            {
                "use": "usual",
                "type": _concept((f"{TERMINOLOGY}/v2-0203", "MR", "Medical record number")),
                "system": "http://example.org/mrn",
                "value": f"{number:08d}",
            },
            {"system": "http://example.org/national-id", "value": f"000-{number % 100:02d}-{number % 9973:04d}"},
        ],
        "active": True,
        "name": [_name(chance, pool)],
        "telecom": [{"system": "phone", "value": f"(999) 555-01{chance.randrange(100):02d}", "use": "home"}],
        "gender": chance.choice(("female", "male", "female", "male", "other", "unknown")),
        "address": [_address(chance, pool)],
        "managingOrganization": _reference("Organization", f"org{chance.randint(1, len(_PLACES))}"),
    }
    if chance.random() < 0.95:
        # A birth date may be of any precision.
        birth = f"{chance.randint(1925, 2021)}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
        resource["birthDate"] = birth[: chance.choice((4, 7, 10, 10, 10, 10, 10))]
    if chance.random() < 0.3:
        resource["name"].append({"use": "maiden", "family": chance.choice(pool.family).strip()})
    if chance.random() < 0.2:
        resource["extension"] = [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace",
                "valueAddress": {"city": chance.choice(pool.city), "country": "XX"},
            }
        ]
    return resource


def moved(chance: random.Random, before: Resource) -> Resource:
    """The patient ``before`` at a new address; the old one is kept as such."""
    old = [{**address, "use": "old"} for address in before["address"][:1]]
    return {**before, "address": [_address(chance, ASCII), *old]}


def past_visits(chance: random.Random, subject: Resource, now: datetime) -> Iterator[Resource]:
    """What is known of ``subject`` from up to four visits in the two years before ``now``, and from before them."""
    for number in range(1, chance.choice((0, 1, 1, 2))):
        yield _allergy(chance, subject, number)
    for number in range(1, chance.choice((1, 2, 3))):
        yield _immunization(chance, subject, number, now - timedelta(days=chance.randint(30, 3000)))
    days = sorted((chance.randint(1, 730) for _ in range(chance.randint(1, 4))), reverse=True)
    for number, before in enumerate(days, 1):
        yield from visit(chance, subject, number, now - timedelta(days=before, minutes=chance.randint(0, 600)))


def visit(chance: random.Random, subject: Resource, number: int, start: datetime) -> Iterator[Resource]:
    """The visit ``number`` of a patient: the encounter, and what was found, measured, ordered and done in it."""
    stay = _encounter(chance, subject, number, start)
    yield stay
    if chance.random() < 0.7:
        yield _condition(chance, stay, start)
    yield from _vital_signs(chance, stay, start)
    if chance.random() < 0.5:
        yield from _laboratory(chance, stay, start)
    if chance.random() < 0.4:
        yield _medication_request(chance, stay, start)
    if chance.random() < 0.15:
        yield _procedure(chance, stay, start)


def corrected(chance: random.Random, before: Resource) -> Resource:
    """The observation ``before`` with a note, and another number where it has one."""
    after = {**before, "status": "corrected", "note": [{"text": "Corrected after review."}]}
    if "valueQuantity" in before:
        value = round(before["valueQuantity"]["value"] * chance.uniform(0.8, 1.2), 2)
        after["valueQuantity"] = {**before["valueQuantity"], "value": value}
    return after


def _encounter(chance: random.Random, subject: Resource, number: int, start: datetime) -> Resource:
    system, code, text = chance.choice(ENCOUNTER_CLASSES)
    hours = chance.randint(24, 200) if code == "IMP" else chance.randint(1, 5)
    place = chance.randint(1, len(_PLACES))
    return {
        "resourceType": "Encounter",
        "id": f"{subject['id']}-enc{number}",
        "status": "finished",
        "class": {"system": system, "code": code, "display": text},
        "subject": _reference("Patient", subject["id"]),
        "participant": [{"individual": _reference("Practitioner", f"doc{chance.randint(1, _PRACTITIONERS)}")}],
        "period": {"start": _time(start), "end": _time(start + timedelta(hours=hours))},
        "location": [{"location": _reference("Location", f"loc{place}")}],
        "serviceProvider": _reference("Organization", f"org{place}"),
    }


def _condition(chance: random.Random, stay: Resource, start: datetime) -> Resource:
    status = chance.choice(("active", "active", "resolved"))
    return {
        "resourceType": "Condition",
        "id": f"{stay['id']}-con1",
        "clinicalStatus": _concept((f"{TERMINOLOGY}/condition-clinical", status, status.capitalize())),
        "verificationStatus": _concept((f"{TERMINOLOGY}/condition-ver-status", "confirmed", "Confirmed")),
        "category": [
            _concept((f"{TERMINOLOGY}/condition-category", "encounter-diagnosis", "Encounter Diagnosis")),
        ],
        "code": _concept(chance.choice(CONDITIONS)),
        **_of(stay),
        "onsetDateTime": start.date().isoformat(),
        "recordedDate": _time(start),
    }


def _vital_signs(chance: random.Random, stay: Resource, start: datetime) -> Iterator[Resource]:
    """Blood pressure as one observation with two components, and the others one by one (FHIR R4, profile "Vital
    Signs")."""
    panel = next(panel for panel in PANELS if panel.code == _VITAL_SIGNS)
    pressure = [analyte for analyte in panel.analytes if analyte.code in _BLOOD_PRESSURE]
    category = (f"{TERMINOLOGY}/observation-category", "vital-signs", "Vital Signs")
    yield {
        **_observation(stay, "bp", (LOINC, panel.code, panel.text), category, start),
        "component": [
            {
                "code": _concept((LOINC, analyte.code, analyte.text)),
                "valueQuantity": _quantity(analyte, _measured(chance, analyte)),
            }
            for analyte in pressure
        ],
    }
    for number, analyte in enumerate((one for one in panel.analytes if one not in pressure), 1):
        yield {
            **_observation(stay, f"vs{number}", (LOINC, analyte.code, analyte.text), category, start),
            **_result(chance, analyte),
        }


def _laboratory(chance: random.Random, stay: Resource, start: datetime) -> Iterator[Resource]:
    """A panel of tests: its observations, and the report on them."""
    panel = chance.choice([panel for panel in PANELS if panel.code != _VITAL_SIGNS])
    category = (f"{TERMINOLOGY}/observation-category", "laboratory", "Laboratory")
    drawn = start + timedelta(minutes=20)
    observations: list[Resource] = [
        {
            **_observation(stay, f"lab{number}", (LOINC, analyte.code, analyte.text), category, drawn),
            **_result(chance, analyte),
            "referenceRange": [{"low": _quantity(analyte, analyte.low), "high": _quantity(analyte, analyte.high)}],
        }
        for number, analyte in enumerate(panel.analytes, 1)
    ]
    yield from observations
    yield {
        "resourceType": "DiagnosticReport",
        "id": f"{stay['id']}-rep1",
        "status": "final",
        "category": [_concept((f"{TERMINOLOGY}/v2-0074", "LAB", "Laboratory"))],
        "code": _concept((LOINC, panel.code, panel.text)),
        **_of(stay),
        "effectiveDateTime": _time(drawn),
        "issued": _time(drawn + timedelta(hours=2)),
        "result": [_reference("Observation", observation["id"]) for observation in observations],
    }


def _medication_request(chance: random.Random, stay: Resource, start: datetime) -> Resource:
    return {
        "resourceType": "MedicationRequest",
        "id": f"{stay['id']}-med1",
        "status": chance.choice(("active", "completed", "stopped")),
        "intent": "order",
        "medicationCodeableConcept": _concept(chance.choice(MEDICATIONS)),
        **_of(stay),
        "authoredOn": _time(start),
        "requester": stay["participant"][0]["individual"],
        "dosageInstruction": [
            {
                "text": "as told",
                "timing": {"repeat": {"frequency": chance.randint(1, 3), "period": 1, "periodUnit": "d"}},
                "asNeededBoolean": chance.random() < 0.2,
            }
        ],
    }


def _procedure(chance: random.Random, stay: Resource, start: datetime) -> Resource:
    return {
        "resourceType": "Procedure",
        "id": f"{stay['id']}-pro1",
        "status": "completed",
        "code": _concept(chance.choice(OPERATIONS)),
        **_of(stay),
        "performedPeriod": {"start": _time(start), "end": _time(start + timedelta(minutes=45))},
    }


def _immunization(chance: random.Random, subject: Resource, number: int, given: datetime) -> Resource:
    return {
        "resourceType": "Immunization",
        "id": f"{subject['id']}-imm{number}",
        "status": "completed",
        "vaccineCode": _concept(chance.choice(VACCINE_CODES)),
        "patient": _reference("Patient", subject["id"]),
        "occurrenceDateTime": given.date().isoformat(),
        "primarySource": chance.random() < 0.8,
        "lotNumber": f"SAM{chance.randint(1000, 9999)}",
        "doseQuantity": {"value": 0.5, "unit": "mL", "system": UCUM, "code": "mL"},
    }


def _allergy(chance: random.Random, subject: Resource, number: int) -> Resource:
    category, substance = chance.choice(ALLERGENS)
    return {
        "resourceType": "AllergyIntolerance",
        "id": f"{subject['id']}-all{number}",
        "clinicalStatus": _concept((f"{TERMINOLOGY}/allergyintolerance-clinical", "active", "Active")),
        "verificationStatus": _concept((f"{TERMINOLOGY}/allergyintolerance-verification", "confirmed", "Confirmed")),
        "type": "allergy",
        "category": [category],
        "criticality": chance.choice(("low", "high")),
        "code": _concept(substance),
        "patient": _reference("Patient", subject["id"]),
        "reaction": [{"manifestation": [{"text": chance.choice(REACTIONS)}]}],
    }


def _observation(stay: Resource, suffix: str, code: Code, category: Code, time: datetime) -> Resource:
    return {
        "resourceType": "Observation",
        "id": f"{stay['id']}-{suffix}",
        "status": "final",
        "category": [_concept(category)],
        "code": _concept(code),
        **_of(stay),
        "effectiveDateTime": _time(time),
    }


def _result(chance: random.Random, analyte: Analyte) -> dict[str, Any]:
    """A number for the most part; else a text, a code, or why there is none."""
    kind = chance.random()
    if kind < 0.9:
        return {"valueQuantity": _quantity(analyte, _measured(chance, analyte))}
    if kind < 0.94:
        return {"valueString": "see comment"}
    if kind < 0.97:
        return {"valueCodeableConcept": _concept((SAMPLE_CODES, "SAM1", "See comment"))}
    return {"dataAbsentReason": _concept((f"{TERMINOLOGY}/data-absent-reason", "unknown", "Unknown"))}


def _measured(chance: random.Random, analyte: Analyte) -> float:
    """A value in the range for the most part, and a little outside it else."""
    spread = (analyte.high - analyte.low) * 0.15
    return chance.uniform(max(analyte.low - spread, 0.0), analyte.high + spread)


def _quantity(analyte: Analyte, value: float) -> dict[str, Any]:
    number = round(value, analyte.decimals) if analyte.decimals else round(value)
    return {"value": number, "unit": analyte.units, "system": UCUM, "code": analyte.units}


def _of(stay: Resource) -> dict[str, Any]:
    return {"subject": stay["subject"], "encounter": _reference("Encounter", stay["id"])}


def _concept(code: Code) -> dict[str, Any]:
    system, value, text = code
    return {"coding": [{"system": system, "code": value, "display": text}], "text": text}


def _reference(resource_type: str, resource_id: str) -> dict[str, str]:
    return {"reference": f"{resource_type}/{resource_id}"}


def _name(chance: random.Random, pool: NamePool) -> dict[str, Any]:
    given: Sequence[str] = [chance.choice(pool.given).strip()]
    return {"use": "official", "family": chance.choice(pool.family).strip(), "given": [*given]}


def _address(chance: random.Random, pool: NamePool) -> dict[str, Any]:
    return {
        "use": "home",
        "line": [chance.choice(pool.street)],
        "city": chance.choice(pool.city),
        "postalCode": f"{chance.randrange(1000):03d}00",
        "country": "XX",
    }


def _time(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
