"""What a message's records hold: names and places, as data. :mod:`.records` reads messages by these tables.

A column is ``(name, field, component)``. Component 0 is the whole field as :meth:`Message.get` gives it: a value
without parts unescaped, one with parts as it was sent. Any other is a component's first subcomponent (the family
name of ``Smith&von``, the street of ``Main St 1&Main St&1``); all subcomponents are in ``walk()``. Fields are those
of HL7 v2.8.2, chapters 2 to 12; a field that an older version does not have is simply not sent. Columns stand in the
order of their fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

__all__ = ["APPOINTMENT_TIMES", "NESTED", "PATIENT", "SCALARS", "Column", "RecordType"]

Column = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class RecordType:
    """One kind of nested record: an element of the JSON array that ``parse_message`` gives under a name.

    ``columns`` says for each segment what is read of it, ``repeated`` which of its fields become an array of text
    with one element a repetition. ``context`` are text columns that come from other segments or from the place in
    the message. ``has_notes`` adds ``notes``, the comments of the NTE segments that belong to it. ``parts`` are
    arrays of records with the columns named.
    """

    columns: dict[str, tuple[Column, ...]]
    context: tuple[str, ...] = ()
    repeated: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
    has_notes: bool = False
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all text columns, in a fixed order, each once."""
        read = (name for columns in self.columns.values() for name, _, _ in columns)
        return tuple(dict.fromkeys(("segment", "segment_index", *read, *self.context)))

    @property
    def lists(self) -> tuple[str, ...]:
        """The names of all arrays of text."""
        read = (name for columns in self.repeated.values() for name, _ in columns)
        return tuple(dict.fromkeys((*read, *(("notes",) if self.has_notes else ()))))


SCALARS: Final[dict[str, tuple[Column, ...]]] = {
    "MSH": (
        ("sending_application", 3, 1),
        ("sending_facility", 4, 1),
        ("receiving_application", 5, 1),
        ("receiving_facility", 6, 1),
        ("message_time", 7, 1),
        ("message_type", 9, 1),
        ("trigger_event", 9, 2),
        ("message_structure", 9, 3),
        ("message_control_id", 10, 1),
        ("processing_id", 11, 1),
        ("version", 12, 1),
        ("character_set", 18, 0),
    ),
    "EVN": (("event_code", 1, 1), ("event_recorded_time", 2, 1), ("event_reason", 4, 1), ("event_occurred_time", 6, 1)),
    "MSA": (("acknowledgment_code", 1, 1), ("acknowledged_control_id", 2, 1)),
    "PID": (
        ("patient_id", 3, 1),
        ("patient_id_authority", 3, 4),
        ("patient_id_type", 3, 5),
        ("patient_name", 5, 0),
        ("family_name", 5, 1),
        ("given_name", 5, 2),
        ("middle_name", 5, 3),
        ("birth_date", 7, 1),
        ("sex", 8, 1),
        ("race", 10, 1),
        ("address", 11, 0),
        ("street", 11, 1),
        ("city", 11, 3),
        ("state", 11, 4),
        ("postal_code", 11, 5),
        ("country", 11, 6),
        ("home_phone", 13, 1),
        ("language", 15, 1),
        ("marital_status", 16, 1),
        ("account_number", 18, 1),
        ("death_time", 29, 1),
        ("death_indicator", 30, 1),
    ),
    "MRG": (("prior_patient_id", 1, 1), ("prior_account_number", 3, 1), ("prior_visit_number", 5, 1)),
    "PV1": (
        ("patient_class", 2, 1),
        ("location", 3, 0),
        ("point_of_care", 3, 1),
        ("room", 3, 2),
        ("bed", 3, 3),
        ("location_facility", 3, 4),
        ("admission_type", 4, 1),
        ("prior_location", 6, 0),
        ("attending_doctor_id", 7, 1),
        ("attending_doctor_family_name", 7, 2),
        ("referring_doctor_id", 8, 1),
        ("hospital_service", 10, 1),
        ("admit_source", 14, 1),
        ("visit_number", 19, 1),
        ("discharge_disposition", 36, 1),
        ("admit_time", 44, 1),
        ("discharge_time", 45, 1),
    ),
    "SCH": (
        ("placer_appointment_id", 1, 1),
        ("filler_appointment_id", 2, 1),
        ("schedule_id", 5, 1),
        ("appointment_event_reason", 6, 1),
        ("appointment_reason", 7, 1),
        ("appointment_reason_text", 7, 2),
        ("appointment_type", 8, 1),
        ("appointment_type_text", 8, 2),
        ("appointment_duration", 9, 1),
        ("appointment_duration_units", 10, 1),
        ("appointment_start_time", 11, 4),
        ("appointment_end_time", 11, 5),
        ("appointment_status", 25, 1),
    ),
}
"""Plain names → the first segment of that name; see :data:`APPOINTMENT_TIMES` for two more places. Everything else of
a message is in the nested records and in ``walk()``."""

APPOINTMENT_TIMES: Final[tuple[Column, ...]] = (("appointment_start_time", 7, 1), ("appointment_end_time", 8, 1))
"""Columns of the first TQ1 that belongs to the SCH (chapter 4, TQ1-7 and TQ1-8): where the times of an appointment
stand since version 2.5, which deprecates SCH-11. They are read when SCH-11 has neither."""

PATIENT: Final[tuple[str, ...]] = (
    *("patient_id", "patient_id_authority", "patient_id_type", "patient_name", "family_name", "given_name"),
    *("middle_name", "birth_date", "sex"),
)
"""The columns of PID that say whom something is about."""
_ABOUT: Final[dict[str, tuple[str, ...]]] = {"patient": PATIENT}
"""In a message with several PID segments each record has, as an array of one, the patient that it is about."""

_OBSERVATION: Final[tuple[Column, ...]] = (
    ("set_id", 1, 1),
    ("value_type", 2, 1),
    ("code", 3, 1),
    ("code_text", 3, 2),
    ("code_system", 3, 3),
    ("alternate_code", 3, 4),
    ("alternate_code_text", 3, 5),
    ("alternate_code_system", 3, 6),
    ("sub_id", 4, 1),
    ("value", 5, 0),
    ("units", 6, 1),
    ("units_text", 6, 2),
    ("reference_range", 7, 0),
    ("abnormal_flags", 8, 1),
    ("status", 11, 1),
    ("observed_time", 14, 1),
    ("producer_id", 15, 1),
    ("observer_id", 16, 1),
    ("method", 17, 1),
    ("analysis_time", 19, 1),
)

_APPOINTMENT_RESOURCE: Final[dict[str, tuple[Column, ...]]] = {
    "AIS": (
        ("set_id", 1, 1),
        ("action_code", 2, 1),
        ("id", 3, 1),
        ("text", 3, 2),
        ("start_time", 4, 1),
        ("duration", 7, 1),
        ("duration_units", 8, 1),
        ("status", 10, 1),
    ),
    "AIG": (
        ("set_id", 1, 1),
        ("action_code", 2, 1),
        ("id", 3, 1),
        ("text", 3, 2),
        ("type", 4, 1),
        ("type_text", 4, 2),
        ("start_time", 8, 1),
        ("duration", 11, 1),
        ("duration_units", 12, 1),
        ("status", 14, 1),
    ),
    "AIL": (
        ("set_id", 1, 1),
        ("action_code", 2, 1),
        ("id", 3, 1),
        ("location", 3, 0),
        ("type", 4, 1),
        ("type_text", 4, 2),
        ("start_time", 6, 1),
        ("duration", 9, 1),
        ("duration_units", 10, 1),
        ("status", 12, 1),
    ),
    "AIP": (
        ("set_id", 1, 1),
        ("action_code", 2, 1),
        ("id", 3, 1),
        ("family_name", 3, 2),
        ("type", 4, 1),
        ("type_text", 4, 2),
        ("start_time", 6, 1),
        ("duration", 9, 1),
        ("duration_units", 10, 1),
        ("status", 12, 1),
    ),
}

NESTED: Final[dict[str, RecordType]] = {
    "patient_identifiers": RecordType(
        {"PID": ()},
        context=(
            *("field", "repetition", "patient_set_id", "id", "check_digit", "authority", "authority_id", "type"),
            *("facility", "effective_date", "expiration_date"),
        ),
    ),
    "next_of_kin": RecordType(
        {
            "NK1": (
                ("set_id", 1, 1),
                ("name", 2, 0),
                ("family_name", 2, 1),
                ("given_name", 2, 2),
                ("relationship", 3, 1),
                ("relationship_text", 3, 2),
                ("address", 4, 0),
                ("home_phone", 5, 0),
                ("contact_role", 7, 1),
                ("birth_date", 16, 1),
            )
        },
        context=("patient_set_id",),
        has_notes=True,
        parts=_ABOUT,
    ),
    "merges": RecordType(
        {
            "MRG": (
                ("prior_patient_id", 1, 1),
                ("prior_patient_id_authority", 1, 4),
                ("prior_alternate_id", 2, 1),
                ("prior_account_number", 3, 1),
                ("prior_visit_number", 5, 1),
                ("prior_patient_name", 7, 0),
            )
        },
        context=("patient_set_id",),
        parts=_ABOUT,
    ),
    "diagnoses": RecordType(
        {
            "DG1": (
                ("set_id", 1, 1),
                ("coding_method", 2, 1),
                ("code", 3, 1),
                ("code_text", 3, 2),
                ("code_system", 3, 3),
                ("description", 4, 1),
                ("time", 5, 1),
                ("type", 6, 1),
                ("priority", 15, 1),
                ("clinician_id", 16, 1),
                ("action_code", 21, 1),
            )
        },
        context=("parent_segment", "parent_segment_index", "patient_set_id"),
        has_notes=True,
        parts=_ABOUT,
    ),
    "allergies": RecordType(
        {
            "AL1": (
                ("set_id", 1, 1),
                ("type", 2, 1),
                ("code", 3, 1),
                ("code_text", 3, 2),
                ("code_system", 3, 3),
                ("severity", 4, 1),
                ("identified_date", 6, 1),
            ),
            "IAM": (
                ("set_id", 1, 1),
                ("type", 2, 1),
                ("code", 3, 1),
                ("code_text", 3, 2),
                ("code_system", 3, 3),
                ("severity", 4, 1),
                ("action_code", 6, 1),
                ("unique_id", 7, 1),
                ("onset_date", 11, 1),
                ("clinical_status", 17, 1),
            ),
        },
        context=("patient_set_id",),
        repeated={"AL1": (("reactions", 5),), "IAM": (("reactions", 5),)},
        parts=_ABOUT,
    ),
    "insurances": RecordType(
        {
            "IN1": (
                ("set_id", 1, 1),
                ("plan_id", 2, 1),
                ("plan_text", 2, 2),
                ("company_id", 3, 1),
                ("company_name", 4, 1),
                ("company_address", 5, 0),
                ("group_number", 8, 1),
                ("group_name", 9, 1),
                ("plan_effective_date", 12, 1),
                ("plan_expiration_date", 13, 1),
                ("plan_type", 15, 1),
                ("insured_name", 16, 0),
                ("insured_relationship", 17, 1),
                ("insured_birth_date", 18, 1),
                ("insured_address", 19, 0),
                ("policy_number", 36, 1),
                ("insured_sex", 43, 1),
                ("insured_id", 49, 1),
            ),
            "IN2": (
                ("insured_employee_id", 1, 1),
                ("payor_id", 25, 1),
                ("insured_employer", 70, 1),
                ("member_number", 61, 1),
            ),
            "IN3": (
                ("certification_number", 2, 1),
                ("certification_begin_date", 9, 1),
                ("certification_end_date", 10, 1),
            ),
        },
        context=("patient_set_id",),
        parts=_ABOUT,
    ),
    "orders": RecordType(
        {
            "ORC": (
                ("order_control", 1, 1),
                ("placer_order_number", 2, 1),
                ("filler_order_number", 3, 1),
                ("placer_group_number", 4, 1),
                ("order_status", 5, 1),
                ("transaction_time", 9, 1),
                ("entered_by_id", 10, 1),
                ("ordering_provider_id", 12, 1),
                ("ordering_provider_family_name", 12, 2),
                ("order_effective_time", 15, 1),
            ),
            "OBR": (
                ("set_id", 1, 1),
                ("placer_order_number", 2, 1),
                ("filler_order_number", 3, 1),
                ("code", 4, 1),
                ("code_text", 4, 2),
                ("code_system", 4, 3),
                ("alternate_code", 4, 4),
                ("alternate_code_text", 4, 5),
                ("priority", 5, 1),
                ("requested_time", 6, 1),
                ("observed_time", 7, 1),
                ("observed_end_time", 8, 1),
                ("danger_code", 12, 1),
                ("clinical_information", 13, 1),
                ("specimen_received_time", 14, 1),
                ("specimen_source", 15, 0),
                ("ordering_provider_id", 16, 1),
                ("ordering_provider_family_name", 16, 2),
                ("result_time", 22, 1),
                ("diagnostic_service", 24, 1),
                ("result_status", 25, 1),
                ("reason", 31, 1),
                ("reason_text", 31, 2),
                ("result_interpreter_id", 32, 1),
                ("scheduled_time", 36, 1),
            ),
            "RXO": (
                ("medication_code", 1, 1),
                ("medication_text", 1, 2),
                ("medication_system", 1, 3),
                ("dose", 2, 1),
                ("dose_units", 4, 1),
                ("dose_form", 5, 1),
            ),
            "RXE": (
                ("medication_code", 2, 1),
                ("medication_text", 2, 2),
                ("medication_system", 2, 3),
                ("dose", 3, 1),
                ("dose_units", 5, 1),
                ("dose_form", 6, 1),
                ("dispense_amount", 10, 1),
                ("dispense_units", 11, 1),
                ("refills", 12, 1),
                ("prescription_number", 15, 1),
            ),
            "RXD": (
                ("medication_code", 2, 1),
                ("medication_text", 2, 2),
                ("medication_system", 2, 3),
                ("dispensed_time", 3, 1),
                ("dispense_amount", 4, 1),
                ("dispense_units", 5, 1),
                ("prescription_number", 7, 1),
            ),
            "RXG": (
                ("medication_code", 4, 1),
                ("medication_text", 4, 2),
                ("medication_system", 4, 3),
                ("dose", 5, 1),
                ("dose_units", 7, 1),
            ),
            "SPM": (
                ("specimen_id", 2, 0),
                ("specimen_type", 4, 1),
                ("specimen_type_text", 4, 2),
                ("specimen_collected_time", 17, 1),
            ),
            "RXR": (("route", 1, 1), ("route_text", 1, 2), ("site", 2, 1)),
        },
        context=("patient_set_id",),
        has_notes=True,
        parts=_ABOUT,
    ),
    "observations": RecordType(
        {"OBX": _OBSERVATION},
        context=(
            *("parent_segment", "parent_segment_index", "order_segment_index", "order_set_id", "placer_order_number"),
            *("filler_order_number", "order_code", "order_code_text", "specimen_id", "patient_set_id"),
        ),
        repeated={"OBX": (("values", 5),)},
        has_notes=True,
        parts=_ABOUT,
    ),
    "notes": RecordType(
        {"NTE": (("set_id", 1, 1), ("source", 2, 1), ("comment", 3, 0), ("comment_type", 4, 1))},
        context=("parent_segment", "parent_segment_index", "parent_set_id"),
        repeated={"NTE": (("comments", 3),)},
    ),
    "resources": RecordType(_APPOINTMENT_RESOURCE, context=("group_set_id", "group_id"), has_notes=True),
    "vaccinations": RecordType(
        {
            "RXA": (
                ("sub_id", 1, 1),
                ("administration_sub_id", 2, 1),
                ("start_time", 3, 1),
                ("end_time", 4, 1),
                ("code", 5, 1),
                ("code_text", 5, 2),
                ("code_system", 5, 3),
                ("alternate_code", 5, 4),
                ("amount", 6, 1),
                ("units", 7, 1),
                ("administration_notes", 9, 0),
                ("provider_id", 10, 1),
                ("provider_family_name", 10, 2),
                ("location", 11, 0),
                ("lot_number", 15, 1),
                ("expiration_date", 16, 1),
                ("manufacturer", 17, 1),
                ("manufacturer_text", 17, 2),
                ("refusal_reason", 18, 1),
                ("refusal_reason_text", 18, 2),
                ("completion_status", 20, 1),
                ("action_code", 21, 1),
            ),
            "RXR": (("route", 1, 1), ("route_text", 1, 2), ("site", 2, 1), ("site_text", 2, 2)),
        },
        context=("order_control", "placer_order_number", "filler_order_number", "patient_set_id"),
        has_notes=True,
        parts={
            **_ABOUT,
            "observations": ("set_id", "value_type", "code", "code_text", "value", "units", "status", "observed_time"),
        },
    ),
    "documents": RecordType(
        {
            "TXA": (
                ("set_id", 1, 1),
                ("type", 2, 1),
                ("content_presentation", 3, 1),
                ("activity_time", 4, 1),
                ("provider_id", 5, 1),
                ("provider_family_name", 5, 2),
                ("origination_time", 6, 1),
                ("transcription_time", 7, 1),
                ("originator_id", 9, 1),
                ("transcriptionist_id", 11, 1),
                ("document_number", 12, 0),
                ("parent_document_number", 13, 0),
                ("file_name", 16, 1),
                ("completion_status", 17, 1),
                ("confidentiality_status", 18, 1),
                ("availability_status", 19, 1),
                ("title", 25, 1),
            )
        },
        context=("patient_set_id",),
        has_notes=True,
        parts={**_ABOUT, "contents": ("set_id", "value_type", "code", "code_text", "value", "status", "observed_time")},
    ),
    "charges": RecordType(
        {
            "FT1": (
                ("set_id", 1, 1),
                ("transaction_id", 2, 1),
                ("batch_id", 3, 1),
                ("transaction_time", 4, 1),
                ("posting_time", 5, 1),
                ("type", 6, 1),
                ("code", 7, 1),
                ("code_text", 7, 2),
                ("code_system", 7, 3),
                ("description", 8, 1),
                ("quantity", 10, 1),
                ("amount_extended", 11, 1),
                ("amount_unit", 12, 1),
                ("department", 13, 1),
                ("insurance_plan", 14, 1),
                ("patient_type", 18, 1),
                ("diagnosis_code", 19, 1),
                ("performed_by_id", 20, 1),
                ("ordered_by_id", 21, 1),
                ("unit_cost", 22, 1),
                ("filler_order_number", 23, 1),
                ("procedure_code", 25, 1),
                ("procedure_code_text", 25, 2),
            )
        },
        context=("patient_set_id",),
        repeated={"FT1": (("diagnosis_codes", 19), ("procedure_codes", 25))},
        has_notes=True,
        parts=_ABOUT,
    ),
    "procedures": RecordType(
        {
            "PR1": (
                ("set_id", 1, 1),
                ("coding_method", 2, 1),
                ("code", 3, 1),
                ("code_text", 3, 2),
                ("code_system", 3, 3),
                ("description", 4, 1),
                ("time", 5, 1),
                ("type", 6, 1),
                ("minutes", 7, 1),
                ("surgeon_id", 11, 1),
                ("practitioner_id", 12, 1),
                ("priority", 14, 1),
                ("diagnosis_code", 15, 1),
                ("modifier", 16, 1),
            )
        },
        context=("parent_segment", "parent_segment_index", "charge_set_id", "patient_set_id"),
        has_notes=True,
        parts=_ABOUT,
    ),
    "z_segments": RecordType({}, context=("text",), repeated={"Z": (("fields", 0),)}),
}
"""Name → what an element of its JSON array holds. Every column is text or null."""
