"""What the names of a module refer to: scopes, what each binds, and where each name is used.

Python Language Reference, chapter 4.2 "Naming and binding". Annotations are looked into as well, also where they are
text.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from connector_lib.deploy.single_file.modules import ModuleText, refusal

__all__ = ["Scope", "Scopes", "Use", "read_scopes"]

ScopeKind: TypeAlias = Literal["module", "function", "class", "comprehension"]

_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(eq=False, slots=True)
class Scope:
    """A module, a function, a class body, or a comprehension. ``bound`` has the nodes that bind a name in it."""

    kind: ScopeKind
    parent: Scope | None
    bound: dict[str, list[ast.AST]] = field(default_factory=dict)
    global_names: set[str] = field(default_factory=set)
    nonlocal_names: set[str] = field(default_factory=set)

    def binding_scope(self, name: str) -> Scope | None:
        """The scope that ``name`` comes from when it is used here; None where the module does not bind it."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.global_names:
                return scope.module if name in scope.module.bound else None
            if name in scope.bound and (scope is self or scope.kind != "class"):
                return scope
            scope = scope.parent
        return None

    @property
    def module(self) -> Scope:
        """The outermost scope."""
        return self if self.parent is None else self.parent.module

    def enclosing(self) -> Iterator[Scope]:
        """This scope and those around it, but for the module's."""
        scope: Scope | None = self
        while scope is not None and scope.parent is not None:
            yield scope
            scope = scope.parent


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A name where it stands. ``statement`` is the number of the module's statement that it is in; ``in_text`` the
    constant that holds it, for a name in an annotation that is text."""

    name: str
    node: ast.AST
    scope: Scope
    statement: int
    in_text: ast.Constant | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scopes:
    """All that is known of the names of a module. ``chains`` are the attributes that hang on a name, outermost last:
    those of ``a.b.c``, by the node of ``a``. ``calls`` are the calls by the node of what is called."""

    module: Scope
    uses: Sequence[Use]
    scope_of_import: dict[ast.Import | ast.ImportFrom, Scope]
    statement_of: dict[ast.AST, int]
    chains: dict[ast.Name, list[ast.Attribute]]
    calls: dict[ast.expr, ast.Call]
    global_statements: Sequence[tuple[ast.Global, Scope]]


def read_scopes(module: ModuleText) -> Scopes:
    """The scopes of ``module``. Raises ConfigurationError for syntax that is not followed here."""
    reader = _Reader(module)
    for number, statement in enumerate(module.tree.body):
        reader.statement = number
        reader.visit(statement)
    return Scopes(
        reader.top,
        reader.uses,
        reader.scope_of_import,
        reader.statement_of,
        reader.chains,
        reader.calls,
        reader.global_statements,
    )


class _Reader(ast.NodeVisitor):
    def __init__(self, module: ModuleText) -> None:
        self.module = module
        self.top = self.scope = Scope("module", None)
        self.statement = 0
        self.uses: list[Use] = []
        self.scope_of_import: dict[ast.Import | ast.ImportFrom, Scope] = {}
        self.statement_of: dict[ast.AST, int] = {}
        self.chains: dict[ast.Name, list[ast.Attribute]] = {}
        self.calls: dict[ast.expr, ast.Call] = {}
        self.global_statements: list[tuple[ast.Global, Scope]] = []
        self.text: ast.Constant | None = None

    # What binds, and what uses.

    def bind(self, name: str, node: ast.AST, scope: Scope | None = None) -> None:
        scope = scope or self.scope
        if name in scope.global_names:
            scope = scope.module
        if name not in scope.nonlocal_names:
            scope.bound.setdefault(name, []).append(node)
        self.statement_of[node] = self.statement

    def use(self, name: str, node: ast.AST) -> None:
        self.uses.append(Use(name, node, self.scope, self.statement, self.text))

    def visit_Name(self, node: ast.Name) -> None:
        if not isinstance(node.ctx, ast.Load):
            self.bind(node.id, node)
        self.use(node.id, node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        chain = [node]
        inner = node.value
        while isinstance(inner, ast.Attribute):
            chain.append(inner)
            inner = inner.value
        if isinstance(inner, ast.Name):
            self.chains[inner] = chain[::-1]
        self.visit(inner)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        scope = self.scope
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        self.bind(node.target.id, node.target, scope)
        self.use(node.target.id, node.target)

    def visit_Global(self, node: ast.Global) -> None:
        self.scope.global_names.update(node.names)
        self.global_statements.append((node, self.scope))

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.scope.nonlocal_names.update(node.names)

    def visit_Import(self, node: ast.Import) -> None:
        self.scope_of_import[node] = self.scope
        self.statement_of[node] = self.statement
        for alias in node.names:
            self.bind(alias.asname or alias.name.partition(".")[0], alias)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.scope_of_import[node] = self.scope
        self.statement_of[node] = self.statement
        for alias in node.names:
            self.bind(alias.asname or alias.name, alias)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name is not None:
            self.bind(node.name, node)
            self.use(node.name, node)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        self._pattern(node.name, node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        self._pattern(node.name, node)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self._pattern(node.rest, node)

    def _pattern(self, name: str | None, node: ast.AST) -> None:
        if name is not None:
            self.bind(name, node)
            self.use(name, node)
        self.generic_visit(node)

    # Scopes inside of others.

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._no_type_parameters(node)
        self.bind(node.name, node)
        self.use(node.name, node)
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._defaults(node.args)
        for argument in _arguments(node.args):
            self._annotation(argument.annotation)
        self._annotation(node.returns)
        self._inside("function", node.args, node.body)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._defaults(node.args)
        self._inside("function", node.args, [node.body])

    def _defaults(self, arguments: ast.arguments) -> None:
        for default in (*arguments.defaults, *filter(None, arguments.kw_defaults)):
            self.visit(default)

    def _inside(self, kind: ScopeKind, arguments: ast.arguments | None, body: Sequence[ast.AST]) -> None:
        self.scope = Scope(kind, self.scope)
        for argument in _arguments(arguments) if arguments is not None else ():
            self.bind(argument.arg, argument)
        # Whether a name is global is known before the statements that use it.
        for inner in body:
            self._declarations(inner)
        for inner in body:
            self.visit(inner)
        assert self.scope.parent is not None
        self.scope = self.scope.parent

    def _declarations(self, node: ast.AST) -> None:
        if isinstance(node, ast.Global):
            self.scope.global_names.update(node.names)
        elif isinstance(node, ast.Nonlocal):
            self.scope.nonlocal_names.update(node.names)
        elif not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.expr)):
            for inner in ast.iter_child_nodes(node):
                self._declarations(inner)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._no_type_parameters(node)
        self.bind(node.name, node)
        self.use(node.name, node)
        for outer in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(outer)
        self._inside("class", None, node.body)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node.generators, [node.elt])

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node.generators, [node.elt])

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node.generators, [node.elt])

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node.generators, [node.key, node.value])

    def _comprehension(self, generators: list[ast.comprehension], results: list[ast.expr]) -> None:
        # The first iterable is looked up outside.
        self.visit(generators[0].iter)
        self.scope = Scope("comprehension", self.scope)
        for generator in generators:
            self.visit(generator.target)
        for number, generator in enumerate(generators):
            if number:
                self.visit(generator.iter)
            for condition in generator.ifs:
                self.visit(condition)
        for result in results:
            self.visit(result)
        assert self.scope.parent is not None
        self.scope = self.scope.parent

    # Annotations.

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._annotation(node.annotation)
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        named = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        self.calls[node.func] = node
        self.visit(node.func)
        for number, argument in enumerate(node.args):
            if number == 0 and named in ("cast", "ForwardRef"):
                self._annotation(argument)
            else:
                self.visit(argument)
        for keyword in node.keywords:
            if keyword.arg == "bound" and named == "TypeVar":
                self._annotation(keyword.value)
            else:
                self.visit(keyword.value)

    def _annotation(self, node: ast.expr | None) -> None:
        if node is None:
            return
        if isinstance(node, ast.Constant):
            self._annotation_as_text(node)
        elif isinstance(node, ast.Subscript):
            self._subscript(node)
        elif isinstance(node, ast.Name | ast.Attribute):
            self.visit(node)
        elif isinstance(node, ast.BinOp | ast.Tuple | ast.List | ast.Starred):
            for inner in ast.iter_child_nodes(node):
                if isinstance(inner, ast.expr):
                    self._annotation(inner)
        else:
            self.visit(node)

    def _subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        named = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
        if named == "Literal":
            self.visit(node.slice)
        elif named == "Annotated" and isinstance(node.slice, ast.Tuple):
            self._annotation(node.slice.elts[0])
            for extra in node.slice.elts[1:]:
                self.visit(extra)
        else:
            self._annotation(node.slice)

    def _annotation_as_text(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str) or self.text is not None:
            return
        try:
            inside = ast.parse(node.value, mode="eval")
        except SyntaxError:
            # No annotation that anybody could look up.
            return
        self.text = node
        self._annotation(inside.body)
        self.text = None

    def _no_type_parameters(self, node: ast.AST) -> None:
        if getattr(node, "type_params", None):
            raise refusal(
                self.module, node, "type parameters in brackets are not merged", "write them with typing.TypeVar"
            )

    def visit_TypeAlias(self, node: ast.AST) -> None:
        raise refusal(
            self.module, node, "the statement 'type' is not merged", "write 'NAME: TypeAlias = ...' in its place"
        )


def _arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (one for one in (arguments.vararg, arguments.kwarg) if one is not None)
