"""A connector that is written by its two bounded methods is read by the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from connector_lib.connector.interface import (
    BoundedConnector,
    BoundedReads,
    Offset,
    Record,
    TableMetadata,
    TableOptions,
    check_table,
)
from connector_lib.connector.reading import read_all, read_step
from connector_lib.errors import UnknownTableError

if TYPE_CHECKING:
    from pyspark.sql.types import StructType


class Tower(BoundedConnector):
    """A bell strikes every hour until three."""

    def list_tables(self) -> list[str]:
        return ["strokes"]

    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        raise NotImplementedError

    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        return {"primary_keys": ["hour"], "cursor_field": "hour", "ingestion_type": "cdc_with_deletes"}

    def latest_offset(self, table_name: str, table_options: TableOptions, start_offset: Offset | None = None) -> Offset:
        check_table(table_name, self.list_tables(), "tower")
        return {"hour": 3}

    def read_table_between(
        self,
        table_name: str,
        start_offset: Offset | None,
        end_offset: Offset,
        table_options: TableOptions,
        *,
        deletes: bool = False,
    ) -> Iterator[Record]:
        first = (start_offset or {}).get("hour", 0)
        return ({"hour": hour, "deleted": deletes} for hour in range(first, end_offset["hour"]))


@pytest.mark.parametrize("deletes", [False, True])
@pytest.mark.parametrize(("start", "hours"), [(None, [0, 1, 2]), ({}, [0, 1, 2]), ({"hour": 2}, [2])])
def test_it_gives_what_lies_between_the_start_and_its_bound(
    start: Offset | None, hours: list[int], deletes: bool
) -> None:
    tower = Tower({})
    records, offset = (tower.read_table_deletes if deletes else tower.read_table)("strokes", start, {})
    assert (list(records), offset) == ([{"hour": hour, "deleted": deletes} for hour in hours], {"hour": 3})


def test_it_stands_still_at_its_bound() -> None:
    assert not read_step(Tower({}), "strokes", {}, {"hour": 3}).moved
    assert [record["hour"] for record in read_all(Tower({}), "strokes", {})] == [0, 1, 2]


def test_it_is_one_that_can_be_read_up_to_an_offset() -> None:
    assert isinstance(Tower({}), BoundedReads)


def test_both_reads_refuse_a_table_that_it_does_not_have() -> None:
    for read in (Tower({}).read_table, Tower({}).read_table_deletes):
        with pytest.raises(UnknownTableError, match="the source 'tower' has no table 'bells'"):
            read("bells", None, {})
