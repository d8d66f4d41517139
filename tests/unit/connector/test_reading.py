"""A table is read to its end, and a connector that breaks the contract is stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector_lib.connector.interface import LakeflowConnect, Offset, Record, TableMetadata, TableOptions
from connector_lib.connector.reading import offset_text, read_all, read_step, read_steps, same_offset
from connector_lib.errors import ContractError

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

Answer = Callable[[Offset], Any]


class Scripted(LakeflowConnect):
    """Answers every call of ``read_table`` by a function of the start offset, and counts them."""

    def __init__(self, answer: Answer) -> None:
        super().__init__({})
        self.answer = answer
        self.starts: list[Offset | None] = []

    def list_tables(self) -> list[str]:
        return ["visits"]

    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        raise NotImplementedError

    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        return {"ingestion_type": "append"}

    def read_table(
        self, table_name: str, start_offset: Offset | None, table_options: TableOptions
    ) -> tuple[Iterator[Record], Offset]:
        self.starts.append(start_offset)
        answer: tuple[Iterator[Record], Offset] = self.answer({} if start_offset is None else start_offset)
        return answer


def pages(count: int, size: int = 2) -> Answer:
    """``count`` pages of ``size`` records and an offset that stands still behind them."""

    def answer(start: Offset) -> tuple[Iterator[Record], Offset]:
        page = start.get("page", 0)
        if page == count:
            return iter(()), start
        return iter([{"id": page * size + number} for number in range(size)]), {"page": page + 1}

    return answer


def read(answer: Answer, start: Offset | None = None) -> list[Record]:
    return list(read_all(Scripted(answer), "visits", {}, start))


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(0, 3))
def test_all_calls_together_give_every_record_once_and_in_order(count: int, size: int) -> None:
    assert read(pages(count, size)) == [{"id": number} for number in range(count * size)]


def test_a_read_goes_on_behind_an_offset() -> None:
    assert read(pages(3), {"page": 2}) == [{"id": 4}, {"id": 5}]


def test_the_last_step_says_where_a_later_read_goes_on() -> None:
    steps = list(read_steps(Scripted(pages(3)), "visits", {}))
    assert [(step.start, step.end) for step in steps] == [
        ({}, {"page": 1}),
        ({"page": 1}, {"page": 2}),
        ({"page": 2}, {"page": 3}),
    ]


def test_none_and_an_empty_object_are_both_the_start() -> None:
    assert same_offset(None, {})
    assert read(pages(2), None) == read(pages(2), {})


def test_records_are_taken_as_they_are_asked_for() -> None:
    taken = []

    def record(number: int) -> Record:
        taken.append(number)
        return {"id": number}

    records = read_all(Scripted(lambda start: (map(record, range(5)), {"end": 1})), "visits", {})
    assert next(records) == {"id": 0}
    assert taken == [0]


def test_a_list_of_records_will_do() -> None:
    assert read(lambda start: ([{"id": 1}], {"end": 1}) if not start else ([], start)) == [{"id": 1}]


def test_a_page_without_records_is_not_the_end() -> None:
    def answer(start: Offset) -> tuple[Iterator[Record], Offset]:
        page = start.get("page", 0)
        return (iter([{"id": page}] if page == 2 else []), {"page": page + 1}) if page < 3 else (iter(()), start)

    assert read(answer) == [{"id": 2}]


def test_what_the_connector_raises_is_raised() -> None:
    def broken() -> Iterator[Record]:
        yield {"id": 1}
        raise ConnectionError("gone")

    records = read_all(Scripted(lambda start: (broken(), {"end": 1})), "visits", {})
    assert next(records) == {"id": 1}
    with pytest.raises(ConnectionError, match="gone"):
        next(records)


def test_a_start_offset_changed_in_place_still_counts_as_progress() -> None:
    def answer(start: Offset) -> tuple[Iterator[Record], Offset]:
        if start.get("page") == 2:
            return iter(()), start
        start["page"] = start.get("page", 0) + 1
        return iter([{"id": start["page"]}]), start

    given: Offset = {}
    assert read(answer, given) == [{"id": 1}, {"id": 2}]
    assert given == {}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda start: (iter(()), None), "gave None as its offset"),
        (lambda start: (iter(()), "page 2"), "gave a str as its offset"),
        (lambda start: (iter(()), {"at": object()}), "cannot be written as JSON"),
        (lambda start: (iter(()), {"at": float("nan")}), "cannot be written as JSON"),
        (lambda start: (iter(()), {1: "a"}), "that JSON changes"),
        (lambda start: (iter(()), {"keys": (1, 2)}), "that JSON changes"),
        (lambda start: (iter([{"id": 1}]), start), "gave records with an offset that did not move"),
        (lambda start: None, "gave NoneType instead of a pair"),
        (lambda start: iter(()), "instead of a pair"),
        (lambda start: (None, {"end": 1}), "gave NoneType instead of an iterator"),
    ],
)
def test_an_answer_against_the_contract_ends_the_read(answer: Answer, words: str) -> None:
    with pytest.raises(ContractError, match=words) as caught:
        read(answer)
    assert "connector Scripted" in str(caught.value)
    assert "table 'visits'" in str(caught.value)


@settings(deadline=None)
@given(before=st.integers(0, 20), length=st.integers(2, 20))
def test_a_circle_of_offsets_ends_the_read(before: int, length: int) -> None:
    def answer(start: Offset) -> tuple[Iterator[Record], Offset]:
        page = start.get("page", 0) + 1
        return iter([{"id": page}]), {"page": page if page < before + length else before}

    connector = Scripted(answer)
    with pytest.raises(ContractError, match="came back to an offset"):
        list(read_all(connector, "visits", {}))
    assert len(connector.starts) <= 4 * (before + length)


def test_a_read_that_comes_back_to_the_start_ends_with_an_error() -> None:
    with pytest.raises(ContractError, match="came back to an offset"):
        read(lambda start: (iter([{"id": 1}]), {} if start else {"page": 1}))


def test_deletes_are_read_alike() -> None:
    class WithDeletes(Scripted):
        def read_table_deletes(
            self, table_name: str, start_offset: Offset | None, table_options: TableOptions
        ) -> tuple[Iterator[Record], Offset]:
            return self.read_table(table_name, start_offset, table_options)

    records = read_all(WithDeletes(pages(2, 1)), "visits", {}, deletes=True)
    assert list(records) == [{"id": 0}, {"id": 1}]


def test_a_connector_that_does_not_read_deletes_says_so() -> None:
    with pytest.raises(ContractError, match="does not read them"):
        read_step(Scripted(pages(1)), "visits", {}, deletes=True)


def test_a_class_without_the_method_for_deletes_says_so() -> None:
    class Plain:
        def read_table(self, *arguments: Any) -> tuple[Iterator[Record], Offset]:
            return iter(()), {}

    with pytest.raises(ContractError, match="the connector Plain has no read_table_deletes"):
        read_step(Plain(), "visits", {}, deletes=True)  # type: ignore[arg-type]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_an_offset_is_the_same_after_spark_has_kept_it(offset: Offset) -> None:
    kept = json.loads(json.dumps(offset))
    assert offset_text(None, "visits", kept) == offset_text(None, "visits", offset)
    assert same_offset(kept, offset)
