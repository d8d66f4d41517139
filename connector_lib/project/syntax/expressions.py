"""What the expressions of a transformation file give, and what they say about the pipeline."""

from __future__ import annotations

import ast
import builtins
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connector_lib.project.syntax.breaches import RuleBreach
from connector_lib.project.syntax.calls import (
    Arguments,
    Called,
    attribute_of_frame,
    called_method,
    called_symbol,
    canonical_path,
)
from connector_lib.project.syntax.dataset_calls import DECORATORS, PIPELINES, CallPlace, DatasetCalls
from connector_lib.project.syntax.definitions import Definitions
from connector_lib.project.syntax.fixed_names import write_breach
from connector_lib.project.syntax.operations import (
    UNKNOWN_PART,
    all_joined,
    any_element,
    called_builtin,
    elements_of,
    item_of,
    sum_of,
)
from connector_lib.project.syntax.values import (
    PLAIN,
    SESSION,
    UNKNOWN,
    Constant,
    DatasetDecorator,
    Elements,
    Frame,
    FramePart,
    LocalFunction,
    LocalModule,
    Method,
    PartialText,
    Scope,
    Symbol,
    Value,
    frames_in,
    functions_in,
    joined,
)

__all__ = ["EarlyUse", "Expressions"]

_MOST_STEPS: Final = 300_000


@dataclass(frozen=True, slots=True)
class EarlyUse:
    """A call that Spark resolves too early if one of ``reads`` is the pipeline's own."""

    file: Path
    line: int
    call: str
    instead: str
    reads: frozenset[str]


@dataclass(slots=True)
class Expressions(ABC):
    """Gives the values of expressions, from those of names.

    ``tables_of_spec`` gives the tables of a pipeline spec by its path as written and the file and line that name it,
    None where they are not known. What is found on the way is in ``definitions``, ``breaches`` and ``early_uses``.
    """

    tables_of_spec: Callable[[str, Path, int], Sequence[str] | None]
    definitions: Definitions = field(default_factory=Definitions)
    breaches: list[RuleBreach] = field(default_factory=list)
    early_uses: list[EarlyUse] = field(default_factory=list)
    _datasets: DatasetCalls = field(init=False)
    _branches: list[tuple[int, int]] = field(default_factory=list)
    _steps: int = 0

    def __post_init__(self) -> None:
        self._datasets = DatasetCalls(self.definitions, self.tables_of_spec)

    def _is_tired(self) -> bool:
        """Whether the files ask for more steps than any pipeline does; what is left is not followed then."""
        self._steps += 1
        return self._steps > _MOST_STEPS

    @abstractmethod
    def _invoke(self, function: LocalFunction, given: Arguments) -> Value:
        """What a function of the pipeline's own files gives."""

    @abstractmethod
    def _bind(self, target: ast.expr, value: Value, scope: Scope) -> None:
        """Gives the names of ``target`` their values."""

    def _value(self, node: ast.expr, scope: Scope) -> Value:
        if self._is_tired():
            return UNKNOWN
        match node:
            case ast.Constant(value=value):
                return Constant(value) if isinstance(value, (str, int, float, bool, type(None))) else PLAIN
            case ast.Name(id=name):
                return self._name(name, scope)
            case ast.Attribute():
                return self._attribute(node, scope)
            case ast.Call():
                return self._call(node, scope)
            case ast.Lambda():
                return LocalFunction(node, scope)
            case ast.JoinedStr():
                return self._joined_text(node, scope)
            case ast.IfExp():
                self._value(node.test, scope)
                return joined(self._value(node.body, scope), self._value(node.orelse, scope))
            case ast.BoolOp(values=values):
                return all_joined([self._value(value, scope) for value in values])
            case ast.BinOp():
                left, right = self._value(node.left, scope), self._value(node.right, scope)
                return sum_of(left, right) if isinstance(node.op, ast.Add) else PLAIN
            case ast.Subscript():
                return item_of(self._value(node.value, scope), self._value(node.slice, scope))
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                return self._listed(elements, scope)
            case ast.Dict(keys=keys, values=values):
                found = tuple(self._value(value, scope) for value in values)
                known = tuple(UNKNOWN if key is None else self._value(key, scope) for key in keys)
                return Elements(found, complete=None not in keys, keys=known)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node, scope)
            case ast.NamedExpr(target=target, value=value):
                result = self._value(value, scope)
                self._bind(target, result, scope)
                return result
            case ast.Starred(value=value) | ast.Await(value=value):
                return self._value(value, scope)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self._value(child, scope)
                return PLAIN

    def _name(self, name: str, scope: Scope) -> Value:
        found = scope.find(name)
        if found is not None:
            return found
        stars = scope.module().stars
        if hasattr(builtins, name) and not (name in ("sum", "max", "min", "filter") and stars):
            return Symbol(f"builtins.{name}")
        if stars and name != "spark":
            return Symbol(canonical_path(f"{_star_module(stars, name)}.{name}"))
        # Databricks gives every file this name; `display` shows the rows of a query.
        return SESSION if name == "spark" else Symbol("builtins.display") if name == "display" else UNKNOWN

    def _attribute(self, node: ast.Attribute, scope: Scope) -> Value:
        owner = self._value(node.value, scope)
        if isinstance(owner, Symbol):
            path = canonical_path(f"{owner.path}.{node.attr}")
            return SESSION if path == "databricks.sdk.runtime.spark" else Symbol(path)
        if isinstance(owner, LocalModule):
            return owner.scope.names.get(node.attr, UNKNOWN)
        if owner == SESSION and node.attr in ("read", "readStream"):
            return FramePart("reader")
        if isinstance(owner, Frame):
            value = attribute_of_frame(owner, node.attr)
            if isinstance(value, FramePart) and value.kind == "writer":
                self._found(node, scope, Called(value, "write"), node.attr)
            return value if value is not None else Method(owner, node.attr)
        if isinstance(owner, Method):
            return Method(UNKNOWN if owner.owner == UNKNOWN else PLAIN, node.attr)
        return Method(owner, node.attr)

    def _joined_text(self, node: ast.JoinedStr, scope: Scope) -> Value:
        parts: list[str] = []
        is_whole = True
        for part in node.values:
            value = self._value(part.value, scope) if isinstance(part, ast.FormattedValue) else self._value(part, scope)
            is_plain = not isinstance(part, ast.FormattedValue) or (part.format_spec is None and part.conversion == -1)
            if isinstance(value, Constant) and is_plain:
                parts.append(str(value.value))
            else:
                is_whole = False
                parts.append(UNKNOWN_PART)
        return Constant("".join(parts)) if is_whole else PartialText("".join(parts))

    def _listed(self, elements: Sequence[ast.expr], scope: Scope) -> Elements:
        values: list[Value] = []
        is_whole = True
        for element in elements:
            value = self._value(element, scope)
            if not isinstance(element, ast.Starred):
                values.append(value)
            elif isinstance(value, Elements):
                values.extend(value.values)
                is_whole = is_whole and value.complete
            else:
                is_whole = False
        return Elements(tuple(values), is_whole)

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, scope: Scope
    ) -> Elements:
        inner = Scope(scope.file, scope)
        results: list[Value] = []
        is_whole = True

        def passes(place: int) -> None:
            nonlocal is_whole
            if place == len(node.generators):
                if isinstance(node, ast.DictComp):
                    self._value(node.key, inner)
                results.append(self._value(node.value if isinstance(node, ast.DictComp) else node.elt, inner))
                return
            generator = node.generators[place]
            source = self._value(generator.iter, inner)
            is_whole = is_whole and isinstance(source, Elements) and source.complete and not generator.ifs
            for element in elements_of(source):
                self._bind(generator.target, element, inner)
                for test in generator.ifs:
                    self._value(test, inner)
                passes(place + 1)

        passes(0)
        return Elements(tuple(results), is_whole and not isinstance(node, ast.DictComp))

    # calls

    def _call(self, node: ast.Call, scope: Scope) -> Value:
        function = self._value(node.func, scope)
        given = self._arguments(node, scope)
        match function:
            case LocalFunction():
                return self._invoke(function, given)
            case DatasetDecorator():
                target = given.get(0, "query_function")
                return PLAIN if target is None else self._datasets.decorate(function, target, self._place(node, scope))
            case Symbol(path=path):
                return self._call_symbol(path, given, node, scope)
            case Method(owner=owner, name=name):
                return self._call_method(owner, name, given, node, scope)
            case _:
                return self._call_unknown(given, Frame(given.reads()) if _has_frame(given) else UNKNOWN)

    def _arguments(self, node: ast.Call, scope: Scope) -> Arguments:
        positional = self._listed(node.args, scope)
        keywords = {entry.arg or "**": self._value(entry.value, scope) for entry in node.keywords}
        return Arguments(positional.values, keywords, positional.complete and "**" not in keywords)

    def _call_method(self, owner: Value, name: str, given: Arguments, node: ast.Call, scope: Scope) -> Value:
        if isinstance(owner, Elements):
            return self._call_of_elements(owner, name, given, node, scope)
        if isinstance(owner, Frame) and name == "transform":
            functions = list(functions_in(given.positional[:1]))
            rest = Arguments((owner, *given.positional[1:]), given.keywords, given.whole)
            return self._invoke(functions[0], rest) if functions else Frame(owner.reads | given.reads())
        called = called_method(owner, name, given)
        self._found(node.func, scope, called, name)
        return called.value if isinstance(owner, (Frame, FramePart)) else self._call_unknown(given, called.value)

    def _call_of_elements(self, owner: Elements, name: str, given: Arguments, node: ast.Call, scope: Scope) -> Value:
        if name == "items" and owner.keys is not None:
            pairs = tuple(Elements(pair) for pair in zip(owner.keys, owner.values, strict=False))
            return Elements(pairs, owner.complete)
        if name in ("keys", "values"):
            return Elements((owner.keys or ()) if name == "keys" else owner.values, owner.complete)
        if name in ("get", "pop", "setdefault"):
            return any_element(owner)
        of_name = node.func.value if isinstance(node.func, ast.Attribute) else None
        if name in ("add", "append", "extend", "insert") and isinstance(of_name, ast.Name):
            more = [
                inner for value in given.positional for inner in (elements_of(value) if name == "extend" else [value])
            ]
            # In the scope that has it: a list may be filled from inside a function.
            place: Scope | None = scope
            while place is not None and of_name.id not in place.names:
                place = place.above
            if place is not None:
                place.names[of_name.id] = Elements((*owner.values, *more), owner.complete and name == "append")
            return Constant(None)
        return PLAIN

    def _call_unknown(self, given: Arguments, otherwise: Value) -> Value:
        """What a function that is not in the file gives; functions that it is given meet the DataFrames beside them."""
        frames = list(frames_in(given.all()))
        if not frames:
            return otherwise
        reads: frozenset[str] = frozenset().union(*(frame.reads for frame in frames))
        for function in functions_in(given.all()):
            parameters = len(function.node.args.args)
            frames.extend(frames_in([self._invoke(function, Arguments((Frame(reads),) * parameters))]))
        return otherwise

    def _call_symbol(self, path: str, given: Arguments, node: ast.Call, scope: Scope) -> Value:
        package, _, name = path.rpartition(".")
        if package == PIPELINES:
            return self._datasets.of_pipelines(path, given, self._place(node, scope))
        if package.startswith("connector_lib.flows") and name in ("auto_cdc", "ingest"):
            return self._datasets.of_flows(name, given, self._place(node, scope))
        if path == "builtins.display" and _has_frame(given):
            self._found(node.func, scope, Called(PLAIN, "action"), name)
            return PLAIN
        if path.endswith(("udf", "udtf")):
            return PLAIN if list(functions_in(given.positional)) else Symbol(path)
        if path in ("builtins.map", "builtins.filter") and given.positional:
            functions = list(functions_in(given.positional[:1]))
            values = [value for source in given.positional[1:2] for value in elements_of(source)]
            results = [self._invoke(functions[0], Arguments((value,))) for value in values] if functions else []
            return Elements(tuple(results if name == "map" else values), complete=False)
        if path == "functools.partial" and given.positional:
            return next(functions_in(given.positional[:1]), UNKNOWN)
        if package == "builtins" and given.positional:
            return called_builtin(name, given)
        value = called_symbol(path, given, is_of_python=path.partition(".")[0] in sys.stdlib_module_names)
        return self._call_unknown(given, value)

    def _place(self, node: ast.expr, scope: Scope) -> CallPlace:
        return CallPlace(scope.file, node.lineno, id(node), frozenset(self._branches))

    def _found(self, function: ast.expr, scope: Scope, called: Called, name: str) -> None:
        if called.problem is None:
            return
        # The line of the method's name: a chain of calls has many lines.
        line = function.end_lineno or function.lineno
        if called.problem == "early":
            self.early_uses.append(EarlyUse(scope.file, line, name, called.instead, called.reads))
        elif called.problem == "action":
            self.breaches.append(
                RuleBreach(
                    scope.file,
                    line,
                    "action",
                    f"'{name}()' computes a query while the pipeline is being described",
                    "return the DataFrame, or compute the value inside a query, by agg(…) and a join",
                )
            )
        elif called.instead:
            message = f"'{name}()' runs {called.instead} while the pipeline is being described"
            self.breaches.append(RuleBreach(scope.file, line, "write", message, "define a dataset, by SELECT"))
        else:
            self.breaches.append(RuleBreach(scope.file, line, "write", *write_breach(name)))


def _has_frame(given: Arguments) -> bool:
    return any(True for _ in frames_in(given.all()))


def _star_module(stars: Sequence[str], name: str) -> str:
    """The module that a name of a star import is of, as far as it can be told."""
    if PIPELINES in stars and f"{PIPELINES}.{name}" in DECORATORS | {f"{PIPELINES}.create_streaming_table"}:
        return PIPELINES
    others = [star for star in stars if star != PIPELINES]
    return (others or list(stars))[-1]
