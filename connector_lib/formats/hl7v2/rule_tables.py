"""What the standard says about segments and fields, as data for :mod:`.rules` (HL7 v2.1 to
v2.9, chapters 2 to 12).

A field is in :data:`REQUIRED` when every version that has its segment requires it, or all but the oldest do;
so a message is measured by what its version asks for, and not by what a later one added.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

__all__ = [
    "NUMBERED",
    "PROCESSING_IDS",
    "REQUIRED",
    "REQUIRED_SEGMENTS",
    "SEGMENTS",
    "TIMES",
    "VALUE_TYPES",
    "VERSIONS",
    "Need",
    "Required",
    "Times",
]

VERSIONS: Final = (
    "2.1",
    "2.2",
    "2.3",
    "2.3.1",
    "2.4",
    "2.5",
    "2.5.1",
    "2.6",
    "2.7",
    "2.7.1",
    "2.8",
    "2.8.1",
    "2.8.2",
    "2.9",
    "2.9.1",
)
"""HL7 table 0104, version id. 2.0 was never used in production and 2.3.2 and 2.4.1 were never published."""

PROCESSING_IDS: Final = ("P", "T", "D")
"""HL7 table 0103: production, training, debugging."""

Need = Literal["required", "expected"]
"""``required``: without it the message cannot be identified, attributed or understood. ``expected``: required
by the standard, and the message is usable without."""


class Required(NamedTuple):
    """A field that a segment must have."""

    field: int
    title: str
    need: Need


REQUIRED: Final[dict[str, tuple[Required, ...]]] = {
    "MSH": (
        Required(9, "message type", "required"),
        Required(10, "message control id", "required"),
        Required(11, "processing id", "expected"),
        Required(12, "version id", "required"),
    ),
    "MSA": (
        Required(1, "acknowledgment code", "required"),
        Required(2, "control id of the acknowledged message", "required"),
    ),
    "PID": (Required(3, "patient identifier list", "required"), Required(5, "patient name", "expected")),
    "PV1": (Required(2, "patient class", "expected"),),
    "MRG": (Required(1, "prior patient identifier list", "expected"),),
    "AL1": (Required(3, "allergen", "expected"),),
    "IAM": (Required(3, "allergen", "expected"),),
    "DG1": (Required(6, "diagnosis type", "expected"),),
    "GT1": (Required(3, "guarantor name", "expected"),),
    "IN1": (Required(3, "insurance company id", "expected"),),
    "FT1": (
        Required(4, "transaction date", "expected"),
        Required(6, "transaction type", "expected"),
        Required(7, "transaction code", "required"),
    ),
    "ORC": (Required(1, "order control", "expected"),),
    "OBR": (Required(4, "universal service identifier", "required"),),
    "OBX": (Required(3, "observation identifier", "required"), Required(11, "result status", "expected")),
    "SPM": (Required(4, "specimen type", "expected"),),
    "RXA": (Required(3, "start of administration", "expected"), Required(5, "administered code", "required")),
    "RXD": (Required(2, "dispensed code", "required"),),
    "RXE": (Required(2, "give code", "required"),),
    "RXG": (Required(4, "give code", "required"),),
    "RXR": (Required(1, "route", "expected"),),
    "SCH": (Required(6, "event reason", "expected"),),
    "AIS": (Required(3, "universal service identifier", "expected"),),
    "TXA": (
        Required(2, "document type", "expected"),
        Required(12, "document number", "expected"),
        Required(17, "completion status", "expected"),
    ),
    "MFI": (Required(1, "master file identifier", "required"),),
    "MFE": (Required(1, "event code of the record", "expected"), Required(4, "primary key", "required")),
    "PRB": (Required(3, "problem", "required"),),
    "GOL": (Required(3, "goal", "required"),),
}

REQUIRED_SEGMENTS: Final[dict[str, tuple[tuple[str, Need], ...]]] = {
    "ACK": (("MSA", "required"),),
    "ADT": (("EVN", "expected"), ("PID", "required")),
    "BAR": (("PID", "required"),),
    "DFT": (("PID", "required"), ("FT1", "expected")),
    "MDM": (("PID", "required"), ("TXA", "required")),
    "MFN": (("MFI", "required"),),
    "OMG": (("ORC", "expected"), ("OBR", "required")),
    "OML": (("ORC", "expected"),),
    "ORM": (("ORC", "expected"),),
    "ORU": (("OBR", "required"),),
    "PPR": (("PID", "required"),),
    "RDE": (("ORC", "expected"), ("RXE", "required")),
    "RDS": (("ORC", "expected"), ("RXD", "required")),
    "REF": (("PRD", "expected"), ("PID", "required")),
    "SIU": (("SCH", "required"),),
    "VXU": (("PID", "required"),),
}
"""MSH-9.1 → the segments that its structures have for every event (but :data:`WITHOUT_PATIENT`)."""

WITHOUT_PATIENT: Final = frozenset({"A20"})
"""Events of ADT without a patient: A20, bed status."""

NUMBERED: Final = frozenset(
    {
        *("AIG", "AIL", "AIP", "AIS", "AL1", "DG1", "FT1", "GT1", "IAM", "IN1", "NK1", "NTE", "OBR", "OBX"),
        *("PID", "PR1", "RGS", "SPM", "TQ1"),
    }
)
"""Segments whose first field is a set id (SI) that counts them within their group."""

Times = Literal["time", "date", "range", "timing"]
"""``time``: TS or DTM. ``date``: DT in every version. ``range``: DR, a start and an end. ``timing``: TQ,
whose fourth and fifth components are a start and an end."""

TIMES: Final[dict[str, dict[int, Times]]] = {
    "MSH": {7: "time"},
    "EVN": {2: "time", 3: "time", 6: "time"},
    "PID": {7: "time", 29: "time", 33: "time"},
    "PD1": {13: "date", 17: "date", 18: "date"},
    "NK1": {8: "date", 9: "date", 16: "time"},
    "PV1": {25: "date", 30: "date", 35: "date", 44: "time", 45: "time"},
    "PV2": {
        8: "time",
        9: "time",
        14: "date",
        17: "date",
        26: "date",
        28: "date",
        29: "date",
        33: "time",
        46: "date",
        47: "time",
        48: "time",
    },
    "AL1": {6: "date"},
    "IAM": {11: "date", 13: "time", 20: "time"},
    "DB1": {5: "date", 6: "date", 7: "date", 8: "date"},
    "DG1": {5: "time", 19: "time"},
    "DRG": {2: "time"},
    "PR1": {5: "time"},
    "ROL": {5: "time", 6: "time"},
    "ACC": {1: "time"},
    "GT1": {8: "time", 13: "date", 14: "date"},
    "IN1": {12: "date", 13: "date", 18: "time", 24: "date", 26: "date", 29: "time"},
    "IN2": {17: "date", 44: "date", 45: "date", 55: "date", 56: "date"},
    "IN3": {6: "time", 7: "time", 9: "date", 10: "date", 13: "time"},
    "AUT": {4: "time", 5: "time", 10: "time"},
    "RF1": {7: "time", 8: "time", 9: "time"},
    "FT1": {4: "range", 5: "time"},
    "ORC": {7: "timing", 9: "time", 15: "time", 27: "time"},
    "OBR": {6: "time", 7: "time", 8: "time", 14: "time", 22: "time", 27: "timing", 36: "time"},
    "OBX": {12: "time", 14: "time", 19: "time"},
    "SPM": {17: "range", 18: "time", 19: "time"},
    "SAC": {7: "time"},
    "NTE": {6: "time", 7: "time", 8: "time"},
    "TQ1": {7: "time", 8: "time"},
    "PRT": {11: "time", 12: "time"},
    "RXA": {3: "time", 4: "time", 16: "time", 22: "time"},
    "RXD": {3: "time", 19: "time"},
    "RXE": {18: "time", 32: "time"},
    "RXG": {20: "time"},
    "SCH": {11: "timing"},
    "AIS": {4: "time"},
    "AIG": {8: "time"},
    "AIL": {6: "time"},
    "AIP": {6: "time"},
    "ARQ": {11: "range"},
    "ARV": {6: "range"},
    "TXA": {4: "time", 6: "time", 7: "time", 8: "time"},
    "CON": {12: "time", 13: "time", 14: "time", 15: "time"},
    "PRB": {2: "time", 7: "time", 8: "time", 9: "time", 15: "time", 16: "time"},
    "GOL": {2: "time", 7: "time", 8: "time"},
    "PTH": {4: "time", 6: "time"},
    "PDA": {4: "time", 7: "range"},
    "STF": {6: "time", 24: "date", 25: "date"},
    "MFI": {4: "time", 5: "time"},
    "MFE": {3: "time"},
    "SFT": {6: "time"},
}
"""Segment, field, what it holds. A field that was DT in one version and TS in another counts as ``time``."""

VALUE_TYPES: Final = frozenset(
    (  # noqa: SIM905 - a list of words is read best as words
        "AD AUI CCD CCP CD CE CF CK CM CN CNE CNN CP CQ CSU CWE CX DDI DIN DLD DLN DLT DR DT DTM DTN ED "
        "EI EIP ERL FC FN FT GTS HD ICD ID IS JCC LA1 LA2 MA MO MOC MOP MSG NA NDL NM NR OCD OG OSP PIP "
        "PL PLN PN PPN PRL PT PTA QIP QSC RCD RFR RI RMC RP RPT SAD SCV SI SN SNM SPD SRT ST TM TN TQ TS "
        "TX UVC VH VID VR WVI WVS XAD XCN XON XPN XTN "
    ).split()
)
"""HL7 table 0125 of all versions, with the types that it stands for by "any data type" (chapter 2A)."""

SEGMENTS: Final = frozenset(
    (  # noqa: SIM905 - a list of words is read best as words
        "ABS ACC ADD ADJ AFF AIG AIL AIP AIS AL1 APR ARQ ARV AUT BHS BLC BLG BPO BPX BTS BTX BUI CDM CDO "
        "CER CM0 CM1 CM2 CNS CON CSP CSR CSS CTD CTI CTR DB1 DEV DG1 DMI DON DPS DRG DSC DSP DST ECD ECR "
        "EDU EQL EQP EQU ERQ ERR EVN FAC FHS FT1 FTS GOL GP1 GP2 GSC GSP GSR GT1 IAM IAR IIM ILT IN1 IN2 "
        "IN3 INV IPC IPR ISD ITM IVC IVT LAN LCC LCH LDP LOC LRL MCP MFA MFE MFI MRG MSA MSH NCK NDS NK1 "
        "NPU NSC NST NTE OBR OBX ODS ODT OH1 OH2 OH3 OH4 OM1 OM2 OM3 OM4 OM5 OM6 OM7 OMC ORC ORG ORO OVR "
        "PAC PCE PCR PD1 PDA PDC PEO PES PID PKG PM1 PMT PR1 PRA PRB PRC PRD PRT PSG PSH PSL PSS PTH PV1 "
        "PV2 PYE QAK QID QPD QRD QRF QRI RCP RDF RDT REL RF1 RFI RGS RMI ROL RQ1 RQD RX1 RXA RXC RXD RXE "
        "RXG RXO RXR RXV SAC SCD SCH SCP SDD SFT SGH SGT SHP SID SLT SPM SPR STF STZ TCC TCD TQ1 TQ2 TXA "
        "UAC UB1 UB2 URD URS VAR VND VTQ "
    ).split()
)
"""Appendix A of all versions."""
