"""Checks of what a connector gives: all of it, once, and to an end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest

from connector_lib.connector.interface import BoundedReads, LakeflowConnect, Offset, Partitions, Record, TableMetadata
from connector_lib.connector.reading import read_steps
from connector_lib.errors import ContractError
from connector_lib.testing.conformance.subject import Subject, value_at

__all__ = ["ReadingChecks"]

_MORE_STEPS: Final = 20
"""How many calls more a read may take while its table grows."""
_ROUNDS: Final = 3


class ReadingChecks(Subject):
    """Offsets, completeness, ties, replays, later runs."""

    def test_none_and_an_empty_object_both_mean_the_start(self) -> None:
        """The first offset of a stream is ``{}``, that of a command None."""
        connector = self.connector()
        for table, read in self._reads(connector):
            starts: tuple[Offset | None, ...] = (None, {})
            ends = [read(table, start, self.options(table))[1] for start in starts]
            assert ends[0] == ends[1], f"'{table}': None and {{}} lead to different offsets"

    def test_offsets_are_json_objects(self) -> None:
        """They lie in a checkpoint as JSON; None there would break it for good."""
        connector = self.connector()
        for table, read in self._reads(connector):
            _, end = read(table, None, self.options(table))
            for _ in range(_ROUNDS):
                assert isinstance(end, dict), f"'{table}': an offset is {_kind(end)}, not a JSON object"
                try:
                    text = json.dumps(end, allow_nan=False)
                except (TypeError, ValueError) as error:
                    raise AssertionError(f"'{table}': an offset is no JSON: {error}") from error
                assert json.loads(text) == end, f"'{table}': JSON changes an offset: keys are text, sequences lists"
                _, end = read(table, end, self.options(table))

    def test_records_mean_progress(self) -> None:
        """An offset that stands still says that there is nothing more: records with it would come again for ever."""
        connector = self.connector()
        for table, read in self._reads(connector):
            place: Offset = {}
            for _ in range(_MORE_STEPS):
                records, end = read(table, place, self.options(table))
                if not isinstance(end, dict):
                    pytest.skip("an offset is no object, which another check shows")
                if end == place:
                    assert not list(records), f"'{table}': records come with an offset that did not move"
                    break
                place = end

    def test_reading_comes_to_an_end(self) -> None:
        """Call follows call until the offset stands still."""
        connector = self.connector()
        for table, read in self._reads(connector):
            deletes = read.__name__ == "read_table_deletes"
            try:
                for _ in self.steps(connector, table, deletes=deletes):
                    pass
            except ContractError as error:
                if "never end" in error.message:
                    raise AssertionError(error.message) from error
                pytest.skip(f"the read breaks a rule, which another check shows: {error.message}")

    def test_every_record_is_given_once(self) -> None:
        """The union of all batches is the source. (Records that share a cursor value: the check after this one.)"""
        connector = self.connector()
        for table in self.checked_tables():
            metadata = self.metadata(connector, table)
            shared = _shared_cursors(metadata, self.expected(table))
            self._check_keys(
                table,
                metadata,
                [record for record in self.read(connector, table)[0] if _cursor(metadata, record) not in shared],
                [record for record in self.expected(table) if _cursor(metadata, record) not in shared],
            )

    def test_records_that_share_a_cursor_value_are_neither_lost_nor_doubled(self) -> None:
        """A read that goes on behind the value of a border loses some, one that goes on at it doubles some."""
        connector = self.connector()
        checked = False
        for table in self.checked_tables("cdc", "cdc_with_deletes", "append"):
            metadata = self.metadata(connector, table)
            shared = _shared_cursors(metadata, self.expected(table))
            checked = checked or bool(shared)
            self._check_keys(
                table,
                metadata,
                [record for record in self.read(connector, table)[0] if _cursor(metadata, record) in shared],
                [record for record in self.expected(table) if _cursor(metadata, record) in shared],
            )
        if not checked:
            pytest.skip("no two records of the sample share a cursor value: give it some")

    def test_records_are_as_the_api_sent_them(self) -> None:
        """Conversion to columns happens elsewhere, once."""
        connector = self.connector()
        for table in self.checked_tables():
            metadata = self.metadata(connector, table)
            if not metadata.get("primary_keys"):
                continue
            sent = {self.key(metadata, record): record for record in self.expected(table)}
            for record in self.read(connector, table)[0]:
                assert isinstance(record, dict), f"'{table}': a record is {_kind(record)}, not an object"
                before = sent.get(self.key(metadata, record), record)
                names = sorted(
                    str(name)
                    for name in before.keys() | record.keys()
                    if name not in before or name not in record or before[name] != record[name]
                )
                assert not names, f"'{table}': what the API sent is changed in {', '.join(names)}"

    def test_the_same_call_gives_the_same_again(self) -> None:
        """A batch that failed is read again, by the same offset."""
        connector = self.connector()
        for table in self.checked_tables():
            metadata = self.metadata(connector, table)
            for step in self._sound_steps(connector, table):
                first = Counter(self._identity(metadata, record) for record in step.records)
                records, end = connector.read_table(table, step.start, self.options(table))
                assert end == step.end, f"'{table}': the same call gives another offset"
                again = Counter(self._identity(metadata, record) for record in records)
                assert first == again, f"'{table}': the same call gives {again.total()} records after {first.total()}"

    def test_a_pickled_copy_reads_the_same(self) -> None:
        """The driver asks for an offset, and a worker reads up to it."""
        connector = self.connector()
        for table in self.checked_tables():
            metadata = self.metadata(connector, table)
            records, end = connector.read_table(table, None, self.options(table))
            first = Counter(self._identity(metadata, record) for record in records)
            copy = self.copy(connector)
            records, again = copy.read_table(table, None, self.options(table))
            assert again == end, f"'{table}': a copy gives another offset"
            assert Counter(self._identity(metadata, record) for record in records) == first, (
                f"'{table}': a copy gives other records"
            )

    def test_the_upper_bound_is_frozen(self) -> None:
        """A read ends although its table grows with every call: what comes later is for a later run."""
        for table in self.checked_tables("cdc", "cdc_with_deletes", "append"):
            connector = self.connector()
            calls = sum(1 for _ in self._sound_steps(connector, table))
            place: Offset = {}
            for _ in range(calls + _MORE_STEPS):
                self.change(table)
                _, end = connector.read_table(table, place, self.options(table))
                if end == place:
                    break
                place = end
            else:
                raise AssertionError(f"'{table}': the read does not end while the table grows")

    def test_a_later_run_gives_what_changed(self) -> None:
        """A run goes on where the last one ended, and gives every record that is new or another since."""
        for table in self.checked_tables("cdc", "cdc_with_deletes"):
            connector = self.connector()
            metadata = self.metadata(connector, table)
            _, offset = self.read(connector, table)
            for number in range(_ROUNDS):
                before = {self._identity(metadata, record) for record in self.expected(table)}
                self.change(table)
                changed = {self._identity(metadata, record) for record in self.expected(table)} - before
                assert changed, f"change() does not change the table '{table}'"
                later, offset = self.read(self.connector(), table, offset)
                lost = changed - {self._identity(metadata, record) for record in later}
                assert not lost, f"'{table}': run {number + 2} does not give {len(lost)} of the records that changed"

    def test_a_later_run_without_changes_gives_nothing(self) -> None:
        """Records that were given come again only when they changed."""
        for table in self.checked_tables("cdc", "cdc_with_deletes", "append"):
            _, offset = self.read(self.connector(), table)
            again, _ = self.read(self.connector(), table, offset)
            assert not again, f"'{table}': a run behind the end gives {len(again)} records again"

    def test_a_bounded_read_gives_the_same(self) -> None:
        """``latest_offset`` is where a read ends, and ``read_table_between`` gives what lies before it."""
        connector = self.connector()
        if not isinstance(connector, BoundedReads):
            pytest.skip(f"{type(connector).__name__} has no latest_offset and read_table_between")
        for table in self.checked_tables():
            metadata = self.metadata(connector, table)
            records, end = self.read(connector, table)
            bound = connector.latest_offset(table, self.options(table))
            assert bound == end, f"'{table}': latest_offset is not where the read ends"
            assert connector.latest_offset(table, self.options(table), bound) == bound, (
                f"'{table}': behind the bound latest_offset does not stand still"
            )
            between = connector.read_table_between(table, None, bound, self.options(table))
            assert Counter(self._identity(metadata, record) for record in between) == Counter(
                self._identity(metadata, record) for record in records
            ), f"'{table}': read_table_between gives other records than read_table"

    def test_partitions_hold_the_whole_table(self) -> None:
        """The parts, each read by a copy, are together the table; they are JSON."""
        connector = self.connector()
        if not isinstance(connector, Partitions):
            pytest.skip(f"{type(connector).__name__} reads no table in parts")
        for table in self.checked_tables():
            if not connector.is_partitioned(table, self.options(table)):
                continue
            metadata = self.metadata(connector, table)
            parts = connector.get_partitions(table, self.options(table))
            assert json.loads(json.dumps(parts)) == parts, f"'{table}': JSON changes a partition"
            copy = self.copy(connector)
            read = [record for part in parts for record in copy.read_partition(table, part, self.options(table))]
            self._check_keys(table, metadata, read, self.expected(table))

    def test_pages_are_read_as_they_are_asked_for(self) -> None:
        """Memory holds a page and not a table."""
        if self.server is None:
            pytest.skip("no server to count requests at: give server")
        checked = False
        for table in self.checked_tables():
            connector = self.connector()
            self.server.reset()
            list(self.read(connector, table)[0])
            whole = len(self.server.requests)
            connector = self.connector()
            self.server.reset()
            records, _ = connector.read_table(table, None, self.options(table))
            next(records, None)
            begun = len(self.server.requests)
            rest = list(records)
            taken = len(self.server.requests) - begun
            if whole < 6 or len(rest) < 3:
                continue
            checked = True
            assert taken, f"'{table}': all {begun} requests are made before the first record is taken"
        if not checked:
            pytest.skip("the sample's tables have few pages: set a small page size in table_options")

    # What the checks of this class share.

    def _reads(self, connector: LakeflowConnect) -> Iterator[tuple[str, Any]]:
        for table in self.checked_tables():
            yield table, connector.read_table
            followed = self.metadata(connector, table)["ingestion_type"] == "cdc_with_deletes"
            if followed and self.reads_deletes(connector):
                yield table, connector.read_table_deletes

    def _sound_steps(self, connector: LakeflowConnect, table: str) -> Iterator[Any]:
        try:
            yield from read_steps(connector, table, self.options(table))
        except ContractError as error:
            pytest.skip(f"the read breaks a rule, which another check shows: {error.message}")

    def _identity(self, metadata: TableMetadata, record: Record) -> tuple[Any, ...]:
        return (self._name(metadata, record), repr(_cursor(metadata, record)))

    def _name(self, metadata: TableMetadata, record: Record) -> object:
        """What a record is known by: its key, or all of it where there is no key."""
        return self.key(metadata, record) or json.dumps(record, sort_keys=True, default=str)

    def _check_keys(
        self, table: str, metadata: TableMetadata, given: list[Record], expected: list[Record] | Any
    ) -> None:
        """Every expected record is given, once."""
        counted = Counter(self._name(metadata, record) for record in given)
        wanted = Counter(self._name(metadata, record) for record in expected)
        lost, more = (wanted - counted).total(), (counted - wanted).total()
        assert (lost, more) == (0, 0), (
            f"'{table}': of {wanted.total()} records {lost} are missing, and {more} come that should not, or twice"
        )


def _cursor(metadata: TableMetadata, record: Record) -> Any:
    name = metadata.get("cursor_field")
    return None if name is None else value_at(record, name)


def _shared_cursors(metadata: TableMetadata, records: Any) -> set[Any]:
    if metadata["ingestion_type"] == "snapshot":
        return set()
    counted = Counter(_cursor(metadata, record) for record in records)
    return {value for value, count in counted.items() if count > 1}


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"
