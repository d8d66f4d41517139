"""Calls of functions of other packages, by the full name of the function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from connector_lib.deploy.single_file.program import ModuleNames

__all__ = ["external_calls"]


def external_calls(names: ModuleNames) -> Iterator[tuple[ast.Call, str]]:
    """The calls of a module whose function is imported from what stays a module, as ``importlib.import_module``."""
    calls = names.scopes.calls
    imported = {one.name for one in names.imports if not one.merged}
    for use in names.scopes.uses:
        if use.name not in imported or not isinstance(use.node, ast.Name) or use.statement not in names.kept:
            continue
        chain = names.scopes.chains.get(use.node, [])
        call = calls.get(chain[-1] if chain else use.node)
        scope = use.scope.binding_scope(use.name)
        if call is None or scope is None:
            continue
        bound = next((one for one in names.imports if one.scope is scope and one.name == use.name), None)
        if bound is not None and not bound.merged:
            yield call, ".".join([bound.module, *filter(None, [bound.attribute]), *(one.attr for one in chain)])
