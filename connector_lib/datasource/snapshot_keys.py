"""The columns that tell the rows of a snapshot apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from connector_lib.connector.interface import Record
from connector_lib.datasource.batches import converted
from connector_lib.datasource.converters import compile_converter
from connector_lib.errors import OptionError, SourceError, did_you_mean

__all__ = ["KeyColumns"]


class KeyColumns:
    """The columns ``names`` of ``table``, nested ones with dots, as keys of its rows.

    Keys are compared as the table has them: what the API writes as ``7``, ``7.0`` or ``"7"`` is one key in a column of
    whole numbers, and a time is the same in every zone. Raises OptionError where there is no such column, or one that
    has no single values.

    >>> from pyspark.sql.types import LongType
    >>> keys = KeyColumns("rooms", StructType([StructField("id", LongType())]), ["id"])
    >>> keys.as_in_table([{"id": 7, "beds": 2}, {"id": "7"}])
    [[7], [7]]
    """

    def __init__(self, table: str, columns: StructType, names: Sequence[str]) -> None:
        self._table = table
        there = columns.fieldNames()
        self._paths = {name: [name] if name in there else name.split(".") for name in names}
        self._fields = {name: _field(table, columns, name, path) for name, path in self._paths.items()}
        # A column a key, under names that no two share.
        self._converter = compile_converter(
            StructType([StructField(name, field.dataType, True) for name, field in self._fields.items()])
        )

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(self._paths)

    @property
    def kind(self) -> dict[str, str]:
        """The names with the types of their columns: keys of another kind cannot be compared with these."""
        return {name: field.dataType.simpleString() for name, field in self._fields.items()}

    def as_in_table(self, records: Sequence[Record]) -> list[list[Any]]:
        """The key of each record, as the table has it.

        Raises SourceError for one without a value, ConversionError for one that does not fit its column.
        """
        given = [dict(zip(self._paths, self.as_sent(record), strict=True)) for record in records]
        batch = converted(given, self._converter, self._table)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if column.null_count:
                raise SourceError(
                    f"a row of the table '{self._table}' has no value in its key column '{name}'",
                    hint="name columns that every row has a value in: primary_keys of the table",
                )
        return [list(values) for values in zip(*(column.to_pylist() for column in batch.columns), strict=True)]

    def as_sent(self, record: Record) -> list[Any]:
        """The key of a record, as the API wrote it."""
        return [_value(record, path) for path in self._paths.values()]

    def record(self, sent: Sequence[Any]) -> Record:
        """A record that has this key, as the API wrote it, and nothing else."""
        record: Record = {}
        for path, value in zip(self._paths.values(), sent, strict=True):
            inner = record
            for name in path[:-1]:
                inner = inner.setdefault(name, {})
            inner[path[-1]] = value
        return record


def _field(table: str, columns: StructType, name: str, path: Sequence[str]) -> StructField:
    kind: DataType = columns
    field = None
    for part in path:
        if not isinstance(kind, StructType) or part not in kind.fieldNames():
            raise OptionError(
                f"the table '{table}' has no column '{name}' for a key",
                hint=f"{did_you_mean(name, columns.fieldNames())}columns: {', '.join(columns.fieldNames())}",
            )
        field = kind[part]
        kind = field.dataType
    assert field is not None
    if isinstance(kind, ArrayType | MapType | StructType) or kind.typeName() == "variant":
        raise OptionError(
            f"the column '{name}' of the table '{table}' is no key: it has no single values",
            hint=f"name a column within it, as {name}.id" if isinstance(kind, StructType) else "name another column",
        )
    return field


def _value(record: Record, path: Sequence[str]) -> Any:
    value: Any = record
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
