"""The example connector passes the checks that every connector has to pass."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector_lib.errors import OffsetError, SourceError
from connector_lib.testing.records_api import Paging, RecordsApi, RecordsTable
from connector_lib.testing.records_source import RecordsSource
from tests.unit.testing.records_sample import COLUMNS, RecordsSample, sample_api


class TestRecordsSource(RecordsSample):
    @pytest.fixture(autouse=True)
    def sample(self) -> Iterator[None]:
        with sample_api() as self.api:
            self.server = self.api.server
            yield


@pytest.fixture(params=["offset", "page"])
def counted(request: pytest.FixtureRequest) -> Iterator[RecordsApi]:
    """Six rows of a snapshot, whose pages the client counts; the API gives at most three at once."""
    paging: Paging = request.param
    with RecordsApi([RecordsTable("wards", COLUMNS, "snapshot")], paging=paging, page_size=3) as api:
        api.put("wards", *({"id": str(number)} for number in range(6)))
        yield api


def wards(api: RecordsApi, page_size: int) -> Iterator[str]:
    source = RecordsSource({"base_url": api.url, "paging": api.paging})
    records, _ = source.read_table("wards", None, {"page_size": str(page_size)})
    return (record["id"] for record in records)


@pytest.mark.parametrize("page_size", [1, 2, 3, 4, 100])
def test_counted_pages_give_each_row_once_however_many_the_api_gives(counted: RecordsApi, page_size: int) -> None:
    assert list(wards(counted, page_size)) == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("page_size", [1, 2, 100])
def test_rows_that_move_over_the_border_of_a_counted_page_are_an_error_though_as_many_came_as_went(
    counted: RecordsApi, page_size: int
) -> None:
    reading = wards(counted, page_size)
    next(reading)
    counted.delete("wards", "0")
    counted.put("wards", {"id": "9"})
    with pytest.raises(SourceError, match="moved over the border of a page"):
        list(reading)


def test_an_offset_of_another_api_asks_for_a_full_refresh() -> None:
    tables = [RecordsTable("visits", COLUMNS)]
    with RecordsApi(tables) as one, RecordsApi(tables) as other:
        _, offset = RecordsSource({"base_url": one.url}).read_table("visits", None, {})
        moved = RecordsSource({"base_url": other.url})
        with pytest.raises(OffsetError, match="other values of the options: base_url"):
            moved.read_table("visits", offset, {})
        with pytest.raises(OffsetError, match="other values of the options: base_url"):
            moved.read_table_between("visits", None, offset, {})


def test_an_offset_goes_on_with_pages_of_another_size_and_the_address_written_otherwise() -> None:
    with RecordsApi([RecordsTable("visits", COLUMNS)]) as api:
        _, offset = RecordsSource({"base_url": api.url}).read_table("visits", None, {"page_size": "2"})
        api.put("visits", {"id": "1"})
        records, _ = RecordsSource({"base_url": f"{api.url}/"}).read_table("visits", offset, {"page_size": "3"})
        assert [record["id"] for record in records] == ["1"]
