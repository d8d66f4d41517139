"""Which columns the HL7 v2 tables have and which messages go where, as data. :mod:`.hl7v2` builds the tables from
it."""

from __future__ import annotations

from typing import Final

from connector_lib.formats.hl7v2.record_types import PATIENT

__all__ = [
    "ADT",
    "ADT_LISTS",
    "APPOINTMENT",
    "CHARGE_MESSAGE_LISTS",
    "FAMILIES",
    "IMMUNIZATION_LISTS",
    "INTEGERS",
    "NUMBERS",
    "OTHER_LISTS",
    "VISIT",
]

FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "adt": ("ADT",),
    "orders": ("ORM", "OML", "OMG", "OMI", "OMB", "OMD", "OMN", "OMP", "OMS", "OMQ", "RDE", "RDS", "RGV", "RAS"),
    "reports": ("ORU",),
    "appointments": ("SIU",),
    "immunization_messages": ("VXU",),
    "documents": ("MDM",),
    "charges": ("DFT", "BAR"),
}
"""Table → the message types (MSH-9.1) it holds. All other messages are in ``other_messages``."""

VISIT: Final = (
    *("patient_class", "location", "point_of_care", "room", "bed", "location_facility", "admission_type"),
    *(
        "prior_location",
        "attending_doctor_id",
        "attending_doctor_family_name",
        "referring_doctor_id",
        "hospital_service",
    ),
    *("admit_source", "visit_number", "discharge_disposition", "admit_time", "discharge_time"),
)

ADT: Final = (
    *("event_code", "event_recorded_time", "event_reason", "event_occurred_time", *PATIENT, "race", "address"),
    *("street", "city", "state", "postal_code", "country", "home_phone", "language", "marital_status"),
    *("account_number", "death_time", "death_indicator"),
    *("prior_patient_id", "prior_account_number", "prior_visit_number", *VISIT),
)
ADT_LISTS: Final = (
    *("patient_identifiers", "next_of_kin", "diagnoses", "allergies", "insurances", "procedures", "merges", "notes"),
    "z_segments",
)

APPOINTMENT: Final = (
    *("placer_appointment_id", "filler_appointment_id", "schedule_id", "appointment_event_reason"),
    *("appointment_reason", "appointment_reason_text", "appointment_type", "appointment_type_text"),
    *("appointment_duration", "appointment_duration_units", "appointment_start_time", "appointment_end_time"),
    *("appointment_status", *PATIENT, *VISIT),
)
IMMUNIZATION_LISTS: Final = ("patient_identifiers", "next_of_kin", "notes")
CHARGE_MESSAGE_LISTS: Final = ("diagnoses", "procedures", "insurances")
OTHER_LISTS: Final = ("patient_identifiers", "notes", "z_segments")

INTEGERS: Final = frozenset({"segment_index", "parent_segment_index", "order_segment_index", "field", "repetition"})
"""Counted by the parser, so that they are always whole numbers."""

NUMBERS: Final = frozenset(
    {
        *("amount", "amount_extended", "amount_unit", "unit_cost", "quantity", "duration", "appointment_duration"),
        *("minutes", "dose", "dispense_amount", "refills"),
    }
)
"""Sent as NM, SI or the quantity of CP: a double, NULL where the text is no number."""
