"""Sample messages as values of a topic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector_lib import parse_message, split_batch
from connector_lib.errors import UsageError
from connector_lib.samples.hl7v2 import DAMAGES, FORMS
from connector_lib.samples.hl7v2.values import number_of_values, sample_values


def test_by_default_a_value_is_one_message_and_its_key_the_control_id() -> None:
    for value in sample_values(50, seed=2):
        assert value.value is not None
        parsed = parse_message(value.value.decode("utf-8"))
        assert parsed["message_control_id"] == value.key
        assert value.control_ids == (value.key,)


def test_the_same_options_give_the_same_keys_and_bytes() -> None:
    def made(seed: int) -> list[object]:
        return list(sample_values(100, seed, forms=FORMS, messages_per_value=3, damage=list(DAMAGES), tombstones=9))

    assert made(1) == made(1)
    assert made(1) != made(2)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_value_of_any_form_is_split_into_the_messages_that_were_put_in(form: object) -> None:
    chosen = [each for each in FORMS if each == form]
    for value in sample_values(9, seed=3, forms=chosen, messages_per_value=4):
        assert value.value is not None
        assert len(list(split_batch(value.value))) == value.messages


@given(
    count=st.integers(0, 60),
    per_value=st.integers(1, 9),
    tombstones=st.integers(0, 20),
    forms=st.lists(st.sampled_from(FORMS), min_size=1, max_size=5),
)
def test_what_was_asked_for_is_there_exactly(count: int, per_value: int, tombstones: int, forms: list[object]) -> None:
    if count + tombstones == 0:
        return
    chosen = [form for form in FORMS if form in forms]
    values = list(sample_values(count, forms=chosen, messages_per_value=per_value, tombstones=tombstones))
    assert len(values) == number_of_values(count, per_value, (), tombstones)
    assert sum(value.messages for value in values) == count
    assert sum(value.value is None for value in values) == tombstones
    ids = [control_id for value in values for control_id in value.control_ids]
    assert len(ids) == len(set(ids)) == count
    assert all(value.messages <= per_value for value in values)


def test_a_tombstone_has_the_key_of_the_value_before_it() -> None:
    values = list(sample_values(10, tombstones=5))
    before = {place: values[place - 1].key for place, value in enumerate(values) if value.value is None}
    assert len(before) == 5
    assert [values[place].key for place in before] == list(before.values())


def test_tombstones_need_no_messages() -> None:
    assert [value.key for value in sample_values(0, tombstones=2)] == ["tombstone-0", "tombstone-1"]


def test_each_kind_of_damage_is_one_value_that_a_broker_takes() -> None:
    values = list(sample_values(0, damage=list(DAMAGES)))
    assert [value.damage for value in values] == list(DAMAGES)
    assert max(value.bytes for value in values) < 1_000_000


def test_a_value_in_which_nothing_is_a_message_is_one_piece_for_quarantine() -> None:
    for value in sample_values(0, damage=["empty-file", "binary-file"], tombstones=1):
        assert (value.messages, value.unreadable) == (0, 1)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"count": -1}, "-1 messages"),
        ({"messages_per_value": 0}, "0 messages in a value"),
        ({"tombstones": -1}, "-1 tombstones"),
        ({"segment_bytes": 0}, "0 bytes in a segment"),
        ({"count": 0}, "0 messages make no sample"),
        ({"damage": ["coffee"]}, "coffee"),
        ({"families": ["XYZ"]}, "XYZ"),
        ({"forms": []}, "no form"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_made(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        sample_values(**{"count": 1, **wrong})  # type: ignore[arg-type]
