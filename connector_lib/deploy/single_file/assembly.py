"""The text of one module that does what several did."""

from __future__ import annotations

import ast
import sys
import textwrap
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connector_lib.deploy.single_file.flat_names import FlatNames, Reference, flat_names, references
from connector_lib.deploy.single_file.imports import Place, is_future
from connector_lib.deploy.single_file.modules import ModuleFinder
from connector_lib.deploy.single_file.packaged import PACKAGED_FILES, file_requests, packaged_files_module
from connector_lib.deploy.single_file.program import Defined, External, Program, WholeModule, read_program
from connector_lib.deploy.single_file.rewriting import rewritten
from connector_lib.errors import ConfigurationError

__all__ = ["Assembly", "assemble"]

_WIDTH: Final = 120


@dataclass(frozen=True, slots=True, eq=False)
class Assembly:
    """One module: its ``text``, the ``program`` that it was made of, and the names that things have in it."""

    program: Program
    flat: FlatNames
    text: str


def assemble(
    packages: Collection[str],
    roots: Sequence[str],
    exports: Sequence[tuple[str, str]],
    *,
    title: str,
    replaced: Mapping[str, str] | None = None,
    keep: Sequence[tuple[str, str]] = (),
) -> Assembly:
    """The modules ``roots`` of ``packages``, and what they need of these packages, as one module.

    ``exports`` are module and name of what goes into ``__all__``; they and ``keep`` have their names in the one module
    as well. ``title`` is its docstring, ``replaced`` the text of modules that are others there.

    Raises ConfigurationError with file and line for what cannot be the same in one module.
    """
    texts = dict(replaced or {})
    program = read_program(ModuleFinder(packages, texts), roots)
    requests = [request for one in program.order for request in file_requests(program, program.modules[one])]
    if requests:
        texts[PACKAGED_FILES] = packaged_files_module(program, {request.package for request in requests})
        finder = ModuleFinder({*packages, PACKAGED_FILES.partition(".")[0]}, texts)
        program = read_program(finder, [PACKAGED_FILES, *roots])
    found = {one: _references(program, one) for one in program.order}
    exported = [_thing(program, module, name) for module, name in exports]
    kept = [_thing(program, module, name) for module, name in keep]
    flat = flat_names(program, found, [*exported, *kept])
    parts = [f'"""{title}"""\n\n']
    if any(is_future(node) for one in program.order for node in program.modules[one].source.tree.body):
        parts.append("from __future__ import annotations\n\n")
    parts.extend(_imports(program, found, flat))
    quoted = [f'"{flat[thing]}"' for thing in exported]
    parts.append(f"\n__all__ = [{', '.join(quoted)}]\n")
    for module in program.order:
        text = rewritten(program, program.modules[module], found[module], flat)
        if text.strip():
            parts.append(f"\n\n# {'-' * 20} {module} {'-' * max(3, _WIDTH - 24 - len(module))}\n\n{text}")
    return Assembly(program, flat, "".join(parts))


def _thing(program: Program, module: str, name: str) -> Defined:
    names = program.names(module)
    if names is None:
        raise ConfigurationError(f"there is no module {module}", hint="is its package installed whole?")
    meaning = program.meaning(module, name, (names.source, names.source.tree))
    if not isinstance(meaning, Defined):
        kind = "a module" if isinstance(meaning, WholeModule) else "of a package that is not merged"
        raise ConfigurationError(f"'{name}' of {module} is {kind}", hint="merge its package as well, by --include")
    return meaning


def _references(program: Program, module: str) -> list[Reference]:
    """Those of a module, but for what is replaced as a whole."""
    names = program.modules[module]
    replaced = {inner for request in file_requests(program, names) for inner in ast.walk(request.call)}
    return [one for one in references(program, names) if one.use.node not in replaced]


def _imports(program: Program, found: Mapping[str, Sequence[Reference]], flat: FlatNames) -> Iterator[str]:
    """All imports that stay: those of Python itself, those of others, and those that are for types only."""
    used = {one.thing for references in found.values() for one in references if isinstance(one.thing, External)}
    carried_out: set[External] = set()
    dotted: set[str] = set()
    for names in program.modules.values():
        for one in names.imports:
            if one.merged or one.scope.kind != "module" or one.place is Place.TYPING:
                continue
            carried_out.add(External(one.module, one.attribute, one.name))
            if one.is_dotted and names.source.name in program.order:
                dotted.add(one.alias.name)
    for_types = used - carried_out
    plain = used & carried_out
    if for_types:
        plain.add(External("typing", "TYPE_CHECKING", "TYPE_CHECKING"))
    lines = list(_import_lines(flat, plain, dotted))
    standard = [line for line in lines if _top(line) in sys.stdlib_module_names]
    others = [line for line in lines if line not in standard]
    yield from standard
    yield from ["\n", *others] if others else []
    if for_types:
        yield "\nif TYPE_CHECKING:\n"
        yield from (textwrap.indent(line, "    ") for line in _import_lines(flat, for_types, set()))


def _import_lines(flat: FlatNames, things: set[External], dotted: set[str]) -> Iterator[str]:
    plain: set[str] = set(dotted)
    by_module: dict[str, set[tuple[str, str]]] = {}
    for thing in things:
        name = flat.names.get(thing, thing.name)
        if thing.attribute is not None:
            by_module.setdefault(thing.module, set()).add((thing.attribute, name))
        elif name != thing.module:
            plain.add(f"{thing.module} as {name}")
        elif not any(one.startswith(f"{thing.module}.") for one in dotted):
            plain.add(thing.module)
    yield from (f"import {one}\n" for one in sorted(plain))
    for module, pairs in sorted(by_module.items()):
        written = [name if name == bound else f"{name} as {bound}" for name, bound in sorted(pairs)]
        line = f"from {module} import {', '.join(written)}\n"
        if len(line) > _WIDTH - 4:
            line = f"from {module} import (\n{''.join(f'    {one},{chr(10)}' for one in written)})\n"
        yield line


def _top(line: str) -> str:
    """The top package of an import line."""
    return line.split()[1].partition(".")[0]
