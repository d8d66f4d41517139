"""The modules that a source needs, in the order in which they have to stand in one, and what names mean across them.

Needed is what a needed module imports, wherever in it: in a function and for types as well. Before a module stands what
is imported while it is imported. Of a package's ``__init__`` only what is asked for is taken: it mostly hands on names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from connector_lib.deploy.single_file.imports import Imported, Place, is_main_program, is_type_checking, read_imports
from connector_lib.deploy.single_file.modules import ModuleFinder, ModuleText, refusal
from connector_lib.deploy.single_file.scopes import Scope, Scopes, Use, read_scopes

__all__ = ["Defined", "External", "Meaning", "ModuleNames", "Program", "WholeModule", "read_program"]


@dataclass(frozen=True, slots=True)
class Defined:
    """What the merged module ``module`` binds ``name`` to."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class External:
    """What an import of a module that stays one binds ``name`` to."""

    module: str
    attribute: str | None
    name: str


@dataclass(frozen=True, slots=True)
class WholeModule:
    """A merged module itself. There is none in the one file: only its attributes have a meaning there."""

    module: str


Meaning: TypeAlias = Defined | External | WholeModule


@dataclass(slots=True, eq=False)
class ModuleNames:
    """A module with its scopes and imports. ``kept`` are the numbers of the statements that are needed of it."""

    source: ModuleText
    scopes: Scopes
    imports: list[Imported]
    kept: set[int] = field(default_factory=set)
    by_name: dict[str, list[Imported]] = field(default_factory=dict)

    def alias(self, name: str) -> Imported | None:
        """The import that ``name`` of the module stands for; None where it is bound by something else as well."""
        imports = self.by_name.get(name, [])
        real = [one for one in imports if one.place is not Place.TYPING] or imports
        others = len(self.scopes.module.bound.get(name, ())) - len(imports)
        if not real or others or len({(one.module, one.attribute) for one in real}) > 1:
            return None
        return real[0] if all(one.place in (Place.TOP, Place.TYPING) for one in real) else None

    def local_alias(self, name: str, scope: Scope) -> Imported | None:
        """The same in a function: the import of a merged module that ``name`` of ``scope`` always stands for."""
        bound = scope.bound.get(name, [])
        imports = [one for one in self.imports if one.scope is scope and one.name == name]
        if scope.kind != "function" or not imports or len(imports) != len(bound) or not imports[0].merged:
            return None
        return imports[0] if len({(one.module, one.attribute) for one in imports}) == 1 else None


@dataclass(slots=True, eq=False)
class Program:
    """The modules that are merged: ``order`` has the names of those that are needed."""

    finder: ModuleFinder
    modules: dict[str, ModuleNames] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def names(self, name: str) -> ModuleNames | None:
        """A module that may be merged, read once; None where there is none."""
        if name not in self.modules:
            source = self.finder.find(name)
            if source is None:
                return None
            scopes = read_scopes(source)
            read = ModuleNames(source, scopes, read_imports(source, scopes, self.finder))
            for one in read.imports:
                if one.scope.kind == "module":
                    read.by_name.setdefault(one.name, []).append(one)
            self.modules[name] = read
        return self.modules[name]

    def meaning(self, module: str, name: str, at: tuple[ModuleText, ast.AST]) -> Meaning:
        """What ``name`` of a merged module is. ``at`` is where it is asked for.

        Raises ConfigurationError where the module does not have it.
        """
        asked = [(module, name)]
        while True:
            names = self.names(module)
            if names is None:
                raise refusal(*at, f"there is no module {module}", "is its package installed whole?")
            if name in names.scopes.module.bound:
                alias = names.alias(name)
                if alias is None:
                    return Defined(module, name)
                if not alias.merged:
                    return External(alias.module, alias.attribute, alias.name)
                if alias.attribute is None:
                    return WholeModule(alias.module)
                module, name = alias.module, alias.attribute
            elif self.names(f"{module}.{name}") is not None:
                return WholeModule(f"{module}.{name}")
            else:
                raise refusal(*at, f"the module {module} has no '{name}' that its text shows", "import it by its name")
            if (module, name) in asked:
                raise refusal(*at, f"'{name}' of {module} is imported in a circle", "import it where it is defined")
            asked.append((module, name))

    def meaning_of_import(self, names: ModuleNames, one: Imported) -> Meaning:
        """What an import of a merged module brings."""
        if one.attribute is None:
            return WholeModule(one.module)
        return self.meaning(one.module, one.attribute, (names.source, one.statement))

    def meaning_of_use(self, names: ModuleNames, use: Use) -> Meaning | None:
        """What a name means where it stands; None where it is of a function, a built-in, or not known."""
        scope = use.scope.binding_scope(use.name)
        if scope is None:
            return None
        if scope.kind == "module":
            alias = names.alias(use.name)
            if alias is None:
                return Defined(names.source.name, use.name)
            if not alias.merged:
                return External(alias.module, alias.attribute, alias.name)
            return self.meaning_of_import(names, alias)
        local = names.local_alias(use.name, scope)
        return None if local is None else self.meaning_of_import(names, local)

    def meaning_of_chain(
        self, names: ModuleNames, use: Use, meaning: WholeModule
    ) -> tuple[Defined | External, ast.Attribute]:
        """What ``package.module.name`` means, and the node up to ``name``.

        Raises ConfigurationError where a merged module itself is used, or is changed from outside.
        """
        found: Meaning = meaning
        chain = names.scopes.chains.get(use.node, []) if isinstance(use.node, ast.Name) else []
        for attribute in chain:
            assert isinstance(found, WholeModule)
            found = self.meaning(found.module, attribute.attr, (names.source, attribute))
            if isinstance(found, WholeModule):
                continue
            if not isinstance(attribute.ctx, ast.Load):
                raise refusal(
                    names.source,
                    attribute,
                    f"'{attribute.attr}' of the module {meaning.module} is changed from outside",
                    "change it by a function of that module",
                )
            return found, attribute
        raise refusal(
            names.source,
            use.node,
            f"the module '{use.name}' is used as a value, and is no module any more in one file",
            "use what is in it: module.name",
        )


def read_program(finder: ModuleFinder, roots: Iterable[str]) -> Program:
    """The modules that ``roots`` need, roots last. Raises ConfigurationError for what cannot be merged."""
    program = Program(finder)
    asked = list(roots)
    while _search(program, asked):
        # More of a package was needed than was known when it was taken: its place may be another one.
        program.order.clear()
    return program


def _search(program: Program, roots: list[str]) -> bool:
    search = _Search(program)
    for root in roots:
        search.take(root)
    search.take_what_is_imported_later()
    return search.grown


class _Search:
    """Takes modules in the order in which Python would carry them out."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.open: list[str] = []
        self.later: list[str] = []
        self.grown = False
        """Whether more of a package is kept than when it was taken."""

    def take(self, name: str) -> None:
        program = self.program
        if name in program.order:
            return
        if name in self.open:
            circle = " -> ".join([*self.open[self.open.index(name) :], name])
            source = program.modules[name].source
            raise refusal(
                source,
                source.tree,
                f"modules import each other in a circle: {circle}",
                "import one of them in the function that needs it",
            )
        names = program.names(name)
        assert names is not None
        if names.source.is_package and not names.kept:
            return
        self.open.append(name)
        if not names.source.is_package:
            names.kept = {number for number, node in enumerate(names.source.tree.body) if not is_main_program(node)}
        self._packages_above(name)
        for other, now in self._needed(names):
            if other == name:
                continue
            if now:
                self.take(other)
            else:
                self.later.append(other)
        self.open.remove(name)
        program.order.append(name)

    def take_what_is_imported_later(self) -> None:
        while self.later:
            self.take(self.later.pop(0))

    def _packages_above(self, name: str) -> None:
        """The packages that have something to do when they are imported, such as setting up a log."""
        package = name.rpartition(".")[0]
        while package:
            names = self.program.names(package)
            if names is not None and package not in self.open:
                doing = {number for number, node in enumerate(names.source.tree.body) if _does_something(node, number)}
                if doing:
                    self._keep(names, doing)
                    self.take(package)
            package = package.rpartition(".")[0]

    def _needed(self, names: ModuleNames) -> Iterator[tuple[str, bool]]:
        """The modules that a module needs, and whether it does so while it is imported."""
        # An unused import of a module is there for what the module does; a package only hands it on.
        for one in names.imports:
            if one.merged and not names.source.is_package:
                yield from self._of_import(names, one)
        for use in names.scopes.uses:
            if use.statement in names.kept:
                yield from self._of_use(names, use)

    def _of_import(self, names: ModuleNames, one: Imported) -> Iterator[tuple[str, bool]]:
        now = one.place in (Place.TOP, Place.NESTED, Place.CLASS)
        meaning = self.program.meaning_of_import(names, one)
        yield from self._owner(meaning, now)
        if isinstance(one.statement, ast.Import):
            yield from self._owner(WholeModule(one.alias.name), now)

    def _of_use(self, names: ModuleNames, use: Use) -> Iterator[tuple[str, bool]]:
        meaning = self.program.meaning_of_use(names, use)
        if isinstance(meaning, WholeModule):
            meaning, _ = self.program.meaning_of_chain(names, use, meaning)
        if meaning is None or (isinstance(meaning, Defined) and meaning.module == names.source.name):
            return
        alias = names.alias(use.name)
        yield from self._owner(meaning, alias is not None and alias.place is Place.TOP)

    def _owner(self, meaning: Meaning, now: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(meaning, External):
            return
        owner = self.program.names(meaning.module)
        if owner is None:
            return
        if isinstance(meaning, Defined) and owner.source.is_package:
            self._keep(owner, {owner.scopes.statement_of[node] for node in _binders(owner, meaning.name)})
        yield meaning.module, now

    def _keep(self, names: ModuleNames, statements: set[int]) -> None:
        """Keeps statements of a package, and those of it that they need."""
        new = statements - names.kept
        if not new:
            return
        names.kept |= new
        self.grown |= names.source.name in (*self.program.order, *self.open)
        for use in names.scopes.uses:
            own = use.statement in new and use.scope.binding_scope(use.name) is names.scopes.module
            if own and names.alias(use.name) is None:
                self._keep(names, {names.scopes.statement_of[node] for node in _binders(names, use.name)})


def _binders(names: ModuleNames, name: str) -> list[ast.AST]:
    return names.scopes.module.bound.get(name, [])


def _does_something(node: ast.stmt, number: int) -> bool:
    """Whether a statement of a package is there for more than the names that it binds."""
    if isinstance(node, ast.Expr):
        return not (number == 0 and isinstance(node.value, ast.Constant)) and not isinstance(node.value, ast.Constant)
    quiet = (
        *(ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef),
        *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Pass),
    )
    if isinstance(node, ast.Try | ast.If):
        return (
            not is_type_checking(node)
            and not is_main_program(node)
            and any(_does_something(inner, 1) for inner in ast.iter_child_nodes(node) if isinstance(inner, ast.stmt))
        )
    return not isinstance(node, quiet)
