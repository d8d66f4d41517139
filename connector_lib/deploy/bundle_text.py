"""The files of an asset bundle as text: YAML with comments, and the README."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import indent
from typing import Any, Final

import yaml

from connector_lib.project.pipeline import PipelineFolder

__all__ = ["BundleText", "ConnectionNeeded", "bundle_yaml", "job_yaml", "pipeline_yaml", "readme"]

_DOCS: Final = "https://docs.databricks.com/aws/en/dev-tools/bundles"
_TARGET_COMMENTS: Final = {
    "development": "Deployed resources begin with '[dev <you>]', schedules are paused, pipelines are development ones.",
    "production": "One copy for everybody, below 'root_path'. 'bundle validate' refuses what belongs into development.",
}
_SHARED_COMMENT: Final = (
    "# Everybody in the workspace may write to /Workspace/Shared, of which 'bundle validate' warns: better a folder of"
    " a service principal's own."
)
_HOME_COMMENT: Final = (
    "# The home of who deploys: let it be one and the same, best a service principal, or name its folder."
)


@dataclass(frozen=True, slots=True)
class ConnectionNeeded:
    """The connection of Unity Catalog that the pipeline reads; ``source`` is what it leads to, if the folder says."""

    name: str
    source: str | None


@dataclass(frozen=True, slots=True)
class BundleText:
    """What the texts are made of: ``key`` is the name of the resources, ``bundle`` the content of ``databricks.yml``,
    ``pipeline`` and ``job`` the fields of the two resources."""

    key: str
    name: str
    pipeline: Mapping[str, Any]
    job: Mapping[str, Any]
    bundle: Mapping[str, Any]
    connection: ConnectionNeeded | None


class _Dumper(yaml.SafeDumper):
    """Lists stand below their key, as in the pages of Databricks, and nothing is an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def bundle_yaml(content: BundleText) -> str:
    """The text of ``databricks.yml``."""
    bundle = content.bundle
    targets = "\n".join(indent(_target(name, target), "  ") for name, target in bundle["targets"].items())
    return (
        f"# Databricks asset bundle of the pipeline '{content.name}': {_DOCS}\n"
        "# Written by 'connector-lib bundle'; README.md says how to use it, and how to write it again.\n"
        f"{_yaml({'bundle': bundle['bundle'], 'include': bundle['include'], 'sync': bundle['sync']})}\n"
        "# What differs from target to target; the values are below.\n"
        f"{_yaml({'variables': bundle['variables']})}\n"
        f"targets:\n{targets}"
    )


def pipeline_yaml(content: BundleText) -> str:
    """The text of ``resources/<key>.pipeline.yml``."""
    return (
        "# The pipeline. Paths are from this file; the Databricks CLI makes paths of the workspace of them.\n"
        f"{_yaml({'resources': {'pipelines': {content.key: dict(content.pipeline)}}})}"
    )


def job_yaml(content: BundleText) -> str:
    """The text of ``resources/<key>.job.yml``."""
    when = (
        "# The job that runs the pipeline by a schedule, paused in development.\n"
        if "schedule" in content.job
        else "# The job that starts the pipeline. It has no schedule: the pipeline is continuous.\n"
    )
    return when + _yaml({"resources": {"jobs": {f"{content.key}_job": dict(content.job)}}})


def readme(content: BundleText, folder: PipelineFolder) -> str:
    """The text of ``README.md``."""
    targets = content.bundle["targets"]
    rows = "\n".join(
        f"| `{name}` | {target['mode']} | `{target['variables']['catalog']}` | `{target['variables']['schema']}` |"
        f" `{target['variables']['wheel_version']}` |"
        for name, target in targets.items()
    )
    prod = targets["prod"]["variables"]
    schema = shlex.quote(f"{prod['catalog']}.{prod['schema']}")
    reads = f" --connection {shlex.quote(content.connection.name)}" if content.connection is not None else ""
    volumes = [_volume(target["variables"]["wheel_folder"]) for target in targets.values()]
    publish = "\n".join(f"   connector-lib publish --create --volume {volume}" for volume in dict.fromkeys(volumes))
    wheels = " ".join(
        dict.fromkeys(
            f"`{said['wheel_folder']}/connector_lib-{said['wheel_version']}-py3-none-any.whl`"
            for said in (target["variables"] for target in targets.values())
        )
    )
    schedule = (
        "The job runs the pipeline by the schedule in"
        f" `resources/{content.key}.job.yml`; `schedule_status` of the target pauses it."
        if "schedule" in content.job
        else "The pipeline is continuous, so the job has no schedule: it starts the pipeline once."
    )
    return f"""\
# {content.name}

A Databricks asset bundle: a pipeline of connector_lib, and a job that runs it.

| target | mode | catalog | schema | connector_lib |
|---|---|---|---|---|
{rows}

## Before the first time

1. Install the Databricks CLI, newer than September 2025 (`run_as` of a bundle counts for pipelines since then), and log
   in:

   ```sh
   databricks auth login --host https://<workspace>
   ```

2. The wheel has to be in the Volume: {wheels}. `pip install 'connector_lib[deploy]'`, then

   ```sh
{publish}
   ```

3. Whoever the pipeline runs as needs rights on the schema, the Volume and the connection. This prints them as SQL:

   ```sh
   connector-lib grants --role pipeline --principal <user-or-group> \\
     --schema {schema} --volume {_volume(prod["wheel_folder"])}{reads}
   ```
{_connection_step(content.connection)}{_blank_settings(folder)}
## Deploy and run

```sh
databricks bundle validate --strict --target dev
databricks bundle deploy --target dev
databricks bundle run {content.key} --target dev
```

`--profile <name>` chooses the workspace. When the tables are right, the same with `--target prod`. {schedule}

## Change something

- **Another version of connector_lib**: `wheel_version` of the target in `databricks.yml`, first of `dev`, then of
  `prod`. A version in the Volume never changes.
- **Settings**: `configuration` in `resources/{content.key}.pipeline.yml`, or in `databricks.yml` where targets differ.
  Secrets do not belong there: they are in a connection, or in a secret scope.
- **Who may see and run it**: `permissions` of the target. **As whom it runs**: `run_as` of the target.
- **The pipeline itself**: `src/{content.key}/`. It is a copy of the pipeline folder `{folder.root.name}`; change it
  there, and write the bundle again:

  ```sh
  connector-lib bundle <path>/{folder.root.name} --out <this folder>
  ```

  Files that were changed here by hand are named then, and not overwritten without `--force`.

## What is here

| file | holds |
|---|---|
| `databricks.yml` | the targets and their variables |
| `resources/{content.key}.pipeline.yml` | the pipeline's settings |
| `resources/{content.key}.job.yml` | the job |
| `src/{content.key}/` | the pipeline's files |
| `.connector_lib_bundle.json` | which files were written, to tell changes by hand |
"""


def _volume(folder: str) -> str:
    """The Volume that ``folder`` is in, as a word for the shell."""
    return shlex.quote(".".join(folder.split("/")[2:5]))


def _connection_step(connection: ConnectionNeeded | None) -> str:
    if connection is None:
        return ""
    name = shlex.quote(connection.name)
    return f"""
4. The pipeline reads the connection `{connection.name}` of Unity Catalog, which no bundle can make. Its secrets come
   from a file, the environment or a prompt:

   ```sh
   connector-lib connection create {name} --source {connection.source or "<source>"}
   ```
"""


def _blank_settings(folder: PipelineFolder) -> str:
    """What the pipeline could be given and is not: some of it, it cannot run without."""
    blank = [f"`{name}`" for name, value in folder.configuration.items() if not value.strip()]
    if not blank:
        return ""
    return f"""
Settings that are blank in `spark-pipeline.yml`, and left out here unless `deploy.yml` has them: {", ".join(blank)}.
What the pipeline needs of them goes under `configuration` of its `deploy.yml`, before the bundle is written again.
"""


def _target(name: str, target: Mapping[str, Any]) -> str:
    root_path = target.get("workspace", {}).get("root_path", "")
    body = _yaml({name: dict(target)})
    if root_path.startswith("/Workspace/Shared/"):
        body = body.replace("    root_path:", f"    {_SHARED_COMMENT}\n    root_path:", 1)
    elif "${workspace.current_user.userName}" in root_path:
        body = body.replace("    root_path:", f"    {_HOME_COMMENT}\n    root_path:", 1)
    return f"# {_TARGET_COMMENTS[target['mode']]}\n{body}"


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.dump(
        dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=False
    )
