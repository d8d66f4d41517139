"""Synthetic HL7 v2 messages, one by one, as batch files or as values of a topic, all of it made from a seed.

================================  ===================================================================
:func:`messages`                  valid messages of all families, one by one
:func:`oru_message`               one typical result message of a given size
:func:`write_files`               batch files in every form, on request damaged ones; gives a manifest
:func:`write_topic`               values of a Kafka topic in the same forms; gives a manifest
``FORMS``, ``CHARSETS``           which forms and charsets there are
``DAMAGES``, ``FAMILIES``         which kinds of damage and which families there are
================================  ===================================================================
"""

from __future__ import annotations

from connector_lib.samples.hl7v2.damage import DAMAGES
from connector_lib.samples.hl7v2.files import write_files
from connector_lib.samples.hl7v2.forms import FORMS, Form
from connector_lib.samples.hl7v2.kafka import write_topic
from connector_lib.samples.hl7v2.kinds import FAMILIES
from connector_lib.samples.hl7v2.manifest import FileRecord, Manifest
from connector_lib.samples.hl7v2.messages import messages, oru_message
from connector_lib.samples.hl7v2.people import CHARSETS
from connector_lib.samples.hl7v2.topic_manifest import Delivery, TopicManifest

__all__ = [
    "CHARSETS",
    "DAMAGES",
    "FAMILIES",
    "FORMS",
    "Delivery",
    "FileRecord",
    "Form",
    "Manifest",
    "TopicManifest",
    "messages",
    "oru_message",
    "write_files",
    "write_topic",
]
