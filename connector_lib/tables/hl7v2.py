"""The tables of HL7 v2 messages, whatever they come from: files, Kafka, Event Hubs, Kinesis.

:func:`received` reads and parses each message once; all other tables select, filter and explode what it holds::

    received ─┬─ raw                    one row a message, as it was received
              ├─ quarantine             what is no message or could not be read, whole, with its reason
              ├─ findings               what else is wrong with messages and batches
              ├─ fields                 one row a value, with its place
              ├─ adt                    one row an ADT message
              ├─ orders                 one row an order (ORC or OBR) of ORM, OML, RDE …
              ├─ reports                one row a report (OBR) of ORU
              ├─ observations           one row an OBX, with its order
              ├─ appointments           one row an SIU message
              ├─ appointment_resources  one row an AIS, AIG, AIL, AIP
              ├─ immunization_messages  one row a VXU message
              ├─ vaccinations           one row an RXA
              ├─ documents              one row a TXA of MDM
              ├─ charges                one row an FT1 of DFT, BAR
              └─ other_messages         one row a message of any other type

Every message is in ``raw`` or in ``quarantine``, once; and in one of ``adt``, ``orders``, ``reports``,
``appointments``, ``immunization_messages``, ``documents``, ``charges``, ``other_messages`` at least once. The
conditions are complementary and safe with NULL.

A column whose name ends in ``_time`` is a timestamp, ``_date`` a date; what HL7 sends as a number is a double. What
cannot be converted is NULL there and stays as it was sent in ``fields``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
)

from connector_lib.formats.hl7v2.reading import PieceTuple, ReadMessage, pieces_of, read_message
from connector_lib.formats.hl7v2.record_types import NESTED, PATIENT
from connector_lib.schemas import FIELDS_TYPE, FINDINGS_TYPE, PARSED_TYPE
from connector_lib.spark_utils import hl7_date, hl7_number, hl7_timestamp, make_udf, nested
from connector_lib.tables.hl7v2_columns import (
    ADT,
    ADT_LISTS,
    APPOINTMENT,
    CHARGE_MESSAGE_LISTS,
    FAMILIES,
    IMMUNIZATION_LISTS,
    INTEGERS,
    NUMBERS,
    OTHER_LISTS,
    VISIT,
)

__all__ = [
    "TABLES",
    "Table",
    "adt",
    "appointment_resources",
    "appointments",
    "charges",
    "documents",
    "fields",
    "findings",
    "immunization_messages",
    "observations",
    "orders",
    "other_messages",
    "quarantine",
    "raw",
    "received",
    "reports",
    "vaccinations",
]

_PIECES = ArrayType(
    StructType(
        [
            StructField("message_index", IntegerType()),
            StructField("offset", LongType(), False),
            StructField("message", StringType()),
            StructField("charset", StringType()),
            StructField("charset_problem", StringType(), False),
            StructField("reason", StringType()),
            StructField("content", BinaryType()),
            StructField("findings", FINDINGS_TYPE, False),
        ]
    ),
    False,
)
_READ = StructType(
    [
        StructField("parsed", PARSED_TYPE),
        StructField("fields", FIELDS_TYPE),
        StructField("findings", FINDINGS_TYPE),
        StructField("reason", StringType()),
    ]
)
_ONE_STRUCTURED_NUMBER = r"^=?\^([^^]+)\^*$"
"""Comparator, number, separator, number, of which only the first number is there (chapter 2A, SN)."""
_PLACE = ("_place.*", "_message_index")
_KEPT = ("_place", "_message_index")
_HEADER = ("message_control_id", "message_type", "trigger_event", "version", "sending_application", "sending_facility")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a pipeline: ``query`` makes it from the stream of ``received``."""

    name: str
    comment: str
    query: Callable[[DataFrame], DataFrame]


def received(contents: DataFrame, *, run_together: bool = False) -> DataFrame:
    """Every message, and every piece of what came in that is none, with its reason.

    ``contents`` is what the functions of :mod:`connector_lib.flows` give, one row a file or event: ``_place`` (struct:
    what names it for good), ``_about`` (struct: what else is known of it), ``content`` (binary) and ``problem``
    (string: why there is no content, else NULL). With ``run_together`` a message may follow another one without a line
    end.

    A row has ``reason`` when it could not be read, and then ``content``, its bytes. Otherwise it has ``message`` and
    what was parsed of it: ``parsed`` (map<string, string>), ``fields`` and ``findings`` (arrays of structs). A row with
    findings and neither message nor reason speaks of the batch, not of a message.
    """
    split_udf = (
        make_udf(_run_together_pieces_of_value, "pieces_of_run_together_contents", _PIECES)
        if run_together
        else make_udf(_pieces_of_value, "pieces_of_contents", _PIECES)
    )
    read_udf = make_udf(_read_value, "read_messages", _READ)
    pieces = contents.select("_place", "_about", "problem", split_udf("content").alias("pieces")).select(
        "_place", "_about", "problem", F.explode_outer("pieces").alias("piece")
    )
    read = pieces.where("problem IS NOT NULL OR piece IS NOT NULL").select(
        *("_place", "_about", "problem", "piece"),
        read_udf("piece.message", "piece.charset", "piece.charset_problem").alias("read"),
    )
    reason = F.coalesce("problem", "piece.reason", "read.reason")
    return read.select(
        "_place",
        "_about",
        F.when(F.col("problem").isNotNull(), F.lit(0)).otherwise(F.col("piece.message_index")).alias("_message_index"),
        F.col("piece.offset").alias("_offset"),
        reason.alias("reason"),
        F.when(reason.isNull(), F.col("piece.message")).alias("message"),
        F.when(reason.isNotNull(), F.col("piece.content")).alias("content"),
        F.col("piece.charset").alias("charset"),
        F.col("read.parsed").alias("parsed"),
        F.when(reason.isNull(), F.col("read.fields")).alias("fields"),
        F.flatten(F.array_compact(F.array("piece.findings", "read.findings"))).alias("findings"),
        F.current_timestamp().alias("_ingest_timestamp"),
    )


def raw(received: DataFrame) -> DataFrame:
    """One row a message that could be read: ``message`` as it was received, and where it was."""
    return _messages(received).select(
        *_PLACE,
        *_parsed(_HEADER),
        _time(F.col("parsed")["message_time"]).alias("message_time"),
        *("message", "charset", "_offset", "_about.*", "_ingest_timestamp"),
    )


def quarantine(received: DataFrame) -> DataFrame:
    """What has no readable MSH segment, or could not be read at all: its bytes, whole, and the reason."""
    return received.where("reason IS NOT NULL").select(
        *_PLACE, "reason", "content", "charset", "_offset", "_about.*", "_ingest_timestamp"
    )


def findings(received: DataFrame) -> DataFrame:
    """What is wrong with messages that could be read, and with batch counts: one row a finding.

    ``_message_index`` is NULL for a finding about a batch."""
    found = received.where("reason IS NULL").select(
        *_KEPT, F.col("parsed.message_control_id"), "_ingest_timestamp", F.explode("findings").alias("finding")
    )
    return found.select(
        *_PLACE,
        "message_control_id",
        *_members("finding", ("code", "severity", "segment", "segment_index", "position", "text")),
        "_ingest_timestamp",
    )


def fields(received: DataFrame) -> DataFrame:
    """One row a value that was sent, with its place in the message: the answer to every question no other table has."""
    values = _messages(received).select(
        *_KEPT, *_parsed(("message_control_id", "message_type")), "_ingest_timestamp", F.explode("fields").alias("at")
    )
    place = ("segment_index", "segment", "field", "repetition", "component", "subcomponent", "value")
    return values.select(*_PLACE, "message_control_id", "message_type", *_members("at", place), "_ingest_timestamp")


def adt(received: DataFrame) -> DataFrame:
    """One row an ADT message: event, patient, visit, and what repeats as arrays."""
    return _one_row_a_message(_family(received, "adt"), ADT, ADT_LISTS)


def orders(received: DataFrame) -> DataFrame:
    """One row an order (an ORC, or an OBR without one) of an order message; one row for a message without any."""
    return _one_row_an_element(_family(received, "orders"), "orders", (*PATIENT, "visit_number"))


def reports(received: DataFrame) -> DataFrame:
    """One row a report (an OBR with its ORC) of an ORU message; one row for a message without any."""
    return _one_row_an_element(_family(received, "reports"), "orders", (*PATIENT, "visit_number"))


def observations(received: DataFrame) -> DataFrame:
    """One row an OBX of any message, with its order. ``value`` is OBX-5 as sent (its first repetition), ``values``
    all of them; ``value_number`` and ``value_time`` are filled where OBX-2 says that it is a number or a time. A
    structured number (SN) counts when it is one number and nothing besides: not ``>^100``, not ``^1^:^128``."""
    value_type = F.col("element.value_type")
    structured = F.regexp_extract("element.value", _ONE_STRUCTURED_NUMBER, 1)
    number = F.when(value_type == "SN", structured).when(value_type.isin("NM", "SI"), F.col("element.value"))
    temporal = value_type.isin("DT", "TS", "DTM")
    return _one_row_an_element(
        _messages(received).where("parsed.observations IS NOT NULL"),
        "observations",
        ("patient_id", "patient_name", "visit_number"),
        hl7_number(number).alias("value_number"),
        F.when(temporal, _time(F.col("element.value"))).alias("value_time"),
    )


def appointments(received: DataFrame) -> DataFrame:
    """One row an SIU message: the appointment, its patient and visit."""
    return _one_row_a_message(_family(received, "appointments"), APPOINTMENT, ("patient_identifiers", "notes"))


def appointment_resources(received: DataFrame) -> DataFrame:
    """One row an AIS, AIG, AIL or AIP: service, equipment, place or person of an appointment, with its RGS."""
    return _one_row_an_element(
        _messages(received).where("parsed.resources IS NOT NULL"),
        "resources",
        ("placer_appointment_id", "filler_appointment_id", "patient_id"),
    )


def immunization_messages(received: DataFrame) -> DataFrame:
    """One row a VXU message: patient, visit, next of kin."""
    return _one_row_a_message(_family(received, "immunization_messages"), (*PATIENT, *VISIT), IMMUNIZATION_LISTS)


def vaccinations(received: DataFrame) -> DataFrame:
    """One row an RXA of any message, with its order, route and observations."""
    return _one_row_an_element(_messages(received).where("parsed.vaccinations IS NOT NULL"), "vaccinations", PATIENT)


def documents(received: DataFrame) -> DataFrame:
    """One row a document (TXA) of an MDM message, with its contents (OBX); one row for a message without any."""
    return _one_row_an_element(_family(received, "documents"), "documents", (*PATIENT, "visit_number"))


def charges(received: DataFrame) -> DataFrame:
    """One row a transaction (FT1) of a DFT or BAR message; one row for a message without any. Diagnoses, procedures and
    insurances are the message's."""
    lists = [nested(F.col("parsed")[name], name).alias(name) for name in CHARGE_MESSAGE_LISTS]
    return _one_row_an_element(
        _family(received, "charges"), "charges", (*PATIENT, "account_number", "visit_number"), *lists
    )


def other_messages(received: DataFrame) -> DataFrame:
    """One row a message whose type belongs to no other table; its values are in ``fields``."""
    known = [message_type for types in FAMILIES.values() for message_type in types]
    others = _messages(received).where(~F.coalesce(F.col("parsed.message_type"), F.lit("")).isin(known))
    return _one_row_a_message(others, (*PATIENT, "acknowledgment_code", "acknowledged_control_id"), OTHER_LISTS)


def _messages(received: DataFrame) -> DataFrame:
    return received.where("reason IS NULL AND message IS NOT NULL")


def _family(received: DataFrame, table: str) -> DataFrame:
    message_type = F.coalesce(F.col("parsed.message_type"), F.lit(""))
    return _messages(received).where(message_type.isin(list(FAMILIES[table])))


def _parsed(names: Iterable[str]) -> list[Column]:
    return [F.col("parsed")[name].alias(name) for name in names]


def _one_row_a_message(messages: DataFrame, scalars: Iterable[str], lists: Iterable[str]) -> DataFrame:
    converted, columns = _typed({name: F.col("parsed")[name] for name in ("message_time", *scalars)})
    return messages.select(*_KEPT, "parsed", "_ingest_timestamp", *converted).select(
        *_PLACE,
        *_parsed(_HEADER),
        *columns,
        *(nested(F.col("parsed")[name], name).alias(name) for name in lists),
        "_ingest_timestamp",
    )


def _one_row_an_element(messages: DataFrame, kind: str, scalars: Iterable[str], *more: Column) -> DataFrame:
    exploded = messages.select(
        *_KEPT, "parsed", "_ingest_timestamp", F.explode_outer(nested(F.col("parsed")[kind], kind)).alias("element")
    )
    record_type = NESTED[kind]
    arrays = (*record_type.lists, *(part for part in record_type.parts if part != "patient"))
    of_message = ("message_time", *(name for name in scalars if name not in record_type.names))
    converted, columns = _typed(
        {name: _scalar(name, "patient" in record_type.parts) for name in of_message}
        | {name: F.col("element")[name] for name in record_type.names}
    )
    return exploded.select(*_KEPT, "parsed", "element", "_ingest_timestamp", *converted).select(
        *_PLACE, *_parsed(_HEADER), *columns, *_members("element", arrays), *more, "_ingest_timestamp"
    )


def _scalar(name: str, has_patient: bool) -> Column:
    """A value of the message; of several patients that of the one whom the element is about."""
    value = F.col("parsed")[name]
    if not has_patient or name not in PATIENT:
        return value
    patient = F.get(F.col("element")["patient"], F.lit(0))
    return F.when(patient.isNotNull(), patient[name]).otherwise(value)


def _typed(texts: Mapping[str, Column]) -> tuple[list[Column], list[Column]]:
    """Texts by name → arrays with all times, dates and numbers of a row; and the columns for the query around them,
    which take each from there.

    So a table converts at one place, not at one a column: what Spark has to compile for a wide table is a fifth of the
    size, which is most of the time that a small run takes.
    """
    of_type: defaultdict[str, list[Column]] = defaultdict(list)
    columns: list[Column] = []
    for name, text in texts.items():
        type_name = _type_of(name)
        if type_name in _CONVERSIONS:
            columns.append(F.col(type_name)[len(of_type[type_name])].alias(name))
            of_type[type_name].append(text)
        else:
            columns.append((text.cast("int") if name in INTEGERS else text).alias(name))
    converted = [
        F.transform(F.array(*of_type[type_name]), convert).alias(type_name)
        for type_name, convert in _CONVERSIONS.items()
        if of_type[type_name]
    ]
    return converted, columns


def _type_of(name: str) -> str:
    if name.endswith("_time") or name == "time":
        return "_times"
    if name.endswith("_date"):
        return "_dates"
    return "_numbers" if name in NUMBERS else ""


def _time(text: Column) -> Column:
    """A time stamp of a message. One without a zone has that of MSH-7, where this has one (chapter 2A, DTM)."""
    return hl7_timestamp(text, zone_of=F.col("parsed")["message_time"])


_CONVERSIONS: Final[dict[str, Callable[[Column], Column]]] = {
    "_times": _time,
    "_dates": hl7_date,
    "_numbers": hl7_number,
}


def _members(struct: str, names: Iterable[str]) -> list[Column]:
    return [F.col(struct)[name].alias(name) for name in names]


def _pieces_of_value(content: bytes | bytearray | None) -> list[PieceTuple]:
    return [] if content is None else pieces_of(bytes(content))


def _run_together_pieces_of_value(content: bytes | bytearray | None) -> list[PieceTuple]:
    return [] if content is None else pieces_of(bytes(content), run_together=True)


def _read_value(text: str | None, charset: str | None, problem: str | None) -> ReadMessage:
    if text is None:
        return ReadMessage(None, [], [], None)
    return read_message(text, charset or "utf-8", problem or "")


TABLES: Final = (
    Table("raw", "One row a message, as it was received", raw),
    Table("quarantine", "What could not be read, whole, with its reason", quarantine),
    Table("findings", "What is wrong with messages and batches", findings),
    Table("fields", "One row a value, with its place in the message", fields),
    Table("adt", "One row an ADT message", adt),
    Table("orders", "One row an order of ORM, OML, RDE and others", orders),
    Table("reports", "One row a report of ORU", reports),
    Table("observations", "One row an OBX, with its order", observations),
    Table("appointments", "One row an SIU message", appointments),
    Table("appointment_resources", "One row an AIS, AIG, AIL, AIP", appointment_resources),
    Table("immunization_messages", "One row a VXU message", immunization_messages),
    Table("vaccinations", "One row an RXA", vaccinations),
    Table("documents", "One row a TXA of MDM", documents),
    Table("charges", "One row an FT1 of DFT and BAR", charges),
    Table("other_messages", "One row a message whose type has no table of its own", other_messages),
)
"""All tables but ``received``, in the order in which they are told of: what a pipeline declares behind its source."""
