"""JSON values of one column as one Arrow array, nested as they are.

A column is read in one of two ways. ``quick``: Arrow takes the values as they are, nested, in one go, and arrays of
numbers and texts are brought to their types after that. ``careful``: objects and lists are taken apart in Python, a
level at a time, and each level below is a column of its own, which again tries the quick way first. The careful way
knows which value does not fit; the quick one only that it cannot be sure, and then the careful one is asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from operator import itemgetter
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from connector_lib.datasource.converters_leaves import ARROW_MISFITS, Leaf, array_of, has_leaf, leaf_for
from connector_lib.datasource.converters_values import UnfitValueError, json_kind
from connector_lib.errors import ConversionError

__all__ = ["Column", "column_for", "members_of", "refuse_unreadable"]

_LONGEST_TYPE_NAME: Final = 60
_LISTS: Final = frozenset({list, tuple, type(None)})


class _UnsureError(ValueError):
    """Arrow read something, and it may not be what was there."""


@dataclass(frozen=True, slots=True)
class Column(ABC):
    """One column, or one level of a nested one. ``path`` names it: ``name[].family``, ``labels{}`` for the values of
    a map. ``read_as`` is the type that Arrow reads the values as on the quick way, None where there is no such way.
    With ``holds_lists``, it is a way for values of which :meth:`has_lists_for_lists` is true: to Arrow a text is the
    list of its characters."""

    path: str
    type_name: str
    arrow_type: pa.DataType
    read_as: pa.DataType | None
    holds_lists: bool

    def array(self, values: Sequence[Any]) -> pa.Array:
        """The values as an array of ``arrow_type``. Raises ConversionError, which names column and type."""
        if self.read_as is not None and (not self.holds_lists or self.has_lists_for_lists(values)):
            try:
                return self.finish(array_of(values, self.read_as))
            except ARROW_MISFITS:
                pass
        return self.careful(values)

    @abstractmethod
    def finish(self, array: pa.Array) -> pa.Array:
        """An array of ``read_as`` as one of ``arrow_type``. Raises one of ``ARROW_MISFITS`` where it is not sure."""

    @abstractmethod
    def careful(self, values: Sequence[Any]) -> pa.Array:
        """As :meth:`array`, one level at a time."""

    def has_lists_for_lists(self, values: Sequence[Any]) -> bool:
        """Whether every value, at any depth, that should be a list is one, or null."""
        return True

    def misfits(self, values: Sequence[Any]) -> Iterator[int]:
        """The places of all values that do not fit, in order; found by halves."""
        parts = [(0, len(values))]
        while parts:
            start, end = parts.pop()
            try:
                self.array(values[start:end])
            except ConversionError:
                if end - start == 1:
                    yield start
                else:
                    middle = (start + end) // 2
                    parts += [(middle, end), (start, middle)]

    def leftover(self, value: Any) -> Any:
        """What of ``value`` no column takes, in the same shape; None where all of it has a column."""
        return None

    def has_leftovers(self, values: Sequence[Any]) -> bool:
        """Whether any of ``values`` has something that no column takes."""
        return False

    def _error(self, what: str) -> ConversionError:
        return ConversionError(
            f"column '{self.path}' ({self.type_name}): {what}",
            hint="give the column a type that fits in get_table_schema (string takes every value), or keep what does "
            "not fit in a column of its own with the option rescuedDataColumn",
        )


@dataclass(frozen=True, slots=True)
class _LeafColumn(Column):
    leaf: Leaf

    def array(self, values: Sequence[Any]) -> pa.Array:
        # The leaf's first attempt is the quick way.
        return self.careful(values)

    def finish(self, array: pa.Array) -> pa.Array:
        return array if self.leaf.finish is None else self.leaf.finish(array)

    def careful(self, values: Sequence[Any]) -> pa.Array:
        try:
            return self.leaf.array(list(values))
        except ConversionError:
            raise
        except ARROW_MISFITS:
            pass
        raise self._misfit(values)

    def misfits(self, values: Sequence[Any]) -> Iterator[int]:
        for place, value in enumerate(values):
            try:
                self.leaf.array_of_one(value)
            except ARROW_MISFITS:
                yield place

    def _misfit(self, values: Sequence[Any]) -> ConversionError:
        """The error of the first value that does not fit."""
        for value in values:
            try:
                self.leaf.array_of_one(value)
            except UnfitValueError as misfit:
                return self._error(f"{json_kind(value)} does not fit; {misfit}")
            except ARROW_MISFITS:
                return self._error(f"{json_kind(value)} does not fit")
        return self._error("a value does not fit")


@dataclass(frozen=True, slots=True)
class _StructColumn(Column):
    names: tuple[str, ...]
    members: tuple[Column, ...]
    required: tuple[bool, ...]

    def finish(self, array: pa.Array) -> pa.Array:
        nulls = array.null_count
        # Below a null object Arrow puts zeros and empty texts; flattened, they are nulls.
        given = array.flatten() if nulls else [array.field(position) for position in range(len(self.members))]
        if min(member.null_count for member in given) > nulls:
            self._refuse_empty_ones(array, given)
        for member, required in zip(given, self.required, strict=True):
            if required and member.null_count != nulls:
                raise _UnsureError
        finished = [column.finish(member) for column, member in zip(self.members, given, strict=True)]
        return pa.Array.from_buffers(
            self.arrow_type, len(array), array.buffers()[:1], null_count=nulls, children=finished
        )

    def _refuse_empty_ones(self, array: pa.Array, given: list[pa.Array]) -> None:
        """An object none of whose columns has a value may have been ``{}``, or a list."""
        nothing = pc.is_valid(array)
        for member in given:
            nothing = pc.and_(nothing, pc.is_null(member))
        if pc.any(nothing).as_py():
            raise _UnsureError

    def has_lists_for_lists(self, values: Sequence[Any]) -> bool:
        objects = [value for value in values if value is not None]
        return {dict}.issuperset(map(type, objects)) and all(
            column.has_lists_for_lists(members_of(objects, name))
            for name, column in zip(self.names, self.members, strict=True)
            if column.holds_lists
        )

    def careful(self, values: Sequence[Any]) -> pa.Array:
        objects, validity, nulls = self._objects(values)
        arrays = []
        for name, column, required in zip(self.names, self.members, self.required, strict=True):
            array = column.array(members_of(objects, name))
            if required and array.null_count != nulls:
                raise column._error("no value, and the column must have one")
            arrays.append(array)
        return pa.Array.from_buffers(self.arrow_type, len(objects), [validity], null_count=nulls, children=arrays)

    def _objects(self, values: Sequence[Any]) -> tuple[Sequence[dict[str, Any]], pa.Buffer | None, int]:
        """The objects, an empty one in place of each null; which of them are there; how many are null."""
        if {dict}.issuperset(map(type, values)) and all(values):
            return values, None, 0
        objects, validity, nulls = _without_nulls(values, {})
        if {dict}.issuperset(map(type, objects)) and sum(map(bool, objects)) + nulls == len(objects):
            return objects, validity, nulls
        for value in values:
            if value is not None and not (isinstance(value, dict) and value):
                raise self._error(f"{json_kind(value)} does not fit; wanted is an object with members")
        return objects, validity, nulls

    def leftover(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        known = dict(zip(self.names, self.members, strict=True))
        left = {}
        for name, member in value.items():
            part = known[name].leftover(member) if name in known else member
            if part is not None:
                left[name] = part
        return left or None

    def has_leftovers(self, values: Sequence[Any]) -> bool:
        objects = [value for value in values if isinstance(value, dict)]
        if not set().union(*objects) <= set(self.names):
            return True
        return any(
            column.has_leftovers(members_of(objects, name))
            for name, column in zip(self.names, self.members, strict=True)
            if not isinstance(column, _LeafColumn)
        )


@dataclass(frozen=True, slots=True)
class _ListColumn(Column):
    element: Column
    nulls_inside: bool

    def finish(self, array: pa.Array) -> pa.Array:
        elements = array.values
        if not self.nulls_inside and elements.null_count:
            raise _UnsureError
        return pa.Array.from_buffers(
            self.arrow_type,
            len(array),
            array.buffers()[:2],
            null_count=array.null_count,
            children=[self.element.finish(elements)],
        )

    def has_lists_for_lists(self, values: Sequence[Any]) -> bool:
        if not _LISTS.issuperset(map(type, values)):
            return False
        if not self.element.holds_lists:
            return True
        return self.element.has_lists_for_lists(list(chain.from_iterable(value for value in values if value)))

    def careful(self, values: Sequence[Any]) -> pa.Array:
        lists, validity, nulls = _without_nulls(self._lists(values), [])
        array = self.element.array(list(chain.from_iterable(lists)))
        if not self.nulls_inside and array.null_count:
            raise self.element._error("null in a list that must not hold one")
        return _nested(self.arrow_type, lists, array, validity, nulls)

    def _lists(self, values: Sequence[Any]) -> Sequence[list[Any] | None]:
        """The lists; a value that is none is a list of one."""
        if _LISTS.issuperset(map(type, values)):
            return values
        lists = []
        for value in values:
            a_list = value is None or isinstance(value, (list, tuple))
            if not (a_list or self.nulls_inside):
                raise self._error(f"{json_kind(value)} does not fit; wanted is a list")
            lists.append(value if a_list else [value])
        return lists

    def leftover(self, value: Any) -> Any:
        parts = [self.element.leftover(element) for element in _as_list(value)]
        return parts if any(part is not None for part in parts) else None

    def has_leftovers(self, values: Sequence[Any]) -> bool:
        if isinstance(self.element, _LeafColumn):
            return False
        return self.element.has_leftovers(list(chain.from_iterable(map(_as_list, values))))


@dataclass(frozen=True, slots=True)
class _MapColumn(Column):
    keys: Column
    items: Column
    nulls_inside: bool

    def finish(self, array: pa.Array) -> pa.Array:
        raise _UnsureError

    def careful(self, values: Sequence[Any]) -> pa.Array:
        objects, validity, nulls = _without_nulls(values, {})
        for value in () if {dict}.issuperset(map(type, objects)) else objects:
            if not isinstance(value, dict):
                raise self._error(f"{json_kind(value)} does not fit; wanted is an object")
        keys = self.keys.array(list(chain.from_iterable(objects)))
        items = self.items.array(list(chain.from_iterable(value.values() for value in objects)))
        if not self.nulls_inside and items.null_count:
            raise self.items._error("null in a map that must not hold one")
        entry = pa.struct([self.arrow_type.key_field, self.arrow_type.item_field])
        entries = pa.Array.from_buffers(entry, len(keys), [None], null_count=0, children=[keys, items])
        made = _nested(self.arrow_type, objects, entries, validity, nulls)
        if not pa.types.is_string(keys.type):
            self._refuse_doubles(made)
        return made

    def _refuse_doubles(self, maps: pa.Array) -> None:
        """Two names may be one key once they are read: "1" and "01" as numbers."""
        for pairs in maps.to_pylist():
            if pairs and len({key for key, _ in pairs}) < len(pairs):
                raise self.keys._error("two names of one object are the same key")

    def leftover(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        parts = {name: self.items.leftover(member) for name, member in value.items()}
        return {name: part for name, part in parts.items() if part is not None} or None

    def has_leftovers(self, values: Sequence[Any]) -> bool:
        if isinstance(self.items, _LeafColumn):
            return False
        objects = (value.values() for value in values if isinstance(value, dict))
        return self.items.has_leftovers(list(chain.from_iterable(objects)))


def refuse_unreadable(path: str, data_type: DataType) -> None:
    """Raises ConversionError for a type that cannot be filled from JSON, or has no form in Arrow: it names the column.

    ``path`` is empty for the schema itself.
    """
    if isinstance(data_type, StructType):
        _refuse_names(path, data_type.names)
        for field in data_type.fields:
            refuse_unreadable(f"{path}.{field.name}" if path else field.name, field.dataType)
    elif isinstance(data_type, ArrayType):
        refuse_unreadable(f"{path}[]", data_type.elementType)
    elif isinstance(data_type, MapType):
        refuse_unreadable(f"{path}{{}}", data_type.keyType)
        refuse_unreadable(f"{path}{{}}", data_type.valueType)
    elif not has_leaf(data_type):
        raise ConversionError(
            f"column '{path}': the type {data_type.simpleString()} cannot be filled from JSON",
            hint="use string, and convert it in a query",
        )


def _refuse_names(path: str, names: Sequence[str]) -> None:
    where = f"column '{path}'" if path else "the schema"
    if not names:
        raise ConversionError(f"{where} has no columns", hint="give it at least one, or the type string")
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise ConversionError(f"{where} has two columns of the name '{twice}'", hint="rename one of them")


def column_for(path: str, data_type: DataType, arrow_type: pa.DataType) -> Column:
    """How the values of one column are read, of a type that :func:`refuse_unreadable` let through."""
    name = data_type.simpleString()
    name = name if len(name) <= _LONGEST_TYPE_NAME else f"{name[:_LONGEST_TYPE_NAME]}…"
    if isinstance(data_type, StructType):
        return _struct_column(path, name, data_type, arrow_type)
    if isinstance(data_type, ArrayType):
        element = column_for(f"{path}[]", data_type.elementType, arrow_type.value_type)
        read_as = None if element.read_as is None else pa.list_(element.read_as)
        return _ListColumn(path, name, arrow_type, read_as, True, element, data_type.containsNull)
    if isinstance(data_type, MapType):
        keys = column_for(f"{path}{{}}", data_type.keyType, arrow_type.key_type)
        items = column_for(f"{path}{{}}", data_type.valueType, arrow_type.item_type)
        return _MapColumn(path, name, arrow_type, None, False, keys, items, data_type.valueContainsNull)
    leaf = leaf_for(data_type, arrow_type)
    return _LeafColumn(path, name, arrow_type, leaf.read_as, False, leaf)


def members_of(objects: Sequence[dict[str, Any]], name: str) -> list[Any]:
    """The member ``name`` of each object, None where it has none."""
    try:
        return list(map(itemgetter(name), objects))
    except KeyError:
        return [value.get(name) for value in objects]


def _struct_column(path: str, name: str, data_type: StructType, arrow_type: pa.DataType) -> Column:
    fields: list[StructField] = data_type.fields
    members = tuple(
        column_for(f"{path}.{field.name}", field.dataType, arrow_type.field(position).type)
        for position, field in enumerate(fields)
    )
    read_as: pa.DataType | None = None
    if all(member.read_as is not None for member in members):
        read_as = pa.struct(
            [pa.field(field.name, member.read_as) for field, member in zip(fields, members, strict=True)]
        )
    required = tuple(not field.nullable for field in fields)
    holds_lists = any(member.holds_lists for member in members)
    return _StructColumn(path, name, arrow_type, read_as, holds_lists, tuple(data_type.names), members, required)


def _as_list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else [value]


def _without_nulls(values: Sequence[Any], instead: Any) -> tuple[Sequence[Any], pa.Buffer | None, int]:
    """The values with ``instead`` in place of each null, a bitmap of those that are there, and how many are null."""
    if type(None) not in set(map(type, values)):
        return values, None, 0
    present = [value is not None for value in values]
    bitmap = pa.array(present, pa.bool_()).buffers()[1]
    return [instead if value is None else value for value in values], bitmap, present.count(False)


def _nested(
    arrow_type: pa.DataType, containers: Sequence[Any], inside: pa.Array, validity: pa.Buffer | None, nulls: int
) -> pa.Array:
    """A list or map array: one of ``containers`` a value, with ``inside`` as what is in all of them."""
    offsets = array_of(list(accumulate(map(len, containers), initial=0)), pa.int32())
    return pa.Array.from_buffers(
        arrow_type, len(containers), [validity, offsets.buffers()[1]], null_count=nulls, children=[inside]
    )
