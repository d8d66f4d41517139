"""Sample messages: what a seed gives. Read here with string operations, not with the package's own parser."""

from __future__ import annotations

import base64
import re
import tracemalloc
from collections import Counter

import pytest

from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2 import CHARSETS, FAMILIES, messages, oru_message
from connector_lib.samples.hl7v2.composer import DAY
from connector_lib.samples.hl7v2.kinds import KINDS
from connector_lib.samples.hl7v2.messages import SampleMessage, sample_messages
from connector_lib.samples.hl7v2.separators import Separators
from connector_lib.samples.hl7v2.vocabulary import VERSIONS

TIME = re.compile(r"\d{4}(\d{2}(\d{2}(\d{2}(\d{2}(\d{2}(\.\d{1,4})?)?)?)?)?)?([+-]\d{4})?")


@pytest.fixture(scope="module")
def many() -> list[SampleMessage]:
    return list(sample_messages(4000, 7))


@pytest.fixture(scope="module")
def plain(many: list[SampleMessage]) -> list[SampleMessage]:
    """Those with the default separators."""
    return [message for message in many if message.standard_separators]


def rows(message: SampleMessage, name: str) -> list[list[str]]:
    """The segments of a name as lists of fields; number n is HL7's field n, but for MSH."""
    return [line.split("|") for line in message.text.split("\r") if line[:3] == name]


def all_rows(made: list[SampleMessage], name: str) -> list[list[str]]:
    return [row for message in made for row in rows(message, name)]


def test_the_same_seed_gives_the_same_messages() -> None:
    assert list(messages(300, 5)) == list(messages(300, 5))


def test_another_seed_gives_other_messages() -> None:
    assert list(messages(20, 5)) != list(messages(20, 6))


def test_a_longer_run_begins_with_the_messages_of_a_shorter_one() -> None:
    assert list(messages(300, 5))[:40] == list(messages(40, 5))


def test_a_hundred_messages_hold_every_kind_and_every_version() -> None:
    made = list(sample_messages(100, 3))
    assert {message.kind.name for message in made} == {kind.name for kind in KINDS}
    assert {message.version for message in made} == {version.name for version in VERSIONS}


def test_every_family_asked_for_and_no_other_is_made() -> None:
    made = [text.split("|")[8][:3] for text in messages(60, 1, families=["VXU", "mdm"]) if text[3] == "|"]
    assert set(made) == {"VXU", "MDM"}


def test_an_unknown_family_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="'XYZ'"):
        next(messages(1, families=["XYZ"]))


def test_an_unknown_charset_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="'ebcdic'"):
        next(messages(1, charset="ebcdic"))


def test_a_count_below_zero_is_refused() -> None:
    with pytest.raises(UsageError, match="-1 messages"):
        next(messages(-1))


def test_messages_have_cr_between_segments_and_none_at_the_end(many: list[SampleMessage]) -> None:
    for message in many:
        assert "\n" not in message.text
        assert not message.text.endswith("\r")
        assert all(re.match(r"[A-Z][A-Z0-9]{2}\W", line) for line in message.text.split("\r"))


def test_the_header_says_what_the_message_was_made_to_be(plain: list[SampleMessage]) -> None:
    for message in plain:
        header = message.text.split("\r")[0].split("|")
        assert header[1] == "^~\\&"
        assert "^".join(header[8].split("^")[:2]) == message.kind.name
        assert header[9] == message.control_id
        assert header[11].split("^")[0] == message.version


def test_the_header_has_only_what_its_version_knows(plain: list[SampleMessage]) -> None:
    for message in plain:
        header = message.text.split("\r")[0].rstrip("|").split("|")
        number = next(version.number for version in VERSIONS if version.name == message.version)
        if number < 231:
            assert header[8].count("^") < 2
        if number < 230:
            assert len(header) <= 12
        assert number >= message.kind.since


def test_control_ids_are_not_doubled(many: list[SampleMessage]) -> None:
    assert len({message.control_id for message in many}) == len(many)


def test_results_come_most_often_and_then_admissions(many: list[SampleMessage]) -> None:
    families = [family for family, _ in Counter(message.kind.message_type for message in many).most_common(2)]
    assert families == ["ORU", "ADT"]


def test_every_value_type_is_among_the_observations(plain: list[SampleMessage]) -> None:
    types = {row[2] for row in all_rows(plain, "OBX")}
    assert types == {"NM", "ST", "TX", "FT", "CE", "CWE", "SN", "DT", "TS", "DTM", "ED"}


def test_numbers_are_numbers(plain: list[SampleMessage]) -> None:
    values = [row[5] for row in all_rows(plain, "OBX") if row[2] == "NM"]
    assert len(values) > 5000
    assert all(float(value) >= 0 for value in values)


def test_encapsulated_data_is_base64_of_a_few_kilobytes(plain: list[SampleMessage]) -> None:
    values = [row[5].split("^") for row in all_rows(plain, "OBX") if row[2] == "ED"]
    sizes = [len(base64.b64decode(value[4], validate=True)) for value in values]
    assert {tuple(value[1:4]) for value in values} == {("Application", "PDF", "Base64")}
    assert min(sizes) > 300
    assert 3000 < max(sizes) < 6000


def test_a_result_has_several_orders_with_several_observations(plain: list[SampleMessage]) -> None:
    results = [message for message in plain if message.kind.message_type == "ORU"]
    orders = Counter(len(rows(message, "OBR")) for message in results)
    assert set(orders) == {1, 2, 3}
    assert sum(len(rows(message, "OBX")) for message in results) / sum(n * c for n, c in orders.items()) > 4


@pytest.mark.parametrize("before", ["PID", "OBR", "OBX", "AIS", "AIG", "AIL", "AIP", "SCH"])
def test_notes_stand_behind_every_segment_that_can_have_them(before: str, plain: list[SampleMessage]) -> None:
    pairs = Counter(
        (first[:3], second[:3])
        for message in plain
        for first, second in zip(message.text.split("\r"), message.text.split("\r")[1:], strict=False)
    )
    assert pairs[before, "NTE"] > 5


def test_observation_values_and_patient_ids_repeat(plain: list[SampleMessage]) -> None:
    assert sum("~" in row[5] for row in all_rows(plain, "OBX")) > 20
    assert {row[3].count("~") for row in all_rows(plain, "PID")} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "escape",
    [
        "\\T\\",
        "\\F\\",
        "\\S\\",
        "\\R\\",
        "\\E\\",
        "\\H\\",
        "\\N\\",
        "\\.br\\",
        "\\.sp2\\",
        "\\.in+4\\",
        "\\X0D\\",
    ],
)
def test_every_escape_is_used(escape: str, plain: list[SampleMessage]) -> None:
    assert sum(escape in message.text for message in plain) > 10


def test_null_blanks_and_empty_fields_at_the_end_are_used(plain: list[SampleMessage]) -> None:
    assert sum('|""' in message.text for message in plain) > 20
    assert sum("| " in message.text or " |" in message.text for message in plain) > 20
    assert sum(message.text.endswith("|") for message in plain) > 20


def test_segments_of_a_site_are_used(plain: list[SampleMessage]) -> None:
    assert len(all_rows(plain, "ZPI")) > 20
    assert len(all_rows(plain, "ZBE")) > 20


def test_set_ids_count_up_from_one_behind_their_order(plain: list[SampleMessage]) -> None:
    for message in plain:
        number = 0
        for line in message.text.split("\r"):
            if line[:3] in ("OBR", "ORC", "RXA"):
                number = 0
            if line.startswith("OBX|"):
                number += 1
                assert int(line.split("|")[1]) == number


def test_a_merge_names_two_different_patients(plain: list[SampleMessage]) -> None:
    merges = [message for message in plain if message.kind.event == "A40"]
    assert merges
    for message in merges:
        assert rows(message, "PID")[0][3].split("^")[0] != rows(message, "MRG")[0][1].split("^")[0]


def test_time_stamps_have_every_precision_and_some_a_zone(plain: list[SampleMessage]) -> None:
    sent = [message.text.split("|")[6] for message in plain]
    born = [row[7] for row in all_rows(plain, "PID")]
    ended = [row[6] for row in all_rows(plain, "AL1")] + [row[5] for row in all_rows(plain, "DG1")]
    values = [value for value in sent + born + ended if value]
    assert all(TIME.fullmatch(value) for value in values)
    assert {len(re.split(r"[.+-]", value)[0]) for value in values} == {4, 6, 8, 10, 12, 14}
    assert {sign for value in values for sign in ".+-" if sign in value} == {".", "+", "-"}


def test_a_stay_has_its_place_number_and_times_where_the_standard_has_them(
    plain: list[SampleMessage],
) -> None:
    discharges = [rows(message, "PV1")[0] for message in plain if message.kind.event == "A03"]
    assert discharges
    for visit in discharges:
        assert visit[3].count("^") == 3
        assert re.match(r"V\d{6}", visit[19])
        assert visit[36] in {"01", "02", "06"}
        assert TIME.fullmatch(visit[44])
        assert TIME.fullmatch(visit[45])


def test_an_insurance_has_its_policy_number_where_the_standard_has_it(plain: list[SampleMessage]) -> None:
    policies = all_rows(plain, "IN1")
    assert len(policies) > 50
    assert all(re.match(r"P\d+-\d", row[36]) and row[15] == "HMO" for row in policies)


def test_a_charge_has_code_amount_and_performer_where_the_standard_has_them(
    plain: list[SampleMessage],
) -> None:
    charged = all_rows(plain, "FT1")
    assert len(charged) > 50
    for row in charged:
        assert row[7].endswith("^C4")
        assert float(row[11].split("&")[0]) == pytest.approx(float(row[12]) * int(row[10]), abs=0.01)
        assert row[20].count("^") >= 2


def test_resources_have_their_start_and_status_where_the_standard_has_them(
    plain: list[SampleMessage],
) -> None:
    for name, start, status in (("AIS", 4, 10), ("AIG", 8, 14), ("AIL", 6, 12), ("AIP", 6, 12)):
        found = all_rows(plain, name)
        assert len(found) > 30
        assert all(TIME.fullmatch(row[start]) and row[status] == "BOOKED" for row in found)


def test_some_messages_have_separators_of_their_own(many: list[SampleMessage]) -> None:
    fields = {message.text[3] for message in many}
    assert {"|", "#", "^", "$", "!"} <= fields


def test_five_encoding_characters_come_only_from_version_2_7_on(many: list[SampleMessage]) -> None:
    five = [message for message in many if len(message.text.split(message.text[3])[1]) == 5]
    assert len(five) > 30
    assert {message.version for message in five} <= {"2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9"}


def test_other_separators_keep_what_a_value_means() -> None:
    text = Separators("|", "^~\\&#").apply("MSH|^~\\&|A\rNTE|1||no #1 \\T\\ \\E\\")
    assert text == "MSH|^~\\&#|A\rNTE|1||no \\P\\1 \\T\\ \\E\\"
    text = Separators("$", ":;?!").apply("MSH|^~\\&|A\rNTE|1||5$: a^b~c&d \\F\\ \\S\\ \\R\\ \\T\\ \\E\\ \\.br\\")
    assert text == "MSH$:;?!$A\rNTE$1$$5?F??S? a:b;c!d | ^ ~ & \\ ?.br?"


@pytest.mark.parametrize("charset", sorted(CHARSETS))
def test_every_message_of_a_charset_can_be_written_in_it(charset: str) -> None:
    made = list(messages(150, 2, charset=charset))
    codec = CHARSETS[charset].codec
    assert [text.encode(codec).decode(codec) for text in made] == made


@pytest.mark.parametrize("charset", sorted(CHARSETS))
def test_every_message_from_2_3_on_names_its_charset(charset: str) -> None:
    made = [m for m in sample_messages(150, 2, charset=charset) if m.standard_separators and m.version >= "2.3"]
    declared = {(message.text.split("\r")[0] + "|" * 20).split("|")[17] for message in made}
    assert declared == {CHARSETS[charset].declared}


@pytest.mark.parametrize("charset", sorted(name for name in CHARSETS if CHARSETS[name].pools))
def test_a_charset_is_really_used(charset: str) -> None:
    made = list(messages(150, 2, charset=charset))
    assert sum(not text.isascii() for text in made) > 40


def test_messages_older_than_msh_18_are_ascii() -> None:
    made = [m.text for m in sample_messages(2000, 2, charset="8859-5") if m.version in ("2.1", "2.2")]
    assert made
    assert all(text.isascii() for text in made)


def test_dates_stay_within_the_calendar_for_any_number_of_messages() -> None:
    years = set()
    for first in (0, 150_000, 298_000, 9_999_000):
        for message in sample_messages(400, 1, first=first):
            if message.standard_separators:
                years.add(message.text.split("|")[6][:4])
    assert years == {"2023", "2024"}
    assert DAY == 24 * 60 * 60


def test_memory_does_not_grow_with_the_number_of_messages() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in messages(count, 1):
            continue
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    few = peak(700)
    assert peak(2100) < few + 500_000


@pytest.mark.parametrize("size", [800, 1500, 5000, 50_000])
def test_a_typical_result_message_is_as_large_as_asked_for(size: int) -> None:
    text = oru_message(size)
    assert abs(len(text) - size) < 100
    assert text.isascii()
    assert [int(line.split("|")[1]) for line in text.split("\r")[5:]] == list(range(1, text.count("\r") - 3))


def test_a_typical_result_message_is_the_same_each_time() -> None:
    assert oru_message() == oru_message()
    assert oru_message() != oru_message(seed=1)


def test_the_families_are_those_that_a_hospital_sends() -> None:
    assert {"ADT", "ORM", "OML", "ORU", "SIU", "VXU", "MDM", "DFT", "BAR", "ACK", "MFN", "QBP", "RDE"} == set(FAMILIES)
