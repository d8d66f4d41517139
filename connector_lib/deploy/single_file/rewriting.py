"""The text of a module as it stands in the one file: with the names that things have there, otherwise as it was.

The text is changed at the places that the syntax tree names, and nowhere else: comments and layout stay. Only an
f-string may be written anew, where Python before 3.12 does not say rightly where in it a name stands.
"""

from __future__ import annotations

import ast
import copy
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from connector_lib.deploy.single_file.calls import external_calls
from connector_lib.deploy.single_file.flat_names import FlatNames, Reference
from connector_lib.deploy.single_file.imports import Imported, Place, is_future, is_type_checking
from connector_lib.deploy.single_file.modules import refusal
from connector_lib.deploy.single_file.packaged import PACKAGED_FILES, file_requests
from connector_lib.deploy.single_file.program import Defined, External, ModuleNames, Program, WholeModule

__all__ = ["rewritten"]

_OF_A_FILE: Final = ("__file__", "__path__", "__spec__", "__loader__", "__package__", "__cached__", "__builtins__")
_BLANK_LINES: Final = 2


def rewritten(program: Program, names: ModuleNames, found: Sequence[Reference], flat: FlatNames) -> str:
    """The text of a module, without the imports that are gathered elsewhere.

    Raises ConfigurationError, with file and line, for what cannot be the same in one file.
    """
    return _Rewriting(program, names, found, flat).text()


@dataclass(slots=True)
class _Edit:
    start: int
    end: int
    text: bytes


@dataclass(slots=True, eq=False)
class _Rewriting:
    program: Program
    names: ModuleNames
    found: Sequence[Reference]
    flat: FlatNames
    edits: dict[tuple[int, int], _Edit] = field(default_factory=dict)
    in_f_strings: dict[ast.JoinedStr, list[tuple[ast.AST, ast.expr]]] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    data: bytes = b""
    parents: dict[ast.AST, ast.AST] = field(default_factory=dict)

    def text(self) -> str:
        source = self.names.source
        self.data = source.text.encode()
        self.lines = [0, *(match.end() for match in re.finditer(rb"\n", self.data))]
        self.parents = {child: parent for parent in ast.walk(source.tree) for child in ast.iter_child_nodes(parent)}
        self._refuse_what_asks_for_its_module()
        self._rename()
        self._drop_statements()
        self._rewrite_imports()
        self._module_names()
        self._write_f_strings()
        return _tidied(self._applied())

    # Names.

    def _rename(self) -> None:
        changed_globals: dict[str, str] = {}
        for reference in self.found:
            name = self.flat[reference.thing]
            if reference.node is reference.use.node:
                if name == reference.use.name:
                    continue
                changed_globals[reference.use.name] = name
            if reference.use.in_text is not None:
                self._rename_in_text(reference.use.in_text, reference.node, name)
            elif (outer := self._f_string(reference.use.node)) is not None:
                self.in_f_strings.setdefault(outer, []).append((reference.node, ast.Name(name, ast.Load())))
            else:
                self._edit(*self._place_of_name(reference), name)
        for statement, _ in self.names.scopes.global_statements:
            if set(statement.names) & set(changed_globals):
                listed = ", ".join(changed_globals.get(name, name) for name in statement.names)
                self._edit(*self._span(statement), f"global {listed}")

    def _place_of_name(self, reference: Reference) -> tuple[int, int]:
        node, name = reference.node, reference.use.name
        if isinstance(node, ast.Name | ast.Attribute):
            return self._span(node)
        start, end = self._span(node)
        before = {
            ast.FunctionDef: rb"def\s+",
            ast.AsyncFunctionDef: rb"async\s+def\s+",
            ast.ClassDef: rb"class\s+",
            ast.ExceptHandler: rb"except\b[^:]*?\bas\s+",
        }.get(type(node))
        match = re.compile(before + re.escape(name.encode()) + rb"\b").match(self.data, start, end) if before else None
        if match is None:
            raise refusal(
                self.names.source,
                node,
                f"'{name}' needs another name in one file, and none is found for it here",
                "give it a name that no other module has",
            )
        return match.end() - len(name.encode()), match.end()

    def _rename_in_text(self, constant: ast.Constant, node: ast.AST, name: str) -> None:
        """Renames in an annotation that is text."""
        start, end = self._span(constant)
        quoted = self.data[start:end]
        inside = quoted.find(str(constant.value).encode())
        assert isinstance(node, ast.Name | ast.Attribute)
        if inside < 0 or node.lineno != 1:
            raise refusal(
                self.names.source,
                constant,
                "an annotation that is text over several lines, or with escapes",
                "write it without quotes, below 'from __future__ import annotations'",
            )
        assert node.end_col_offset is not None
        self._edit(start + inside + node.col_offset, start + inside + node.end_col_offset, name)

    def _f_string(self, node: ast.AST) -> ast.JoinedStr | None:
        """The outermost f-string around a node."""
        found = None
        inner: ast.AST | None = node
        while inner is not None:
            if isinstance(inner, ast.JoinedStr):
                found = inner
            inner = self.parents.get(inner)
        return found

    def _write_f_strings(self) -> None:
        for outer, changed in self.in_f_strings.items():
            self._edit(*self._span(outer), self._f_string_with(outer, changed))

    def _f_string_with(self, outer: ast.JoinedStr, changed: list[tuple[ast.AST, ast.expr]]) -> str:
        memo: dict[int, object] = {id(node): expression for node, expression in changed}
        wanted: ast.expr = copy.deepcopy(outer, memo)
        edited = self._edited_f_string(outer, changed)
        if _means(edited, wanted):
            return edited
        with suppress(ValueError):
            written = ast.unparse(wanted)
            if not _is_for_new_python(written):
                return written
        raise refusal(
            self.names.source,
            outer,
            "an f-string with a name that needs another one cannot be written anew",
            "take the expression out of it",
        )

    def _edited_f_string(self, outer: ast.JoinedStr, changed: list[tuple[ast.AST, ast.expr]]) -> str:
        """The text with the names changed where the syntax tree says that they are."""
        start, end = self._span(outer)
        data = self.data[start:end]
        spans = {self._span(node): ast.unparse(expression).encode() for node, expression in changed}
        for (first, last), text in sorted(spans.items(), reverse=True):
            data = data[: first - start] + text + data[last - start :]
        return data.decode(errors="replace")

    # Statements.

    def _drop_statements(self) -> None:
        tree = self.names.source.tree
        for number, node in enumerate(tree.body):
            is_docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            unneeded = number not in self.names.kept and not is_docstring
            if unneeded or is_future(node) or _is_list_of_names(node):
                self._remove(node)
            elif isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
                raise refusal(
                    self.names.source, node, "a module with a __getattr__ of its own", "import what it gives by name"
                )

    def _rewrite_imports(self) -> None:
        by_statement: dict[ast.stmt, list[Imported]] = {}
        for one in self.names.imports:
            by_statement.setdefault(one.statement, []).append(one)
        for statement, imported in by_statement.items():
            if self.names.scopes.statement_of[statement] not in self.names.kept:
                continue
            if all(self._stays(one) for one in imported):
                continue
            left = [text for one in imported for text in self._import_left(one)]
            if left:
                self._edit(*self._span(statement), "; ".join(left))
            elif self._is_alone(statement):
                self._edit(*self._span(statement), "pass")
            else:
                self._remove(statement, with_comment=imported[0].place is Place.LATER)
        for node in self.names.source.tree.body:
            if is_type_checking(node):
                assert isinstance(node, ast.If)
                if all(isinstance(inner, ast.Import | ast.ImportFrom) for inner in node.body):
                    self._remove(node)

    def _stays(self, one: Imported) -> bool:
        """Whether an import is left as it is written: in a block, and of what is not merged."""
        if one.merged or one.place in (Place.TOP, Place.TYPING):
            return False
        return one.scope.kind != "module" or self.flat[self._own(one.name)] == one.name

    def _import_left(self, one: Imported) -> Iterator[str]:
        """What stays of an import where it stands."""
        names = self.names
        if one.scope.kind == "module" and names.alias(one.name) is not None:
            return
        if one.place is Place.TYPING:
            # The name has a value as well, from elsewhere in the module.
            return
        bound = one.name
        if one.scope.kind == "module":
            bound = self.flat[self._own(one.name)]
        if one.is_dotted and bound != one.name:
            raise refusal(
                names.source,
                one.statement,
                f"'{one.name}' needs another name in one file, and 'import {one.alias.name}' gives it none",
                f"write 'import {one.alias.name} as ...'",
            )
        if not one.merged:
            yield _import_line(External(one.module, one.attribute, one.name), bound, one.alias.name)
            return
        if names.local_alias(one.name, one.scope) is not None:
            return
        meaning = self.program.meaning_of_import(names, one)
        if isinstance(meaning, WholeModule):
            raise refusal(
                names.source,
                one.statement,
                f"the module '{one.name}' is bound in two ways",
                "import it once, at the top of the module or of the function",
            )
        target = self.flat[meaning]
        if target == bound and one.scope.kind == "function":
            raise refusal(
                names.source,
                one.statement,
                f"'{one.name}' is bound in two ways in one function",
                "import it under another name",
            )
        yield f"{bound} = {target}"

    def _own(self, name: str) -> Defined:
        return Defined(self.names.source.name, name)

    def _module_names(self) -> None:
        """``__name__`` as it was. ``files(...)`` of a package gives its files that are in the one file."""
        packaged = self.flat.names.get(Defined(PACKAGED_FILES, "packaged_files"), "")
        for request in file_requests(self.program, self.names):
            self._edit(*self._span(request.call), f"{packaged}({request.package!r})")
        literal = ast.Constant(self.names.source.name)
        for use in self.names.scopes.uses:
            if use.name != "__name__" or use.statement not in self.names.kept or use.scope.binding_scope(use.name):
                continue
            if (outer := self._f_string(use.node)) is not None:
                self.in_f_strings.setdefault(outer, []).append((use.node, literal))
            else:
                self._edit(*self._span(use.node), ast.unparse(literal))

    def _refuse_what_asks_for_its_module(self) -> None:
        known = {inner for request in file_requests(self.program, self.names) for inner in ast.walk(request.call)}
        for call, full in external_calls(self.names):
            if full == "importlib.import_module" and not self._imports_what_stays(call):
                raise refusal(
                    self.names.source,
                    call,
                    "a module that is imported by a name in text is not in the one file",
                    "import it by an import statement",
                )
        for use in self.names.scopes.uses:
            above = self.parents.get(use.node)
            if use.name == "__name__" and above is not None and ast.unparse(above) == "sys.modules[__name__]":
                raise refusal(
                    self.names.source,
                    use.node,
                    "a module that asks for itself is another one in one file",
                    "use its names as they are",
                )
        for use in self.names.scopes.uses:
            if use.statement not in self.names.kept or use.node in known or use.scope.binding_scope(use.name):
                continue
            if use.name in ("globals", "__import__"):
                raise refusal(
                    self.names.source,
                    use.node,
                    f"{use.name}() shows names of one file, which may be others",
                    "name what is needed, or keep it in a dict of its own",
                )
            if use.name in _OF_A_FILE:
                raise refusal(
                    self.names.source,
                    use.node,
                    f"{use.name} is not what it was in one file",
                    "read data files by importlib.resources.files(...)",
                )

    def _imports_what_stays(self, call: ast.Call) -> bool:
        """Whether the text shows that the module is one of those that are not merged."""
        argument = call.args[0] if len(call.args) == 1 and not call.keywords else None
        name = argument.value if isinstance(argument, ast.Constant) else None
        return isinstance(name, str) and not name.startswith(".") and not self.program.finder.is_merged(name)

    # The text.

    def _span(self, node: ast.AST) -> tuple[int, int]:
        assert isinstance(node, ast.expr | ast.stmt | ast.ExceptHandler | ast.pattern | ast.alias)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.lines[node.lineno - 1] + node.col_offset, self.lines[node.end_lineno - 1] + node.end_col_offset

    def _edit(self, start: int, end: int, text: str) -> None:
        self.edits[start, end] = _Edit(start, end, text.encode())

    def _is_alone(self, statement: ast.stmt) -> bool:
        """Whether a block has this statement only."""
        parent = self.parents[statement]
        if isinstance(parent, ast.Module):
            return False
        blocks = [block for block in (getattr(parent, name, None) for name in ("body", "orelse", "finalbody")) if block]
        return any(isinstance(block, list) and block == [statement] for block in blocks)

    def _remove(self, node: ast.stmt, *, with_comment: bool = False) -> None:
        start, end = self._span(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.decorator_list:
            start = self._span(node.decorator_list[0])[0] - 1
        line_start = self.data.rfind(b"\n", 0, start) + 1
        line_end = self.data.find(b"\n", end)
        line_end = len(self.data) if line_end < 0 else line_end + 1
        rest = self.data[end:line_end].strip()
        if self.data[line_start:start].strip() or (rest and not rest.startswith(b"#")):
            # Another statement stands in the line.
            self._edit(start, end, "pass")
            return
        while with_comment and line_start:
            above = self.data.rfind(b"\n", 0, line_start - 1) + 1
            if not self.data[above:line_start].strip().startswith(b"#"):
                break
            line_start = above
        self._edit(line_start, line_end, "")

    def _applied(self) -> str:
        data = self.data
        outermost: list[_Edit] = []
        for edit in sorted(self.edits.values(), key=lambda one: (one.start, -one.end)):
            if not outermost or edit.start >= outermost[-1].end:
                outermost.append(edit)
        for edit in reversed(outermost):
            data = data[: edit.start] + edit.text + data[edit.end :]
        return data.decode()


def _means(text: str, wanted: ast.expr) -> bool:
    """Whether ``text`` is the expression ``wanted``. Before Python 3.12, places within an f-string are not sure."""
    try:
        return ast.dump(ast.parse(f"({text})", mode="eval").body) == ast.dump(wanted)
    except SyntaxError:
        return False


def _is_for_new_python(f_string: str) -> bool:
    """Whether the quotes of an f-string are also within it, which Python before 3.12 does not read."""
    inside = f_string.lstrip("rRfF")
    quote = inside[:3] if inside[:3] in (3 * "'", 3 * '"') else inside[:1]
    return sys.version_info >= (3, 12) and quote in inside[len(quote) : -len(quote)]


def _import_line(what: External, bound: str, written: str) -> str:
    if what.attribute is not None:
        renamed = "" if bound == what.attribute else f" as {bound}"
        return f"from {what.module} import {what.attribute}{renamed}"
    if bound == what.module.partition(".")[0] or "." in written:
        return f"import {written}" if bound == written.partition(".")[0] else f"import {written} as {bound}"
    return f"import {what.module} as {bound}"


def _is_list_of_names(node: ast.stmt) -> bool:
    """Whether it says what ``__all__`` is."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        called = node.value.func
        targets = [called.value] if isinstance(called, ast.Attribute) else []
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


def _tidied(text: str) -> str:
    """``text`` without more than two blank lines in a row outside of strings, and none at its ends."""
    inside: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant | ast.JoinedStr) and node.end_lineno is not None:
            inside.update(range(node.lineno, node.end_lineno + 1))
    kept: list[str] = []
    blank = 0
    for number, line in enumerate(text.split("\n"), start=1):
        blank = blank + 1 if not line.strip() and number not in inside else 0
        if blank <= _BLANK_LINES:
            kept.append(line)
    return "\n".join(kept).strip("\n") + "\n"
