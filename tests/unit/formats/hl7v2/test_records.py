"""Messages as records: which value goes under which name, and which segment belongs to which record."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector_lib import parse, parse_message
from connector_lib.errors import ParseError
from connector_lib.formats.hl7v2.record_types import NESTED, SCALARS
from connector_lib.formats.hl7v2.records import flat_record, nested_records, scalars

HEADER = "MSH|^~\\&|LAB|GHH|EHR|HOME|20260102030405||ORU^R01^ORU_R01|77|P|2.5"


def records(kind: str, *lines: str) -> list[dict[str, Any]]:
    """The nested records of one kind in a message with these segments behind the header."""
    found: list[dict[str, Any]] = json.loads(parse_message("\r".join((HEADER, *lines))).get(kind, "[]"))
    return found


def only(found: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(record.get(name) for name in names) for record in found]


def segment_with(name: str, number: int, component: int, value: str) -> str:
    """A segment that holds one value."""
    if name == "MSH":
        fields = HEADER.split("|")
        fields += [""] * (number - len(fields))
        fields[number - 1] = "^" * (component - 1) + value
        return "|".join(fields)
    return name + "|" * number + "^" * (component - 1) + value


@pytest.mark.parametrize(
    ("segment", "name", "number", "component"),
    [(segment, *column) for segment, columns in SCALARS.items() for column in columns],
)
def test_every_scalar_is_read_from_its_place(segment: str, name: str, number: int, component: int) -> None:
    line = segment_with(segment, number, component, "a\\T\\b")
    text = line if segment == "MSH" else f"{HEADER}\r{line}"
    assert parse_message(text)[name] == "a&b"


OWNER_OF = {("orders", "RXR"): "RXO|1", ("vaccinations", "RXR"): "RXA|1", ("orders", "SPM"): "OBR|1"}
"""Kind and segment → the segment to whose record that one adds."""


@pytest.mark.parametrize(
    ("kind", "segment", "name", "number", "component"),
    [
        (kind, segment, *column)
        for kind, record_type in NESTED.items()
        for segment, columns in record_type.columns.items()
        for column in columns
    ],
)
def test_every_column_of_every_nested_record_is_read_from_its_place(
    kind: str, segment: str, name: str, number: int, component: int
) -> None:
    owner = OWNER_OF.get((kind, segment), "EVN|1")
    (record,) = (
        each for each in records(kind, owner, segment_with(segment, number, component, "x\\T\\y")) if name in each
    )
    assert record[name] == "x&y"


@pytest.mark.parametrize(
    ("kind", "segment", "name", "number"),
    [
        (kind, segment, *column)
        for kind, record_type in NESTED.items()
        for segment, columns in record_type.repeated.items()
        for column in columns
        if segment != "Z"
    ],
)
def test_a_repeated_field_becomes_a_list_whose_elements_keep_their_places(
    kind: str, segment: str, name: str, number: int
) -> None:
    (record,) = records(kind, segment_with(segment, number, 1, "a~~b\\R\\c~d^e"))
    assert record[name] == ["a", None, "b~c", "d^e"]


def test_names_of_columns_are_those_of_the_table_and_nothing_else() -> None:
    everything = "\r".join(
        [HEADER]
        + [
            f"{segment}|" + "|".join(f"{field}a^{field}b^{field}c^{field}d&x^e~r" for field in range(1, 60))
            for segment in (
                *(
                    "PID",
                    "NTE",
                    "MRG",
                    "NK1",
                    "PV1",
                    "AL1",
                    "IAM",
                    "DG1",
                    "PR1",
                    "IN1",
                    "IN2",
                    "IN3",
                    "ORC",
                    "OBR",
                    "NTE",
                ),
                *(
                    "OBX",
                    "NTE",
                    "SPM",
                    "OBX",
                    "ORC",
                    "RXO",
                    "RXR",
                    "RXE",
                    "RXD",
                    "RXG",
                    "ORC",
                    "RXA",
                    "RXR",
                    "OBX",
                ),
                *("NTE", "TXA", "OBX", "FT1", "PR1", "RGS", "AIS", "NTE", "AIG", "AIL", "AIP", "ZXX"),
            )
        ]
    )
    found = parse_message(everything)
    assert set(NESTED) <= set(found)
    for kind, record_type in NESTED.items():
        for record in json.loads(found[kind]):
            assert set(record) <= {*record_type.names, *record_type.lists, *record_type.parts}
            for name, value in record.items():
                if name in record_type.lists:
                    assert all(each is None or isinstance(each, str) for each in value)
                elif name in record_type.parts:
                    assert all(set(each) <= set(record_type.parts[name]) for each in value)
                else:
                    assert isinstance(value, str)


def test_scalars_have_no_key_for_what_was_not_sent() -> None:
    assert parse_message(HEADER + "\rPID|1||||") == {
        "sending_application": "LAB",
        "sending_facility": "GHH",
        "receiving_application": "EHR",
        "receiving_facility": "HOME",
        "message_time": "20260102030405",
        "message_type": "ORU",
        "trigger_event": "R01",
        "message_structure": "ORU_R01",
        "message_control_id": "77",
        "processing_id": "P",
        "version": "2.5",
    }


def test_delete_this_value_is_two_quote_characters() -> None:
    found = parse_message(HEADER + '\rPID|1||7||""||""\rOBX|1|NM|GLU||""|""')
    assert (found["patient_name"], found["family_name"], found["birth_date"]) == ('""', '""', '""')
    assert only(json.loads(found["observations"]), "value", "values", "units") == [('""', ['""'], '""')]


def test_a_scalar_is_that_of_the_first_segment_and_first_repetition() -> None:
    found = parse_message(HEADER + "\rPID|1||a^^^X~b\rPID|2||c||DOE\rPV1||I")
    assert (found["patient_id"], found["patient_id_authority"], found["patient_class"]) == ("a", "X", "I")
    assert "patient_name" not in found


def test_without_an_identifier_in_pid_3_the_external_one_is_the_patient_s() -> None:
    assert parse_message(HEADER + "\rPID|1|ext^x")["patient_id"] == "ext"
    assert parse_message(HEADER + "\rPID|1|||alt")["patient_id"] == "alt"
    assert parse_message(HEADER + "\rPID|1|ext|int|alt")["patient_id"] == "int"


def test_all_identifiers_of_all_patients_are_listed() -> None:
    found = records("patient_identifiers", "PID|1|x|a^1^^GHH&1.2&ISO^MR^F&1~~b^^^Y|z", "PID|2||c")
    assert only(found, "segment_index", "field", "repetition", "patient_set_id", "id", "authority") == [
        ("1", "2", "1", "1", "x", None),
        ("1", "3", "1", "1", "a", "GHH"),
        ("1", "3", "3", "1", "b", "Y"),
        ("1", "4", "1", "1", "z", None),
        ("2", "3", "1", "2", "c", None),
    ]
    assert only(found[1:2], "check_digit", "authority_id", "type", "facility") == [("1", "1.2", "MR", "F")]


def test_an_observation_knows_its_order_and_its_notes() -> None:
    found = records(
        "observations",
        *(
            "PID|1",
            "ORC|RE|p1|f1",
            "OBR|1|p1|f1|GLU^Glucose",
            "NTE|1||of the order",
            "OBX|1|NM|A||1",
            "NTE|1||n1~n2",
        ),
        *(
            "NTE|2||n3",
            "OBX|2|NM|B||2",
            "OBR|2|p2|f2|NA^Sodium",
            "OBX|1|NM|C||3",
            "ORC|RE|p3",
            "OBR|3|p3||K",
            "OBX|1|NM|D||4",
        ),
    )
    assert only(found, "code", "order_set_id", "placer_order_number", "filler_order_number", "order_code", "notes") == [
        ("A", "1", "p1", "f1", "GLU", ["n1", "n2", "n3"]),
        ("B", "1", "p1", "f1", "GLU", None),
        ("C", "2", "p2", "f2", "NA", None),
        ("D", "3", "p3", None, "K", None),
    ]
    assert only(found, "parent_segment", "parent_segment_index", "order_segment_index") == [
        ("OBR", "3", "2"),
        ("OBR", "3", "2"),
        ("OBR", "9", "9"),
        ("OBR", "12", "11"),
    ]


def test_an_observation_that_needs_json_escapes_is_the_same_as_one_that_does_not() -> None:
    value = 'a "quoted" \\E\\ \u2028 \x1f text'
    found = records("observations", "OBR|1", f"OBX|1|ST|A||{value}", "OBX|2|ST|B||plain", "NTE|1||n")
    assert only(found, "code", "value", "values", "notes", "parent_segment") == [
        ("A", value.replace("\\E\\", "\\"), [value.replace("\\E\\", "\\")], None, "OBR"),
        ("B", "plain", ["plain"], ["n"], "OBR"),
    ]


def test_an_order_is_its_control_and_its_detail() -> None:
    found = records(
        "orders",
        *(
            "ORC|NW|p1|f1|||||||||prov^Doe",
            "NTE|1||n1",
            "OBR|1|p1||GLU^Glucose",
            "NTE|1||n2",
            "SPM|1|s&1||BLD^Blood",
        ),
        *("OBR|2|p2||NA", "ORC|CA|p3", "ORC|NW|p4", "RXE||ASP^Aspirin|100", "RXR|PO^oral"),
    )
    assert only(
        found, "segment", "order_control", "placer_order_number", "code", "medication_code", "route", "notes"
    ) == [
        ("ORC", "NW", "p1", "GLU", None, None, ["n1", "n2"]),
        ("OBR", None, "p2", "NA", None, None, None),
        ("ORC", "CA", "p3", None, None, None, None),
        ("ORC", "NW", "p4", None, "ASP", "PO", None),
    ]
    assert only(found[:1], "ordering_provider_id", "specimen_id", "specimen_type") == [("prov", "s&1", "BLD")]


def test_an_observation_of_a_specimen_knows_specimen_and_order() -> None:
    found = records("observations", "OBR|1|p|f|GLU", "OBX|1|NM|A||1", "SPM|1|s1", "OBX|1|NM|B||2", "NTE|1||n")
    assert only(found, "code", "parent_segment", "specimen_id", "order_code", "notes") == [
        ("A", "OBR", None, "GLU", None),
        ("B", "SPM", "s1", "GLU", ["n"]),
    ]


def test_notes_say_what_they_are_about() -> None:
    found = records(
        "notes",
        *(
            "NTE|1||h",
            "PID|7",
            "NTE|1||p",
            "ORC|RE",
            "NTE|1||c",
            "OBR|3",
            "NTE|1||o",
            "OBX|4",
            "NTE|1|L|x~y",
            "NTE|2||z",
        ),
    )
    assert only(found, "comment", "comments", "parent_segment", "parent_segment_index", "parent_set_id") == [
        ("h", ["h"], "MSH", "0", None),
        ("p", ["p"], "PID", "2", "7"),
        ("c", ["c"], "ORC", "4", None),
        ("o", ["o"], "OBR", "6", "3"),
        ("x", ["x", "y"], "OBX", "8", "4"),
        ("z", ["z"], "OBX", "8", "4"),
    ]


def test_a_vaccination_has_its_route_order_observations_and_notes() -> None:
    found = records(
        "vaccinations",
        *(
            "ORC|RE|p1|f1",
            "RXA|0|1|20260101||03^MMR",
            "NTE|1||n",
            "RXR|IM^im|LA^left arm",
            "OBX|1|CE|64994-7||V02",
        ),
        *("OBX|2|CE|69764-9||x~y", "ORC|RE|p2", "RXA|0|1|20260101||08^HepB"),
    )
    assert only(
        found, "code", "placer_order_number", "filler_order_number", "order_control", "route", "site", "notes"
    ) == [
        ("03", "p1", "f1", "RE", "IM", "LA", ["n"]),
        ("08", "p2", None, "RE", None, None, None),
    ]
    assert only(found[0]["observations"], "set_id", "code", "value") == [
        ("1", "64994-7", "V02"),
        ("2", "69764-9", "x"),
    ]
    assert "observations" not in found[1]


def test_observations_of_a_vaccination_are_among_all_observations_too() -> None:
    found = records("observations", "ORC|RE|p1", "RXA|0|1|||03", "OBX|1|CE|A||1")
    assert only(found, "code", "parent_segment", "parent_segment_index", "placer_order_number") == [
        ("A", "RXA", "2", "p1")
    ]


def test_a_document_has_its_contents() -> None:
    (found,) = records(
        "documents", "TXA|1|CN||||||||||doc1^x", "OBX|1|ED|A||^AP^^Base64^QQ==", "NTE|1||n", "OBX|2|TX|B||t"
    )
    assert found["document_number"] == "doc1^x"
    assert only(found["contents"], "code", "value") == [("A", "^AP^^Base64^QQ=="), ("B", "t")]


def test_a_resource_knows_its_group() -> None:
    found = records("resources", "RGS|1|A|g1", "AIS|1||s", "NTE|1||n", "AIG|1||g", "RGS|2|A|g2", "AIL|1||l", "AIP|1||p")
    assert only(found, "segment", "id", "group_set_id", "group_id", "notes") == [
        ("AIS", "s", "1", "g1", ["n"]),
        ("AIG", "g", "1", "g1", None),
        ("AIL", "l", "2", "g2", None),
        ("AIP", "p", "2", "g2", None),
    ]


def test_a_procedure_knows_its_charge() -> None:
    lines = ("PID|1", "FT1|1|t1||||CG|A", "PR1|1||P1", "NTE|1||n", "FT1|2|t2", "PR1|1||P2")
    assert only(records("procedures", *lines), "code", "charge_set_id", "parent_segment", "notes") == [
        ("P1", "1", "FT1", ["n"]),
        ("P2", "2", "FT1", None),
    ]
    assert only(records("charges", *lines), "transaction_id", "code") == [("t1", "A"), ("t2", None)]


def test_further_insurance_segments_add_to_their_insurance() -> None:
    found = records("insurances", "IN1|1|A", "IN2|e1", "IN3||c1", "IN1|2|B", "IN2|e2")
    assert only(found, "set_id", "plan_id", "insured_employee_id", "certification_number") == [
        ("1", "A", "e1", "c1"),
        ("2", "B", "e2", None),
    ]


def test_records_know_the_patient_they_stand_behind() -> None:
    lines = ("PID|1||a", "MRG|x", "DG1|1||d1", "OBX|1|NM|A||1", "PID|2||b", "DG1|1||d2", "OBX|1|NM|B||1")
    assert only(records("diagnoses", *lines), "code", "patient_set_id") == [("d1", "1"), ("d2", "2")]
    assert only(records("observations", *lines), "code", "patient_set_id") == [("A", "1"), ("B", "2")]


def test_next_of_kin_and_allergies_are_listed_in_order() -> None:
    lines = (
        "PID|1",
        "NK1|1|DOE^JOHN|SPO",
        "NK1|2|DOE^JACK|CHD",
        "AL1|1|DA|PCN^Penicillin||hives~rash",
        "IAM|2|FA|NUT",
    )
    assert only(records("next_of_kin", *lines), "family_name", "given_name", "relationship") == [
        ("DOE", "JOHN", "SPO"),
        ("DOE", "JACK", "CHD"),
    ]
    assert only(records("allergies", *lines), "segment", "code", "reactions") == [
        ("AL1", "PCN", ["hives", "rash"]),
        ("IAM", "NUT", None),
    ]


def test_a_segment_of_a_site_is_kept_as_sent_and_by_field() -> None:
    assert records("z_segments", "PID|1", "ZPI|1||a\\T\\b|c^d~e", "ZXX", "ZYY|\\H\\") == [
        {
            "segment": "ZPI",
            "segment_index": "2",
            "text": "ZPI|1||a\\T\\b|c^d~e",
            "fields": ["1", None, "a&b", "c^d~e"],
        },
        {"segment": "ZXX", "segment_index": "3", "text": "ZXX"},
        {"segment": "ZYY", "segment_index": "4", "text": "ZYY|\\H\\", "fields": [None]},
    ]


def test_records_are_read_with_the_separators_of_the_message() -> None:
    found = parse_message("MSH$*%!@$LAB\rPID$1$$a*1*2*X@Y%b$$D!F!E*J\rOBR$1$$$C*T\rOBX$1$NM$G*H$$1%2$\rNTE$1$$x!T!y")
    assert found["family_name"] == "D$E"
    assert only(json.loads(found["patient_identifiers"]), "id", "authority") == [("a", "X"), ("b", None)]
    assert only(json.loads(found["observations"]), "code", "values", "order_code", "notes") == [
        ("G", ["1", "2"], "C", ["x@y"])
    ]


@pytest.mark.parametrize("encoding_characters", ["^", "^~", "^~\\", "^^^^"])
def test_records_are_read_where_the_message_has_few_separators(encoding_characters: str) -> None:
    found = parse_message(f"MSH|{encoding_characters}|LAB\rPID|1||a^b||D^J\rOBX|1|NM|G^H||1\rNTE|1||n\rZXX|1")
    assert (found["family_name"], found["given_name"], found["patient_id"]) == ("D", "J", "a")
    assert only(json.loads(found["observations"]), "code", "code_text", "value", "notes") == [("G", "H", "1", ["n"])]


def test_a_value_that_is_empty_when_unescaped_was_not_sent() -> None:
    found = parse_message(HEADER + "\rPID|1||\\H\\^^^\\N\\||\\H\\^J\rNTE|1|\\H\\|x")
    assert {name for name, value in found.items() if value == ""} == set()
    assert all("" not in record.values() for record in json.loads(found["notes"]))
    assert "patient_id" not in found


def test_nested_json_and_nested_records_are_the_same() -> None:
    message = parse(HEADER + '\rPID|1||a~b\rOBR|1\rOBX|1|ST|A||é "x"\rNTE|1||n\rZXX|1')
    flat = flat_record(message)
    assert {name: json.loads(flat[name]) for name in NESTED if name in flat} == nested_records(message)
    assert {name: value for name, value in flat.items() if name not in NESTED} == scalars(message)


def test_every_value_of_a_record_is_text() -> None:
    found = parse_message(HEADER + "\rPID|1||a\rOBX|1|NM|A||1")
    assert {type(value) for value in found.values()} == {str}


def test_bytes_and_text_give_the_same_record() -> None:
    text = HEADER + "\rPID|1||a||Müller^Ö"
    assert parse_message(text.encode()) == parse_message(text)


def test_a_text_that_is_no_message_gives_no_record() -> None:
    with pytest.raises(ParseError):
        parse_message("PID|1")


SECOND_PATIENT = parse_message(
    "MSH|^~\\&|A\rPID|1||7||DOE^JANE\rOBR|1\rOBX|1|NM|A||1\rPID|2||8||ROE^RAY\rMRG|9\rOBR|1\rOBX|1|NM|A||2"
)


def test_in_a_message_about_several_patients_each_record_says_whom_it_is_about() -> None:
    records = json.loads(SECOND_PATIENT["observations"])
    assert [record["patient"][0]["patient_id"] for record in records] == ["7", "8"]
    assert [record["patient"][0]["patient_name"] for record in records] == ["DOE^JANE", "ROE^RAY"]
    [merge] = json.loads(SECOND_PATIENT["merges"])
    assert (merge["prior_patient_id"], merge["patient"][0]["patient_id"]) == ("9", "8")


def test_in_a_message_about_one_patient_records_do_not_repeat_the_patient() -> None:
    assert "patient" not in json.loads(parse_message("MSH|^~\\&|A\rPID|1||7\rOBX|1|NM|A||1")["observations"])[0]


def test_what_was_given_takes_the_place_of_what_was_asked_for_as_a_whole() -> None:
    found = parse_message("MSH|^~\\&|A\rORC|NW|P1\rRXO|ASKED|5||mg|TAB\rRXE||GIVEN|10||ml")
    [order] = json.loads(found["orders"])
    assert (order["medication_code"], order["dose"], order["dose_units"]) == ("GIVEN", "10", "ml")
    assert "dose_form" not in order
    assert order["placer_order_number"] == "P1"


def test_two_specimens_are_not_mixed_into_one() -> None:
    found = parse_message("MSH|^~\\&|A\rOBR|1\rSPM|1|S1||BLD\rSPM|2|S2||URN|||||||||||||20260101")
    [order] = json.loads(found["orders"])
    assert (order["specimen_id"], order["specimen_type"]) == ("S1", "BLD")
    assert "specimen_collected_time" not in order


def test_a_certification_begins_in_in3_9_and_ends_in_in3_10() -> None:
    found = parse_message("MSH|^~\\&|A\rPID|1\rIN1|1\rIN3|1|C7|||||||20260101|20261231|365")
    [insurance] = json.loads(found["insurances"])
    assert insurance["certification_begin_date"] == "20260101"
    assert insurance["certification_end_date"] == "20261231"


SPECIMEN_RESULTS = HEADER.replace("ORU^R01^ORU_R01", "OUL^R22^OUL_R22")
ORDER_BEHIND_ITS_DETAIL = ("OBR|1|P-1|F-1|GLU^Glucose^L", "ORC|SC|P-9||G-1|CM", "NTE|1||fasting", "OBX|1|NM|GLU||98")


def test_an_order_control_behind_its_detail_adds_to_the_same_order() -> None:
    text = "\r".join((SPECIMEN_RESULTS, "SPM|1|S-1", *ORDER_BEHIND_ITS_DETAIL))
    (order,) = nested_records(parse(text))["orders"]
    assert (order["segment"], order["segment_index"], order["set_id"]) == ("OBR", "2", "1")
    assert (order["code"], order["code_text"], order["filler_order_number"]) == ("GLU", "Glucose", "F-1")
    assert (order["order_control"], order["order_status"], order["placer_group_number"]) == ("SC", "CM", "G-1")
    assert order["notes"] == ["fasting"]


def test_the_numbers_of_an_order_control_count_wherever_it_stands() -> None:
    behind = "\r".join((SPECIMEN_RESULTS, *ORDER_BEHIND_ITS_DETAIL))
    before = "\r".join((HEADER, ORDER_BEHIND_ITS_DETAIL[1], ORDER_BEHIND_ITS_DETAIL[0], *ORDER_BEHIND_ITS_DETAIL[2:]))
    orders = [nested_records(parse(text))["orders"][0] for text in (behind, before)]
    assert [order.pop("segment") for order in orders] == ["OBR", "ORC"]
    assert orders[0] == orders[1]
    assert orders[0]["placer_order_number"] == "P-9"


def test_observations_behind_such_an_order_control_name_their_order() -> None:
    second = ("OBR|2|P-2||K^Potassium", "ORC|SC||F-2", "OBX|1|NM|K||4.1")
    text = "\r".join((SPECIMEN_RESULTS, *ORDER_BEHIND_ITS_DETAIL, *second))
    found = nested_records(parse(text))["observations"]
    names = ("order_segment_index", "order_set_id", "order_code", "placer_order_number", "filler_order_number")
    assert only(found, *names) == [("1", "1", "GLU", "P-9", "F-1"), ("5", "2", "K", "P-2", "F-2")]


@pytest.mark.parametrize("event", ["OUL^R22", "OUL^R23", "OUL^R24", "OPU^R25"])
def test_in_specimen_oriented_messages_a_detail_without_an_order_control_takes_none_of_the_next_order(
    event: str,
) -> None:
    text = "\r".join((HEADER.replace("ORU^R01", event), "OBR|1|||A", "ORC|SC", "OBR|2|||B", "OBR|3|||C", "ORC|CN"))
    assert only(nested_records(parse(text))["orders"], "code", "order_control") == [
        ("A", "SC"),
        ("B", None),
        ("C", "CN"),
    ]


@pytest.mark.parametrize("event", ["ORU^R01", "OUL^R21", "MDM^T02"])
def test_elsewhere_an_order_control_opens_the_next_order(event: str) -> None:
    text = "\r".join((HEADER.replace("ORU^R01", event), "OBR|1|||A", "ORC|SC", "OBR|2|||B"))
    assert only(nested_records(parse(text))["orders"], "code", "order_control") == [("A", None), ("B", "SC")]


APPOINTMENT = HEADER.replace("ORU^R01^ORU_R01", "SIU^S12^SIU_S12").replace("|2.5", "|2.5.1")
TIMING = "TQ1|1||||||20260301090000|20260301093000"


def appointment_times(*lines: str) -> tuple[str | None, str | None]:
    found = parse_message("\r".join((APPOINTMENT, *lines)))
    return found.get("appointment_start_time"), found.get("appointment_end_time")


def test_the_times_of_an_appointment_come_from_its_timing_segment() -> None:
    assert appointment_times("SCH|1|2", TIMING, "PID|1") == ("20260301090000", "20260301093000")


def test_of_several_timing_segments_the_first_counts() -> None:
    assert appointment_times("SCH|1|2", TIMING, "TQ1|2||||||20270101|20270102")[0] == "20260301090000"


@pytest.mark.parametrize(
    ("timing", "times"),
    [("^^^20250101^20250102", ("20250101", "20250102")), ("^^^20250101", ("20250101", None))],
)
def test_times_in_the_appointment_segment_come_first_and_are_not_mixed_with_others(
    timing: str, times: tuple[str, str | None]
) -> None:
    assert appointment_times(f"SCH|1|2|||||||||{timing}", TIMING) == times


def test_a_timing_segment_of_an_order_says_nothing_about_an_appointment() -> None:
    assert appointment_times("PID|1", "ORC|NW", TIMING) == (None, None)
    assert appointment_times("ORC|NW", "OBR|1", TIMING, "SCH|1|2") == (None, None)


def test_the_name_of_a_segment_of_a_site_is_its_three_characters() -> None:
    (found,) = records("z_segments", 'ZNK\rABC\rsaid "so"|x')
    assert (found["segment"], found["text"], found["fields"]) == ("ZNK", 'ZNK\rABC\rsaid "so"|x', ["x"])


def test_observations_of_any_length_stand_beside_each_other() -> None:
    lines = ("OBX|1|NM|A||1|mg|1-2|N|||F|||20260101||7^Who", "OBX|2|NM|B", "OBX", "OBX|4||||||||||F", "OBX|5|||||||H")
    found = records("observations", *lines)
    assert only(found, "set_id", "code", "abnormal_flags", "status", "observed_time", "observer_id") == [
        ("1", "A", "N", "F", "20260101", "7"),
        ("2", "B", None, None, None, None),
        (None, None, None, None, None, None),
        ("4", None, None, "F", None, None),
        ("5", None, "H", None, None, None),
    ]


def test_an_end_of_an_observation_that_is_too_long_to_be_remembered_is_read_as_well() -> None:
    lines = [f"OBX|{number}|NM|A||1||||||F|||2026010{number}||{'7' * 100}" for number in (1, 2, 3)]
    found = records("observations", *lines)
    assert [record["observed_time"] for record in found] == ["20260101", "20260102", "20260103"]
    assert {record["observer_id"] for record in found} == {"7" * 100}
