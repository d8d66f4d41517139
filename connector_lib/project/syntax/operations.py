"""What Python's own operations make of values: loops, items, sums, and functions such as ``zip``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connector_lib.project.syntax.calls import Arguments, text_of
from connector_lib.project.syntax.values import (
    PLAIN,
    UNKNOWN,
    Constant,
    Elements,
    Frame,
    PartialText,
    Value,
    joined,
)

__all__ = [
    "UNKNOWN_PART",
    "all_joined",
    "any_element",
    "called_builtin",
    "elements_of",
    "item_of",
    "sum_of",
    "truth_of",
]

UNKNOWN_PART: Final = "_unknown_"
"""What stands for a part of a text that is not in the file."""
_MOST_PASSES: Final = 100


def called_builtin(name: str, given: Arguments) -> Value:
    """What the function ``name`` of Python gives."""
    first = given.positional[0]
    if name in ("list", "tuple", "set", "sorted", "reversed", "iter") and isinstance(first, Elements):
        return Elements(first.values if first.keys is None else first.keys, first.complete)
    if name == "enumerate":
        return Elements(tuple(Elements((PLAIN, value)) for value in elements_of(first)), isinstance(first, Elements))
    if name == "zip":
        columns = [elements_of(value) for value in given.positional]
        return Elements(tuple(Elements(row) for row in zip(*columns, strict=False)), complete=True)
    if name == "range":
        last = first if len(given.positional) == 1 else None
        if isinstance(last, Constant) and isinstance(last.value, int) and 0 <= last.value <= _MOST_PASSES:
            return Elements(tuple(Constant(number) for number in range(last.value)))
        return UNKNOWN
    return UNKNOWN if name in ("next", "getattr", "max", "min") else PLAIN


def elements_of(value: Value) -> list[Value]:
    """What a loop over ``value`` meets: two unknown elements where it is not in the file."""
    if isinstance(value, Elements):
        found = value.keys if value.keys is not None else value.values
        if value.complete and len(found) <= _MOST_PASSES:
            return list(found)
        return [all_joined(found)] * 2
    return [UNKNOWN, UNKNOWN]


def any_element(value: Value) -> Value:
    """Any one of the elements of ``value``."""
    if isinstance(value, Elements):
        return all_joined(value.values)
    return value if isinstance(value, Frame) or value == PLAIN else UNKNOWN


def item_of(value: Value, key: Value) -> Value:
    """``value[key]``."""
    if isinstance(value, Frame):
        return PLAIN if text_of(key) is not None else value
    if isinstance(value, Elements):
        wanted = key.value if isinstance(key, Constant) else None
        if value.keys is not None:
            return next(
                (item for known, item in zip(value.keys, value.values, strict=False) if known == key),
                all_joined(value.values),
            )
        if value.complete and type(wanted) is int and -len(value.values) <= wanted < len(value.values):
            return value.values[wanted]
        return all_joined(value.values)
    return PLAIN if value == PLAIN else UNKNOWN


def sum_of(left: Value, right: Value) -> Value:
    """``left + right``."""
    if isinstance(left, Elements) and isinstance(right, Elements):
        return Elements((*left.values, *right.values), left.complete and right.complete)
    if isinstance(left, Constant) and isinstance(right, Constant):
        first, second = text_of(left), text_of(right)
        return Constant(first + second) if first is not None and second is not None else PLAIN
    if isinstance(left, Elements):
        return Elements(left.values, complete=False)
    texts = [part.text if isinstance(part, PartialText) else text_of(part) for part in (left, right)]
    if any(text is not None for text in texts):
        return PartialText("".join(UNKNOWN_PART if text is None else text for text in texts))
    return PLAIN


def all_joined(values: Sequence[Value]) -> Value:
    """Any one of ``values``."""
    if not values:
        return UNKNOWN
    result = values[0]
    for value in values[1:]:
        result = joined(result, value)
    return result


def truth_of(value: Value) -> bool | None:
    """Whether ``value`` counts as true; None where the file does not say."""
    return bool(value.value) if isinstance(value, Constant) else None
