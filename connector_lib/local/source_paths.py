"""Settings without a value and source folders that are not there, found before Spark is started for them."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

from connector_lib.errors import ConfigurationError, UsageError
from connector_lib.flows.files import is_pattern, local_path, require_path
from connector_lib.flows.runtime import where_to_write
from connector_lib.project.pipeline import PipelineFolder

__all__ = ["check_source_paths"]

_SOURCE_PATH = r"(source|s3)\.([\w.]*[._])?path"
# What stands below one of these may never be asked for.
_CONDITIONAL = (ast.If, ast.IfExp, ast.BoolOp, ast.Try, ast.For, ast.While, ast.Match, ast.comprehension, ast.Lambda)


def check_source_paths(pipeline: PipelineFolder) -> None:
    """Raises :class:`~connector_lib.errors.UsageError` that names the setting, where what ``pipeline`` reads is not
    there.

    A setting that the transformation files ask for by ``required_setting``, under no condition, must have a value.
    Paths are the settings whose name begins with ``source.`` or ``s3.`` and ends in ``path``, and no others: which of
    the others are paths is known only when the files run. A value that is a path on this machine, or a ``file:`` URI,
    must exist; patterns and other URIs are passed over.
    """
    values = {key: value.strip() for key, value in pipeline.configuration.items()}
    python_files = [file for file in pipeline.files if file.suffix == ".py"]
    for key in sorted({key for file in python_files for key in _required(ast.parse(file.read_bytes()))}):
        if not values.get(key):
            raise UsageError(f"the setting '{key}' is missing", hint=where_to_write(key))
    for key, value in sorted(values.items()):
        if not value or not re.fullmatch(_SOURCE_PATH, key) or is_pattern(value):
            continue
        here = local_path(value)
        if here is not None:
            _require(Path(os.path.normpath(pipeline.root / here)), key)


def _required(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Call(
            func=ast.Name(id="required_setting") | ast.Attribute(attr="required_setting"),
            args=[ast.Constant(value=str(key))],
        ):
            yield key
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, _CONDITIONAL):
            yield from _required(child)


def _require(path: Path, key: str) -> None:
    try:
        require_path(path, key)
    except ConfigurationError as error:
        raise UsageError(error.message, hint=error.hint) from None
