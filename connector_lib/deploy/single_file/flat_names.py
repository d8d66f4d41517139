"""One name for everything that stands in the one module, where several modules may have used the same.

A name stays as it is wherever that is possible. It has to change where two modules mean different things by it, where
it is that of a built-in that another module uses, or where a function that uses it has a variable of that name.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import keyword
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from connector_lib.deploy.single_file.modules import refusal
from connector_lib.deploy.single_file.program import Defined, External, ModuleNames, Program, WholeModule
from connector_lib.deploy.single_file.scopes import Use

__all__ = ["FlatNames", "Reference", "flat_names", "references"]

_BUILT_INS: Final = frozenset(dir(builtins))
Thing: TypeAlias = Defined | External


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A place that names a thing of a module: ``node`` is all of it, ``retry.Policy`` as well as ``Policy``."""

    use: Use
    node: ast.AST
    thing: Thing


@dataclass(frozen=True, slots=True)
class FlatNames:
    """The name of each thing."""

    names: Mapping[Thing, str]

    def __getitem__(self, thing: Thing) -> str:
        return self.names[thing]


def references(program: Program, names: ModuleNames) -> Iterator[Reference]:
    """Every place of a module that names what a module binds. Raises ConfigurationError for what has no meaning in one
    file."""
    for use in names.scopes.uses:
        if use.statement not in names.kept:
            continue
        meaning = program.meaning_of_use(names, use)
        if meaning is None:
            continue
        if isinstance(meaning, WholeModule):
            thing, node = program.meaning_of_chain(names, use, meaning)
            yield Reference(use, node, thing)
        else:
            yield Reference(use, use.node, meaning)


def flat_names(program: Program, found: Mapping[str, list[Reference]], wanted: Iterable[Thing]) -> FlatNames:
    """The names. ``found`` are the references of each module, ``wanted`` what has to keep its name, first of all."""
    every = _Names(program, found)
    chosen: dict[Thing, str] = {}
    taken = set(every.unknown)
    for thing in every.in_order(wanted):
        name = thing.name
        if name in taken or name in _BUILT_INS or thing in every.captured:
            if thing in every.pinned:
                module, use = every.pinned[thing]
                raise refusal(
                    module.source,
                    use.node,
                    f"a class has its own '{name}', and that of its module needs another name in one file",
                    "call one of the two otherwise",
                )
            name = every.fresh(thing)
        taken.add(name)
        chosen[thing] = name
    return FlatNames(chosen)


class _Names:
    """What decides whether a name can stay."""

    def __init__(self, program: Program, found: Mapping[str, list[Reference]]) -> None:
        self.program = program
        self.things: dict[Thing, None] = {}
        self.captured: set[Thing] = set()
        """What is named in a function that has a variable of its name."""
        self.pinned: dict[Thing, tuple[ModuleNames, Use]] = {}
        """What a class names that has an attribute of that name: only at run time is known which it is."""
        self.unknown: set[str] = set()
        """Names that no module binds: built-ins, and what is put there from outside."""
        self.everywhere: set[str] = set(keyword.kwlist) | _BUILT_INS
        self.dotted: set[str] = set()
        for module in program.order:
            names = program.modules[module]
            self._of_module(names, found[module])

    def _of_module(self, names: ModuleNames, found: list[Reference]) -> None:
        self.dotted.update(one.name for one in names.imports if one.is_dotted and not one.merged)
        for name, nodes in names.scopes.module.bound.items():
            if names.alias(name) is None and any(names.scopes.statement_of[node] in names.kept for node in nodes):
                self.things.setdefault(Defined(names.source.name, name))
        for reference in found:
            thing, use = reference.thing, reference.use
            self.things.setdefault(thing)
            if use.name != thing.name and any(thing.name in scope.bound for scope in use.scope.enclosing()):
                self.captured.add(thing)
        for use in names.scopes.uses:
            self.everywhere.add(use.name)
            if use.scope.binding_scope(use.name) is None:
                self.unknown.add(use.name)
            elif use.scope.kind == "class" and use.name in use.scope.bound:
                self._pin(names, use)
        for scope in {id(use.scope): use.scope for use in names.scopes.uses}.values():
            self.everywhere.update(scope.bound)

    def _pin(self, names: ModuleNames, use: Use) -> None:
        outside = next((scope for scope in list(use.scope.enclosing())[1:] if use.name in scope.bound), None)
        if outside is not None or use.name not in names.scopes.module.bound:
            return
        if not isinstance(getattr(use.node, "ctx", None), ast.Load):
            return
        meaning = self.program.meaning_of_use(names, Use(use.name, use.node, names.scopes.module, use.statement))
        if isinstance(meaning, WholeModule) or meaning is None:
            return
        if meaning.name != use.name:
            raise refusal(
                names.source,
                use.node,
                f"a class has a name '{use.name}' of its own, which is an import in its module",
                "import it under another name",
            )
        self.pinned.setdefault(meaning, (names, use))

    def in_order(self, wanted: Iterable[Thing]) -> list[Thing]:
        """Who chooses first."""
        external = [one for one in self.things if isinstance(one, External)]
        dotted = [one for one in external if one.attribute is None and one.name in self.dotted]
        groups = (wanted, dotted, self.pinned, external, self.things)
        return list(dict.fromkeys(itertools.chain.from_iterable(groups)))

    def fresh(self, thing: Thing) -> str:
        """A name that nothing has, made of that of its module."""
        tail = thing.module.rpartition(".")[2]
        for number in itertools.count(1):
            name = f"{thing.name}_of_{tail}" if number == 1 else f"{thing.name}_of_{tail}_{number}"
            if name not in self.everywhere:
                self.everywhere.add(name)
                return name
        raise AssertionError
