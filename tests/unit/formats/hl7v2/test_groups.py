"""Which segment belongs to which."""

from __future__ import annotations

import pytest

from connector_lib import parse
from connector_lib.formats.hl7v2.groups import SegmentGroup, groups, parents, structure_of

SITUATIONS = {
    "notes stand behind what they are about": "MSH NTE PID NTE PV1 ORC NTE OBR NTE OBX NTE NTE OBX NTE",
    "every result has its order": "MSH PID OBR OBX OBX OBR OBX NTE OBR OBX",
    "an order control opens one detail": "MSH PID ORC OBR OBX ORC OBR OBX NTE",
    "an order detail without an order control stands alone": "MSH PID ORC OBR OBX OBR OBX",
    "an order control without a detail": "MSH PID ORC ORC OBR",
    "results of a specimen": "MSH PID ORC OBR OBX SPM OBX NTE SPM OBX ORC OBR OBX",
    "vaccinations": "MSH PID ORC RXA RXR OBX NTE OBX ORC RXA OBX RXA RXR",
    "medications": "MSH PID ORC RXE NTE TQ1 RXR RXC ORC RXO RXR OBX ORC RXD RXR ORC RXG RXR",
    "appointments": "MSH SCH NTE PID RGS AIS NTE AIG NTE AIL NTE RGS AIP NTE AIS",
    "merges of several patients": "MSH EVN PID PD1 MRG PID MRG PID",
    "several patients of one result message": "MSH PID NTE OBR OBX PID OBX OBR OBX NTE",
    "charges": "MSH EVN PID FT1 NTE PR1 NTE PR1 FT1 PR1",
    "procedures without charges": "MSH EVN PID PV1 PR1 ROL PR1",
    "documents": "MSH EVN PID PV1 TXA NTE OBX NTE OBX",
    "insurances": "MSH PID IN1 IN2 IN3 IN1 IN2",
    "observations of the patient": "MSH EVN PID OBX NTE PV1 OBX AL1 DG1",
    "no patient": "MSH OBR OBX OBR OBX",
    "acknowledgment": "MSH MSA ERR NTE",
}

OWNERS = {
    "notes stand behind what they are about": "- 0 - 2 2 2 5 5 7 7 9 9 7 12",
    "every result has its order": "- - 1 2 2 1 5 6 1 8",
    "an order control opens one detail": "- - 1 2 3 1 5 6 7",
    "an order detail without an order control stands alone": "- - 1 2 3 1 5",
    "an order control without a detail": "- - 1 1 3",
    "results of a specimen": "- - 1 2 3 3 5 6 3 8 1 10 11",
    "vaccinations": "- - 1 2 3 3 5 3 1 8 9 8 11",
    "medications": "- - 1 2 3 3 3 3 1 8 9 9 1 12 13 1 15 16",
    "appointments": "- - 1 - 3 4 5 4 7 4 9 3 11 12 11",
    "merges of several patients": "- - - 2 2 - 5 -",
    "several patients of one result message": "- - 1 1 3 - 5 5 7 8",
    "charges": "- - - 2 3 3 5 3 2 8",
    "procedures without charges": "- - - 2 2 4 2",
    "documents": "- - - 2 2 4 4 6 4",
    "insurances": "- - 1 2 2 1 5",
    "observations of the patient": "- - - 2 3 2 5 2 2",
    "no patient": "- - 1 - 3",
    "acknowledgment": "- - 1 1",
}


@pytest.mark.parametrize("situation", sorted(SITUATIONS))
def test_each_segment_belongs_to_the_one_that_opened_for_it(situation: str) -> None:
    found = parents(SITUATIONS[situation].split())
    assert " ".join("-" if owner < 0 else str(owner) for owner in found) == OWNERS[situation]


def test_a_segment_belongs_to_one_before_it() -> None:
    for situation in SITUATIONS.values():
        assert all(owner < index for index, owner in enumerate(parents(situation.split())))


def in_order(tree: list[SegmentGroup]) -> list[int]:
    return [index for group in tree for index in (group.segment.index, *in_order(group.children))]


@pytest.mark.parametrize("situation", sorted(SITUATIONS))
def test_the_tree_holds_every_segment_once(situation: str) -> None:
    names = SITUATIONS[situation].split()
    message = parse("\r".join(["MSH|^~\\&|A", *(f"{name}|1" for name in names[1:])]))
    assert sorted(in_order(groups(message))) == list(range(len(names)))


def test_a_segment_of_a_site_stands_at_the_top_and_closes_nothing() -> None:
    assert parents(["MSH", "PID", "OBR", "OBX", "ZXX", "NTE", "OBX"]) == [-1, -1, 1, 2, -1, 3, 2]


DETAIL_FIRST = {
    "results of a specimen": (
        "OUL^R22",
        "MSH PID SPM OBX SAC OBR ORC NTE TQ1 OBX NTE OBR OBX",
        "- - 1 2 2 1 5 5 5 5 9 1 11",
    ),
    "results of an order": ("OUL^R24", "MSH PID OBR PRT ORC PRT SPM OBX OBR ORC OBX", "- - 1 2 2 4 2 6 1 8 8"),
    "accession": ("OPU^R25", "MSH PV1 PID SPM OBR ORC OBX OBR ORC OBX", "- - - 2 2 4 4 2 7 7"),
}


@pytest.mark.parametrize("situation", sorted(DETAIL_FIRST))
def test_an_order_control_belongs_to_the_detail_before_it_where_the_trigger_event_says_so(situation: str) -> None:
    event, names, owners = DETAIL_FIRST[situation]
    message = parse("\r".join([f"MSH|^~\\&|||||||{event}", *(f"{name}|1" for name in names.split()[1:])]))
    assert " ".join("-" if owner < 0 else str(owner) for owner in structure_of(message).parents) == owners
