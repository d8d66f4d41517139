"""Follows the files of a pipeline as they would run, from value to value, without running them.

A file is followed from its first line, functions where they are called, query functions of datasets when all files are
read. Where the text does not say which way it goes, both are followed; a loop over what is not in the file has two
passes. Methods of classes are not followed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connector_lib.project.syntax.calls import (
    Arguments,
    canonical_path,
)
from connector_lib.project.syntax.dataset_calls import DECORATORS
from connector_lib.project.syntax.expressions import Expressions
from connector_lib.project.syntax.local_modules import LocalModules
from connector_lib.project.syntax.operations import (
    any_element,
    elements_of,
    sum_of,
    truth_of,
)
from connector_lib.project.syntax.values import (
    PLAIN,
    SESSION,
    UNKNOWN,
    Constant,
    DatasetDecorator,
    Elements,
    Frame,
    LocalFunction,
    Scope,
    Symbol,
    Value,
    joined,
)

__all__ = ["Evaluation"]

_DEEPEST: Final = 20
_MOST_CALLS: Final = 200
_OWN_PACKAGES: Final = {"builtins", "connector_lib", "databricks", "pyspark"}


@dataclass(slots=True)
class Evaluation(Expressions):
    """Follows the files below ``root``; ``load_module`` gives the syntax tree of a file, None where it has none."""

    root: Path = field(kw_only=True)
    load_module: Callable[[Path], ast.Module | None] = field(kw_only=True)
    _local_modules: LocalModules = field(init=False)
    _modules: dict[Path, Scope] = field(default_factory=dict)
    _returned: list[list[Value]] = field(default_factory=list)
    _running: list[ast.AST] = field(default_factory=list)
    _calls: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Without arguments super() does not know a class that got slots.
        super(Evaluation, self).__post_init__()
        self._local_modules = LocalModules(self.root, self.follow)

    def follow(self, path: Path) -> Scope:
        """Follows the file ``path`` at its module level, once."""
        if path in self._modules:
            return self._modules[path]
        scope = self._modules[path] = Scope(path)
        tree = self.load_module(path)
        if tree is not None:
            self._statements(tree.body, scope)
        return scope

    def follow_queries(self) -> None:
        """Follows the query functions of the datasets that were defined."""
        while self._datasets.queries:
            self._invoke(self._datasets.queries.pop(0), Arguments())

    # statements

    def _statements(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        for node in body:
            if self._is_tired():
                return
            self._statement(node, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                scope.names[node.name] = self._decorated(node, scope)
            case ast.ClassDef():
                scope.names[node.name] = UNKNOWN
            case ast.Return(value=value) if value is not None:
                returned = self._value(value, scope)
                if self._returned:
                    self._returned[-1].append(returned)
            case ast.Assign(targets=targets, value=value):
                result = self._value(value, scope)
                for target in targets:
                    self._bind(target, result, scope)
            case ast.AnnAssign(target=target, value=value) if value is not None:
                self._bind(target, self._value(value, scope), scope)
            case ast.AugAssign(target=target, value=value):
                added = self._value(value, scope)
                before = self._value(target, scope) if isinstance(target, ast.Name) else UNKNOWN
                self._bind(target, sum_of(before, added), scope)
            case ast.For() | ast.AsyncFor():
                for element in elements_of(self._value(node.iter, scope)):
                    self._bind(node.target, element, scope)
                    self._statements(node.body, scope)
                self._statements(node.orelse, scope)
            case ast.While():
                for _ in range(2):
                    self._value(node.test, scope)
                    self._statements(node.body, scope)
                self._statements(node.orelse, scope)
            case ast.If():
                self._if(node, scope)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    entered = self._value(item.context_expr, scope)
                    if item.optional_vars is not None:
                        self._bind(item.optional_vars, entered, scope)
                self._statements(node.body, scope)
            case ast.Match():
                self._value(node.subject, scope)
                self._one_of(node, [case.body for case in node.cases], scope)
            case ast.Import() | ast.ImportFrom():
                self._import(node, scope)
            case ast.Expr(value=value):
                self._value(value, scope)
                if isinstance(value, ast.Call):
                    self._note_unknown_definer(value, scope)
            case _ if hasattr(node, "handlers"):
                self._try(node, scope)
            case _:
                for child in ast.iter_child_nodes(node):
                    if isinstance(child, ast.expr):
                        self._value(child, scope)

    def _if(self, node: ast.If, scope: Scope) -> None:
        known = truth_of(self._value(node.test, scope))
        if _is_main_guard(node.test):
            known = False
        if known is None:
            self._one_of(node, [node.body, node.orelse], scope)
        else:
            self._statements(node.body if known else node.orelse, scope)

    def _try(self, node: ast.stmt, scope: Scope) -> None:
        assert isinstance(node, ast.Try) or hasattr(node, "handlers")
        bodies = [[*node.body, *node.orelse], *(handler.body for handler in node.handlers)]  # type: ignore[attr-defined]
        self._one_of(node, bodies, scope)
        self._statements(node.finalbody, scope)  # type: ignore[attr-defined]

    def _one_of(self, node: ast.stmt, bodies: Sequence[Sequence[ast.stmt]], scope: Scope) -> None:
        """Follows every one of ``bodies`` from the same beginning."""
        before = dict(scope.names)
        merged: dict[str, Value] = {}
        for side, body in enumerate(bodies):
            scope.names.clear()
            scope.names.update(before)
            self._branches.append((id(node), side))
            self._statements(body, scope)
            self._branches.pop()
            for name, value in scope.names.items():
                merged[name] = joined(merged[name], value) if name in merged else value
        scope.names.clear()
        scope.names.update(merged)

    def _bind(self, target: ast.expr, value: Value, scope: Scope) -> None:
        match target:
            case ast.Name(id=name):
                scope.names[name] = value
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                is_whole = isinstance(value, Elements) and value.complete and len(value.values) == len(targets)
                parts = (
                    value.values if isinstance(value, Elements) and is_whole else [any_element(value)] * len(targets)
                )
                for part, element in zip(targets, parts, strict=True):
                    self._bind(part, element, scope)
            case ast.Starred(value=inner):
                self._bind(inner, Elements((value,), complete=False), scope)
            case ast.Subscript(value=ast.Name(id=name)):
                known = scope.find(name)
                if isinstance(known, Elements):
                    scope.names[name] = Elements((*known.values, value), complete=False)

    # functions

    def _decorated(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope) -> Value:
        result: Value = LocalFunction(node, scope)
        for decorator in reversed(node.decorator_list):
            result = self._decorate(self._value(decorator, scope), result, decorator, scope)
        return result

    def _decorate(self, decorator: Value, function: Value, node: ast.expr, scope: Scope) -> Value:
        if isinstance(decorator, Symbol) and decorator.path in DECORATORS:
            decorator = DatasetDecorator(decorator.path, (), node.lineno, id(node))
        if isinstance(decorator, DatasetDecorator):
            return self._datasets.decorate(decorator, function, self._place(node, scope))
        if isinstance(decorator, Symbol):
            return PLAIN if decorator.path.endswith(("udf", "udtf")) else function
        if isinstance(decorator, LocalFunction):
            result = self._invoke(decorator, Arguments((function,)))
            return result if isinstance(result, (LocalFunction, Frame)) or result == PLAIN else function
        return function

    def _invoke(self, function: LocalFunction, given: Arguments) -> Value:
        node = function.node
        self._calls[id(node)] = self._calls.get(id(node), 0) + 1
        if node in self._running or len(self._running) >= _DEEPEST or self._calls[id(node)] > _MOST_CALLS:
            return UNKNOWN
        scope = Scope(function.scope.file, function.scope)
        self._bind_parameters(node.args, given, scope)
        self._running.append(node)
        self._returned.append([])
        try:
            if isinstance(node, ast.Lambda):
                return self._value(node.body, scope)
            self._statements(node.body, scope)
            results = self._returned[-1]
        finally:
            self._running.pop()
            self._returned.pop()
        result: Value = results[0] if results else Constant(None)
        for other in results[1:]:
            result = joined(result, other)
        return Frame() if result == UNKNOWN and _is_annotated(node.returns, "DataFrame") else result

    def _bind_parameters(self, parameters: ast.arguments, given: Arguments, scope: Scope) -> None:
        names = [*parameters.posonlyargs, *parameters.args]
        defaults = dict(zip([entry.arg for entry in reversed(names)], reversed(parameters.defaults), strict=False))
        defaults |= {
            entry.arg: default
            for entry, default in zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True)
            if default is not None
        }
        for place, entry in enumerate([*names, *parameters.kwonlyargs]):
            value = given.get(place if place < len(names) else None, entry.arg)
            if value is None and given.whole and entry.arg in defaults:
                value = self._value(defaults[entry.arg], scope)
            if value is None or value == UNKNOWN:
                value = _annotated(entry.annotation)
            scope.names[entry.arg] = value
        if parameters.vararg is not None:
            scope.names[parameters.vararg.arg] = Elements(given.positional[len(names) :], complete=given.whole)
        if parameters.kwarg is not None:
            scope.names[parameters.kwarg.arg] = Elements((UNKNOWN,), complete=False)

    # imports

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                module = self._local_modules.find(alias.name.split("."), scope.file)
                top = alias.name.partition(".")[0]
                if alias.asname:
                    scope.names[alias.asname] = module or Symbol(canonical_path(alias.name))
                else:
                    outer = self._local_modules.find([top], scope.file) if module is not None else None
                    scope.names[top] = outer or Symbol(canonical_path(top))
            return
        parts = node.module.split(".") if node.module else []
        folder = scope.file.parents[node.level - 1] if 0 < node.level <= len(scope.file.parents) else None
        module = self._local_modules.find(parts, scope.file, folder)
        for alias in node.names:
            bound = alias.asname or alias.name
            if alias.name == "*":
                if module is not None:
                    scope.names.update(module.scope.names)
                elif parts:
                    scope.stars.append(canonical_path(".".join(parts)))
            elif module is not None and alias.name in module.scope.names:
                scope.names[bound] = module.scope.names[alias.name]
            else:
                inner = self._local_modules.find([*parts, alias.name], scope.file, folder)
                path = canonical_path(".".join((*parts, alias.name)))
                outside = UNKNOWN if module is not None or node.level else Symbol(path)
                scope.names[bound] = inner or (SESSION if path == "databricks.sdk.runtime.spark" else outside)

    def _note_unknown_definer(self, node: ast.Call, scope: Scope) -> None:
        """A function of another package that is called for what it does may define tables."""
        function = self._value(node.func, scope) if _is_dotted_name(node.func) else PLAIN
        if isinstance(function, Symbol):
            top = function.path.partition(".")[0]
            if top not in _OWN_PACKAGES and top not in sys.stdlib_module_names:
                self.definitions.may_have_more = True
        elif function == UNKNOWN:
            self.definitions.may_have_more = True


def _is_dotted_name(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and any(
        isinstance(side, ast.Name) and side.id == "__name__" for side in (test.left, *test.comparators)
    )


def _annotated(annotation: ast.expr | None) -> Value:
    if _is_annotated(annotation, "DataFrame"):
        return Frame()
    return SESSION if _is_annotated(annotation, "SparkSession") else UNKNOWN


def _is_annotated(annotation: ast.expr | None, name: str) -> bool:
    if isinstance(annotation, ast.Constant):
        return isinstance(annotation.value, str) and annotation.value.rpartition(".")[2] == name
    last = annotation.attr if isinstance(annotation, ast.Attribute) else getattr(annotation, "id", "")
    return bool(last == name)
