"""The door to validation: ``validate_message``, ``Finding``, ``EnvelopeCheck``. Works without Spark."""

from __future__ import annotations

from connector_lib.formats.hl7v2.rules import (
    CODES,
    EnvelopeCheck,
    Finding,
    FindingKind,
    Severity,
    validate_message,
)

__all__ = ["CODES", "EnvelopeCheck", "Finding", "FindingKind", "Severity", "validate_message"]
