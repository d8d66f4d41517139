"""A pipeline folder: ``spark-pipeline.yml`` and the transformation files that it names.

The file has the keys of Spark's own pipeline spec and no others, so that the same folder runs under
``spark-pipelines``, on Databricks and here (Spark 4.3, Declarative Pipelines programming guide, "Pipeline
Projects").
"""

from __future__ import annotations

import ast
import glob
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from connector_lib.errors import ConfigurationError, UsageError, did_you_mean

__all__ = ["PipelineFolder", "load_pipeline_folder"]

_SPEC_FILE_NAMES = ("spark-pipeline.yml", "spark-pipeline.yaml")
_SETTING_IN_QUOTES = re.compile(r"""["']([a-z]\w*(?:\.\w+)+)["']""")
_TRANSFORMATION_SUFFIXES = (".py", ".sql")


class _Glob(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    include: str

    @field_validator("include")
    @classmethod
    def _is_a_file_or_a_whole_folder(cls, pattern: str) -> str:
        # Spark takes these forms and no others (pyspark.pipelines.cli.validate_patch_glob_pattern), below its folder.
        if not pattern.strip() or PurePosixPath(pattern).is_absolute():
            raise ValueError(f"'{pattern}' must be a path below the folder of this file")
        if not glob.has_magic(pattern) or (pattern.endswith("/**") and not glob.has_magic(pattern[:-3])):
            return pattern
        raise ValueError(f"'{pattern}' must be a file, or a folder followed by '/**'")


class _Library(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    glob: _Glob


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(min_length=1)
    storage: str = Field(min_length=1)
    catalog: str | None = None
    database: str | None = None
    schema_: str | None = Field(default=None, alias="schema")
    configuration: dict[str, str] = Field(default_factory=dict)
    libraries: list[_Library] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PipelineFolder:
    """What a pipeline folder says.

    ``root`` is absolute; ``configuration`` has the values given on the command line in it; ``libraries`` are
    the patterns as Spark takes them, relative to ``root``: one with ``..`` runs here and cannot be deployed; ``files``
    are the absolute paths of the transformation files, sorted.
    """

    root: Path
    spec_file: Path
    name: str
    storage: str
    catalog: str | None
    database: str | None
    configuration: Mapping[str, str]
    libraries: tuple[str, ...]
    files: tuple[Path, ...]


def load_pipeline_folder(
    folder: Path, overrides: Mapping[str, str] | None = None, *, check_files: bool = True
) -> PipelineFolder:
    """Reads and checks the pipeline folder at ``folder``; ``overrides`` replace entries of ``configuration``.

    Without ``check_files`` the transformation files are found, and nothing is said about what they are.

    Raises :class:`~connector_lib.errors.UsageError` where there is no such folder, or one of ``overrides`` is no
    setting of the pipeline: neither Spark's (``spark.…``), nor in ``configuration``, nor named in a transformation
    file. Raises
    :class:`~connector_lib.errors.ConfigurationError` that names file and key for everything that is wrong in
    it.

    >>> load_pipeline_folder(Path("no/such/folder"))
    Traceback (most recent call last):
    ...
    connector_lib.errors.UsageError: there is no folder 'no/such/folder'
      give the folder that holds spark-pipeline.yml
    """
    root = folder.expanduser()
    spec_file = _find_spec_file(root)
    spec = _read_spec(spec_file)
    files = _transformation_files(spec_file, spec)
    if check_files:
        _check_suffixes(files)
        _check_python(files)
    _check_settings(overrides or {}, spec, files)
    return PipelineFolder(
        root=spec_file.parent,
        spec_file=spec_file,
        name=spec.name,
        storage=spec.storage,
        catalog=spec.catalog,
        database=spec.database if spec.database is not None else spec.schema_,
        configuration={**spec.configuration, **(overrides or {})},
        # Without './' and '//', which a path of the workspace may not have.
        libraries=tuple(PurePosixPath(library.glob.include).as_posix() for library in spec.libraries),
        files=files,
    )


def _find_spec_file(folder: Path) -> Path:
    if not folder.exists():
        raise UsageError(f"there is no folder '{folder}'", hint="give the folder that holds spark-pipeline.yml")
    if not folder.is_dir():
        raise UsageError(f"'{folder}' is a file, not a pipeline folder", hint=f"give the folder: '{folder.parent}'")
    found = [folder / name for name in _SPEC_FILE_NAMES if (folder / name).is_file()]
    if not found:
        raise UsageError(f"'{folder}' is not a pipeline folder: it has no spark-pipeline.yml", hint=_nearby(folder))
    if len(found) > 1:
        raise ConfigurationError(f"'{folder}' has both {found[0].name} and {found[1].name}", hint="keep one of them")
    # The folder is the one that was named, also where the file in it is a link to somewhere else.
    return found[0].parent.resolve() / found[0].name


def _nearby(folder: Path) -> str:
    patterns = [f"{above}{name}" for above in ("*/", "*/*/") for name in _SPEC_FILE_NAMES]
    below = sorted(path.parent for pattern in patterns for path in folder.glob(pattern))
    if below:
        return "pipeline folders below it: " + ", ".join(str(path) for path in below[:5])
    return "give the folder that holds spark-pipeline.yml"


def _read_spec(file: Path) -> _Spec:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigurationError(f"{file}{where}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: not valid YAML in UTF-8") from error
    if not isinstance(content, dict):
        raise ConfigurationError(
            f"{file}: must hold keys such as 'name:' and 'libraries:'", hint="it is empty or holds no mapping"
        )
    for key in content:
        if not isinstance(key, str):
            raise ConfigurationError(f"{file}: the key {key!r} must be a string")
    try:
        spec = _Spec.model_validate(content)
    except ValidationError as error:
        raise _first_error(file, content, error) from None
    if spec.database is not None and spec.schema_ is not None and spec.database != spec.schema_:
        raise ConfigurationError(f"{file}: 'database' and 'schema' mean the same and differ", hint="keep one of them")
    return spec


def _first_error(file: Path, content: dict[str, Any], error: ValidationError) -> ConfigurationError:
    # A misspelt key is also a missing one; the misspelling says more.
    problem = min(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
    place = problem["loc"]
    key = ".".join(str(part) for part in place)
    if problem["type"] == "extra_forbidden":
        return _unknown_key(file, key, place)
    if problem["type"] == "missing":
        return ConfigurationError(f"{file}: the key '{key}' is missing", hint=_MISSING_HINTS.get(key, ""))
    if place[0] == "configuration" and len(place) > 1:
        # A key of the configuration may itself hold dots and '[key]' marks a wrong key in pydantic's
        # position.
        name = str(place[1])
        value = content["configuration"].get(name)
        kind = type(value).__name__
        return ConfigurationError(
            f"{file}: the value of '{name}' under 'configuration' must be a string, not {kind}",
            hint=f'put it in quotes: {name}: "{_as_yaml_text(value)}"' if _is_scalar(value) else "",
        )
    return ConfigurationError(f"{file}: '{key}': {problem['msg'].removeprefix('Value error, ')}")


_MISSING_HINTS = {
    "name": "name: <what the pipeline is called>",
    "storage": "storage: <where Spark keeps checkpoints, such as file:///tmp/my_pipeline>;"
    " a local run keeps them in its warehouse folder instead",
}


def _is_scalar(value: object) -> bool:
    return isinstance(value, (bool, int, float))


def _as_yaml_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unknown_key(file: Path, key: str, place: tuple[int | str, ...]) -> ConfigurationError:
    if len(place) > 1:
        return ConfigurationError(
            f"{file}: unknown key '{key}'",
            hint="a library is written '- glob: {include: transformations/**}'",
        )
    allowed = [field.alias or name for name, field in _Spec.model_fields.items()]
    return ConfigurationError(
        f"{file}: unknown key '{key}'",
        hint=f"{did_you_mean(key, allowed)}Spark allows {', '.join(allowed)} here, and nothing else;"
        " settings of connector_lib live in files of their own beside this one",
    )


def _transformation_files(spec_file: Path, spec: _Spec) -> tuple[Path, ...]:
    if not spec.libraries:
        raise ConfigurationError(
            f"{spec_file}: 'libraries' names no transformation files",
            hint="libraries: [{glob: {include: transformations/**}}]",
        )
    found: set[Path] = set()
    for library in spec.libraries:
        pattern = library.glob.include
        matched = _matching_files(spec_file.parent, pattern)
        if not matched:
            raise ConfigurationError(
                f"{spec_file}: no file matches '{pattern}' under 'libraries'",
                hint=f"looked in {spec_file.parent}",
            )
        found.update(matched)
    return tuple(sorted(found))


def _check_suffixes(files: tuple[Path, ...]) -> None:
    for path in files:
        if path.suffix not in _TRANSFORMATION_SUFFIXES:
            raise ConfigurationError(
                f"{path}: a transformation file must end in .py or .sql", hint="move it out of the folder"
            )


def _check_python(files: tuple[Path, ...]) -> None:
    """Finds a syntax error before Spark is started for it."""
    for file in files:
        if file.suffix != ".py":
            continue
        try:
            with warnings.catch_warnings():
                # Python warns again when the file is run.
                warnings.simplefilter("ignore")
                ast.parse(file.read_bytes(), filename=str(file))
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            where = file if line is None else f"{file}:{line}"
            raise ConfigurationError(f"{where}: not valid Python: {getattr(error, 'msg', error)}") from None


def _check_settings(given: Mapping[str, str], spec: _Spec, files: tuple[Path, ...]) -> None:
    """Finds a misspelt setting, which nothing would ever read."""
    text = "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)
    named = set(_SETTING_IN_QUOTES.findall(text)) | spec.configuration.keys()
    for key in given:
        if key in named or key.startswith("spark."):
            continue
        raise UsageError(
            f"the pipeline '{spec.name}' has no setting '{key}'",
            hint=f"{did_you_mean(key, named)}it has {', '.join(sorted(named)) or 'none'}, and those of Spark"
            " ('spark.…'); others have to be under 'configuration' in its spark-pipeline.yml",
        )


def _matching_files(root: Path, pattern: str) -> list[Path]:
    expanded = f"{pattern}/*" if pattern.endswith("/**") else pattern
    return [path for path in root.glob(expanded) if path.is_file() and "__pycache__" not in path.parts]
