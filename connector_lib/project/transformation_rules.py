"""What the files of a pipeline must not do, found without running them: every breach, with file and line.

:data:`~connector_lib.project.syntax.breaches.RULES` lists the rules. They are those of Databricks ("Develop pipeline
code with Python", "Limitations"), of open-source Spark, and the two that keep rows from being lost there: one flow
writes a table, and a query over the pipeline's own tables uses no call that Spark resolves too early
(:mod:`connector_lib.project.early_calls`).

What the text of the files does not say is not guessed: names that are computed, methods of classes, and functions of
installed packages. A local run checks the last two rules once more, on the queries as Spark receives them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector_lib.connector.spec import PipelineSpec
from connector_lib.errors import ConfigurationError, ConnectorLibError, SpecError
from connector_lib.project.deployment import DEPLOY_FILE, deployment_targets, load_deployment
from connector_lib.project.pipeline import PipelineFolder, load_pipeline_folder
from connector_lib.project.syntax.breaches import Rule, RuleBreach
from connector_lib.project.syntax.definitions import Definition, Definitions, TableNames
from connector_lib.project.syntax.evaluation import Evaluation
from connector_lib.project.syntax.expressions import EarlyUse
from connector_lib.project.syntax.fixed_names import FILE_NAME_BREACH, fixed_name_breaches
from connector_lib.project.syntax.python_text import is_notebook, magic_hint, read_python
from connector_lib.project.syntax.sql_text import Statement, calls_function, statements

__all__ = [
    "DefinedTables",
    "RuleBreach",
    "check_pipeline",
    "check_transformations",
    "defined_datasets",
    "defined_tables",
]

_SPEC_FILE: Final = "ingest.yml"
_PLACE: Final = re.compile(r"^(?P<file>.+?)(?: line (?P<line>\d+), column \d+|:(?P<at>\d+))?: (?P<what>.*)$", re.DOTALL)
_SQL_MAGIC: Final = re.compile(r"^\s*(?:--\s*MAGIC\s+)?(%{1,2}|!)([A-Za-z]\w*)", re.MULTILINE)


def check_pipeline(folder: Path) -> list[RuleBreach]:
    """Every breach in the pipeline folder at ``folder``: of its transformation files, and of the files beside them that
    cannot be read (``spark-pipeline.yml``, ``deploy.yml``, ``ingest.yml``), in order of file and line.

    Raises :class:`~connector_lib.errors.UsageError` where there is no pipeline folder.

    ::

        for breach in check_pipeline(Path("pipelines/hl7v2_files")):
            print(breach)
    """
    try:
        found = load_pipeline_folder(folder, check_files=False)
    except ConfigurationError as error:
        return [_breach_of(error, folder / "spark-pipeline.yml")]
    return sorted({*check_transformations(found), *_unreadable_deployment(found)})


def check_transformations(folder: PipelineFolder) -> list[RuleBreach]:
    """Every breach in the transformation files of ``folder``, in the modules of it that they import, and in the
    pipeline specs that they name, in order of file and line.

    ``folder`` may come from ``load_pipeline_folder(…, check_files=False)``: what is no Python is a breach too.
    """
    return _Check(folder).breaches()


def defined_datasets(folder: PipelineFolder) -> Definitions:
    """The datasets and flows that the files of ``folder`` define, as far as their text says."""
    check = _Check(folder)
    check.breaches()
    return check.definitions


@dataclass(frozen=True, slots=True)
class DefinedTables:
    """The tables that a pipeline keeps on Databricks: ``names`` as they are written, without views. ``whole`` is False
    where there may be more: a name is computed, or a function of another package is called."""

    names: tuple[str, ...]
    whole: bool


def defined_tables(folder: PipelineFolder) -> DefinedTables:
    """The tables that the files of ``folder`` define, and those of the pipeline specs that they name."""
    definitions = defined_datasets(folder)
    tables = [entry for entry in definitions.found if entry.is_dataset and entry.keeps_rows and not entry.is_local]
    names = dict.fromkeys(entry.name for entry in tables if entry.name is not None)
    return DefinedTables(tuple(names), not definitions.may_have_more and all(entry.name for entry in tables))


class _Check:
    def __init__(self, folder: PipelineFolder) -> None:
        self._folder = folder
        self._names = TableNames(folder.catalog, folder.database)
        self._found: set[RuleBreach] = set()
        self._specs: set[Path] = set()
        self._evaluation = Evaluation(self._tables_of_spec, root=folder.root, load_module=self._load_module)

    @property
    def definitions(self) -> Definitions:
        return self._evaluation.definitions

    def breaches(self) -> list[RuleBreach]:
        for path in self._folder.files:
            self._check_file(path)
        self._evaluation.follow_queries()
        definitions = self._evaluation.definitions
        self._found.update(self._evaluation.breaches)
        self._found.update(definitions.two_flows(self._names))
        self._found.update(self._early_calls(self._evaluation.early_uses))
        self._found.update(self._notebook_packages())
        beside = self._folder.root / _SPEC_FILE
        if beside.is_file() and beside not in self._specs:
            self._read_spec(beside)
        if not definitions.has_table() and not any(breach.rule == "unreadable" for breach in self._found):
            self._found.add(self._no_table())
        return sorted(self._found)

    def _check_file(self, path: Path) -> None:
        if path.suffix == ".py":
            self._evaluation.follow(path)
        elif path.suffix == ".sql":
            self._check_sql(path)
        elif path.suffix == ".ipynb":
            self._add(path, 1, "notebook", "is a notebook", "make a .py or .sql file of it")
        else:
            self._add(path, 1, "notebook", "is neither .py nor .sql", "move it out of the folder of transformations")

    def _load_module(self, path: Path) -> ast.Module | None:
        read = read_python(path)
        self._found.update(read.breaches)
        if path.name != "__init__.py" and path not in self._folder.files and is_notebook(path):
            self._add(path, 1, "notebook", "is imported, and would be a notebook in the workspace", _NO_HEADER)
        if read.tree is not None:
            self._found.update(fixed_name_breaches(path, read.tree))
        return read.tree

    def _tables_of_spec(self, written: str, file: Path, line: int) -> Sequence[str] | None:
        spec = next(_beside(written, file, self._folder.root), None)
        if spec is None:
            if not Path(written).is_absolute():
                self._add(
                    file, line, "unreadable", f"the file '{written}' is not there", "put it beside spark-pipeline.yml"
                )
            return None
        tables = self._read_spec(spec)
        return None if tables is None else [table.full_name for table in tables.tables]

    def _read_spec(self, file: Path) -> PipelineSpec | None:
        self._specs.add(file)
        try:
            return PipelineSpec.load(file)
        except SpecError as error:
            self._found.add(_breach_of(error, file))
            return None

    def _check_sql(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            self._add(path, 1, "unreadable", "is not UTF-8", "save it as UTF-8")
            return
        for magic in _SQL_MAGIC.finditer(text):
            command = magic[1] + magic[2]
            line = text.count("\n", 0, magic.start(1)) + 1
            self._add(path, line, "magic-command", f"'{command}' is a command of notebooks", magic_hint(command))
        line_of_call = calls_function(text, "input_file_name")
        if line_of_call is not None:
            self._add(path, line_of_call, "input-file-name", *FILE_NAME_BREACH)
        for statement in statements(text):
            self._check_statement(path, statement)

    def _check_statement(self, path: Path, statement: Statement) -> None:
        for before, word, after in zip(("", *statement.words), statement.words, statement.words[1:], strict=False):
            named_live = after.text == "." and getattr(before, "text", "") != "."
            if word.upper == "LIVE" and (named_live or after.upper in ("TABLE", "VIEW")):
                hint = "name the table itself: streaming tables by STREAM(name)"
                self._add(path, word.line, "older-interface", "LIVE is of the older interface", hint)
        if statement.kind == "write":
            words = " ".join(word.upper for word in statement.words[: 2 if statement.words[0].upper == "CREATE" else 1])
            hint = "CREATE STREAMING TABLE … AS SELECT …, or CREATE MATERIALIZED VIEW … AS SELECT …"
            self._add(path, statement.line, "write", f"{words} writes outside the pipeline", hint)
        elif statement.kind != "other":
            self._evaluation.definitions.found.append(
                Definition(
                    statement.name or None,
                    path,
                    statement.line,
                    keeps_rows=statement.kind == "table",
                    has_flow=statement.has_flow,
                    is_dataset=statement.kind != "flow",
                )
            )

    def _early_calls(self, uses: Iterable[EarlyUse]) -> Iterator[RuleBreach]:
        own = self._evaluation.definitions.datasets(self._names)
        for use in uses:
            tables = sorted({own[full] for name in use.reads if (full := self._names.full(name)) in own})
            if tables:
                yield RuleBreach(
                    use.file,
                    use.line,
                    "early-call",
                    f"'{use.call}' over '{tables[0]}', a dataset of this pipeline: on open-source Spark the result"
                    " would be one run behind from the second run on",
                    f"write {use.instead}",
                )

    def _notebook_packages(self) -> Iterator[RuleBreach]:
        for path in sorted(self._folder.root.rglob("__init__.py")):
            if is_notebook(path):
                message = "would be a notebook in the workspace, and its folder no package"
                yield RuleBreach(path, 1, "notebook", message, _NO_HEADER)

    def _no_table(self) -> RuleBreach:
        lines = self._folder.spec_file.read_text(encoding="utf-8").splitlines()
        line = next((number for number, text in enumerate(lines, 1) if text.startswith("libraries")), 1)
        hint = "define one by @dp.table, @dp.materialized_view, ingest(…), or CREATE STREAMING TABLE in a .sql file"
        return RuleBreach(self._folder.spec_file, line, "no-table", "no file under 'libraries' defines a table", hint)

    def _add(self, file: Path, line: int, rule: Rule, message: str, hint: str) -> None:
        self._found.add(RuleBreach(file, line, rule, message, hint))


_NO_HEADER: Final = "take the first line '# Databricks notebook source' out"


def _beside(written: str, file: Path, root: Path) -> Iterator[Path]:
    """The places of the file ``written`` that are there: from the folder of ``file`` up to ``root``."""
    for folder in file.parents:
        if (folder / written).is_file():
            yield folder / written
        if folder == root:
            return


def _breach_of(error: ConnectorLibError, file: Path) -> RuleBreach:
    """An error about ``file`` as a breach: its own words begin with the file, and the line where it is known."""
    place = _PLACE.match(error.message)
    if place is None or not Path(place["file"]).is_file():
        return RuleBreach(file, 1, "unreadable", error.message, error.hint)
    line = int(place["line"] or place["at"] or 1)
    return RuleBreach(Path(place["file"]).absolute(), line, "unreadable", place["what"], error.hint)


def _unreadable_deployment(folder: PipelineFolder) -> Iterator[RuleBreach]:
    """What is wrong in ``deploy.yml``, at its top level and in each target."""
    file = folder.root / DEPLOY_FILE
    targets: list[str | None] = [None]
    seen: set[str] = set()
    while targets:
        target = targets.pop(0)
        try:
            load_deployment(folder, target)
            if target is None:
                targets.extend(deployment_targets(folder))
        except ConfigurationError as error:
            breach = _breach_of(error, file)
            # What is wrong with a transformation file has been said, and what is wrong above the targets, once.
            if breach.file.name == DEPLOY_FILE and breach.message not in seen:
                seen.add(breach.message)
                yield breach
