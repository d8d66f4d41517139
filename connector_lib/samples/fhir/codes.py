"""Code systems of FHIR and codes in them, as data.

The codes are those of the HL7 v2 samples, with the address of their code system (HL7 Terminology, "Code Systems"; FHIR
R4, chapter "Using Codes in Resources").
"""

from __future__ import annotations

from typing import Final, TypeAlias

from connector_lib.samples.hl7v2.vocabulary import DIAGNOSES, DRUGS, PROCEDURES, VACCINES

__all__ = [
    "ALLERGENS",
    "CONDITIONS",
    "ENCOUNTER_CLASSES",
    "LOINC",
    "MEDICATIONS",
    "OPERATIONS",
    "REACTIONS",
    "SAMPLE_CODES",
    "SNOMED",
    "TERMINOLOGY",
    "UCUM",
    "VACCINE_CODES",
    "Code",
]

Code: TypeAlias = tuple[str, str, str]
"""System, code and text."""

TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem"
LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
UCUM: Final = "http://unitsofmeasure.org"
SAMPLE_CODES: Final = "http://example.org/sample-codes"
_RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
_CPT: Final = "http://www.ama-assn.org/go/cpt"
_ICD_10_PCS: Final = "http://www.cms.gov/Medicare/Coding/ICD10"

CONDITIONS: Final[tuple[Code, ...]] = tuple(
    ("http://hl7.org/fhir/sid/icd-10-cm", code, text) for code, text in DIAGNOSES
)
MEDICATIONS: Final[tuple[Code, ...]] = tuple(
    (_RXNORM if code.isdecimal() else SAMPLE_CODES, code, text) for code, text, *_ in DRUGS
)
VACCINE_CODES: Final[tuple[Code, ...]] = tuple(
    ("http://hl7.org/fhir/sid/cvx", code, text) for code, text, *_ in VACCINES
)
OPERATIONS: Final[tuple[Code, ...]] = tuple(
    (_CPT if code.isdecimal() else _ICD_10_PCS, code, text) for code, text in PROCEDURES
)
ALLERGENS: Final[tuple[tuple[str, Code], ...]] = (
    ("medication", (_RXNORM, "7980", "Penicillin")),
    ("food", (SNOMED, "256349002", "Peanut")),
    ("environment", (SAMPLE_CODES, "SAMPOL", "Sample tree pollen")),
    ("medication", (_RXNORM, "1191", "Aspirin")),
)
"""Category and substance."""
REACTIONS: Final = ("Anaphylaxis", "Hives & itching", "Sneezing", "Rash, wheezing")
ENCOUNTER_CLASSES: Final[tuple[Code, ...]] = (
    (f"{TERMINOLOGY}/v3-ActCode", "AMB", "ambulatory"),
    (f"{TERMINOLOGY}/v3-ActCode", "IMP", "inpatient encounter"),
    (f"{TERMINOLOGY}/v3-ActCode", "EMER", "emergency"),
)
