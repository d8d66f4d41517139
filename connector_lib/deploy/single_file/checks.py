"""What the one file has to be before anybody gets it: whole, and without what it stands in for."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection
from typing import Final

from connector_lib.deploy.single_file.imports import is_future
from connector_lib.deploy.single_file.modules import ModuleText
from connector_lib.deploy.single_file.scopes import read_scopes

__all__ = ["faults_of"]

_OF_CLASSES: Final = ("__class__", "__module__", "__qualname__", "__annotations__")
_KNOWN: Final = frozenset({*dir(builtins), *_OF_CLASSES, "__name__", "__doc__"})


def faults_of(name: str, text: str, packages: Collection[str]) -> list[str]:
    """What is wrong with ``text`` of the module ``name``: none of ``packages`` may be imported in it, and every name
    has to be bound, but for those of Python itself."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return [f"line {error.lineno}: {error.msg}"]
    found: list[str] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module or "." * node.level]
        found.extend(
            f"line {node.lineno}: an import of {module}"
            for module in modules
            if module.partition(".")[0] in packages or module.startswith(".")
        )
        if is_future(node) and node not in tree.body[:2]:
            found.append(f"line {node.lineno}: 'from __future__' is not at the top")
    scopes = read_scopes(ModuleText(name, False, text, tree, name))
    free = [use for use in scopes.uses if use.scope.binding_scope(use.name) is None]
    unbound = {use.name: use.node for use in free if use.name not in _KNOWN}
    found.extend(f"line {getattr(node, 'lineno', 0)}: '{name}' is not bound" for name, node in unbound.items())
    return found
