"""Connectors with one fault each, by the check that has to find it.

Those that derive from JournalSource read a file; those that derive from RecordsSource read an API.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from pyspark.sql.types import IntegerType, LongType, StringType, StructField, StructType

from connector_lib.connector.interface import LakeflowConnect, Offset, Record, TableMetadata, TableOptions
from connector_lib.errors import ApiError
from connector_lib.testing.records_source import RecordsSource
from tests.unit.testing.journals import SCHEMA, JournalSource

Records = tuple[Iterator[Record], Offset]


class WithoutDeletes(JournalSource):
    read_table_deletes = LakeflowConnect.read_table_deletes


class ListsTwice(JournalSource):
    def list_tables(self) -> list[str]:
        return [*super().list_tables(), "VISITS"]


class ReadsNothingOfUnknownTables(JournalSource):
    def read_table(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        if table_name not in self.list_tables():
            return iter(()), start_offset or {}
        return super().read_table(table_name, start_offset, table_options)


class HasIntegers(JournalSource):
    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        super().get_table_schema(table_name, table_options)
        return StructType([SCHEMA["id"], StructField("changed", IntegerType()), SCHEMA["ward"]])


class HasNoCursor(JournalSource):
    def read_table_metadata(self, table_name: str, table_options: TableOptions) -> TableMetadata:
        metadata = super().read_table_metadata(table_name, table_options)
        if table_name == "labs":
            del metadata["cursor_field"]
        return metadata


class HidesItsCursor(JournalSource):
    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        super().get_table_schema(table_name, table_options)
        return StructType([SCHEMA["id"], SCHEMA["ward"]])


class HoldsALock(JournalSource):
    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self.lock = threading.Lock()


class KnowsOneCase(JournalSource):
    def __init__(self, options: Mapping[str, str]) -> None:
        if "path" not in options:
            raise AssertionError("KeyError: 'path'")
        super().__init__(options)


class TakesAnyOption(JournalSource):
    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__({name: value for name, value in options.items() if name.lower() in ("path", "password")})


class ShowsItsPassword(JournalSource):
    def __repr__(self) -> str:
        return f"ShowsItsPassword({self.options})"


class TellsNoneFromTheStart(JournalSource):
    def read_table(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        records, end = super().read_table(table_name, start_offset, table_options)
        return records, {**end, "began": True} if start_offset is None else end


class EndsWithNone(JournalSource):
    def read_table(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        records, end = super().read_table(table_name, start_offset, table_options)
        return records, None if end == start_offset else end  # type: ignore[return-value]


class RepeatsAtTheEnd(JournalSource):
    def read_table(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        records, end = super().read_table(table_name, start_offset, table_options)
        if table_name == "labs" and end == start_offset:
            return iter([{"id": end["id"], "changed": end["at"], "ward": "north"}]), end
        return records, end


class GoesRoundAndRound(JournalSource):
    def read_table(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        records, end = super().read_table(table_name, start_offset, table_options)
        again = end == start_offset and table_name != "wards"
        return super().read_table(table_name, {}, table_options) if again else (records, end)


class CutsSnapshots(JournalSource):
    def read_table(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        records, end = super().read_table(table_name, start_offset, table_options)
        return (iter(list(records)[:3]), end) if table_name == "wards" else (records, end)

    def read_table_between(
        self,
        table_name: str,
        start_offset: Offset | None,
        end_offset: Offset,
        table_options: TableOptions,
        *,
        deletes: bool = False,
    ) -> Iterator[Record]:
        records = super().read_table_between(table_name, start_offset, end_offset, table_options, deletes=deletes)
        return iter(list(records)[:3]) if table_name == "wards" else records


class GoesOnBehindTies(JournalSource):
    def is_behind(self, row: Record, start: Offset) -> bool:
        return "at" not in start or row["changed"] > start["at"]

    def read_table_between(
        self,
        table_name: str,
        start_offset: Offset | None,
        end_offset: Offset,
        table_options: TableOptions,
        *,
        deletes: bool = False,
    ) -> Iterator[Record]:
        # As wrong as read_table: batch by batch.
        read = self.read_table_deletes if deletes else self.read_table
        place: Offset = start_offset or {}
        while place != end_offset:
            records, place = read(table_name, place, table_options)
            yield from records


class ChangesValues(JournalSource):
    def rows(self, kind: str, table: str, start: Offset) -> list[Record]:
        return [{**row, "ward": str(row.get("ward")).upper()} for row in super().rows(kind, table, start)]


class GivesOnlyOnce(JournalSource):
    """Drops what it has given, by a list in memory that a copy does not have."""

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self.given: set[tuple[str, str, int]] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "given": set()}

    def read_table(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        records, end = super().read_table(table_name, start_offset, table_options)
        return self.not_given(table_name, records), end

    def not_given(self, table: str, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            known = (table, record["id"], record["changed"])
            if known not in self.given:
                self.given.add(known)
                yield record


class ForgetsItsBatchSize(JournalSource):
    size = 0

    def batch(self, rows: list[Record], start: Offset, options: TableOptions) -> Records:
        size = self.__dict__.get("chosen", 2)
        return super().batch(rows, start, {"batch": str(size)})

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "chosen": 5}


class ReadsToNow(JournalSource):
    def rows(self, kind: str, table: str, start: Offset) -> list[Record]:
        self.bound = self.clock()
        return super().rows(kind, table, start)


class MissesUpdates(JournalSource):
    """Later runs give new records and no changed ones."""

    def read_table(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        records, end = super().read_table(table_name, start_offset, table_options)
        kept = [record for record in records if not str(record["ward"]).startswith("moved")]
        return iter(kept), end


class BeginsOneBack(JournalSource):
    """A new run gives the last record again."""

    def __init__(self, options: Mapping[str, str]) -> None:
        super().__init__(options)
        self.run = uuid.uuid4().hex

    def read_table(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        if table_name == "wards":
            return super().read_table(table_name, start_offset, table_options)
        start = start_offset or {}
        if start.get("run", self.run) != self.run and "at" in start:
            last = [row for row in self.rows("records", table_name, {}) if row["id"] == start["id"]]
            return iter(last), {**start, "run": self.run}
        records, end = super().read_table(table_name, start, table_options)
        return records, end if end == start else {**end, "run": self.run}

    def latest_offset(self, table_name: str, table_options: TableOptions, start_offset: Offset | None = None) -> Offset:
        latest = super().latest_offset(table_name, table_options, start_offset)
        return latest if table_name == "wards" else {**latest, "run": self.run}


class PassesItsBound(JournalSource):
    def read_table_between(
        self,
        table_name: str,
        start_offset: Offset | None,
        end_offset: Offset,
        table_options: TableOptions,
        *,
        deletes: bool = False,
    ) -> Iterator[Record]:
        records = super().read_table_between(table_name, start_offset, end_offset, table_options, deletes=deletes)
        return iter(list(records)[1:])


class InParts(JournalSource):
    """Sound, in three parts."""

    parts = 3

    def is_partitioned(self, table_name: str, table_options: TableOptions) -> bool:
        return table_name == "labs"

    def get_partitions(
        self,
        table_name: str,
        table_options: TableOptions,
        start_offset: Offset | None = None,
        end_offset: Offset | None = None,
    ) -> list[dict[str, Any]]:
        return [{"part": part} for part in range(self.parts)]

    def read_partition(
        self, table_name: str, partition: Mapping[str, Any], table_options: TableOptions
    ) -> Iterator[Record]:
        return iter(self.rows("records", table_name, {})[partition["part"] :: 3])


class LosesAPart(InParts):
    parts = 2


class GivesLiveRowsAsDeleted(JournalSource):
    def read_table_deletes(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        self.check(table_name)
        start = start_offset or {}
        rows = [*self.rows("deletes", table_name, start), *self.rows("records", table_name, start)]
        return self.batch(sorted(rows, key=lambda row: (row["changed"], row["id"])), start, table_options)


class DeletesWithoutTime(JournalSource):
    def read_table_deletes(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        records, end = super().read_table_deletes(table_name, start_offset, table_options)
        return ({"id": record["id"]} for record in records), end


class DeletesOnce(JournalSource):
    """Has an eye on the deletes of the first run only."""

    def read_table_deletes(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        self.check(table_name)
        start = start_offset or {}
        if start.get("done"):
            return iter(()), start
        return iter(self.rows("deletes", table_name, {})), {"done": True}


class PromisesNumbers(JournalSource):
    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        super().get_table_schema(table_name, table_options)
        return StructType([SCHEMA["id"], SCHEMA["changed"], StructField("ward", LongType())])


class MisspellsAColumn(JournalSource):
    def get_table_schema(self, table_name: str, table_options: TableOptions) -> StructType:
        super().get_table_schema(table_name, table_options)
        return StructType([*SCHEMA.fields, StructField("wrad", StringType())])


class ReadsAllAtOnce(RecordsSource):
    def read_table(self, table_name: str, start_offset: Offset | None, table_options: TableOptions) -> Records:
        records, end = super().read_table(table_name, start_offset, table_options)
        return iter(list(records)), end


class EndsQuietly(RecordsSource):
    """Takes a page that fails for the end."""

    def _records(self, table: dict[str, Any], path: str, params: dict[str, Any]) -> Iterator[Record]:
        try:
            yield from super()._records(table, path, params)
        except ApiError:
            return


class CountsBlindly(RecordsSource):
    """Counts records to pass over, and does not see that they move."""

    def _records(self, table: dict[str, Any], path: str, params: dict[str, Any]) -> Iterator[Record]:
        offset = 0
        while items := self._client.get_json(path, {**params, "offset": offset})["items"]:
            yield from items
            offset += len(items)


class TellsItsToken(RecordsSource):
    def _records(self, table: dict[str, Any], path: str, params: dict[str, Any]) -> Iterator[Record]:
        try:
            yield from super()._records(table, path, params)
        except ApiError as error:
            raise ApiError(f"cannot read with the token {self.options['secret']}") from error


BROKEN_JOURNALS: Mapping[type[JournalSource], str] = {
    WithoutDeletes: "test_it_has_the_methods_of_the_contract",
    ListsTwice: "test_it_lists_its_tables",
    ReadsNothingOfUnknownTables: "test_every_method_refuses_an_unknown_table",
    HasIntegers: "test_a_schema_has_columns_that_hold_what_comes",
    HasNoCursor: "test_metadata_says_how_a_table_is_kept_up_to_date",
    HidesItsCursor: "test_keys_and_cursor_are_columns",
    HoldsALock: "test_it_pickles",
    KnowsOneCase: "test_option_names_are_compared_without_case",
    TakesAnyOption: "test_an_unknown_option_is_refused",
    ShowsItsPassword: "test_its_text_shows_no_secret",
    TellsNoneFromTheStart: "test_none_and_an_empty_object_both_mean_the_start",
    EndsWithNone: "test_offsets_are_json_objects",
    RepeatsAtTheEnd: "test_records_mean_progress",
    GoesRoundAndRound: "test_reading_comes_to_an_end",
    CutsSnapshots: "test_every_record_is_given_once",
    GoesOnBehindTies: "test_records_that_share_a_cursor_value_are_neither_lost_nor_doubled",
    ChangesValues: "test_records_are_as_the_api_sent_them",
    GivesOnlyOnce: "test_the_same_call_gives_the_same_again",
    ForgetsItsBatchSize: "test_a_pickled_copy_reads_the_same",
    ReadsToNow: "test_the_upper_bound_is_frozen",
    MissesUpdates: "test_a_later_run_gives_what_changed",
    BeginsOneBack: "test_a_later_run_without_changes_gives_nothing",
    PassesItsBound: "test_a_bounded_read_gives_the_same",
    LosesAPart: "test_partitions_hold_the_whole_table",
    GivesLiveRowsAsDeleted: "test_every_delete_is_given",
    DeletesWithoutTime: "test_a_delete_has_its_key_and_its_cursor",
    DeletesOnce: "test_a_later_run_gives_what_was_deleted_since",
    PromisesNumbers: "test_records_fit_the_schema",
    MisspellsAColumn: "test_no_column_is_always_null",
}
"""Each with the one check that it fails."""

BROKEN_RECORDS: Mapping[type[RecordsSource], str] = {
    ReadsAllAtOnce: "test_pages_are_read_as_they_are_asked_for",
    EndsQuietly: "test_a_fault_ends_with_the_whole_table_or_an_error",
    CountsBlindly: "test_a_table_that_changes_while_it_is_read_loses_nothing",
    TellsItsToken: "test_no_error_and_no_log_shows_a_secret",
}
