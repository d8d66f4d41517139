"""What sample messages speak of, as data: tests, codes, medicines, places, texts. Names of persons are in
:mod:`.people`.

Codes of public code systems (LOINC, CVX, ICD-10, SNOMED CT) are real ones, so that a look-up finds them;
everything that names a site, a person or a device is invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = [
    "ALLERGIES",
    "ANTIGENS",
    "APPLICATIONS",
    "APPOINTMENT_REASONS",
    "APPOINTMENT_TYPES",
    "CHARGES",
    "COMMENTS",
    "DIAGNOSES",
    "DOCUMENT_TYPES",
    "DRUGS",
    "EQUIPMENT",
    "FACILITIES",
    "FINDING_CODES",
    "INSURERS",
    "PANELS",
    "PROCEDURES",
    "RELATIONSHIPS",
    "REPORT_LINES",
    "ROUTES",
    "SERVICES",
    "SITES",
    "SPECIMENS",
    "VACCINES",
    "VERSIONS",
    "WARDS",
    "Analyte",
    "Panel",
    "Version",
]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the standard. ``number`` orders them: 2.3.1 is 231. ``weight`` is its share among the
    samples."""

    name: str
    number: int
    weight: int


VERSIONS: Final[tuple[Version, ...]] = tuple(
    Version(name, number, weight)
    for name, number, weight in (
        ("2.1", 210, 1),
        ("2.2", 220, 2),
        ("2.3", 230, 14),
        ("2.3.1", 231, 14),
        ("2.4", 240, 12),
        ("2.5", 250, 16),
        ("2.5.1", 251, 22),
        ("2.6", 260, 5),
        ("2.7", 270, 4),
        ("2.7.1", 271, 1),
        ("2.8", 280, 3),
        ("2.8.1", 281, 2),
        ("2.8.2", 282, 1),
        ("2.9", 290, 3),
    )
)

APPLICATIONS: Final = ("SAMPLELAB", "TESTHIS", "DEMORIS", "MOCKPAS", "TRIALEHR", "SAMPLE_RX")
FACILITIES: Final = (
    "SAMPLETON GENERAL",
    "DEMO HOSPITAL^9.9.99.1^ISO",
    "TESTBURG CLINIC",
    "ST NOWHERE'S^9.9.99.2^ISO",
    "EXAMPLE COUNTY LAB",
)
WARDS: Final = ("2WEST", "ICU", "MED3", "SURG1", "PEDS", "ED", "MATERNITY", "OPD")
SERVICES: Final = ("MED", "SUR", "CAR", "PUL", "URO", "OBS", "PED", "ONC")


@dataclass(frozen=True, slots=True)
class Analyte:
    """A numeric test. The reference range is ``low`` to ``high`` in ``units``, written with ``decimals``
    decimals."""

    code: str
    text: str
    units: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Panel:
    """An order for several tests."""

    code: str
    text: str
    section: str
    analytes: tuple[Analyte, ...]


PANELS: Final[tuple[Panel, ...]] = (
    Panel(
        "58410-2",
        "CBC panel - Blood by Automated count",
        "HM",
        (
            Analyte("6690-2", "Leukocytes [#/volume] in Blood", "10*3/uL", 4.0, 11.0, 1),
            Analyte("789-8", "Erythrocytes [#/volume] in Blood", "10*6/uL", 4.2, 5.9, 2),
            Analyte("718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 12.0, 17.5, 1),
            Analyte("4544-3", "Hematocrit [Volume Fraction] of Blood", "%", 36.0, 50.0, 1),
            Analyte("787-2", "MCV [Entitic volume]", "fL", 80.0, 100.0, 1),
            Analyte("785-6", "MCH [Entitic mass]", "pg", 27.0, 33.0, 1),
            Analyte("777-3", "Platelets [#/volume] in Blood", "10*3/uL", 150.0, 400.0, 0),
            Analyte("788-0", "Erythrocyte distribution width", "%", 11.5, 14.5, 1),
        ),
    ),
    Panel(
        "24323-8",
        "Comprehensive metabolic 2000 panel",
        "CH",
        (
            Analyte("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "mg/dL", 70.0, 99.0, 0),
            Analyte("3094-0", "Urea nitrogen [Mass/volume] in Serum or Plasma", "mg/dL", 7.0, 20.0, 0),
            Analyte("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", 0.6, 1.3, 2),
            Analyte("2951-2", "Sodium [Moles/volume] in Serum or Plasma", "mmol/L", 135.0, 145.0, 0),
            Analyte("2823-3", "Potassium [Moles/volume] in Serum or Plasma", "mmol/L", 3.5, 5.1, 1),
            Analyte("2075-0", "Chloride [Moles/volume] in Serum or Plasma", "mmol/L", 98.0, 107.0, 0),
            Analyte("17861-6", "Calcium [Mass/volume] in Serum or Plasma", "mg/dL", 8.6, 10.2, 1),
            Analyte("1742-6", "Alanine aminotransferase", "U/L", 7.0, 56.0, 0),
            Analyte("1975-2", "Bilirubin.total", "mg/dL", 0.1, 1.2, 1),
        ),
    ),
    Panel(
        "24331-1",
        "Lipid 1996 panel - Serum or Plasma",
        "CH",
        (
            Analyte("2093-3", "Cholesterol [Mass/volume] in Serum or Plasma", "mg/dL", 120.0, 200.0, 0),
            Analyte("2571-8", "Triglyceride [Mass/volume] in Serum or Plasma", "mg/dL", 40.0, 150.0, 0),
            Analyte("2085-9", "Cholesterol in HDL", "mg/dL", 40.0, 80.0, 0),
            Analyte("13457-7", "Cholesterol in LDL (calculated)", "mg/dL", 50.0, 130.0, 0),
        ),
    ),
    Panel(
        "24348-5",
        "Free T4 and TSH panel - Serum or Plasma",
        "CH",
        (
            Analyte("3016-3", "Thyrotropin [Units/volume] in Serum or Plasma", "m[IU]/L", 0.4, 4.0, 2),
            Analyte("3024-7", "Thyroxine (T4) free [Mass/volume] in Serum or Plasma", "ng/dL", 0.8, 1.8, 2),
        ),
    ),
    Panel(
        "85354-9",
        "Blood pressure panel",
        "PHY",
        (
            Analyte("8480-6", "Systolic blood pressure", "mm[Hg]", 90.0, 140.0, 0),
            Analyte("8462-4", "Diastolic blood pressure", "mm[Hg]", 60.0, 90.0, 0),
            Analyte("8867-4", "Heart rate", "/min", 50.0, 100.0, 0),
            Analyte("8310-5", "Body temperature", "Cel", 36.0, 37.8, 1),
        ),
    ),
)

FINDING_CODES: Final = (
    ("3092008", "Staphylococcus aureus", "SCT"),
    ("112283007", "Escherichia coli", "SCT"),
    ("260385009", "Negative", "SCT"),
    ("10828004", "Positive", "SCT"),
    ("LA11840-6", "Not detected", "LN"),
    ("SAM1", "See comment", "99SAM"),
)
SPECIMENS: Final = (
    ("119297000", "Blood specimen"),
    ("119364003", "Serum specimen"),
    ("122575003", "Urine specimen"),
    ("119334006", "Sputum specimen"),
)
DIAGNOSES: Final = (
    ("I10", "Essential (primary) hypertension"),
    ("E11.9", "Type 2 diabetes mellitus without complications"),
    ("J18.9", "Pneumonia, unspecified organism"),
    ("S52.501A", "Unspecified fracture of the lower end of right radius"),
    ("R07.9", "Chest pain, unspecified"),
    ("K35.80", "Unspecified acute appendicitis"),
    ("Z23", "Encounter for immunization"),
)
PROCEDURES: Final = (
    ("0DTJ4ZZ", "Resection of appendix"),
    ("93000", "Electrocardiogram, complete"),
    ("71046", "Radiologic examination, chest, 2 views"),
    ("45378", "Colonoscopy, diagnostic"),
)
CHARGES: Final = (
    ("99213", "Office visit, established patient", 128.5),
    ("80053", "Comprehensive metabolic panel", 41.0),
    ("85025", "Complete blood count", 27.25),
    ("71046", "Chest x-ray, 2 views", 210.0),
    ("SAMRM1", "Sample room, per day", 940.0),
)
ALLERGIES: Final = (
    ("DA", "7980", "Penicillin", "SV", "Anaphylaxis"),
    ("FA", "256349002", "Peanut", "MO", "Hives \\T\\ itching"),
    ("MA", "SAMPOL", "Sample tree pollen", "MI", "Sneezing"),
    ("DA", "1191", "Aspirin", "MO", "Rash~Wheezing"),
)
DRUGS: Final = (
    ("860975", "metformin 500 MG Oral Tablet", "500", "MG", "TAB"),
    ("197361", "amlodipine 5 MG Oral Tablet", "5", "MG", "TAB"),
    ("308182", "amoxicillin 250 MG Oral Capsule", "250", "MG", "CAP"),
    ("SAMRX9", "sample ointment 2 %", "2", "G", "OINT"),
)
VACCINES: Final = (
    ("208", "COVID-19, mRNA, 30 mcg/0.3 mL", "0.3", "SMP^Sample Vaccines^MVX"),
    ("140", "Influenza, seasonal, preservative free", "0.5", "DMO^Demo Biologics^MVX"),
    ("03", "MMR", "0.5", "TST^Test Pharma^MVX"),
    ("20", "DTaP", "0.5", "SMP^Sample Vaccines^MVX"),
    ("08", "Hepatitis B, adolescent or pediatric", "0.5", "DMO^Demo Biologics^MVX"),
)
ANTIGENS: Final = (("30956-7", "Vaccine type"), ("64994-7", "Funding program eligibility"))
ROUTES: Final = ("IM^Intramuscular^HL70162", "SC^Subcutaneous^HL70162", "PO^Oral^HL70162")
SITES: Final = ("LA^Left Arm^HL70163", "RA^Right Arm^HL70163", "LT^Left Thigh^HL70163")
INSURERS: Final = (
    ("SAMHMO", "SAMPLE HEALTH PLAN"),
    ("DEMOBLUE", "DEMO MUTUAL \\T\\ PARTNERS"),
    ("TSTGOV", "TEST PUBLIC PAYER"),
)
RELATIONSHIPS: Final = (
    ("SPO", "Spouse"),
    ("MTH", "Mother"),
    ("FTH", "Father"),
    ("CHD", "Child"),
    ("EMC", "Emergency"),
)
APPOINTMENT_REASONS: Final = (
    ("CHECKUP", "A routine check-up"),
    ("FOLLOWUP", "A follow-up visit"),
    ("WALKIN", "Walk in"),
)
APPOINTMENT_TYPES: Final = (
    ("NORMAL", "Routine schedule request type"),
    ("COMPLETE", "Complete the appointment"),
)
EQUIPMENT: Final = (
    ("US-77", "Sample ultrasound unit"),
    ("ECG-3", "Demo ECG cart"),
    ("RM-CHAIR", "Infusion chair"),
)
DOCUMENT_TYPES: Final = (
    ("HP", "History and physical"),
    ("DS", "Discharge summary"),
    ("CN", "Consultation"),
    ("OP", "Operative report"),
)

COMMENTS: Final = (
    "Specimen received in good order.",
    "Called to the ward, read back and confirmed.",
    "Patient fasting: not stated.",
    "Result checked \\T\\ repeated on a second analyser.",
    "Ratio A\\S\\B outside 1\\F\\3 of the expected range.",
    "\\H\\CRITICAL VALUE\\N\\ told to the physician on call.",
    "First line.\\.br\\Second line.\\.br\\\\.sp2\\Last line.",
    "Carriage return \\X0D\\ inside a text.",
    "Scan stored under D:\\E\\scans\\E\\sample",
    "Codes A\\R\\B\\R\\C apply.",
    " indented on purpose",
    "trailing blanks kept  ",
    "It's the sender's own wording, isn't it?",
    "No further comment.",
)
"""Texts of notes and comments, in the default separators: with every common escape, quotes, and blanks at
the ends."""

REPORT_LINES: Final = (
    "EXAMINATION: sample examination of a made-up person.",
    "HISTORY: cough \\T\\ fever for 3 days.",
    "TECHNIQUE: two views, standard protocol.",
    "FINDINGS: no acute finding. Heart size normal.",
    "\\.in+4\\Lungs clear on both sides.\\.in-4\\",
    "\\H\\IMPRESSION\\N\\: nothing of note; follow up as needed.",
    "COMPARISON: none (this person does not exist).",
    "Dictated but not read.",
)
