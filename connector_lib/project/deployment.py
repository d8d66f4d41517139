"""How a pipeline folder is deployed: ``deploy.yml`` beside its ``spark-pipeline.yml``.

::

    catalog: main
    schema: clinic
    extras: [fhir]
    configuration:
      source.storage_path: /Volumes/main/landing/hl7
    targets:
      prod:
        catalog: prod
        run_as: {service_principal_name: 3b1c…}
        permissions:
          - {group_name: analysts, level: CAN_VIEW}

The top level is for every target; what a target says takes its place, and adds to ``configuration``, ``tags`` and
``settings``. What is said on the command line takes the place of both. The file may be missing: then the catalog has to
come from the command line.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from connector_lib.connector.written_values import option_text, place_of_key, read_mapping
from connector_lib.errors import ConfigurationError, UsageError, did_you_mean
from connector_lib.project.pipeline import PipelineFolder, load_pipeline_folder
from connector_lib.redaction import SECRET_NAMES

__all__ = [
    "DEPLOY_FILE",
    "SECRET_REFERENCE",
    "Deployment",
    "Permission",
    "developer_suffix",
    "is_secret_setting",
    "load_deployment",
    "names_no_secret",
    "refuse_secret_setting",
]

DEPLOY_FILE: Final = "deploy.yml"
_DEV_TARGET: Final = "dev"
_MERGED: Final = ("configuration", "tags", "settings")
_LISTS: Final = ("extras", "dependencies", "notifications", "upload_anyway")
_SUFFIXED_IN_DEV: Final = ("name", "schema", "workspace_folder")
NOT_THE_PIPELINES_OWN: Final = ("spark.", "pipelines.", "connector.")
"""How settings begin that no transformation file has to name: those of the engine and of this library."""
SECRET_REFERENCE: Final = re.compile(r"\{\{secrets/[^/{}]+/[^/{}]+\}\}")
"""What stands in a setting for a secret of a secret scope."""
_NAMES_A_SECRET: Final = re.compile(
    r"(?i)(?:scope|scopes|secretkey|scopeentry|servicecredential|credentialname|provider|issuer|audience|algorithm"
    r"|(?:[._-]|(?<=[a-z])(?-i:(?=[A-Z])))(?:name|type|class|file|path|dir|location|url|uri|endpoint|column|field|header"
    r"|ms|millis|seconds|minutes|ttl|expiry|timeout|interval|size|length|count|limit|enabled|required))$"
)
"""Settings that say where a secret is kept, what sort it is or how long it lasts, and hold none."""
_ADDRESS_WITH_LOGIN: Final = re.compile(r"://[^/\s@]*:[^/\s@]+@")
_INDEX_WITH_LOGIN: Final = re.compile(r"(?i)https?://[^/\s@]*@")
"""A token alone, without a name before it, is a login of an index too."""
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^@]*")


def _as_text(value: Any) -> Any:
    return value if isinstance(value, (dict, list)) else option_text(value)


def _checked_folder(path: str) -> str:
    if not path.startswith(("/Workspace/", "/Users/", "/Shared/", "/Repos/")):
        raise ValueError("must be a folder of the workspace, such as '/Workspace/Shared/pipelines/clinic'")
    if re.sub(r"\{user\}", "", path).count("{") or ".." in path.split("/"):
        raise ValueError("may hold '{user}' and no other braces, and no '..'")
    return "/" + "/".join(part for part in path.split("/") if part)


_Text = Annotated[str, BeforeValidator(_as_text), Field(min_length=1)]
_Value = Annotated[str, BeforeValidator(_as_text)]
_Folder = Annotated[str, AfterValidator(_checked_folder), Field(min_length=1)]
_Level = Literal["CAN_VIEW", "CAN_RUN", "CAN_MANAGE"]
_Alert = Literal["on-update-success", "on-update-failure", "on-update-fatal-failure", "on-flow-failure"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class _Principal(_Strict):
    user_name: _Text | None = None
    group_name: _Text | None = None
    service_principal_name: _Text | None = None


class _Permission(_Principal):
    level: _Level


class _Notification(_Strict):
    email_recipients: list[_Text] = Field(min_length=1)
    alerts: list[_Alert] = Field(min_length=1)


class _Keys(_Strict):
    """What the top level and each target may say. None: not said."""

    name: _Text | None = None
    catalog: _Text | None = None
    schema_: _Text | None = Field(default=None, alias="schema")
    create_schema: bool | None = None
    workspace_folder: _Folder | None = None
    volume: _Text | None = None
    wheel: _Text | None = None
    extras: list[_Text] | None = None
    dependencies: list[_Text] | None = None
    as_library: bool | None = None
    serverless: bool | None = None
    continuous: bool | None = None
    development: bool | None = None
    channel: Literal["CURRENT", "PREVIEW"] | None = None
    edition: Literal["CORE", "PRO", "ADVANCED"] | None = None
    photon: bool | None = None
    environment_version: _Text | None = None
    configuration: dict[str, _Value] | None = None
    notifications: list[_Notification] | None = None
    tags: dict[str, _Value] | None = None
    run_as: _Principal | None = None
    permissions: list[_Permission] | None = None
    settings: dict[str, Any] | None = None


class _File(_Keys):
    upload_anyway: list[_Text] | None = None
    targets: dict[str, _Keys | None] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may do what with the pipeline: ``kind`` is ``user_name``, ``group_name`` or ``service_principal_name``;
    ``level`` is ``CAN_VIEW``, ``CAN_RUN`` or ``CAN_MANAGE``."""

    kind: str
    principal: str
    level: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """How a pipeline is deployed to one target.

    ``file`` is where ``deploy.yml`` is or would be. ``workspace_folder`` may hold ``{user}``; None: the default below
    the user's home. ``wheel`` is ``@latest``, a version, or a path in a Volume. ``configuration`` are the values of
    ``deploy.yml`` and of the command line, without those of ``spark-pipeline.yml``. ``settings`` are further fields of
    the pipelines API by their names there. None: nothing was said about it, and the workspace's value stays.
    """

    file: Path
    target: str | None
    name: str
    catalog: str | None = None
    schema: str | None = None
    create_schema: bool = False
    workspace_folder: str | None = None
    volume: str = "shared.libraries.python_packages"
    wheel: str = "@latest"
    extras: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    as_library: bool = False
    serverless: bool = True
    continuous: bool | None = None
    development: bool | None = None
    channel: str | None = None
    edition: str | None = None
    photon: bool | None = None
    environment_version: str | None = None
    configuration: Mapping[str, str] = field(default_factory=dict)
    notifications: tuple[Mapping[str, Any], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    run_as: Mapping[str, str] | None = None
    permissions: tuple[Permission, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    upload_anyway: tuple[str, ...] = ()

    def folder_of(self, user: str) -> str:
        """The folder in the workspace, as ``/Workspace/…``, where ``user`` deploys to.

        >>> Deployment(Path("deploy.yml"), None, "clinic").folder_of("ann@example.com")
        '/Workspace/Users/ann@example.com/connector_lib/clinic'
        """
        written = self.workspace_folder or f"/Workspace/Users/{{user}}/connector_lib/{_as_folder_name(self.name)}"
        path = written.replace("{user}", user)
        return path if path.startswith("/Workspace/") else f"/Workspace{path}"


def developer_suffix(user: str) -> str:
    """What the names of ``user``'s own pipelines end with: the name before the ``@`` in letters and digits of ASCII, or
    where it has none a short hash of the whole. Two users of one such name have to say in ``deploy.yml`` what is whose.

    >>> developer_suffix("ann.lee@example.com"), developer_suffix("李雷@example.com")
    ('_dev_ann_lee', '_dev_48da5211')
    """
    plain = re.sub(r"[^a-z0-9]+", "_", user.partition("@")[0].lower()).strip("_")
    return f"_dev_{plain or hashlib.sha256(user.encode()).hexdigest()[:8]}"


def is_secret_setting(key: str, value: str) -> bool:
    """Whether the pipeline's setting ``key`` is one that holds a secret, and not only says where one is kept.

    >>> is_secret_setting("kafka.password", "hush hush"), is_secret_setting("kafka.password", "{{secrets/lab/kafka}}")
    (True, False)
    """
    is_elsewhere = names_no_secret(key) or SECRET_REFERENCE.search(value) or _ADDRESS.fullmatch(value)
    return bool(value.strip()) and not is_elsewhere and re.search(SECRET_NAMES, key) is not None


def names_no_secret(name: str) -> bool:
    """Whether the setting or variable ``name`` says where a secret is, what sort or how old, and does not hold it.

    >>> names_no_secret("SECRET_SCOPE"), names_no_secret("fs.token.provider.type"), names_no_secret("kafka.password")
    (True, True, False)
    """
    return _NAMES_A_SECRET.search(name) is not None


def refuse_secret_setting(key: str, value: str) -> None:
    """Raises ConfigurationError where the pipeline's setting ``key`` holds a secret; it does not show it.

    However short it is: of what has the name of a secret only ``true`` and ``false`` are none. An address with a login
    is a secret under any name.
    """
    is_flag = value.strip().lower() in ("true", "false")
    if (is_secret_setting(key, value) and not is_flag) or _ADDRESS_WITH_LOGIN.search(value):
        raise ConfigurationError(
            f"the setting '{key}' holds a secret, which all who may see the pipeline could read",
            hint=f"put it into a secret scope, and write '{{{{secrets/<scope>/<key>}}}}' for '{key}'",
        )


def load_deployment(
    folder: PipelineFolder,
    target: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    developer: str | None = None,
) -> Deployment:
    """How ``folder`` is deployed to ``target``.

    ``overrides`` are keys of ``deploy.yml`` as they were given on the command line. With ``developer``, the name of a
    user, it is their own copy: of the target ``dev`` where there is one and none was asked for, in development mode,
    and name, schema and workspace folder end with their name, but for those that the target or the command line gives.

    Raises ConfigurationError that names file and key, UsageError for a target that is not there.
    """
    file = folder.root / DEPLOY_FILE
    content = _read(file)
    if target is None and developer is not None and _DEV_TARGET in content.targets:
        target = _DEV_TARGET
    of_target = _of_target(content, target, file)
    given = _given(overrides or {})
    keys = _merged(_said(content), _said(of_target), _said(given))
    if developer is not None:
        own = _said(of_target).keys() | _said(given).keys()
        keys = _of_developer(keys, own, folder, developer)
    deployment = _deployment(keys, folder, file, target)
    _require_known_settings(folder, given.configuration or {})
    _check(deployment, folder)
    return deployment


def deployment_targets(folder: PipelineFolder) -> tuple[str, ...]:
    """The names of the targets in ``deploy.yml``, as they are written. Raises ConfigurationError."""
    return tuple(_read(folder.root / DEPLOY_FILE).targets)


def _read(file: Path) -> _File:
    if not file.is_file():
        other = file.with_suffix(".yaml")
        if other.is_file():
            raise ConfigurationError(f"{other}: is not read", hint=f"call it {file.name}")
        return _File()
    if not file.read_text(encoding="utf-8", errors="replace").strip():
        return _File()
    content = read_mapping(file)
    try:
        return _File.model_validate(content)
    except ValidationError as error:
        raise _invalid(error, lambda keys: f"{file}{place_of_key(file, keys)}: ") from None


def _given(overrides: Mapping[str, Any]) -> _Keys:
    try:
        return _Keys.model_validate({key: value for key, value in overrides.items() if value is not None})
    except ValidationError as error:
        raise UsageError(_invalid(error, lambda keys: "on the command line: ").message) from None


def _of_target(content: _File, target: str | None, file: Path) -> _Keys:
    if target is None:
        return _Keys()
    if target not in content.targets:
        known = sorted(content.targets)
        raise UsageError(
            f"{file}: has no target '{target}'",
            hint=f"{did_you_mean(target, known)}targets: {', '.join(known) or 'none'}",
        )
    return content.targets[target] or _Keys()


def _said(keys: _Keys) -> dict[str, Any]:
    said = keys.model_dump(by_alias=True, exclude_none=True)
    said.pop("targets", None)
    return said


def _merged(*levels: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for level in levels:
        for key, value in level.items():
            merged[key] = {**merged.get(key, {}), **value} if key in _MERGED else value
    return merged


def _of_developer(keys: dict[str, Any], own: set[str], folder: PipelineFolder, developer: str) -> dict[str, Any]:
    suffix = developer_suffix(developer)
    common = {"name": folder.name, "schema": folder.database, **keys}
    suffixed = {
        key: f"{common[key]}{suffix}" for key in _SUFFIXED_IN_DEV if key not in own and common.get(key) is not None
    }
    return {**keys, **suffixed, "development": keys.get("development", True)}


def _deployment(keys: dict[str, Any], folder: PipelineFolder, file: Path, target: str | None) -> Deployment:
    principals = ("user_name", "group_name", "service_principal_name")
    permissions = []
    for number, entry in enumerate(keys.pop("permissions", [])):
        kind, principal = _only_one(entry, principals, f"{file}: 'permissions.{number}'")
        permissions.append(Permission(kind, principal, entry["level"]))
    run_as = keys.pop("run_as", None)
    if run_as is not None:
        run_as = dict([_only_one(run_as, principals, f"{file}: 'run_as'")])
    lists: dict[str, Any] = {key: tuple(keys.pop(key, ())) for key in _LISTS}
    return Deployment(
        file=file,
        target=target,
        name=keys.pop("name", folder.name),
        catalog=keys.pop("catalog", folder.catalog),
        schema=keys.pop("schema", folder.database),
        permissions=tuple(permissions),
        run_as=run_as,
        **lists,
        **keys,
    )


def _only_one(entry: Mapping[str, Any], kinds: tuple[str, ...], where: str) -> tuple[str, str]:
    named = [(kind, entry[kind]) for kind in kinds if kind in entry]
    if len(named) != 1:
        raise ConfigurationError(f"{where}: must name one of {', '.join(kinds)}")
    return named[0]


def _check(deployment: Deployment, folder: PipelineFolder) -> None:
    if deployment.serverless and deployment.photon is False:
        raise ConfigurationError(
            f"{deployment.file}: 'photon: false' needs 'serverless: false'", hint="serverless pipelines always have it"
        )
    if deployment.serverless and deployment.settings.get("clusters"):
        raise ConfigurationError(f"{deployment.file}: 'settings.clusters' needs 'serverless: false'")
    try:
        _require_known_settings(folder, deployment.configuration)
    except UsageError as error:
        raise ConfigurationError(f"{deployment.file}: 'configuration': {error.message}", hint=error.hint) from None
    for line in deployment.dependencies:
        if _ADDRESS_WITH_LOGIN.search(line) or _INDEX_WITH_LOGIN.search(line):
            raise ConfigurationError(
                f"{deployment.file}: 'dependencies': an address in it holds a login, which all who may see the pipeline"
                " could read",
                hint="let the workspace know the index and its login instead: Settings, Compute, Python package index",
            )
    for key, value in {**folder.configuration, **deployment.configuration}.items():
        refuse_secret_setting(key, value)


def _require_known_settings(folder: PipelineFolder, configuration: Mapping[str, str]) -> None:
    """Raises UsageError for a setting that no file of the pipeline asks for."""
    own = {
        key: value
        for key, value in configuration.items()
        if not key.startswith(NOT_THE_PIPELINES_OWN) and key not in folder.configuration
    }
    load_pipeline_folder(folder.root, own)


def _as_folder_name(name: str) -> str:
    return re.sub(r"[^\w.@-]+", "_", name)


def _invalid(error: ValidationError, place_of: Callable[[tuple[int | str, ...]], str]) -> ConfigurationError:
    problems = error.errors(include_url=False, include_input=False)
    # A misspelt key is also a missing one; the misspelling says more.
    problem = min(problems, key=lambda found: found["type"] != "extra_forbidden")
    place = ".".join(str(part) for part in problem["loc"])
    where = place_of(problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = _known_keys(problem["loc"])
        near = did_you_mean(str(problem["loc"][-1]), known)
        return ConfigurationError(f"{where}unknown key '{place}'", hint=f"{near}keys here: {', '.join(known)}")
    if problem["type"] == "missing":
        return ConfigurationError(f"{where}the key '{place}' is missing")
    words = problem["msg"].removeprefix("Value error, ")
    return ConfigurationError(f"{where}'{place}': {words[0].lower()}{words[1:]}")


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand where ``place`` ends."""
    models: dict[str, type[BaseModel]] = {
        "permissions": _Permission,
        "notifications": _Notification,
        "run_as": _Principal,
    }
    for part in reversed(place[:-1]):
        if part in models:
            return list(models[str(part)].model_fields)
    model = _File if len(place) == 1 else _Keys
    return [entry.alias or name for name, entry in model.model_fields.items()]
