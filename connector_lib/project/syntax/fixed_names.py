"""What is wrong in a Python file wherever it stands: names of older or other systems, and writes.

Sources: https://docs.databricks.com/aws/en/ldp/developer/python-ref ("never use methods that save or write"),
https://docs.databricks.com/aws/en/ldp/developer/python-dev (``dlt`` is replaced by ``pyspark.pipelines``),
https://docs.databricks.com/aws/en/sql/language-manual/functions/input_file_name (not with Unity Catalog).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from connector_lib.project.syntax.breaches import Rule, RuleBreach
from connector_lib.project.syntax.sql_text import calls_function

__all__ = ["FILE_NAME_BREACH", "fixed_name_breaches", "write_breach"]

FILE_NAME_BREACH: Final = (
    "input_file_name() does not work with Unity Catalog",
    'select "_metadata.file_path" of the source that reads the files',
)
_DLT: Final = "dlt"
_PIPELINES: Final = "pyspark.pipelines"
_READS: Final = {
    "read": "spark.read.table(…)",
    "read_stream": "spark.readStream.table(…), or streaming_table(…) of connector_lib.flows",
}
_WRITER: Final = {"write", "writeStream"}
_WRITER_METHODS: Final = {
    *("bucketBy", "clusterBy", "csv", "format", "insertInto", "jdbc", "json", "mode", "option", "options", "orc"),
    *("parquet", "partitionBy", "save", "saveAsTable", "sortBy", "start", "text", "toTable", "trigger", "xml"),
}
_WRITES: Final = {"insertInto", "saveAsTable", "writeTo"}
_SQL_TAKERS: Final = {"expr", "filter", "selectExpr", "sql", "where"}
_NOTEBOOK_IMPORTERS: Final = {"import_ipynb", "importnb", "import_notebook"}
_DBUTILS_HINTS: Final = {
    "secrets": "secret(…) of connector_lib.flows reads a secret on Databricks and elsewhere",
    "widgets": "setting(…) of connector_lib.flows reads the pipeline's configuration",
    "notebook": "import the other file as a module",
    "library": "packages belong into 'dependencies' of deploy.yml",
    "fs": "read files through a table of the pipeline, such as by read_files(…) of connector_lib.flows",
}
_DBUTILS_HINT: Final = "it is there on Databricks only: take it out"


def write_breach(member: str) -> tuple[str, str]:
    """Message and hint for the member ``member`` of a DataFrame, or of its writer, that writes."""
    return f"'.{member}' writes outside the pipeline", "return the DataFrame: the pipeline writes it"


def fixed_name_breaches(path: Path, tree: ast.Module) -> list[RuleBreach]:
    """The breaches of the file ``path`` that its names alone tell."""
    return sorted(set(_Names(path, tree).breaches()))


class _Names:
    def __init__(self, path: Path, tree: ast.Module) -> None:
        self._path = path
        self._tree = tree
        self._imported = dict(_imported_names(tree))
        self._stars = {node.module for node in ast.walk(tree) if _is_star(node) and isinstance(node, ast.ImportFrom)}
        self._bound = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and _is_bound(node)}
        self._bound |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        self._bound |= {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        }

    def breaches(self) -> Iterator[RuleBreach]:
        yield from self._walk(self._tree)

    def _walk(self, node: ast.AST) -> Iterator[RuleBreach]:
        if self._may_write(node):
            return
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from self._of_import(node)
        elif isinstance(node, ast.Call):
            yield from self._of_call(node)
        elif isinstance(node, ast.Attribute):
            yield from self._of_attribute(node)
        for child in ast.iter_child_nodes(node):
            yield from self._walk(child)

    def _may_write(self, node: ast.AST) -> bool:
        """Whether ``node`` is a function that the engine calls with the rows of a batch, to write them."""
        if not isinstance(node, ast.FunctionDef):
            return False
        paths = [self._dotted(entry.func if isinstance(entry, ast.Call) else entry) for entry in node.decorator_list]
        return any(path in (f"{_PIPELINES}.foreach_batch_sink", f"{_DLT}.foreach_batch_sink") for path in paths)

    def _of_import(self, node: ast.Import | ast.ImportFrom) -> Iterator[RuleBreach]:
        module = node.module if isinstance(node, ast.ImportFrom) and not node.level else None
        modules = [module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        for name in modules:
            top = name.partition(".")[0]
            if top == _DLT:
                yield self._breach(
                    node,
                    "older-interface",
                    "imports dlt, which is on Databricks only, and older",
                    "from pyspark import pipelines as dp",
                )
            elif top in _NOTEBOOK_IMPORTERS:
                yield self._breach(
                    node, "notebook-import", f"imports {top}", "make a module of the notebook: a .py file"
                )

    def _of_call(self, node: ast.Call) -> Iterator[RuleBreach]:
        path = self._dotted(node.func)
        last = path.rpartition(".")[2]
        if last == "import_notebook":
            yield self._breach(node, "notebook-import", "imports a notebook", "make a module of it: a .py file")
        elif path == "get_ipython" and not self._is_own("get_ipython"):
            yield self._breach(node, "magic-command", "'get_ipython()' is there in notebooks only", "take it out")
        elif last == "input_file_name" and self._is_file_name(node.func, path):
            yield self._breach(node, "input-file-name", *FILE_NAME_BREACH)
        if isinstance(node.func, (ast.Attribute, ast.Name)) and last in _SQL_TAKERS:
            yield from self._of_sql(node)

    def _is_file_name(self, function: ast.expr, path: str) -> bool:
        if isinstance(function, ast.Attribute):
            return True
        name = function.id if isinstance(function, ast.Name) else ""
        return path.startswith("pyspark.") or (bool(self._stars) and not self._is_own(name))

    def _of_sql(self, node: ast.Call) -> Iterator[RuleBreach]:
        for argument in node.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                line = calls_function(argument.value, "input_file_name")
                if line is not None:
                    # In a text of several lines each is one of the file.
                    in_file = argument.lineno + (line - 1 if argument.end_lineno != argument.lineno else 0)
                    yield RuleBreach(self._path, in_file, "input-file-name", *FILE_NAME_BREACH)

    def _of_attribute(self, node: ast.Attribute) -> Iterator[RuleBreach]:
        path = self._dotted(node)
        owner, _, last = path.rpartition(".")
        if owner in (_DLT, _PIPELINES) and last in _READS:
            yield self._breach(
                node, "older-interface", f"{path}() reads by the older interface", f"write {_READS[last]}"
            )
        base, _, member = path.partition(".")
        if member and self._is_dbutils(base, path) and "." not in member:
            yield self._breach(node, "dbutils", f"uses dbutils.{member}", _DBUTILS_HINTS.get(member, _DBUTILS_HINT))
        yield from self._of_write(node)

    def _is_dbutils(self, base: str, path: str) -> bool:
        return base == "dbutils" and not self._is_own("dbutils")

    def _of_write(self, node: ast.Attribute) -> Iterator[RuleBreach]:
        below = node.value
        if node.attr in _WRITER_METHODS and isinstance(below, ast.Attribute) and below.attr == "write":
            yield self._breach(below, "write", *write_breach("write"))
        elif node.attr == "writeStream" or (node.attr in _WRITES and not _has_writer(below)):
            yield self._breach(node, "write", *write_breach(node.attr))

    def _is_own(self, name: str) -> bool:
        return name in self._bound

    def _dotted(self, node: ast.expr) -> str:
        """The path of a name with what was imported put in; a star for what is no name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Name):
            name = node.id
            # A name that the file gives to something else as well is not followed.
            parts.append(self._imported.get(name, name) if name not in self._bound else f"*{name}")
        else:
            parts.append("*")
        path = ".".join(reversed(parts))
        return "dbutils" + path.partition("dbutils")[2] if path.startswith(_DBUTILS_PLACES) else path

    def _breach(self, node: ast.stmt | ast.expr, rule: Rule, message: str, hint: str) -> RuleBreach:
        # The name at the end of a chain of calls says where it is.
        line = node.end_lineno if isinstance(node, ast.Attribute) else node.lineno
        return RuleBreach(self._path, line or node.lineno, rule, message, hint)


_DBUTILS_PLACES: Final = ("databricks.sdk.runtime.dbutils", "pyspark.dbutils")


def _imported_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _is_star(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)


def _is_bound(node: ast.Name) -> bool:
    return isinstance(node.ctx, (ast.Store, ast.Del))


def _has_writer(node: ast.expr) -> bool:
    """Whether the chain of calls below goes through a writer, which is named by itself."""
    while isinstance(node, (ast.Attribute, ast.Call)):
        if isinstance(node, ast.Attribute) and node.attr in _WRITER:
            return True
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return False
