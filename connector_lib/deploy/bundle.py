"""A pipeline folder as a Databricks asset bundle: what ``databricks bundle deploy`` takes.

The pipeline has the settings that :func:`~connector_lib.deploy.pipeline_settings.pipeline_settings` gives. What differs
from target to target is a variable, or a field of the target. Two things are the bundle's own: in a target with
``mode: development`` the Databricks CLI puts ``[dev <user>]`` before names, pauses schedules and makes pipelines
development ones; and files are named by paths from the file that names them.

Sources: https://docs.databricks.com/aws/en/dev-tools/bundles/settings, …/deployment-modes, …/variables ("complex
variables"); ``target with 'mode: production' cannot include a pipeline with 'development: true'`` (Databricks CLI).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connector_lib import __version__
from connector_lib.connector.spec import PipelineSpec
from connector_lib.connector.written_values import read_mapping
from connector_lib.deploy.bundle_fields import check_bundle, check_resources
from connector_lib.deploy.bundle_text import BundleText, ConnectionNeeded, bundle_yaml, job_yaml, pipeline_yaml, readme
from connector_lib.deploy.pipeline_files import files_to_deploy
from connector_lib.deploy.pipeline_settings import pipeline_settings
from connector_lib.deploy.secret_check import refuse_secrets
from connector_lib.deploy.volume_files import DEFAULT_VOLUME, VolumeName
from connector_lib.errors import ConfigurationError, UsageError
from connector_lib.project.deployment import Deployment, deployment_targets, developer_suffix, load_deployment
from connector_lib.project.pipeline import PipelineFolder

__all__ = ["BundleOptions", "PipelineBundle", "build_bundle"]

_DEV: Final = "dev"
_PROD: Final = "prod"
_USER: Final = "${workspace.current_user.short_name}"
_WHEEL: Final = "${var.wheel_folder}/connector_lib-${var.wheel_version}-py3-none-any.whl"
_WHEEL_PATH: Final = re.compile(r"(?P<folder>/Volumes/.+)/connector_lib-(?P<version>[^-/]+)-py3-none-any\.whl")
_VERSION: Final = re.compile(r"\d[\w.!+]*")
_FAILURES: Final = {"on-update-failure", "on-update-fatal-failure"}
_SPEC_FILE: Final = "ingest.yml"


@dataclass(frozen=True, slots=True)
class BundleOptions:
    """What is said on the command line. ``wheel`` is a version or a path in a Volume, ``volume`` where releases are;
    None: what ``deploy.yml`` says, or this version. ``schedule`` is a Quartz cron expression in ``timezone``;
    ``overrides`` are keys of ``deploy.yml``."""

    wheel: str | None = None
    volume: str | None = None
    schedule: str = "0 0 3 * * ?"
    timezone: str = "UTC"
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PipelineBundle:
    """The files of a bundle by their path in its folder, and what each target deploys: catalog, schema and wheel."""

    files: Mapping[str, bytes]
    targets: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class _Target:
    name: str
    deployment: Deployment
    settings: dict[str, Any]
    schema: str
    wheel_folder: str
    wheel_version: str

    @property
    def is_development(self) -> bool:
        return self.name == _DEV or bool(self.deployment.development)

    @property
    def wheel(self) -> str:
        return f"{self.wheel_folder}/connector_lib-{self.wheel_version}-py3-none-any.whl"


def build_bundle(folder: PipelineFolder, options: BundleOptions = BundleOptions()) -> PipelineBundle:
    """The bundle of ``folder``; the same folder and options give the same bytes.

    Its targets are ``dev`` and ``prod``, and the others of ``deploy.yml``. In ``dev`` the schema ends with the name of
    whoever deploys, unless the target says which one it is.

    Raises ConfigurationError where a setting is missing, holds a secret, or cannot be in a bundle; UsageError for a
    version or Volume that is none.
    """
    key = _resource_key(folder.name)
    targets = [_target(folder, name, key, options) for name in _target_names(folder)]
    pipeline, variables, of_targets = _pipeline(targets)
    job, job_variables = _job(key, folder.name, targets, options)
    for target in targets:
        check_resources(target.settings, _resolved_job(job, target))
    content = BundleText(
        key=key,
        name=folder.name,
        pipeline=pipeline,
        job=job,
        bundle=_bundle(key, targets, {**variables, **job_variables}, of_targets),
        connection=_connection(folder),
    )
    check_bundle(content.bundle)
    files = {
        "README.md": readme(content, folder),
        ".gitignore": ".databricks/\n",
        "databricks.yml": bundle_yaml(content),
        f"resources/{key}.pipeline.yml": pipeline_yaml(content),
        f"resources/{key}.job.yml": job_yaml(content),
    }
    uploaded = files_to_deploy(folder, targets[0].deployment.upload_anyway)
    sources = {f"src/{key}/{path}": text for path, text in uploaded.items()}
    said = {
        target.name: {"catalog": target.settings["catalog"], "schema": target.schema, "wheel": target.wheel}
        for target in targets
    }
    return PipelineBundle({**{path: text.encode() for path, text in files.items()}, **sources}, said)


def _target_names(folder: PipelineFolder) -> list[str]:
    others = sorted(set(deployment_targets(folder)) - {_DEV, _PROD})
    return [_DEV, _PROD, *others]


def _target(folder: PipelineFolder, name: str, key: str, options: BundleOptions) -> _Target:
    named = name if name in deployment_targets(folder) else None
    overrides = {**options.overrides, "volume": options.volume}
    deployment = load_deployment(folder, named, overrides)
    if deployment.as_library:
        raise ConfigurationError(
            f"{deployment.file}: 'as_library: true' makes a field of the pipeline that is deprecated in bundles",
            hint="leave it out for the bundle: the wheel is a dependency of the environment",
        )
    wheel_folder, version = _wheel(deployment, options)
    settings = pipeline_settings(folder, deployment, _WHEEL, workspace_folder=f"../src/{key}")
    _refuse_references({**settings, "environment": {}}, deployment)
    refuse_secrets(_readable(settings, deployment), f"{deployment.file}: the setting")
    schema = settings["schema"]
    if name == _DEV and _has_schema_of_all_targets(folder, named, options):
        # Two pipelines cannot keep the same tables.
        schema = f"{schema}_dev_{_USER}"
    return _Target(name, deployment, settings, schema, wheel_folder, version)


def _readable(settings: Mapping[str, Any], deployment: Deployment) -> dict[str, Any]:
    """What of a target is written into the bundle."""
    principals = [entry.principal for entry in deployment.permissions]
    return {**settings, "permissions": principals, "workspace_folder": deployment.workspace_folder}


def _has_schema_of_all_targets(folder: PipelineFolder, target: str | None, options: BundleOptions) -> bool:
    """Whether the target ``dev`` says nothing of a schema, so that it would share that of the others."""
    if options.overrides.get("schema") is not None:
        return True
    own = load_deployment(folder, target, developer=_PROD)
    return own.schema is not None and own.schema.endswith(developer_suffix(_PROD))


def _wheel(deployment: Deployment, options: BundleOptions) -> tuple[str, str]:
    """Folder and version of the wheel. Nothing is looked up: ``@latest`` is the version that writes the bundle."""
    wanted = options.wheel or (deployment.wheel if deployment.wheel != "@latest" else __version__)
    path = _WHEEL_PATH.fullmatch(wanted)
    if path is not None:
        return path["folder"], path["version"]
    if not _VERSION.fullmatch(wanted):
        raise UsageError(
            f"'{wanted}' is neither a version of connector_lib nor the path of its wheel in a Volume",
            hint=f"--wheel {__version__}; 'connector-lib releases' lists the versions that are there",
        )
    return f"{VolumeName.parse(deployment.volume or DEFAULT_VOLUME).path}/connector_lib", wanted


def _refuse_references(settings: Mapping[str, Any], deployment: Deployment) -> None:
    for key, value in settings.items():
        if "${" in json.dumps(value):
            raise ConfigurationError(
                f"{deployment.file}: '{key}' holds '${{', which a bundle takes for a variable of its own",
                hint="a bundle has no way to write it: use 'connector-lib deploy' for this pipeline",
            )


def _pipeline(targets: list[_Target]) -> tuple[dict[str, Any], dict[str, Any], dict[str, dict[str, Any]]]:
    """The pipeline's common fields, the variables in them, and the fields that single targets have."""
    pipeline: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    of_targets: dict[str, dict[str, Any]] = {target.name: {} for target in targets}
    every = [{**target.settings, "catalog": "${var.catalog}", "schema": "${var.schema}"} for target in targets]
    for settings in every:
        # Said by the mode and by 'run_as' of the target.
        settings.pop("development", None)
        settings.pop("run_as", None)
    for name in dict.fromkeys(name for settings in every for name in settings):
        values = [settings.get(name) for settings in every]
        if all(value == values[0] for value in values):
            pipeline[name] = values[0]
        elif any(isinstance(value, (dict, list)) for value in values):
            empty: Any = {} if any(isinstance(value, dict) for value in values) else []
            pipeline[name] = f"${{var.{name}}}"
            variables[name] = [empty if value is None else value for value in values]
        else:
            for target, value in zip(targets, values, strict=True):
                if value is not None:
                    of_targets[target.name][name] = value
    return pipeline, variables, of_targets


def _job(
    key: str, folder_name: str, targets: list[_Target], options: BundleOptions
) -> tuple[dict[str, Any], dict[str, Any]]:
    variables: dict[str, Any] = {}
    job: dict[str, Any] = {"name": folder_name}
    if not any(target.deployment.continuous for target in targets):
        job["schedule"] = {
            "quartz_cron_expression": options.schedule,
            "timezone_id": options.timezone,
            "pause_status": "${var.schedule_status}",
        }
        variables["schedule_status"] = ["PAUSED" if target.is_development else "UNPAUSED" for target in targets]
    recipients = [_recipients(target.deployment) for target in targets]
    if any(recipients):
        is_common = all(listed == recipients[0] for listed in recipients)
        job["email_notifications"] = {"on_failure": recipients[0] if is_common else "${var.failure_recipients}"}
        if not is_common:
            variables["failure_recipients"] = recipients
    job["max_concurrent_runs"] = 1
    job["queue"] = {"enabled": True}
    job["tasks"] = [
        {"task_key": "run_pipeline", "pipeline_task": {"pipeline_id": f"${{resources.pipelines.{key}.id}}"}}
    ]
    return job, variables


def _recipients(deployment: Deployment) -> list[str]:
    wanted = [entry for entry in deployment.notifications if _FAILURES & set(entry["alerts"])]
    return list(dict.fromkeys(address for entry in wanted for address in entry["email_recipients"]))


def _resolved_job(job: Mapping[str, Any], target: _Target) -> dict[str, Any]:
    """The job with values in the place of variables, for the check of its fields."""
    resolved = {**job}
    if "schedule" in job:
        resolved["schedule"] = {**job["schedule"], "pause_status": "PAUSED" if target.is_development else "UNPAUSED"}
    if "email_notifications" in job:
        resolved["email_notifications"] = {"on_failure": _recipients(target.deployment)}
    return resolved


def _bundle(
    key: str, targets: list[_Target], more: Mapping[str, list[Any]], of_targets: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    variables: dict[str, dict[str, Any]] = {
        name: {"description": text}
        for name, text in (
            ("catalog", "Catalog of the tables"),
            ("schema", "Schema of the tables"),
            ("wheel_version", "Version of connector_lib that the pipeline runs with"),
            ("wheel_folder", "Folder of a Volume that has the wheels of connector_lib"),
        )
    }
    for name, values in more.items():
        variables[name] = {"description": _DESCRIPTIONS.get(name, f"The pipeline's field '{name}'")}
        if isinstance(values[0], (dict, list)):
            variables[name]["type"] = "complex"
    return {
        "bundle": {"name": key},
        "include": ["resources/*.yml"],
        "sync": {"exclude": ["README.md", ".connector_lib_bundle.json"]},
        "variables": variables,
        "targets": {
            target.name: _of_target(key, target, number, more, of_targets[target.name])
            for number, target in enumerate(targets)
        },
    }


_HOME_OF_DEPLOYER: Final = "/Workspace/Users/${workspace.current_user.userName}"
_DESCRIPTIONS: Final = {
    "configuration": "Settings of the pipeline",
    "failure_recipients": "Who is told by mail when a run of the job fails",
    "schedule_status": "Whether the job starts by its schedule: PAUSED or UNPAUSED",
}


def _of_target(
    key: str, target: _Target, number: int, more: Mapping[str, list[Any]], fields: Mapping[str, Any]
) -> dict[str, Any]:
    deployment = target.deployment
    document: dict[str, Any] = {"mode": "development" if target.is_development else "production"}
    if target.name == _DEV:
        document["default"] = True
    if not target.is_development:
        document["workspace"] = {"root_path": _root_path(deployment)}
    document["variables"] = {
        "catalog": target.settings["catalog"],
        "schema": target.schema,
        "wheel_version": target.wheel_version,
        "wheel_folder": target.wheel_folder,
        **{name: _value_of_variable(values[number]) for name, values in more.items()},
    }
    if deployment.run_as:
        document["run_as"] = dict(deployment.run_as)
    if deployment.permissions:
        document["permissions"] = [
            {entry.kind: entry.principal, "level": entry.level} for entry in deployment.permissions
        ]
    if fields:
        document["resources"] = {"pipelines": {key: dict(fields)}}
    return document


def _value_of_variable(value: Any) -> Any:
    """A value of a target's variable. Mappings and lists in the long form, which no key of theirs can be taken for."""
    return {"default": value} if isinstance(value, (dict, list)) else value


def _root_path(deployment: Deployment) -> str:
    """The folder of the target: the one that ``deploy.yml`` names, of the principal that runs it, or of who deploys it.

    Not below ``/Workspace/Shared`` unasked: all may write there, and ``bundle validate`` warns of it where ``users``
    may not manage all of the bundle (https://github.com/databricks/cli/pull/1821).
    """
    if deployment.workspace_folder is not None and "{user}" not in deployment.workspace_folder:
        above = deployment.folder_of("")
    elif deployment.run_as:
        above = f"/Workspace/Users/{next(iter(deployment.run_as.values()))}"
    else:
        above = _HOME_OF_DEPLOYER
    return f"{above}/.bundle/${{bundle.name}}/${{bundle.target}}"


def _connection(folder: PipelineFolder) -> ConnectionNeeded | None:
    file = folder.root / _SPEC_FILE
    if not file.is_file():
        return None
    name = PipelineSpec.load(file).connection
    local = folder.root / "connections.yml"
    known = read_mapping(local).get("connections") if local.is_file() else None
    entry = known.get(name) if isinstance(known, dict) else None
    source = entry.get("source") if isinstance(entry, dict) else None
    return ConnectionNeeded(name, source if isinstance(source, str) else None)


def _resource_key(name: str) -> str:
    """The name of a resource: letters, digits and underscores, a letter first."""
    key = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return key if key and key[0].isalpha() else f"pipeline_{key}".rstrip("_")
