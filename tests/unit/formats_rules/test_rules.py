"""What ``validate_message`` reports, and what it leaves alone."""

from __future__ import annotations

import string
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib import parse
from connector_lib.errors import ParseError
from connector_lib.formats.hl7v2.charset import decode
from connector_lib.formats.hl7v2.rule_tables import (
    NUMBERED,
    REQUIRED,
    REQUIRED_SEGMENTS,
    SEGMENTS,
    TIMES,
    VERSIONS,
)
from connector_lib.formats.hl7v2.timestamps import SURELY_A_TIME, time_problem
from connector_lib.samples.hl7v2 import messages as synthetic_messages
from connector_lib.validators import CODES, Finding, validate_message

HEADER = "MSH|^~\\&|LAB|GHH|EHR|GHH|20260131083000||ORU^R01^ORU_R01|7|P|2.5.1"
PATIENT = "PID|1||42^^^GHH^MR||DOE^JANE||19700131|F"
ORDER = "OBR|1|||GLU^Glucose^L|||20260131"
RESULT = "OBX|1|NM|GLU^Glucose^L||98.5|mg/dL|||||F|||202601310800"


def message(*segments: str, header: str = HEADER) -> str:
    return "\r".join((header, *segments))


def report(*segments: str, header: str = HEADER) -> str:
    """A result message with ``segments`` behind its order."""
    return message(PATIENT, ORDER, *segments, header=header)


def found(text: str) -> list[tuple[str, str]]:
    return [(finding.code, finding.position) for finding in validate_message(text)]


def header_with(**fields: str) -> str:
    """The header with some fields changed: ``header_with(f9="ADT")``."""
    parts = HEADER.split("|")
    for name, value in fields.items():
        number = int(name[1:])
        parts += [""] * (number - len(parts))
        parts[number - 1] = value
    return "|".join(parts)


def observation(value_type: str, value: str) -> str:
    return f"OBX|1|{value_type}|GLU||{value}||||||F"


# the finding


def test_a_message_in_order_has_no_findings() -> None:
    assert validate_message(report(RESULT)) == []


def test_a_parsed_message_and_its_text_have_the_same_findings() -> None:
    text = report("OBX|1|NM|GLU||high||||||F")
    assert validate_message(parse(text)) == validate_message(text) != []


def test_a_finding_says_what_where_and_how_grave() -> None:
    finding = validate_message(report(RESULT, "OBX|2|NM|NA||high||||||F"))[0]
    assert finding == Finding(
        "value-not-numeric", "error", "OBX", 4, "OBX[2]-5", "OBX-2 says NM (a number), and the value is none"
    )


def test_a_finding_cannot_be_changed() -> None:
    finding = validate_message(HEADER)[0]
    with pytest.raises(FrozenInstanceError):
        finding.code = "other"  # type: ignore[misc]


def test_a_position_leads_to_its_value() -> None:
    text = report(RESULT, "OBX|2|NM|NA||1~high||||||F")
    position = validate_message(text)[0].position
    assert position == "OBX[2]-5[2]"
    assert parse(text).get(position) == "high"


def test_findings_stand_in_the_order_of_the_segments() -> None:
    text = message("PID|1||||DOE", "OBR|1", "OBX|1|NM|||x", header=header_with(f12="1.0"))
    indexes = [finding.segment_index for finding in validate_message(text)]
    assert indexes == sorted(indexes)
    assert len(set(indexes)) == 4


def test_a_text_without_header_is_an_error() -> None:
    with pytest.raises(ParseError):
        validate_message("PID|1")


def test_every_code_has_a_severity_and_a_sentence() -> None:
    assert {kind.severity for kind in CODES.values()} == {"error", "warning", "information"}
    assert all(code == code.lower() and kind.sentence for code, kind in CODES.items())


def test_every_sentence_is_said_by_one_code_only() -> None:
    sentences = [kind.sentence for kind in CODES.values() if kind.sentence != "{problem}"]
    assert len(sentences) == len(set(sentences))


# required fields and segments


@pytest.mark.parametrize("field", [9, 10, 12])
def test_a_header_field_that_is_missing_is_an_error(field: int) -> None:
    findings = validate_message(report(RESULT, header=header_with(**{f"f{field}": ""})))
    assert [(finding.code, finding.position) for finding in findings] == [("required-field-missing", f"MSH-{field}")]
    assert findings[0].severity == "error"


@pytest.mark.parametrize("field", [5, 6, 7, 8, 13])
def test_an_optional_header_field_may_be_missing(field: int) -> None:
    assert found(report(RESULT, header=header_with(**{f"f{field}": ""}))) == []


def test_a_segment_too_short_for_a_required_field_lacks_it() -> None:
    assert found(message(PATIENT, "OBR|1")) == [("required-field-missing", "OBR-4")]


def test_a_required_field_of_separators_alone_is_missing() -> None:
    assert found(message("PID|1||^^^&~||DOE", ORDER)) == [("required-field-missing", "PID-3")]


def test_a_required_field_whose_first_component_is_empty_was_sent() -> None:
    assert found(message("PID|1||^^^GHH||^JANE", ORDER)) == []


@pytest.mark.parametrize(("segment", "field"), [("PID", 5), ("OBX", 11), ("ORC", 1), ("SPM", 4)])
def test_what_the_message_is_usable_without_is_a_warning(segment: str, field: int) -> None:
    row = [segment, *["1"] * 40]
    row[field] = ""
    findings = [finding for finding in validate_message(report("|".join(row))) if finding.segment == segment]
    missing = [finding for finding in findings if finding.code.endswith("-field-missing")]
    assert [finding.severity for finding in missing] == ["warning"]
    assert missing[0].position in (f"{segment}-{field}", f"{segment}[2]-{field}")


@pytest.mark.parametrize("segment", sorted(set(REQUIRED) - {"MSH"}))
def test_every_required_field_is_reported_when_its_segment_is_empty(segment: str) -> None:
    findings = validate_message(message(segment, header=header_with(f9="ZZZ")))
    assert {finding.position for finding in findings} == {
        f"{segment}-{required.field}" for required in REQUIRED[segment]
    }


def test_separators_of_their_own_are_understood() -> None:
    text = "MSH$%!?*$LAB$$$$$$ORU%R01$7$P$2.5\rPID$1$$%%%$$DOE\rOBR$1$$$GLU\rOBX$1$NM$GLU$$1!x$$$$$$F"
    assert found(text) == [("required-field-missing", "PID-3"), ("value-not-numeric", "OBX-5[2]")]


@pytest.mark.parametrize(
    ("message_type", "missing"),
    [
        ("ADT^A01", "required-segment-missing"),
        ("ACK", "required-segment-missing"),
        ("SIU^S12", "required-segment-missing"),
    ],
)
def test_a_message_without_the_segment_it_is_about_is_an_error(message_type: str, missing: str) -> None:
    assert (missing, "MSH-9") in found(message("EVN||2026", "NTE|1", header=header_with(f9=message_type)))


def test_a_result_message_needs_no_patient() -> None:
    assert found(message(ORDER, RESULT)) == []


def test_a_bed_status_message_needs_no_patient() -> None:
    assert found(message("EVN||2026", "NPU|B1", header=header_with(f9="ADT^A20"))) == []


def test_an_admission_without_event_segment_is_a_warning() -> None:
    assert found(message(PATIENT, header=header_with(f9="ADT^A01"))) == [("expected-segment-missing", "MSH-9")]


def test_a_header_alone_is_an_error() -> None:
    assert found(HEADER) == [("header-alone", "MSH")]


# header


@pytest.mark.parametrize("version", [*VERSIONS, "2.5^USA", "2.5.1^DEU^1.0"])
def test_a_published_version_is_fine(version: str) -> None:
    assert found(report(RESULT, header=header_with(f12=version))) == []


@pytest.mark.parametrize("version", ["2", "2.10", "3.0", "2.5.9", "V2.3", " 2.3"])
def test_another_version_is_a_warning(version: str) -> None:
    assert found(report(RESULT, header=header_with(f12=version))) == [("version-unknown", "MSH-12")]


@pytest.mark.parametrize("processing_id", ["P", "T", "D", "P^A"])
def test_a_processing_id_of_the_table_is_fine(processing_id: str) -> None:
    assert found(report(RESULT, header=header_with(f11=processing_id))) == []


def test_another_processing_id_is_a_warning() -> None:
    assert found(report(RESULT, header=header_with(f11="PROD"))) == [("processing-id-unknown", "MSH-11")]


@pytest.mark.parametrize("message_type", ["oru^R01", "ORU_R01", "ORU^R", "ORU^R01 "])
def test_a_message_type_of_another_form_is_a_warning(message_type: str) -> None:
    assert found(report(RESULT, header=header_with(f9=message_type))) == [("message-type-form", "MSH-9")]


@pytest.mark.parametrize("message_type", ["ORU", "ORU^R01", "ORU^R01^ORU_R01", "ZXY^Z01", "QBP^Q11"])
def test_message_types_with_and_without_event_are_fine(message_type: str) -> None:
    assert found(report(RESULT, header=header_with(f9=message_type))) == []


@pytest.mark.parametrize("characters", ["^~", "^^\\&", "^~\\&#%"])
def test_odd_encoding_characters_are_a_warning(characters: str) -> None:
    assert ("encoding-characters", "MSH-2") in found(f"MSH|{characters}|LAB||||||ACK|1|P|2.7\rMSA|AA|1")


def test_the_fifth_encoding_character_is_fine() -> None:
    assert found("MSH|^~\\&#|LAB||||||ACK|1|P|2.7\rMSA|AA|1") == []


def test_bytes_that_are_not_in_the_declared_character_set_are_a_warning() -> None:
    data = b"MSH|^~\\&|LAB||||||ACK|1|P|2.5||||||ASCII\rMSA|AA|1|\xe9"
    parsed = parse(data)
    assert [(finding.code, finding.position) for finding in validate_message(parsed)] == [("character-set", "MSH-18")]
    assert parsed.charset_problem == decode(data).problem


# segments


def test_a_second_header_is_an_error() -> None:
    assert ("second-header", "MSH[2]") in found(report(RESULT, HEADER, PATIENT))


@pytest.mark.parametrize("segment", ["BHS|^~\\&", "BTS|1", "FTS|1"])
def test_a_batch_segment_inside_a_message_is_an_error(segment: str) -> None:
    assert found(report(RESULT, segment)) == [("envelope-in-message", segment[:3])]


def test_an_unknown_segment_is_a_warning() -> None:
    assert found(report(RESULT, "XYZ|1")) == [("segment-unknown", "XYZ")]


def test_a_segment_of_the_site_is_fine() -> None:
    assert found(report(RESULT, "ZPI|1", "Z01|2")) == []


def test_a_line_that_is_no_segment_is_a_warning_where_it_was_read() -> None:
    text = report("OBX|1|TX|GLU||first line\rsecond line||||||F", "NTE|1")
    assert found(text) == [("line-break-in-value", "OBX")]


def test_a_bare_segment_name_with_text_behind_it_is_a_line_of_the_value_before() -> None:
    findings = validate_message(report("OBX|1|TX|GLU||98||||||F", "NTE|1||his\rWBC\rwords"))
    assert [(finding.code, finding.segment) for finding in findings] == [("line-break-in-value", "NTE")]
    assert "words" not in repr(findings)


def test_blank_lines_between_segments_are_fine() -> None:
    assert found(report(RESULT).replace("\r", "\n\r\n")) == []


def test_a_replacement_character_is_a_warning() -> None:
    assert found(report(RESULT, "NTE|1||M\ufffdller")) == [("replacement-character", "NTE")]


@pytest.mark.parametrize("control", ["\0", "\x03", "\x0b", "\x1a", "\x1b", "\x1c"])
def test_a_control_character_is_a_warning(control: str) -> None:
    assert found(report(RESULT, f"NTE|1||a{control}b")) == [("control-character", "NTE")]


def test_several_control_characters_of_a_segment_are_one_finding() -> None:
    assert found(report(RESULT, "NTE|1||a\0b\x1b[c")) == [("control-character", "NTE")]


@pytest.mark.parametrize("text", ["a\tb", "a\u00a0b", "Müller", "日本", "a\u200bb"])
def test_other_characters_are_fine(text: str) -> None:
    assert found(report(RESULT, f"NTE|1||{text}")) == []


# times

GOOD_TIMES = (
    *("2026", "202601", "20260131", "2026013108", "202601310830", "20260131083059", "20260131083059.1234"),
    *(
        "20260131+0100",
        "202601310830-0530",
        "20240229",
        "20000229",
        "20260430235959.5+1400",
        '""',
        "20260228^D",
    ),
)
BAD_TIMES = {
    "time-form": (
        "26",
        "2026-01-31",
        "31.01.2026",
        "202601311",
        "20260131083059.",
        "20260131T08",
        "unknown",
        " 2026",
    ),
    "time-not-in-calendar": (
        *(
            "20260231",
            "20260431",
            "20230229",
            "19000229",
            "20261301",
            "20260100",
            "2026013124",
            "202601310860",
        ),
        *("20260131083060", "0000", "202601310830+1500", "202601310830+0160"),
    ),
    "time-too-precise": ("20260131083059.12345",),
}


@pytest.mark.parametrize("time", GOOD_TIMES)
def test_a_time_of_the_calendar_is_fine(time: str) -> None:
    assert found(message(f"PID|1||42||DOE||{time}", ORDER)) == []


@pytest.mark.parametrize(("code", "time"), [(code, time) for code, times in BAD_TIMES.items() for time in times])
def test_a_time_that_is_none_is_reported(code: str, time: str) -> None:
    assert found(message(f"PID|1||42||DOE||{time}", ORDER)) == [(code, "PID-7")]


@given(st.text(alphabet="0123456789+-.", max_size=24))
def test_the_quick_look_accepts_no_time_that_the_careful_one_refuses(text: str) -> None:
    if SURELY_A_TIME.match(text):
        assert time_problem(text) == ""


@given(st.datetimes(), st.integers(min_value=4, max_value=14))
def test_every_moment_of_the_calendar_is_a_time(moment: object, length: int) -> None:
    digits = "".join(character for character in str(moment)[:19] if character.isdigit())
    text = digits[: length - length % 2]
    assert time_problem(text) == ""
    if len(text) in (8, 12, 14) and text[4:8] != "0229":
        assert SURELY_A_TIME.match(text)


def test_the_same_wrong_time_is_reported_wherever_it_stands() -> None:
    assert found(message("PID|1||42||DOE||x", "OBR|1|||GLU|||x|x")) == [
        ("time-form", "PID-7"),
        ("time-form", "OBR-7"),
        ("time-form", "OBR-8"),
    ]


def test_a_repetition_that_is_no_time_is_named() -> None:
    assert found(message(PATIENT, ORDER, "SPM|1|||BLD|||||||||||||20260131^20260132")) == [
        ("time-not-in-calendar", "SPM-17.2")
    ]


def test_start_and_end_in_a_timing_are_times() -> None:
    assert found(message("SCH|1|||||R|||||^^^20260131083^20260131", header=header_with(f9="SIU^S12"))) == [
        ("time-form", "SCH-11.4")
    ]


def test_a_date_that_has_a_time_is_information() -> None:
    findings = validate_message(message("EVN||2026", PATIENT, "AL1|1||NUT|||202601310830"))
    assert [(finding.code, finding.severity) for finding in findings if finding.segment == "AL1"] == [
        ("date-with-time", "information")
    ]


@pytest.mark.parametrize("date", ["20260131", "202601", '""', ""])
def test_a_date_alone_is_fine(date: str) -> None:
    assert found(message(PATIENT, ORDER, f"AL1|1||NUT|||{date}|")) == []


@pytest.mark.parametrize(("segment", "field"), [(name, field) for name, times in TIMES.items() for field in times])
def test_every_field_of_the_table_is_looked_at(segment: str, field: int) -> None:
    kind = TIMES[segment][field]
    row = [segment, *[""] * field]
    row[field] = "^^^nonsense" if kind == "timing" else "nonsense"
    text = message("|".join(row)) if segment != "MSH" else header_with(f7="nonsense")
    places = [place for code, place in found(text) if code == "time-form"]
    assert places == [f"{segment}-{field}" + (".4" if kind == "timing" else "")]


# observations


@pytest.mark.parametrize("value", ["98", "+98", "-0.5", "98.", ".5", "", '""', "1~2", " 98 ", "007"])
def test_a_number_under_nm_is_fine(value: str) -> None:
    assert found(report(observation("NM", value))) == []


@pytest.mark.parametrize("value", ["high", "<5", "98,5", "1e3", "98^mg", "1 2", "٣", "--1", "NaN"])
def test_a_value_under_nm_that_is_no_number_is_an_error(value: str) -> None:
    findings = validate_message(report(observation("NM", value)))
    assert [(finding.code, finding.severity, finding.position) for finding in findings] == [
        ("value-not-numeric", "error", "OBX-5")
    ]


@pytest.mark.parametrize(
    ("value_type", "value"),
    [
        ("DT", "20260131"),
        ("TM", "0830"),
        ("TM", "083059.5+0100"),
        ("TS", "202601310830"),
        ("DTM", "2026"),
        ("TS", ""),
    ],
)
def test_a_date_or_time_under_its_type_is_fine(value_type: str, value: str) -> None:
    assert found(report(observation(value_type, value))) == []


@pytest.mark.parametrize(
    ("value_type", "value"), [("DT", "31.1.26"), ("TM", "2530"), ("TS", "20260231"), ("DTM", "today")]
)
def test_a_value_that_is_not_the_time_it_says_is_an_error(value_type: str, value: str) -> None:
    findings = validate_message(report(observation(value_type, value)))
    assert [(finding.code, finding.severity) for finding in findings] == [("value-not-a-time", "error")]
    assert value_type in findings[0].text


def test_a_value_without_a_type_is_a_warning() -> None:
    assert found(report(observation("", "98"))) == [("value-type-missing", "OBX-2")]


def test_no_value_needs_no_type() -> None:
    assert found(report(observation("", ""))) == []


def test_an_unknown_value_type_is_a_warning() -> None:
    assert found(report(observation("NUM", "98"))) == [("value-type-unknown", "OBX-2")]


@pytest.mark.parametrize("value_type", ["ST", "TX", "FT", "CE", "CWE", "SN", "ED", "RP", "XPN"])
def test_other_value_types_take_any_value(value_type: str) -> None:
    assert found(report(observation(value_type, "high^x&y"))) == []


# set ids


def observations(*set_ids: str) -> list[str]:
    return [f"OBX|{set_id}|ST|C||v||||||F" for set_id in set_ids]


def test_set_ids_that_go_up_are_fine() -> None:
    assert found(report(*observations("1", "2", "3", "04"))) == []


def test_a_set_id_that_goes_back_is_a_warning() -> None:
    assert found(report(*observations("1", "3", "2"))) == [
        ("set-id-gap", "OBX[2]-1"),
        ("set-id-order", "OBX[3]-1"),
    ]


def test_a_set_id_that_is_there_twice_is_a_warning() -> None:
    assert found(report(*observations("1", "1"))) == [("set-id-order", "OBX[2]-1")]


def test_an_unordered_group_is_reported_once() -> None:
    assert found(report(*observations(*["1"] * 500))) == [("set-id-order", "OBX[2]-1")]


def test_a_gap_is_information() -> None:
    findings = validate_message(report(*observations("1", "3")))
    assert [(finding.code, finding.severity) for finding in findings] == [("set-id-gap", "information")]


def test_set_ids_may_start_again_in_the_next_order() -> None:
    assert found(report(*observations("1", "2"), "OBR|2|||NA", *observations("1", "2"))) == []


def test_set_ids_may_go_on_in_the_next_order() -> None:
    assert found(report(*observations("1", "2"), "OBR|2|||NA", *observations("3", "4"))) == []


def test_notes_count_within_what_they_belong_to() -> None:
    first, second = observations("1", "2")
    assert found(report("NTE|1", "NTE|2", first, "NTE|1", "NTE|2", second, "NTE|1")) == []


def test_observations_start_again_only_behind_more_than_their_notes() -> None:
    first, again = observations("1", "1")
    assert found(report(first, "NTE|1", again)) == [("set-id-order", "OBX[2]-1")]


def test_repeated_groups_may_start_again() -> None:
    header = header_with(f9="ADT^A40")
    assert found(message("EVN||2026", PATIENT, "MRG|1", PATIENT, "MRG|2", header=header)) == []


def test_no_set_id_is_fine() -> None:
    assert found(report(*observations("", "", '""'))) == []


@pytest.mark.parametrize("set_id", ["A", "1.5", "-1", " 1", "٣"])
def test_a_set_id_that_is_no_number_is_a_warning(set_id: str) -> None:
    assert found(report(*observations("1", set_id))) == [("set-id-form", "OBX[2]-1")]


def test_set_ids_count_beyond_a_thousand() -> None:
    assert found(report(*observations(*map(str, range(1, 1202))))) == []


def test_a_set_id_of_many_thousand_digits_is_no_trouble() -> None:
    assert found(report(*observations("9" * 6000, "1"))) == [("set-id-order", "OBX[2]-1")]


# the tables


def test_the_tables_speak_of_known_segments_only() -> None:
    needed = {name for segments in REQUIRED_SEGMENTS.values() for name, _ in segments}
    assert set(REQUIRED) | set(TIMES) | NUMBERED | needed <= SEGMENTS


# no value in a finding

CANARY = "QZXCANARYZQ"
_NAMES = st.sampled_from(sorted({*REQUIRED, *TIMES, *NUMBERED, "ZPI", "PD1"} - {"MSH"}))
_VALUES = st.sampled_from(
    [CANARY, f"{CANARY}^{CANARY}&x~{CANARY}", f"{CANARY}\0", f"{CANARY}\rlower {CANARY}", "", "1"]
)


@given(
    st.lists(st.tuples(_NAMES, st.lists(_VALUES, max_size=30)), max_size=6),
    st.lists(_VALUES, min_size=10, max_size=20),
)
def test_no_finding_holds_a_value(segments: list[tuple[str, list[str]]], header: list[str]) -> None:
    text = "MSH|^~\\&|" + "|".join(value.replace("\r", " ") for value in header)
    text = "\r".join([text, *("|".join([name, *values]) for name, values in segments)])
    findings = validate_message(text)
    assert CANARY not in repr(findings)
    assert "lower" not in repr(findings)


@given(st.text(alphabet=string.printable + "äß日", max_size=300))
def test_no_text_behind_a_header_breaks_the_rules(text: str) -> None:
    for finding in validate_message("MSH|^~\\&|" + text):
        assert finding.severity == CODES[finding.code].severity


# realistic messages


def test_synthetic_messages_of_every_family_have_no_findings() -> None:
    for text in synthetic_messages(150, 3):
        assert found(text) == []


def test_public_messages_are_mostly_in_order() -> None:
    folder = Path(__file__).parents[4] / "shared" / "data" / "hl7v2" / "fhir-converter"
    if not folder.is_dir():
        pytest.skip("the public corpus is not on this machine")
    files = sorted(folder.glob("*-0?.hl7"))
    with_errors = [
        path.name
        for path in files
        if any(finding.severity == "error" for finding in validate_message(parse(path.read_bytes())))
    ]
    assert len(files) > 90
    assert len(with_errors) < 10
