"""Checks of what a connector tells of deleted records."""

from __future__ import annotations

from connector_lib.testing.conformance.subject import Subject, value_at

__all__ = ["DeletesChecks"]


class DeletesChecks(Subject):
    """Tables of the type ``cdc_with_deletes``."""

    def test_every_delete_is_given(self) -> None:
        """What was deleted, and nothing that is still there."""
        connector = self.connector()
        for table in self.tables_with_deletes(connector):
            metadata = self.metadata(connector, table)
            given = {self.key(metadata, record) for record in self.read(connector, table, deletes=True)[0]}
            expected = {self.key(metadata, record) for record in self.expected_deletes(table)}
            assert given == expected, (
                f"'{table}': {len(expected - given)} of {len(expected)} deletes are missing, "
                f"and {len(given - expected)} records are given that were not deleted"
            )

    def test_a_delete_has_its_key_and_its_cursor(self) -> None:
        """Without the cursor it cannot be told which came last, the delete or a record."""
        connector = self.connector()
        for table in self.tables_with_deletes(connector):
            metadata = self.metadata(connector, table)
            names = [*metadata["primary_keys"], metadata["cursor_field"]]
            for record in self.read(connector, table, deletes=True)[0]:
                missing = [name for name in names if value_at(record, name) is None]
                assert not missing, f"'{table}': a delete has no {', '.join(missing)}"

    def test_a_later_run_gives_what_was_deleted_since(self) -> None:
        """Deletes are followed by offsets of their own."""
        for table in self.tables_with_deletes(self.connector()):
            connector = self.connector()
            metadata = self.metadata(connector, table)
            _, offset = self.read(connector, table, deletes=True)
            before = {self.key(metadata, record) for record in self.expected_deletes(table)}
            self.change(table)
            since = {self.key(metadata, record) for record in self.expected_deletes(table)} - before
            assert since, f"change() deletes nothing in the table '{table}'"
            later, _ = self.read(self.connector(), table, offset, deletes=True)
            lost = since - {self.key(metadata, record) for record in later}
            assert not lost, f"'{table}': a later run misses {len(lost)} of {len(since)} deletes"
