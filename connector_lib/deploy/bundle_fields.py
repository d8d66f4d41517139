"""The fields of a Databricks asset bundle that are not those of a pipeline or a job, and a check for others.

``databricks bundle validate`` ends with 0 for a field that it does not know, so a misspelt one would be passed over.
Source: ``bundle/schema/jsonschema.json`` of the Databricks CLI, and
https://docs.databricks.com/aws/en/dev-tools/bundles/reference. Deprecated fields are left out of the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector_lib.errors import ConfigurationError, did_you_mean

__all__ = ["check_bundle", "check_resources"]

_ANYTHING: Final[dict[str, Any]] = {}
_PRINCIPAL: Final = {"group_name": str, "service_principal_name": str, "user_name": str}
_PERMISSIONS: Final = [{"level": str, **_PRINCIPAL}]
_RUN_AS: Final = {"service_principal_name": str, "user_name": str}
_WORKSPACE: Final = {
    **dict.fromkeys(("artifact_path", "file_path", "host", "profile", "resource_path", "root_path", "state_path"), str)
}
_SYNC: Final = {"exclude": [str], "include": [str], "paths": [str]}
_BUNDLE: Final = {"databricks_cli_version": str, "name": str}
_VARIABLE: Final = {"default": object, "description": str, "type": str}
_TARGET: Final = {
    "default": bool,
    "mode": str,
    "permissions": _PERMISSIONS,
    "resources": _ANYTHING,
    "run_as": _RUN_AS,
    "sync": _SYNC,
    "variables": {"*": object},
    "workspace": _WORKSPACE,
}
_ROOT: Final = {
    "bundle": _BUNDLE,
    "include": [str],
    "permissions": _PERMISSIONS,
    "resources": _ANYTHING,
    "run_as": _RUN_AS,
    "sync": _SYNC,
    "targets": {"*": _TARGET},
    "variables": {"*": _VARIABLE},
    "workspace": _WORKSPACE,
}
"""The fields that a bundle of ours may have: a mapping has these keys, ``*`` stands for any name, a list has entries of
one form."""

_OF_THE_BUNDLE: Final = {"lifecycle", "permissions", "run_as"}
"""What a pipeline or a job of a bundle has beside the fields of the API."""
_GIVEN_UP: Final = {"target", "trigger", "storage"}
"""Fields of a pipeline that are deprecated, or not for Unity Catalog."""


def check_bundle(document: Mapping[str, Any]) -> None:
    """Raises ConfigurationError for a field of ``databricks.yml`` that is not in the table; it names its place."""
    _check(document, _ROOT, "")


def check_resources(pipeline: Mapping[str, Any], job: Mapping[str, Any]) -> None:
    """Raises ConfigurationError for a field of the pipeline or of the job that the SDK's dataclasses do not have, or
    that is deprecated. Both are documents without variables."""
    from databricks.sdk.service.jobs import JobSettings
    from databricks.sdk.service.pipelines import PipelineSpec

    from connector_lib.deploy.pipeline_settings import check_fields

    for name in sorted(_GIVEN_UP & pipeline.keys()):
        raise ConfigurationError(f"the pipeline's field '{name}' is deprecated", hint="leave it out")
    for library in pipeline.get("libraries", ()):
        if "whl" in library:
            raise ConfigurationError(
                "a wheel under 'libraries' is deprecated in bundles", hint="leave 'as_library' out of deploy.yml"
            )
    check_fields(
        {key: value for key, value in pipeline.items() if key not in _OF_THE_BUNDLE}, PipelineSpec, "pipeline: "
    )
    check_fields({key: value for key, value in job.items() if key not in _OF_THE_BUNDLE}, JobSettings, "job: ")


def _check(value: Any, form: Any, place: str) -> None:
    if form is _ANYTHING or form is object:
        return
    if isinstance(form, list):
        if not isinstance(value, list):
            raise ConfigurationError(f"databricks.yml: '{place}' must be a list")
        for number, entry in enumerate(value):
            _check(entry, form[0], f"{place}.{number}")
        return
    if isinstance(form, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigurationError(f"databricks.yml: '{place}' must be a mapping")
        for key, entry in value.items():
            here = f"{place}.{key}" if place else str(key)
            if "*" not in form and key not in form:
                hint = f"{did_you_mean(str(key), form)}fields here: {', '.join(form)}"
                raise ConfigurationError(f"databricks.yml: unknown field '{here}'", hint=hint)
            _check(entry, form.get("*", form.get(key)), here)
        return
    if not isinstance(value, form):
        raise ConfigurationError(f"databricks.yml: '{place}' must be {'text' if form is str else 'true or false'}")
