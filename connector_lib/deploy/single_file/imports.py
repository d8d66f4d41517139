"""What the import statements of a module bind, and where they stand."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from connector_lib.deploy.single_file.modules import ModuleFinder, ModuleText, refusal
from connector_lib.deploy.single_file.scopes import Scope, Scopes

__all__ = ["Imported", "Place", "is_future", "is_main_program", "is_type_checking", "read_imports"]


class Place(Enum):
    """Where an import stands: that says when it is carried out."""

    TOP = "at the top"
    """A statement of the module itself, carried out once when the module is imported."""
    TYPING = "for types"
    """Below ``if TYPE_CHECKING:``, never carried out."""
    NESTED = "in a block"
    """In another block of the module, such as ``try:``; carried out when the module is imported, or not at all."""
    LATER = "in a function"
    """In a function, carried out when it is called."""
    CLASS = "in a class"
    """In the body of a class, carried out when the module is imported."""


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """One name of an import statement: ``name`` is bound to ``module``, or to its ``attribute``."""

    name: str
    module: str
    attribute: str | None
    place: Place
    scope: Scope
    statement: ast.Import | ast.ImportFrom
    alias: ast.alias
    merged: bool

    @property
    def is_dotted(self) -> bool:
        """Whether it is ``import a.b`` without ``as``, which binds ``a``."""
        return isinstance(self.statement, ast.Import) and self.alias.asname is None and "." in self.alias.name


def read_imports(module: ModuleText, scopes: Scopes, finder: ModuleFinder) -> list[Imported]:
    """All of them, in the order of the text. Raises ConfigurationError for a star import of what is merged."""
    places = _places(module.tree)
    found: list[Imported] = []
    for statement, scope in scopes.scope_of_import.items():
        if is_future(statement):
            continue
        place = _place(statement, scope, places)
        found.extend(_bound(module, statement, scope, place, finder))
    return found


def is_future(node: ast.AST) -> bool:
    """Whether it is ``from __future__ import …``."""
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def is_type_checking(node: ast.AST) -> bool:
    """Whether it is ``if TYPE_CHECKING:``, without an ``else``."""
    return (
        isinstance(node, ast.If)
        and not node.orelse
        and "TYPE_CHECKING" in (getattr(node.test, "id", ""), getattr(node.test, "attr", ""))
    )


def is_main_program(node: ast.AST) -> bool:
    """Whether it is ``if __name__ == …:``, which does nothing in a module that is imported."""
    if not isinstance(node, ast.If) or node.orelse or not isinstance(node.test, ast.Compare):
        return False
    compared = (node.test.left, *node.test.comparators)
    return any(isinstance(part, ast.Name) and part.id == "__name__" for part in compared)


def _places(tree: ast.Module) -> dict[ast.AST, Place]:
    places: dict[ast.AST, Place] = {}
    for node in tree.body:
        places[node] = Place.TOP
        if is_type_checking(node):
            assert isinstance(node, ast.If)
            places.update(dict.fromkeys(node.body, Place.TYPING))
    return places


def _place(statement: ast.AST, scope: Scope, places: dict[ast.AST, Place]) -> Place:
    if scope.kind == "class":
        return Place.CLASS if all(outer.kind == "class" for outer in scope.enclosing()) else Place.LATER
    return Place.LATER if scope.kind != "module" else places.get(statement, Place.NESTED)


def _bound(
    module: ModuleText, statement: ast.Import | ast.ImportFrom, scope: Scope, place: Place, finder: ModuleFinder
) -> Iterator[Imported]:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            name = alias.asname or alias.name.partition(".")[0]
            target = alias.name if alias.asname else name
            merged = finder.is_merged(alias.name)
            yield Imported(name, target, None, place, scope, statement, alias, merged)
        return
    origin = _origin(module, statement)
    merged = finder.is_merged(origin)
    for alias in statement.names:
        if alias.name == "*":
            raise refusal(
                module,
                statement,
                f"'from {origin} import *' does not say which names it brings",
                "name them, one by one",
            )
        yield Imported(alias.asname or alias.name, origin, alias.name, place, scope, statement, alias, merged)


def _origin(module: ModuleText, statement: ast.ImportFrom) -> str:
    """The full name of the module that is imported from."""
    if not statement.level:
        return statement.module or ""
    parts = module.package.split(".")
    if statement.level > len(parts) or not module.package:
        raise refusal(module, statement, "a relative import leads out of the package", "name the module in full")
    base = parts[: len(parts) - statement.level + 1]
    return ".".join([*base, *filter(None, [statement.module])])
