"""What does not fit is kept in a column of its own, as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyspark.sql.types import (
    ArrayType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from connector_lib.datasource.converters import compile_converter
from connector_lib.errors import ConversionError

NAME = StructType([StructField("family", StringType()), StructField("rank", LongType())])
SCHEMA = StructType(
    [
        StructField("id", LongType(), False),
        StructField("at", TimestampType()),
        StructField("address", StructType([StructField("city", StringType()), StructField("zip", LongType())])),
        StructField("name", ArrayType(NAME)),
        StructField("labels", MapType(StringType(), NAME)),
        StructField("_rescued_data", StringType()),
    ]
)


def rows_of(*records: dict[str, Any]) -> list[dict[str, Any]]:
    batch = compile_converter(SCHEMA, rescued_column="_rescued_data").to_batch(records)
    rows: list[dict[str, Any]] = batch.to_pylist()
    for row in rows:
        text = row["_rescued_data"]
        row["_rescued_data"] = text if text is None else json.loads(text)
    return rows


def rescued(record: dict[str, Any]) -> Any:
    (row,) = rows_of({"id": 1, **record})
    return row["_rescued_data"]


def test_records_that_fit_have_null_there() -> None:
    record = {
        "at": "2024-05-01T12:00:00Z",
        "address": {"city": "A"},
        "name": [{"family": "B"}],
        "labels": {"a": {"rank": 1}},
    }
    assert rescued(record) is None


def test_a_value_that_does_not_fit_is_null_in_its_column_and_kept() -> None:
    first, second, third = rows_of({"id": 1, "at": "2024-05-01"}, {"id": 2, "at": "soon"}, {"id": 3, "at": "late"})
    assert (first["at"] is not None, first["_rescued_data"]) == (True, None)
    assert (second["at"], second["_rescued_data"]) == (None, {"at": "soon"})
    assert (third["at"], third["_rescued_data"]) == (None, {"at": "late"})


@pytest.mark.parametrize(
    "part",
    [
        {"address": {"city": "A", "zip": "none"}},
        {"address": {}},
        {"address": [1]},
        {"name": [{"family": "A", "rank": 1}, {"rank": "first"}]},
        {"labels": {"a": {"rank": 1.5}}},
        {"labels": 5},
        {"at": 1e300},
    ],
)
def test_a_nested_value_that_does_not_fit_keeps_its_whole_column(part: dict[str, Any]) -> None:
    (row,) = rows_of({"id": 1, **part})
    assert row["_rescued_data"] == part
    assert all(row[name] is None for name in part)


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        ({"extra": 1, "more": {"a": [1, None]}}, {"extra": 1, "more": {"a": [1, None]}}),
        ({"ID": 7}, {"ID": 7}),
        ({"address": {"city": "A", "street": "B"}}, {"address": {"street": "B"}}),
        ({"name": [{"family": "A"}, {"family": "B", "use": "old"}]}, {"name": [None, {"use": "old"}]}),
        ({"name": {"family": "A", "use": "old"}}, {"name": [{"use": "old"}]}),
        ({"labels": {"a": {"rank": 1}, "b": {"rank": 2, "x": 0}}}, {"labels": {"b": {"x": 0}}}),
        ({"_rescued_data": "mine"}, {"_rescued_data": "mine"}),
        ({"extra": None}, None),
    ],
)
def test_members_without_a_column_are_kept_at_any_depth(record: dict[str, Any], kept: Any) -> None:
    assert rescued(record) == kept


def test_both_kinds_of_one_record_are_kept_together() -> None:
    assert rescued({"at": "soon", "extra": 1, "address": {"zip": "x", "street": "B"}}) == {
        "at": "soon",
        "extra": 1,
        "address": {"zip": "x", "street": "B"},
    }


def test_a_text_that_is_not_utf8_is_kept_escaped() -> None:
    schema = StructType([StructField("x", StringType()), StructField("r", StringType())])
    (row,) = compile_converter(schema, rescued_column="r").to_batch([{"x": "half \ud800"}]).to_pylist()
    assert row == {"x": None, "r": '{"x":"half \\ud800"}'}


@pytest.mark.parametrize("record", [{"id": "one"}, {"id": None}, {"at": "soon"}])
def test_a_column_that_must_have_a_value_is_an_error_all_the_same(record: dict[str, Any]) -> None:
    with pytest.raises(ConversionError, match="column 'id'"):
        rows_of({"id": 1}, record)


def test_many_values_that_do_not_fit_are_all_kept() -> None:
    records = [{"id": number, "at": "soon" if number % 3 else "2024-05-01"} for number in range(3000)]
    rows = rows_of(*records)
    assert [row["at"] is None for row in rows] == [number % 3 > 0 for number in range(3000)]
    assert sum(row["_rescued_data"] == {"at": "soon"} for row in rows) == 2000


def test_without_the_column_the_same_value_is_an_error() -> None:
    with pytest.raises(ConversionError, match="rescuedDataColumn"):
        compile_converter(StructType(SCHEMA.fields[:-1])).to_batch([{"id": 1, "at": "soon"}])


@pytest.mark.parametrize("name", ["missing", "id", "at"])
def test_the_column_has_to_be_a_string_that_may_be_null(name: str) -> None:
    with pytest.raises(ConversionError, match=f"'{name}', for what does not fit, is no string column"):
        compile_converter(SCHEMA, rescued_column=name)
