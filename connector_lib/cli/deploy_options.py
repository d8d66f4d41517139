"""What ``plan``, ``deploy``, ``configure`` and ``delete`` take alike: options, a folder that is in order, a yes."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector_lib.errors import PipelineRuleError, UsageError

if TYPE_CHECKING:
    from connector_lib.project.pipeline import PipelineFolder

__all__ = [
    "CatalogOption",
    "ChannelOption",
    "ContinuousOption",
    "CreateSchemaOption",
    "DevOption",
    "DevelopmentOption",
    "NameOption",
    "PipelineFolderArgument",
    "RecreateOption",
    "SchemaOption",
    "ServerlessOption",
    "SetOption",
    "SkipPreflightOption",
    "VolumeOption",
    "WheelOption",
    "WorkspaceFolderOption",
    "YesOption",
    "checked_folder",
    "counted",
    "deployment_keys",
    "require_yes",
]


class _Channel(str, Enum):
    CURRENT = "current"
    PREVIEW = "preview"


PipelineFolderArgument = Annotated[
    Path, typer.Argument(metavar="PIPELINE_DIR", help="The folder that holds spark-pipeline.yml.")
]
NameOption = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="What the pipeline is called in the workspace.")
]
CatalogOption = Annotated[
    str | None, typer.Option("--catalog", metavar="CATALOG", help="The catalog that the tables go to.")
]
SchemaOption = Annotated[
    str | None, typer.Option("--schema", metavar="SCHEMA", help="The schema that the tables go to.")
]
CreateSchemaOption = Annotated[
    bool | None, typer.Option("--create-schema/--no-create-schema", help="Make the schema where it is not there.")
]
WorkspaceFolderOption = Annotated[
    str | None,
    typer.Option("--workspace-folder", metavar="PATH", help="Where the files go, such as /Workspace/Shared/clinic."),
]
VolumeOption = Annotated[
    str | None,
    typer.Option("--volume", metavar="CATALOG.SCHEMA.VOLUME", help="The Volume that holds the wheel."),
]
WheelOption = Annotated[
    str | None,
    typer.Option("--wheel", metavar="VERSION", help="@latest, a version, or a path /Volumes/….whl."),
]
ServerlessOption = Annotated[
    bool | None, typer.Option("--serverless/--no-serverless", help="Whether it runs on serverless compute.")
]
ContinuousOption = Annotated[
    bool | None, typer.Option("--continuous/--triggered", help="Whether it runs all the time, or when started.")
]
DevelopmentOption = Annotated[
    bool | None, typer.Option("--development/--production", help="Whether it is in development mode.")
]
ChannelOption = Annotated[
    _Channel | None, typer.Option("--channel", help="Which release of the pipeline runtime it has.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Give a setting of the pipeline a value. May be repeated."),
]
DevOption = Annotated[
    bool, typer.Option("--dev", help="Your own copy: a wheel of the source tree, names that end with yours.")
]
RecreateOption = Annotated[
    bool, typer.Option("--recreate", help="Delete the pipeline with its tables, and create it anew. Needs --yes.")
]
SkipPreflightOption = Annotated[
    bool,
    typer.Option("--skip-preflight", help="Try it although rights seem to be missing; they are still named."),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def deployment_keys(
    *, channel: _Channel | None = None, settings: list[str] | None = None, **keys: Any
) -> dict[str, Any]:
    """The keys of ``deploy.yml`` that the options stand for, None for those that were not given.

    Raises UsageError for a ``--set`` that is not ``KEY=VALUE``.
    """
    configuration: dict[str, str] = {}
    for entry in settings or ():
        key, equals, value = entry.partition("=")
        if not equals or not key.strip():
            raise UsageError(
                f"--set '{entry}' is not KEY=VALUE", hint="--set source.storage_path=/Volumes/main/raw/hl7"
            )
        configuration[key.strip()] = value
    return {
        **keys,
        "channel": channel.value.upper() if channel is not None else None,
        "configuration": configuration or None,
    }


def checked_folder(path: Path) -> PipelineFolder:
    """The pipeline folder. Raises PipelineRuleError that names every breach in it."""
    from connector_lib.project.pipeline import load_pipeline_folder
    from connector_lib.project.transformation_rules import check_pipeline

    breaches = check_pipeline(path)
    if breaches:
        lines = "\n".join(f"  {breach}" for breach in breaches)
        raise PipelineRuleError(f"{path}: {counted(len(breaches), 'thing')} that a pipeline must not have:\n{lines}")
    return load_pipeline_folder(path)


def require_yes(yes: bool, what: str) -> None:
    """Asks at a terminal. Raises UsageError where there is nobody to ask, and ends the command on a no."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"this would {what}", hint="add --yes to do it")
    typer.confirm(f"{what[0].upper()}{what[1:]}?", abort=True, err=True)


def counted(number: int, thing: str) -> str:
    """The number with the word for it.

    >>> counted(1, "file"), counted(2, "file")
    ('1 file', '2 files')
    """
    return f"1 {thing}" if number == 1 else f"{number} {thing}s"
