"""Checks of what a connector says, before it reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from connector_lib.connector.interface import INGESTION_TYPES, LakeflowConnect
from connector_lib.testing.conformance.subject import NOT_PICKLED, Subject, pickled_copy

__all__ = ["InterfaceChecks"]

_METHODS: Final = ("list_tables", "get_table_schema", "read_table_metadata", "read_table", "read_table_deletes")
_NO_TABLE: Final = "there_is_no_such_table"
_NO_OPTION: Final = "there_is_no_such_option"


class InterfaceChecks(Subject):
    """The five methods, tables, schemas, metadata, options."""

    def test_it_has_the_methods_of_the_contract(self) -> None:
        """Four methods, and a fifth where a table has deletes."""
        connector = self.connector()
        missing = [name for name in _METHODS[:4] if not callable(getattr(connector, name, None))]
        assert not missing, f"{type(connector).__name__} has no {', '.join(missing)}"
        for table in self.checked_tables("cdc_with_deletes"):
            assert self.reads_deletes(connector), (
                f"the table '{table}' is of the type cdc_with_deletes, and read_table_deletes is not written"
            )

    def test_it_lists_its_tables(self) -> None:
        """A list of names, each once, the same each time."""
        connector = self.connector()
        tables: Any = connector.list_tables()
        assert isinstance(tables, list), f"list_tables gives {type(tables).__name__}, not a list"
        assert all(isinstance(name, str) and name for name in tables), "a table has no name, or one that is no text"
        twice = [name for name, count in Counter(name.casefold() for name in tables).items() if count > 1]
        assert not twice, f"tables whose names differ by case at most: {', '.join(twice)}"
        assert connector.list_tables() == tables, "list_tables gives something else each time"
        unlisted = sorted(set(self.tables) - set(tables))
        assert not unlisted, f"not listed: {', '.join(unlisted)}"

    def test_every_method_refuses_an_unknown_table(self) -> None:
        """With ValueError, at the call and not when the records are taken."""
        connector = self.connector()
        for name, call in _calls(connector):
            with self.raising(ValueError, doing=f"{name} of an unknown table"):
                call()

    def test_a_schema_has_columns_that_hold_what_comes(self) -> None:
        """Columns with names of their own, whole numbers as LongType, objects as StructType; the same each time."""
        types = pytest.importorskip("pyspark.sql.types", reason="schemas need pyspark")
        connector = self.connector()
        for table in self.checked_tables():
            schema = connector.get_table_schema(table, self.options(table))
            assert isinstance(schema, types.StructType), f"'{table}': the schema is {type(schema).__name__}"
            assert schema.fields, f"'{table}': the schema has no columns"
            found = [problem for path, kind in _nested(schema, "") for problem in _problems(path, kind, types)]
            assert not found, f"'{table}': {'; '.join(found)}"
            again = connector.get_table_schema(table, self.options(table))
            assert again == schema, f"'{table}': the schema is another each time"

    def test_metadata_says_how_a_table_is_kept_up_to_date(self) -> None:
        """A known ingestion type, keys to find a row by, a cursor to follow; the same each time."""
        connector = self.connector()
        for table in self.checked_tables():
            metadata: Any = self.metadata(connector, table)
            kind = metadata.get("ingestion_type")
            assert kind in INGESTION_TYPES, f"'{table}': the ingestion type is none of {', '.join(INGESTION_TYPES)}"
            keys = metadata.get("primary_keys", [])
            listed = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
            assert listed, f"'{table}': primary_keys is no list of names"
            assert keys or kind == "append", f"'{table}': a table of the type {kind} needs primary_keys"
            assert metadata.get("cursor_field") or kind == "snapshot", (
                f"'{table}': a table of the type {kind} needs a cursor_field"
            )
            assert self.metadata(connector, table) == metadata, f"'{table}': the metadata is another each time"

    def test_keys_and_cursor_are_columns(self) -> None:
        """Each name in the metadata is in the schema, nested ones with dots."""
        pytest.importorskip("pyspark.sql.types", reason="schemas need pyspark")
        connector = self.connector()
        for table in self.checked_tables():
            metadata = self.metadata(connector, table)
            paths = {path for path, _ in _nested(connector.get_table_schema(table, self.options(table)), "")}
            names = [*metadata.get("primary_keys", []), *filter(None, [metadata.get("cursor_field")])]
            missing = [name for name in names if name not in paths]
            assert not missing, f"'{table}': the schema has no column {', '.join(missing)}"

    def test_it_pickles(self) -> None:
        """Spark sends a connector to its workers."""
        connector = self.connector()
        try:
            copy = pickled_copy(connector)
        except NOT_PICKLED as error:
            raise AssertionError(f"{type(connector).__name__} does not pickle: {error}") from error
        assert copy.list_tables() == connector.list_tables(), "a pickled copy lists other tables"

    def test_option_names_are_compared_without_case(self) -> None:
        """Spark hands ``baseUrl`` over as ``baseurl``."""
        connector = self.connector()
        options = _options_of(connector)
        for changed in (str.lower, str.upper):
            other = type(connector)({changed(name): value for name, value in options.items()})
            assert other.list_tables() == connector.list_tables(), "with names in another case it lists other tables"

    def test_an_unknown_option_is_refused(self) -> None:
        """A mistyped name must not be passed over: ValueError that names it."""
        connector = self.connector()
        options = _options_of(connector)
        said = ""
        with self.raising(ValueError, doing="an unknown option"):
            try:
                type(connector)({**options, _NO_OPTION: "1"}).list_tables()
            except ValueError as error:
                said = str(error)
                raise
        assert _NO_OPTION in said, "the error about an unknown option does not name it"

    def test_its_text_shows_no_secret(self) -> None:
        """``repr`` and ``str`` of a connector end in logs."""
        if not self.secrets:
            pytest.skip("the sample's connector has no secret: name them in secrets")
        connector = self.connector()
        shown = [secret for secret in self.secrets if secret in repr(connector) or secret in str(connector)]
        assert not shown, f"the text of {type(connector).__name__} shows a secret"


def _calls(connector: Any) -> list[tuple[str, Callable[[], object]]]:
    calls: list[tuple[str, Callable[[], object]]] = [
        ("get_table_schema", lambda: connector.get_table_schema(_NO_TABLE, {})),
        ("read_table_metadata", lambda: connector.read_table_metadata(_NO_TABLE, {})),
        ("read_table", lambda: connector.read_table(_NO_TABLE, None, {})),
    ]
    if type(connector).read_table_deletes is not LakeflowConnect.read_table_deletes:
        calls.append(("read_table_deletes", lambda: connector.read_table_deletes(_NO_TABLE, None, {})))
    return calls


def _options_of(connector: Any) -> dict[str, str]:
    options = getattr(connector, "options", None)
    if getattr(type(connector), "connection_options", None) is None or not isinstance(options, dict):
        pytest.skip(f"{type(connector).__name__} names no connection_options")
    return options


def _nested(kind: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every column with its type, nested ones with dots, those of an array as if it were none."""
    fields = getattr(kind, "fields", None)
    if fields is not None:
        names = Counter(field.name.casefold() for field in fields)
        for field in fields:
            inner = f"{path}.{field.name}" if path else field.name
            yield inner, "twice" if names[field.name.casefold()] > 1 else field.dataType
            yield from _nested(field.dataType, inner)
    elif hasattr(kind, "elementType"):
        yield from _nested(kind.elementType, path)


def _problems(path: str, kind: Any, types: Any) -> Iterator[str]:
    while isinstance(kind, types.ArrayType):
        kind = kind.elementType
    if kind == "twice":
        yield f"there are columns '{path}' that differ by case at most"
    elif isinstance(kind, types.IntegerType):
        yield f"'{path}' is an IntegerType, into which a number of an API may not fit: use LongType"
    elif isinstance(kind, types.MapType):
        yield f"'{path}' is a MapType: use StructType"
    elif isinstance(kind, types.StructType) and not kind.fields:
        yield f"'{path}' is a StructType without fields"
