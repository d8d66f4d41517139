"""The door to parsing: ``parse``, ``parse_message``, ``split_batch``. Works without Spark."""

from __future__ import annotations

from connector_lib.formats.hl7v2 import FieldValue, Message, Segment, parse, parse_message, split_batch

__all__ = ["FieldValue", "Message", "Segment", "parse", "parse_message", "split_batch"]
