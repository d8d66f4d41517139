"""What an expression of a transformation file may give, as far as the rules need it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

__all__ = [
    "PLAIN",
    "SESSION",
    "UNKNOWN",
    "Constant",
    "DatasetDecorator",
    "Elements",
    "Frame",
    "FramePart",
    "LocalFunction",
    "LocalModule",
    "Method",
    "Other",
    "PartialText",
    "Scope",
    "Symbol",
    "Value",
    "frames_in",
    "functions_in",
    "joined",
]


@dataclass(frozen=True, slots=True)
class Other:
    """What is no query. ``plain``: surely not; ``session``: Spark's session; ``unknown``: nothing is known of it."""

    kind: Literal["plain", "session", "unknown"]


PLAIN: Final = Other("plain")
SESSION: Final = Other("session")
UNKNOWN: Final = Other("unknown")


@dataclass(frozen=True, slots=True)
class Constant:
    """A text, number, truth value or None that is in the file."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class PartialText:
    """A text of which parts are not in the file; each of them is the name ``_unknown_`` in ``text``."""

    text: str


@dataclass(frozen=True, slots=True)
class Frame:
    """A DataFrame; ``reads`` are the names, as written, of the tables that it is made of."""

    reads: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FramePart:
    """What a DataFrame or a session gives to go on with: groups, ``na``, ``stat``, a reader or a writer."""

    kind: Literal["groups", "na", "stat", "reader", "writer"]
    reads: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Method:
    """A method of a value, not called yet."""

    owner: Value
    name: str


@dataclass(frozen=True, slots=True)
class Elements:
    """A list, tuple, set or mapping. ``complete`` says whether these are all of its elements, and in order; ``keys``
    are those of a mapping."""

    values: tuple[Value, ...]
    complete: bool = True
    keys: tuple[Value, ...] | None = None


@dataclass(frozen=True, slots=True)
class Symbol:
    """Something imported, by its dotted path: ``pyspark.pipelines.table``."""

    path: str


@dataclass(frozen=True, slots=True)
class LocalModule:
    """A module of the pipeline's own folder."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class LocalFunction:
    """A function or lambda of the pipeline's own files."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope

    @property
    def name(self) -> str | None:
        """Its name; None for a lambda."""
        return None if isinstance(self.node, ast.Lambda) else self.node.name


@dataclass(frozen=True, slots=True)
class DatasetDecorator:
    """``@dp.table(…)`` and its kin before they meet their function: ``path`` says which one."""

    path: str
    arguments: tuple[tuple[str, Value], ...]
    line: int
    node: int


Value: TypeAlias = (
    Other
    | Constant
    | PartialText
    | Frame
    | FramePart
    | Method
    | Elements
    | Symbol
    | LocalModule
    | LocalFunction
    | DatasetDecorator
)


@dataclass(slots=True, eq=False)
class Scope:
    """The names of a module or of one call of a function; ``above`` is the scope around it."""

    file: Path
    above: Scope | None = None
    names: dict[str, Value] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    """Modules of which every name was imported."""

    def find(self, name: str) -> Value | None:
        """The value of ``name`` here or in a scope around; None where it has none."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.above
        return None

    def module(self) -> Scope:
        """The scope of the whole file."""
        scope = self
        while scope.above is not None:
            scope = scope.above
        return scope


def frames_in(values: Iterable[Value]) -> Iterator[Frame]:
    """The DataFrames among ``values``, and in lists of them."""
    for value in values:
        if isinstance(value, Frame):
            yield value
        elif isinstance(value, Elements):
            yield from frames_in(value.values)


def functions_in(values: Iterable[Value]) -> Iterator[LocalFunction]:
    """The functions of the pipeline's own files among ``values``."""
    return (value for value in values if isinstance(value, LocalFunction))


def joined(one: Value, other: Value) -> Value:
    """What a name may hold, that is ``one`` on some paths and ``other`` on others.

    >>> joined(Frame(frozenset({"a"})), UNKNOWN)
    Frame(reads=frozenset({'a'}))
    """
    if one == other:
        return one
    frames = list(frames_in((one, other))) if isinstance(one, Frame) or isinstance(other, Frame) else []
    if frames:
        return Frame(frozenset().union(*(frame.reads for frame in frames)))
    if isinstance(one, Elements) and isinstance(other, Elements):
        return Elements(tuple(dict.fromkeys((*one.values, *other.values))), complete=False)
    if isinstance(one, Constant) and isinstance(other, Constant):
        return UNKNOWN
    return other if isinstance(one, (Other, Constant)) else one
