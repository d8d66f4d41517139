"""The settings of a pipeline as the pipelines API takes them, from ``spark-pipeline.yml`` and ``deploy.yml``.

The API and the SDK pass over a field that they do not know, so a misspelt setting would be one that nobody ever sees:
:func:`check_fields` finds it by the SDK's own dataclasses.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePosixPath
from typing import Any, Final, TypeAlias

from connector_lib.errors import ConfigurationError, did_you_mean
from connector_lib.project.deployment import Deployment
from connector_lib.project.pipeline import PipelineFolder

__all__ = ["check_fields", "pipeline_settings"]

Kind: TypeAlias = "type | Callable[..., Any]"
_DEPRECATED: Final = {
    "target": "use 'schema' of deploy.yml",
    "trigger": "use 'continuous' of deploy.yml",
    "storage": "tables of Unity Catalog have no storage folder of the pipeline",
}
_MADE_HERE: Final = ("id", "libraries", "environment", "root_path", "ingestion_definition", "gateway_definition")
_OWN_KEYS: Final = (
    *("name", "catalog", "schema", "serverless", "continuous", "development", "channel", "edition", "photon"),
    *("configuration", "notifications", "tags", "run_as"),
)


def pipeline_settings(
    folder: PipelineFolder, deployment: Deployment, wheel: str, *, workspace_folder: str
) -> dict[str, Any]:
    """The body of a request that creates the pipeline: ``PipelineSpec`` of the SDK as JSON, and ``run_as``.

    ``wheel`` is the path of the wheel in its Volume, ``workspace_folder`` where the pipeline's files lie in the
    workspace. What ``deployment`` says nothing about has no key; settings of ``spark-pipeline.yml`` that are blank are
    as good as absent, and left out.

    Raises ConfigurationError for a field under ``settings`` of ``deploy.yml`` that the API does not have, or that is
    made by other keys, where there is no catalog or schema, and for transformation files outside of the folder.
    """
    _require_destination(deployment)
    _require_settings_of_their_own(deployment)
    written = {**folder.configuration, **deployment.configuration}
    optional = {
        "configuration": {key: value for key, value in written.items() if value.strip()},
        "continuous": deployment.continuous,
        "development": deployment.development,
        "channel": deployment.channel,
        "edition": deployment.edition,
        "photon": deployment.photon,
        "notifications": [dict(entry) for entry in deployment.notifications],
        "tags": dict(deployment.tags),
        "run_as": dict(deployment.run_as) if deployment.run_as else None,
    }
    settings: dict[str, Any] = {
        "name": deployment.name,
        "catalog": deployment.catalog,
        "schema": deployment.schema,
        "serverless": deployment.serverless,
        "root_path": workspace_folder,
        "libraries": _libraries(folder, deployment, wheel, workspace_folder),
        **{key: value for key, value in optional.items() if value is False or value},
        **_plain_numbers(deployment.settings),
    }
    environment = _environment(deployment, wheel)
    if environment:
        settings["environment"] = environment
    return settings


def check_fields(document: Mapping[str, Any], kind: Kind, where: str = "") -> None:
    """Raises ConfigurationError for a key of ``document``, at any depth, that is no field of the dataclass ``kind``.

    ``kind`` may also be a method of the SDK, whose parameters are the fields. Values are checked too: truth values,
    text, lists, and the words of an enumeration. ``where`` comes before the place in the error.

    >>> from databricks.sdk.service.pipelines import PipelineSpec
    >>> check_fields({"name": "clinic", "libraries": [{"glob": {"includ": "/a/**"}}]}, PipelineSpec)
    Traceback (most recent call last):
    ...
    connector_lib.errors.ConfigurationError: unknown field 'libraries.0.glob.includ'
      did you mean 'include'? fields here: include
    """
    _check_object(document, kind, where, "")


def _require_destination(deployment: Deployment) -> None:
    for key in ("catalog", "schema"):
        if getattr(deployment, key) is None:
            of_target = f" of the target '{deployment.target}'" if deployment.target else ""
            raise ConfigurationError(
                f"{deployment.file}: no {key} for the tables{of_target}",
                hint=f"write '{key}: <name>' into it, or give --{key}",
            )


def _require_settings_of_their_own(deployment: Deployment) -> None:
    where = f"{deployment.file}: 'settings"
    for key in deployment.settings:
        if key in _DEPRECATED:
            raise ConfigurationError(f"{where}.{key}' is a field that the API gave up", hint=_DEPRECATED[key])
        if key in _OWN_KEYS:
            raise ConfigurationError(f"{where}.{key}' has a key of its own", hint=f"write '{key}:' outside 'settings'")
        if key in _MADE_HERE:
            raise ConfigurationError(f"{where}.{key}' is set by the deployment itself", hint="leave it out")
    if deployment.settings:
        from databricks.sdk.service.pipelines import PipelineSpec

        check_fields(deployment.settings, PipelineSpec, f"{deployment.file}: 'settings': ")


def _libraries(folder: PipelineFolder, deployment: Deployment, wheel: str, workspace_folder: str) -> list[Any]:
    for pattern in folder.libraries:
        if ".." in PurePosixPath(pattern).parts:
            raise ConfigurationError(
                f"{folder.spec_file}: '{pattern}' under 'libraries' leaves the pipeline folder, and only what is in it"
                " is deployed",
                hint=f"move these files into {folder.root}; modules that several pipelines need belong into a wheel",
            )
    globs = [{"glob": {"include": f"{workspace_folder.rstrip('/')}/{pattern}"}} for pattern in folder.libraries]
    if not deployment.as_library:
        return globs
    from connector_lib.deploy.install_lines import library_entry

    if deployment.extras:
        raise ConfigurationError(
            f"{deployment.file}: 'as_library: true' cannot bring 'extras': a wheel under 'libraries' has none",
            hint="leave 'as_library' out, or name the packages of the extras under 'dependencies'",
        )
    return [library_entry(wheel), *globs]


def _environment(deployment: Deployment, wheel: str) -> dict[str, Any]:
    from connector_lib.deploy.install_lines import environment_dependency

    lines = [] if deployment.as_library else [environment_dependency(wheel, deployment.extras)]
    environment: dict[str, Any] = {}
    if lines or deployment.dependencies:
        environment["dependencies"] = [*lines, *deployment.dependencies]
    if deployment.environment_version is not None:
        environment["environment_version"] = deployment.environment_version
    return environment


def _plain_numbers(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {key: _plain_numbers(entry) for key, entry in value.items()}
    return [_plain_numbers(entry) for entry in value] if isinstance(value, list) else value


def _check_object(document: Any, kind: Kind, where: str, place: str) -> None:
    if not isinstance(document, Mapping):
        raise _wrong_value(where, place, "an object with keys")
    hints = _fields(kind)
    for key, value in document.items():
        here = f"{place}.{key}" if place else str(key)
        if key not in hints:
            raise ConfigurationError(
                f"{where}unknown field '{here}'",
                hint=f"{did_you_mean(str(key), hints)}fields here: {', '.join(sorted(hints))}",
            )
        _check_value(value, hints[key], where, here)


def _fields(kind: Kind) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    if dataclasses.is_dataclass(kind):
        return {entry.name: hints[entry.name] for entry in dataclasses.fields(kind)}
    return {name: hints[name] for name in inspect.signature(kind).parameters if name in hints}


def _check_value(value: Any, hint: Any, where: str, place: str) -> None:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is not None:
            (only,) = (it for it in inner if it is not type(None))
            _check_value(value, only, where, place)
    elif origin is list:
        if not isinstance(value, list):
            raise _wrong_value(where, place, "a list")
        for number, entry in enumerate(value):
            _check_value(entry, inner[0], where, f"{place}.{number}")
    elif origin is dict:
        if not isinstance(value, Mapping):
            raise _wrong_value(where, place, "an object with keys")
        for key, entry in value.items():
            _check_value(entry, inner[1], where, f"{place}.{key}")
    elif dataclasses.is_dataclass(hint):
        _check_object(value, typing.cast("type", hint), where, place)
    elif isinstance(hint, type) and issubclass(hint, Enum):
        words = [str(it.value) for it in hint]
        if value not in words:
            raise _wrong_value(where, place, f"one of {', '.join(words)}")
    elif isinstance(hint, type) and not _is_of(value, hint):
        raise _wrong_value(where, place, _WORDS.get(hint, hint.__name__))


_WORDS: Final = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def _is_of(value: Any, kind: type) -> bool:
    if kind in (int, float):
        return isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _wrong_value(where: str, place: str, wanted: str) -> ConfigurationError:
    return ConfigurationError(f"{where}'{place}' must be {wanted}")
